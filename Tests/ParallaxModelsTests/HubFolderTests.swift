import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("Folders as the hub lays them out")
struct HubFolderTests {
  private func problem(_ folder: TemporaryFolder) -> String {
    let error = #expect(throws: (any Error).self) { try HuggingFaceFolder(folder.path).described() }
    return error.map { "\($0)" } ?? ""
  }

  private func described(_ config: String, in folder: TemporaryFolder) throws
    -> HuggingFaceFolder.Description
  {
    try folder.write(Array(config.utf8), "config.json")
    return try HuggingFaceFolder(folder.path).described()
  }

  @Test("timm's older config.json has the keys of preprocessing beside the architecture")
  func older() throws {
    let folder = try TemporaryFolder()
    let old = try described(
      """
      {"architecture": "resnet18", "num_classes": 1000, "num_features": 512, "input_size": [3, 96, 96],
       "interpolation": "bilinear", "crop_pct": 0.75, "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6],
       "first_conv": "conv1", "pool_size": null}
      """, in: folder)
    let own = try Preprocessing(json: old.preprocessing)
    #expect(own.height == 96 && own.resize == .shortestEdge(128) && own.mean == [0.1, 0.2, 0.3])
    #expect(own.interpolation == .bilinear && old.preprocessingFile == "config.json")
    // A pretrained_cfg without any of the keys says nothing; one with some has timm's defaults for the rest.
    let none = try described(
      #"{"architecture": "resnet18.a1_in1k", "pretrained_cfg": {"tag": "a1_in1k"}}"#, in: folder)
    #expect(none.preprocessingFile == nil)
    let usual = try Preprocessing(json: none.preprocessing)
    #expect(usual.height == 224)
    let some = try described(
      #"{"architecture": "resnet18", "pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "crop_pct": null}}"#,
      in: folder)
    #expect(try Preprocessing(json: some.preprocessing).mean == [0.5, 0.5, 0.5])
  }

  @Test("timm's model_args are applied where they can be, and refused by name where not")
  func arguments() throws {
    let folder = try TemporaryFolder()
    let large = try described(
      """
      {"architecture": "vit_tiny_patch16_224", "model_args": {"img_size": 384, "num_classes": 7,
       "drop_path_rate": 0.1, "in_chans": 3}}
      """, in: folder)
    let model = try #require(
      try large.architecture.make(Weights(RandomWeights(seed: 1))) as? ViT)
    #expect(model.configuration.imageSize == 384)
    #expect(large.architecture.preprocessing.inputSize == [3, 384, 384])
    #expect(try Preprocessing(json: large.preprocessing).height == 384)
    let square = try described(
      #"{"architecture": "vit_tiny_patch16_224", "model_args": {"img_size": [240, 240]}}"#,
      in: folder)
    #expect(square.architecture.preprocessing.inputSize == [3, 240, 240])
    let cases = [
      (#"{"global_pool": "avg"}"#, "'global_pool'"), (#"{"in_chans": 1}"#, "1 colour channels"),
      (#"{"img_size": [224, 240]}"#, "expected a side"),
      (#"{"img_size": "big"}"#, "expected a side"),
      (#"{"img_size": 1e9}"#, "expected a side"), (#"{"embed_dim": 8}"#, "'embed_dim': 8"),
    ]
    for (arguments, part) in cases {
      let text = #"{"architecture": "vit_tiny_patch16_224", "model_args": \#(arguments)}"#
      try folder.write(Array(text.utf8), "config.json")
      #expect(problem(folder).contains(part), "\(arguments): \(problem(folder))")
    }
    try folder.write(
      Array(#"{"architecture": "resnet18", "model_args": {"img_size": 100}}"#.utf8), "config.json")
    #expect(problem(folder).contains("images of 100 pixels"))
  }

  /// A folder of open_clip's around the miniature of CLIP that transformers computed.
  private func openCLIP(_ folder: TemporaryFolder, _ more: String = "") throws -> ModelOracle {
    let oracle = try ModelOracle("clip-hf")
    let config = """
      {"model_cfg": {"embed_dim": 12, "vision_cfg": {"image_size": 24, "layers": 2, "width": 24,
       "patch_size": 8, "head_width": 8}, "text_cfg": {"width": 5}\(more)},
       "preprocess_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "interpolation": "bilinear",
       "resize_mode": "squash"}}
      """
    try folder.write(Array(config.utf8), "open_clip_config.json")
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (24, 8, 24, 2, 3, 12)
    (c.preNorm, c.activation, c.epsilon, c.headBias) = (true, .quickGELU, 1e-5, false)
    let own = ViT.recognised(oracle.weights, c)
    var tensors: [(name: String, tensor: Tensor)] = [
      (name: "logit_scale", tensor: Tensor(Float(1))),
      (name: "text.transformer.weight", tensor: Tensor.ones([5])),
    ]
    let table = [
      ("patch_embed.proj", "conv1"), ("norm_pre", "ln_pre"), ("blocks.", "transformer.resblocks."),
      ("norm1", "ln_1"), ("norm2", "ln_2"), ("attn.qkv.", "attn.in_proj_"),
      ("attn.proj", "attn.out_proj"), ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"),
      ("cls_token", "class_embedding"), ("pos_embed", "positional_embedding"),
      ("head.weight", "proj"),
    ]
    for name in own.names.sorted() {
      let value = try #require(try own.tensor(name))
      var their = name
      for (ours, theirs) in table { their = their.replacing(ours, with: theirs) }
      if their.hasPrefix("norm.") { their = their.replacing("norm.", with: "ln_post.") }
      let stored =
        switch name {
        case "head.weight": value.transposed(0, 1).contiguous()
        case "cls_token": value.reshaped(24)
        case "pos_embed": value.squeezed(0)
        default: value
        }
      tensors.append((name: "visual." + their, tensor: stored))
    }
    try Safetensors.write(tensors, to: folder.file("open_clip_model.safetensors"))
    return oracle
  }

  @Test("a folder of open_clip's is read, and computes what transformers does of the same weights")
  func openCLIP() throws {
    let folder = try TemporaryFolder()
    let oracle = try openCLIP(folder, #", "quick_gelu": true"#)
    let loaded = try Catalog.load(.folder(folder.path))
    let (input, expected) = (try oracle.tensor("input"), try oracle.tensor("output"))
    #expect(ModelOracle.difference(loaded.model(input, .off), expected) < ModelOracle.tolerance)
    #expect(loaded.summary.contains("QuickGELU") && loaded.caveat == nil)
    let preprocessing = try Preprocessing(json: loaded.preprocessing)
    #expect(preprocessing.resize == .exact(width: 24, height: 24))
    #expect(preprocessing.mean == [0.1, 0.2, 0.3] && preprocessing.interpolation == .bilinear)
    // Without the key it is GELU, and another network.
    _ = try openCLIP(folder)
    let other = try Catalog.load(.folder(folder.path))
    #expect(ModelOracle.difference(other.model(input, .off), expected) > 1e-3)
    #expect(other.fingerprint != loaded.fingerprint)
    // OpenAI's tag asks for it whatever the file says; other libraries' files beside it do not matter.
    let hub = try TemporaryFolder()
    let snapshot = "models--timm--tower/snapshots/abc"
    for file in folder.names() { try hub.write(folder.bytes(file), "\(snapshot)/\(file)") }
    try hub.write(Array("{}".utf8), "\(snapshot)/config.json")
    try hub.write([1, 2, 3], "\(snapshot)/model.safetensors")
    try hub.write(Array("abc".utf8), "models--timm--tower/refs/main")
    let tagged = try Catalog.load(
      .hub(HubModel("timm/tower", layout: .openCLIP(quickGELU: true))),
      hub: Hub(environment: ["HF_HUB_CACHE": hub.path, "HF_HUB_OFFLINE": "1"]))
    #expect(ModelOracle.difference(tagged.model(input, .off), expected) < ModelOracle.tolerance)
    #expect(tagged.name == "tower")
  }

  @Test("a network of timm's inside open_clip's model has its parameters behind visual.trunk.")
  func trunk() throws {
    let folder = try TemporaryFolder()
    func config(_ more: String) throws {
      try folder.write(
        Array(
          #"{"model_cfg": {"embed_dim": 512, "vision_cfg": {"timm_model_name": "resnet18", "image_size": 64\#(more)}}}"#
            .utf8), "open_clip_config.json")
    }
    let recorder = ShapeRecorder()
    _ = try Catalog.entry(named: "resnet18").architecture.make(Weights(recorder))
    var tensors: [(name: String, tensor: Tensor)] = [(name: "logit_scale", tensor: .ones([1]))]
    for (name, shape) in recorder.shapes.sorted(by: { $0.key < $1.key })
    where !name.hasPrefix("fc.") {
      tensors.append((name: "visual.trunk." + name, tensor: Tensor.ones(shape) * 0.01))
    }
    try Safetensors.write(tensors, to: folder.file("open_clip_model.safetensors"))
    try config(#", "timm_proj": "none""#)
    let loaded = try Catalog.load(.folder(folder.path))
    #expect(loaded.model(.ones([1, 3, 64, 64]), .off).shape == [1, 512])
    try config(#", "timm_proj": "linear""#)
    #expect(problem(folder).contains("'timm_proj' is 'linear'"))
  }

  @Test("what an open_clip_config.json asks for and there is not is refused with the key")
  func refused() throws {
    let folder = try TemporaryFolder()
    let cases = [
      ("{}", "has no 'model_cfg'"), ("[]", "is no JSON object"),
      (
        #"{"model_cfg": {"vision_cfg": {"layers": [3, 4, 6, 3]}, "embed_dim": 9}}"#, "CLIP's ResNet"
      ),
      (#"{"model_cfg": {"vision_cfg": {}}}"#, "'embed_dim'"),
      (#"{"model_cfg": {"vision_cfg": {"width": 100}, "embed_dim": 9}}"#, "do not divide"),
      (#"{"model_cfg": {"vision_cfg": {"width": 1e30}, "embed_dim": 9}}"#, "'width'"),
      (#"{"model_cfg": {"vision_cfg": {"pool_type": "avg"}, "embed_dim": 9}}"#, "'pool_type'"),
      (
        #"{"model_cfg": {"vision_cfg": {"attentional_pool": true}, "embed_dim": 9}}"#,
        "'attentional_pool'"
      ),
      (#"{"model_cfg": {"vision_cfg": {"mystery": 1}, "embed_dim": 9}}"#, "'mystery'"),
      (#"{"model_cfg": {"vision_cfg": {"patch_size": 15}, "embed_dim": 9}}"#, "whole patches"),
      (
        #"{"model_cfg": {"vision_cfg": {"timm_model_name": "nonesuch"}, "embed_dim": 9}}"#,
        "nonesuch"
      ),
      (
        #"{"model_cfg": {"vision_cfg": {}, "embed_dim": 9}, "preprocess_cfg": {"resize_mode": "longest"}}"#,
        "'resize_mode' is 'longest'"
      ),
      (
        #"{"model_cfg": {"vision_cfg": {}, "embed_dim": 9}, "preprocess_cfg": {"size": "big"}}"#,
        "image size is big"
      ),
    ]
    for (config, part) in cases {
      try folder.write(Array(config.utf8), "open_clip_config.json")
      #expect(problem(folder).contains(part), "\(config): \(problem(folder))")
    }
  }

  @Test("the architecture that was named goes before that of the repository's config.json")
  func named() throws {
    let hub = try TemporaryFolder()
    try hub.write(
      Array(#"{"architecture": "vit_tiny_patch16_224"}"#.utf8),
      "models--timm--x/snapshots/abc/config.json")
    try hub.write(Array("abc".utf8), "models--timm--x/refs/main")
    let loaded = try Catalog.load(
      .hub(HubModel("timm/x", architecture: "resnet18")), randomWeights: 1,
      hub: Hub(environment: ["HF_HUB_CACHE": hub.path, "HF_HUB_OFFLINE": "1"]))
    #expect(loaded.family == "ResNet")
  }

  @Test(
    "a description tells format, numbers, dtypes, architecture and preprocessing of every kind of file"
  )
  func description() throws {
    let files = CheckpointFixtures.folder
    for (name, format) in [
      ("zip.pt", "torch, zip"), ("legacy.pt", "torch, as before 1.6"),
      ("sharded", "safetensors, 2 files"),
      ("float16.onnx", "ONNX"), ("int8.onnx", "ONNX"),
    ] {
      let found = try FileDescription("\(files)/\(name)")
      #expect(found.format == format, "\(name)")
      #expect(found.dtypes.map(\.values).reduce(0, +) == found.values)
      #expect(found.dtypes.map(\.tensors).reduce(0, +) == found.parameters.count)
      #expect(found.dtypes.map(\.values) == found.dtypes.map(\.values).sorted(by: >))
      #expect(!found.dtypes.contains { $0.dtype == "unknown" }, "\(name)")
    }
    #expect(try FileDescription("\(files)/int8.onnx").dtypes.contains { $0.dtype == "int8" })
    let tensors = try CheckpointFixtures.read("\(files)/zip.pt")
    let zip = try FileDescription("\(files)/zip.pt")
    #expect(zip.parameters.allSatisfy { tensors[$0.name]?.dtype.description == $0.dtype })
    #expect(zip.architecture == nil && zip.preprocessing == nil)

    let folder = try TemporaryFolder()
    _ = try openCLIP(folder)
    let clip = try FileDescription(folder.path)
    #expect(clip.architecture?.contains("open_clip's image tower") == true)
    #expect(clip.preprocessing?.file == "open_clip_config.json" && clip.problem == nil)
    try folder.write(Array(#"{"model_type": "llama"}"#.utf8), "config.json")
    try folder.write(folder.bytes("open_clip_model.safetensors"), "model.safetensors")
    #expect(try FileDescription(folder.path).problem?.contains("llama") == true)
  }
}
