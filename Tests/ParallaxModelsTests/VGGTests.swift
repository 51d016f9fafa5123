import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("VGG")
struct VGGTests {
  private static func configuration(batchNorm: Bool) -> VGG.Configuration {
    var c = VGG.Configuration([[5], [6, 7], [8]])
    (c.batchNorm, c.hidden, c.side, c.classes) = (batchNorm, 12, 3, 10)
    return c
  }

  @Test(
    "with and without batch norm it agrees with timm at the output, at every site and in the gradient",
    arguments: [("vgg-timm", false), ("vgg-bn-timm", true)])
  func timm(fixture: String, batchNorm: Bool) throws {
    let oracle = try ModelOracle(fixture)
    let model = try ModelOracle.make(oracle.weights) {
      try VGG(Self.configuration(batchNorm: batchNorm), $0)
    }
    try oracle.check(model)
    // A block is a convolution after its nonlinearity.
    let input = try oracle.tensor("input")
    let blocks = model.sites(height: input.shape[2], width: input.shape[3]).filter(\.isBlock)
    #expect(
      blocks.map(\.name)
        == (batchNorm
          ? ["features.2", "features.6", "features.9", "features.13"]
          : ["features.1", "features.4", "features.6", "features.9"]))
  }

  @Test(
    "torchvision's checkpoint, with linear layers for convolutions, gives torchvision's network")
  func torchvision() throws {
    let oracle = try ModelOracle("vgg-torchvision")
    let c = Self.configuration(batchNorm: true)
    let model = try ModelOracle.make(VGG.recognised(oracle.weights, c)) { try VGG(c, $0) }
    try oracle.check(
      model,
      foreign: [
        "features.0": "features.0", "features.1": "features.1", "features.2": "features.2",
        "features.9": "features.9", "features.14": "features.14",
        "pre_logits.fc1": "classifier.0", "pre_logits.act1": "classifier.1",
        "pre_logits.act2": "classifier.4", "head.fc": "classifier.6",
      ])
  }

  @Test("what is wrong in torchvision's checkpoint is said in its words")
  func errors() throws {
    var held = try ModelOracle("vgg-torchvision").held()
    let c = Self.configuration(batchNorm: true)
    func load() throws -> VGG {
      try ModelOracle.make(VGG.recognised(HeldWeights(held, label: "w"), c)) { try VGG(c, $0) }
    }
    held["classifier.3.weight"] = nil
    #expect(
      throws: ModelError.missingParameter(name: "classifier.3.weight", shape: [12, 12], file: "w")
    ) { try load() }
    held["classifier.3.weight"] = Tensor.ones([12, 12])
    held["classifier.0.weight"] = Tensor.ones([12, 128])
    #expect(
      throws: ModelError.shape(
        name: "classifier.0.weight", expected: [12, 72], found: [12, 128], file: "w")
    ) { try load() }
  }

  @Test("the smallest image that a network says it takes is taken, on the fast path and looked at")
  func smallest() throws {
    let model = try ModelOracle.make(ModelOracle("vgg-bn-timm").weights) {
      try VGG(Self.configuration(batchNorm: true), $0)
    }
    let side = model.minimumImageSize
    #expect(side == 8)
    let images = RandomSource(seed: 5).normal([2, 3, side, side])
    let looked = model(images, Tap(nil) { _ in nil })
    #expect(ModelOracle.difference(model(images, .off), looked) < 1e-5)
  }
}
