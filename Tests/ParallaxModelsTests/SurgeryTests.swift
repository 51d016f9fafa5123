import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("Networks without one of their parts, or with another module's parameters")
struct SurgeryTests {
  private struct Case: Decodable {
    var parts, swaps, sites: [String]
  }

  private static func fixture() throws -> (file: Safetensors, cases: [String: Case]) {
    let file = try Safetensors(fixtures.appending(path: "inversion/surgery.safetensors").path)
    let text = try #require(file.metadata["cases"])
    return (file, try JSONDecoder().decode([String: Case].self, from: Data(text.utf8)))
  }

  private func model(_ name: String, _ source: any WeightSource) throws -> any Model {
    let weights = Weights(source)
    switch name {
    case "vit-timm":
      var c = ViT.Configuration()
      (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (24, 8, 24, 2, 3, 10)
      return try ViT(c, weights)
    case "mixer-timm":
      var c = Mixer.Configuration(patch: 8, width: 24, depth: 2)
      (c.imageSize, c.classes) = (24, 10)
      return try Mixer(c, weights)
    default:
      var c = ResNet.Configuration(.bottleneck, [1, 2, 1, 1])
      (c.channels, c.stem, c.classes) = ([4, 5, 6, 7], 8, 10)
      return try ResNet(c, weights)
    }
  }

  /// The sites and the output of a model, with its own sites in passing.
  private func expect(
    _ model: any Model, _ oracle: ModelOracle, _ file: Safetensors, _ key: String,
    _ sites: [String]
  ) throws {
    let images = try oracle.tensor("input")
    var seen: [String: Tensor] = [:]
    let tap = Tap(Set(sites)) { visit in
      seen[visit.site] = visit.value
      return nil
    }
    _ = try model.run(images, tap)
    seen["output"] = try model.run(images, .off)
    for site in sites + ["output"] {
      let expected = try #require(file["\(key)/\(site)"], "\(key)/\(site)")
      let gap = ModelOracle.difference(try #require(seen[site], "\(site)"), expected)
      #expect(gap < ModelOracle.tolerance, "\(key)/\(site): \(gap)")
    }
    // Who looks at everything sees the same, and the sites have the shapes that are said.
    var all: [String: Tensor] = [:]
    _ = try model.run(
      images,
      Tap(nil) { visit in
        all[visit.site] = visit.value
        return nil
      })
    let own = model.sites(height: images.shape[2], width: images.shape[3])
    #expect(Set(own.map(\.name)) == Set(all.keys))
    for site in own { #expect(all[site.name]?.shape.dropFirst() == site.shape[...], "\(site)") }
    for site in sites {
      let expected = try #require(file["\(key)/\(site)"])
      #expect(ModelOracle.difference(try #require(all[site]), expected) < ModelOracle.tolerance)
    }
  }

  @Test(
    "what is taken out is gone at every site, as by PyTorch's hooks",
    arguments: ["vit-timm", "mixer-timm", "resnet-bottleneck"])
  func parts(_ name: String) throws {
    let (file, cases) = try Self.fixture()
    let one = try #require(cases[name])
    let oracle = try ModelOracle(name)
    let images = try oracle.tensor("input")
    let base = try model(name, oracle.weights)
    for part in one.parts {
      let surgery = try Surgery(parsing: part)
      let changed = try WithoutParts(
        base, surgery, height: images.shape[2], width: images.shape[3])
      try expect(changed, oracle, file, "\(name)/\(part)", one.sites)
    }
    #expect(one.parts.count > 2)
    // The whole network is what it was.
    let gap = ModelOracle.difference(base(images, .off), try oracle.tensor("output"))
    #expect(gap < ModelOracle.tolerance)
  }

  @Test(
    "a module's parameters are made up in a trained network, and trained in one that is made up",
    arguments: ["vit-timm", "mixer-timm", "resnet-bottleneck"])
  func swaps(_ name: String) throws {
    let (file, cases) = try Self.fixture()
    let one = try #require(cases[name])
    let oracle = try ModelOracle(name)
    for module in one.swaps {
      for (word, isIntoUntrained) in [("untrained", false), ("trained", true)] {
        let swap = ModuleSwap(module, seed: 7, isIntoUntrained: isIntoUntrained)
        let source = SwappedWeights(
          trained: oracle.weights, made: RandomWeights(seed: 7),
          module: try swap.parameters(among: oracle.weights.names, file: name),
          isIntoUntrained: isIntoUntrained)
        try expect(
          model(name, source), oracle, file, "\(name)/\(word) \(module)", one.sites)
      }
    }
  }

  @Test("gradients reach the pixels of what is left")
  func gradients() throws {
    let oracle = try ModelOracle("vit-timm")
    let images = try oracle.tensor("input")
    for part in Surgery.Part.allCases where part != .pooling {
      let changed = try WithoutParts(
        model("vit-timm", oracle.weights), Surgery([part]), height: 24, width: 24)
      let gradient = try Tensor.valueWithGradient(at: [images]) { leaves in
        var found = leaves[0]
        _ = try changed.run(
          leaves[0],
          Tap(["blocks.1"]) { visit in
            found = visit.value
            return nil
          })
        return found.squared().sum()
      }.gradients[0]
      #expect(gradient.isFinite() && gradient.absolute().maximum().item(Float.self) > 0, "\(part)")
    }
  }

  @Test("parts have names, and what a network has not is refused with a sentence")
  func refusals() throws {
    let both = try Surgery(parsing: "residual+mlp")
    #expect(both.suffix == "without-mlp-residual" && both.change == "without mlp and residual")
    for text in ["", "norm+", "head", "norm,mlp"] {
      let error = #expect(throws: ModelError.self) { try Surgery(parsing: text) }
      #expect(error?.description.contains("norm, mlp, attention, residual, pooling") == true)
    }
    func refused(_ name: String, _ part: String) throws -> String {
      let oracle = try ModelOracle(name)
      let side = try oracle.tensor("input").shape[2]
      let error = #expect(throws: ModelError.self) {
        try WithoutParts(
          model(name, oracle.weights), Surgery(parsing: part), height: side, width: side)
      }
      return error?.description ?? ""
    }
    #expect(try refused("resnet-bottleneck", "attention").contains("no branch that mixes tokens"))
    #expect(try refused("resnet-bottleneck", "mlp").contains("no branch with a perceptron"))
    #expect(try refused("vit-timm", "pooling").contains("no pooling between blocks"))
    #expect(try refused("vit-timm", "attention+mlp+residual").contains("no residual connection"))
    #expect(try refused("resnet-bottleneck", "depth").contains("do not all have the shape"))
    let swap = ModuleSwap("neck", seed: 1, isIntoUntrained: false)
    let error = #expect(throws: ModelError.self) {
      try swap.parameters(among: ["blocks.0.norm1.weight"], file: "a.pth")
    }
    #expect(error?.description.contains("a.pth has no parameter at or under it") == true)
    // `blocks.1` does not mean `blocks.10`.
    let one = ModuleSwap("blocks.1", seed: 1, isIntoUntrained: false)
    #expect(
      try one.parameters(among: ["blocks.1.a", "blocks.10.a", "blocks.1"], file: "") == [
        "blocks.1.a", "blocks.1",
      ])
  }

  @Test("networks of other kinds tell their normalisations too")
  func families() throws {
    for name in ["swin_tiny_patch4_window7_224", "densenet121", "mobilenetv2_100"] {
      let architecture = try #require(Catalog.architectures.first { $0.name == name }, "\(name)")
      let base = try architecture.make(Weights(RandomWeights(seed: 3)))
      var norms = 0
      _ = try base.run(
        Tensor.zeros([1, 3, 224, 224]), Tap.parts { _, part in norms += part == .norm ? 1 : 0 })
      #expect(norms > 10, "\(name): \(norms)")
      let size = (height: 224, width: 224)
      let changed = try WithoutParts(
        base, Surgery([.norm]), height: size.height, width: size.width)
      let names = base.sites(height: size.height, width: size.width).map(\.name)
      #expect(changed.sites(height: size.height, width: size.width).map(\.name) == names)
    }
  }
}
