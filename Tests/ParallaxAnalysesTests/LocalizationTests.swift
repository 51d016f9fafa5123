import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxModels

/// Tokens that are their own patches, turned by one orthogonal matrix.
private struct Turned: Model {
  let matrix: Tensor
  let patch: Int
  let tokenLayout: TokenLayout?

  init(patch: Int, seed: UInt64) {
    self.patch = patch
    tokenLayout = TokenLayout(hasClassToken: true, patch: patch)
    let size = 3 * patch * patch
    // Q of a random matrix.
    let random = RandomSource(seed: seed).normal([size, size]).to(.float64)
    matrix = Operator("aten::linalg_qr").all([random, "reduced"])[0].to(.float32)
  }

  func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    let x = tap("input", images, as: .map)
    let (b, p) = (x.shape[0], patch)
    let (rows, columns) = (x.shape[2] / p, x.shape[3] / p)
    let patches = x.reshaped(b, 3, rows, p, columns, p).permuted(0, 2, 4, 1, 3, 5)
      .reshaped(b, rows * columns, -1)
    let tokens = patches.linear(matrix)
    let all = Tensor.concatenated([tokens.mean(over: [1], keeping: true), tokens], 1)
    return tap.block("blocks.0", all).selected(1, 0)
  }
}

@Suite("Localisation")
struct LocalizationTests {
  private static func fixture() throws -> Safetensors {
    try Safetensors(fixtures.appending(path: "localize/localize.safetensors").path)
  }

  private func subject(_ name: String, _ model: any Model, _ images: Tensor) throws -> Subject {
    try Subject(
      name: name, family: "", model: model,
      preprocessing: Preprocessing(
        json: Data(
          #"{"input_size": [3, \#(images.shape[2]), \#(images.shape[3])], "mean": [0.5, 0.5, 0.5], "std": [1, 1, 1]}"#
            .utf8)), fingerprint: name)
  }

  /// CKA of all tokens with all patches and the grid, block after block of some images.
  private func cka(
    _ subject: Subject, _ site: String, _ images: Tensor, block: Int
  ) throws -> (map: Tensor, grid: LocalizationGrid, tokens: Tensor) {
    let found = try #require(subject.sites.first { $0.name == site }, "\(site)")
    let grid = try LocalizationGrid(found, subject)
    var value: Tensor?
    _ = try subject.model.run(
      images,
      Tap([site]) { visit in
        value = visit.value
        return nil
      })
    let tokens = grid.tokens(try #require(value))
    let patches = grid.patches(images)
    var sums = PatchProducts(groups: 4, tokens: grid.count, patches: grid.count)
    for (number, start) in stride(from: 0, to: images.shape[0], by: block).enumerated() {
      let end = min(start + block, images.shape[0])
      sums.add(
        PatchProducts.rows(tokens.sliced(0, start, end)),
        PatchProducts.rows(patches.sliced(0, start, end)), images: end - start, group: number % 4)
    }
    return (sums.cka(leavingOut: []).selected(0, 0), grid, tokens)
  }

  private func model(_ name: String) throws -> any Model {
    switch name {
    case "vit": try ResidualFixture.model("vit-timm")
    case "resnet": try ResidualFixture.resnet()
    default: try ResidualFixture.model("swin-timm")
    }
  }

  @Test(
    "CKA and R² of tokens with patches are those of NumPy and scikit-learn on PyTorch's activations",
    arguments: [
      ("vit", "blocks.0", [3, 3]), ("vit", "blocks.1", [3, 3]), ("resnet", "layer2.1", [5, 6]),
      ("swin", "layers.1.blocks.1", [4, 4]),
    ])
  func oracle(name: String, site: String, shape: [Int]) throws {
    let file = try Self.fixture()
    let images = try #require(file["\(name)/images"]).to(.float32)
    let subject = try subject(name, try model(name), images)
    let (map, grid, tokens) = try cka(subject, site, images, block: 6)
    #expect([grid.rows, grid.columns] == shape)
    let expected = try #require(file["\(name)/\(site)/cka"])
    #expect(gap(map, expected) < 2e-5, "\(name) \(site): \(gap(map, expected))")
    let scores = try #require(file["\(name)/\(site)/decoded"])
    let chosen = [("vit", [0, 3, 4]), ("resnet", [0, 8]), ("swin", [0, 5])].first { $0.0 == name }?
      .1
    let decoding = PatchDecoding(grid.patches(images), seed: 81)
    for (place, token) in (chosen ?? []).enumerated() {
      let found = try decoding.scores(tokens.selected(1, token))
      let values = found.flatMap { $0.map { $0 ?? .nan } }
      let difference = gap(
        Tensor(values, shape: [found.count, grid.count]), scores.selected(0, place))
      #expect(difference < 1e-4, "\(name) \(site) token \(token): \(difference)")
    }
  }

  @Test("tokens that are their patches turned around have CKA 1 with them and none with the others")
  func orthogonal() throws {
    let images = RandomSource(seed: 5).normal([240, 3, 8, 12])
    let subject = try subject("turned", Turned(patch: 4, seed: 6), images)
    let (map, grid, tokens) = try cka(subject, "blocks.0", images, block: 60)
    let shape: [Int] = [grid.rows, grid.columns, grid.map.others]
    #expect(shape == [2, 3, 1])
    #expect(gap(map.diagonal(), Tensor.ones([6])) < 1e-5)
    let others = map - Tensor.identity(6, .float64)
    #expect(others.absolute().maximum().item(Double.self) < 0.05)
    let scalars = LocalizationComputed.scalars(
      map.unsqueezed(0), grid, LocalizationComputed.known(map, grid.count))
    #expect(scalars.hits == [1])
    #expect(scalars.rank == [1])
    // All of its own patch can be read off a token, and nothing of another.
    let decoding = PatchDecoding(grid.patches(images), seed: 1)
    let scores = try decoding.scores(tokens.selected(1, 4))[0].map { $0 ?? .nan }
    #expect(scores[4] > 0.999)
    #expect(scores.enumerated().allSatisfy { $0.offset == 4 || abs($0.element) < 0.1 })
  }

  @Test("ranks, hits and edges are those of their definitions")
  func scalars() throws {
    let images = RandomSource(seed: 7).normal([4, 3, 12, 16])
    let subject = try subject("turned", Turned(patch: 4, seed: 8), images)
    let site = try #require(subject.sites.first { $0.name == "blocks.0" })
    let grid = try LocalizationGrid(site, subject)
    let map = RandomSource(seed: 9).uniform([12, 12]).to(.float64)
    let values = map.scalars(Double.self)
    let found = LocalizationComputed.scalars(
      map.unsqueezed(0), grid, LocalizationComputed.known(map, grid.count))
    var (hits, ranks, edge, count, inner, insides) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    func isEdge(_ place: Int) -> Bool { place / 4 != 1 || place % 4 == 0 || place % 4 == 3 }
    for token in 0..<12 {
      let row = Array(values[12 * token..<12 * token + 12])
      let rank = 1 + row.count { $0 > row[token] }
      ranks += Double(rank)
      hits += rank == 1 ? 1 : 0
      guard isEdge(token) else { continue }
      for patch in 0..<12 where patch != token {
        if isEdge(patch) {
          edge += row[patch]
          count += 1
        } else {
          inner += row[patch]
          insides += 1
        }
      }
    }
    #expect(abs((found.hits[0] ?? .nan) - hits / 12) < 1e-12)
    #expect(abs((found.rank[0] ?? .nan) - ranks / 12) < 1e-12)
    #expect(abs((found.above[0] ?? .nan) - (1 - (ranks / 12 - 1) / 11)) < 1e-12)
    #expect(abs((found.edge[0] ?? .nan) - (edge / count - inner / insides)) < 1e-12)
    #expect(count == 90)
    #expect(insides == 20)
    #expect(grid.shown == [0, 5, 6])
    // A patch that never changes is left out, with its token.
    var holes = values
    for token in 0..<12 { holes[12 * token + 3] = .nan }
    let left = LocalizationComputed.known(Tensor(holes, shape: [12, 12]), 12)
    let expected = [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]
    #expect(left.tokens == expected)
    #expect(left.patches == expected)
  }

  @Test("a model in Swift and the graph that PyTorch exported have the same maps")
  func graph() throws {
    let export = try ExportOracle("vit-timm")
    let graph = try Subject(Catalog.load(.graph(export.path)))
    let images = RandomSource(seed: 10).normal(
      [12, 3, graph.imageSize.height, graph.imageSize.width])
    let own = try subject(
      "own", try ResidualFixture.vit(try Checkpoint.open(export.path), side: 32, classes: 5), images
    )
    let a = try cka(graph, "blocks.1", images, block: 6)
    let b = try cka(own, "blocks.1", images, block: 6)
    #expect(gap(a.map, b.map) < 1e-5 && a.grid.count == b.grid.count && a.grid.count > 4)
  }

  @Test("of a token that is the same for all images nothing is read off but the mean")
  func constantToken() throws {
    let images = 12
    let patches = RandomSource(seed: 5).normal([images, 3, 7]).to(.float64)
    let decoding = PatchDecoding(patches, seed: 3)
    let scores = try decoding.scores(Tensor.ones([images, 4]))
    var (errors, totals) = (0.0, 0.0)
    let first = patches.selected(1, 0)
    let centred = first - first.mean(over: [0], keeping: true)
    for held in decoding.parts {
      let fitted = (0..<images).filter { !held.contains($0) }
      let mean = first.gathered(0, fitted).mean(over: [0], keeping: true)
      errors += (first.gathered(0, held) - mean).squared().sum().item(Double.self)
      totals += centred.gathered(0, held).squared().sum().item(Double.self)
    }
    let found = try #require(scores[0][0])
    #expect(abs(found - (1 - errors / totals)) < 1e-9)
    #expect(scores.joined().allSatisfy { $0?.isFinite == true })
    let none = try decoding.scores(Tensor([Float](repeating: .nan, count: 12), shape: [images, 1]))
    #expect(none.count == PatchDecoding.folds + 1)
    #expect(none.joined().allSatisfy { $0 == nil })
  }

  private func run(
    _ subjects: [Subject], _ images: ImageSet, blockSize: Int = 5,
    among: [Representation] = [],
    _ change: (inout LocalizationAnalysis.Options) -> Void = { _ in }
  ) throws -> LocalizationResult {
    var options = LocalizationAnalysis.Options()
    (options.decodingImages, options.groups) = (12, 4)
    change(&options)
    let analysis = try LocalizationAnalysis(
      of: subjects, images: images.samples.count, among: among, options: options)
    var pass = Pass(subjects: subjects, images: images)
    (pass.blockSize, pass.batchSize) = (blockSize, 3)
    try pass.run([analysis])
    return try analysis.result()
  }

  @Test(
    "the result has the usual layers of each model, with intervals, and leaves out what has no grid"
  )
  func result() throws {
    let folder = try imageFolder(20)
    let images = try ImageSet(folder.path)
    let network = try Subject(Catalog.load(.name("resnet18"), randomWeights: 1))
    let small = try smallSubject("vit", side: 32)
    let result = try run([small, network], images)
    #expect(result.models[0].layers.map(\.site) == ["blocks.0", "blocks.1", "blocks.2"])
    #expect(result.models.map(\.readout) == ["class token", "pooled"])
    #expect(
      result.models[1].layers.map(\.site) == ["layer1.0", "layer2.1", "layer4.0", "layer4.1"])
    let first = result.models[1].layers[0]
    let sides: [Int] = [first.mapRows, first.mapColumns, first.rows, first.columns]
    #expect(sides == [56, 56, 14, 14])
    let counts: [Int] = [result.images, result.blocks, result.groups]
    #expect(counts == [20, 4, 4])
    let layer = result.models[0].layers[2]
    #expect(layer.hits.value != nil)
    #expect(layer.contrast.low != nil)
    #expect(layer.decodedImages == 12)
    for token in layer.tokens {
      #expect(token.values.count == 16)
      #expect(token.decoded.count == 16)
    }
    #expect(layer.tokens[0].picture.prefix(4) == Data([0x89, 0x50, 0x4E, 0x47]))
    let rows = result.tidyRows()
    #expect(rows.contains { $0.measure == "CKA with a patch" && $0.b == "patch 3,3" })
    #expect(result.findings.contains { $0.sentence.contains("hold places better than conv") })
    #expect(!result.findings.contains { $0.sentence.contains("those that pool") })
  }

  @Test("a run cut in two gives the numbers of a run in one")
  func resume() throws {
    let folder = try imageFolder(20)
    let images = try ImageSet(folder.path)
    let subject = try smallSubject("vit", side: 32)
    let whole = try run([subject], images)
    var options = LocalizationAnalysis.Options()
    (options.decodingImages, options.groups) = (12, 4)
    let states = try TemporaryFolder()
    func analysis() throws -> LocalizationAnalysis {
      try LocalizationAnalysis(of: [subject], images: 20, options: options)
    }
    var pass = Pass(subjects: [subject], images: images)
    (pass.blockSize, pass.batchSize, pass.stateFolder) = (5, 3, states.url)
    let interrupter = Interrupter(after: 3)
    pass.isInterrupted = { interrupter.isInterrupted() }
    let first = try analysis()
    #expect(throws: AnalysisError.interrupted) { try pass.run([first]) }
    pass.isInterrupted = { false }
    let second = try analysis()
    #expect(try pass.run([second]).resumedBlocks > 0)
    #expect(try second.result() == whole)
    #expect(!(try analysis()).restore(["counts": Tensor([Int64(1), 2, 3], shape: [3])]))
  }

  @Test("a layer without a grid that somebody named is refused in one line")
  func refusals() throws {
    let subject = try smallSubject("vit", side: 32)
    let head = try subject.representations(at: SitePattern(parsing: "head"))
    let error = #expect(throws: AnalysisError.self) {
      try LocalizationAnalysis(of: [subject], images: 8, among: head)
    }
    #expect(error?.description.contains("vit@head: it is one vector an image") == true)
    #expect(throws: AnalysisError.self) {
      try LocalizationAnalysis(of: [subject], images: 3)
    }
  }
}
