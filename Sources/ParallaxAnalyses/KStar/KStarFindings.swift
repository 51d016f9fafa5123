import Foundation
import ParallaxResults

/// What the numbers say, without a direction that is taken for granted: of adversarial training one paper finds more fracturing, of
/// more robust models the other finds less.
struct KStarFindings {
  let result: KStarResult

  /// A finding a model, one over depth a model, one over all models.
  func callAsFunction() -> [Finding] {
    result.plain.compactMap(last) + result.plain.compactMap(depth) + [models()]
  }

  private var basis: String {
    "mean over concepts, \(result.distance) distance; 95 % bootstrap interval over images, k* as they are"
  }

  private func last(_ model: KStarResult.Model) -> Finding? {
    guard let space = model.spaces.last, let value = space.aggregates.macroMean.value else {
      return nil
    }
    let estimate = space.aggregates.macroMean
    let verdict: Finding.Verdict =
      if let low = estimate.low, let high = estimate.high {
        high < 0 ? .shows : low > 0 ? .doesNotShow : .cannotTell
      } else { .cannotTell }
    return Finding(
      sentence:
        "At \(space.site), \(model.name) holds concepts together rather than apart: their skewness is below 0",
      value: value, low: estimate.low, high: estimate.high, quantity: "Γ, \(basis)",
      verdict: verdict, analysis: "kstar")
  }

  private func depth(_ model: KStarResult.Model) -> Finding? {
    guard let first = model.spaces.first, let last = model.spaces.last, model.spaces.count > 1,
      let a = first.aggregates.macroMean.value, let b = last.aggregates.macroMean.value
    else { return nil }
    var verdict = Finding.Verdict.cannotTell
    let (before, after) = (first.aggregates.macroMean, last.aggregates.macroMean)
    if let low = before.low, let high = before.high, let least = after.low, let most = after.high {
      // Disjoint intervals: more than a test of the difference would ask for.
      if most < low { verdict = .shows }
      if least > high { verdict = .doesNotShow }
    }
    return Finding(
      sentence: "\(model.name) fractures concepts less at \(last.site) than at \(first.site)",
      value: b - a, low: nil, high: nil,
      quantity: "difference of Γ; shows where the bootstrap intervals of both lie apart",
      verdict: verdict, analysis: "kstar")
  }

  /// Γ and the accuracy of neighbours at each model's last site.
  var pairs: [(gamma: Double, accuracy: Double)] {
    result.plain.compactMap { model in
      guard let space = model.spaces.last, let gamma = space.aggregates.macroMean.value,
        let accuracy = space.neighbourhood.accuracy
      else { return nil }
      return (gamma, accuracy)
    }
  }

  private func models() -> Finding {
    let sentence =
      "Over models, how fractured concepts are and how well neighbours classify go together"
    let pairs = pairs
    guard pairs.count >= 4, let r = Self.correlation(pairs.map(\.gamma), pairs.map(\.accuracy))
    else {
      return Finding(
        sentence: sentence, value: nil, low: nil, high: nil,
        quantity:
          pairs.count < 4
          ? "too few models: \(pairs.count), expected 4 at least"
          : "Γ or the accuracy is the same for all models",
        verdict: .cannotTell, analysis: "kstar")
    }
    let ends = Self.interval(r, count: pairs.count)
    return Finding(
      sentence: sentence, value: r, low: ends?.0, high: ends?.1,
      quantity:
        "Pearson's r of Γ and kNN accuracy at the last site over \(pairs.count) models; below 0: less fractured, better classified; 95 % interval by Fisher's z",
      verdict: ends.map { $0.0 > 0 || $0.1 < 0 ? .shows : .cannotTell } ?? .cannotTell,
      analysis: "kstar")
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
  mutating func complete(_ options: KStarAnalysis.Options) {
    switches = [
      Switch(
        "distance", distance,
        origin: distance == "euclidean" ? "paper" : "reconstruction"),
      Switch("features", "raw: neither centred nor of unit length", origin: "paper"),
      Switch(
        "k*", "rank of the first neighbour of another class, over the images of its own",
        origin: "paper"),
      Switch("skewness", "g₁, population moments", origin: "paper"),
      Switch("threshold of patterns", "±0.5", origin: "paper"),
      Switch(
        "anchors",
        anchoring == "none" ? "none, as the notebook was published" : "0 and 1 join each concept",
        origin: anchoring == "none" ? "paper" : "reconstruction"),
      Switch("the image itself", "left out by its index"),
      Switch("ties", ties),
      Switch("concepts of one or two images", "undefined"),
      Switch("Γ", "the mean of the concepts' skewness"),
      Switch("Γ′", "of all values together; and with the mean moments put in"),
      Switch(
        "intervals",
        resamples > 0
          ? "\(resamples) bootstrap resamples of the images of each concept" : "none"),
      Switch("neighbours that vote", "\(options.neighbours)"),
      Switch("sites", "as asked for; else evenly spread blocks and the last site"),
    ]
    if options.superclasses != nil { switches.append(Switch("concepts", "superclasses of a map")) }
    if let bank {
      switches.append(
        Switch("bank", "\(bank) images; k* over the bank's images of the class, at most one more"))
    }
    findings = KStarFindings(result: self)()
  }
}
