/// What the k\* of all concepts say of a latent space.
///
/// The papers' "true" and "approximate" skewness coefficients have no published formulas. Our readings: Γ is ``macroMean``, the mean
/// of the concepts' own; Γ′, which avoids the pass over concepts, is ``pooled`` or ``momentSubstituted``. Lower is less fractured.
///
/// Concepts whose images all have the same k\* have no skewness, though all at the most are as clustered as can be: Γ leaves them
/// out, ``clustered`` and ``mean`` do not.
///
/// > Source: Kotyan et al., 2024, arXiv 2408.09065, names two metrics; the formulas here are reconstructions.
public struct SpaceStatistics: Sendable, Equatable {
  /// A number with its 95 % interval by resampling images inside each concept, k\* as they are: ± 1.96 standard deviations of the
  /// resamples.
  ///
  /// A resample in which all images of a concept have the same k\* has no skewness; the concept is then drawn again for what is
  /// made of skewness, and for nothing else.
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
  /// γ and μ of each concept that has one in each resample: what differences between spaces are made of.
  private let draws: Draws

  /// What resamples gave, a concept each.
  private struct Draws: Sendable, Equatable {
    var skews: [Int: [Double]] = [:]
    var means: [Int: [Double]] = [:]
  }

  /// Statistics of the k\* of a space.
  ///
  /// - Parameters:
  ///   - values: k\* of every image.
  ///   - anchoring: whether 0 and 1 join the values of a concept before its skewness; not those of ``pooled`` and
  ///     ``momentSubstituted``.
  ///   - resamples: how often images are drawn; 0 for no intervals.
  ///   - seed: of the draws; the same seed draws the same images of a concept, whatever their k\*.
  /// - Complexity: resamples · images.
  public init(
    _ values: KStar.Values, anchoring: ConceptStatistics.Anchoring = .none, resamples: Int = 500,
    seed: UInt64 = 0
  ) {
    var ranks: [Int: [Double]] = [:]
    for (rank, label) in zip(values.ranks, values.labels) {
      ranks[label, default: []].append(Double(rank))
    }
    let labels = ranks.keys.sorted()
    let concepts = labels.map { label in
      Drawing(
        ranks[label] ?? [], size: values.sizes[label], most: values.most(label), anchoring,
        seed: seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(label))
    }
    let large = concepts.indices.filter { concepts[$0].whole.count >= 3 }
    var drawn: [SpaceNumbers] = []
    var (skews, means) = (
      [[Double]](repeating: [], count: concepts.count),
      [[Double]](repeating: [], count: concepts.count)
    )
    var patterns = [[ConceptStatistics.Pattern]](repeating: [], count: concepts.count)
    for turn in 0..<resamples {
      let parts = large.map { place -> SpaceNumbers.Part in
        let part = concepts[place].draw(turn)
        patterns[place].append(part.pattern)
        means[place].append(part.sums.mean)
        if let skew = part.skewness { skews[place].append(skew) }
        return part
      }
      drawn.append(SpaceNumbers(parts))
    }
    let found = concepts.indices.map { place in
      ConceptStatistics(
        labels[place], concepts[place].whole, anchoring,
        interval: concepts[place].skewness.flatMap {
          BootstrapInterval.corrected($0, skews[place], of: resamples)
        }, drawn: resamples >= 20 ? patterns[place] : [])
    }
    let all = SpaceNumbers(large.map { concepts[$0].part })
    func estimate(_ number: (SpaceNumbers) -> Double?, isShare: Bool = false) -> Estimate {
      let value = number(all)
      let interval = value.flatMap {
        BootstrapInterval.normal($0, drawn.compactMap(number), of: resamples)
      }
      return Estimate(
        value: value, interval: isShare ? interval.map { $0.clamped(to: 0...1) } : interval)
    }
    macroMean = estimate(\.macroMean)
    sizeWeighted = estimate(\.sizeWeighted)
    pooled = estimate(\.pooled)
    momentSubstituted = estimate(\.momentSubstituted)
    medianOverConcepts = estimate(\.median)
    mean = estimate(\.mean)
    fractured = estimate({ $0.share(.fractured) }, isShare: true)
    overlapped = estimate({ $0.share(.overlapped) }, isShare: true)
    clustered = estimate({ $0.share(.clustered) }, isShare: true)
    (self.concepts, tooSmall) = (large.count, concepts.count - large.count)
    ofConcepts = found
    withoutSkewness = large.count { found[$0].skewness == nil }
    draws = Draws(
      skews: Dictionary(
        uniqueKeysWithValues: large.filter { concepts[$0].skewness != nil }
          .map { (labels[$0], skews[$0]) }),
      means: Dictionary(uniqueKeysWithValues: large.map { (labels[$0], means[$0]) }))
  }

  /// How far a space of the same images lies from another: the mean over concepts of the difference of γ, over those that have one in
  /// both, and of the difference of μ, over all of three images and more.
  ///
  /// The resamples hold the same images in both spaces, so that what both share cancels.
  ///
  /// - Parameter earlier: the space that is taken off; of the same images, resamples and seed.
  /// - Returns: both differences, and over how many concepts that of γ goes.
  public func change(
    from earlier: SpaceStatistics
  ) -> (skewness: Estimate, concepts: Int, mean: Estimate) {
    func number(
      _ labels: [Int], _ own: [Int: [Double]], _ their: [Int: [Double]],
      _ value: (ConceptStatistics) -> Double?
    ) -> Estimate {
      let values = [self, earlier].map { space in
        Dictionary(
          uniqueKeysWithValues: space.ofConcepts.compactMap { one in
            value(one).map { (one.label, $0) }
          })
      }
      guard !labels.isEmpty else { return Estimate(value: nil, interval: nil) }
      let count = Double(labels.count)
      let difference =
        labels.reduce(0.0) { $0 + (values[0][$1] ?? 0) - (values[1][$1] ?? 0) } / count
      let turns = labels.map { min(own[$0]?.count ?? 0, their[$0]?.count ?? 0) }.min() ?? 0
      let all = labels.map { own[$0]?.count ?? 0 }.max() ?? 0
      let drawn = (0..<turns).map { turn in
        labels.reduce(0.0) { $0 + (own[$1]?[turn] ?? 0) - (their[$1]?[turn] ?? 0) } / count
      }
      return Estimate(
        value: difference, interval: BootstrapInterval.normal(difference, drawn, of: all))
    }
    let both = draws.skews.keys.filter { earlier.draws.skews[$0] != nil }.sorted()
    let shared = draws.means.keys.filter { earlier.draws.means[$0] != nil }.sorted()
    return (
      number(both, draws.skews, earlier.draws.skews, \.skewness), both.count,
      number(shared, draws.means, earlier.draws.means, \.mean)
    )
  }

  /// A concept's k\*, whole and drawn again.
  private struct Drawing {
    let ranks: [Double]
    let whole: ConceptSums
    let skewness: Double?
    private let anchoring: ConceptStatistics.Anchoring
    private let seed: UInt64

    init(
      _ ranks: [Double], size: Int, most: Int, _ anchoring: ConceptStatistics.Anchoring,
      seed: UInt64
    ) {
      (self.ranks, self.anchoring, self.seed) = (ranks, anchoring, seed)
      var sums = ConceptSums(size: size, most: most, origin: ConceptSums.origin(of: ranks))
      for rank in ranks { sums.add(rank) }
      whole = sums
      skewness = (anchoring == .none ? sums : sums.anchored).skewness
    }

    private func skewness(of sums: ConceptSums) -> Double? {
      (anchoring == .none ? sums : sums.anchored).skewness
    }

    var part: SpaceNumbers.Part {
      SpaceNumbers.Part(
        sums: whole, skewness: skewness, pattern: ConceptStatistics.pattern(whole, skewness))
    }

    /// Some of the images, with replacement, by a stream of the concept's and the turn's own.
    func draw(_ turn: Int) -> SpaceNumbers.Part {
      var source = SplitMix(seed: seed &+ UInt64(turn) &* 0xD134_2543_DE82_EF95)
      source = SplitMix(seed: source.next())
      func sums() -> ConceptSums {
        var own = ConceptSums(empty: whole)
        for _ in ranks { own.add(ranks[source.place(below: ranks.count)]) }
        return own
      }
      let first = sums()
      var skew = skewness(of: first)
      let pattern = ConceptStatistics.pattern(first, skew)
      if skewness != nil {
        // Of three images with two values one draw in three has none; a hundred of them do not come.
        var tries = 0
        while skew == nil, tries < 100 {
          skew = skewness(of: sums())
          tries += 1
        }
      }
      return SpaceNumbers.Part(sums: first, skewness: skew, pattern: pattern)
    }
  }
}

/// The numbers of a space, or of one resample of it.
struct SpaceNumbers {
  /// A concept.
  struct Part {
    var sums: ConceptSums
    var skewness: Double?
    var pattern: ConceptStatistics.Pattern
  }

  private(set) var macroMean: Double?
  private(set) var sizeWeighted: Double?
  private(set) var pooled: Double?
  private(set) var momentSubstituted: Double?
  private(set) var median: Double?
  private(set) var mean: Double?
  private var patterns: [ConceptStatistics.Pattern: Int] = [:]

  init(_ concepts: [Part]) {
    guard !concepts.isEmpty else { return }
    var (skews, weights): ([Double], [Double]) = ([], [])
    for part in concepts {
      if part.pattern != .undefined { patterns[part.pattern, default: 0] += 1 }
      guard let skew = part.skewness else { continue }
      skews.append(skew)
      weights.append(part.sums.count)
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
      concepts.reduce(0) { $0 + $1.sums.mean } / count,
      concepts.reduce(0) { $0 + $1.sums.deviation } / count
    )
    mean = m
    let images = concepts.reduce(0) { $0 + $1.sums.count }
    let centre = concepts.reduce(0) { $0 + $1.sums.count * $1.sums.mean } / images
    let (second, third) = Self.moments(concepts, about: centre)
    // Of concepts without a spread of their own, means that differ by rounding are no spread.
    if second > 1e-24 * images * centre * centre {
      pooled = ConceptSums.skewness(images, second, third)
    }
    if s > 0 { momentSubstituted = Self.moments(concepts, about: m).third / (images * s * s * s) }
  }

  /// Σ(k̃ − c)² and Σ(k̃ − c)³ over all images, from the concepts' moments about their own means.
  private static func moments(
    _ concepts: [Part], about centre: Double
  ) -> (second: Double, third: Double) {
    concepts.reduce((0, 0)) { sum, part in
      let (second, third) = part.sums.central
      let off = part.sums.mean - centre
      return (
        sum.0 + second + part.sums.count * off * off,
        sum.1 + third + 3 * off * second + part.sums.count * off * off * off
      )
    }
  }

  func share(_ pattern: ConceptStatistics.Pattern) -> Double? {
    let all = patterns.values.reduce(0, +)
    return all > 0 ? Double(patterns[pattern] ?? 0) / Double(all) : nil
  }
}
