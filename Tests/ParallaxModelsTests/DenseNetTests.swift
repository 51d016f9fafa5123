import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("DenseNet")
struct DenseNetTests {
  private static let configuration: DenseNet.Configuration = {
    var c = DenseNet.Configuration(growth: 3, [2, 1, 2])
    (c.bottleneck, c.classes) = (2, 10)
    return c
  }()

  private func load(_ source: any WeightSource) throws -> DenseNet {
    try ModelOracle.make(DenseNet.recognised(source, Self.configuration)) {
      try DenseNet(Self.configuration, $0)
    }
  }

  @Test("it agrees with timm at the output, at every site and in the gradient")
  func timm() throws {
    let oracle = try ModelOracle("densenet-timm")
    let model = try load(oracle.weights)
    try oracle.check(model)
    let blocks = model.sites(height: 32, width: 32).filter(\.isBlock).map(\.name)
    #expect(blocks.count == 5 && blocks.last == "features.denseblock3.denselayer2")
  }

  @Test("torchvision's published names, with dots in them, give torchvision's network")
  func torchvision() throws {
    let oracle = try ModelOracle("densenet-torchvision")
    try oracle.check(
      load(oracle.weights),
      foreign: [
        "features.conv0": "features.conv0", "features.norm0": "features.relu0",
        "features.pool0": "features.pool0",
        "features.denseblock1.denselayer2": "features.denseblock1.denselayer2",
        "features.denseblock1.denselayer2.norm1": "features.denseblock1.denselayer2.relu1",
        "features.denseblock3.denselayer2.conv1": "features.denseblock3.denselayer2.conv1",
        "features.denseblock3.denselayer2.norm2": "features.denseblock3.denselayer2.relu2",
        "features.denseblock1": "features.denseblock1",
        "features.transition1.norm": "features.transition1.relu",
        "features.transition1": "features.transition1",
        "features.denseblock3": "features.denseblock3", "classifier": "classifier",
      ])
    var held = try oracle.held()
    let name = "features.denseblock3.denselayer2.conv.2.weight"
    held[name] = nil
    #expect(throws: ModelError.missingParameter(name: name, shape: [3, 6, 3, 3], file: "w")) {
      try load(HeldWeights(held, label: "w"))
    }
  }

  @Test("the smallest image that a network says it takes is taken, on the fast path and looked at")
  func smallest() throws {
    let model = try load(ModelOracle("densenet-timm").weights)
    let side = model.minimumImageSize
    #expect(side == 16)
    let images = RandomSource(seed: 5).normal([2, 3, side, side])
    let looked = model(images, Tap(nil) { _ in nil })
    #expect(ModelOracle.difference(model(images, .off), looked) < 1e-5)
    let whole = try Catalog.load(.name("densenet121"), randomWeights: 3).model
    #expect(whole.minimumImageSize == 32)
    #expect(whole(Tensor.ones([1, 3, 32, 32]), .off).shape == [1, 1000])
  }
}
