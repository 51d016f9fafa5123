import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("MobileNetV3")
struct MobileNetV3Tests {
  private static func configuration(
    _ stages: [[MobileNetV3.Row]], last: Int, divisor: Int
  ) -> MobileNetV3.Configuration {
    var c = MobileNetV3.Configuration(stages, last: last, head: 16)
    (c.stem, c.classes, c.divisor) = (8, 10, divisor)
    return c
  }

  @Test("it agrees with timm at the output, at every site and in the gradient")
  func timm() throws {
    let oracle = try ModelOracle("mobilenetv3-timm")
    let c = Self.configuration(
      [
        [.init(3, 8, 8, squeeze: true, hardSwish: false)],
        [.init(5, 16, 8, squeeze: true, stride: 2), .init(3, 24, 8, hardSwish: false)],
      ], last: 12, divisor: 1)
    let model = try ModelOracle.make(MobileNetV3.recognised(oracle.weights, c)) {
      try MobileNetV3(c, $0)
    }
    try oracle.check(model)
    for side in [1, 17, 32] {
      let images = RandomSource(seed: UInt64(side)).normal([2, 3, side, side])
      let looked = model(images, Tap(nil) { _ in nil })
      #expect(ModelOracle.difference(model(images, .off), looked) < 1e-5)
    }
  }

  @Test("torchvision's checkpoint, with its epsilon, gives torchvision's network")
  func torchvision() throws {
    let oracle = try ModelOracle("mobilenetv3-torchvision")
    let c = Self.configuration(
      [
        [.init(3, 8, 8, squeeze: true, hardSwish: false)],
        [.init(5, 16, 8, squeeze: true, stride: 2), .init(3, 24, 8, hardSwish: false)],
      ], last: 48, divisor: 8)
    var held = try oracle.held()
    func load() throws -> MobileNetV3 {
      try ModelOracle.make(MobileNetV3.recognised(HeldWeights(held, label: "w"), c)) {
        try MobileNetV3(c, $0)
      }
    }
    try oracle.check(
      load(),
      foreign: [
        "conv_stem": "features.0.0", "bn1": "features.0", "blocks.0.0": "features.1",
        "blocks.0.0.bn1": "features.1.block.0", "blocks.0.0.se": "features.1.block.1",
        "blocks.1.0.bn2": "features.2.block.1",
        "blocks.1.0.se.conv_expand": "features.2.block.2.fc2",
        "blocks.1.0.bn3": "features.2.block.3", "blocks.1.1.bn2": "features.3.block.1",
        "blocks.1": "features.3", "blocks.2.0.bn1": "features.4", "conv_head": "classifier.0",
        "act2": "classifier.1", "classifier": "classifier.3",
      ])
    held["classifier.0.weight"] = Tensor.ones([16, 47])
    #expect(
      throws: ModelError.shape(
        name: "classifier.0.weight", expected: [16, 48], found: [16, 47], file: "w")
    ) { try load() }
    held["classifier.0.weight"] = Tensor.ones([16, 48])
    held["features.4.1.running_var"] = nil
    #expect(
      throws: ModelError.missingParameter(
        name: "features.4.1.running_var", shape: [48], file: "w")
    ) { try load() }
  }
}
