import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("Inception")
struct InceptionTests {
  private static func configuration(_ stages: [InceptionV3.Stage]) -> InceptionV3.Configuration {
    var c = InceptionV3.Configuration()
    (c.stages, c.divisor, c.classes) = (stages, 16, 10)
    return c
  }

  private static func stages(_ fixture: String) -> [InceptionV3.Stage] {
    switch fixture {
    case "inception-timm-35":
      [.init("Mixed_5b", .a(pool: 32)), .init("Mixed_5c", .a(pool: 64)), .init("Mixed_6a", .b)]
    case "inception-timm-17":
      [.init("Mixed_6b", .c(width: 128)), .init("Mixed_7a", .d), .init("Mixed_7b", .e)]
    default: [.init("Mixed_5b", .a(pool: 32))]
    }
  }

  private func googLeNet(_ held: [String: Tensor]) throws -> GoogLeNet {
    var c = GoogLeNet.Configuration()
    c.stages = c.stages.filter { ["3a", "3b", "4a", "4d", "5a"].contains($0.name) }.map { stage in
      .init(
        stage.name, stage.ones / 16, stage.threes.map { $0 / 16 }, stage.fives.map { $0 / 16 },
        stage.pool / 16)
    }
    (c.stem, c.classes) = ([4, 4, 12], 10)
    return try ModelOracle.make(GoogLeNet.recognised(HeldWeights(held, label: "w"))) {
      try GoogLeNet(c, $0)
    }
  }

  @Test(
    "every kind of module of Inception-v3 agrees with timm at the output, at every site and in the gradient",
    arguments: ["inception-timm-35", "inception-timm-17"])
  func timm(fixture: String) throws {
    let oracle = try ModelOracle(fixture)
    let c = Self.configuration(Self.stages(fixture))
    let model = try ModelOracle.make(InceptionV3.recognised(oracle.weights)) {
      try InceptionV3(c, $0)
    }
    // A norm ends with the nonlinearity, and so is its module once more; the fixture has it once.
    let norms = oracle.order.map { $0.replacingSuffix("conv", by: "bn") }
    try oracle.check(model, besides: Set(norms))
    #expect(
      model.sites(height: 75, width: 75).filter(\.isBlock).map(\.name)
        == [
          "Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3",
        ] + c.stages.map(\.name))
  }

  @Test(
    "torchvision's Inception-v3 loads without its auxiliary classifier, and anything else is refused"
  )
  func torchvision() throws {
    let oracle = try ModelOracle("inception-torchvision")
    let c = Self.configuration(Self.stages("inception-torchvision"))
    var held = try oracle.held()
    func load() throws -> InceptionV3 {
      try ModelOracle.make(InceptionV3.recognised(HeldWeights(held, label: "w"))) {
        try InceptionV3(c, $0)
      }
    }
    #expect(held.keys.contains { $0.hasPrefix("AuxLogits.") })
    try oracle.check(
      load(),
      foreign: [
        "Conv2d_1a_3x3": "Conv2d_1a_3x3", "Conv2d_2b_3x3.conv": "Conv2d_2b_3x3.conv",
        "Pool1": "maxpool1", "Pool2": "maxpool2", "Mixed_5b": "Mixed_5b",
        "Mixed_5b.branch3x3dbl_2": "Mixed_5b.branch3x3dbl_2", "global_pool": "avgpool",
        "Mixed_5b.branch_pool": "Mixed_5b.branch_pool", "fc": "fc",
      ])
    held["AuxLogit.fc.weight"] = Tensor.ones([2, 2])
    #expect(throws: ModelError.surplusParameters(names: ["AuxLogit.fc.weight"], file: "w")) {
      try load()
    }
  }

  @Test("GoogLeNet agrees with torchvision at the output, at every site and in the gradient")
  func google() throws {
    let oracle = try ModelOracle("googlenet-torchvision")
    let held = try oracle.held()
    #expect(held.keys.contains { $0.hasPrefix("aux1.") })
    let model = try googLeNet(held)
    try oracle.check(model)
    #expect(
      model.sites(height: 32, width: 32).filter(\.isBlock).map(\.name)
        == ["conv1", "conv2", "conv3"]
        + ["3a", "3b", "4a", "4d", "5a"].map { "inception\($0)" })
  }

  @Test("the smallest image that a network says it takes is taken, on the fast path and looked at")
  func smallest() throws {
    let inception = try ModelOracle.make(ModelOracle("inception-timm-17").weights) {
      try InceptionV3(Self.configuration(Self.stages("inception-timm-17")), $0)
    }
    let models: [any Model] = [
      inception, try googLeNet(ModelOracle("googlenet-torchvision").held()),
    ]
    for (model, size) in zip(models, [75, 15]) {
      #expect(model.minimumImageSize == size)
      let images = RandomSource(seed: 5).normal([2, 3, size, size])
      let looked = model(images, Tap(nil) { _ in nil })
      #expect(ModelOracle.difference(model(images, .off), looked) < 1e-5)
    }
  }

  @Test("the whole networks take the smallest images that they say they take")
  func wholeAtSmallest() throws {
    for (name, size) in [("inception_v3", 75), ("googlenet", 15)] {
      let loaded = try Catalog.load(.name(name), randomWeights: 3)
      #expect(loaded.model(Tensor.ones([1, 3, size, size]), .off).shape == [1, 1000])
    }
  }
}

extension String {
  /// The text with another end, where it has this one.
  fileprivate func replacingSuffix(_ suffix: String, by other: String) -> String {
    hasSuffix(suffix) ? dropLast(suffix.count) + other : self
  }
}
