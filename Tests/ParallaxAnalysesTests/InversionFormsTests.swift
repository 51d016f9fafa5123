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
    #expect(origins.contains("prior") == [.badger2022, .feather2023].contains(preset))
    #expect(
      result.switches.contains { $0.name == "octaves" }
        == [.octaves, .quick, .feather2023].contains(preset))
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
    #expect(same.findings.isEmpty && !own.findings.isEmpty)
    let verdicts = same.models[0].layers[0].reconstructions.map(\.verdict)
    #expect(verdicts.allSatisfy { [.given, .failed].contains($0) })
    let turned = Tensor.concatenated([rows.sliced(0, 1), rows.sliced(0, 0, 1)], 0)
    options.target = try target(scratch, [("small@blocks.1", turned)])
    let other = try run(folder, subject, "blocks.1", options).result
    #expect(abs(rmse(own)[0] - rmse(other)[0]) > 1e-3)
  }

  @Test(
    "rows are found by the table beside them, whatever their order; what it leaves out or has otherwise is refused"
  )
  func targetRows() throws {
    let (folder, scratch) = (try imageFolder(4), try TemporaryFolder())
    let subject = try smallSubject("small")
    let images = try ImageSet(folder.path)
    let embeddings = Recorder(
      try subject.representations(at: SitePattern(parsing: "blocks.1"), tokens: .flat))
    try Pass(subjects: [subject], images: images).run([embeddings])
    var options = options(1, 5)
    let own = try run(folder, subject, "blocks.1", options).result
    func table(_ rows: [(row: Int, id: String, hash: String)]) throws {
      var text = "shard,row,id,path,label,class,sha256\n"
      for one in rows { text += "target.safetensors,\(one.row),\"\(one.id)\",x,,,\(one.hash)\n" }
      try scratch.write(Array(text.utf8), "samples.csv")
    }
    // The rows turned round.
    let all = images.samples.indices.map { $0 }
    let turned = embeddings.all(0).gathered(0, all.reversed())
    let right = all.map { (3 - $0, images.samples[$0].id, images.samples[$0].sha256) }
    try table(right)
    options.target = try target(scratch, [("small@blocks.1", turned)])
    let same = try run(folder, subject, "blocks.1", options).result
    #expect(abs(rmse(own)[0] - rmse(same)[0]) < 1e-5)
    func refused(_ rows: [(row: Int, id: String, hash: String)], _ text: String) throws {
      try table(rows)
      options.target = try target(scratch, [("small@blocks.1", turned)])
      let error = #expect(throws: AnalysisError.self) {
        try run(folder, subject, "blocks.1", options)
      }
      #expect(error?.description.contains(text) == true, "\(String(describing: error))")
    }
    try refused(Array(right.dropFirst()), "has no row for '\(images.samples[0].id)'")
    try refused(right.map { ($0.0, $0.1, "0") }, "is another picture than when")
    try refused(right.map { ($0.0 + 1, $0.1, $0.2) }, "names row 4 of")
    try scratch.write(Array("a,b\n1,2\n".utf8), "samples.csv")
    #expect(throws: AnalysisError.self) { try target(scratch, [("small@blocks.1", turned)]) }
  }

  @Test("single choices change a recipe, and are no longer the paper's")
  func choices() throws {
    let folder = try imageFolder(4)
    var options = options(1, 10)
    options.preset = .badger2022
    (options.rate, options.lastRate, options.loss) = (0.01, 0.001, .l2)
    (options.blur, options.clamps) = (LinearSchedule(0, 0), true)
    options.start = .normal(mean: 0.5, deviation: 0.01)
    let subject = try smallSubject("small")
    let recipe = options.recipe(.convolutional, features: 9)
    #expect(recipe.loss == .l2 && recipe.descent.clamps)
    #expect(recipe.descent.octaves[0].smoothing == nil)
    #expect(recipe.descent.octaves[0].rate == LinearSchedule(0.01, 0.001))
    #expect(recipe.descent.start == options.start)
    let result = try run(folder, subject, "blocks.0", options).result
    for name in ["loss", "rate", "start", "prior", "clamp to [0, 1]"] {
      #expect(result.switches.first { $0.name == name }?.origin == "reconstruction", "\(name)")
    }
    #expect(result.switches.first { $0.name == "input" }?.origin == "paper")
    var own = InversionRecipe(
      name: "mine", DescentRecipe([.init(steps: 2, rate: LinearSchedule(1, 1))]))
    own.loss = .cosine
    options.recipe = own
    #expect(options.recipe(.transformer, features: 9).loss == .l2)
    (options.loss, options.steps) = (nil, nil)
    #expect(options.recipe(.transformer, features: 9).loss == .cosine)
    #expect(options.recipe(.transformer, features: 9).descent.steps == 2)
  }

  @Test("a layer whose descent cannot move, or whose embedding is 0, is refused before any descent")
  func still() throws {
    struct Odd: Model {
      let change: @Sendable (Tensor) -> Tensor
      func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
        let x = tap.block("layers.0", tap("input", images, as: .map))
        return tap.block("layers.1", change(x))
      }
    }
    let folder = try imageFolder(4)
    for (change, text) in [
      ({ @Sendable in DescentOperators.sign($0) }, "gradient at the pixels is 0 everywhere"),
      ({ @Sendable in $0 * 0.0 }, "is 0, so no loss is relative to it"),
    ] as [(@Sendable (Tensor) -> Tensor, String)] {
      let subject = try Subject(
        name: "odd", family: "CNN", model: Odd(change: change),
        preprocessing: .letterbox(16, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]),
        fingerprint: "odd")
      let images = try ImageSet(folder.path)
      let analysis = try InversionAnalysis(
        try subject.representations(), of: [subject], images: images, options: options(1, 3))
      try Pass(subjects: [subject], images: images).run([analysis])
      let error = #expect(throws: AnalysisError.self) { try analysis.rehearse() }
      #expect(error?.description.contains("odd@layers.1: ") == true)
      #expect(error?.description.contains(text) == true, "\(String(describing: error))")
    }
  }

  @Test("networks of linear layers are told from convolutional ones")
  func designs() throws {
    struct Linear: Model {
      func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
        let x = tap("input", images, as: .map).reshaped(images.shape[0], -1)
        return tap("fc", x.linear(Tensor.ones([4, x.shape[1]])), as: .vector)
      }
    }
    let subject = try Subject(
      name: "linear", family: "MLP", model: Linear(),
      preprocessing: .letterbox(8, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]),
      fingerprint: "linear")
    #expect(subject.design == .other)
    var options = options(1, 3)
    options.preset = .badger2022
    let recipe = options.recipe(subject.design, features: 4)
    #expect(recipe.scale == 0.35 && recipe.descent.octaves[0].smoothing == nil)
  }

  @Test("what is killed between two pieces goes on with the next")
  func kept() throws {
    let (folder, states) = (try imageFolder(4), try TemporaryFolder())
    let subject = try smallSubject("small")
    let copy = states.url.appending(path: "copy")
    func make(_ steps: inout Int) throws -> InversionResult {
      let images = try ImageSet(folder.path)
      let analysis = try InversionAnalysis(
        try subject.representations(), of: [subject], images: images, options: options(2, 6))
      var pass = Pass(subjects: [subject], images: images)
      (pass.stateFolder, pass.savingInterval) = (states.url.appending(path: "states"), 0)
      var (count, isCopied) = (0, false)
      analysis.progress = { _, share in
        count += 1
        guard share > 0.5, !isCopied else { return }
        isCopied = true
        // As a kill would leave it.
        try? FileManager.default.copyItem(at: states.url.appending(path: "states"), to: copy)
      }
      var result: InversionResult?
      try pass.run([analysis]) { _ in result = try analysis.result() }
      steps = count
      return try #require(result)
    }
    var (all, rest) = (0, 0)
    let whole = try make(&all)
    #expect(states.names("states").isEmpty)
    try FileManager.default.removeItem(at: states.url.appending(path: "states"))
    try FileManager.default.copyItem(at: copy, to: states.url.appending(path: "states"))
    #expect(states.names("states").count == 1)
    #expect(try make(&rest) == whole)
    #expect(rest < all * 3 / 4, "\(rest) of \(all)")
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
    try refused(("small@blocks.1", good), "has 2 rows for 4 images, and no samples.csv")
    try refused(("small@blocks.1", Tensor.ones([2, 59])), "is float32[2, 59], expected")
    try refused(("small@blocks.1", Tensor.ones([1, 60])), "has 1 rows for 4 images")
    try refused(("small@blocks.1", Tensor.ones([2, 60], .int64)), "expected floating-point")
    try refused(("small@blocks.1", good / 0.0 - good / 0.0), "NaN or infinity")
  }

  @Test("what nobody looks at and is never written out does not count for the memory")
  func held() {
    func site(_ name: String, _ kind: SiteKind, _ shape: [Int]) -> Site {
      Site(name: name, kind: kind, shape: shape, isBlock: false)
    }
    let convolutional = [
      site("input", .map, [3, 8, 8]), site("conv1", .map, [2, 4, 4]), site("bn1", .map, [2, 4, 4]),
      site("act1", .map, [2, 4, 4]), site("layer1.0.bn2", .map, [5, 4, 4]),
      site("layer1.0", .map, [5, 4, 4]),
    ]
    // Input, conv1, act1, bn2: bn1 is one step with act1, and the block ends with bn2.
    #expect(InversionMemory.held(convolutional[...]) == 192 + 32 + 32 + 80)
    let transformer = [
      site("blocks.0.norm1", .tokens, [5, 4]), site("blocks.0.attn.pattern", .pattern, [2, 5, 5]),
      site("blocks.0.attn.proj", .tokens, [5, 4]), site("blocks.0.attn", .tokens, [5, 4]),
      site("blocks.0.mlp.fc1", .tokens, [5, 16]), site("blocks.0.mlp.act", .tokens, [5, 16]),
    ]
    #expect(InversionMemory.held(transformer[...]) == 20 + 20 + 80 + 80)
    #expect(InversionMemory.held(transformer[1..<2]) == 0)
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
