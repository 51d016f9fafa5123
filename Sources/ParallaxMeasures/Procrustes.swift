import ParallaxTensors

/// The orthogonal Procrustes distance: min over orthogonal Q of ‖XQ − Y‖_F, columns centred.
///
/// √(‖X‖² + ‖Y‖² − 2‖XᵀY‖_*), ‖·‖_* the nuclear norm; the narrower side is padded with zeros. With
/// `normalized` (the default) both sides are divided by their Frobenius norm first and the value lies between
/// 0 and √2. Without it sizes count too ("size and shape") and the value grows with norm and width; its
/// square is the squared Bures distance between XXᵀ and YYᵀ. Some packages and Ding et al. return the
/// square.
///
/// Float64 throughout; representations that are close are subtracted point by point, since the formula
/// would leave rounding's square root. Agrees with ReSi and netrep to 12 digits.
///
/// > Source: Ding et al., 2021, arXiv 2108.01661, section 2 (normalised, squared there); Williams et al.,
/// > 2021, arXiv 2110.14739, section 2 (size and shape).
public struct Procrustes: MomentMeasure {
  /// Whether both sides are divided by their norm.
  public let isNormalized: Bool

  /// The distance between shapes, or between shapes with their sizes.
  public init(normalized isNormalized: Bool = true) { self.isNormalized = isNormalized }

  /// `procrustes`, or `procrustes-size-and-shape`.
  public var name: String { isNormalized ? "procrustes" : "procrustes-size-and-shape" }
  /// A distance: 0 for representations that are rotations of one another.
  public var direction: Direction { .distance }
  /// Q may be applied to either side.
  public var isSymmetric: Bool { true }
  /// The least distance over a group of isometries.
  public var isMetric: Bool { true }
  /// Scaling only where the norms are divided out.
  public var invariances: Invariance {
    let common: Invariance = [.translation, .permutation, .orthogonal]
    return isNormalized ? common.union(.scaling) : common
  }
  /// From 0 to √2 where normalised: a nuclear norm is not negative.
  public var range: ClosedRange<Double> { 0...(isNormalized ? 2.0.squareRoot() : .infinity) }
  /// Nothing but centring once a representation.
  public var cost: String { "ND once a representation, ND² + D³ a pair" }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// The paper of the variant.
  public var source: String {
    isNormalized
      ? "Ding et al., 2021, arXiv 2108.01661, section 2"
      : "Williams et al., 2021, arXiv 2110.14739, section 2"
  }
  /// The implementations that give the same number.
  public var agreesWith: String {
    "the golden value of ReSi\(isNormalized ? "" : " and netrep"), to 12 digits in float64"
  }

  /// The centred points.
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
    try ShapeSummary.make(parts, normalized: isNormalized, measure: name)
  }

  /// Reordered; nil where images are left out.
  public func selected(_ summary: ShapeSummary, _ images: ImageSelection) throws -> ShapeSummary? {
    summary.selected(images)
  }

  /// The distance after the best rotation.
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where element types or
  ///   normalisations differ.
  public func similarity(_ a: ShapeSummary, _ b: ShapeSummary, _ cross: CrossMoment?) throws
    -> Double
  {
    try a.distances(b, cross, measure: name).difference
  }
}
