import Foundation
import ParallaxResults

/// What the numbers say, without a direction that is taken for granted: of adversarial training one paper finds more fracturing, of
/// more robust models the other finds less.
struct KStarFindings {
  let result: KStarResult

  /// A finding a model, one over depth a model, one a corruption, one or two over all models.
  func callAsFunction() -> [Finding] {
    result.plain.compactMap(last) + result.changes.map(change) + models()
  }

  private var basis: String {
    "\(result.distance) distance; 95 % bootstrap interval over images, k* as they are"
  }

  private func finding(
    _ sentence: String, _ estimate: IntervalEstimate, _ quantity: String, _ verdict: Finding.Verdict
  ) -> Finding {
    Finding(
      sentence: sentence, value: estimate.value, low: estimate.low, high: estimate.high,
      quantity: quantity, verdict: verdict, analysis: "kstar")
  }

  private func last(_ model: KStarResult.Model) -> Finding? {
    guard let space = model.spaces.last, space.aggregates.concepts > 0 else { return nil }
    let all = space.aggregates
    let sentence =
      "At \(space.site), \(model.name) holds concepts together rather than apart: their skewness is below 0"
    guard all.macroMean.value != nil else {
      // No concept has a skewness: each has one k* throughout.
      let patterns = Set(space.concepts.filter { $0.count > 2 }.map(\.pattern))
      let verdict: Finding.Verdict =
        patterns == [.clustered] ? .shows : patterns == [.fractured] ? .doesNotShow : .cannotTell
      return finding(
        sentence, all.mean,
        "mean k*/n, for no concept has a skewness: of \(all.concepts) are \(space.unskewed); \(basis)",
        verdict)
    }
    let verdict: Finding.Verdict =
      if let low = all.macroMean.low, let high = all.macroMean.high {
        high < 0 ? .shows : low > 0 ? .doesNotShow : .cannotTell
      } else { .cannotTell }
    return finding(sentence, all.macroMean, "Γ, mean \(space.basis), \(basis)", verdict)
  }

  /// Over depth, and under corruption: by Γ where most concepts have a skewness in both spaces, else by the mean k*/n.
  private func change(_ change: KStarResult.Change) -> Finding {
    let sentence =
      switch change.kind {
      case .depth:
        "\(change.model) fractures concepts less at \(site(change.to)) than at \(site(change.from))"
      case .corruption:
        "With \(change.corruption ?? "corruption") on its images, \(change.model) fractures concepts more at \(site(change.from))"
      }
    let isBySkewness = 2 * change.concepts >= change.all && change.skewness.value != nil
    let estimate = isBySkewness ? change.skewness : change.mean
    let quantity =
      isBySkewness
      ? "difference of γ, mean over the \(change.concepts) of \(change.all) concepts that have one in both; "
      : "difference of the mean k*/n over \(change.all) concepts, for only \(change.concepts) have a skewness in both; "
    // Less fractured: a lower skewness, a higher mean. Corruption is asked for the opposite.
    let isLessByLow = isBySkewness == (change.kind == .depth)
    var verdict = Finding.Verdict.cannotTell
    if let low = estimate.low, let high = estimate.high, low > 0 || high < 0 {
      verdict = (high < 0) == isLessByLow ? .shows : .doesNotShow
    }
    return finding(
      sentence, estimate, quantity + "95 % bootstrap interval over images, the same in both",
      verdict)
  }

  /// `blocks.3` of `model@blocks.3#cls`.
  private func site(_ address: String) -> String {
    let site = address.lastIndex(of: "@").map { address[address.index(after: $0)...] }
    return String((site ?? address[...]).split(separator: "#").first ?? "")
  }

  /// Γ and an accuracy of each model.
  func pairs(
    _ accuracy: (KStarResult.Model) -> Double?
  ) -> [(gamma: Double, accuracy: Double)] {
    result.plain.compactMap { model in
      guard let gamma = model.spaces.last?.aggregates.macroMean.value, let value = accuracy(model)
      else { return nil }
      return (gamma, value)
    }
  }

  private func models() -> [Finding] {
    var found = [
      relation(
        "Over models, how fractured concepts are and how well neighbours classify go together",
        "kNN accuracy", pairs { $0.spaces.last?.neighbourhood.accuracy })
    ]
    if let name = result.accuracyName {
      found.append(
        relation(
          "Over models, how fractured concepts are and \(name) go together", name,
          pairs { result.accuracies?[$0.name] }))
    }
    return found
  }

  private func relation(
    _ sentence: String, _ name: String, _ pairs: [(gamma: Double, accuracy: Double)]
  ) -> Finding {
    let lacking =
      result.unranked.isEmpty
      ? ""
      : "; without Γ, for no concept has a skewness: \(result.unranked.map(\.name).joined(separator: ", "))"
    guard pairs.count >= 4, let r = Self.correlation(pairs.map(\.gamma), pairs.map(\.accuracy))
    else {
      return finding(
        sentence, IntervalEstimate(nil),
        (pairs.count < 4
          ? "too few models: \(pairs.count), expected 4 at least"
          : "Γ or the accuracy is the same for all models") + lacking, .cannotTell)
    }
    let ends = Self.interval(r, count: pairs.count)
    return finding(
      sentence, IntervalEstimate(r, low: ends?.0, high: ends?.1),
      "Pearson's r of Γ and \(name) at the last site over \(pairs.count) models; below 0: less fractured, better classified; 95 % interval by Fisher's z"
        + lacking, ends.map { $0.0 > 0 || $0.1 < 0 ? .shows : .cannotTell } ?? .cannotTell)
  }

  /// Pearson's correlation; nil where a side does not vary.
  static func correlation(_ a: [Double], _ b: [Double]) -> Double? {
    let n = Double(a.count)
    let (meanA, meanB) = (a.reduce(0, +) / n, b.reduce(0, +) / n)
    let (x, y) = (a.map { $0 - meanA }, b.map { $0 - meanB })
    let (xx, yy) = (x.reduce(0) { $0 + $1 * $1 }, y.reduce(0) { $0 + $1 * $1 })
    guard xx > 0, yy > 0 else { return nil }
    return zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } / (xx * yy).squareRoot()
  }

  /// tanh(atanh r ± 1.96/√(n − 3)).
  ///
  /// > Source: Fisher, 1921, On the probable error of a coefficient of correlation.
  static func interval(_ r: Double, count: Int) -> (Double, Double)? {
    guard count > 3, abs(r) < 1 else { return nil }
    let margin = 1.959964 / Double(count - 3).squareRoot()
    return (tanh(atanh(r) - margin), tanh(atanh(r) + margin))
  }
}

extension KStarResult {
  /// Adds switches and findings.
  ///
  /// - Parameters:
  ///   - options: how it was computed.
  ///   - sites: how the spaces were chosen and put in order.
  mutating func complete(
    _ options: KStarAnalysis.Options,
    sites: String = "as asked for; else evenly spread blocks and the last site"
  ) {
    let form: (text: String, origin: String) =
      switch distance {
      case "cosine": ("directions: of unit length, not centred", "reconstruction")
      case "precomputed": ("none: distances as given", "reconstruction")
      default: ("raw: neither centred nor of unit length", "paper")
      }
    let voters = Set(models.flatMap(\.spaces).map(\.neighbourhood.neighbours)).sorted()
    switches = [
      Switch(
        "distance", distance,
        origin: distance == "euclidean" ? "paper" : "reconstruction"),
      Switch("features", form.text, origin: form.origin),
      Switch(
        "k*", "rank of the first neighbour of another class, over the images of its own",
        origin: "paper"),
      Switch("skewness", "g₁, population moments", origin: "paper"),
      Switch("threshold of patterns", "±0.5", origin: "paper"),
      Switch(
        "anchors",
        anchoring == "none" ? "none, as the notebook was published" : "0 and 1 join each concept",
        origin: anchoring == "none" ? "paper" : "reconstruction"),
      Switch("the image itself", bank == nil ? "left out by its index" : "not in the bank"),
      Switch("ties", ties),
      Switch("concepts of one or two images", "undefined"),
      Switch("Γ", "the mean of the concepts' skewness, those without left out and counted"),
      Switch("Γ′", "of all values together; and with the mean moments put in"),
      Switch(
        "intervals",
        resamples >= 20
          ? "\(resamples) bootstrap resamples of the images of each concept: of a concept's γ bias-corrected percentiles, of all else ±1.96 standard deviations"
          : resamples > 0 ? "none: \(resamples) resamples, 20 are needed" : "none"),
      Switch(
        "a pattern is decided",
        resamples >= 20 ? "where 95 % of the resamples and more have it" : "not asked"),
      Switch("neighbours that vote", voters.map(String.init).joined(separator: ", ")),
      Switch("sites", sites),
    ]
    switches += options.corruptions.map { Switch("corruption", $0.method) }
    if options.superclasses != nil { switches.append(Switch("concepts", "superclasses of a map")) }
    if let accuracyName {
      switches.append(Switch("accuracy", "\(accuracyName), as given, not measured here"))
    }
    if let bank {
      switches.append(
        Switch("bank", "\(bank) images; k* over the bank's images of the class, at most one more"))
    }
    if models.contains(where: { $0.spaces.contains { $0.map != nil } }) {
      switches += options.mapSwitches
    }
    findings = KStarFindings(result: self)()
  }
}
