import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxModels

/// A model that takes two images at a time, no more and no fewer.
private struct Pair: Model {
  let base: any Model
  var fixedBatch: Int? { 2 }
  func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    precondition(images.shape[0] == 2, "Pair: \(images)")
    return base(images, tap)
  }
}

@Suite("Inversion of graphs, in float64, towards given embeddings")
struct InversionFormsTests {
  private func small(_ dtype: DType = .float32) throws -> ViT {
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (16, 8, 12, 3, 2, 5)
    return try ViT(c, Weights(RandomWeights(seed: 1), dtype: dtype))
  }

  private func run(
    _ folder: TemporaryFolder, _ subject: Subject, _ site: String,
    _ options: InversionAnalysis.Options
  ) throws -> (result: InversionResult, analysis: InversionAnalysis) {
    let images = try ImageSet(folder.path)
    let wanted = try subject.representations(at: SitePattern(parsing: site))
    let analysis = try InversionAnalysis(
      wanted, of: [subject], images: images, among: wanted, options: options)
    try Pass(subjects: [subject], images: images).run([analysis])
    return (try analysis.result(), analysis)
  }

  private func options(_ images: Int, _ steps: Int) -> InversionAnalysis.Options {
    var options = InversionAnalysis.Options()
    (options.images, options.steps) = (images, steps)
    return options
  }

  private func rmse(_ result: InversionResult) -> [Double] {
    result.models.flatMap(\.layers).flatMap(\.reconstructions).map(\.rmse)
  }

  @Test("a graph of a fixed number of images gives the pictures of the model itself")
  func fixedBatch() throws {
    let folder = try imageFolder(4)
    func subject(_ model: any Model) throws -> Subject {
      try Subject(
        name: "small", family: "ViT", model: model,
        preprocessing: .letterbox(16, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]),
        fingerprint: "small")
    }
    let own = try run(folder, try subject(small()), "blocks.1", options(3, 5)).result
    let fixed = try run(folder, try subject(Pair(base: small())), "blocks.1", options(3, 5)).result
    #expect(own.models[0].layers[0].reconstructions.count == 3)
    for (a, b) in zip(rmse(own), rmse(fixed)) { #expect(abs(a - b) < 1e-5) }
  }

  @Test(
    "an imported graph is inverted as the model that it was exported from",
    arguments: ["exports/vit-timm.pt2", "onnx/vit-timm.onnx"])
  func graphs(file: String) throws {
    let folder = try imageFolder(4)
    let path = fixtures.appending(path: file).path
    let archive = try Subject(
      Catalog.load(.graph(fixtures.appending(path: "exports/vit-timm.pt2").path)))
    let graph = try Subject(
      name: "vit", family: "ViT", model: Catalog.load(.graph(path)).model,
      preprocessing: archive.preprocessing, fingerprint: file)
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (32, 8, 24, 2, 3, 5)
    let weights = try Checkpoint.open(fixtures.appending(path: "exports/vit-timm.pt2").path)
    let own = try Subject(
      name: "vit", family: "ViT", model: try ViT(c, Weights(weights)),
      preprocessing: archive.preprocessing, fingerprint: "own")
    let a = try run(folder, own, "blocks.0", options(1, 5)).result
    let b = try run(folder, graph, "blocks.0", options(1, 5)).result
    #expect(abs(rmse(a)[0] - rmse(b)[0]) < 1e-4, "\(rmse(a)) \(rmse(b))")
    #expect(a.models[0].layers[0].features == b.models[0].layers[0].features)
  }

  @Test("in float64 weights and descent are float64, and the result says so")
  func double() throws {
    let folder = try imageFolder(4)
    let subject = try smallSubject("small")
    var options = options(1, 5)
    let single = try run(folder, subject, "blocks.1", options).result
    options.precise = ["small": try small(.float64)]
    let (double, analysis) = try run(folder, subject, "blocks.1", options)
    #expect(double.dtype == "float64" && single.dtype == "float32")
    #expect(double.switches.contains { $0.name == "element type" && $0.value == "float64" })
    #expect(abs(rmse(single)[0] - rmse(double)[0]) < 1e-4)
    #expect(analysis.fingerprint.contains("float64"))
    let state = Dictionary(analysis.state().map { ($0.name, $0.tensor) }) { $1 }
    #expect(state["found.0.0.pictures"]?.dtype == .float64)
  }

  @Test(
    "every preset runs, and its switches say what it does",
    arguments: InversionAnalysis.Preset.allCases)
  func presets(preset: InversionAnalysis.Preset) throws {
    let folder = try imageFolder(4)
    var options = options(2, 12)
    options.preset = preset
    let result = try run(folder, try smallSubject("small"), "blocks.0", options).result
    #expect(result.preset == preset.rawValue)
    let layer = result.models[0].layers[0]
    #expect(layer.steps == 12)
    for one in layer.reconstructions {
      let (first, last) = (try #require(one.trace.first), try #require(one.trace.last))
      #expect(last.step == 12)
      // The paper's steps of L1 are far too long for twelve of them.
      if preset != .badger2022 { #expect(last.loss < first.loss, "\(first.loss) \(last.loss)") }
      #expect(one.diverged == nil)
    }
    let origins = result.switches.filter { $0.origin == "paper" }.map(\.name)
    #expect(origins.contains("prior") == (preset == .badger2022))
    #expect(
      result.switches.contains { $0.name == "octaves" } == [.octaves, .quick].contains(preset))
  }

  private func target(
    _ folder: TemporaryFolder, _ tensors: [(name: String, tensor: Tensor)]
  ) throws -> TargetEmbeddings {
    let path = folder.file("target.safetensors")
    try Safetensors.write(tensors, to: path)
    return try TargetEmbeddings(path)
  }

  @Test("given embeddings are matched: an image's own give what it gives, another's lead elsewhere")
  func targets() throws {
    let (folder, scratch) = (try imageFolder(4), try TemporaryFolder())
    let subject = try smallSubject("small")
    let embeddings = Recorder(
      try subject.representations(at: SitePattern(parsing: "blocks.1"), tokens: .flat))
    try Pass(subjects: [subject], images: ImageSet(folder.path)).run([embeddings])
    let rows = embeddings.all(0)
    var options = options(1, 5)
    let own = try run(folder, subject, "blocks.1", options).result
    options.target = try target(scratch, [("small@blocks.1#flat", rows)])
    let same = try run(folder, subject, "blocks.1", options).result
    #expect(abs(rmse(own)[0] - rmse(same)[0]) < 1e-5)
    #expect(same.target?.hasSuffix("target.safetensors") == true)
    options.target = try target(scratch, [("small@blocks.1", rows.sliced(0, 2).contiguous())])
    let other = try run(folder, subject, "blocks.1", options).result
    #expect(abs(rmse(own)[0] - rmse(other)[0]) > 1e-3)
  }

  @Test("embeddings of another model, another shape, too few rows or NaN are refused by name")
  func badTargets() throws {
    let (folder, scratch) = (try imageFolder(4), try TemporaryFolder())
    func refused(_ tensor: (name: String, tensor: Tensor), _ text: String) throws {
      var options = options(2, 3)
      options.target = try target(scratch, [tensor])
      let error = #expect(throws: AnalysisError.self) {
        try run(folder, try smallSubject("small"), "blocks.1", options)
      }
      #expect(error?.description.contains(text) == true, "\(String(describing: error))")
      #expect(error?.description.contains("target.safetensors: ") == true)
    }
    let good = Tensor.ones([2, 60])
    try refused(
      ("other@blocks.1", good),
      "expected a tensor 'small@blocks.1' or 'small@blocks.1#flat', found other@blocks.1")
    try refused(("small@blocks.1", Tensor.ones([2, 59])), "is float32[2, 59], expected")
    try refused(("small@blocks.1", Tensor.ones([1, 60])), "2 or more rows")
    try refused(("small@blocks.1", Tensor.ones([2, 60], .int64)), "expected floating-point")
    try refused(("small@blocks.1", good / 0.0 - good / 0.0), "NaN or infinity")
  }

  @Test("memory is estimated before anything runs: batches are made smaller, or the layer refused")
  func memory() throws {
    let folder = try imageFolder(4)
    let subject = try smallSubject("small")
    var options = options(4, 3)
    let whole = try run(folder, subject, "blocks.1", options)
    #expect(whole.analysis.memoryNote == nil)
    let one = InversionMemory(subject, whole.analysis.layers[0], options).bytes
    options.memoryLimit = 2 * one
    let halves = try run(folder, subject, "blocks.1", options)
    #expect(halves.analysis.memoryNote?.hasPrefix("2 instead of 4 pictures") == true)
    for (a, b) in zip(rmse(whole.result), rmse(halves.result)) { #expect(abs(a - b) < 1e-5) }
    options.memoryLimit = one - 1
    let error = #expect(throws: AnalysisError.self) {
      try run(folder, subject, "blocks.1", options)
    }
    #expect(error?.description.contains("small@blocks.1: a descent takes about") == true)
  }

  @Test("pictures of a model that is not square keep their proportions")
  func oblong() throws {
    let folder = try imageFolder(4)
    var c = ResNet.Configuration(.basic, [1, 1, 1, 1])
    (c.channels, c.stem, c.classes) = ([4, 4, 4, 4], 4, 3)
    let keys = #"{"input_size": [3, 48, 150], "crop_pct": 1.0}"#
    let subject = try Subject(
      name: "wide", family: "ResNet", model: try ResNet(c, Weights(RandomWeights(seed: 2))),
      preprocessing: Preprocessing(json: Data(keys.utf8)), fingerprint: "wide")
    for preset in InversionAnalysis.Preset.allCases {
      var options = options(1, 4)
      options.preset = preset
      let model = try run(folder, subject, "layer1.0", options).result.models[0]
      for picture in [model.originals[0].picture, model.layers[0].reconstructions[0].picture] {
        let image = try ImageBuffer(decoding: [UInt8](picture))
        #expect(image.width == 112 && image.height == 35, "\(preset)")
      }
    }
  }
}
