import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxModels

/// Uniform 3×3 convolutions, one channel wide.
private struct UniformStack: Model {
  var layers: Int

  func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    var x = tap("input", images, as: .map)
    for layer in 0..<layers {
      let inputs = layer == 0 ? 3 : 1
      x = x.convolution(
        Tensor.ones([1, inputs, 3, 3]) / Double(9 * inputs), nil, stride: [1, 1], padding: [1, 1])
      x = tap.block("layers.\(layer)", x)
    }
    return x
  }
}

/// One matrix from all pixels to all locations.
private struct LinearModel: Model {
  let matrix: Tensor
  let shape: [Int]

  func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    let x = tap("input", images, as: .map).reshaped(images.shape[0], -1)
    let y = x.linear(matrix)
    let map = tap.block("map", y.reshaped([images.shape[0]] + shape), as: .map)
    return tap("logits", map.mean(over: [2, 3]))
  }
}

@Suite("Effective receptive fields")
struct ReceptiveFieldTests {
  private static func fixture() throws -> Safetensors {
    try Safetensors(fixtures.appending(path: "receptive-field/fields.safetensors").path)
  }

  private func location(_ model: any Model, _ name: String, _ images: Tensor) throws
    -> CentreLocation
  {
    let size = (height: images.shape[2], width: images.shape[3])
    let site = try #require(
      model.sites(height: size.height, width: size.width).first { $0.name == name }, "\(name)")
    return try CentreLocation(site, model.tokenLayout, imageSize: size, model: "model")
  }

  private func maps(
    _ model: any Model, _ names: [String], _ images: Tensor, _ channels: ReceptiveField.Channels,
    seed: UInt64 = 0, first: Int = 0
  ) throws -> [Tensor] {
    let field = ReceptiveField(model, at: try names.map { try location(model, $0, images) })
    var found: [Tensor] = []
    try field.maps(of: images, channels: channels, seed: seed, first: first) { place, maps in
      #expect(place == found.count)
      found.append(maps)
    }
    return found
  }

  @Test("a stack of uniform 3×3 convolutions has the composed kernel as its field")
  func uniform() throws {
    let images = RandomSource(seed: 1).normal([2, 3, 41, 41])
    let model = UniformStack(layers: 10)
    let composed = try #require(Self.fixture()["sizes/composed/field"])
    for channels in [ReceptiveField.Channels.all, .summed, .sampled(1)] {
      let found = try maps(model, ["layers.9"], images, channels)[0]
      #expect(gap(found.selected(0, 0) * 3, composed) < 1e-8)
      #expect(gap(found.selected(0, 0), found.selected(0, 1)) == 0)
      let sizes = FieldStatistics(
        height: 41, width: 41, location: try location(model, "layers.9", images))
      let values = try #require(sizes(found)[0])
      #expect(abs(values.spread - 2.58198889747161) < 1e-6)
      #expect(abs(values.spread - (10.0 * 8 / 12).squareRoot()) < 1e-6)
      #expect(abs(values.luo - 11.7046999107196) < 1e-12)
    }
  }

  @Test("the field of the pixels themselves is one pixel; of a linear network its matrix")
  func linear() throws {
    let images = RandomSource(seed: 2).normal([3, 3, 6, 8])
    let matrix = RandomSource(seed: 3).normal([4 * 3 * 2, 3 * 6 * 8])
    let model = LinearModel(matrix: matrix, shape: [4, 3, 2])
    let found = try maps(model, ["input", "map"], images, .all)
    let sizes = FieldStatistics(height: 6, width: 8, location: try location(model, "input", images))
    let pixel = try #require(sizes(found[0])[2])
    #expect(pixel.radius == 0 && pixel.spread == 0 && pixel.luo == 1 && pixel.centre == 1)
    #expect(pixel.squares == [1, 1, 1, 1])
    #expect(found[0].selected(0, 0).selected(0, 3).scalars(Float.self)[4] == Float(1) / 3)
    // Rows of the matrix that lead to location (1, 1) of each channel.
    let rows = matrix.reshaped(4, 3, 2, 3, 6, 8).selected(1, 1).selected(1, 1)
    let expected = rows.absolute().mean(over: [0, 1])
    #expect(gap(found[1].selected(0, 1), expected) < 1e-6)
    let summed = try maps(model, ["map"], images, .summed)[0]
    #expect(
      gap(summed.selected(0, 1), rows.sum(over: [0]).absolute().mean(over: [0])) < 1e-6)
  }

  private func vit(_ weights: any WeightSource, side: Int = 24, classes: Int = 10) throws -> ViT {
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (side, 8, 24, 2, 3, classes)
    return try ViT(c, Weights(weights))
  }

  private func resnet() throws -> (ModelOracle, ResNet) {
    let oracle = try ModelOracle("resnet-bottleneck")
    var c = ResNet.Configuration(.bottleneck, [1, 2, 1, 1])
    (c.channels, c.stem, c.classes) = ([4, 5, 6, 7], 8, 10)
    return (oracle, try ResNet(c, Weights(oracle.weights)))
  }

  @Test(
    "a ViT's and a ResNet's fields are PyTorch's, of every channel and of their sum, before and after the residual connection"
  )
  func autograd() throws {
    let file = try Self.fixture()
    let transformer = try ModelOracle("vit-timm")
    let (network, convolutional) = try resnet()
    let cases: [(String, any Model, Tensor)] = [
      ("vit", try vit(transformer.weights), try transformer.tensor("input")),
      ("resnet", convolutional, try network.tensor("input")),
    ]
    for (name, model, images) in cases {
      let known = file.names.filter { $0.hasPrefix("\(name)/") && $0.hasSuffix("/summed") }
      let sites = known.map { String($0.dropFirst(name.count + 1).dropLast("/summed".count)) }
      #expect(sites.count == 6)
      for (label, channels) in [
        ("per-channel", ReceptiveField.Channels.all), ("summed", .summed),
      ] {
        let found = try maps(model, sites, images, channels)
        for (site, map) in zip(sites, found) {
          let expected = try #require(file["\(name)/\(site)/\(label)"])
          let difference = ModelOracle.difference(map, expected)
          #expect(difference < 1e-5, "\(name) \(site) \(label): \(difference)")
        }
      }
    }
  }

  @Test("all channels drawn are all channels, and a batch's images do not know of one another")
  func drawing() throws {
    let oracle = try ModelOracle("vit-timm")
    let (model, images) = (try vit(oracle.weights), try oracle.tensor("input"))
    let sites = ["blocks.0", "blocks.1"]
    let all = try maps(model, sites, images, .all)
    let drawn = try maps(model, sites, images, .sampled(24))
    #expect(gap(all[1], drawn[1]) == 0)
    let some = try maps(model, sites, images, .sampled(2), seed: 5)
    let second = try maps(model, sites, images.sliced(0, 1, 2), .sampled(2), seed: 5, first: 1)
    #expect(ModelOracle.difference(second[1], some[1].sliced(0, 1, 2)) < 1e-5)
    let other = try maps(model, sites, images, .sampled(2), seed: 6)
    #expect(ModelOracle.difference(other[1], some[1]) > 1e-3)
    // Over many seeds the mean is that over all channels.
    var sum = all[1] * 0
    for seed in 0..<64 {
      sum = sum + (try maps(model, ["blocks.1"], images, .sampled(4), seed: UInt64(seed))[0])
    }
    #expect(ModelOracle.difference(sum / 64, all[1]) < 0.1)
  }

  @Test("a model in Swift and the graph that PyTorch exported have the same fields")
  func graph() throws {
    let oracle = try ExportOracle("vit-timm")
    let graph = try Catalog.load(.graph(oracle.path)).model
    let own = try vit(try Checkpoint.open(oracle.path), side: 32, classes: 5)
    let images = try oracle.tensor("input").to(.float32)
    let sites = ["blocks.0.attn", "blocks.0", "blocks.1.mlp", "blocks.1"]
    for channels in [ReceptiveField.Channels.all, .summed] {
      let (a, b) = (
        try maps(graph, sites, images, channels), try maps(own, sites, images, channels)
      )
      for (x, y) in zip(a, b) { #expect(ModelOracle.difference(x, y) < 1e-5) }
    }
  }

  @Test("sizes are those of their definitions", arguments: ["composed", "patches", "uneven"])
  func sizes(name: String) throws {
    let file = try Self.fixture()
    let map = try #require(file["sizes/\(name)/field"])
    let expected = try #require(file["sizes/\(name)/values"]).scalars(Double.self)
    let places = try JSONDecoder().decode(
      [String: [Int]].self, from: Data((file.metadata["places"] ?? "").utf8))
    let grid = try #require(places[name])
    let (height, width) = (map.shape[0], map.shape[1])
    let location = try CentreLocation(
      Site(name: "s", kind: .map, shape: [1, grid[2], grid[3]], isBlock: true), nil,
      imageSize: (height, width), model: "m")
    #expect([location.row, location.column] == Array(grid.prefix(2)))
    let sizes = FieldStatistics(height: height, width: width, location: location)
    let found = sizes(Tensor.stacked([map * 0, map, map * 7]))
    #expect(found[0] == nil)
    for values in found.dropFirst() {
      let values = try #require(values)
      let numbers =
        [values.radius, values.spread, values.luo] + values.squares + [values.centre]
      #expect(numbers.count == expected.count)
      for (a, b) in zip(numbers, expected) { #expect(abs(a - b) < 1e-9, "\(numbers) \(expected)") }
    }
  }

  @Test("sites without a centre location are refused in one line")
  func refusals() throws {
    func refused(_ kind: SiteKind, _ shape: [Int], _ text: String) {
      let error = #expect(throws: AnalysisError.self) {
        try CentreLocation(
          Site(name: "s", kind: kind, shape: shape, isBlock: true),
          TokenLayout(hasClassToken: true, patch: 8), imageSize: (24, 24), model: "m")
      }
      #expect(error?.description.contains(text) == true, "\(String(describing: error))")
    }
    refused(.vector, [10], "m@s: it is one vector an image")
    refused(.tokens, [9, 24], "8 patch tokens do not fill a grid over images of 24×24 pixels")
    refused(.pattern, [3, 10, 10], "it is of kind 'pattern'")
    refused(.windows, [9, 24], "expected a map or tokens on a grid")
    let later = try CentreLocation(
      Site(name: "s", kind: .patches, shape: [4, 24], isBlock: true),
      TokenLayout(hasClassToken: false, patch: 4), imageSize: (24, 24), model: "m")
    #expect(later.grid == (2, 2) && later.row == 1)
  }

  @Test("a quantised graph has no gradient, and that is an error, not a trap")
  func quantised() throws {
    let path = fixtures.appending(path: "onnx/resnet-timm-qdq.onnx").path
    let loaded = try Catalog.load(
      .graph(path), graphs: GraphOptions(everyNode: false, asShipped: true))
    let file = try Safetensors(
      fixtures.appending(path: "onnx/resnet-timm-qdq.safetensors").path)
    let images = try #require(file["input"]).to(.float32)
    let (height, width) = (images.shape[2], images.shape[3])
    let sites = loaded.model.sites(height: height, width: width).filter { $0.kind == .map }
    let last = try #require(sites.last { $0.shape[1] > 1 && $0.name != "input" })
    let field = ReceptiveField(
      loaded.model,
      at: [
        try CentreLocation(
          last, loaded.model.tokenLayout, imageSize: (height, width), model: "quantised")
      ])
    var mass = 0.0
    do {
      try field.maps(of: images, channels: .summed) { _, maps in
        mass = maps.sum().item(Double.self)
      }
      // What rounds has the derivative 0 everywhere.
      #expect(mass == 0)
    } catch let error as AnalysisError {
      #expect(error.description.contains("gradient"), "\(error)")
    }
  }
}
