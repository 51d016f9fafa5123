import ParallaxTensors

/// Euclidean distances between the rows of one representation, in float64.
///
/// Ratios of small distances are what intrinsic dimensions are made of, so distances are never those of
/// the Gram expansion, whose error is relative to the rows' norms: it only chooses the candidates.
enum Distances {
  private static let pairs = Operator("aten::_pdist_forward")
  private static let topK = Operator("aten::topk")

  /// Ranges of rows such that a block of distances, or the differences to `neighbours` rows, stays small.
  static func blocks(_ images: Int, width: Int, neighbours: Int = 1) -> [Range<Int>] {
    let step = min(512, max(1, (1 << 23) / max(1, neighbours * width)))
    return stride(from: 0, to: images, by: step).map { $0..<min($0 + step, images) }
  }

  /// ‖xᵢ − xⱼ‖² of some rows with all, by ‖xᵢ‖² + ‖xⱼ‖² − 2xᵢ·xⱼ: `[rows, images]`, owned by the caller.
  static func squared(_ centred: Tensor, norms: Tensor, rows: Range<Int>) -> Tensor {
    let some = centred.sliced(0, rows.lowerBound, rows.upperBound)
    let sums =
      norms.sliced(0, rows.lowerBound, rows.upperBound).unsqueezed(1) + norms.unsqueezed(0)
    return sums - some.times(centred.transposed()) * 2.0
  }

  /// The upper triangle of the distance matrix, row by row: N(N−1)/2 numbers, from differences.
  static func packed(_ features: Tensor) -> [Double] {
    pairs(Gram.widened(features), 2.0).scalars(Double.self)
  }

  /// The k nearest others of every row, nearest first, equally near ones by index.
  ///
  /// - Precondition: k < images.
  static func nearest(_ features: Tensor, _ k: Int) -> (distances: [Double], indices: [Int]) {
    let x = Gram.widened(features)
    let centred = Gram.centred(x, in: .float64)
    let norms = centred.squared().sum(over: [1])
    let (images, width) = (x.shape[0], x.shape[1])
    // A few more than k, so that rounding and ties at the edge do not choose.
    let candidates = min(k + 8, images - 1)
    var (distances, indices): ([Double], [Int]) = ([], [])
    distances.reserveCapacity(images * k)
    indices.reserveCapacity(images * k)
    for rows in blocks(images, width: width, neighbours: candidates) {
      let near = squared(centred, norms: norms, rows: rows)
      _ = InPlace.fillDiagonal(near.sliced(1, rows.lowerBound, rows.upperBound), Double.infinity)
      let who = topK.all([near, candidates, -1, false, true])[1]
      let others = x.gathered(0, who.reshaped(-1)).reshaped(rows.count, candidates, width)
      let own = x.sliced(0, rows.lowerBound, rows.upperBound).unsqueezed(1)
      let exact = (own - others).norm(over: [2]).scalars(Double.self)
      let names = who.scalars(Int64.self)
      for row in 0..<rows.count {
        let range = (row * candidates)..<((row + 1) * candidates)
        let sorted = zip(exact[range], names[range]).sorted { $0 < $1 }.prefix(k)
        distances += sorted.map(\.0)
        indices += sorted.map { Int($0.1) }
      }
    }
    return (distances, indices)
  }
}
