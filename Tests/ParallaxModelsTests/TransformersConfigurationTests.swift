import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("What config.json says")
struct TransformersConfigurationTests {
  private func model(_ kind: String, _ keys: [String: Any]) throws -> ViT {
    // Two narrow blocks, unless the keys say otherwise.
    let small: [String: Any] = [
      "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 20,
      "mlp_ratio": 2,
    ]
    let given = small.merging(keys) { $1 }.filter { !($0.value is NSNull) }
    let description = TransformersConfiguration(kind: kind, keys: given, file: "config.json")
    let made = try description.architecture().make(Weights(RandomWeights(seed: 1)))
    return try #require(made as? ViT)
  }

  @Test(
    "keys that are missing have the defaults of transformers' classes",
    arguments: [
      ("vit", 16), ("clip_vision_model", 32), ("dinov2", 14), ("dinov2_with_registers", 16),
    ])
  func defaults(kind: String, patch: Int) throws {
    let c = try model(kind, [:]).configuration
    #expect(c.imageSize == 224 && c.patch == patch)
    #expect(c.registers == (kind == "dinov2_with_registers" ? 4 : 0))
    #expect(c.epsilon == (kind == "vit" ? 1e-12 : kind.hasPrefix("clip") ? 1e-5 : 1e-6))
  }

  @Test("positions are resized as transformers resizes them, a kind at a time")
  func positions() throws {
    for kind in TransformersConfiguration.vits.map(\.kind) {
      let isWhole = kind == "clip" || kind == "siglip"
      let c = try model(kind, isWhole ? ["vision_config": ["hidden_size": 12]] : [:])
        .configuration
      #expect(c.positions == (kind == "dinov2_with_registers" ? .antialiased : .plain), "\(kind)")
    }
  }

  @Test("the MLP is as wide as it says, also where the ratio is no whole number")
  func inner() throws {
    for (width, heads, inner) in [(12, 3, 20), (192, 3, 1000), (49, 7, 48), (12, 3, 5)] {
      let c = try model(
        "vit", ["hidden_size": width, "num_attention_heads": heads, "intermediate_size": inner]
      ).configuration
      #expect(Int(Double(c.width) * c.mlpRatio) == inner)
    }
    #expect(try model("dinov2", ["mlp_ratio": 3]).configuration.mlpRatio == 3)
    #expect(try model("vit", ["intermediate_size": NSNull()]).configuration.mlpRatio == 256)
  }

  @Test("sizes that are no sizes, or beyond any machine, are refused with the key")
  func hostile() {
    let huge = Int.max
    let cases: [(String, [String: Any], String)] = [
      ("dinov2", ["mlp_ratio": huge], "mlp_ratio"), ("dinov2", ["mlp_ratio": 2.5], "mlp_ratio"),
      ("dinov2", ["mlp_ratio": -1], "mlp_ratio"), ("vit", ["hidden_size": huge], "hidden_size"),
      ("vit", ["hidden_size": 0], "hidden_size"), ("vit", ["hidden_size": "12"], "hidden_size"),
      ("vit", ["intermediate_size": huge], "intermediate_size"),
      ("vit", ["num_hidden_layers": huge], "num_hidden_layers"),
      ("vit", ["num_attention_heads": huge], "num_attention_heads"),
      ("vit", ["num_attention_heads": 5], "heads"), ("vit", ["image_size": huge], "image_size"),
      ("vit", ["image_size": [224, 224]], "image_size"), ("vit", ["patch_size": 1e300], "patch"),
      ("vit", ["patch_size": 225], "patches"), ("vit", ["patch_size": 1], "patches"),
      ("vit", ["image_size": 230], "patches"), ("vit", ["layer_norm_eps": -1.0], "layer_norm_eps"),
      ("dinov2_with_registers", ["num_register_tokens": huge], "num_register_tokens"),
      ("vit", ["hidden_size": 65_536, "num_attention_heads": 64, "num_hidden_layers": 4096], "GB"),
      ("dinov2", ["use_swiglu_ffn": true], "use_swiglu_ffn"),
      ("vit", ["hidden_act": "relu"], "hidden_act"), ("bert", [:], "bert"),
    ]
    for (kind, keys, word) in cases {
      let error = #expect(throws: ModelError.self, "\(kind) \(keys)") { try model(kind, keys) }
      let sentence = error?.description ?? ""
      #expect(sentence.hasPrefix("config.json: ") && sentence.contains(word), "\(sentence)")
      #expect(!sentence.contains("\n"))
    }
  }

  @Test(
    "an architecture that is no name, and a configuration that is none, are refused with the file",
    arguments: [
      "{\"architecture\": \"\"}", "{\"architecture\": \".\"}", "{\"architecture\": \"...\"}",
      "{\"architecture\": 3}", "{}", "[]", "", "{\"model_type\": \"\"}",
      String(repeating: "[", count: 100_000),
    ])
  func folder(text: String) throws {
    let folder = try TemporaryFolder()
    try folder.write(Array(text.utf8), "config.json")
    for seed in [nil, UInt64(1)] {
      let error = #expect(throws: ModelError.self) {
        try Catalog.load(.folder(folder.path), randomWeights: seed)
      }
      #expect(error?.description.hasPrefix(folder.path + "/config.json: ") == true)
    }
  }

  @Test("a processor's description that cannot be read is refused, and so is a missing folder")
  func unreadable() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      Array("{\"model_type\": \"vit\", \"hidden_size\": 12}".utf8), "config.json")
    try folder.write([1], "preprocessor_config.json/inside")
    let error = #expect(throws: ModelError.self) {
      try Catalog.load(.folder(folder.path), randomWeights: 1)
    }
    #expect(error?.description.contains("preprocessor_config.json: cannot be read") == true)
    #expect(throws: ModelError.self) { try Catalog.load(.folder(folder.file("nowhere"))) }
  }
}
