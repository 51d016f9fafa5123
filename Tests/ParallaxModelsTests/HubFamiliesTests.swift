import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("Families under transformers' names and configurations")
struct HubFamiliesTests {
  private func keys(_ oracle: ModelOracle) throws -> [String: Any] {
    let text = try #require(oracle.file.metadata["config"])
    return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  private func architecture(_ keys: [String: Any]) throws -> Architecture {
    let kind = try #require(keys["model_type"] as? String)
    return try TransformersConfiguration(kind: kind, keys: keys, file: "config.json")
      .architecture()
  }

  private func model(
    _ oracle: ModelOracle, _ architecture: Architecture, _ source: any WeightSource
  ) throws -> any Model {
    let weights = Weights(architecture.recognise(source))
    let model = try architecture.make(weights)
    try weights.finish(harmless: Architecture.isHarmless)
    return model
  }

  private func held(_ oracle: ModelOracle) throws -> [String: Tensor] {
    var held: [String: Tensor] = [:]
    for name in oracle.weights.names { held[name] = try oracle.weights.tensor(name) }
    return held
  }

  /// The sites whose values transformers calls its hidden states.
  private static let blocks = ["pos_drop", "blocks.0", "blocks.1"]
  private static let stages = ["patch_embed", "layers.1.downsample", "layers.1"]

  @Test(
    "config.json and checkpoint give the output and the states between blocks of transformers",
    arguments: [
      ("deit-hf", blocks), ("deit-student-hf", blocks), ("mae-hf", blocks), ("beit-hf", blocks),
      ("siglip-hf", blocks), ("dinov3-hf", blocks), ("dinov3-gated-hf", blocks),
      ("swin-hf", stages), ("swinv2-hf", stages),
    ])
  func agree(fixture: String, states: [String]) throws {
    let oracle = try ModelOracle(fixture)
    let architecture = try architecture(try keys(oracle))
    let model = try model(oracle, architecture, oracle.weights)
    let input = try oracle.tensor("input")
    var seen: [String: Tensor] = [:]
    let tap = Tap(nil) {
      seen[$0.site] = $0.value
      return nil
    }
    for output in [model(input, tap), model(input, .off)] {
      let gap = ModelOracle.difference(output, try oracle.tensor("output"))
      #expect(gap < ModelOracle.tolerance, "output")
    }
    for (index, site) in states.enumerated() {
      let expected = try oracle.tensor("hidden_states.\(index)")
      let found = try #require(seen[site], "\(site)").reshaped(expected.shape)
      #expect(ModelOracle.difference(found, expected) < ModelOracle.tolerance, "\(site)")
    }
  }

  @Test(
    "a parameter that is missing or misshapen is named as the checkpoint has it, never a trap",
    arguments: [
      "deit-hf", "beit-hf", "siglip-hf", "dinov3-hf", "dinov3-gated-hf", "swin-hf", "swinv2-hf",
    ])
  func hostile(fixture: String) throws {
    let oracle = try ModelOracle(fixture)
    let (architecture, all) = (try architecture(try keys(oracle)), try held(oracle))
    for name in all.keys where !name.contains("mask_token") {
      for shape in [nil, [], [0], [3, 5], [1, 1, 2, 2]] as [[Int]?] {
        var held = all
        held[name] = shape.map { Tensor.ones($0) }
        // Without its first bias or head a network is another one, whose other parts are then surplus.
        #expect(throws: ModelError.self, "\(name) \(String(describing: shape))") {
          try model(oracle, architecture, HeldWeights(held, label: "w"))
        }
      }
    }
    for name in all.keys where name.contains(".1.") && name.hasSuffix("weight") {
      var held = all
      held[name] = nil
      let error = #expect(throws: ModelError.self, "\(name)") {
        try model(oracle, architecture, HeldWeights(held, label: "w"))
      }
      #expect(error?.description.contains(name) == true, "\(name): \(error?.description ?? "")")
    }
  }

  @Test("a whole SigLIP is its image tower, and the text tower is dropped")
  func wholeSigLIP() throws {
    let oracle = try ModelOracle("siglip-hf")
    let architecture = try architecture(
      ["model_type": "siglip", "vision_config": try keys(oracle)])
    var held = ["logit_scale": Tensor.ones([1]), "logit_bias": Tensor.ones([1])]
    held["text_model.embeddings.token_embedding.weight"] = Tensor.ones([9, 5])
    for (name, value) in try self.held(oracle) { held["vision_model.\(name)"] = value }
    let model = try model(oracle, architecture, HeldWeights(held, label: "w"))
    let found = model(try oracle.tensor("input"), .off)
    #expect(ModelOracle.difference(found, try oracle.tensor("output")) < ModelOracle.tolerance)
  }

  @Test("timm's tags in config.json: one that is an entry of its own is prepared as that one")
  func tags() throws {
    let folder = try TemporaryFolder()
    for (tag, name, mean) in [
      ("mae", "vit_base_patch16_224.mae", PreprocessingKeys.imageNetMean),
      ("augreg_in21k", "vit_base_patch16_224", ViT.halves),
    ] {
      let config = "{\"architecture\": \"vit_base_patch16_224.\(tag)\"}"
      try folder.write(Array(config.utf8), "config.json")
      let described = try HuggingFaceFolder(folder.path).described()
      #expect(described.architecture.name == name)
      #expect(described.architecture.preprocessing.mean == mean)
      let keys = try JSONDecoder().decode(PreprocessingKeys.self, from: described.preprocessing)
      #expect(keys.mean == mean)
    }
  }

  @Test("what these families have in one form only, and sizes beyond reason, are refused by key")
  func refused() throws {
    let cases: [(String, [String: Any], String)] = [
      ("beit", [:], "use_relative_position_bias"),
      (
        "beit", ["use_relative_position_bias": true, "use_mean_pooling": false], "use_mean_pooling"
      ),
      ("beit", ["image_size": 16384], "patches"),
      ("siglip_vision_model", ["vision_use_head": false], "vision_use_head"),
      ("swin", ["depths": [2, 2]], "num_heads"), ("swin", ["depths": [2, -1, 2, 2]], "depths"),
      ("swin", ["depths": "2"], "depths"), ("swin", ["window_size": 0], "window_size"),
      ("swin", ["embed_dim": 97], "heads"), ("swin", ["mlp_ratio": 1e9], "mlp_ratio"),
      ("swin", ["depths": Array(repeating: 1, count: 60)], "depths"),
      ("swin", ["hidden_act": "quick_gelu"], "hidden_act"),
      ("swin", ["use_absolute_embeddings": true], "use_absolute_embeddings"),
      ("swin", ["embed_dim": 12288, "depths": [2, 2, 256, 256]], "GB"),
      ("swin", ["image_size": 4096, "window_size": 64], "patches"),
      ("swin", ["mlp_ratio": "4"], "mlp_ratio"), ("swin", ["qkv_bias": "yes"], "qkv_bias"),
      ("swinv2", ["pretrained_window_sizes": [12]], "pretrained_window_sizes"),
      ("dinov3_vit", ["use_gated_mlp": true], "hidden_act"),
      ("dinov3_vit", ["key_bias": true], "key_bias"), ("dinov3_vit", ["rope_theta": 0.0], "rope"),
      ("dinov3_vit", ["hidden_size": 36], "multiple of 4"),
      ("dinov3_vit", ["num_register_tokens": -3], "num_register_tokens"),
    ]
    for (kind, keys, word) in cases {
      let error = #expect(throws: ModelError.self, "\(kind) \(keys)") {
        try architecture(keys.merging(["model_type": kind]) { $1 })
      }
      let sentence = error?.description ?? ""
      #expect(sentence.hasPrefix("config.json: ") && sentence.contains(word), "\(sentence)")
    }
  }
}
