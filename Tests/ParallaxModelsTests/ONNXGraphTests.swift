import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("ONNX graphs, ONNX Runtime and PyTorch")
struct ONNXGraphTests {
  static let floats = [
    "vit-timm", "vit-timm-torchscript", "deit-distilled-timm", "vit-hf", "clip-hf", "swin-timm",
    "swin-timm-torchscript", "resnet-timm", "convnext-timm", "efficientnet-timm",
    "mobilenetv3-timm", "densenet-torchvision", "mixer-timm", "own", "own-torchscript", "nhwc",
    "efficientnet-timm-numbered", "mixer-timm-nameless", "mobilenetv3-timm-external",
  ]
  static let quantised = ["resnet-timm-qdq", "vit-timm-integers"]

  private func loaded(_ path: String, everyNode: Bool = false, asShipped: Bool = false) throws
    -> LoadedModel
  {
    try Catalog.load(.graph(path), graphs: GraphOptions(everyNode: everyNode, asShipped: asShipped))
  }

  private func images(_ oracle: ONNXOracle) throws -> Tensor {
    try oracle.tensor("input").to(.float32)
  }

  /// Every value of a graph by name, its images being known.
  private func values(_ oracle: ONNXOracle) throws -> (String) -> Tensor? {
    let file = try ONNXFile(oracle.path)
    var compiler = try ONNXCompiler(file, device: .cpu, options: GraphOptions(asShipped: true))
    let input = try #require(file.model.graph.input.first { file.shape($0.name) == nil })
    let images = try images(oracle)
    let isLast = input.type.tensorType.shape.dim.last?.dimValue == 3
    try compiler.give(input.name, isLast ? images.permuted(0, 2, 3, 1) : images)
    try compiler.compile(file.model.graph.node)
    let found = compiler
    return { name in
      var copy = found
      return (try? copy.slot(name)).flatMap { found.known[$0]?.tensor }
    }
  }

  @Test("every value of the graph is ONNX Runtime's", arguments: floats + quantised)
  func everyValue(name: String) throws {
    let oracle = try ONNXOracle(name)
    let value = try values(oracle)
    #expect(!oracle.nodes.isEmpty)
    for node in oracle.nodes {
      guard let found = value(node) else {
        Issue.record("nothing is called '\(node)'")
        continue
      }
      let gap = try #require(oracle.difference(found, at: "node/\(node)"), "\(node)")
      #expect(gap < ModelOracle.tolerance, "\(node): \(found)")
    }
  }

  @Test("output, every module and the gradient are PyTorch's", arguments: floats)
  func agreement(name: String) throws {
    let oracle = try ONNXOracle(name)
    let model = try loaded(oracle.path).model
    let input = try images(oracle)
    #expect(
      ModelOracle.difference(model(input, .off), try oracle.tensor("output"))
        < ModelOracle.tolerance)
    var seen: Set<String> = []
    let hasModules = !name.hasSuffix("numbered") && !name.hasSuffix("nameless")
    let tap = Tap(nil) { visit in
      #expect(seen.insert(visit.site).inserted, "\(visit.site) is shown twice")
      // Two calls one after the other are one here: the file does not tell them apart.
      let isTwice = name.hasPrefix("own") && visit.site == "twice"
      if hasModules, !isTwice, !oracle.folded.contains(visit.site),
        let gap = oracle.difference(visit.value, at: "site/\(visit.site)")
      {
        #expect(gap < ModelOracle.tolerance, "\(visit.site) \(visit.value.shape)")
      }
      return nil
    }
    _ = model(input, tap)
    let batch = input.shape[0]
    let expected = oracle.order.filter {
      let shape = oracle.shape("site/\($0)") ?? []
      return hasModules && shape.first == batch && shape.count > 1 && !oracle.folded.contains($0)
    }
    let missing = expected.filter { !seen.contains($0) }
    // What a module hands on unchanged, or what has become part of another, leaves no node: above all batch norms.
    let most = oracle.folded.isEmpty ? 0.25 : 0.4
    #expect(Double(missing.count) <= most * Double(expected.count), "\(missing)")
    guard let gradient = oracle.file["grad/input"] else { return }
    let (_, gradients) = Tensor.valueWithGradient(at: [input]) {
      model($0[0], .off).squared().mean()
    }
    #expect(
      ModelOracle.difference(ExportOracle.sample(gradients[0], 4096), gradient) < 1e-3,
      "gradient at the pixels")
  }

  @Test(
    "the archive, the ONNX files and their network have the same sites with the same numbers",
    arguments: [
      ("vit-timm", "vit-timm"), ("vit-timm", "vit-timm-torchscript"), ("swin-timm", "swin-timm"),
      ("convnext-timm", "convnext-timm"), ("mixer-timm", "mixer-timm"), ("clip-hf", "clip-hf"),
    ])
  func archive(archive: String, name: String) throws {
    let oracle = try ExportOracle(archive)
    let (one, other) = (try loaded(oracle.path).model, try loaded(ONNXOracle(name).path).model)
    let images = try oracle.tensor("input").to(.float32)
    func all(_ model: any Model) -> [String: Tensor] {
      var found: [String: Tensor] = [:]
      let tap = Tap(nil) { visit in
        found[visit.site] = visit.value
        return nil
      }
      _ = model(images, tap)
      return found
    }
    let (left, right) = (all(one), all(other))
    let shared = Set(left.keys).intersection(right.keys)
    #expect(
      Double(shared.count) > 0.75 * Double(left.count), "\(Set(left.keys).subtracting(shared))")
    for site in shared {
      let (a, b) = (try #require(left[site]), try #require(right[site]))
      #expect(a.shape == b.shape, "\(site)")
      #expect(ModelOracle.difference(a, b) < ModelOracle.tolerance, "\(site)")
    }
    let side = images.shape[2]
    let blocks = { (model: any Model) in
      model.sites(height: side, width: side).filter(\.isBlock).map(\.name)
    }
    #expect(blocks(one) == blocks(other))
    #expect(one.tokenLayout == other.tokenLayout)
  }

  @Test("the ViT in Swift, its archive and its ONNX files give the same representations")
  func threeWays() throws {
    let oracle = try ExportOracle("vit-timm")
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (32, 8, 24, 2, 3, 5)
    let weights = Weights(try Checkpoint.open(oracle.path))
    let own = try ViT(c, weights)
    try weights.finish()
    let images = try oracle.tensor("input").to(.float32)
    var seen: [String: Tensor] = [:]
    let record = Tap(nil) { visit in
      seen[visit.site] = visit.value
      return nil
    }
    _ = own(images, record)
    let paths = try [
      oracle.path, ONNXOracle("vit-timm").path, ONNXOracle("vit-timm-torchscript").path,
    ]
    for path in paths {
      var shared = 0
      let tap = Tap(nil) { visit in
        guard let value = seen[visit.site] else { return nil }
        shared += 1
        let gap = ModelOracle.difference(visit.value, value)
        #expect(gap < ModelOracle.tolerance, "\(path) \(visit.site)")
        return nil
      }
      _ = try loaded(path).model(images, tap)
      #expect(shared > 15, "\(path)")
    }
  }

  @Test(
    "an image size that was left open can be another", arguments: ["resnet-timm", "convnext-timm"])
  func sizes(name: String) throws {
    let oracle = try ONNXOracle(name)
    let model = try loaded(oracle.path).model
    #expect(model.fixedImageSize == nil)
    let images = try images(oracle)
    let part = images.sliced(0, 0, 1).sliced(3, images.shape[3] / 4)
    #expect(
      ModelOracle.difference(model(part, .off), try oracle.tensor("output/crop"))
        < ModelOracle.tolerance)
  }

  @Test("a quantised network runs in float32 unless it shall run as shipped", arguments: quantised)
  func quantisation(name: String) throws {
    let oracle = try ONNXOracle(name)
    let images = try images(oracle)
    let original = try ExportOracle(
      name.replacing("-qdq", with: "").replacing("-integers", with: ""))
    let (plain, shipped) = (
      try loaded(oracle.path), try loaded(oracle.path, asShipped: true)
    )
    #expect(plain.caveat?.contains("float32") == true)
    #expect(shipped.caveat?.contains("as shipped") == true)
    #expect(plain.fingerprint != shipped.fingerprint)
    let (a, b) = (plain.model(images, .off), shipped.model(images, .off))
    #expect(ModelOracle.difference(b, try oracle.tensor("output")) < ModelOracle.tolerance)
    // Without the rounding of activations it is nearer to the network that was quantised.
    let truth = try original.tensor("output")
    #expect(ModelOracle.difference(a, truth) < ModelOracle.difference(b, truth))
    let (_, gradients) = Tensor.valueWithGradient(at: [images]) {
      plain.model($0[0], .off).squared().mean()
    }
    #expect(gradients[0].absolute().maximum().item(Double.self) > 0)
  }

  @Test("a graph with channels last takes images as every model does")
  func channelsLast() throws {
    let model = try loaded(ONNXOracle("nhwc").path).model
    let sites = model.sites(height: 32, width: 32)
    #expect(sites.first?.shape.first == 3)
    #expect(sites.contains { $0.name.hasPrefix("model") && $0.kind == .map })
  }

  @Test("nodes without names of modules are sites under their own")
  func plainNames() throws {
    let numbered = try loaded(ONNXOracle("efficientnet-timm-numbered").path).model
    #expect(numbered.sites(height: 32, width: 32).contains { $0.name == "Conv_0" })
    let nameless = try loaded(ONNXOracle("mixer-timm-nameless").path).model
    #expect(nameless.sites(height: 32, width: 32).count > 20)
  }

  @Test("every node is a site on request, under its module")
  func everyNode() throws {
    let oracle = try ONNXOracle("vit-timm-torchscript")
    let model = try loaded(oracle.path, everyNode: true).model
    let names = model.sites(height: 32, width: 32).map(\.name)
    #expect(names.contains("blocks.0.attn.MatMul") && names.contains("blocks.0.attn"))
    #expect(names.contains("blocks.0.attn.qkv.MatMul"))
    #expect(Set(names).count == names.count)
  }

  @Test("parameters go by their modules' names, and tell the tokens' layout")
  func parameters() throws {
    let found = try loaded(ONNXOracle("vit-timm").path)
    #expect(found.parameters["blocks.0.attn.qkv.weight"] == 24 * 72)
    #expect(found.model.tokenLayout == TokenLayout(hasClassToken: true, patch: 8))
    let plain = try loaded(ONNXOracle("vit-timm-torchscript").path)
    #expect(plain.model.tokenLayout == TokenLayout(hasClassToken: true, patch: 8))
  }
}
