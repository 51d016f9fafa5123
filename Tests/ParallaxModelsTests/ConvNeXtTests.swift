import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("ConvNeXt")
struct ConvNeXtTests {
  private static func configuration(_ version: Int = 1, isConvolutional: Bool = false)
    -> ConvNeXt.Configuration
  {
    var c = ConvNeXt.Configuration([1, 2, 1, 1], [4, 6, 7, 8])
    (c.classes, c.layerScale, c.responseNorm) = (10, version == 1, version == 2)
    c.convolutionalMLP = isConvolutional
    return c
  }

  @Test(
    "both versions agree with timm at the output, at every site and in the gradient",
    arguments: [
      ("convnext-timm", 1, false), ("convnextv2-timm", 2, false), ("convnextv2-timm-conv", 2, true),
    ])
  func timm(fixture: String, version: Int, isConvolutional: Bool) throws {
    let oracle = try ModelOracle(fixture)
    let c = Self.configuration(version, isConvolutional: isConvolutional)
    let model = try ModelOracle.make(oracle.weights) { try ConvNeXt(c, $0) }
    try oracle.check(model)
  }

  @Test(
    "torchvision's checkpoint agrees with torchvision at the output, the gradient and the sites of both"
  )
  func torchvision() throws {
    let oracle = try ModelOracle("convnext-torchvision")
    let c = Self.configuration()
    let model = try ModelOracle.make(ConvNeXt.recognised(oracle.weights, c)) { try ConvNeXt(c, $0) }
    try oracle.check(
      model,
      foreign: [
        "stem.0": "features.0.0", "stem": "features.0", "stages.0.blocks.0": "features.1.0",
        "stages.1.downsample.0": "features.2.0", "stages.1.downsample": "features.2",
        "stages.1.blocks.0.conv_dw": "features.3.0.block.0", "stages.1.blocks.1": "features.3.1",
        "stages.2": "features.5", "stages.3": "features.7", "head.global_pool": "avgpool",
        "head.norm": "classifier.0", "head.fc": "classifier.2",
      ])
  }

  @Test(
    "transformers' checkpoints of both versions agree at the output, the gradient and the sites of both",
    arguments: [("convnext-hf", 1, false), ("convnextv2-hf", 2, false), ("convnextv2-hf", 2, true)])
  func transformers(fixture: String, version: Int, isConvolutional: Bool) throws {
    let oracle = try ModelOracle(fixture)
    let c = Self.configuration(version, isConvolutional: isConvolutional)
    let model = try ModelOracle.make(ConvNeXt.recognised(oracle.weights, c)) { try ConvNeXt(c, $0) }
    try oracle.check(
      model,
      foreign: [
        "stem.0": "embeddings.patch_embeddings", "stem": "embeddings",
        "stages.1.downsample": "encoder.stages.1.downsampling_layer.1",
        "stages.1.blocks.0": "encoder.stages.1.layers.0",
        "stages.1.blocks.1": "encoder.stages.1.layers.1", "stages.3": "encoder.stages.3",
        "head.norm": "layernorm", "head.fc": "classifier",
      ])
  }

  /// A timm checkpoint as the authors' own code would have written it.
  private func authors(_ oracle: ModelOracle) throws -> [String: Tensor] {
    var held: [String: Tensor] = [:]
    for (name, value) in try oracle.held() {
      var (theirs, tensor) = (name, value)
      if name.hasPrefix("stem.") { theirs = "downsample_layers.0." + name.dropFirst(5) }
      if name.contains(".downsample.") {
        theirs = name.replacing("stages.", with: "downsample_layers.")
          .replacing(".downsample.", with: ".")
      }
      for (ours, their) in [
        (".blocks.", "."), ("conv_dw", "dwconv"), ("mlp.fc1", "pwconv1"), ("mlp.fc2", "pwconv2"),
        ("mlp.grn.weight", "grn.gamma"), ("mlp.grn.bias", "grn.beta"), ("head.fc", "head"),
        ("head.norm", "norm"),
      ] { theirs = theirs.replacing(ours, with: their) }
      // The authors' matrices are linear layers', and their response norms have leading ones.
      if theirs.contains("pwconv"), tensor.rank == 4 {
        tensor = tensor.reshaped(tensor.shape[0], -1)
      }
      if theirs.contains("grn.") { tensor = tensor.reshaped(1, 1, 1, -1) }
      held[theirs] = tensor
    }
    return held
  }

  @Test(
    "the authors' own checkpoints of both versions give the same network",
    arguments: [
      ("convnext-timm", 1, false), ("convnextv2-timm", 2, false), ("convnextv2-timm-conv", 2, true),
    ])
  func authors(fixture: String, version: Int, isConvolutional: Bool) throws {
    let oracle = try ModelOracle(fixture)
    let c = Self.configuration(version, isConvolutional: isConvolutional)
    var held = try authors(oracle)
    func load() throws -> ConvNeXt {
      try ModelOracle.make(ConvNeXt.recognised(HeldWeights(held, label: "w"), c)) {
        try ConvNeXt(c, $0)
      }
    }
    let output = try load()(oracle.tensor("input"), .off)
    #expect(ModelOracle.difference(output, try oracle.tensor("output")) < ModelOracle.tolerance)
    // What is wrong is said in the authors' words.
    held["stages.1.1.pwconv2.weight"] = nil
    #expect(
      throws: ModelError.missingParameter(
        name: "stages.1.1.pwconv2.weight", shape: [6, 24], file: "w")
    ) { try load() }
    held["stages.1.1.pwconv2.weight"] = Tensor.ones([6, 25])
    #expect(
      throws: ModelError.shape(
        name: "stages.1.1.pwconv2.weight", expected: [6, 24], found: [6, 25], file: "w")
    ) { try load() }
    if version == 2 {
      held["stages.1.1.pwconv2.weight"] = Tensor.ones([6, 24])
      held["stages.0.0.grn.beta"] = Tensor.ones([1, 1, 1, 17])
      #expect(
        throws: ModelError.shape(
          name: "stages.0.0.grn.beta", expected: [1, 1, 1, 16], found: [1, 1, 1, 17], file: "w")
      ) { try load() }
    }
  }

  @Test("an autoencoder's checkpoint, which has neither norm nor classifier, gives pooled features")
  func headless() throws {
    let architecture = try Catalog.entry(named: "convnextv2_atto").architecture
    let recorder = ShapeRecorder()
    _ = try architecture.make(Weights(recorder))
    var held: [String: Tensor] = [:]
    for (name, shape) in recorder.shapes where !name.hasPrefix("head.") {
      held[name] = RandomSource(seed: UInt64(held.count)).normal(shape) * 0.05
    }
    let model = try ModelOracle.make(HeldWeights(held, label: "w"), architecture.make)
    #expect(model(Tensor.ones([2, 3, 64, 32]), .off).shape == [2, 320])
    #expect(model.minimumImageSize == 32)
  }
}
