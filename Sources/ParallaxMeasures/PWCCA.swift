import ParallaxTensors

/// Projection-weighted canonical correlation analysis: Σαᵢρᵢ / Σαᵢ, αᵢ = Σⱼ |⟨hᵢ, xⱼ⟩|.
///
/// hᵢ are the canonical variates of the side that gives the weights, xⱼ its centred neurons; i runs over
/// min(rank, rank′) directions. Directions that the neurons do not use count little. Published packages
/// disagree on which side that is, so that every variant has a name of its own.
///
/// Where two ρ are equal, their variates can be turned into one another and their weights are not unique;
/// data with noise have no such ties but at 1.
///
/// Float64 throughout, as ``CCA``. Weights from both agree with repsim 0.1.5 to 12 digits, weights from the
/// narrower side with js-d/sim_metric. google/svcca's `pwcca.py` projects on directions that are not
/// whitened and keeps the means (0.8234 on the golden pair, not 0.8149); sim_metric weights more directions
/// than it has correlations where the first side is the wider one. Neither is followed.
///
/// > Source: Morcos et al., 2018, arXiv 1806.05759, section 2.
public struct PWCCA: MomentMeasure {
  /// The side that gives the weights.
  public enum Weights: String, Sendable, Hashable, CaseIterable {
    /// The first representation.
    case left
    /// The second representation.
    case right
    /// The mean of the two values.
    case mean
  }

  /// The side that gives the weights.
  public let weights: Weights

  /// PWCCA; the mean of both directions where nothing is said.
  public init(weights: Weights = .mean) { self.weights = weights }

  /// `pwcca-mean`, `pwcca-left`, `pwcca-right`.
  public var name: String { "pwcca-\(weights.rawValue)" }
  /// A similarity: 1 where the side with the fewer directions is a linear function of the other.
  public var direction: Direction { .similarity }
  /// Only the mean treats both sides alike.
  public var isSymmetric: Bool { weights == .mean }
  /// The triangle inequality does not hold.
  public var isMetric: Bool { false }
  /// The weights are sums over neurons, which a rotation of the weighted side changes. The other side may be
  /// changed by any invertible linear map; only what both sides allow is declared.
  public var invariances: Invariance { [.translation, .scaling, .permutation] }
  /// From 0, no linear relation, to 1.
  public var range: ClosedRange<Double> { 0...1 }
  /// A decomposition once a representation, another for each pair.
  public var cost: String { "ND² + D³ once a representation, ND² + D³ a pair" }
  /// Three: with fewer any data would agree.
  public var fewestImages: Int { 3 }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// What the spans of the columns share grows with the widths.
  public var pitfalls: [Pitfall] { [.span] }
  /// The paper and its section.
  public var source: String { "Morcos et al., 2018, arXiv 1806.05759, section 2" }
  /// The implementations that give the same numbers.
  public var agreesWith: String {
    weights == .mean
      ? "repsim 0.1.5, to 12 digits in float64"
      : "the golden value of js-d/sim_metric, to 12 digits in float64, where the weighted side is the narrower one"
  }

  /// An orthonormal basis of the centred representation, and its neurons in that basis.
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
    let basis = try parts.weightedBasis(atLeast: 3, measure: name)
    try basis.checkSpan(measure: name)
    return basis
  }

  /// Reordered; nil where images are left out.
  public func selected(_ summary: PrincipalBasis, _ images: ImageSelection) throws
    -> PrincipalBasis?
  {
    summary.selected(images)
  }

  /// The weighted mean of the canonical correlations.
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where the element types differ or a
  ///   summary was made for a measure without weights.
  public func similarity(_ a: PrincipalBasis, _ b: PrincipalBasis, _ cross: CrossMoment?) throws
    -> Double
  {
    let (p, correlations, qt) = try Decomposition.singular(a.cosines(b, cross, measure: name))
    guard let left = a.loadings, let right = b.loadings else {
      throw MeasureError.summaries(
        measure: name, left: a.loadings == nil ? "no weights" : "weights",
        right: b.loadings == nil ? "no weights" : "weights")
    }
    // H = UP, so that ⟨hᵢ, xⱼ⟩ = (PᵀUᵀX)ᵢⱼ.
    func weighted(_ directions: Tensor, _ loadings: Tensor) -> Double {
      let alpha = directions.times(loadings).absolute().sum(over: [1])
      return ((alpha * correlations).sum() / alpha.sum()).item(Double.self)
    }
    switch weights {
    case .left: return weighted(p.transposed(), left)
    case .right: return weighted(qt, right)
    case .mean: return (weighted(p.transposed(), left) + weighted(qt, right)) / 2
    }
  }
}
