import Foundation
import Parallax

/// Probes of made-up models.
struct MadeUpProbe {
  /// How many layers each model has; every other one is convolutional.
  var layers: [Int]
  var shots = [1, 5, 10]
  var hasIntervals = true
  var hasMaps = true
  var hasMore = true

  private let penalties = [1.0 / 1024, 1024, 1_048_576]

  var result: ProbeResult {
    var result = ProbeResult(
      images: 500, dtype: "float32", seed: 7, split: "by a hash of seed and image id", draws: 3,
      shots: shots, penalties: penalties, groups: hasIntervals ? 10 : 0,
      classes: ["ants", "bees", "cats", "dogs"].map {
        ProbeResult.Class(name: $0, training: 60, test: 50)
      }, models: layers.indices.map(model))
    (result.tokenShots, result.tokenTest) = hasMaps ? (10, 40) : (0, 0)
    result.switches = [
      Switch("probe", "regularised least squares", origin: "paper"),
      Switch("single tokens", "10 shots"),
    ]
    result.refusals = [
      SimilarityResult.Refusal(
        address: "model-0@blocks.1#avg", reason: "NaN or infinity in the activations of a.png")
    ]
    result.findings = [
      Finding(
        sentence: "model-0: classes are read best from the last layer", value: 0.02, low: 0.01,
        high: 0.03, quantity: "accuracy", verdict: .shows, analysis: "probe")
    ]
    return result
  }

  private func estimate(_ value: Double) -> IntervalEstimate {
    hasIntervals
      ? IntervalEstimate(value, low: value - 0.04, high: value + 0.04) : IntervalEstimate(value)
  }

  private func model(_ index: Int) -> ProbeResult.Model {
    let isNetwork = !index.isMultiple(of: 2)
    let names = isNetwork ? ["avg"] : hasMore ? ["cls", "avg", "all"] : ["cls"]
    var model = ProbeResult.Model(
      name: "model-\(index)", family: "ViT", design: isNetwork ? "convolutional" : "transformer",
      objective: "unknown", hasClassToken: !isNetwork,
      views: names.enumerated().map { place, name in
        ProbeResult.View(
          tokens: name, label: name, isNative: place == 0,
          sites: (0..<layers[index]).map { site(index, $0, less: 0.05 * Double(place)) })
      })
    if hasMaps {
      model.maps = Set([0, layers[index] - 1]).sorted().map { layer in
        let side = isNetwork ? 3 : 5
        let depth = Double(layer) / Double(max(1, layers[index] - 1))
        return ProbeResult.Map(
          site: "blocks.\(layer)", depth: depth, rows: side, columns: side + 1,
          isPooled: isNetwork,
          values: (0..<(side * (side + 1))).map { 0.3 + 0.3 * depth + 0.01 * Double($0) },
          others: isNetwork
            ? []
            : [
              ProbeResult.Token(name: "class", accuracy: 0.8),
              ProbeResult.Token(name: "register 1", accuracy: 0.4),
            ], mean: estimate(0.4), native: estimate(0.7))
      }
    }
    return model
  }

  private func site(_ model: Int, _ layer: Int, less: Double) -> ProbeResult.Site {
    let depth = Double(layer) / Double(max(1, layers[model] - 1))
    var site = ProbeResult.Site(
      name: "blocks.\(layer)", stage: "blocks", depth: depth, features: 8,
      scores: shots.enumerated().map { place, _ in
        ProbeResult.Score(
          accuracy: estimate(0.3 + 0.4 * depth + 0.05 * Double(place) - less),
          shuffled: estimate(0.25), penalty: 10 - 2 * depth, tuned: 3,
          byPenalty: penalties.map { _ in 0.5 })
      })
    guard hasMore else { return site }
    site.votes = [1, 5].map { ProbeResult.Vote(count: $0, accuracy: estimate(0.5)) }
    (site.weighted, site.logistic) = (estimate(0.5), estimate(0.6))
    return site
  }
}
