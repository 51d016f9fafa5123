import ParallaxTensors

/// Features less their column means in float64, some rows at a time, so that they are never held as a whole.
struct CentredRows {
  private let features: Tensor
  private let first: Tensor
  private let mean: Tensor
  private let step: Int

  /// - Parameters:
  ///   - features: `[images, width]`.
  ///   - step: rows that are held at once.
  init(_ features: Tensor, step: Int) {
    (self.features, self.step) = (features, step)
    let count = features.shape[0]
    // The first row is taken off before the mean: exact where an offset hides a small spread.
    let first = Gram.widened(features.sliced(0, 0, 1))
    let sums = stride(from: 0, to: count, by: step).map { start in
      (Gram.widened(features.sliced(0, start, min(start + step, count))) - first)
        .sum(over: [0], keeping: true)
    }
    self.first = first
    mean = sums.dropFirst().reduce(sums[0]) { $0 + $1 } / Double(count)
  }

  private func chunks() -> some Sequence<Tensor> {
    let count = features.shape[0]
    return stride(from: 0, to: count, by: step).lazy.map { start in
      Gram.widened(features.sliced(0, start, min(start + step, count))) - first - mean
    }
  }

  /// Σ of all squares.
  var energy: Double { chunks().reduce(0) { $0 + $1.squared().sum().item(Double.self) } }

  /// All rows: `[images, width]`.
  var whole: Tensor { Tensor.concatenated(Array(chunks()), 0) }

  /// XV: `[width, count]` → `[images, count]`.
  func times(_ vectors: Tensor) -> Tensor {
    Tensor.concatenated(chunks().map { $0.times(vectors) }, 0)
  }

  /// XᵀXV: `[width, count]` → `[width, count]`.
  func normal(_ vectors: Tensor) -> Tensor {
    chunks().reduce(Tensor.zeros(vectors.shape, .float64)) { sum, rows in
      sum + rows.transposed().times(rows.times(vectors))
    }
  }
}

/// The largest eigenvectors of a symmetric matrix that is only known by its products.
enum Krylov {
  private static let block = 6
  private static let most = 60

  /// Grows an orthonormal basis of v, Av, A²v … until the wanted eigenvectors of A within it are those of A.
  ///
  /// - Parameters:
  ///   - count: how many.
  ///   - width: of the matrix, above 360.
  ///   - product: A times some columns.
  ///   - tolerance: of ‖Av − λv‖ over the largest λ.
  /// - Returns: `[width, count]`, of descending λ; where they do not converge in 360 dimensions, the best of these.
  /// - Throws: `TensorError.operation` where LAPACK does not converge.
  static func largest(
    _ count: Int, width: Int, _ product: (Tensor) -> Tensor, tolerance: Double = 1e-10
  ) throws -> Tensor {
    var basis = try Decomposition.basis(
      RandomSource(seed: 1).normal([width, block]).to(.float64))
    var images = product(basis)
    var latest = images
    while true {
      let projected = basis.transposed().times(images)
      let (values, vectors) = try Decomposition.eigen((projected + projected.transposed()) * 0.5)
      let size = basis.shape[1]
      let best = vectors.sliced(1, size - count).flipped(1)
      let found = basis.times(best)
      let levels = values.sliced(0, size - count).flipped(0)
      let rest = (images.times(best) - found * levels.unsqueezed(0)).norm(over: [0])
        .maximum().item(Double.self)
      let largest = values.maximum().item(Double.self)
      if rest <= tolerance * largest || size >= most * block || size + block > width {
        return found
      }
      var next = latest
      for _ in 0..<2 { next = next - basis.times(basis.transposed().times(next)) }
      next = try Decomposition.basis(next)
      for _ in 0..<2 { next = next - basis.times(basis.transposed().times(next)) }
      next = try Decomposition.basis(next)
      latest = product(next)
      basis = Tensor.concatenated([basis, next], 1)
      images = Tensor.concatenated([images, latest], 1)
    }
  }
}
