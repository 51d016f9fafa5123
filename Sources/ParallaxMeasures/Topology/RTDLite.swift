import ParallaxTensors

/// How differently clusters merge: the representation topology divergence by minimum spanning trees.
///
/// With the distances of each side over their 0.9 quantile, A and B, RTD-Lite(A, B) = w(A) − w(min(A, B)),
/// w the weight of the minimum spanning tree and the minimum taken element by element. That is the sum of
/// the lengths of the barcode's intervals: how much later in A than in both together two clusters become
/// one. The measure is the mean of both directions, or one of them. One direction is small against any B whose
/// images are all about equally far from one another, since such a B joins nothing sooner; the mean is not.
///
/// Distances are Euclidean, in float64. The quantile is over the full matrix with its diagonal, linear
/// between order statistics, as in the authors' code. Agrees with their code (`RTD_Lite_summ_only`), with
/// SciPy's trees and with the barcode by its definition to 12 digits.
///
/// > Source: Tulchinskii et al., 2025, arXiv 2503.11910, algorithm 2.
public struct RTDLite: Measure {
  /// Whether only the first side's merging is followed.
  public let isDirected: Bool

  /// The mean of both directions, or RTD-Lite(A, B) alone.
  public init(directed: Bool = false) { isDirected = directed }

  /// `rtd-lite` or `rtd-lite-directed`.
  public var name: String { "rtd-lite" + (isDirected ? "-directed" : "") }
  /// A distance: 0 for the same distances up to scale.
  public var direction: Direction { .distance }
  /// The mean of both directions is; one of them is not.
  public var isSymmetric: Bool { !isDirected }
  /// The triangle inequality is not known to hold.
  public var isMetric: Bool { false }
  /// What leaves the proportions of distances as they are.
  public var invariances: Invariance { [.translation, .scaling, .permutation, .orthogonal] }
  /// From 0: the minimum's tree is never the heavier.
  public var range: ClosedRange<Double> { 0...Double.infinity }
  /// All distances, sorted, once; one more tree a pair.
  public var cost: String { "N²D + N² log N once a representation, N² a pair" }
  /// Row i of both sides is the same vertex.
  public var needsPairing: Bool { true }
  /// Two images have one distance, whatever the representation.
  public var fewestImages: Int { 3 }
  /// The paper.
  public var source: String { "Tulchinskii et al., 2025, arXiv 2503.11910, algorithm 2" }
  /// What it was compared with.
  public var agreesWith: String {
    "the authors' RTD_Lite_summ_only and SciPy's trees, to 12 digits in float64"
  }

  /// What is kept of a representation: its scaled distances and the weight of their tree.
  public struct Summary: Sendable, Hashable {
    /// The number of images.
    public let images: Int
    /// The element type of the features.
    public let precision: DType
    /// The weight of the minimum spanning tree.
    public let weight: Double
    /// The upper triangle of the distances over their 0.9 quantile, row by row.
    let distances: [Double]
  }

  /// The scaled distances and the weight of their tree.
  ///
  /// - Parameter features: `[images, width]`, at least three images.
  /// - Returns: N(N−1)/2 distances and one weight.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, or `.constant` where the quantile is 0.
  public func summary(of features: Tensor) throws -> Summary {
    let precision = try Checked.precision(of: features, atLeast: fewestImages, measure: name)
    return try summary(
      Distances.packed(features), images: features.shape[0], precision: precision)
  }

  /// The distances of the selected images, scaled anew.
  ///
  /// - Throws: `MeasureError.tooFew` or `.constant`.
  public func selected(_ summary: Summary, _ images: ImageSelection) throws -> Summary? {
    guard images.count >= fewestImages else {
      throw MeasureError.tooFew(measure: name, images: images.count, needed: fewestImages)
    }
    let all = Tensor(summary.distances, shape: [summary.distances.count])
    return try self.summary(
      images.triangle(of: all, diagonal: false).doubles, images: images.count,
      precision: summary.precision)
  }

  private func summary(_ distances: [Double], images: Int, precision: DType) throws -> Summary {
    let scale = Self.quantile(0.9, of: distances, images: images)
    guard scale > 0 else { throw MeasureError.constant(measure: name) }
    let scaled = distances.map { $0 / scale }
    return Summary(
      images: images, precision: precision,
      weight: Self.treeWeight(images) { scaled[$0] }, distances: scaled)
  }

  /// The mean of both directions, or w(A) − w(min(A, B)).
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where the element types differ.
  public func similarity(_ a: Summary, _ b: Summary) throws -> Double {
    guard a.images == b.images else {
      throw MeasureError.unequalCounts(measure: name, left: a.images, right: b.images)
    }
    guard a.precision == b.precision else {
      throw MeasureError.summaries(
        measure: name, left: "\(a.precision)", right: "\(b.precision)")
    }
    let (x, y) = (a.distances, b.distances)
    let both = Self.treeWeight(a.images) { min(x[$0], y[$0]) }
    return isDirected ? a.weight - both : ((a.weight - both) + (b.weight - both)) / 2
  }

  /// The quantile of the full matrix, whose diagonal is N zeros and whose other elements come twice.
  static func quantile(_ share: Double, of packed: [Double], images: Int) -> Double {
    let sorted = packed.sorted()
    func element(_ rank: Int) -> Double { rank < images ? 0 : sorted[(rank - images) / 2] }
    let last = images * images - 1
    let position = share * Double(last)
    let low = Int(position)
    let (a, b) = (element(low), element(min(low + 1, last)))
    return a + (b - a) * (position - Double(low))
  }

  /// The weight of the minimum spanning tree by Prim's algorithm, given the elements of the packed upper
  /// triangle.
  static func treeWeight(_ images: Int, _ element: (Int) -> Double) -> Double {
    var nearest = [Double](repeating: .infinity, count: images)
    var outside = Array(1..<images)
    var (added, weight) = (0, 0.0)
    while !outside.isEmpty {
      var best = 0
      for (place, vertex) in outside.enumerated() {
        let (i, j) = (min(added, vertex), max(added, vertex))
        // Rows before i hold images − 1, images − 2, … elements.
        let distance = element(i * (2 * images - i - 1) / 2 + j - i - 1)
        if distance < nearest[vertex] { nearest[vertex] = distance }
        if nearest[vertex] < nearest[outside[best]] { best = place }
      }
      added = outside[best]
      weight += nearest[added]
      outside.swapAt(best, outside.count - 1)
      outside.removeLast()
    }
    return weight
  }
}
