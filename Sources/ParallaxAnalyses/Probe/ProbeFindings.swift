import Foundation
import ParallaxResults

/// What Raghu et al. say of linear probes, asked of these models.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, section 7, figures 11 and 13. The statistics and criteria are ours.
struct ProbeFindings {
  let result: ProbeResult
  /// Of each model and view the tallies of its sites with the most shots.
  let curves: [[String: [ProbeTally?]]]
  /// Of each model the sites whose tokens were probed.
  let tokens: [[(entry: TokenEntry, cell: ProbeComputation.TokenCell)]]
  let intervals: ProbeIntervals
  let tokenIntervals: ProbeIntervals?

  /// The key of each site's own way among ``curves``.
  static let native = "native"

  /// Relative depths of a network's middle.
  static let middle = (0...10).map { 0.25 + 0.05 * Double($0) }

  /// The findings; those that these models cannot answer say so.
  func callAsFunction() -> [Finding] {
    let tokens =
      result.models.indices.compactMap(pooledBehind) + [singleTokens()].compactMap(\.self)
    return result.models.indices.compactMap(lastLayer)
      + tokens.map { $0.bearing(on: .tokens) } + [intermediate().bearing(on: .intermediate)]
  }

  private func finding(
    _ sentence: String, _ estimate: IntervalEstimate, _ quantity: String
  ) -> Finding {
    Finding(
      sentence: sentence, value: estimate.value, low: estimate.low, high: estimate.high,
      quantity: quantity
        + (estimate.low == nil
          ? ""
          : "; 95 % interval over draws of the shots"
            + (intervals.groups > 0 ? " and groups of test images" : "")),
      verdict: estimate.verdict(), analysis: "probe")
  }

  /// Accuracies of a view's sites; nil where one has no value.
  private func accuracies(_ model: Int, _ view: String?, _ part: ProbeTally.Part) -> [Double]? {
    guard let view, let tallies = curves[model][view] else { return nil }
    let known = tallies.compactMap { $0?.accuracy(part, sizes: intervals.sizes) }
    return known.count == tallies.count && !known.isEmpty ? known : nil
  }

  private func percent(_ value: Double) -> String { String(format: "%.1f %%", 100 * value) }

  private var shots: String { "\(result.shots.last ?? 0)-shot accuracy" }

  /// The best depth to read classes from.
  private func lastLayer(_ model: Int) -> Finding? {
    let own = result.models[model]
    let sites = own.nativeSites
    guard sites.count > 2, let all = accuracies(model, Self.native, .all), all.count == sites.count
    else { return nil }
    let best = all.indices.max { (all[$0], -$0) < (all[$1], -$1) } ?? 0
    let estimate = intervals.estimate { part in
      accuracies(model, Self.native, part).flatMap { curve in
        curve.dropLast().max().flatMap { before in curve.last.map { $0 - before } }
      }
    }
    return finding(
      "\(own.name): classes are read best from the last layer", estimate,
      "\(shots) at \(sites[all.count - 1].name) less the best of the layers before it; best of all is \(sites[best].name) at relative depth "
        + String(format: "%.2f", sites[best].depth) + " with \(percent(all[best]))")
  }

  /// Pooled tokens of a class-token model fall behind its class token in the last layers.
  private func pooledBehind(_ model: Int) -> Finding? {
    let own = result.models[model]
    guard own.hasClassToken, own.views.contains(where: { $0.tokens == "cls" }),
      own.views.contains(where: { $0.tokens == "avg" })
    else { return nil }
    let estimate = intervals.estimate { part in
      guard let token = accuracies(model, "cls", part)?.last,
        let pooled = accuracies(model, "avg", part)?.last
      else { return nil }
      return token - pooled
    }
    guard estimate.value != nil else { return nil }
    return finding(
      "\(own.name): at the end the mean of the patches is behind the class token", estimate,
      "\(shots) of the class token less that of the mean of patches, last layer")
  }

  /// Single tokens at the last site, as a share of the model's own way, both less chance.
  private func share(_ model: Int, _ part: ProbeTally.Part) -> Double? {
    guard let sizes = tokenIntervals?.sizes, let last = tokens[model].last,
      last.entry.site == result.models[model].nativeSites.count - 1
    else { return nil }
    let spatial = last.cell.tallies.dropFirst(last.entry.others.count)
    let whole = last.cell.native.accuracy(part, sizes: sizes) - result.chance
    guard whole > 0,
      let single = Statistics.mean(spatial.map { $0.accuracy(part, sizes: sizes) })
    else { return nil }
    return (single - result.chance) / whole
  }

  /// Spatial tokens of class-token models stay low, those of pooled models rise.
  private func singleTokens() -> Finding? {
    guard let tokenIntervals else { return nil }
    let known = result.models.indices.filter { share($0, .all) != nil }
    let (tokened, pooled) = (
      known.filter { result.models[$0].hasClassToken },
      known.filter { !result.models[$0].hasClassToken }
    )
    let sentence =
      "In the last layer a single token knows more of the class in models that pool than in models with a class token"
    guard !tokened.isEmpty, !pooled.isEmpty else {
      let kind = tokened.isEmpty ? "with a class token" : "that pools"
      return finding(
        sentence, IntervalEstimate(nil),
        "no model \(kind) here whose tokens were probed in the last layer and whose whole is above chance"
      )
    }
    let estimate = tokenIntervals.estimate { part in
      guard let a = Statistics.mean(pooled.map { share($0, part) }),
        let b = Statistics.mean(tokened.map { share($0, part) })
      else { return nil }
      return a - b
    }
    return finding(
      sentence, estimate,
      "mean accuracy of single tokens less chance, as a share of the model's own way less chance: \(names(pooled)) less \(names(tokened))"
    )
  }

  private func names(_ models: [Int]) -> String {
    models.map { result.models[$0].name }.joined(separator: ", ")
  }

  /// Transformers' intermediate layers are stronger at equal relative depth.
  private func intermediate() -> Finding {
    func models(_ design: String) -> [Int] {
      result.models.indices.filter {
        result.models[$0].design == design && middle($0, .all) != nil
      }
    }
    let (transformers, networks) = (models("transformer"), models("convolutional"))
    let sentence =
      "Intermediate layers of transformers tell classes apart better than those of convolutional networks at equal relative depth"
    guard !transformers.isEmpty, !networks.isEmpty else {
      return finding(
        sentence, IntervalEstimate(nil),
        transformers.isEmpty ? "no transformer here" : "no convolutional network here")
    }
    let estimate = intervals.estimate { part in
      guard let a = Statistics.mean(transformers.map { middle($0, part) }),
        let b = Statistics.mean(networks.map { middle($0, part) })
      else { return nil }
      return a - b
    }
    return finding(
      sentence, estimate,
      "\(shots), mean over relative depths 0.25 to 0.75: \(names(transformers)) less \(names(networks)); size and training data differ as well"
    )
  }

  /// Mean accuracy of a model's own way over the middle of the network, linear between its sites.
  private func middle(_ model: Int, _ part: ProbeTally.Part) -> Double? {
    guard let curve = accuracies(model, Self.native, part),
      curve.count > 2
    else { return nil }
    return Statistics.mean(
      Self.middle.map { depth in
        let place = depth * Double(curve.count - 1)
        let low = min(curve.count - 2, Int(place))
        let share = place - Double(low)
        return (1 - share) * curve[low] + share * curve[low + 1]
      })
  }
}
