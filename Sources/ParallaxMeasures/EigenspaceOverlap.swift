import ParallaxTensors

/// The eigenspace overlap score: ‖UᵀU′‖²_F / max(rank, rank′), U orthonormal bases of the columns.
///
/// The columns are **not** centred. The bases span all that is above rounding, so that a dead neuron at zero
/// changes nothing; at full rank that is the paper's max(D, D′). A representation that spans all images is
/// refused: everything lies within it.
///
/// Float64 throughout. Agrees with ReSi's EigenspaceOverlapScore to 12 digits.
///
/// > Source: May et al., 2019, arXiv 1909.01264.
public struct EigenspaceOverlap: MomentMeasure {
  /// The score; there is nothing to choose.
  public init() {}

  /// `eigenspace-overlap`.
  public var name: String { "eigenspace-overlap" }
  /// A similarity: 1 where both span the same.
  public var direction: Direction { .similarity }
  /// ‖UᵀU′‖ does not know which side is which.
  public var isSymmetric: Bool { true }
  /// The score is no distance.
  public var isMetric: Bool { false }
  /// Whatever leaves the span of the columns as it is; a translation does not.
  public var invariances: Invariance { [.scaling, .permutation, .orthogonal, .linear] }
  /// From 0, orthogonal, to 1.
  public var range: ClosedRange<Double> { 0...1 }
  /// A decomposition once a representation; a pair is one product.
  public var cost: String { "ND² + D³ once a representation, ND² a pair" }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// The paper.
  public var source: String { "May et al., 2019, arXiv 1909.01264" }
  /// The implementation that gives the same number.
  public var agreesWith: String {
    "the golden value of ReSi (EigenspaceOverlapScore), to 12 digits in float64"
  }

  /// An orthonormal basis of the columns.
  ///
  /// - Parameter features: `[images, width]`, at least two images, and more than the rank.
  /// - Returns: the basis, float64.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite` or `.constant`.
  public func summary(of features: Tensor) throws -> PrincipalBasis {
    try summary(from: SharedParts(features))
  }

  /// The same, also of moments, which are taken about zero.
  ///
  /// - Throws: as `summary(of:)`.
  public func summary(from parts: SharedParts) throws -> PrincipalBasis {
    let basis =
      try parts.moments.map {
        try PrincipalBasis($0.checked(atLeast: 2, measure: name), centred: false)
      } ?? PrincipalBasis(parts.features, centred: false, measure: name)
    guard basis.rank < basis.images else {
      throw MeasureError.tooFew(measure: name, images: basis.images, needed: basis.width + 1)
    }
    return basis
  }

  /// Reordered; nil where images are left out.
  public func selected(_ summary: PrincipalBasis, _ images: ImageSelection) throws
    -> PrincipalBasis?
  {
    summary.selected(images)
  }

  /// ‖UᵀU′‖²_F over the larger rank.
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where the element types differ.
  public func similarity(_ a: PrincipalBasis, _ b: PrincipalBasis, _ cross: CrossMoment?) throws
    -> Double
  {
    try a.cosines(b, cross, measure: name).squaredNorm() / Double(max(a.rank, b.rank))
  }
}
