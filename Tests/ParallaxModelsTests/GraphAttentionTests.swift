import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("Attention inside imported graphs")
struct GraphAttentionTests {
  private let oracle: Safetensors
  private let sites: [String: [String]]

  init() throws {
    oracle = try Safetensors(fixtures.appending(path: "attention/graphs.safetensors").path)
    let list = try #require(oracle.metadata["sites"])
    sites = try JSONDecoder().decode([String: [String]].self, from: Data(list.utf8))
  }

  private func tensor(_ name: String) throws -> Tensor { try #require(oracle[name], "\(name)") }

  private func model(_ path: String, everyNode: Bool = false) throws -> ImportedGraph {
    let loaded = try Catalog.load(
      .graph(fixtures.appending(path: path).path), graphs: GraphOptions(everyNode: everyNode))
    return try #require(loaded.model as? ImportedGraph)
  }

  private func images(_ name: String) throws -> Tensor {
    if name == "forms" { return try tensor("forms/input").to(.float32) }
    return try ExportOracle(name).tensor("input").to(.float32)
  }

  /// What a tap sees at some places, asked for by name.
  private func seen(_ names: [String], _ model: ImportedGraph, _ images: Tensor) throws -> [String:
    Tensor]
  {
    var seen: [String: Tensor] = [:]
    _ = try model.run(
      images,
      Tap(Set(names)) { visit in
        #expect(seen[visit.site] == nil, "\(visit.site) is shown twice")
        seen[visit.site] = visit.value
        return nil
      })
    return seen
  }

  private func outputs(_ name: String, _ model: ImportedGraph, _ images: Tensor) throws -> (
    plain: Tensor, turned: Tensor
  ) {
    let first = try #require(sites[name]?.first) + ".pattern"
    let tap = Tap(nil) { $0.site == first ? $0.value.flipped(3) : nil }
    return (try model.run(images, .off), try model.run(images, tap))
  }

  /// A graph against what PyTorch's written-out form gave for the network that it was exported from.
  private func check(_ name: String, _ path: String) throws {
    let model = try model(path)
    let images = try images(name)
    let size = (images.shape[2], images.shape[3])
    let all = model.sites(height: size.0, width: size.1)
    let expected = try #require(sites[name])
    // Behind eight layers rounding has added up.
    let tolerance = name == "forms" ? 5e-5 : 1e-5
    // In execution order, among the other sites, and before the module around them.
    #expect(
      all.filter { $0.kind == .pattern }.map(\.name) == expected.map { $0 + ".pattern" }, "\(path)")
    #expect(!all.contains { $0.name.hasSuffix(".heads") })
    let found = try seen(
      expected.map { $0 + ".pattern" } + expected.map { $0 + ".heads" }, model, images)
    for module in expected {
      let pattern = try #require(found[module + ".pattern"], "\(path) \(module)")
      let heads = try #require(found[module + ".heads"], "\(path) \(module)")
      let site = try #require(all.first { $0.name == module + ".pattern" })
      let theirs = try tensor("\(name)/\(module)/pattern")
      #expect(site.shape == Array(theirs.shape.dropFirst()), "\(site)")
      #expect(ModelOracle.difference(pattern, theirs) < tolerance, "\(path) \(module)")
      #expect(
        ModelOracle.difference(heads, try tensor("\(name)/\(module)/heads")) < tolerance,
        "\(path) \(module)")
      let outputs = try model.headOutputs(of: site, height: size.0, width: size.1, device: .cpu)
      #expect(outputs?.name == module + ".heads")
      #expect(outputs?.shape == Array(heads.shape.dropFirst()))
      if let place = all.firstIndex(of: site),
        let around = all.firstIndex(where: { $0.name == module })
      {
        #expect(place < around)
      }
    }
  }

  @Test(
    "fused attention in archives has PyTorch's weights and heads, each under its module",
    arguments: [
      "vit-timm", "deit-distilled-timm", "siglip-timm", "beit-timm", "eva02-timm",
      "vit-torchvision", "vit-hf", "dinov2-hf", "clip-hf",
    ])
  func archives(name: String) throws { try check(name, "exports/\(name).pt2") }

  @Test(
    "ONNX's Attention, and products with a softmax, with and without a guard against NaN: PyTorch's weights",
    arguments: [
      ("vit-timm", "vit-timm"), ("vit-timm", "vit-timm-torchscript"),
      ("deit-distilled-timm", "deit-distilled-timm"), ("clip-hf", "clip-hf"), ("vit-hf", "vit-hf"),
    ])
  func onnx(name: String, file: String) throws {
    let model = try model("onnx/\(file).onnx")
    let images = try images(name)
    let patterns = model.sites(height: 32, width: 32).filter { $0.kind == .pattern }
    let expected = try #require(sites[name])
    #expect(patterns.count == expected.count)
    let found = try seen(
      patterns.map(\.name) + patterns.compactMap(\.headOutputs), model, images)
    for (site, module) in zip(patterns, expected) {
      // transformers' modules are called by their attributes, or by what encloses them.
      #expect(site.name == module + ".pattern", "\(file)")
      let pattern = try #require(found[site.name])
      let outputs = try #require(site.headOutputs)
      let heads = try #require(found[outputs])
      #expect(ModelOracle.difference(pattern, try tensor("\(name)/\(module)/pattern")) < 1e-5)
      #expect(ModelOracle.difference(heads, try tensor("\(name)/\(module)/heads")) < 1e-5)
    }
  }

  @Test("masks, scales, causal and grouped attention, and the parts it is made of")
  func forms() throws {
    try check("forms", "attention/forms.pt2")
    let model = try model("attention/forms.pt2")
    let found = try seen(
      ["attend.masked.pattern", "attend.causal.pattern"], model, images("forms"))
    let masked = try #require(found["attend.masked.pattern"])
    // A query that may look at nothing has no weight at all.
    #expect(masked.selected(2, 2).absolute().maximum().item(Float.self) == 0)
    #expect(
      found["attend.causal.pattern"]?.selected(2, 0).selected(2, 0).sum().item(Float.self) == 8)
  }

  @Test(
    "weights that a tap replaces count, and looking changes nothing",
    arguments: [
      ("vit-timm", "exports/vit-timm.pt2"), ("beit-timm", "exports/beit-timm.pt2"),
      ("vit-torchvision", "exports/vit-torchvision.pt2"), ("forms", "attention/forms.pt2"),
      ("vit-timm", "onnx/vit-timm.onnx"), ("vit-timm", "onnx/vit-timm-torchscript.onnx"),
      ("clip-hf", "exports/clip-hf.pt2"),
    ])
  func replaced(name: String, path: String) throws {
    let model = try model(path)
    let images = try images(name)
    let (plain, turned) = try outputs(name, model, images)
    let theirs =
      name == "forms" ? try tensor("forms/output") : try ExportOracle(name).tensor("output")
    #expect(ModelOracle.difference(plain, theirs) < ModelOracle.tolerance)
    #expect(ModelOracle.difference(turned, try tensor("\(name)/patched")) < ModelOracle.tolerance)
    #expect(ModelOracle.difference(turned, plain) > 1e-3)
    // Looking at all of them, and at heads alone.
    let patterns = try #require(sites[name]).map { $0 + ".pattern" }
    var last: Tensor?
    _ = try model.run(
      images,
      Tap(Set(patterns + ["never"])) { visit in
        last = visit.value
        return nil
      })
    #expect(last != nil)
    let looked = try model.run(images, Tap(Set(patterns + ["never"])) { _ in nil })
    #expect(ModelOracle.difference(looked, plain) < 1e-5)
    let heads = try #require(sites[name]?.first) + ".heads"
    let silent = try model.run(
      images, Tap([heads, "never"]) { $0.site == heads ? $0.value.zerosLike() : nil })
    #expect(ModelOracle.difference(silent, plain) > 1e-3)
  }

  @Test("nobody who looks elsewhere pays: the output is the fused step's to the last bit")
  func elsewhere() throws {
    let model = try model("exports/vit-timm.pt2")
    let images = try images("vit-timm")
    let plain = try model.run(images, .off)
    let other = try model.run(images, Tap(["blocks.0.norm1", "never"]) { _ in nil })
    #expect(plain.bytes() == other.bytes())
  }

  @Test("half precision: the weights are float32's to three digits")
  func halves() throws {
    let images = try images("vit-timm")
    for dtype in ["float16", "bfloat16"] {
      let model = try model("exports/vit-timm-\(dtype).pt2")
      let found = try seen(["blocks.0.attn.pattern"], model, images)
      let pattern = try #require(found["blocks.0.attn.pattern"]).to(.float32)
      let gap = ModelOracle.difference(pattern, try tensor("vit-timm/blocks.0.attn/pattern"))
      #expect(gap < (dtype == "float16" ? 5e-3 : 5e-2), "\(dtype): \(gap)")
    }
  }

  @Test("gradients get through weights that somebody looks at")
  func gradients() throws {
    let model = try model("exports/vit-timm.pt2")
    let images = try images("vit-timm")
    func gradient(_ tap: @escaping @Sendable () -> Tap) -> Tensor {
      Tensor.valueWithGradient(at: [images]) { model($0[0], tap()).squared().mean() }.1[0]
    }
    let (fused, open) = (gradient { .off }, gradient { Tap(nil) { _ in nil } })
    #expect(ModelOracle.difference(open, fused) < 1e-4)
  }

  @Test(
    "tokens inside windows lie where the architecture has them, shifted and masked ones too",
    arguments: [
      "exports/swin-timm.pt2", "exports/swinv2-timm.pt2", "exports/swin-torchvision.pt2",
      "exports/swin-hf.pt2", "onnx/swin-timm.onnx", "onnx/swin-timm-torchscript.onnx",
    ])
  func windows(_ file: String) throws {
    let graph = try model(file)
    #expect(graph.attends)
    var c = Swin.Configuration()
    (c.imageSize, c.patch, c.width, c.depths, c.heads, c.window) = (32, 2, 8, [2, 1], [2, 2], 4)
    (c.classes, c.isSecond) = (5, file.contains("v2"))
    let swin = try Swin(c, Weights(RandomWeights(seed: 1)))
    let own = swin.sites(height: 32, width: 32).filter { $0.name.hasSuffix(".pattern") }
    let found = graph.sites(height: 32, width: 32).filter { $0.name.hasSuffix(".pattern") }
    #expect(found.count == 3 && own.count == 3, "\(found.map(\.name))")
    var masked = 0
    for (theirs, ours) in zip(found, own) {
      #expect(theirs.kind == .windows && theirs.shape == ours.shape)
      let (a, b) = (
        try #require(graph.attentionPlaces(at: theirs, height: 32, width: 32)),
        try #require(swin.attentionPlaces(at: ours, height: 32, width: 32))
      )
      #expect(a.rows == b.rows && a.columns == b.columns && a.step == b.step)
      #expect(a.windows == b.windows, "\(theirs.name)")
      for window in b.windows.indices {
        for query in b.windows[window].indices {
          for key in b.windows[window].indices {
            let sees = b.sees(window, query, key)
            #expect(a.sees(window, query, key) == sees)
            masked += sees ? 0 : 1
          }
        }
      }
      #expect(graph.attentionPlaces(at: theirs, height: 64, width: 64) == nil)
    }
    #expect(masked > 0)
  }

  @Test("a graph without attention has no patterns")
  func noAttention() throws {
    #expect(try !model("exports/resnet-timm.pt2").attends)
  }
}
