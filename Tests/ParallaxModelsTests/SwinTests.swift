import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("Swin Transformers")
struct SwinTests {
  private func configuration(second: Bool) -> Swin.Configuration {
    var c = Swin.Configuration()
    (c.imageSize, c.width, c.depths, c.heads, c.window) = (28, 4, [2, 2, 1], [1, 2, 2], 3)
    (c.mlpRatio, c.classes, c.isSecond) = (1.5, 10, second)
    if second { (c.depths, c.pretrainedWindows) = ([2, 1, 1], [0, 2, 0]) }
    return c
  }

  @Test(
    "Swin agrees with timm on grids that windows do not divide",
    arguments: ["swin-timm", "swinv2-timm"])
  func agrees(fixture: String) throws {
    let oracle = try ModelOracle(fixture)
    let weights = Weights(oracle.weights)
    let model = try Swin(configuration(second: fixture == "swinv2-timm"), weights)
    try weights.finish()
    try oracle.check(model)
    #expect(model.fixedImageSize?.width == 28)
  }

  @Test("a grid no larger than a window is one window, and nothing shifts in it")
  func windows() throws {
    let model = try Swin(configuration(second: false), Weights(ShapeRecorder()))
    let found = model.stages.map { $0.blocks.map { [$0.windows.side, $0.windows.shift] } }
    #expect(found == [[[3, 0], [3, 1]], [[3, 0], [3, 1]], [[2, 0]]])
  }

  @Test("tokens of maps with the channels last are those of the same map with the channels first")
  func positions() throws {
    let site = Site(name: "layers.0.blocks.1", kind: .positions, shape: [4, 6, 5], isBlock: true)
    let first = Site(name: site.name, kind: .map, shape: [5, 4, 6], isBlock: true)
    #expect(Tokens.byDefault(at: site, nil) == .avg)
    let x = RandomSource(seed: 1).normal([2, 4, 6, 5])
    for tokens in [Tokens.avg, .all, .grid(2), .grid(4)] {
      let found = try tokens(x, at: site, nil, imageSize: (16, 24))
      let expected = try tokens(x.permuted(0, 3, 1, 2), at: first, nil, imageSize: (16, 24))
      #expect(found.shape == expected.shape && ModelOracle.difference(found, expected) < 1e-6)
    }
    #expect(try Tokens.flat(x, at: site, nil, imageSize: (16, 24)).shape == [2, 120])
    for tokens in [Tokens.cls, .token(0), .grid(5)] {
      #expect(throws: ModelError.self) { try tokens.check(at: site, nil, imageSize: (16, 24)) }
    }
  }

  @Test("what lies inside windows is refused with a sentence, however its tokens are chosen")
  func insideWindows() throws {
    let model = try Swin(configuration(second: true), Weights(RandomWeights(seed: 2)))
    let sites = model.sites(height: 28, width: 28).filter { $0.kind == .windows }
    let attention = "layers.0.blocks.0.attn"
    let expected = [".qkv", ".pattern", ".proj", ""].map { attention + $0 }
    #expect(sites.prefix(4).map(\.name) == expected)
    for site in sites {
      for tokens in [Tokens.byDefault(at: site, nil), .avg, .all, .cls, .flat, .grid(1), .token(0)]
      {
        let error = #expect(throws: ModelError.self) {
          try tokens.check(at: site, nil, imageSize: (28, 28))
        }
        #expect(error?.description.contains("\(site.name): the site lies inside windows") == true)
      }
    }
  }

  @Test("the authors' checkpoints, who merge at the end of a stage, are recognised")
  func authors() throws {
    for fixture in ["swin-timm", "swinv2-timm"] {
      let oracle = try ModelOracle(fixture)
      let c = configuration(second: fixture == "swinv2-timm")
      var held = ["layers.0.blocks.0.attn.relative_position_index": Tensor.ones([9, 9])]
      held["layers.0.blocks.1.attn_mask"] = Tensor.ones([9, 9, 9])
      held["layers.0.blocks.0.attn.relative_coords_table"] = Tensor.ones([1, 5, 5, 2])
      for name in oracle.weights.names {
        let their = name.replacing("layers.1.downsample", with: "layers.0.downsample")
          .replacing("layers.2.downsample", with: "layers.1.downsample")
          .replacing("head.fc", with: "head")
        held[their] = try oracle.weights.tensor(name)
      }
      let weights = Weights(Swin.recognised(HeldWeights(held, label: "w"), c))
      let model = try Swin(c, weights)
      try weights.finish(harmless: Architecture.isHarmless)
      let found = model(try oracle.tensor("input"), .off)
      #expect(ModelOracle.difference(found, try oracle.tensor("output")) < ModelOracle.tolerance)
      held["layers.0.downsample.norm.bias"] = nil
      let error = #expect(throws: ModelError.self) {
        try Swin(c, Weights(Swin.recognised(HeldWeights(held, label: "w"), c)))
      }
      #expect(error?.description.contains("layers.0.downsample.norm.bias") == true)
    }
  }

  @Test("parameters are refused by name and shape, never a trap")
  func hostile() throws {
    for fixture in ["swin-timm", "swinv2-timm"] {
      let oracle = try ModelOracle(fixture)
      var all: [String: Tensor] = [:]
      for name in oracle.weights.names { all[name] = try oracle.weights.tensor(name) }
      for name in all.keys {
        for shape in [nil, [], [0], [1, 3], [1, 1, 2, 2]] as [[Int]?] {
          var held = all
          held[name] = shape.map { Tensor.ones($0) }
          let error = #expect(throws: ModelError.self, "\(name) \(String(describing: shape))") {
            try Swin(
              configuration(second: fixture == "swinv2-timm"),
              Weights(HeldWeights(held, label: "w")))
          }
          #expect(error?.description.contains(name) == true)
        }
      }
    }
  }
}
