import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("Foreign names of Vision Transformers")
struct CheckpointNamesTests {
  private func small() -> ViT.Configuration {
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (24, 8, 24, 2, 3, 10)
    return c
  }

  private func clip() -> ViT.Configuration {
    var c = small()
    (c.classes, c.preNorm, c.activation, c.epsilon, c.headBias) = (
      12, true, .quickGELU, 1e-5, false
    )
    return c
  }

  private func dino() -> ViT.Configuration {
    var c = small()
    (c.imageSize, c.patch, c.classes, c.layerScale, c.positions) = (35, 7, 0, true, .plain)
    return c
  }

  private func model(_ source: any WeightSource, _ c: ViT.Configuration) throws -> ViT {
    let weights = Weights(ViT.recognised(source, c))
    let model = try ViT(c, weights)
    try weights.finish { $0.hasSuffix("mask_token") }
    return model
  }

  @Test("transformers' CLIP tower agrees at the output, at every site and in the gradient")
  func hubCLIP() throws {
    let oracle = try ModelOracle("clip-hf")
    let model = try model(oracle.weights, clip())
    // Modules that transformers does not have, or calls with the class token alone.
    try oracle.check(model, besides: ["patch_embed", "norm"])
    var pooled = Tensor(Float(0))
    let tap = Tap(["norm"]) {
      pooled = $0.value.selected(1, 0)
      return nil
    }
    _ = model(try oracle.tensor("input"), tap)
    #expect(ModelOracle.difference(pooled, try oracle.tensor("pooled")) < ModelOracle.tolerance)
  }

  @Test(
    "transformers' DINOv2 agrees at every site, with its own resizing of positions",
    arguments: ["dinov2-hf", "dinov2-hf-square"])
  func hubDINO(fixture: String) throws {
    let oracle = try ModelOracle(fixture)
    let model = try model(oracle.weights, dino())
    try oracle.check(model)
    let input = try oracle.tensor("input")
    let positions = model.resized(input.shape[2] / 7, input.shape[3] / 7)
    let gap = ModelOracle.difference(positions, try oracle.tensor("pos_embed.resized"))
    #expect(gap < 1e-6)
    let output = ModelOracle.difference(model(input, .off), try oracle.tensor("pooled"))
    #expect(output < ModelOracle.tolerance)
  }

  @Test("the two ways of resizing positions differ, so that the fixtures tell them apart")
  func resizing() throws {
    let oracle = try ModelOracle("dinov2-hf")
    var c = dino()
    let plain = try model(oracle.weights, c).resized(2, 3)
    c.positions = .antialiased
    let antialiased = try model(oracle.weights, c).resized(2, 3)
    #expect(ModelOracle.difference(antialiased, plain) > 1e-2)
  }

  /// The oracle's parameters under other names.
  private func renamed(
    _ oracle: ModelOracle, _ table: [(String, String)], prefix: String = "",
    splitting: [String] = [], more: [String: Tensor] = [:],
    change: (String, Tensor) -> Tensor = { $1 }
  ) throws -> HeldWeights {
    var held = more
    for name in oracle.weights.names {
      let value = try #require(try oracle.weights.tensor(name))
      if !splitting.isEmpty, let range = name.range(of: "attn.qkv.") {
        let (d, kind) = (value.shape[0] / 3, name[range.upperBound...])
        for (index, part) in splitting.enumerated() {
          var their = name[..<range.lowerBound] + part + "." + kind
          for (ours, theirs) in table { their = Substring(their.replacing(ours, with: theirs)) }
          held[prefix + their] = value.sliced(0, index * d, (index + 1) * d)
        }
        continue
      }
      var their = name
      for (ours, theirs) in table { their = their.replacing(ours, with: theirs) }
      held[their.hasPrefix("/") ? String(their.dropFirst()) : prefix + their] = change(name, value)
    }
    return HeldWeights(held, label: "w")
  }

  private func expectSame(_ source: any WeightSource, _ oracle: ModelOracle, _ c: ViT.Configuration)
    throws
  {
    let input = try oracle.tensor("input")
    let found = try model(source, c)(input, .off)
    let gap = ModelOracle.difference(found, try oracle.tensor("output"))
    #expect(gap < ModelOracle.tolerance)
  }

  @Test(
    "transformers' ViT for classification is recognised, and its pooler is dropped",
    arguments: ["vit.", ""])
  func hubViT(prefix: String) throws {
    let oracle = try ModelOracle("vit-timm")
    let table = [
      ("patch_embed.proj", "embeddings.patch_embeddings.projection"),
      ("cls_token", "embeddings.cls_token"), ("pos_embed", "embeddings.position_embeddings"),
      ("blocks.", "encoder.layer."), ("norm1", "layernorm_before"), ("norm2", "layernorm_after"),
      ("attn.proj", "attention.output.dense"), ("mlp.fc1", "intermediate.dense"),
      ("mlp.fc2", "output.dense"), ("head.", "/classifier."),
    ]
    let parts = ["query", "key", "value"].map { "attention.attention.\($0)" }
    let foreign = try renamed(
      oracle, table, prefix: prefix, splitting: parts,
      more: [prefix + "pooler.dense.weight": Tensor.ones([24, 24])])
    // timm's final norm is called like the norms inside the blocks, but for the number.
    var held: [String: Tensor] = [:]
    for name in foreign.names {
      let value = try #require(try foreign.tensor(name))
      held[
        name == prefix + "norm.weight" || name == prefix + "norm.bias"
          ? prefix + "layernorm." + (name.split(separator: ".").last ?? "") : name] = value
    }
    try expectSame(HeldWeights(held, label: "w"), oracle, small())
  }

  @Test("open_clip's and OpenAI's names are recognised, and the text tower is dropped")
  func openCLIP() throws {
    let oracle = try ModelOracle("clip-hf")
    let c = clip()
    let own = ViT.recognised(oracle.weights, c)
    var held: [String: Tensor] = [
      "logit_scale": Tensor(Float(1)), "positional_embedding": Tensor.ones([7, 5]),
      "text_projection": Tensor.ones([5, 5]), "token_embedding.weight": Tensor.ones([9, 5]),
      "transformer.resblocks.0.attn.in_proj_weight": Tensor.ones([15, 5]),
      "ln_final.weight": Tensor.ones([5]),
    ]
    for name in own.names {
      let value = try #require(try own.tensor(name))
      var their = name
      for (ours, theirs) in [
        ("patch_embed.proj", "conv1"), ("norm_pre", "ln_pre"),
        ("blocks.", "transformer.resblocks."),
        ("norm1", "ln_1"), ("norm2", "ln_2"), ("attn.qkv.", "attn.in_proj_"),
        ("attn.proj", "attn.out_proj"), ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"),
        ("cls_token", "class_embedding"), ("pos_embed", "positional_embedding"),
        ("head.weight", "proj"),
      ] { their = their.replacing(ours, with: theirs) }
      if their.hasPrefix("norm.") { their = their.replacing("norm.", with: "ln_post.") }
      switch name {
      case "head.weight": held["visual." + their] = value.transposed(0, 1)
      case "cls_token", "pos_embed": held["visual." + their] = value.squeezed(0)
      default: held["visual." + their] = value
      }
    }
    held["visual.class_embedding"] = held["visual.class_embedding"]?.reshaped(24)
    try expectSame(HeldWeights(held, label: "w"), oracle, c)
  }

  private func registers() -> ViT.Configuration {
    var c = dino()
    (c.registers, c.positions) = (2, .antialiased)
    return c
  }

  @Test("DINOv2's form with registers agrees with timm at every site")
  func registersTimm() throws {
    let oracle = try ModelOracle("vit-registers-timm")
    try oracle.check(try model(oracle.weights, registers()))
  }

  @Test("DINOv2 with registers is recognised under its authors' names")
  func registersOwn() throws {
    let oracle = try ModelOracle("vit-registers-timm")
    var held: [String: Tensor] = ["mask_token": Tensor.zeros([1, 24])]
    for name in oracle.weights.names {
      held[name == "reg_token" ? "register_tokens" : name] = try oracle.weights.tensor(name)
    }
    // timm has added the class token's position to the token; here it is apart.
    let (place, token) = (Tensor.ones([1, 1, 24]) * 0.25, try #require(held["cls_token"]))
    held["cls_token"] = token - place
    held["pos_embed"] = Tensor.concatenated([place, try #require(held["pos_embed"])], 1)
    try expectSame(HeldWeights(held, label: "w"), oracle, registers())
  }

  @Test("transformers' DINOv2 with registers and its ViT agree after every block and at the output")
  func hubBlocks() throws {
    for (fixture, c) in [("dinov2-registers-hf", registers()), ("vit-hf", hubClassifier())] {
      let oracle = try ModelOracle(fixture)
      let model = try model(oracle.weights, c)
      var seen: [String: Tensor] = [:]
      let tap = Tap(nil) {
        seen[$0.site] = $0.value
        return nil
      }
      let output = model(try oracle.tensor("input"), tap)
      for (index, site) in ["pos_drop", "blocks.0", "blocks.1"].enumerated() {
        let found = try #require(seen[site])
        let gap = ModelOracle.difference(found, try oracle.tensor("hidden_states.\(index)"))
        #expect(gap < ModelOracle.tolerance, "\(fixture) \(site)")
      }
      let gap = ModelOracle.difference(output, try oracle.tensor("output"))
      #expect(gap < ModelOracle.tolerance, "\(fixture)")
    }
  }

  private func hubClassifier() -> ViT.Configuration {
    var c = small()
    (c.epsilon, c.positions) = (1e-12, .plain)
    return c
  }

  @Test("queries, keys and values that do not fit together are refused by shape, not joined")
  func oddParts() throws {
    let oracle = try ModelOracle("clip-hf")
    var held: [String: Tensor] = [:]
    for name in oracle.weights.names { held[name] = try oracle.weights.tensor(name) }
    let part = "vision_model.encoder.layers.1.self_attn.k_proj.weight"
    held[part] = Tensor.ones([24, 23])
    #expect(
      throws: ModelError.shape(
        name: part, expected: [24, 24], found: [24, 23], file: "w")
    ) { try model(HeldWeights(held, label: "w"), clip()) }
    held[part] = nil
    #expect(
      throws: ModelError.missingParameter(name: part, shape: [24, 24], file: "w")
    ) { try model(HeldWeights(held, label: "w"), clip()) }
  }

  @Test("hostile shapes of tokens and positions are refused, never a trap")
  func hostileShapes() throws {
    for (fixture, c) in [
      ("clip-hf", clip()), ("dinov2-hf", dino()), ("dinov2-registers-hf", registers()),
    ] {
      let oracle = try ModelOracle(fixture)
      for name in oracle.weights.names where !name.contains("mask_token") {
        for shape in [[], [1], [0], [3, 5], [1, 1, 2, 2], [2, 7, 24]] {
          var held: [String: Tensor] = [:]
          for other in oracle.weights.names { held[other] = try oracle.weights.tensor(other) }
          held[name] = Tensor.ones(shape)
          #expect(throws: ModelError.self, "\(name) \(shape)") {
            try model(HeldWeights(held, label: "w"), c)
          }
        }
      }
    }
  }
}
