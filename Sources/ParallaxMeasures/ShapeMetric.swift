import ParallaxTensors

/// Shape distances between representations that are whitened in part.
///
/// Each centred side A is mapped by αI + (1−α)(AᵀA)^−½ and brought back to the norm that it had; then the
/// best rotation is found. `angular` is the angle between the two in radians,
/// arccos(‖AᵀB‖_* / (‖A‖‖B‖)); `euclidean` is ‖AQ − B‖_F.
///
/// α = 1 leaves the representation as it is: the angular form is Williams et al.'s angular shape distance,
/// its cosine ``NBS``, and the Euclidean one ``Procrustes`` with sizes. α = 0 whitens fully: what is left are
/// the canonical correlations, cos = Σρ / √(rank · rank′). Between them singular values s become
/// αs + 1 − α, so that the scale of the features matters: neither the angle nor the distance ignores
/// scaling there. The Euclidean distance never does, nor, since the norm is kept, linear maps at α = 0.
///
/// Widths may differ; the narrower side is padded with zeros after whitening. Directions at or below
/// ``PrincipalBasis/rankTolerance(for:)`` are left out where α < 1; netrep raises their variance to 1e-7
/// instead. Float64 throughout, no arc cosine near 1. Agrees with netrep to 12 digits on sides of full rank.
///
/// > Source: Williams et al., 2021, arXiv 2110.14739, section 2.
public struct ShapeMetric: MomentMeasure {
  /// What is measured after the rotation.
  public enum Geometry: String, Sendable, Hashable, CaseIterable {
    /// The angle, in radians.
    case angular
    /// The Frobenius norm of the difference.
    case euclidean
  }

  /// 1 for no whitening, 0 for full whitening.
  public let alpha: Double
  /// What is measured after the rotation.
  public let geometry: Geometry

  /// A shape metric; the angle without whitening where nothing is said.
  ///
  /// - Precondition: α lies between 0 and 1.
  public init(_ geometry: Geometry = .angular, alpha: Double = 1) {
    precondition((0...1).contains(alpha), "ShapeMetric: α between 0 and 1")
    (self.geometry, self.alpha) = (geometry, alpha)
  }

  /// `shape-angular`, `shape-euclidean`, and `-α` where α is not 1.
  public var name: String { "shape-\(geometry.rawValue)" + (alpha == 1 ? "" : "-\(alpha)") }
  /// A distance: 0 for representations that are rotations of one another.
  public var direction: Direction { .distance }
  /// The rotation may be applied to either side.
  public var isSymmetric: Bool { true }
  /// The least distance, or angle, over a group of isometries.
  public var isMetric: Bool { true }
  /// Rotations always; scaling for the angle at α = 1 and at α = 0; linear maps for the angle at α = 0.
  public var invariances: Invariance {
    var all: Invariance = [.translation, .permutation, .orthogonal]
    if geometry == .angular, alpha == 0 || alpha == 1 { all.insert(.scaling) }
    if geometry == .angular, alpha == 0 { all.insert(.linear) }
    return all
  }
  /// From 0 to π/2 radians, or from 0.
  public var range: ClosedRange<Double> { 0...(geometry == .angular ? Double.pi / 2 : .infinity) }
  /// A decomposition once a representation where α is not 1, another for each pair.
  public var cost: String { "ND² + D³ once a representation, ND² + D³ a pair" }
  /// Two, or three where nothing is added to the covariance.
  public var fewestImages: Int { alpha == 0 ? 3 : 2 }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// The paper and its section.
  public var source: String { "Williams et al., 2021, arXiv 2110.14739, section 2" }
  /// The implementations that give the same number.
  public var agreesWith: String {
    "the golden values of netrep (LinearMetric)\(alpha == 1 ? " and ReSi" : ""), to 12 digits in float64"
  }

  /// The centred points, whitened in part.
  ///
  /// - Parameter features: `[images, width]`, at least two images; at α = 0 at least three, and more than the
  ///   rank plus one.
  /// - Returns: one point an image, float64.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite` or `.constant`.
  public func summary(of features: Tensor) throws -> ShapeSummary {
    try summary(from: SharedParts(features))
  }

  /// The centred points, or the basis that they are whitened by.
  public var sharedPart: SharedPart? { alpha == 1 ? SharedPart("shape") : .basis }

  /// The same, of what other measures share.
  ///
  /// - Throws: as `summary(of:)`.
  public func summary(from parts: SharedParts) throws -> ShapeSummary {
    try ShapeSummary.make(
      parts, alpha: alpha, normalized: geometry == .angular, atLeast: alpha == 0 ? 3 : 2,
      measure: name)
  }

  /// Reordered; nil where images are left out.
  public func selected(_ summary: ShapeSummary, _ images: ImageSelection) throws -> ShapeSummary? {
    summary.selected(images)
  }

  /// The angle in radians, or the distance.
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where element types, α or geometries
  ///   differ.
  public func similarity(_ a: ShapeSummary, _ b: ShapeSummary, _ cross: CrossMoment?) throws
    -> Double
  {
    switch geometry {
    case .angular: try a.angle(b, cross, measure: name)
    case .euclidean: try a.distances(b, cross, measure: name).difference
    }
  }
}
