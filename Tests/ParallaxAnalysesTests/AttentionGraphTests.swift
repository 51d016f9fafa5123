import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxAnalyses

@Suite("Attention of graphs, and heads before their projection")
struct AttentionGraphTests {
  private func options() -> AttentionAnalysis.Options {
    var options = AttentionAnalysis.Options()
    (options.groups, options.maps.images) = (4, 0)
    return options
  }

  private func run(_ subject: Subject, _ images: ImageSet) throws -> AttentionResult {
    let analysis = try AttentionAnalysis(of: [subject], images: images, options: options())
    try Pass(subjects: [subject], images: images).run([analysis])
    return try analysis.result()
  }

  private func convolutional() throws -> Subject {
    try Subject(Catalog.load(.name("resnet18"), randomWeights: 1))
  }

  private func graph(_ file: String, everyNode: Bool = false) throws -> Subject {
    try Subject(
      Catalog.load(
        .graph(fixtures.appending(path: file).path), graphs: GraphOptions(everyNode: everyNode)))
  }

  @Test(
    "graphs that attend in one step, and such that write their weights out, have the same numbers")
  func graphs() throws {
    let folder = try imageFolder(4)
    let images = try ImageSet(folder.path)
    // One network with one set of weights: in Swift, and as three exporters wrote it.
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (32, 8, 24, 2, 3, 5)
    let archive = try graph("exports/vit-timm.pt2")
    let swift = try Subject(
      name: "swift", family: "ViT",
      model: try ViT(
        c, Weights(Checkpoint.open(fixtures.appending(path: "exports/vit-timm.pt2").path))),
      preprocessing: archive.preprocessing, fingerprint: "attention swift")
    let own = try run(swift, images).models[0]
    for file in ["exports/vit-timm.pt2", "onnx/vit-timm.onnx", "onnx/vit-timm-torchscript.onnx"] {
      for everyNode in [false, true] {
        let subject = try graph(file, everyNode: everyNode)
        let other = try Subject(
          name: "graph", family: "ViT", model: subject.model,
          preprocessing: archive.preprocessing, fingerprint: file)
        let found = try run(other, images).models[0]
        #expect(
          found.layers.map(\.site) == ["blocks.0.attn.pattern", "blocks.1.attn.pattern"], "\(file)")
        #expect(found.otherTokens == 1 && found.layers[0].rows == 4)
        for (a, b) in zip(own.layers, found.layers) {
          for (x, y) in zip(a.heads, b.heads) {
            #expect(abs((x.distance.value ?? .nan) - (y.distance.value ?? 0)) < 1e-4, "\(file)")
            #expect(abs((x.entropy.value ?? .nan) - (y.entropy.value ?? 0)) < 1e-5, "\(file)")
          }
        }
      }
    }
  }

  @Test("distances through fused attention are NumPy's of PyTorch's weights")
  func oracle() throws {
    let file = try Safetensors(fixtures.appending(path: "attention/graphs.safetensors").path)
    let subject = try graph("exports/deit-distilled-timm.pt2")
    let images = try ExportOracle("deit-distilled-timm").tensor("input").to(.float32)
    let sites = AttentionSites.patterns(of: subject)
    #expect(sites.map(\.name) == ["blocks.0.attn.pattern", "blocks.1.attn.pattern"])
    var seen: [String: Tensor] = [:]
    _ = try subject.model.run(
      images,
      Tap(Set(sites.map(\.name))) { visit in
        seen[visit.site] = visit.value
        return nil
      })
    for site in sites {
      let numbers = try AttentionDistance(AttentionSites.places(of: site, subject))(
        #require(seen[site.name]))
      let stem = "deit-distilled-timm/" + site.name.dropLast(".pattern".count)
      let (distance, entropy) = (
        try #require(file["\(stem)/distance"]), try #require(file["\(stem)/entropy"])
      )
      #expect(ModelOracle.difference(numbers.sliced(1, 0, 3), distance) < 1e-5)
      #expect(ModelOracle.difference(numbers.sliced(1, 3), entropy) < 1e-5)
    }
  }

  @Test(
    "distances inside the windows of a graph are those of the architecture with the same weights",
    arguments: ["swin-timm", "swinv2-timm"])
  func windows(_ name: String) throws {
    let folder = try imageFolder(4)
    let images = try ImageSet(folder.path)
    let archive = try graph("exports/\(name).pt2")
    var c = Swin.Configuration()
    (c.imageSize, c.patch, c.width, c.depths, c.heads, c.window) = (32, 2, 8, [2, 1], [2, 2], 4)
    (c.classes, c.isSecond) = (5, name == "swinv2-timm")
    let swin = try Subject(
      name: "swift", family: "Swin",
      model: try Swin(
        c, Weights(Checkpoint.open(fixtures.appending(path: "exports/\(name).pt2").path))),
      preprocessing: archive.preprocessing, fingerprint: "swift \(name)")
    let (own, found) = (try run(swin, images).models[0], try run(archive, images).models[0])
    #expect(own.layers.count == 3 && found.layers.map(\.site) == own.layers.map(\.site))
    for (a, b) in zip(own.layers, found.layers) {
      #expect(a.rows == b.rows && a.columns == b.columns && a.step == b.step)
      for (x, y) in zip(a.heads, b.heads) {
        #expect(abs((x.distance.value ?? .nan) - (y.distance.value ?? 0)) < 1e-4, "\(a.site)")
        #expect(abs((x.entropy.value ?? .nan) - (y.entropy.value ?? 0)) < 1e-5, "\(a.site)")
      }
    }
  }

  @Test("a graph without patterns of the whole image says why")
  func graphsWithout() throws {
    let folder = try imageFolder(4)
    let images = try ImageSet(folder.path)
    func refused(_ file: String) throws -> String {
      let subject = try graph(file)
      let error = #expect(throws: AnalysisError.self) {
        try AttentionAnalysis(of: [subject], images: images)
      }
      return error?.description ?? ""
    }
    #expect(try refused("exports/resnet-timm.pt2").contains("the graph has no attention"))
  }

  @Test(
    "subsets of heads of split queries, keys and values, and of a graph: the oracle's outputs, in one product"
  )
  func splitHeads() throws {
    let folder = try imageFolder(8)
    let images = try ImageSet(folder.path)
    let resnet = try convolutional()
    var c = Eva.Configuration(RotaryPositions(.counted, grid: 4, temperature: 10_000))
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (32, 8, 32, 2, 4, 5)
    (c.inner, c.splitsQKV) = (64, true)
    let eva = try Subject(
      name: "eva", family: "EVA", model: try Eva(c, Weights(RandomWeights(seed: 7))),
      preprocessing: .letterbox(32, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]),
      fingerprint: "small eva")
    #expect(!eva.sites.contains { $0.name.hasSuffix("qkv") })
    let analysis = try AttentionAnalysis(of: [eva, resnet], images: images, options: options())
    #expect(analysis.watched.last?.sites == ["blocks.0.attn.heads"])
    #expect(analysis.watched.last?.width == 4 * 17 * 8)
    var pass = Pass(subjects: [eva, resnet], images: images)
    pass.blockSize = 8
    try pass.run([analysis])
    let result = try analysis.result()
    let found = try #require(result.subsets.first)
    #expect(found.points.count == 4 && found.points.allSatisfy { $0.values.count == 5 })
    // By hand: softmax over values that the split projection gives.
    var heads: [Tensor] = []
    for sample in images.samples {
      let pixels = try eva.preprocessing(ImageBuffer(decoding: URL(filePath: sample.path)))
      var seen: [String: Tensor] = [:]
      _ = eva.model(
        Tensor(pixels, shape: [1, 3, 32, 32]),
        Tap(["blocks.0.attn.pattern", "blocks.0.attn.v_proj"]) { visit in
          seen[visit.site] = visit.value
          return nil
        })
      let v = try #require(seen["blocks.0.attn.v_proj"])
      let values = v.reshaped(1, v.shape[1], 4, 8).transposed(1, 2)
      heads.append(try #require(seen["blocks.0.attn.pattern"]).times(values).reshaped(1, 4, -1))
    }
    try check(found, Tensor.concatenated(heads, 0), analysis, pass)
  }

  /// Subsets beside CKA of heads' outputs `[images, heads, width]` that were computed by hand.
  private func check(
    _ found: AttentionResult.Subsets, _ all: Tensor, _ analysis: AttentionAnalysis, _ pass: Pass
  ) throws {
    let recorder = Recorder(analysis.wanted, name: "recorder")
    try pass.run([recorder])
    let cka = try #require(MeasureCatalog["cka"])
    for point in found.points {
      let own = Tensor.concatenated(point.heads.map { all.selected(1, $0) }, 1)
      for (layer, value) in point.values.enumerated() {
        let expected: Double = try cka(own, recorder.all(layer))
        #expect(abs((value.value ?? .nan) - expected) < 1e-4, "\(point.heads) \(layer)")
      }
    }
  }

  @Test("subsets of heads of an imported graph: softmax by hand over the graph's own values")
  func graphHeads() throws {
    let folder = try imageFolder(8)
    let images = try ImageSet(folder.path)
    let forms = try graph("attention/forms.pt2")
    let resnet = try convolutional()
    let analysis = try AttentionAnalysis(of: [forms, resnet], images: images, options: options())
    #expect(analysis.watched.last?.sites == ["attend.plain.heads"])
    var pass = Pass(subjects: [forms, resnet], images: images)
    pass.blockSize = 8
    try pass.run([analysis])
    let found = try #require(try analysis.result().subsets.first)
    #expect(found.points.count == 4 && found.points.allSatisfy { $0.heads.count == 1 })
    var heads: [Tensor] = []
    for sample in images.samples {
      let pixels = try forms.preprocessing(ImageBuffer(decoding: URL(filePath: sample.path)))
      var seen: [String: Tensor] = [:]
      _ = try forms.model.run(
        Tensor(pixels, shape: [1, 3, 32, 32]),
        Tap(["attend.plain.pattern", "qkv.0"]) { visit in
          seen[visit.site] = visit.value
          return nil
        })
      let qkv = try #require(seen["qkv.0"]).reshaped(1, 16, 3, 4, 4).permuted(2, 0, 3, 1, 4)
      let scores = qkv.selected(0, 0).times(qkv.selected(0, 1).transposed()) / 2
      let pattern = scores.softmax(-1)
      #expect(ModelOracle.difference(try #require(seen["attend.plain.pattern"]), pattern) < 1e-5)
      heads.append(pattern.times(qkv.selected(0, 2)).reshaped(1, 4, -1))
    }
    try check(found, Tensor.concatenated(heads, 0), analysis, pass)
  }
}
