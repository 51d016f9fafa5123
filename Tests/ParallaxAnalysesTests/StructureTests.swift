import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxModels

/// PyTorch with hooks and NumPy, and matrices whose numbers can be told in the head.
@Suite("Structure of representations")
struct StructureTests {
  private static func fixture() throws -> Safetensors {
    try Safetensors(fixtures.appending(path: "structure/structure.safetensors").path)
  }

  /// Runs an analysis over blocks of given images, as a pass does.
  private func run(_ subject: Subject, _ images: Tensor, blocks: Int, _ layers: SubLayers = .full)
    throws -> StructureResult
  {
    let each = images.shape[0] / blocks
    var options = StructureAnalysis.Options()
    options.layers = layers
    let analysis = try StructureAnalysis(
      of: [subject], images: images.shape[0], blockSize: each, options: options)
    for block in 0..<blocks {
      let batch = images.sliced(0, block * each, (block + 1) * each)
      var seen: [String: Tensor] = [:]
      _ = try subject.model.run(
        batch,
        Tap(Set(analysis.wanted.map(\.site.name) + analysis.watched.flatMap(\.sites))) { visit in
          seen[visit.site] = visit.value.cloned()
          return nil
        })
      try analysis.begin(
        BlockHeading(index: block, samples: Array(block * each..<(block + 1) * each)))
      for (index, wanted) in analysis.wanted.enumerated() {
        let value = try #require(seen[wanted.site.name])
        try analysis.add(index, value.reshaped(each, -1))
      }
      for (index, watch) in analysis.watched.enumerated() {
        try analysis.add(
          analysis.wanted.count + index, try watch.reduce(watch.sites.compactMap { seen[$0] }))
      }
      try analysis.finish()
    }
    return try analysis.result()
  }

  private func subject(_ fixture: String, _ family: String, _ model: any Model, _ images: Tensor)
    throws -> Subject
  {
    return try Subject(
      name: fixture, family: family, model: model,
      preprocessing: .letterbox(images.shape[2], mean: [0, 0, 0], std: [1, 1, 1]),
      fingerprint: fixture)
  }

  private func transformer(_ oracle: ModelOracle) throws -> any Model {
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (24, 8, 24, 2, 3, 10)
    return try ViT(c, Weights(oracle.weights))
  }

  private func residual(_ oracle: ModelOracle) throws -> any Model {
    var c = ResNet.Configuration(.bottleneck, [1, 2, 1, 1])
    (c.channels, c.stem, c.classes) = ([4, 5, 6, 7], 8, 10)
    return try ResNet(c, Weights(oracle.weights))
  }

  @Test(arguments: ["vit", "resnet"])
  func agreesWithPyTorchAndNumPy(_ name: String) throws {
    let file = try Self.fixture()
    let images = try #require(file["\(name)/images"]).to(.float32)
    let oracle = try ModelOracle(name == "vit" ? "vit-timm" : "resnet-bottleneck")
    let model = try name == "vit" ? transformer(oracle) : residual(oracle)
    let result = try run(
      try subject(name, name == "vit" ? "ViT" : "ResNet", model, images), images, blocks: 3)

    let order = try #require(
      try JSONSerialization.jsonObject(with: Data((file.metadata["order"] ?? "").utf8))
        as? [String: [[Any]]])
    let expected = try #require(order[name])
    let sites = result.similarity.models[0].sites
    #expect(sites.map(\.name) == expected.compactMap { $0[0] as? String })
    #expect(result.models[0].kinds.map(\.rawValue) == expected.compactMap { $0[1] as? String })
    #expect(result.models[0].units == expected.compactMap { $0[2] as? Int })
    #expect(sites.map(\.stage) == expected.compactMap { $0[3] as? String })

    let values = try #require(file["\(name)/cka"]).scalars(Double.self)
    let found = try #require(result.similarity.matrix(0, 0)).values.joined()
    for (value, wanted) in zip(found, values) {
      #expect(abs(try #require(value) - wanted) < 2e-5)
    }
    let numbers = try #require(file["\(name)/numbers"]).scalars(Double.self)
    let own = result.models[0]
    let estimates = [own.uniformity, own.lowToHigh, own.grid, own.cut, nil, own.stageEdges]
    for (estimate, wanted) in zip(estimates, numbers) {
      guard let estimate else { continue }
      if wanted.isNaN {
        #expect(estimate.value == nil)
      } else {
        #expect(abs(try #require(estimate.value) - wanted) < 2e-5)
        let (low, high) = (try #require(estimate.low), try #require(estimate.high))
        #expect(low < high)
      }
    }
    #expect(own.cutAt == Int(numbers[4]))
    let edges = try #require(file["\(name)/edges"]).scalars(Double.self)
    #expect(own.edges.count == edges.count)
    for (edge, wanted) in zip(own.edges, edges) {
      if wanted.isNaN {
        #expect(edge == nil)
      } else {
        #expect(abs(try #require(edge) - wanted) < 4e-5)
      }
    }
  }

  @Test func sparseTakesFourOfATransformersBlock() throws {
    let subject = try smallSubject("small")
    let layers = SubLayers.sparse(of: subject)
    #expect(
      layers.filter { $0.unit == 1 }.map(\.name)
        == ["blocks.1.attn", "blocks.1.residual1", "blocks.1.mlp", "blocks.1"])
    #expect(
      SubLayers.full(of: subject).filter { $0.unit == 1 }.map(\.kind)
        == [.norm, .attention, .sum, .norm, .hidden, .block])
  }

  /// Two stages of three layers each, alike by 0.9 within and by 0.2 across.
  private var staged: StructureNumbers {
    let values = (0..<12).map { row in
      (0..<12).map { column -> Double? in
        row == column ? 1 : (row < 6) == (column < 6) ? 0.9 : 0.2
      }
    }
    return StructureNumbers(
      values: values, depths: (0..<12).map { Double($0) / 11 },
      kinds: (0..<12).map { $0.isMultiple(of: 2) ? .norm : .block }, units: (0..<12).map { $0 / 2 },
      stages: (0..<12).map { $0 < 6 ? "a" : "b" })
  }

  @Test func stagesShowAsACutAndAnEdge() throws {
    let staged = staged
    #expect(staged.bestCut == 6)
    #expect(abs(try #require(staged.cut(before: 6)) - 0.7) < 1e-12)
    #expect(staged.edges.compactMap(\.self).count == 1)
    #expect(abs(try #require(staged.edges[5]) - 0.7) < 1e-12)
    #expect(abs(try #require(staged.lowToHigh) - 0.2) < 1e-12)
    let mean: Double = (30 * 0.9 + 36 * 0.2) / 66
    #expect(abs(try #require(staged.uniformity) - mean) < 1e-12)
    #expect(abs(try #require(staged.grid)) < 1e-12)
  }

  @Test func alternatingKindsShowAsAGrid() throws {
    let kinds: [StructureResult.Kind] = (0..<8).map { $0.isMultiple(of: 2) ? .attention : .block }
    let values = (0..<8).map { row in
      (0..<8).map { column -> Double? in
        row == column ? 1 : kinds[row] == kinds[column] ? 0.8 : 0.3
      }
    }
    let numbers = StructureNumbers(
      values: values, depths: (0..<8).map { Double($0) / 7 }, kinds: kinds,
      units: (0..<8).map { $0 / 2 }, stages: (0..<8).map { _ in "blocks" })
    #expect(abs(try #require(numbers.grid) - 0.5) < 1e-12)
    #expect(numbers.stageEdges == nil)
  }

  @Test func undefinedCellsAreLeftOut() throws {
    var values = staged.values
    for index in 0..<12 {
      values[3][index] = nil
      values[index][3] = nil
    }
    let numbers = StructureNumbers(
      values: values, depths: staged.depths, kinds: staged.kinds, units: staged.units,
      stages: staged.stages)
    #expect(numbers.bestCut == 6)
    #expect(abs(try #require(numbers.cut(before: 6)) - 0.7) < 1e-12)
  }

  /// A model is its own best partner nowhere but among others: two copies correspond layer by layer.
  @Test func copiesCorrespondLayerByLayer() throws {
    let folder = try imageFolder(16)
    let subjects = [try smallSubject("one", seed: 1), try smallSubject("two", seed: 1)]
    var pass = Pass(subjects: subjects, images: try ImageSet(folder.path))
    pass.blockSize = 8
    let analysis = try StructureAnalysis(of: subjects, images: 16, blockSize: 8)
    try pass.run([analysis])
    let result = try analysis.result()
    let pair = try #require(result.correspondences.first)
    #expect(try #require(pair.monotonicity.value) > 0.99)
    #expect(abs(try #require(pair.half.value) - 0.5) < 1e-9)
    for strength in pair.strengths { #expect(abs(try #require(strength.value) - 1) < 1e-5) }
    for (third, depth) in pair.partnerDepths.enumerated() {
      let middle = (Double(third) + 0.5) / 3
      #expect(abs(try #require(depth.value) - middle) < 0.1)
    }
  }

  /// A transformer whose last block is not finite.
  private struct Broken: Model {
    let base: any Model
    var tokenLayout: TokenLayout? { base.tokenLayout }

    func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
      base(images, tap.replacing(["blocks.2.mlp"]) { $0 / $0.zerosLike() })
    }
  }

  @Test("a model with layers that have no values is in no finding, and the result says so")
  func partialModels() throws {
    let folder = try imageFolder(16)
    let images = try ImageSet(folder.path)
    let vit = try smallSubject("vit")
    func found(_ transformer: Subject) throws -> StructureResult {
      let subjects = [transformer, try Subject(Catalog.load(.name("resnet18"), randomWeights: 1))]
      var pass = Pass(subjects: subjects, images: images)
      pass.blockSize = 8
      let analysis = try StructureAnalysis(of: subjects, images: 16, blockSize: 8)
      try pass.run([analysis])
      return try analysis.result()
    }
    #expect(try found(vit).findings.count > 3)
    let broken = try found(
      Subject(
        name: "broken", family: "ViT", model: Broken(base: vit.model),
        preprocessing: vit.preprocessing, fingerprint: "broken"))
    #expect(!broken.similarity.refusals.isEmpty && broken.findings.isEmpty)
    #expect(broken.switches.contains { $0.name == "findings" && $0.value.contains("broken") })
  }

  @Test func severalPassesSumOverOtherBlocks() throws {
    let folder = try imageFolder(18)
    let subjects = [try smallSubject("one")]
    var pass = Pass(subjects: subjects, images: try ImageSet(folder.path))
    (pass.blockSize, pass.passes) = (8, 3)
    var options = StructureAnalysis.Options()
    options.passes = 3
    let analysis = try StructureAnalysis(
      of: subjects, images: 18, blockSize: 8, options: options)
    let outcome = try pass.run([analysis])
    let result = try analysis.result()
    #expect(result.similarity.blocks == 6)
    #expect(result.similarity.images == 16)
    #expect(result.similarity.errorMethod?.contains("3 passes") == true)
    #expect(Set(outcome.samples).count == outcome.samples.count)
    #expect(outcome.samples.count >= 16)
    pass.blockSize = 32
    #expect(throws: AnalysisError.self) { try pass.run([analysis]) }
  }

  @Test("of several findings that all must show, one that does not outweighs one that cannot tell")
  func weakest() {
    func finding(_ low: Double, _ high: Double) -> Finding {
      let estimate = IntervalEstimate((low + high) / 2, low: low, high: high)
      return Finding("\(low)", estimate, "", estimate.verdict(), analysis: "")
    }
    let found = [finding(0.1, 0.2), finding(-0.5, 0.6), finding(-0.2, -0.1)]
    #expect(found.weakest?.verdict == .doesNotShow)
    #expect(found.prefix(2).map(\.self).weakest?.verdict == .cannotTell)
    #expect([Finding]().weakest == nil)
  }

  @Test(
    "a graph's kind of network follows from what its branches do",
    arguments: [
      ("swin-timm.pt2", Design.transformer), ("swin-hf.pt2", .transformer),
      ("swinv2-timm.pt2", .transformer), ("vit-torchvision.pt2", .transformer),
      ("mixer-timm.pt2", .mixer), ("convnext-timm.pt2", .convolutional),
      ("resnet-timm.pt2", .convolutional), ("densenet-torchvision.pt2", .convolutional),
    ])
  func designs(_ file: String, _ design: Design) throws {
    let path = fixtures.appending(path: "exports/\(file)").path
    let subject = try Subject(Catalog.load(.graph(path)))
    #expect(subject.design == design)
  }

  @Test func refusesWhatCannotBeSeen() throws {
    let subject = try smallSubject("small")
    #expect(throws: AnalysisError.self) {
      try StructureAnalysis(of: [subject], images: 3, blockSize: 8)
    }
    var options = StructureAnalysis.Options()
    options.memoryLimit = 1000
    #expect(throws: MeasureError.self) {
      try StructureAnalysis(of: [subject], images: 16, blockSize: 8, options: options)
    }
  }
}
