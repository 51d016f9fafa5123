import Foundation
import ParallaxResults

/// What Salman, Shams and Liu say of embeddings, asked of these models.
///
/// > Source: Salman, Shams and Liu, 2024, arXiv 2401.15568. Statistics and criteria are ours.
struct MatchingFindings {
  let result: MatchingResult

  /// Where a change of a picture is taken not to be seen: PSNR in decibels. A convention, not the paper's.
  static let invisible = 30.0
  /// The cosine that stands for one embedding: the loosest of the published ones.
  static let alike = 0.96

  /// The findings; those that these models cannot answer say so.
  func callAsFunction() -> [Finding] {
    [alike(), unlike(), reading(), detection()].compactMap(\.self)
  }

  private var places: [MatchingResult.Place] { result.models.flatMap(\.places) }
  private var pairs: [MatchingResult.Pair] { places.flatMap(\.pairs) }

  /// The mean over pairs of the mean over sites: a pair that is seen at several sites counts once.
  private func share(
    _ sentence: String, _ values: [(pair: [Int], value: Double)], _ quantity: String,
    missing: String
  ) -> Finding? {
    guard !pairs.isEmpty else { return nil }
    // In the order of the pairs: a sum in another order is another number.
    let groups = Dictionary(grouping: values, by: \.pair)
    var seen: Set<[Int]> = []
    let own = values.map(\.pair).filter { seen.insert($0).inserted }.map { pair in
      let group = groups[pair] ?? []
      return group.reduce(0) { $0 + $1.value } / Double(max(1, group.count))
    }
    guard !own.isEmpty else {
      return Finding(
        sentence: sentence, value: nil, low: nil, high: nil, quantity: missing,
        verdict: .cannotTell, analysis: "matching")
    }
    let share = own.reduce(0, +) / Double(own.count)
    let interval = Self.wilson(share, of: own.count)
    return Finding(
      sentence: sentence, value: share, low: interval.low, high: interval.high,
      quantity: quantity
        + "; Wilson's 95 % interval over \(own.count) pair\(own.count == 1 ? "" : "s")",
      verdict: interval.low > 0.5 ? .shows : interval.high < 0.5 ? .doesNotShow : .cannotTell,
      analysis: "matching")
  }

  /// Wilson's interval of a share of so many.
  static func wilson(_ p: Double, of count: Int) -> (low: Double, high: Double) {
    let (n, z) = (Double(count), 1.959963984540054)
    let centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    let reach = z * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot() / (1 + z * z / n)
    return (max(0, centre - reach), min(1, centre + reach))
  }

  /// Newcombe's interval (his method 10, without correction) of a difference of two shares of the same things.
  ///
  /// > Source: Newcombe, 1998, Improved confidence intervals for the difference between binomial proportions based on paired data.
  ///
  /// - Parameters:
  ///   - both: right before and after, as a share of all.
  ///   - lost: right before only.
  ///   - won: right after only.
  ///   - count: how many.
  /// - Returns: both ends.
  static func newcombe(both: Double, lost: Double, won: Double, of count: Int) -> (
    low: Double, high: Double
  ) {
    let (before, after) = (both + lost, both + won)
    let neither = max(0, 1 - both - lost - won)
    let (one, two) = (wilson(before, of: count), wilson(after, of: count))
    let product = before * (1 - before) * after * (1 - after)
    let phi = product > 0 ? (both * neither - lost * won) / product.squareRoot() : 0
    func reach(_ a: Double, _ b: Double) -> Double {
      max(0, a * a - 2 * phi * a * b + b * b).squareRoot()
    }
    let difference = before - after
    return (
      difference - reach(before - one.low, two.high - after),
      difference + reach(one.high - before, after - two.low)
    )
  }

  /// Pictures that look different share an embedding. Pairs whose embeddings were alike before say nothing of it.
  private func alike() -> Finding? {
    share(
      "Pictures that look different have the same embedding",
      pairs.filter {
        $0.ending != "already" && ($0.before.cosine ?? 0) < Self.alike && $0.between > 0
      }.map { pair in
        let isAlike = (pair.saved.cosine ?? 0) >= Self.alike
        return (
          [pair.source, pair.target], isAlike && pair.change.euclidean < pair.between / 2 ? 1 : 0
        )
      },
      "share of saved pictures whose cosine with the target's embedding is at least \(Self.alike) and that are nearer to their source than half its distance to the target, of pairs whose cosine was below it before",
      missing:
        "every pair's cosine was at least \(Self.alike) before, or there is no target picture")
  }

  /// Pictures that cannot be told apart have different embeddings.
  private func unlike() -> Finding? {
    share(
      "Pictures that look the same have different embeddings",
      pairs.filter { $0.ending != "already" && $0.before.distance > 0 }.map { pair in
        let isFar = pair.saved.distance < pair.before.distance / 4
        return (
          [pair.source, pair.target],
          (pair.change.psnr ?? .infinity) >= Self.invisible && isFar ? 1 : 0
        )
      },
      "share of saved pictures with a PSNR of at least \(Int(Self.invisible)) dB against their source whose embedding is less than half as far from the target's as the source's is",
      missing: "every pair was alike before")
  }

  private func reading() -> Finding? {
    let all = places.compactMap { place in
      place.readouts.first { $0.name == "nearest neighbour" && $0.count > 0 }
    }
    let count = all.reduce(0) { $0 + $1.count }
    // A pair is seen at several sites, and counts once.
    let pairs = all.map(\.count).max() ?? 0
    guard count > 0, all.allSatisfy({ $0.lost != nil && $0.won != nil }) else { return nil }
    func mean(_ value: (MatchingResult.Readout) -> Double) -> Double {
      all.reduce(0) { $0 + value($1) * Double($1.count) } / Double(count)
    }
    let (before, after) = (mean(\.before), mean(\.after))
    let lost = Double(all.reduce(0) { $0 + ($1.lost ?? 0) }) / Double(count)
    let won = Double(all.reduce(0) { $0 + ($1.won ?? 0) }) / Double(count)
    let interval = Self.newcombe(both: before - lost, lost: lost, won: won, of: pairs)
    return Finding(
      sentence: "Readers of embeddings lose the class of matched pictures", value: before - after,
      low: interval.low, high: interval.high,
      quantity:
        "nearest-neighbour accuracy before (\(String(format: "%.2f", before))) less after; Newcombe's 95 % interval of paired shares over \(pairs) pair\(pairs == 1 ? "" : "s")",
      verdict: interval.low > 0 ? .shows : interval.high < 0 ? .doesNotShow : .cannotTell,
      analysis: "matching")
  }

  /// The detector, at a deviation that is fixed before: the middle one.
  private func detection() -> Finding? {
    let deviations = Set(places.flatMap { $0.noise.map(\.deviation) }).sorted()
    guard !deviations.isEmpty else { return nil }
    let deviation = deviations[deviations.count / 2]
    let values = places.flatMap { place -> [(pair: [Int], value: Double)] in
      let changed = place.pairs.filter { $0.ending != "already" }
      guard let own = place.noise.first(where: { $0.deviation == deviation })?.paired,
        own.count == changed.count
      else { return [] }
      return zip(changed, own).map { ([$0.source, $0.target], $1) }
    }
    return share(
      "Noise moves the embeddings of matched pictures further than those of their sources", values,
      "share of draws in which a matched picture's embedding moves further than its source's under the same noise, at σ = \(deviation), the middle one, mean over draws and sites",
      missing: "no pair was changed")
  }
}
