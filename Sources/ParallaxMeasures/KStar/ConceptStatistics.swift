/// What the k\* of a concept's images say: how its values lie between 0 and 1, and which pattern that is.
///
/// > Source: Kotyan et al., 2023, arXiv 2312.04024; edge cases, intervals and what is undecided are ours.
public struct ConceptStatistics: Sendable, Equatable {
  /// How the images of a concept lie in a latent space, by the skewness γ of k̃ with a threshold of ½.
  public enum Pattern: String, Sendable, Hashable, Codable, CaseIterable {
    /// γ > ½: most images soon have a neighbour of another class.
    case fractured
    /// −½ ≤ γ ≤ ½.
    case overlapped
    /// γ < −½: most images have the whole class before others.
    case clustered
    /// Fewer than three images, or all have the same k\* that is neither the least nor the most.
    case undefined
  }

  /// Whether 0 and 1 join the values before the skewness is taken.
  public enum Anchoring: String, Sendable, Hashable, Codable, CaseIterable {
    /// The authors' notebook as published.
    case none
    /// A line that is commented out in the notebook, by which the published figures seem to be made.
    case unitInterval
  }

  /// The threshold of γ between patterns.
  public static let threshold = 0.5

  /// The class.
  public let label: Int
  /// Images whose k\* enters.
  public let count: Int
  /// What k\* is divided by.
  public let size: Int
  /// μ of k̃.
  public let mean: Double
  /// σ of k̃, of a population.
  public let deviation: Double
  /// γ = g₁ = m₃/m₂^{3/2}, with the anchors where they are asked for; nil where it is undefined.
  public let skewness: Double?
  /// G₁ = g₁·√(n(n−1))/(n−2) of the same values.
  public let adjustedSkewness: Double?
  /// The 95 % interval of γ by resampling the concept's images, k\* as they are: bias-corrected percentiles, which hold the value;
  /// nil where it is undefined, or all but one resample in forty lie on one side of the value.
  public let interval: ClosedRange<Double>?
  /// The pattern.
  public let pattern: Pattern
  /// The share of the resamples that have the pattern, those without γ among them; nil without resamples, or without a pattern.
  public let support: Double?
  /// Whether the pattern is that of 95 % of the resamples and more; of images that all agree it is.
  public let isDecided: Bool
  /// Why γ or the pattern is undefined; nil where both are defined.
  public let note: String?

  init(
    _ label: Int, _ sums: ConceptSums, _ anchoring: Anchoring, interval: ClosedRange<Double>?,
    drawn: [Pattern] = []
  ) {
    (self.label, count, size) = (label, Int(sums.count), Int(sums.size))
    (mean, deviation) = (sums.mean, sums.deviation)
    let entering = anchoring == .none ? sums : sums.anchored
    let isSmall = sums.count < 3
    let skewness = isSmall && anchoring == .none ? nil : entering.skewness
    self.skewness = skewness
    let n = entering.count
    adjustedSkewness = n > 2 ? skewness.map { $0 * (n * (n - 1)).squareRoot() / (n - 2) } : nil
    self.interval = isSmall ? nil : interval
    if isSmall {
      (pattern, note) = (.undefined, "undefined (n < 3)")
    } else if let skewness {
      (pattern, note) = (Self.pattern(skewness), nil)
    } else if sums.isAllMost {
      (pattern, note) = (.clustered, "every image has its whole class before others")
    } else if sums.isAllLeast {
      (pattern, note) = (.fractured, "the first neighbour of every image is of another class")
    } else {
      (pattern, note) = (.undefined, "all images have the same k*: no skewness")
    }
    let own = pattern
    support =
      drawn.isEmpty || own == .undefined
      ? nil : Double(drawn.count { $0 == own }) / Double(drawn.count)
    isDecided = support.map { $0 >= 0.95 } ?? (skewness == nil && own != .undefined)
  }

  /// The pattern of a concept, or of a resample of it.
  static func pattern(_ sums: ConceptSums, _ skewness: Double?) -> Pattern {
    if let skewness { return pattern(skewness) }
    return sums.isAllMost ? .clustered : sums.isAllLeast ? .fractured : .undefined
  }

  /// The pattern of a skewness.
  ///
  /// - Parameter skewness: γ.
  /// - Returns: one of three.
  public static func pattern(_ skewness: Double) -> Pattern {
    skewness > threshold ? .fractured : skewness < -threshold ? .clustered : .overlapped
  }
}
