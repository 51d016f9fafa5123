import ParallaxTensors

/// A flat map of a latent space by its two principal components, and how far it can be trusted.
public struct LatentMap: Sendable, Equatable {
  /// x and y of each image; the loading of largest magnitude of each component is positive, as in scikit-learn's `PCA`.
  public let points: [(x: Double, y: Double)]
  /// The share of the variance along each.
  public let variance: [Double]

  /// Whether all numbers agree.
  public static func == (a: LatentMap, b: LatentMap) -> Bool {
    a.variance == b.variance && zip(a.points, b.points).allSatisfy { $0 == $1 }
      && a.points.count == b.points.count
  }

  /// The name in errors.
  public static let name = "latent map"

  /// Widths or numbers of images up to which all principal components are computed; above, Krylov's spaces give the first two.
  private static let dense = 512
  /// Bytes of the features in float64 that are held at once.
  private static let bytes = 1 << 26

  /// Two principal components of centred features, in float64.
  ///
  /// Where the smaller of images and width is above 512 they come from a block Krylov space that grows until ‖XᵀXv − λv‖ ≤ 1e-10 λ.
  ///
  /// > Source: Musco and Musco, 2015, arXiv 1504.05477 (block Krylov iteration).
  ///
  /// - Parameter features: `[images, width]`, at least three images.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.constant`; `TensorError.operation` where LAPACK does not converge.
  /// - Complexity: images · width · the smaller of both and 512; the features are never held in float64 as a whole.
  public init(_ features: Tensor) throws {
    _ = try Checked.precision(of: features, atLeast: 3, measure: Self.name)
    let (n, width) = (features.shape[0], features.shape[1])
    let rows = CentredRows(features, step: max(1, Self.bytes / (8 * width)))
    let total = rows.energy
    guard total > 0 else { throw MeasureError.constant(measure: Self.name) }
    let kept = min(2, width)
    var axes: Tensor
    if width <= Self.dense {
      axes = try Decomposition.eigen(rows.normal(Tensor.identity(width, .float64))).vectors
        .sliced(1, width - kept).flipped(1)
    } else if n <= Self.dense {
      // Xᵀu, of unit length.
      let x = rows.whole
      let vectors = try Decomposition.eigen(x.times(x.transposed())).vectors
        .sliced(1, n - kept).flipped(1)
      let long = x.transposed().times(vectors)
      let lengths = long.norm(over: [0], keeping: true)
      axes = long / lengths.clamped(1e-300, nil)
    } else {
      axes = try Krylov.largest(kept, width: width, rows.normal)
    }
    let loadings = axes.transposed().contiguous().scalars(Double.self)
    let signs = (0..<kept).map { axis -> Double in
      let own = loadings[(axis * width)..<((axis + 1) * width)]
      return (own.max { abs($0) < abs($1) } ?? 1) < 0 ? -1 : 1
    }
    axes = axes * Tensor(signs, shape: [1, kept]).to(axes.device)
    let places = rows.times(axes)
    variance = places.squared().sum(over: [0]).scalars(Double.self).map { $0 / total }
    let flat = places.contiguous().scalars(Double.self)
    points = (0..<n).map { (flat[$0 * kept], kept > 1 ? flat[$0 * kept + 1] : 0) }
  }

  /// How far neighbours in a map are neighbours in the space, and the other way round.
  ///
  /// 1 − 2/(nk(2n − 3k − 1)) Σᵢ Σ_{j ∈ U(i)} (r(i, j) − k): for trustworthiness U are the k nearest in the map that are not so in
  /// the space, and r their ranks there; for continuity with both exchanged. Ties by index. scikit-learn's `trustworthiness`.
  ///
  /// > Source: Venna and Kaski, 2001, Neighborhood preservation in nonlinear projection methods.
  ///
  /// - Parameters:
  ///   - features: `[images, width]`.
  ///   - map: `[images, dimensions]`.
  ///   - neighbours: k, less than half the number of images.
  /// - Returns: both, at most 1.
  /// - Throws: `MeasureError.tooFew` where k is not less than half the number of images, and what distances throw.
  public static func quality(
    of features: Tensor, map: Tensor, neighbours: Int
  ) throws -> (trustworthiness: Double, continuity: Double) {
    let n = features.shape.first ?? 0
    guard neighbours > 0, 2 * neighbours < n else {
      throw MeasureError.tooFew(measure: name, images: n, needed: 2 * neighbours + 1)
    }
    guard map.shape.first == n else {
      throw MeasureError.unequalCounts(measure: name, left: n, right: map.shape.first ?? 0)
    }
    let (source, target) = (
      try DistanceRows(features, .euclidean, fewest: 3, measure: name),
      try DistanceRows(map, .euclidean, fewest: 3, measure: name)
    )
    let step = max(1, (1 << 21) / n)
    var (trust, continuity) = (0.0, 0.0)
    for start in stride(from: 0, to: n, by: step) {
      let span = start..<min(start + step, n)
      let (a, b) = (order(source, span), order(target, span))
      trust += intrusion(ranks(a), b, neighbours)
      continuity += intrusion(ranks(b), a, neighbours)
    }
    let (count, k) = (Double(n), Double(neighbours))
    let scale = 2 / (count * k * (2 * count - 3 * k - 1))
    return (1 - scale * trust, 1 - scale * continuity)
  }

  private static let sort = Operator("aten::argsort.stable")
  private static let gather = Operator("aten::gather")
  private static let diagonal = Operator("aten::diagonal")

  /// Images by distance, each row's own first.
  private static func order(_ rows: DistanceRows, _ span: Range<Int>) -> Tensor {
    let block = rows.squared(span)
    _ = InPlace.fill(
      diagonal(block.sliced(1, span.lowerBound, span.upperBound), 0, 0, 1), -1.0)
    return sort(block, true, -1, false)
  }

  private static func ranks(_ order: Tensor) -> Tensor { sort(order, true, -1, false) }

  private static func intrusion(_ ranks: Tensor, _ order: Tensor, _ k: Int) -> Double {
    let near = gather(ranks, 1, order.sliced(1, 1, k + 1))
    return (near.to(.float64) - Double(k)).relu().sum().item(Double.self)
  }
}
