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
