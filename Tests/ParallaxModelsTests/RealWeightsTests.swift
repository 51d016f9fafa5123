import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

/// The full-size transformers of the set-up against ONNX Runtime's values of the same graphs.
@Suite("Real weights of transformers")
struct RealWeightsTests {
  static let clipPath = path("clip-vit-base-patch16/clip_encoder.int8.onnx")
  static let dinoPath = path("dinov2-small-saliency/vit_s_focus.onnx")

  private static func path(_ file: String) -> String {
    CacheFolder.url.appending(path: "models/\(file)").path
  }

  static let clip: ViT.Configuration = {
    var c = ViT.Configuration()
    (c.classes, c.preNorm, c.activation, c.epsilon, c.headBias) =
      (512, true, .quickGELU, 1e-5, false)
    return c
  }()

  static let dino: ViT.Configuration = {
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.heads) = (518, 14, 384, 6)
    (c.classes, c.layerScale, c.positions) = (0, true, .plain)
    return c
  }()

  private func load(_ path: String, _ c: ViT.Configuration) throws -> (ViT, count: Int) {
    let weights = Weights(ViT.recognised(try Checkpoint.open(path), c))
    let model = try ViT(c, weights)
    try weights.finish()
    return (model, weights.asked.values.reduce(0, +))
  }

  /// The image that the reference saw, from its formula.
  static func madeUp(_ size: Int) -> Tensor {
    var pixels: [Float] = []
    pixels.reserveCapacity(3 * size * size)
    for c in 0..<3 {
      for i in 0..<size {
        for j in 0..<size {
          let (c, i, j) = (Double(c), Double(i), Double(j))
          let waves = sin(0.11 * i + 0.7 * c) + cos(0.07 * j * (c + 1))
          pixels.append(Float(waves + 0.5 * sin(0.37 * i + 0.53 * j)))
        }
      }
    }
    return Tensor(pixels, shape: [1, 3, size, size])
  }

  /// Every site of the reference to 1e-5 of scale; 2e-6 was seen.
  private func compare(_ model: ViT, _ reference: Safetensors, output: String? = nil) throws {
    let order = try JSONDecoder().decode(
      [String].self, from: Data((reference.metadata["order"] ?? "").utf8))
    var seen: Set<String> = []
    func compare(_ found: Tensor, _ name: String) throws {
      let gap = ModelOracle.difference(found, try #require(reference[name], "\(name)"))
      #expect(gap < 1e-5, "\(name)")
    }
    var activations: [String: Tensor] = [:]
    let tap = Tap(Set(order)) {
      activations[$0.site] = $0.value[0]
      return nil
    }
    let result = model(Self.madeUp(224), tap)
    for (site, value) in activations {
      seen.insert(site)
      let (mean, deviation) = value.to(.float64).moments
      try compare(value.selected(0, 0), "first/\(site)")
      try compare(value.selected(0, value.shape[0] - 1), "last/\(site)")
      let moments = try #require(reference["moments/\(site)"])
      let scale = moments.selected(0, 1).item(Double.self)
      #expect(abs(mean - moments.selected(0, 0).item(Double.self)) < 1e-5 * scale, "\(site)")
      #expect(abs(deviation - scale) < 1e-5 * scale, "\(site)")
    }
    if let output {
      try compare(result[0], output)
      seen.insert(output)
    }
    #expect(seen == Set(order))
  }

  private func reference(_ name: String) throws -> Safetensors {
    try Safetensors(fixtures.appending(path: "fullsize/\(name).safetensors").path)
  }

  @Test(
    "CLIP, dequantised, agrees with ONNX Runtime at every block and in the embedding",
    .enabled(
      if: FileManager.default.fileExists(atPath: clipPath),
      "the weights of clip-vit-base-patch16 are not in the cache; run make setup"))
  func dequantised() throws {
    let (model, count) = try load(Self.clipPath, Self.clip)
    #expect(count == 86_192_640)
    try compare(model, reference("clip-vit-base-patch16"), output: "image_embeds")
  }

  @Test(
    "the saliency-tuned DINOv2 agrees with ONNX Runtime at every block, its positions resized alike",
    .enabled(
      if: FileManager.default.fileExists(atPath: dinoPath),
      "the weights of dinov2-small-saliency are not in the cache; run make setup"))
  func saliency() throws {
    let (model, _) = try load(Self.dinoPath, Self.dino)
    let reference = try reference("dinov2-small-saliency")
    let row = model.resized(16, 16)[0].sliced(0, 1, 17)
    let expected = try #require(reference["pos_embed.resized/first_row"])
    #expect(ModelOracle.difference(row, expected) < 1e-6)
    try compare(model, reference)
  }
}

extension Tensor {
  fileprivate subscript(index: Int) -> Tensor { selected(0, index) }

  /// Mean and population standard deviation.
  fileprivate var moments: (Double, Double) {
    let mean = mean().item(Double.self)
    return (mean, (self - mean).squared().mean().item(Double.self).squareRoot())
  }
}
