@testable import ParallaxModels
import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@Suite("Convolutional networks")
struct ConvolutionalTests {
  private static func isHarmless(_ name: String) -> Bool { name.hasSuffix("num_batches_tracked") }

  private func resnet(_ fixture: String) throws -> (ModelOracle, ResNet) {
    let oracle = try ModelOracle(fixture)
    let isBasic = fixture == "resnet-basic"
    var c = ResNet.Configuration(isBasic ? .basic : .bottleneck, [1, 2, 1, 1])
    c.channels = isBasic ? [8, 10, 12, 14] : [4, 5, 6, 7]
    if fixture == "resnext-timm" { (c.channels, c.groups, c.groupWidth) = ([4, 4, 8, 8], 2, 16) }
    if fixture == "resnet-wide-timm" { (c.channels, c.groupWidth) = ([2, 3, 4, 5], 128) }
    (c.stem, c.classes) = (8, 10)
    let weights = Weights(oracle.weights)
    let model = try ResNet(c, weights)
    try weights.finish(harmless: Self.isHarmless)
    return (oracle, model)
  }

  private func stages(_ first: Int) -> [InvertedStage] {
    [
      InvertedStage(1, kernel: 3, stride: 1, expansion: 1, channels: 6),
      InvertedStage(2, kernel: 3, stride: 2, expansion: 2, channels: 8),
      InvertedStage(1, kernel: first, stride: 2, expansion: 3, channels: 10),
      InvertedStage(1, kernel: 3, stride: 1, expansion: 2, channels: 12),
    ]
  }

  private func lite() throws -> (ModelOracle, EfficientNet) {
    let oracle = try ModelOracle("efficientnet-lite-timm")
    var c = EfficientNet.Configuration(stages: stages(5))
    (c.stem, c.head, c.classes) = (8, 16, 10)
    let weights = Weights(oracle.weights)
    let model = try EfficientNet(c, weights)
    try weights.finish(harmless: Self.isHarmless)
    return (oracle, model)
  }

  @Test(
    "ResNet agrees with timm at the output, at every site and in the gradient",
    arguments: ["resnet-basic", "resnet-bottleneck", "resnext-timm", "resnet-wide-timm"])
  func resnets(fixture: String) throws {
    let (oracle, model) = try resnet(fixture)
    try oracle.check(model)
  }

  @Test("EfficientNet-Lite agrees with timm at the output, at every site and in the gradient")
  func efficientNet() throws {
    let (oracle, model) = try lite()
    try oracle.check(model)
  }

  @Test("MobileNetV2 agrees with timm at the output, at every site and in the gradient")
  func mobileNet() throws {
    let oracle = try ModelOracle("mobilenetv2-timm")
    var c = MobileNetV2.Configuration()
    (c.stages, c.stem, c.head, c.classes) = (stages(3), 8, 16, 10)
    let weights = Weights(oracle.weights)
    let model = try MobileNetV2(c, weights)
    try weights.finish(harmless: Self.isHarmless)
    try oracle.check(model)
  }

  @Test("the output is the same on the fast path and where every site is looked at")
  func bothPaths() throws {
    let (_, model) = try lite()
    // Sizes whose rows and columns need different padding.
    for (height, width) in [(22, 17), (17, 22), (32, 32), (33, 31), (9, 64)] {
      let images = RandomSource(seed: UInt64(height)).normal([3, 3, height, width])
      let looked = model(images, Tap(nil) { _ in nil })
      #expect(ModelOracle.difference(model(images, .off), looked) < 1e-5, "\(height)×\(width)")
    }
    #expect(model.network.stem.fused != nil, "there is no fast path")
  }

  @Test("a replaced activation changes what follows, on the fast path too")
  func replacement() throws {
    let (oracle, model) = try resnet("resnet-bottleneck")
    let input = try oracle.tensor("input")
    // Nothing of the last block leaves the pool with nothing, so that only the head's bias remains.
    let zeroed = model(input, Tap(["layer4.0", "fc"]) { $0.site == "fc" ? nil : $0.value * 0 })
    let bias = try #require(model.head?.bias)
    #expect(ModelOracle.difference(zeroed, bias.expanded(2, 10)) < ModelOracle.tolerance)
    // The same replacement of a site inside a block, with nothing else and with everything looked at.
    func replaced(_ wanted: Set<String>?) -> Tensor {
      model(input, Tap(wanted) { $0.site == "layer2.0.bn2" ? $0.value * 0.5 : nil })
    }
    let alone = replaced(["layer2.0.bn2", "fc"])
    #expect(ModelOracle.difference(alone, replaced(nil)) < ModelOracle.tolerance)
    #expect(ModelOracle.difference(alone, try oracle.tensor("output")) > 1e-3)
  }

  @Test("the forward pass stops after the last site that is wanted")
  func stops() throws {
    let (oracle, model) = try lite()
    let last = model(try oracle.tensor("input"), Tap(["blocks.1.0"]) { _ in nil })
    #expect(last.rank == 4)
  }
}
