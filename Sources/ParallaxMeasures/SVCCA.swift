import ParallaxTensors

/// Singular vector canonical correlation analysis: the mean canonical correlation of the strongest
/// principal components of each side.
///
/// Each centred side keeps the fewest components that hold `threshold` of its variance, Σs² and not Σs. The
/// value depends on the threshold. Where few directions carry most of the variance, most of the
/// representation is cut away.
///
/// Float64 throughout, as ``CCA``. Agrees with repsim 0.1.5 to 12 digits where both keep the same
/// components; repsim holds plain sums of singular values against the threshold, and does not centre first.
/// With the plain sums the golden pair at 0.9 has 0.7086 and not 0.9205.
///
/// > Source: Raghu et al., 2017, arXiv 1706.05806, section 2.
public struct SVCCA: MomentMeasure {
  /// The share of the variance that is kept, above 0, at most 1.
  public let threshold: Double

  /// SVCCA that keeps a share of the variance.
  ///
  /// - Precondition: the threshold is above 0 and at most 1.
  public init(threshold: Double = 0.99) {
    precondition(threshold > 0 && threshold <= 1, "SVCCA: a threshold above 0 and at most 1")
    self.threshold = threshold
  }

  /// `svcca`, or `svcca-0.9` and the like for other thresholds than 0.99.
  public var name: String { threshold == 0.99 ? "svcca" : "svcca-\(threshold)" }
  /// A similarity: 1 where the components of one side are linear functions of the other's.
  public var direction: Direction { .similarity }
  /// Both sides are treated alike.
  public var isSymmetric: Bool { true }
  /// The triangle inequality does not hold.
  public var isMetric: Bool { false }
  /// Whatever leaves the principal components as they are; a linear map changes which are the strongest.
  public var invariances: Invariance { [.translation, .scaling, .permutation, .orthogonal] }
  /// From 0, no linear relation, to 1.
  public var range: ClosedRange<Double> { 0...1 }
  /// A decomposition once a representation, and of the kept components for each pair.
  public var cost: String { "ND² + D³ once a representation, Nk² + k³ a pair of k components" }
  /// Three: with fewer any data would agree.
  public var fewestImages: Int { 3 }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// What the spans of the columns share grows with the widths.
  public var pitfalls: [Pitfall] { [.span] }
  /// The paper and its section.
  public var source: String { "Raghu et al., 2017, arXiv 1706.05806, section 2" }
  /// The implementation that gives the same number.
  public var agreesWith: String {
    "repsim 0.1.5, to 12 digits in float64 where it keeps the same components"
  }

  /// An orthonormal basis of the strongest components.
  ///
  /// - Parameter features: `[images, width]`, at least three images, and more than the components plus one.
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
    let basis = try parts.basis(atLeast: 3, measure: name).holding(threshold)
    try basis.checkSpan(measure: name)
    return basis
  }

  /// Reordered; nil where images are left out.
  public func selected(_ summary: PrincipalBasis, _ images: ImageSelection) throws
    -> PrincipalBasis?
  {
    summary.selected(images)
  }

  /// The mean canonical correlation over the smaller number of components.
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where element types or thresholds
  ///   differ.
  public func similarity(_ a: PrincipalBasis, _ b: PrincipalBasis, _ cross: CrossMoment?) throws
    -> Double
  {
    try Decomposition.singularValues(a.cosines(b, cross, measure: name)).reduce(0, +)
      / Double(min(a.rank, b.rank))
  }
}
