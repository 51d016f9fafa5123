import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("EfficientNet with squeeze-and-excitation")
struct EfficientNetTests {
  private static func configuration(isSame: Bool) -> EfficientNet.Configuration {
    var c = EfficientNet.Configuration(stages: [
      InvertedStage(2, kernel: 3, stride: 1, expansion: 1, channels: 8),
      InvertedStage(1, kernel: 3, stride: 2, expansion: 2, channels: 8),
      InvertedStage(1, kernel: 5, stride: 2, expansion: 3, channels: 10),
    ])
    (c.stem, c.head, c.classes, c.isLite) = (8, 16, 10, false)
    (c.samePadding, c.epsilon) = (isSame, isSame ? 1e-3 : 1e-5)
    return c
  }

  @Test(
    "in both paddings it agrees with timm at the output, at every site and in the gradient",
    arguments: [("efficientnet-timm", false), ("tf-efficientnet-timm", true)])
  func timm(fixture: String, isSame: Bool) throws {
    let oracle = try ModelOracle(fixture)
    let c = Self.configuration(isSame: isSame)
    let model = try ModelOracle.make(EfficientNet.recognised(oracle.weights, c)) {
      try EfficientNet(c, $0)
    }
    try oracle.check(model)
    for (height, width) in [(22, 17), (17, 22), (32, 32), (33, 31), (1, 1)] {
      let images = RandomSource(seed: UInt64(height)).normal([3, 3, height, width])
      let looked = model(images, Tap(nil) { _ in nil })
      #expect(ModelOracle.difference(model(images, .off), looked) < 1e-5, "\(height)×\(width)")
    }
  }

  private static let small: EfficientNet.Configuration = {
    var c = configuration(isSame: false)
    c.stages = [
      InvertedStage(1, kernel: 3, stride: 1, expansion: 1, channels: 8),
      InvertedStage(2, kernel: 3, stride: 2, expansion: 2, channels: 8),
    ]
    return c
  }()

  private func load(_ held: [String: Tensor], epsilon: Double?) throws -> EfficientNet {
    let source = HeldWeights(held, label: "w")
    return try ModelOracle.make(
      EfficientNet.recognised(source, Self.small, torchvisionEpsilon: epsilon)
    ) { try EfficientNet(Self.small, $0) }
  }

  @Test("torchvision's checkpoint, with the epsilon of its B5 to B7, gives torchvision's network")
  func torchvision() throws {
    let oracle = try ModelOracle("efficientnet-torchvision")
    var held = try oracle.held()
    try oracle.check(
      load(held, epsilon: 1e-3),
      foreign: [
        "conv_stem": "features.0.0", "bn1": "features.0", "blocks.0.0": "features.1.0",
        "blocks.0.0.conv_dw": "features.1.0.block.0.0", "blocks.0.0.bn1": "features.1.0.block.0",
        "blocks.0.0.se.conv_reduce": "features.1.0.block.1.fc1",
        "blocks.0.0.se": "features.1.0.block.1", "blocks.0.0.bn2": "features.1.0.block.2",
        "blocks.1.1.bn1": "features.2.1.block.0", "blocks.1.1.bn2": "features.2.1.block.1",
        "blocks.1.1.se.conv_expand": "features.2.1.block.2.fc2",
        "blocks.1.1.bn3": "features.2.1.block.3", "blocks.1": "features.2", "bn2": "features.3",
        "classifier": "classifier.1",
      ])
    // Without its epsilon it is another network.
    let other = try load(held, epsilon: nil)(oracle.tensor("input"), .off)
    #expect(ModelOracle.difference(other, try oracle.tensor("output")) > 1e-3)
    held["features.2.1.block.2.fc2.bias"] = nil
    #expect(
      throws: ModelError.missingParameter(
        name: "features.2.1.block.2.fc2.bias", shape: [16], file: "w")
    ) { try load(held, epsilon: 1e-3) }
    // TensorFlow's padding would make another network of it.
    var same = Self.small
    same.samePadding = true
    #expect(EfficientNet.recognised(HeldWeights(held, label: "w"), same) is HeldWeights)
  }

  @Test("the names of the package efficientnet-pytorch give the same network")
  func packaged() throws {
    let oracle = try ModelOracle("tf-efficientnet-timm")
    let c = Self.configuration(isSame: true)
    var held: [String: Tensor] = [:]
    let outside = [
      "conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1",
      "classifier": "_fc",
    ]
    let separable = [
      "conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2",
    ]
    let inverted = [
      "conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1",
      "conv_pwl": "_project_conv", "bn3": "_bn2",
    ]
    for (name, value) in try oracle.held() {
      var parts = name.split(separator: ".").map(String.init)
      if parts[0] == "blocks" {
        let stage = Int(parts[1]) ?? 0
        let number = stage == 0 ? Int(parts[2]) ?? 0 : stage + 1
        let rest = parts.dropFirst(3)
        let module = rest.first == "se" ? "_se_" + (rest.dropFirst().first ?? "").dropFirst(5) : nil
        let own = (stage == 0 ? separable : inverted)[rest.first ?? ""]
        parts = ["_blocks", "\(number)", module ?? own ?? "", rest.last ?? ""]
      } else {
        parts[0] = outside[parts[0]] ?? parts[0]
      }
      held[parts.joined(separator: ".")] = value
    }
    let source = EfficientNet.recognised(HeldWeights(held, label: "w"), c)
    let model = try ModelOracle.make(source) { try EfficientNet(c, $0) }
    let output = model(try oracle.tensor("input"), .off)
    #expect(ModelOracle.difference(output, try oracle.tensor("output")) < ModelOracle.tolerance)
  }
}
