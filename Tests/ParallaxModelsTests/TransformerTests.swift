import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("DeiT, SigLIP, BEiT, Mixer, EVA-02 and DINOv3")
struct TransformerTests {
  private func small() -> ViT.Configuration {
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (24, 8, 24, 2, 3, 10)
    return c
  }

  @Test("DeiT with its distillation token agrees with timm, and gives the mean of both heads")
  func distilled() throws {
    let oracle = try ModelOracle("deit-distilled-timm")
    var c = small()
    c.distilled = true
    let weights = Weights(oracle.weights)
    let model = try ViT(c, weights)
    try weights.finish()
    try oracle.check(model)
    #expect(model.tokenLayout == TokenLayout(hasClassToken: true, registers: 1, patch: 8))
    let heads = (try oracle.tensor("site/head"), try oracle.tensor("site/head_dist"))
    let gap = ModelOracle.difference((heads.0 + heads.1) / 2, try oracle.tensor("output"))
    #expect(gap < 1e-6 && ModelOracle.difference(heads.0, heads.1) > 0.1)
  }

  @Test("a distilled network without heads gives the mean of both tokens, and any grid of patches")
  func headless() throws {
    var c = small()
    (c.distilled, c.classes) = (true, 0)
    let model = try ViT(c, Weights(RandomWeights(seed: 3)))
    var normed = Tensor(Float(0))
    let tap = Tap(["norm"]) {
      normed = $0.value
      return nil
    }
    let images = RandomSource(seed: 4).normal([2, 3, 16, 32])
    _ = model(images, tap)
    let mean = normed.sliced(1, 0, 2).mean(over: [1])
    #expect(ModelOracle.difference(model(images, .off), mean) < 1e-5)
    #expect(normed.shape == [2, 2 + 2 * 4, 24])
  }

  @Test(
    "SigLIP agrees with timm, its pooling by attention included",
    arguments: [("siglip-timm", 0), ("siglip-timm-tanh", 10)])
  func siglip(fixture: String, classes: Int) throws {
    let oracle = try ModelOracle(fixture)
    var c = small()
    (c.width, c.mlpRatio, c.classes, c.pool) = (18, 3.7362, classes, .attention)
    c.activation = classes == 0 ? .gelu : .geluTanh
    let weights = Weights(oracle.weights)
    let model = try ViT(c, weights)
    try weights.finish()
    try oracle.check(model)
    #expect(model.tokenLayout == TokenLayout(hasClassToken: false, patch: 8))
    #expect(try site("blocks.0", of: model, 24).byDefault == .avg)
  }

  @Test("BEiT agrees with timm at the output, at every site and in the gradient")
  func beit() throws {
    let oracle = try ModelOracle("beit-timm")
    let weights = Weights(oracle.weights)
    let model = try Beit(beitConfiguration(), weights)
    try weights.finish()
    try oracle.check(model)
    #expect(model.fixedImageSize?.height == 24)
  }

  private func beitConfiguration() -> Beit.Configuration {
    var c = Beit.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (24, 8, 24, 2, 3, 10)
    c.inner = 96
    return c
  }

  @Test("MLP-Mixer agrees with timm at the output, at every site and in the gradient")
  func mixer() throws {
    let oracle = try ModelOracle("mixer-timm")
    var c = Mixer.Configuration(patch: 8, width: 24, depth: 2)
    (c.imageSize, c.classes) = (24, 10)
    let weights = Weights(oracle.weights)
    let model = try Mixer(c, weights)
    try weights.finish()
    try oracle.check(model)
    let (mixed, _) = try site("blocks.0.mlp_tokens.fc1", of: model, 24)
    #expect(mixed.kind == .mixed)
    #expect(try Tokens.flat.width(at: mixed, model.tokenLayout, imageSize: (24, 24)) == 24 * 12)
    for tokens in [Tokens.avg, .all, .cls, .grid(1), .token(0)] {
      #expect(throws: ModelError.self) {
        try tokens.check(at: mixed, model.tokenLayout, imageSize: (24, 24))
      }
    }
  }

  private func site(
    _ name: String, of model: any Model, _ side: Int
  ) throws -> (Site, byDefault: Tokens) {
    let site = try #require(
      model.sites(height: side, width: side).first { $0.name == name }, "\(name)")
    return (site, Tokens.byDefault(at: site, model.tokenLayout))
  }

  private func eva(split: Bool) -> Eva.Configuration {
    var c = Eva.Configuration(RotaryPositions(.counted, grid: 2, temperature: 10_000))
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (21, 7, 24, 2, 3, 10)
    (c.inner, c.mlp, c.splitsQKV, c.normalisesInside) = (64, split ? .split : .packed, split, split)
    return c
  }

  private func dinov3(gated: Bool) -> Eva.Configuration {
    var c = Eva.Configuration(RotaryPositions(.centred, temperature: 100))
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (21, 7, 24, 2, 3, 0)
    (c.epsilon, c.registers, c.qkvBias, c.layerScale) = (1e-5, 2, gated, true)
    (c.embedsPositions, c.normalisesMean) = (false, false)
    (c.inner, c.mlp) = gated ? (72, .split) : (96, .plain)
    return c
  }

  @Test(
    "EVA-02 agrees with timm, packed and split, on its own grid and on another",
    arguments: ["eva02-timm", "eva02-split-timm"])
  func eva02(fixture: String) throws {
    let oracle = try ModelOracle(fixture)
    let weights = Weights(oracle.weights)
    let model = try Eva(eva(split: fixture.contains("split")), weights)
    try weights.finish()
    try oracle.check(model)
  }

  @Test(
    "DINOv3 agrees with timm, plain and gated, with and without biases",
    arguments: ["dinov3-timm", "dinov3-swiglu-timm"])
  func dinov3(fixture: String) throws {
    let oracle = try ModelOracle(fixture)
    let weights = Weights(oracle.weights)
    let model = try Eva(dinov3(gated: fixture.contains("swiglu")), weights)
    try weights.finish()
    try oracle.check(model)
    #expect(model.tokenLayout == TokenLayout(hasClassToken: true, registers: 2, patch: 7))
  }

  @Test("DINOv3 is recognised under its authors' names")
  func dinov3Own() throws {
    let oracle = try ModelOracle("dinov3-swiglu-timm")
    var held = ["mask_token": Tensor.zeros([1, 24]), "rope_embed.periods": Tensor.ones([2])]
    for name in oracle.weights.names {
      let value = try #require(try oracle.weights.tensor(name))
      var their = name
      for (ours, theirs) in [
        ("reg_token", "storage_tokens"), ("gamma_1", "ls1.gamma"), ("gamma_2", "ls2.gamma"),
        ("mlp.fc1_g", "mlp.w1"), ("mlp.fc1_x", "mlp.w2"), ("mlp.fc2", "mlp.w3"),
      ] { their = their.replacing(ours, with: theirs) }
      if name.hasSuffix("q_bias") {
        let last = try #require(try oracle.weights.tensor(name.replacing("q_bias", with: "v_bias")))
        // The keys' bias is masked away, whatever it is.
        held[name.replacing("q_bias", with: "qkv.bias")] = Tensor.concatenated(
          [value, Tensor.ones([24]), last], 0)
        held[name.replacing("q_bias", with: "qkv.bias_mask")] = Tensor.ones([72])
      } else if !name.hasSuffix("v_bias") {
        held[their] = value
      }
    }
    let source = HeldWeights(held, label: "w")
    let c = dinov3(gated: true)
    let weights = Weights(Eva.recognised(source, c))
    let model = try Eva(c, weights)
    try weights.finish()
    let found = model(try oracle.tensor("input"), .off)
    #expect(ModelOracle.difference(found, try oracle.tensor("output")) < ModelOracle.tolerance)
    held["blocks.0.attn.qkv.bias"] = Tensor.ones([73])
    #expect(
      throws: ModelError.shape(
        name: "blocks.0.attn.qkv.bias", expected: [72], found: [73], file: "w")
    ) { try Eva(c, Weights(Eva.recognised(HeldWeights(held, label: "w"), c))) }
  }

  @Test("MAE with its decoder and DINO's teacher with its projection head are recognised")
  func selfSupervised() throws {
    let oracle = try ModelOracle("vit-timm")
    var c = small()
    c.classes = 0
    var encoder: [String: Tensor] = [:]
    for name in oracle.weights.names where !name.hasPrefix("head.") {
      encoder[name] = try oracle.weights.tensor(name)
    }
    let expected = try oracle.tensor("site/norm").selected(1, 0)
    let extra = [
      "mask_token": Tensor.zeros([1, 1, 24]), "decoder_pos_embed": Tensor.zeros([1, 10, 12]),
      "decoder_blocks.0.attn.qkv.weight": Tensor.zeros([36, 12]),
    ]
    var checkpoints = [encoder.merging(extra) { first, _ in first }]
    for prefix in ["backbone.", "module.backbone."] {
      var held = Dictionary(uniqueKeysWithValues: encoder.map { (prefix + $0.key, $0.value) })
      let head = prefix.replacing("backbone.", with: "head.")
      held[head + "mlp.0.weight"] = Tensor.zeros([8, 24])
      held[head + "last_layer.weight_g"] = Tensor.zeros([8, 1])
      checkpoints.append(held)
    }
    for held in checkpoints {
      let weights = Weights(ViT.recognised(HeldWeights(held, label: "w"), c))
      let model = try ViT(c, weights)
      try weights.finish()
      let found = model(try oracle.tensor("input"), .off)
      #expect(ModelOracle.difference(found, expected) < ModelOracle.tolerance)
    }
  }

  @Test("parameters of every family are refused by name and shape, never a trap")
  func hostile() throws {
    let makers: [(String, (Weights) throws -> any Model)] = [
      ("beit-timm", { try Beit(beitConfiguration(), $0) }),
      ("eva02-split-timm", { try Eva(eva(split: true), $0) }),
      ("dinov3-swiglu-timm", { try Eva(dinov3(gated: true), $0) }),
    ]
    for (fixture, make) in makers {
      let oracle = try ModelOracle(fixture)
      var all: [String: Tensor] = [:]
      for name in oracle.weights.names { all[name] = try oracle.weights.tensor(name) }
      for name in all.keys {
        for shape in [nil, [], [0], [1], [3, 5], [1, 1, 2, 2]] as [[Int]?] {
          var held = all
          held[name] = shape.map { Tensor.ones($0) }
          let error = #expect(throws: ModelError.self, "\(name) \(String(describing: shape))") {
            try make(Weights(HeldWeights(held, label: "w")))
          }
          #expect(error?.description.contains(name) == true)
        }
      }
    }
  }
}
