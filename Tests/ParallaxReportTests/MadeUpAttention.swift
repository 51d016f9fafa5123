import Foundation
import Parallax

/// Attention of made-up models.
struct MadeUpAttention {
  /// How many layers each model has.
  var layers: [Int]
  var heads = 6
  var hasEntropy = true
  var hasIntervals = true
  var hasMaps = true

  var result: AttentionResult {
    var result = AttentionResult(
      images: 1000, dtype: "float32", seed: 7, groups: 10, others: "drop",
      models: layers.indices.map(model))
    result.switches = [
      Switch("quantity", "distance in pixels", origin: "paper"),
      Switch("uniform attention", "the same weight on every key"),
    ]
    result.refusals = [
      SimilarityResult.Refusal(address: "resnet", reason: "the model has no attention")
    ]
    result.findings = [
      Finding(
        sentence: "model-0: the first layer has local heads", value: 0.21, low: 0.2, high: 0.22,
        quantity: "share of uniform attention's", verdict: .shows, analysis: "attention")
    ]
    if layers.count > 1 {
      result.subsets = [
        AttentionResult.Subsets(
          model: 0, site: "blocks.0.attn.pattern", other: "resnet",
          layers: ["layer1.0", "layer1.1"], blocks: 8,
          points: (0..<5).map { place in
            AttentionResult.Subsets.Point(
              heads: [place, place + 1], distance: 20 + 16 * Double(place),
              values: (0..<2).map { layer in
                let value = 0.6 - 0.08 * Double(place + layer)
                return AttentionResult.Estimate(value, low: value - 0.03, high: value + 0.03)
              })
          })
      ]
    }
    if hasMaps { result.maps = layers.indices.flatMap(maps) }
    return result
  }

  private func model(_ index: Int) -> AttentionResult.Model {
    let count = layers[index]
    return AttentionResult.Model(
      name: "model-\(index)", family: "ViT", height: 224, width: 224, otherTokens: 1,
      layers: (0..<count).map { place in
        let depth = count > 1 ? Double(place) / Double(count - 1) : 0
        return AttentionResult.Layer(
          site: "blocks.\(place).attn.pattern", depth: depth, windows: 1, rows: 14, columns: 14,
          step: 16, uniformDistance: 115.9, uniformEntropy: 5.283,
          heads: (0..<heads).map { head(depth, Double($0 * 5 % heads) / Double(max(1, heads - 1))) }
        )
      })
  }

  private func head(_ depth: Double, _ share: Double) -> AttentionResult.Head {
    let distance = 20 + 85 * min(1, 0.95 * share + depth)
    func estimate(_ value: Double, _ margin: Double) -> AttentionResult.Estimate {
      hasIntervals
        ? AttentionResult.Estimate(value, low: value - margin, high: value + margin)
        : AttentionResult.Estimate(value)
    }
    return AttentionResult.Head(
      distance: estimate(distance, 1.2), distanceDeviation: hasIntervals ? 8 : nil,
      entropy: hasEntropy
        ? estimate(2 + 3 * distance / 116, 0.05) : AttentionResult.Estimate(nil),
      entropyDeviation: nil)
  }

  private func maps(_ model: Int) -> [AttentionResult.Map] {
    let picture =
      (try? ImageBuffer(width: 16, height: 16, colour: RGB(40, 120, 160)).pngData()) ?? Data()
    func map(_ image: String, _ layer: Int?, _ head: Int?, _ token: String) -> AttentionResult.Map {
      AttentionResult.Map(
        model: model, image: image, layer: layer, head: head, token: token,
        distance: head == nil ? nil : 60, mass: 0.9, file: "attention/\(model).png",
        picture: picture)
    }
    return ["apes/1.png", "bees/2.png"].flatMap { image in
      [map(image, nil, nil, "image"), map(image, nil, nil, "class token")]
        + Set([0, layers[model] - 1]).sorted().flatMap { layer in
          [
            map(image, layer, nil, "class token"), map(image, layer, 0, "class token"),
            map(image, layer, heads - 1, "class token"),
          ]
        }
    }
  }
}
