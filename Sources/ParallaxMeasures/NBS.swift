import ParallaxTensors

/// The normalised Bures similarity: ‖XᵀY‖_* / (‖X‖_F ‖Y‖_F), columns centred.
///
/// It is tr √(√K L √K) / √(tr K · tr L) of the Gram matrices K = XXᵀ and L = YYᵀ (their fidelity), and the
/// cosine of the angular shape distance (``ShapeMetric``).
///
/// Float64 throughout. Agrees with netrep, as the cosine of its angular distance, to 12 digits, and with the
/// formula on Gram matrices to 10.
///
/// > Source: Tang et al., 2020, arXiv 2003.11667; Harvey et al., 2023, arXiv 2311.11436.
public struct NBS: MomentMeasure {
  /// The similarity; there is nothing to choose.
  public init() {}

  /// `nbs`.
  public var name: String { "nbs" }
  /// A similarity: 1 for representations that are rotations of one another.
  public var direction: Direction { .similarity }
  /// XᵀY and YᵀX have the same singular values.
  public var isSymmetric: Bool { true }
  /// `ShapeMetric` is the metric made from it.
  public var isMetric: Bool { false }
  /// Whatever leaves the direction of the centred Gram matrix as it is.
  public var invariances: Invariance { [.translation, .scaling, .permutation, .orthogonal] }
  /// From 0 to 1.
  public var range: ClosedRange<Double> { 0...1 }
  /// Nothing but centring once a representation.
  public var cost: String { "ND once a representation, ND² + D³ a pair" }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// The papers.
  public var source: String {
    "Tang et al., 2020, arXiv 2003.11667; Harvey et al., 2023, arXiv 2311.11436"
  }
  /// The implementation that gives the same number.
  public var agreesWith: String {
    "the golden value of netrep (cosine of its angular metric), to 12 digits in float64"
  }

  /// The centred points, of norm one.
  ///
  /// - Parameter features: `[images, width]`, at least two images.
  /// - Returns: one point an image, float64.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite` or `.constant`.
  public func summary(of features: Tensor) throws -> ShapeSummary {
    try summary(from: SharedParts(features))
  }

  /// The centred points.
  public var sharedPart: SharedPart? { SharedPart("shape") }

  /// The same, of what other measures share.
  ///
  /// - Throws: as `summary(of:)`.
  public func summary(from parts: SharedParts) throws -> ShapeSummary {
    try ShapeSummary.make(parts, normalized: true, measure: name)
  }

  /// Reordered; nil where images are left out.
  public func selected(_ summary: ShapeSummary, _ images: ImageSelection) throws -> ShapeSummary? {
    summary.selected(images)
  }

  /// The nuclear norm of the product of both, never clamped.
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where the element types differ.
  public func similarity(_ a: ShapeSummary, _ b: ShapeSummary, _ cross: CrossMoment?) throws
    -> Double
  {
    try a.overlap(b, cross, measure: name)
  }
}
