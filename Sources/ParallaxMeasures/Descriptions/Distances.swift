import ParallaxTensors

/// Euclidean distances between the rows of one representation, in float64, always from differences.
///
/// Ratios of small distances are what intrinsic dimensions are made of, and the Gram expansion
/// ‖x‖² + ‖y‖² − 2x·y has an error relative to the rows' norms. It only says which rows may be near.
enum Distances {
  private static let pairs = Operator("aten::pdist")
  private static let between = Operator("aten::cdist")
  private static let topK = Operator("aten::topk")

  /// libtorch's choice for cdist that leaves the Gram expansion alone.
  private static let byDifferences = 2

  /// Ranges of rows such that a block of distances, or the differences to `neighbours` rows, stays small.
  private static func blocks(_ images: Int, width: Int, neighbours: Int = 1) -> [Range<Int>] {
    let step = min(512, max(1, (1 << 23) / max(1, neighbours * width)))
    return stride(from: 0, to: images, by: step).map { $0..<min($0 + step, images) }
  }

  /// The upper triangle of the distance matrix, row by row: N(N−1)/2 numbers.
  static func packed(_ features: Tensor) -> [Double] {
    pairs(Gram.widened(features), 2.0).scalars(Double.self)
  }

  /// Hands on the distances of all pairs of rows, each pair once, in pieces of any shape.
  static func forEachPiece(_ features: Tensor, _ body: (Tensor) -> Void) {
    let x = Gram.widened(features)
    let images = x.shape[0]
    for rows in blocks(images, width: x.shape[1]) {
      let block = x.sliced(0, rows.lowerBound, rows.upperBound)
      if rows.count > 1 { body(pairs(block, 2.0)) }
      guard rows.upperBound < images else { continue }
      body(between(block, x.sliced(0, rows.upperBound, images), 2.0, byDifferences))
    }
  }

  /// The k nearest others of every row, nearest first, equally near ones by index.
  ///
  /// - Precondition: k < images.
  static func nearest(_ features: Tensor, _ k: Int) -> (distances: [Double], indices: [Int]) {
    let x = Gram.widened(features)
    // Neither an offset nor an image far from the others costs the others their digits.
    let centred = x - Plain.median.all([x, 0, true])[0]
    let norms = centred.squared().sum(over: [1])
    let (images, width) = (x.shape[0], x.shape[1])
    // The expansion in float64 is wrong by less than this share of ‖x‖² + ‖y‖²: a sum of D products by D/2
    // units in the last place of their sizes, three times, and a few for centring and adding.
    let error = Double(width + 6) * Double.ulpOfOne
    // A few more than k, so that ties at the edge seldom choose.
    let candidates = min(k + 8, images - 1)
    var (distances, indices): ([Double], [Int]) = ([], [])
    distances.reserveCapacity(images * k)
    indices.reserveCapacity(images * k)
    for rows in blocks(images, width: width, neighbours: candidates) {
      let some = centred.sliced(0, rows.lowerBound, rows.upperBound)
      let sums =
        norms.sliced(0, rows.lowerBound, rows.upperBound).unsqueezed(1) + norms.unsqueezed(0)
      // No squared distance is smaller than this.
      let bounds = sums * (1 - error) - some.times(centred.transposed()) * 2.0
      _ = InPlace.fillDiagonal(bounds.sliced(1, rows.lowerBound, rows.upperBound), Double.infinity)
      let found = topK.all([bounds, candidates, -1, false, true])
      let others = x.gathered(0, found[1].reshaped(-1)).reshaped(rows.count, candidates, width)
      let own = x.sliced(0, rows.lowerBound, rows.upperBound).unsqueezed(1)
      let exact = (own - others).norm(over: [2]).scalars(Double.self)
      let names = found[1].scalars(Int64.self)
      let edges = found[0].selected(1, candidates - 1).scalars(Double.self)
      for row in rows {
        let start = (row - rows.lowerBound) * candidates
        let range = start..<(start + candidates)
        var sorted = zip(exact[range], names[range]).sorted { $0 < $1 }.prefix(k)
        let farthest = sorted.last?.0 ?? .infinity
        let isCertain =
          candidates == images - 1
          || farthest * farthest * (1 + error) < edges[row - rows.lowerBound]
        if !isCertain {
          let all = between(x.sliced(0, row, row + 1), x, 2.0, byDifferences).scalars(Double.self)
          sorted = zip(all, 0..<Int64(images)).filter { $0.1 != row }.sorted { $0 < $1 }.prefix(k)
        }
        distances += sorted.map(\.0)
        indices += sorted.map { Int($0.1) }
      }
    }
    return (distances, indices)
  }
}
