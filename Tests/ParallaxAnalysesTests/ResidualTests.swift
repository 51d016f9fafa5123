import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxMeasures
@testable import ParallaxModels

/// Channels past a branch that is a fixed matrix of them: z + Wz, as two tokens.
struct LinearBlocks: Model {
  let matrix: Tensor
  var depth = 2

  func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    let input = tap("input", images, as: .map)
    var x = input.reshaped(images.shape[0], 2, -1)  // [b, 2, d]
    for index in 0..<depth {
      x = tap.block(
        "blocks.\(index)",
        tap["blocks.\(index)"].joined("residual1", x, x.linear(matrix), .mlp, as: .patches),
        as: .patches)
    }
    return x.mean(over: [1])
  }
}

/// The miniatures whose sums `Oracles/residual.py` has seen.
enum ResidualFixture {
  static func file() throws -> Safetensors {
    try Safetensors(fixtures.appending(path: "residual/residual.safetensors").path)
  }

  static func vit(
    _ weights: any WeightSource, side: Int = 24, width: Int = 24, depth: Int = 2, heads: Int = 3,
    ratio: Double = 4, classes: Int = 10
  ) throws -> ViT {
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads) = (side, 8, width, depth, heads)
    (c.mlpRatio, c.classes) = (ratio, classes)
    return try ViT(c, Weights(weights))
  }

  static func resnet() throws -> ResNet {
    var c = ResNet.Configuration(.bottleneck, [1, 2, 1, 1])
    (c.channels, c.stem, c.classes) = ([4, 5, 6, 7], 8, 10)
    return try ResNet(c, Weights(ModelOracle("resnet-bottleneck").weights))
  }

  static func model(_ name: String) throws -> any Model {
    let weights = try ModelOracle(name).weights
    switch name {
    case "vit-timm": return try vit(weights)
    case "beit-timm":
      var c = Beit.Configuration()
      (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (24, 8, 24, 2, 3, 10)
      c.inner = 96
      return try Beit(c, Weights(weights))
    case "swin-timm", "swinv2-timm":
      var c = Swin.Configuration()
      (c.imageSize, c.width, c.depths, c.heads, c.window) = (28, 4, [2, 2, 1], [1, 2, 2], 3)
      (c.mlpRatio, c.classes, c.isSecond) = (1.5, 10, name == "swinv2-timm")
      if c.isSecond { (c.depths, c.pretrainedWindows) = ([2, 1, 1], [0, 2, 0]) }
      return try Swin(c, Weights(weights))
    case "convnext-timm":
      var c = ConvNeXt.Configuration([1, 2, 1, 1], [4, 6, 7, 8])
      (c.classes, c.layerScale, c.responseNorm) = (10, true, false)
      return try ConvNeXt(c, Weights(weights))
    default: return try resnet()
    }
  }
}

@Suite("Residual connections")
struct ResidualTests {
  /// The numbers of every sum for some images, by name.
  private func numbers(_ model: any Model, _ images: Tensor) throws -> [String: Tensor] {
    let size = (height: images.shape[2], width: images.shape[3])
    let all = try model.connections(height: size.height, width: size.width, device: .cpu)
    var found: [String: Tensor] = [:]
    var skips: [String: Tensor] = [:]
    let tap = Tap(Set(all.flatMap { [$0.skip, $0.branch] })) { visit in
      for one in all {
        if visit.site == one.skip { skips[one.name] = visit.value }
        if visit.site == one.branch, let skip = skips[one.name],
          let grid = SpatialGrid(one.kind, one.shape, model.tokenLayout, imageSize: size)
        {
          found[one.name] = ResidualNumbers.of(skip, visit.value, grid)
        }
      }
      return nil
    }
    _ = try model.run(images, tap)
    #expect(found.count == all.count)
    return found
  }

  @Test(
    "norms and cosines of every sum are those of PyTorch's hooks",
    arguments: [
      "vit-timm", "beit-timm", "swin-timm", "swinv2-timm", "convnext-timm", "resnet-bottleneck",
    ])
  func hooks(name: String) throws {
    let file = try ResidualFixture.file()
    let found = try numbers(
      try ResidualFixture.model(name), try ModelOracle(name).tensor("input").to(.float32))
    let known = file.names.filter { $0.hasPrefix("\(name)/") }
    #expect(Set(known) == Set(found.keys.map { "\(name)/\($0)" }) && !known.isEmpty)
    for (sum, values) in found {
      let expected = try #require(file["\(name)/\(sum)"])
      #expect(ModelOracle.difference(values, expected) < 2e-5, "\(name) \(sum)")
    }
  }

  @Test("graphs have the sums of the networks that they were exported from")
  func graphs() throws {
    let block = [ResidualConnection.Part.attention, .mlp]
    let expected: [(String, [ResidualConnection.Part], [String])] = [
      ("vit-timm", block + block, ["blocks.0", "blocks.1"]),
      ("deit-distilled-timm", block + block, ["blocks.0", "blocks.1"]),
      ("beit-timm", block + block, ["blocks.0", "blocks.1"]),
      ("eva02-timm", block + block, ["blocks.0", "blocks.1"]),
      ("siglip-timm", block + block, ["blocks.0", "blocks.1"]),
      ("mixer-timm", [.mixing, .mlp, .mixing, .mlp], ["blocks.0", "blocks.1"]),
      ("densenet-torchvision", [], []), ("vgg-torchvision", [], []),
    ]
    for (name, parts, blocks) in expected {
      let graph = try Catalog.load(.graph(try ExportOracle(name).path)).model
      let size = graph.fixedImageSize ?? (32, 32)
      let found = try graph.connections(height: size.height, width: size.width, device: .cpu)
      #expect(found.map(\.part) == parts, "\(name)")
      #expect(found.map(\.block).reduce(into: []) { if $0.last != $1 { $0.append($1) } } == blocks)
    }
    for name in [
      "vit-hf", "dinov2-hf", "clip-hf", "swin-hf", "vit-torchvision", "swin-torchvision",
    ] {
      let graph = try Catalog.load(.graph(try ExportOracle(name).path)).model
      let size = graph.fixedImageSize ?? (32, 32)
      let found = try graph.connections(height: size.height, width: size.width, device: .cpu)
      #expect(!found.isEmpty && found.count.isMultiple(of: 2), "\(name)")
      for (index, one) in found.enumerated() { #expect(one.part == block[index % 2], "\(name)") }
      let sites = graph.sites(height: size.height, width: size.width, device: .cpu)
      let blocks = Set(sites.filter(\.isBlock).map(\.name))
      #expect(Set(found.map(\.block)) == blocks, "\(name)")
    }
    for name in [
      "resnet-timm", "resnet-torchvision", "convnext-timm", "convnextv2-timm", "regnet-timm",
    ] {
      let graph = try Catalog.load(.graph(try ExportOracle(name).path)).model
      let size = graph.fixedImageSize ?? (32, 32)
      let found = try graph.connections(height: size.height, width: size.width, device: .cpu)
      let sites = graph.sites(height: size.height, width: size.width, device: .cpu)
      #expect(found.map(\.block) == sites.filter(\.isBlock).map(\.name), "\(name)")
      #expect(found.allSatisfy { $0.part == .branch && $0.kind != .tokens }, "\(name)")
    }
  }

  @Test(
    "ONNX files have the same sums, with modules and without",
    arguments: [
      ("vit-timm", "vit-timm"), ("vit-timm-torchscript", "vit-timm"), ("mixer-timm", "mixer-timm"),
      ("mixer-timm-nameless", "mixer-timm"), ("convnext-timm", "convnext-timm"),
      ("resnet-timm", "resnet-timm"), ("swin-timm", "swin-timm"), ("vit-hf", "vit-hf"),
      ("swin-timm-torchscript", "swin-timm"),
    ])
  func onnx(file: String, archive: String) throws {
    let path = fixtures.appending(path: "onnx/\(file).onnx").path
    let onnx = try Catalog.load(.graph(path)).model
    let graph = try Catalog.load(.graph(try ExportOracle(archive).path)).model
    let (a, b) = (onnx.fixedImageSize ?? (32, 32), graph.fixedImageSize ?? (32, 32))
    let found = try onnx.connections(height: a.height, width: a.width, device: .cpu)
    let other = try graph.connections(height: b.height, width: b.width, device: .cpu)
    #expect(found.map(\.part) == other.map(\.part) && !found.isEmpty, "\(file)")
    #expect(Set(found.map(\.name)).count == found.count)
  }

  @Test("a model in Swift and the graph that PyTorch exported have the same numbers")
  func graph() throws {
    let oracle = try ExportOracle("vit-timm")
    let images = try oracle.tensor("input").to(.float32)
    let a = try numbers(try Catalog.load(.graph(oracle.path)).model, images)
    let b = try numbers(
      try ResidualFixture.vit(try Checkpoint.open(oracle.path), side: 32, classes: 5), images)
    #expect(Set(a.keys) == Set(b.keys) && a.count == 4)
    for (name, values) in a {
      #expect(ModelOracle.difference(values, try #require(b[name])) < 1e-5, "\(name)")
    }
  }

  @Test(
    "norms after a branch or a sum, a sum within a nonlinearity and parallel branches are told apart"
  )
  func odd() throws {
    let folder = fixtures.appending(path: "residual")
    let graph = try Catalog.load(.graph(folder.appending(path: "odd.pt2").path)).model
    let file = try Safetensors(folder.appending(path: "odd.safetensors").path)
    let images = try #require(file["images"])
    let found = try graph.connections(height: 16, width: 16, device: .cpu)
    #expect(
      found.map { "\($0.name) \($0.part.rawValue)" } == [
        "blocks.0.residual1 attention", "blocks.0.residual2 mlp", "blocks.1.residual1 attention",
        "blocks.1.residual2 mlp", "blocks.2.residual1 parallel", "blocks.3.residual1 parallel",
        "blocks.3.residual2 parallel",
      ])
    let all = try numbers(graph, images)
    for sum in file.names where sum.hasPrefix("blocks.") {
      let expected = try #require(file[sum])
      #expect(ModelOracle.difference(try #require(all[sum]), expected) < 1e-5, "\(sum)")
    }
    #expect(file.names.count { $0.hasPrefix("blocks.") } == 4)
    #expect(ModelOracle.difference(graph(images, .off), try #require(file["output"])) < 1e-5)
  }

  @Test("a branch c·z has ratio 1/c and cosine 1; one at right angles cosine 0 and √½")
  func analytic() throws {
    let images = RandomSource(seed: 3).normal([4, 3, 4, 4])
    let scaled = try numbers(LinearBlocks(matrix: Tensor.identity(24) * 0.25), images)
    let values = try #require(scaled["blocks.1.residual1"]).reshaped(4, 5, 2)
    for (number, expected) in [(0, 4.0), (3, 1), (4, 1)] {
      #expect(gap(values.selected(1, number), Tensor.ones([4, 2]) * expected) < 1e-6)
    }
    // Pairs of channels turned by a right angle.
    var turn = [Float](repeating: 0, count: 24 * 24)
    for pair in 0..<12 {
      turn[2 * pair * 24 + 2 * pair + 1] = -1
      turn[(2 * pair + 1) * 24 + 2 * pair] = 1
    }
    let turned = try numbers(
      LinearBlocks(matrix: Tensor(turn, shape: [24, 24]), depth: 1), images)
    let right = try #require(turned["blocks.0.residual1"]).reshaped(4, 5, 2)
    for (number, expected) in [(0, 1.0), (3, 0.5.squareRoot()), (4, 0)] {
      #expect(gap(right.selected(1, number), Tensor.ones([4, 2]) * expected) < 1e-6)
    }
  }

  @Test("what nobody asks for changes nothing, and who replaces a summand changes the sum")
  func replacing() throws {
    let model = LinearBlocks(matrix: Tensor.identity(24) * 0.5, depth: 1)
    let images = RandomSource(seed: 4).normal([2, 3, 4, 4])
    let plain = images.reshaped(2, 2, -1).mean(over: [1])
    #expect(gap(model(images, .off), plain * 1.5) < 1e-6)
    let bare = WithoutSkips(
      model, try model.connections(height: 4, width: 4, device: .cpu))
    #expect(gap(bare(images, .off), plain * 0.5) < 1e-6)
    // Whoever looks at a lesioned model sees the zeros, and the model stops where it may.
    var seen: [String] = []
    let tap = Tap(["blocks.0.residual1.skip", "blocks.0"]) { visit in
      seen.append(visit.site)
      if visit.site.hasSuffix(".skip") {
        #expect(visit.value.absolute().maximum().item(Float.self) == 0)
      }
      return nil
    }
    _ = bare(images, tap)
    #expect(seen == ["blocks.0.residual1.skip", "blocks.0"])
    let sites = model.sites(height: 4, width: 4)
    #expect(sites.map(\.name) == ["input", "blocks.0"])
  }

  @Test("CKA and output without the skips of a block are PyTorch's", arguments: ["vit", "resnet"])
  func removal(name: String) throws {
    let file = try ResidualFixture.file()
    let images = try #require(file["\(name)/images"]).to(.float32)
    let model: any Model
    if name == "vit" {
      var held: [String: Tensor] = [:]
      for key in file.names where key.hasPrefix("vit/weights/") {
        held[String(key.dropFirst(12))] = file[key]?.to(.float32)
      }
      model = try ResidualFixture.vit(
        HeldWeights(held, label: "vit"), width: 16, depth: 4, heads: 2, ratio: 2, classes: 5)
    } else {
      model = try ResidualFixture.resnet()
    }
    let side = images.shape[2]
    let subject = try Subject(
      name: name, family: "", model: model,
      preprocessing: .letterbox(side, mean: [0.5, 0.5, 0.5], std: [1, 1, 1]), fingerprint: name)
    let all = try subject.connections()
    let removals = try SkipRemovals(of: [1], [subject], [all])
    for block in 0..<2 {
      try removals.begin(BlockHeading(index: block, samples: Array(0..<6)))
      let part = images.sliced(0, 6 * block, 6 * block + 6)
      for (index, watch) in removals.watched.enumerated() {
        let form = try #require(([subject] + removals.companions).first { $0.name == watch.model })
        var held: [String: Tensor] = [:]
        _ = form.model(
          part,
          Tap(Set(watch.sites)) { visit in
            held[visit.site] = visit.value
            return nil
          })
        try removals.add(index, watch.reduce(watch.sites.compactMap { held[$0] }))
      }
      try removals.finish()
    }
    let result = try #require(try removals.results().first)
    for (map, key) in [(result.intact, "intact"), (result.ablated, "ablated")] {
      let expected = try #require(file["\(name)/cka/\(key)"])
      let found = map.flatMap { $0.map { $0 ?? .nan } }
      #expect(
        gap(Tensor(found, shape: expected.shape), expected) < 2e-5, "\(name) \(key)")
    }
    let output = removals.companions[0].model(images, .off)
    let expected = try #require(file["\(name)/ablated/output"])
    #expect(ModelOracle.difference(output, expected) < 1e-5)
    // Means over the squares, by hand.
    let (first, last) = (result.before, result.before + result.within)
    var (across, count) = (0.0, 0.0)
    for i in 0..<first {
      for j in last..<result.layers.count {
        across += result.ablated[i][j] ?? .nan
        count += 1
      }
    }
    #expect(abs((result.acrossAblated.value ?? .nan) - across / count) < 1e-12)
    #expect(result.layers.count == 2 * all.count)
    let counts: [Int] = [result.blocks, result.images]
    #expect(counts == [2, 12])
  }
}
