import ParallaxTensors

/// R² of predicting the first representation from the second by linear regression with an intercept.
///
/// ‖U′ᵀX‖²_F / ‖X‖²_F with X the first side, centred, and U′ an orthonormal basis of the second: the share of
/// the variance of all neurons of the first side that lies in what the second spans. Not symmetric; exchange
/// the sides for the other direction. It is fitted and scored on the same images, so it grows with the
/// second side's rank: for unrelated data it is about rank / (images − 1). A predictor whose rank reaches
/// images − 1 predicts anything and is refused.
///
/// Float64 throughout. Agrees with ReSi's LinearRegression to 12 digits.
///
/// > Source: Kornblith et al., 2019, arXiv 1905.00414, table 1.
public struct LinearRegression: MomentMeasure {
  /// The regression; there is nothing to choose.
  public init() {}

  /// `linear-regression`.
  public var name: String { "linear-regression" }
  /// A similarity: 1 where the first side is a linear function of the second.
  public var direction: Direction { .similarity }
  /// The second side predicts the first.
  public var isSymmetric: Bool { false }
  /// R² is no distance.
  public var isMetric: Bool { false }
  /// The predictor may be changed by any invertible linear map, the predicted side by rotations alone; only
  /// what both sides allow is declared.
  public var invariances: Invariance { [.translation, .scaling, .permutation, .orthogonal] }
  /// From 0, nothing predicted, to 1.
  public var range: ClosedRange<Double> { 0...1 }
  /// A decomposition once a representation; a pair is one product.
  public var cost: String { "ND² + D³ once a representation, ND² a pair" }
  /// Three: with fewer any data would agree.
  public var fewestImages: Int { 3 }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// What the spans of the columns share grows with the widths.
  public var pitfalls: [Pitfall] { [.span] }
  /// The paper and its table.
  public var source: String { "Kornblith et al., 2019, arXiv 1905.00414, table 1" }
  /// The implementation that gives the same number.
  public var agreesWith: String {
    "the golden value of ReSi (LinearRegression), to 12 digits in float64"
  }

  /// An orthonormal basis of the centred representation and the variance along it.
  ///
  /// - Parameter features: `[images, width]`, at least three images.
  /// - Returns: the basis, float64.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite` or `.constant`.
  public func summary(of features: Tensor) throws -> PrincipalBasis {
    try summary(from: SharedParts(features))
  }

  /// The centred basis.
  public var sharedPart: SharedPart? { .basis }

  /// The same, of a basis that other measures share.
  ///
  /// - Throws: as `summary(of:)`.
  public func summary(from parts: SharedParts) throws -> PrincipalBasis {
    try parts.basis(atLeast: 3, measure: name)
  }

  /// Reordered; nil where images are left out.
  public func selected(_ summary: PrincipalBasis, _ images: ImageSelection) throws
    -> PrincipalBasis?
  {
    summary.selected(images)
  }

  /// R² of predicting `a` from `b`.
  ///
  /// - Throws: `MeasureError.tooFew` where `b` spans all that the images can tell apart,
  ///   `MeasureError.unequalCounts`, or `MeasureError.summaries` where the element types differ.
  public func similarity(_ a: PrincipalBasis, _ b: PrincipalBasis, _ cross: CrossMoment?) throws
    -> Double
  {
    // X = U·diag(s)·Vᵀ, and V changes no norm.
    let cosines = try a.cosines(b, cross, measure: name).transposed()
    try b.checkSpan(measure: name)
    return cosines.columns(times: a.singularValues).squaredNorm() / a.squaredNorm
  }
}
