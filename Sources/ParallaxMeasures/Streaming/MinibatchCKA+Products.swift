import ParallaxTensors

extension MinibatchCKA {
  /// Rows of V that one product takes.
  private static let panel = 64

  /// 2·VVᵀ in float64 on the host, only the upper triangle computed, `[L, T]` → `[L, L]`.
  static func products(_ rows: Tensor) -> Tensor {
    let count = rows.shape[0]
    var panels: [Tensor] = []
    for start in stride(from: 0, to: count, by: panel) {
      let end = min(start + panel, count)
      let part = rows.sliced(0, start, end).times(rows.sliced(0, start).transposed())
      panels.append(part.to(.cpu).to(.float64).padded([start, 0]))
    }
    let all = Tensor.concatenated(panels, 0)
    // A panel's square on the diagonal is whole; everything below it comes from above.
    return (Plain.upper(all, 0) + Plain.upper(all, 1).transposed()) * 2.0
  }

  /// 2·V·V[:, π]ᵀ in float64 on the host, `[L, T]` → `[L, L]`.
  static func products(_ rows: Tensor, shuffledBy sources: [Int64]) -> Tensor {
    let count = rows.shape[0]
    let order = Tensor(sources, shape: [sources.count]).to(rows.device)
    var panels: [Tensor] = []
    for start in stride(from: 0, to: count, by: panel) {
      let part = rows.sliced(0, start, min(start + panel, count)).gathered(1, order)
      panels.append(rows.times(part.transposed()).to(.cpu).to(.float64))
    }
    return Tensor.concatenated(panels, 1) * 2.0
  }
}
