import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("RegNet")
struct RegNetTests {
  private static func configuration(_ depths: [Int], _ widths: [Int], squeeze: Bool)
    -> RegNet.Configuration
  {
    var c = RegNet.Configuration(
      depths, widths, groupWidths: widths.map { _ in 4 }, squeeze: squeeze)
    (c.stem, c.classes) = (8, 10)
    return c
  }

  @Test(
    "RegNetX and RegNetY agree with timm at the output, at every site and in the gradient",
    arguments: [("regnetx-timm", false), ("regnety-timm", true)])
  func timm(fixture: String, squeeze: Bool) throws {
    let oracle = try ModelOracle(fixture)
    let c = Self.configuration([1, 1, 2, 1], [8, 16, 24, 40], squeeze: squeeze)
    let model = try ModelOracle.make(RegNet.recognised(oracle.weights, c)) { try RegNet(c, $0) }
    try oracle.check(model)
    let images = RandomSource(seed: 5).normal([2, 3, 1, 1])
    let looked = model(images, Tap(nil) { _ in nil })
    #expect(ModelOracle.difference(model(images, .off), looked) < 1e-5)
  }

  @Test("torchvision's checkpoint gives torchvision's network")
  func torchvision() throws {
    let oracle = try ModelOracle("regnet-torchvision")
    let c = Self.configuration([1, 1, 2], [8, 12, 16], squeeze: true)
    var held = try oracle.held()
    func load() throws -> RegNet {
      try ModelOracle.make(RegNet.recognised(HeldWeights(held, label: "w"), c)) {
        try RegNet(c, $0)
      }
    }
    let trunk = "trunk_output"
    try oracle.check(
      load(),
      foreign: [
        "stem.conv": "stem.0", "stem": "stem", "s1.b1": "\(trunk).block1.block1-0",
        "s2.b1.downsample": "\(trunk).block2.block2-0.proj",
        "s2.b1.conv1.bn": "\(trunk).block2.block2-0.f.a",
        "s3.b2.conv2.conv": "\(trunk).block3.block3-1.f.b.0",
        "s3.b2.se.fc1": "\(trunk).block3.block3-1.f.se.fc1",
        "s3.b2.se": "\(trunk).block3.block3-1.f.se",
        "s3.b2.conv3.bn": "\(trunk).block3.block3-1.f.c", "s3": "\(trunk).block3",
        "head.global_pool": "avgpool", "head.fc": "fc",
      ])
    let name = "\(trunk).block3.block3-1.f.b.0.weight"
    held[name] = Tensor.ones([16, 2, 3, 3])
    #expect(
      throws: ModelError.shape(
        name: name, expected: [16, 4, 3, 3], found: [16, 2, 3, 3], file: "w")
    ) { try load() }
  }
}
