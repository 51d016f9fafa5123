import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("Loading by name, file and folder")
struct CatalogLoadingTests {
  /// Parameters of MobileNetV2, as a checkpoint holds them.
  private static func mobileNet(seed: UInt64 = 7, classes: Int = 1000) throws -> [(
    name: String, tensor: Tensor
  )] {
    let recorder = ShapeRecorder()
    _ = try MobileNetV2.standard.make(Weights(recorder))
    var tensors: [(name: String, tensor: Tensor)] = []
    for (name, asked) in recorder.shapes.sorted(by: { $0.key < $1.key }) {
      let shape = name.hasPrefix("classifier.") ? [classes] + asked.dropFirst() : asked
      let values = RandomSource(seed: seed + 1000 * UInt64(tensors.count)).normal(shape) * 0.1
      let isVariance = name.hasSuffix("running_var")
      tensors.append((name: name, tensor: isVariance ? values.squared() + 0.5 : values))
    }
    return tensors
  }

  /// What the network computes with those parameters.
  private static func expected() throws -> Tensor {
    var held: [String: Tensor] = [:]
    for (name, tensor) in try mobileNet() { held[name] = tensor }
    let weights = Weights(HeldWeights(held, label: "held"))
    let model = try MobileNetV2(.standard, weights)
    return model(image, .off)
  }

  private static let image = RandomSource(seed: 3).normal([2, 3, 64, 64])

  private func output(_ model: LoadedModel) -> Tensor { model.model(Self.image, .off) }

  /// A transformers folder of a miniature model: its own `config.json` and weights, and what it computes.
  private func miniature(_ name: String, in folder: TemporaryFolder, config: String? = nil) throws
    -> ModelOracle
  {
    let oracle = try ModelOracle(name)
    let text = try #require(oracle.file.metadata["config"])
    try folder.write(Array((config ?? text).utf8), "config.json")
    let tensors = try oracle.weights.names.sorted().map { name in
      (name: name, tensor: try #require(try oracle.weights.tensor(name)))
    }
    try Safetensors.write(tensors, to: folder.file("model.safetensors"))
    return oracle
  }

  private func problem(_ folder: TemporaryFolder) -> String {
    let error = #expect(throws: (any Error).self) { try Catalog.load(.folder(folder.path)) }
    return error.map { "\($0)" } ?? ""
  }

  @Test("classes are called as a configuration calls them, unless it has only placeholders")
  func labels() throws {
    let folder = try TemporaryFolder()
    let text = try #require(try ModelOracle("vit-hf").file.metadata["config"])
    let parsed = try JSONSerialization.jsonObject(with: Data(text.utf8))
    var config = try #require(parsed as? [String: Any])
    func names(_ table: [String: Any]?) throws -> [String]? {
      config["id2label"] = table
      let data = try JSONSerialization.data(withJSONObject: config)
      _ = try miniature("vit-hf", in: folder, config: String(decoding: data, as: UTF8.self))
      return try Catalog.load(.folder(folder.path)).classNames
    }
    #expect(try names(["0": "cat", "1": "dog"]) == ["cat", "dog"])
    #expect(try names(["0": "LABEL_0", "1": "LABEL_1"]) == nil)
    #expect(try names(["0": "cat", "2": "dog"]) == nil)
    #expect(try names(["0": 3]) == nil)
    #expect(try names(nil) == nil)
    #expect(
      ClassLabels.names([
        "label_names": ["n01", "n02"], "label_descriptions": ["n01": "tench, a fish"],
      ]) == ["tench, a fish", "n02"])
    #expect(ClassLabels.names(["pretrained_cfg": ["label_names": ["a"]]]) == ["a"])
    #expect(ClassLabels.names(["label_names": [1, 2]]) == nil)
  }

  @Test("made-up weights are the same for the same seed, and others for another")
  func random() throws {
    func load(_ seed: UInt64) throws -> LoadedModel {
      try Catalog.load(.name("mobilenetv2_100"), randomWeights: seed)
    }
    let (a, b, c) = (try load(1), try load(1), try load(2))
    #expect(output(a).bytes() == output(b).bytes())
    #expect(ModelOracle.difference(output(a), output(c)) > 1e-2)
    #expect(a.fingerprint == b.fingerprint && a.fingerprint != c.fingerprint)
    #expect(a.name == "mobilenetv2_100-random")
    #expect(a.summary.contains("untrained") && a.origin == "random weights, seed 1")
    #expect(a.licence == nil && a.caveat == nil)
    #expect(a.parameterCount == 3_504_872)
    #expect(a.parameterCount(under: "classifier") == 1_281_000)
    // A pretrained entry with made-up weights says nothing of the trained ones.
    let clip = try Catalog.load(.name("dinov2-small-saliency"), randomWeights: 1)
    #expect(clip.caveat == nil && clip.licence == nil && clip.name.hasSuffix("-random"))
  }

  @Test("NAME=PATH gives an architecture the weights of a file, whatever the file's form")
  func file() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("mine.safetensors")
    try Safetensors.write(Self.mobileNet(), to: path)
    let loaded = try Catalog.load(.file(name: "mobilenet_v2", path: path))
    let expected = try Self.expected()
    #expect(output(loaded).bytes() == expected.bytes())
    #expect(loaded.name == "mobilenetv2_100" && loaded.origin == path)
    #expect(loaded.licence == nil && loaded.caveat == nil)
    // Other contents are another model, to caches too.
    try Safetensors.write(Self.mobileNet(seed: 8), to: path)
    #expect(
      try Catalog.load(.file(name: "mobilenetv2_100", path: path)).fingerprint
        != loaded.fingerprint)
    let error = #expect(throws: ModelError.self) {
      try Catalog.load(.file(name: "resnet18", path: path))
    }
    guard case .missingParameter(name: "conv1.weight", _, path)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("a classifier that was trained anew keeps its own number of classes")
  func fineTuned() throws {
    let folder = try TemporaryFolder()
    try Safetensors.write(Self.mobileNet(classes: 5), to: folder.file("model.safetensors"))
    try folder.write(Array(#"{"architecture": "mobilenetv2_100"}"#.utf8), "config.json")
    #expect(try output(Catalog.load(.folder(folder.path))).shape == [2, 5])
  }

  @Test("a folder of timm's is read: architecture with its tag, preprocessing, one file or shards")
  func timm() throws {
    let folder = try TemporaryFolder()
    let config = """
      {"architecture": "mobilenetv2_100.ra_in1k", "num_classes": 1000, "pretrained_cfg": {"tag": "ra_in1k",
       "input_size": [3, 96, 64], "crop_pct": 0.5, "interpolation": "bilinear", "mean": [0, 0.25, 0.5],
       "std": [1, 0.5, 0.25]}}
      """
    try folder.write(Array(config.utf8), "config.json")
    let tensors = try Self.mobileNet()
    try Safetensors.write(tensors, to: folder.file("model.safetensors"))
    let whole = try Catalog.load(.folder(folder.path + "/"))
    #expect(whole.name == folder.url.lastPathComponent && whole.family == "MobileNet")
    let preprocessing = try Preprocessing(json: whole.preprocessing)
    #expect(preprocessing.height == 96 && preprocessing.width == 64)
    #expect(preprocessing.mean == [0, 0.25, 0.5] && preprocessing.std == [1, 0.5, 0.25])
    let expected = try Self.expected()
    #expect(output(whole).bytes() == expected.bytes())

    try FileManager.default.removeItem(atPath: folder.file("model.safetensors"))
    let names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    var map: [String: String] = [:]
    for (place, name) in names.enumerated() {
      let part = tensors.enumerated().filter { $0.offset % 2 == place }.map(\.element)
      try Safetensors.write(part, to: folder.file(name))
      for tensor in part { map[tensor.name] = name }
    }
    let index = try JSONEncoder().encode(["weight_map": map])
    try folder.write([UInt8](index), "model.safetensors.index.json")
    let sharded = try Catalog.load(.folder(folder.path))
    #expect(output(sharded).bytes() == expected.bytes())
    #expect(sharded.fingerprint != whole.fingerprint)
    try FileManager.default.removeItem(atPath: folder.file(names[1]))
    #expect(problem(folder).contains(names[1]))
  }

  @Test(
    "a folder of transformers' is read as its config.json says, and computes what transformers does",
    arguments: ["vit-hf", "clip-hf", "dinov2-hf", "dinov2-registers-hf"])
  func transformers(name: String) throws {
    let folder = try TemporaryFolder()
    let oracle = try miniature(name, in: folder)
    let loaded = try Catalog.load(.folder(folder.path))
    #expect(loaded.family == "ViT" && loaded.name == folder.url.lastPathComponent)
    #expect(loaded.origin == folder.path)
    let expected = try name == "dinov2-hf" ? oracle.tensor("pooled") : oracle.tensor("output")
    let found = loaded.model(try oracle.tensor("input"), .off)
    // The image's grid is another than the weights'; how positions are resized there is tested with the names.
    if name != "dinov2-registers-hf" {
      #expect(ModelOracle.difference(found, expected) < ModelOracle.tolerance)
    }
    #expect(found.shape == expected.shape)
    _ = try Preprocessing(json: loaded.preprocessing)
  }

  @Test("a processor's description beside the weights goes before what the kind of model has")
  func processor() throws {
    let folder = try TemporaryFolder()
    _ = try miniature("vit-hf", in: folder)
    let text = """
      {"do_resize": true, "size": {"height": 24, "width": 24}, "resample": 2, "do_normalize": true,
       "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}
      """
    try folder.write(Array(text.utf8), "preprocessor_config.json")
    let loaded = try Catalog.load(.folder(folder.path))
    #expect(try Preprocessing(json: loaded.preprocessing).mean == [0.1, 0.2, 0.3])
    #expect(loaded.caveat == nil)
    // transformers 5 puts it into another file, which it reads first.
    let new =
      #"{"processor_class": "CLIPProcessor", "image_processor": \#(text.replacing("0.1", with: "0.7"))}"#
    try folder.write(Array(new.utf8), "processor_config.json")
    let newer = try Catalog.load(.folder(folder.path))
    #expect(try Preprocessing(json: newer.preprocessing).mean == [0.7, 0.2, 0.3])
    for file in ["processor_config.json", "preprocessor_config.json"] {
      try FileManager.default.removeItem(atPath: folder.file(file))
    }
    // Without either, results carry a word of it.
    #expect(try Catalog.load(.folder(folder.path)).caveat?.contains("no file says") == true)
  }

  @Test(
    "a folder lacks something, or holds what cannot be read: the error names the file and the key")
  func refused() throws {
    let folder = try TemporaryFolder()
    #expect(problem(folder).contains("config.json: is missing"))
    let cases = [
      ("", "is no JSON object"), ("{", "is no JSON object"), ("[]", "is no JSON object"),
      ("{}", "neither timm's 'architecture' nor transformers' 'model_type'"),
      (String(repeating: "[", count: 100_000), "is no JSON object"),
      (
        #"{"model_type": "llama"}"#,
        "model_type 'llama' has no architecture here; expected one of vit"
      ),
      (#"{"model_type": 5}"#, "neither timm's"),
      (#"{"architecture": "nosuchnet_tiny.fb_in1k"}"#, "no model is called 'nosuchnet_tiny'"),
      (#"{"model_type": "vit", "hidden_size": "wide"}"#, "'hidden_size': expected a whole number"),
      (#"{"model_type": "vit", "hidden_size": 1e30}"#, "'hidden_size': expected a whole number"),
      (#"{"model_type": "vit", "num_hidden_layers": -1}"#, "'num_hidden_layers'"),
      (#"{"model_type": "vit", "num_attention_heads": 7}"#, "7 heads do not divide a width of 768"),
      (#"{"model_type": "vit", "hidden_act": "relu"}"#, "'hidden_act' is 'relu'"),
      (#"{"model_type": "dinov2", "use_swiglu_ffn": true}"#, "'use_swiglu_ffn'"),
      (#"{"model_type": "vit"}"#, "a folder without a checkpoint; expected model.safetensors"),
      (#"{"architecture": "resnet18"}"#, "a folder without a checkpoint"),
    ]
    for (config, part) in cases {
      try folder.write(Array(config.utf8), "config.json")
      let found = problem(folder)
      #expect(found.contains(part), "\(config.prefix(80)): \(found)")
      #expect(!found.contains("\n"))
    }
  }

  @Test("weights that are not those of the config.json are refused with the parameter's name")
  func mismatch() throws {
    let folder = try TemporaryFolder()
    let own = try #require(try ModelOracle("vit-hf").file.metadata["config"])
    let deeper = own.replacing("\"num_hidden_layers\": 2", with: "\"num_hidden_layers\": 3")
    _ = try miniature("vit-hf", in: folder, config: deeper)
    // `blocks.2.…`, or what transformers calls it.
    #expect(problem(folder).contains(".2."))
    let shallower = own.replacing("\"num_hidden_layers\": 2", with: "\"num_hidden_layers\": 1")
    try folder.write(Array(shallower.utf8), "config.json")
    #expect(problem(folder).contains("that the architecture does not have"))
    try folder.write(Array("not safetensors".utf8), "model.safetensors")
    try folder.write(Array(own.utf8), "config.json")
    #expect(problem(folder).contains("model.safetensors"))
  }
}
