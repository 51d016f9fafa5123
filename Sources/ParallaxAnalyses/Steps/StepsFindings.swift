import Foundation
import ParallaxResults

/// The three findings of the paper's abstract, asked of these models.
///
/// > Source: Mahaut and Baroni, 2026, arXiv 2601.21621, abstract. The statistics and criteria are ours.
struct StepsFindings {
  let pairs: PairsOfModels
  let profile: SmoothnessProfile
  let lowLevel: LowLevelCurves
  let quantity: String

  private var models: [StepsResult.Model] { pairs.models }
  private var tables: StepsTables { pairs.tables }

  /// The matches are this share of the way from identical to shuffled, or more, where strong differences remain.
  static let strong = 0.1

  /// The findings; those that these models cannot answer say so.
  func callAsFunction() -> [Finding] {
    [position(), remaining(), discarding(), smoother()].compactMap(\.self)
  }

  private func finding(
    _ sentence: String, _ estimate: StepsResult.Estimate, _ quantity: String,
    _ verdict: Finding.Verdict
  ) -> Finding {
    Finding(sentence, estimate, quantity, verdict, analysis: "steps")
  }

  /// 1. Layers at similar relative depth have the most similar representations.
  private func position() -> Finding? {
    guard models.count > 1 else { return nil }
    let gain = tables.estimate { pairs.gain($0) }
    let chances = pairs.positions().compactMap(\.pValue)
    let few = chances.count { $0 <= 0.05 }
    var verdict = gain.verdict()
    if verdict == .shows, 2 * few <= chances.count { verdict = .cannotTell }
    return finding(
      "Layers at similar relative depth in different models have the most similar representations",
      gain,
      "mean distance in relative depth of the most similar layers where they are dealt out at random, less that where they "
        + "are; in \(few) of \(chances.count) ordered pairs at most one in twenty shifted or reversed matches is as near "
        + "(p ≤ 0.05), and most pairs must be such",
      verdict)
  }

  /// 1, second half. Strong differences remain.
  private func remaining() -> Finding? {
    guard models.count > 1 else { return nil }
    let share = tables.estimate { pairs.residualShare($0) }
    guard !tables.shuffled.isEmpty else {
      return finding(
        "Strong differences remain between the most similar layers of different models",
        StepsResult.Estimate(nil), "no images were shuffled, so that chance is not known",
        .cannotTell)
    }
    return finding(
      "Strong differences remain between the most similar layers of different models",
      share,
      "\(quantity) of the most similar layers, as a share of the way from a layer with itself (0) to shuffled images (1); "
        + "strong: more than \(Self.number(Self.strong)), our criterion\(seeds)",
      share.verdict(above: Self.strong))
  }

  /// How much of it is more than what two seeds of one model differ by, in words.
  private var seeds: String {
    guard !pairs.seedPairs.isEmpty else {
      return "; no two models are of one architecture, objective and sites"
    }
    let above = tables.estimate { pairs.aboveSeeds($0) }
    return above.value == nil
      ? ""
      : "; they are \(Self.shown(above)) farther than models of one architecture, objective and sites"
  }

  /// 2. Classifiers, unlike the others, discard low-level statistics in their final layers.
  private func discarding() -> Finding? {
    let isClassifier = models.map { $0.objective == "classification" }
    let others = models.indices.filter {
      !isClassifier[$0] && !["unknown", "untrained"].contains(models[$0].objective)
    }
    let classifiers = models.indices.filter { isClassifier[$0] }
    let sentence =
      "Classifiers, unlike the other models, discard information about low-level image statistics in their final layers"
    guard !classifiers.isEmpty, !others.isEmpty else {
      return finding(
        sentence, StepsResult.Estimate(nil),
        classifiers.isEmpty
          ? "no model here is recorded as a classifier; --objective NAME=classification says so"
          : "no model here is recorded as trained otherwise; --objective NAME=self-supervised says so",
        .cannotTell)
    }
    func rise(_ group: [Int], _ table: StepsTable) -> Double? {
      Statistics.mean(group.map { lowLevel.rise($0, table) })
    }
    let own = tables.estimate { rise(classifiers, $0) }
    let theirs = tables.estimate { rise(others, $0) }
    let difference = tables.estimate { table in
      rise(classifiers, table).flatMap { a in rise(others, table).map { a - $0 } }
    }
    // Unlike the others: these must not discard as well.
    let verdicts = [own.verdict(), difference.verdict()]
    let verdict: Finding.Verdict =
      verdicts.contains(.doesNotShow) || theirs.verdict() == .shows
      ? .doesNotShow : verdicts == [.shows, .shows] ? .shows : .cannotTell
    return finding(
      sentence, difference,
      "rise of \(quantity) to all statistics from the middle three fifths of the blocks to the last fifth: "
        + "\(names(classifiers)) less \(names(others)); the classifiers' own rise is "
        + "\(Self.shown(own)), the others' \(Self.shown(theirs)), which must not be above 0"
        + chance(classifiers, others) { lowLevel.rise($0, tables.whole) },
      verdict)
  }

  /// 3. Transformers change more smoothly than convolutional networks.
  private func smoother() -> Finding? {
    let transformers = models.indices.filter { models[$0].design == "transformer" }
    let others = models.indices.filter { models[$0].design == "convolutional" }
    let sentence =
      "Transformers change representations more smoothly from one layer to the next than convolutional networks"
    guard !transformers.isEmpty, !others.isEmpty else {
      return finding(
        sentence, StepsResult.Estimate(nil),
        transformers.isEmpty ? "no transformer here" : "no convolutional network here", .cannotTell)
    }
    let place = SmoothnessProfile.names.firstIndex(of: "mean step per depth") ?? 0
    func step(_ group: [Int], _ table: StepsTable) -> Double? {
      Statistics.mean(group.map { profile.numbers($0, table)[place] })
    }
    let difference = tables.estimate { table in
      step(others, table).flatMap { a in step(transformers, table).map { a - $0 } }
    }
    let larger = agreement(transformers, others)
    return finding(
      sentence, difference,
      "\(quantity) of all steps from one block to the next, less what a layer has with itself: \(names(others)) less "
        + "\(names(transformers)); of \(Self.compared.count) statistics of the profiles \(larger.count) are larger for the "
        + "convolutional networks\(larger.isEmpty ? "" : ": " + larger.joined(separator: ", "))"
        + chance(others, transformers) { profile.numbers($0, tables.whole)[place] },
      difference.verdict())
  }

  /// Statistics of a profile of which none follows from another.
  private static let compared = [
    "mean step", "largest step", "coefficient of variation", "jumps", "total variation",
  ]

  /// Of these the ones that are larger for the second group.
  private func agreement(_ first: [Int], _ second: [Int]) -> [String] {
    func means(_ group: [Int]) -> [Double?] {
      let each = group.map { profile.numbers($0, tables.whole) }
      return SmoothnessProfile.names.indices.map { place in
        Statistics.mean(each.map { $0[place] })
      }
    }
    let (a, b) = (means(first), means(second))
    return SmoothnessProfile.names.indices.filter { place in
      guard let a = a[place], let b = b[place] else { return false }
      return b > a
    }.map { SmoothnessProfile.names[$0] }.filter { Self.compared.contains($0) }
  }

  /// How often another labelling of the models does as much, in words.
  private func chance(
    _ labelled: [Int], _ others: [Int], _ value: (Int) -> Double?
  ) -> String {
    let group = labelled + others
    let values = group.compactMap(value)
    guard values.count == group.count,
      let test = LabelPermutation(values, isLabelled: group.map { labelled.contains($0) })
    else { return group.count > 16 ? "; too many models to permute their labels exactly" : "" }
    return "; one-sided exact permutation of the models' labels p = \(Self.number(test.pValue))"
      + " (these models cannot give less than \(Self.number(test.smallest)))"
  }

  private func names(_ group: [Int]) -> String {
    let names = group.map { models[$0].name }
    return names.count < 2
      ? names.joined() : names.dropLast().joined(separator: ", ") + " and " + (names.last ?? "")
  }

  private static func shown(_ estimate: StepsResult.Estimate) -> String {
    guard let value = estimate.value else { return "undefined" }
    guard let low = estimate.low, let high = estimate.high else { return number(value) }
    return "\(number(value)) (\(number(low)) to \(number(high)))"
  }

  /// Three decimals at most.
  private static func number(_ value: Double) -> String {
    var text = String(format: "%.3f", value)
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text.hasPrefix("-") ? "−" + text.dropFirst() : text
  }
}
