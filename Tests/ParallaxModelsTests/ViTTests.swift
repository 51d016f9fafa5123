@testable import ParallaxModels
import Parallax
import ParallaxTestSupport
import Testing

@Suite("Vision Transformers")
struct ViTTests {
  private func small() -> ViT.Configuration {
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (24, 8, 24, 2, 3, 10)
    return c
  }

  @Test("the plain ViT agrees with timm at the output, at every site and in the gradient")
  func plain() throws {
    let oracle = try ModelOracle("vit-timm")
    let weights = Weights(oracle.weights)
    let model = try ViT(small(), weights)
    try weights.finish()
    try oracle.check(model)
  }

  @Test("CLIP's form, with a norm before the blocks and QuickGELU, agrees with timm")
  func clip() throws {
    let oracle = try ModelOracle("vit-clip-timm")
    var c = small()
    (c.classes, c.preNorm, c.activation, c.epsilon) = (12, true, .quickGELU, 1e-5)
    let weights = Weights(oracle.weights)
    let model = try ViT(c, weights)
    try weights.finish()
    try oracle.check(model)
  }

  @Test(
    "DINOv2's form, with LayerScale and resized positions, agrees with timm",
    arguments: ["vit-dinov2-timm", "vit-dinov2-timm-square"])
  func dino(fixture: String) throws {
    let oracle = try ModelOracle(fixture)
    var c = small()
    (c.imageSize, c.patch, c.classes, c.layerScale) = (35, 7, 0, true)
    let weights = Weights(oracle.weights)
    let model = try ViT(c, weights)
    try weights.finish()
    try oracle.check(model)
  }

  @Test("a replaced activation changes what follows, as a hook that returns a value does")
  func replacement() throws {
    let oracle = try ModelOracle("vit-timm")
    let model = try ViT(small(), Weights(oracle.weights))
    let input = try oracle.tensor("input")
    let before = try oracle.tensor("site/blocks.0")
    let tap = Tap(nil) {
      $0.site == "blocks.1.attn" || $0.site == "blocks.1.mlp" ? $0.value * 0 : nil
    }
    // Without its branches the last block is the identity, so the head sees the first block's output.
    let direct = model.head?(model.norm(before.selected(1, 0)))
    let gap = ModelOracle.difference(model(input, tap), try #require(direct))
    #expect(gap < ModelOracle.tolerance)
  }

  @Test("class token and mean of the patches stand side by side, registers left out")
  func concatenated() throws {
    let site = Site(name: "blocks.0", kind: .tokens, shape: [9, 5], isBlock: true)
    let layout = TokenLayout(hasClassToken: true, registers: 2, patch: 8)
    let x = RandomSource(seed: 4).normal([3, 9, 5])
    let concat = try Tokens(parsing: "concat")
    #expect("\(concat)" == "concat")
    let found = try concat(x, at: site, layout, imageSize: (16, 24))
    #expect(found.shape == [3, 10])
    #expect(try concat.width(at: site, layout, imageSize: (16, 24)) == 10)
    let values = x.scalars(Float.self)
    for image in 0..<3 {
      for column in 0..<5 {
        func value(_ token: Int) -> Float { values[(image * 9 + token) * 5 + column] }
        let row = found.selected(0, image).scalars(Float.self)
        #expect(row[column] == value(0))
        let mean = (3..<9).map(value).reduce(0, +) / 6
        #expect(abs(row[5 + column] - mean) < 1e-6)
      }
    }
    let pooled = TokenLayout(hasClassToken: false, registers: 0, patch: 8)
    let map = Site(name: "layer1", kind: .map, shape: [5, 2, 3], isBlock: true)
    let vector = Site(name: "head", kind: .vector, shape: [5], isBlock: false)
    for (site, layout) in [(site, pooled), (map, layout), (vector, layout)] {
      let error = #expect(throws: ModelError.self) {
        try concat.check(at: site, layout, imageSize: (16, 24))
      }
      #expect(error?.description.contains("; expected ") == true)
    }
  }

  @Test("a missing, misshapen or surplus parameter is named with its file")
  func badWeights() throws {
    let oracle = try ModelOracle("vit-timm")
    func parts(_ change: (inout [String: Tensor]) -> Void) throws -> HeldWeights {
      var held: [String: Tensor] = [:]
      for name in oracle.weights.names { held[name] = try oracle.weights.tensor(name) }
      change(&held)
      return HeldWeights(held, label: "w.safetensors")
    }
    let missing = try parts { $0["blocks.1.mlp.fc2.bias"] = nil }
    #expect(
      throws: ModelError.missingParameter(
        name: "blocks.1.mlp.fc2.bias", shape: [24], file: "w.safetensors")
    ) { try ViT(small(), Weights(missing)) }
    let misshapen = try parts { $0["norm.weight"] = Tensor.ones([23]) }
    #expect(
      throws: ModelError.shape(
        name: "norm.weight", expected: [24], found: [23], file: "w.safetensors")
    ) { try ViT(small(), Weights(misshapen)) }
    let surplus = Weights(try parts { $0["blocks.2.norm1.bias"] = Tensor.ones([24]) })
    _ = try ViT(small(), surplus)
    #expect(
      throws: ModelError.surplusParameters(names: ["blocks.2.norm1.bias"], file: "w.safetensors")
    ) { try surplus.finish() }
  }
}
