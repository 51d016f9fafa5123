import ParallaxTensors

/// Canonical correlation analysis: the mean of the canonical correlations ρᵢ, or of their squares.
///
/// ρᵢ are the singular values of UᵀU′, U and U′ orthonormal bases of the centred representations; the mean
/// runs over i ≤ min(rank, rank′), so that a dead or a doubled neuron changes nothing. The mean of the
/// squares is Yanai's coefficient, ‖UᵀU′‖²_F / min(rank, rank′).
///
/// Any invertible linear map of either side is ignored, and with it every difference in variance: noise
/// counts as much as signal. Of n images, n − 1 directions tell everything apart. The value rises towards 1
/// as the ranks come near that, whatever the data; ranks that reach it are refused. Compare with a
/// shuffled pairing, or reduce first: ``SVCCA``.
///
/// Everything is computed in float64 by singular value decomposition, with
/// ``PrincipalBasis/rankTolerance(for:)``, and without anything added to a covariance. Agrees with repsim
/// 0.1.5 and google/svcca to 12 digits.
///
/// > Source: Hotelling, 1936, Biometrika 28; mean of squares: Kornblith et al., 2019, arXiv 1905.00414,
/// > table 1 (R² of CCA).
public struct CCA: MomentMeasure {
  /// What is averaged.
  public enum Average: String, Sendable, Hashable, CaseIterable {
    /// ρ.
    case correlations
    /// ρ².
    case squaredCorrelations
  }

  /// What is averaged.
  public let average: Average

  /// CCA; the mean correlation where nothing is said.
  public init(_ average: Average = .correlations) { self.average = average }

  /// `cca`, or `cca-squared`.
  public var name: String { average == .correlations ? "cca" : "cca-squared" }
  /// A similarity: 1 where one side is a linear function of the other.
  public var direction: Direction { .similarity }
  /// UᵀU′ and its transpose have the same singular values.
  public var isSymmetric: Bool { true }
  /// The triangle inequality does not hold; `ShapeMetric` with α = 0 is a metric on the same correlations.
  public var isMetric: Bool { false }
  /// Whatever leaves the span of the centred columns as it is.
  public var invariances: Invariance {
    [.translation, .scaling, .permutation, .orthogonal, .linear]
  }
  /// From 0, no linear relation, to 1.
  public var range: ClosedRange<Double> { 0...1 }
  /// A decomposition once a representation; the squared form needs none for a pair.
  public var cost: String { "ND² + D³ once a representation, ND² + D³ a pair" }
  /// Three: with fewer any data would agree.
  public var fewestImages: Int { 3 }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// The paper of the average.
  public var source: String {
    average == .correlations
      ? "Hotelling, 1936, Biometrika 28"
      : "Kornblith et al., 2019, arXiv 1905.00414, table 1"
  }
  /// The implementations that give the same numbers.
  public var agreesWith: String {
    "repsim 0.1.5 and the golden value of google/svcca, to 12 digits in float64"
  }

  /// An orthonormal basis of the centred representation.
  ///
  /// - Parameter features: `[images, width]`, at least three images, and more than the rank plus one.
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
    let basis = try parts.basis(atLeast: 3, measure: name)
    try basis.checkSpan(measure: name)
    return basis
  }

  /// Reordered; nil where images are left out.
  public func selected(_ summary: PrincipalBasis, _ images: ImageSelection) throws
    -> PrincipalBasis?
  {
    summary.selected(images)
  }

  /// The mean over min(rank, rank′) correlations.
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where the element types differ.
  public func similarity(_ a: PrincipalBasis, _ b: PrincipalBasis, _ cross: CrossMoment?) throws
    -> Double
  {
    let cosines = try a.cosines(b, cross, measure: name)
    let sum =
      average == .squaredCorrelations
      ? cosines.squaredNorm() : try Decomposition.singularValues(cosines).reduce(0, +)
    return sum / Double(min(a.rank, b.rank))
  }
}
