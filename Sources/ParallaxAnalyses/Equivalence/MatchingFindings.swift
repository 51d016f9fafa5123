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

  private func share(
    _ sentence: String, _ values: [Bool], _ quantity: String
  ) -> Finding? {
    guard !values.isEmpty else { return nil }
    let share = Double(values.count { $0 }) / Double(values.count)
    let interval = Self.wilson(values.count { $0 }, of: values.count)
    return Finding(
      sentence: sentence, value: share, low: interval.low, high: interval.high,
      quantity: quantity + "; Wilson's 95 % interval over pairs",
      verdict: interval.low > 0.5 ? .shows : interval.high < 0.5 ? .doesNotShow : .cannotTell,
      analysis: "matching")
  }

  /// Wilson's interval of a share.
  static func wilson(_ hits: Int, of count: Int) -> (low: Double, high: Double) {
    let (n, z) = (Double(count), 1.959963984540054)
    let p = Double(hits) / n
    let centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    let reach = z * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot() / (1 + z * z / n)
    return (max(0, centre - reach), min(1, centre + reach))
  }

  /// Pictures that look different share an embedding.
  private func alike() -> Finding? {
    share(
      "Pictures that look different have the same embedding",
      pairs.filter { $0.ending != "already" }.map { pair in
        (pair.saved.cosine ?? 0) >= Self.alike && pair.change.euclidean < pair.between / 2
      },
      "share of saved pictures whose cosine with the target's embedding is at least \(Self.alike) and that are nearer to their source than half its distance to the target"
    )
  }

  /// Pictures that cannot be told apart have different embeddings.
  private func unlike() -> Finding? {
    share(
      "Pictures that look the same have different embeddings",
      pairs.filter { $0.ending != "already" && $0.before.distance > 0 }.map { pair in
        (pair.change.psnr ?? .infinity) >= Self.invisible
          && pair.saved.distance < pair.before.distance / 4
      },
      "share of saved pictures with a PSNR of at least \(Int(Self.invisible)) dB against their source whose embedding is less than half as far from the target's as the source's is"
    )
  }

  private func reading() -> Finding? {
    let all = places.compactMap { $0.readouts.first { $0.name == "nearest neighbour" } }
    guard !all.isEmpty else { return nil }
    let count = all.reduce(0) { $0 + $1.count }
    guard count > 0 else { return nil }
    func mean(_ value: (MatchingResult.Readout) -> Double) -> Double {
      all.reduce(0) { $0 + value($1) * Double($1.count) } / Double(count)
    }
    let (before, after) = (mean(\.before), mean(\.after))
    let drop = before - after
    // Shares of the same pictures, before and after: at most the standard error of independent ones.
    let error =
      1.96 * ((before * (1 - before) + after * (1 - after)) / Double(count)).squareRoot()
    return Finding(
      sentence: "Readers of embeddings lose the class of matched pictures", value: drop,
      low: max(-1, drop - error), high: min(1, drop + error),
      quantity:
        "nearest-neighbour accuracy before (\(String(format: "%.2f", before))) less after; 95 % normal interval over \(count) pairs",
      verdict: drop - error > 0 ? .shows : drop + error < 0 ? .doesNotShow : .cannotTell,
      analysis: "matching")
  }

  /// The detector, at the deviation that tells most.
  private func detection() -> Finding? {
    let deviations = Set(places.flatMap { $0.noise.map(\.deviation) }).sorted()
    let means = deviations.map { deviation -> (Double, Double) in
      let own = places.flatMap { $0.noise.filter { $0.deviation == deviation } }.map(\.detection)
      return (deviation, own.reduce(0, +) / Double(max(1, own.count)))
    }
    guard let first = means.first else { return nil }
    let best = means.reduce(first) { abs($1.1 - 0.5) > abs($0.1 - 0.5) ? $1 : $0 }
    // As if each pair were one draw: draws of a pair are not independent.
    let interval = Self.wilson(Int((best.1 * Double(pairs.count)).rounded()), of: pairs.count)
    return Finding(
      sentence:
        "Noise moves the embeddings of matched pictures further than those of their sources",
      value: best.1, low: interval.low, high: interval.high,
      quantity:
        "chance that a matched picture's embedding moves further, at σ = \(best.0), the deviation of \(means.count) at which it is furthest from ½; Wilson's 95 % interval as of one draw a pair",
      verdict: interval.low > 0.5 ? .shows : interval.high < 0.5 ? .doesNotShow : .cannotTell,
      analysis: "matching")
  }
}
