/// What the k\* of all concepts say of a latent space.
///
/// The papers' "true" and "approximate" skewness coefficients have no published formulas. Our readings: Γ is ``macroMean``, the mean
/// of the concepts' own; Γ′, which avoids the pass over concepts, is ``pooled`` or ``momentSubstituted``. Lower is less fractured.
///
/// > Source: Kotyan et al., 2024, arXiv 2408.09065, names two metrics; the formulas here are reconstructions.
public struct SpaceStatistics: Sendable, Equatable {
  /// A number with its 95 % percentile interval by resampling images inside each concept, k\* as they are.
  public struct Estimate: Sendable, Equatable {
    /// The number; nil where it is undefined.
    public let value: Double?
    /// Its interval; nil where more than one resample in twenty has no value.
    public let interval: ClosedRange<Double>?
  }

  /// (1/C) Σ_c γ_c, over concepts whose γ is defined.
  public let macroMean: Estimate
  /// Σ n_c γ_c / Σ n_c.
  public let sizeWeighted: Estimate
  /// The skewness of all k̃ together.
  public let pooled: Estimate
  /// The mean over all images of ((k̃ − mean_c μ_c)/mean_c σ_c)³.
  public let momentSubstituted: Estimate
  /// The median of γ_c.
  public let medianOverConcepts: Estimate
  /// The mean of μ_c.
  public let mean: Estimate
  /// Shares of the concepts that have a pattern.
  public let fractured, overlapped, clustered: Estimate
  /// Concepts of three images and more.
  public let concepts: Int
  /// Concepts of them without a γ, which the means of γ leave out.
  public let withoutSkewness: Int
  /// Concepts of fewer than three images, which nothing here counts.
  public let tooSmall: Int
  /// The concepts, by class.
  public let ofConcepts: [ConceptStatistics]

  /// Statistics of the k\* of a space.
  ///
  /// - Parameters:
  ///   - values: k\* of every image.
  ///   - anchoring: whether 0 and 1 join the values of a concept before its skewness; not those of ``pooled`` and
  ///     ``momentSubstituted``.
  ///   - resamples: how often images are drawn; 0 for no intervals.
  ///   - seed: of the draws.
  /// - Complexity: resamples · images.
  public init(
    _ values: KStar.Values, anchoring: ConceptStatistics.Anchoring = .none, resamples: Int = 500,
    seed: UInt64 = 0
  ) {
    var ranks: [Int: [Double]] = [:]
    for (rank, label) in zip(values.ranks, values.labels) {
      ranks[label, default: []].append(Double(rank))
    }
    let concepts = ranks.keys.sorted().map { (label: $0, ranks: ranks[$0] ?? []) }
    func sums(_ label: Int) -> ConceptSums {
      ConceptSums(size: values.sizes[label], most: values.most(label))
    }
    let whole = concepts.map { concept in
      var own = sums(concept.label)
      for rank in concept.ranks { own.add(rank) }
      return own
    }
    let large = whole.indices.filter { whole[$0].count >= 3 }
    var drawn: [Numbers] = []
    var skews = [[Double]](repeating: [], count: concepts.count)
    var source = SplitMix(seed: seed)
    for _ in 0..<resamples {
      let parts = large.map { place -> ConceptSums in
        let concept = concepts[place]
        var own = sums(concept.label)
        for _ in concept.ranks { own.add(concept.ranks[source.place(below: concept.ranks.count)]) }
        if let skew = (anchoring == .none ? own : own.anchored).skewness {
          skews[place].append(skew)
        }
        return own
      }
      drawn.append(Numbers(parts, anchoring))
    }
    let found = concepts.indices.map { place in
      ConceptStatistics(
        concepts[place].label, whole[place], anchoring,
        interval: Self.interval(skews[place], of: resamples))
    }
    let all = Numbers(large.map { whole[$0] }, anchoring)
    func estimate(_ number: (Numbers) -> Double?) -> Estimate {
      let value = number(all)
      return Estimate(
        value: value,
        interval: value.flatMap { _ in Self.interval(drawn.compactMap(number), of: resamples) })
    }
    macroMean = estimate(\.macroMean)
    sizeWeighted = estimate(\.sizeWeighted)
    pooled = estimate(\.pooled)
    momentSubstituted = estimate(\.momentSubstituted)
    medianOverConcepts = estimate(\.median)
    mean = estimate(\.mean)
    fractured = estimate { $0.share(.fractured) }
    overlapped = estimate { $0.share(.overlapped) }
    clustered = estimate { $0.share(.clustered) }
    (self.concepts, tooSmall) = (large.count, whole.count - large.count)
    ofConcepts = found
    withoutSkewness = large.count { found[$0].skewness == nil }
  }

  /// The 2.5 % and 97.5 % quantiles, linear between values; nil where more than one in twenty is missing.
  private static func interval(_ values: [Double], of resamples: Int) -> ClosedRange<Double>? {
    guard resamples >= 20, values.count * 20 >= resamples * 19 else { return nil }
    let sorted = values.sorted()
    func quantile(_ share: Double) -> Double {
      let place = share * Double(sorted.count - 1)
      let low = Int(place)
      let high = min(low + 1, sorted.count - 1)
      return sorted[low] + (place - Double(low)) * (sorted[high] - sorted[low])
    }
    let (low, high) = (quantile(0.025), quantile(0.975))
    return low <= high ? low...high : nil
  }

  /// The numbers of one draw.
  private struct Numbers {
    private(set) var macroMean: Double?
    private(set) var sizeWeighted: Double?
    private(set) var pooled: Double?
    private(set) var momentSubstituted: Double?
    private(set) var median: Double?
    private(set) var mean: Double?
    private var patterns: [ConceptStatistics.Pattern: Int] = [:]

    init(_ concepts: [ConceptSums], _ anchoring: ConceptStatistics.Anchoring) {
      guard !concepts.isEmpty else { return }
      var (skews, weights): ([Double], [Double]) = ([], [])
      for sums in concepts {
        if let skew = (anchoring == .none ? sums : sums.anchored).skewness {
          skews.append(skew)
          weights.append(sums.count)
          patterns[ConceptStatistics.pattern(skew), default: 0] += 1
        } else if sums.isAllMost {
          patterns[.clustered, default: 0] += 1
        } else if sums.isAllLeast {
          patterns[.fractured, default: 0] += 1
        }
      }
      if !skews.isEmpty {
        macroMean = skews.reduce(0, +) / Double(skews.count)
        sizeWeighted = zip(skews, weights).reduce(0) { $0 + $1.0 * $1.1 } / weights.reduce(0, +)
        let sorted = skews.sorted()
        let middle = sorted.count / 2
        median =
          sorted.count.isMultiple(of: 2)
          ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
      }
      let count = Double(concepts.count)
      let (m, s) = (
        concepts.reduce(0) { $0 + $1.mean } / count,
        concepts.reduce(0) { $0 + $1.deviation } / count
      )
      mean = m
      let images = concepts.reduce(0) { $0 + $1.count }
      let powers = concepts.map(\.powers)
      let (first, second, third) = (
        powers.reduce(0) { $0 + $1.0 }, powers.reduce(0) { $0 + $1.1 },
        powers.reduce(0) { $0 + $1.2 }
      )
      pooled = ConceptSums.skewness(images, first, second, third)
      if s > 0 {
        momentSubstituted =
          (third - 3 * m * second + 3 * m * m * first - images * m * m * m) / (images * s * s * s)
      }
    }

    func share(_ pattern: ConceptStatistics.Pattern) -> Double? {
      let all = patterns.values.reduce(0, +)
      return all > 0 ? Double(patterns[pattern] ?? 0) / Double(all) : nil
    }
  }
}
