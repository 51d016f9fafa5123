import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxModels

@Suite("The analysis of residual connections")
struct ResidualAnalysisTests {
  private func vit(_ name: String = "vit", depth: Int = 4, seed: UInt64 = 1) throws -> Subject {
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (32, 8, 12, depth, 3, 5)
    return try Subject(
      name: name, family: "ViT", model: try ViT(c, Weights(RandomWeights(seed: seed))),
      preprocessing: .letterbox(32, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]),
      fingerprint: "residual \(depth) seed \(seed)")
  }

  private func convolutional(_ name: String = "resnet18") throws -> Subject {
    try Subject(Catalog.load(.name(name), randomWeights: 1))
  }

  private func options(_ change: (inout ResidualAnalysis.Options) -> Void = { _ in })
    -> ResidualAnalysis.Options
  {
    var options = ResidualAnalysis.Options()
    options.groups = 4
    change(&options)
    return options
  }

  private func run(
    _ subjects: [Subject], _ images: ImageSet, blockSize: Int = 8, batchSize: Int = 8,
    among: [Representation] = [], _ options: ResidualAnalysis.Options
  ) throws -> ResidualResult {
    let analysis = try ResidualAnalysis(of: subjects, among: among, options: options)
    var pass = Pass(subjects: subjects + analysis.companions, images: images)
    (pass.blockSize, pass.batchSize) = (blockSize, batchSize)
    try pass.run([analysis])
    return try analysis.result()
  }

  @Test("means, intervals and the maps of tokens are those of each image's numbers")
  func numbers() throws {
    let folder = try imageFolder(12)
    let images = try ImageSet(folder.path)
    let subject = try vit()
    let all = try subject.connections()
    let recorder = Recorder([])
    recorder.watched = try all.map { one in
      let grid = try #require(
        SpatialGrid(one.kind, one.shape, subject.model.tokenLayout, imageSize: (32, 32)))
      return Watch(model: "vit", sites: [one.skip, one.branch], width: 5 * 17) {
        ResidualNumbers.of($0[0], $0[1], grid)
      }
    }
    try Pass(subjects: [subject], images: images).run([recorder])
    for aggregation in ResidualAnalysis.Aggregation.allCases {
      for cosine in ResidualAnalysis.Cosine.allCases {
        let result = try run(
          [subject], images, blockSize: 5, batchSize: 3,
          options {
            $0.aggregation = aggregation
            $0.cosine = cosine
          })
        #expect(result.images == 12 && result.models[0].connections.count == 8)
        for (index, one) in result.models[0].connections.enumerated() {
          let rows = recorder.all(index).reshaped(12, 5, 17)
          func tokens(_ images: [Int]) -> [Double] {
            let chosen = rows.gathered(0, images).mean(over: [0])
            let ratio =
              aggregation == .meanOfRatios
              ? chosen.selected(0, 0) : chosen.selected(0, 1) / chosen.selected(0, 2)
            return ratio.scalars(Double.self)
          }
          func mean(_ values: [Double]) -> Double {
            values.dropFirst().reduce(0, +) / Double(values.count - 1)
          }
          let whole = tokens(Array(0..<12))
          let shape: [Int] = [one.rows, one.columns, one.others, one.tokens.count]
          #expect(shape == [4, 4, 1, 17])
          for (a, b) in zip(one.tokens, whole) { #expect(abs((a ?? .nan) - b) < 1e-9) }
          #expect(abs((one.ratio.value ?? .nan) - mean(whole)) < 1e-9)
          #expect(abs((one.classRatio.value ?? .nan) - whole[0]) < 1e-9)
          let left = (0..<4).map { group in mean(tokens((0..<12).filter { $0 % 4 != group })) }
          let margin = try #require(StudentT.margin(leavingOut: left))
          #expect(abs((one.ratio.high ?? .nan) - mean(whole) - margin) < 1e-9)
          let angle = rows.selected(1, cosine == .output ? 3 : 4).mean(over: [0])
          #expect(
            abs((one.cosine.value ?? .nan) - mean(angle.scalars(Double.self))) < 1e-9)
        }
      }
    }
  }

  /// Blocks whose class token is carried past early and rewritten late, the other tokens the other way round.
  private struct Switching: Model {
    let tokenLayout: TokenLayout? = TokenLayout(hasClassToken: true, patch: 8)
    /// A block whose branch adds exactly 0 beside its own.
    var dead: Int?

    func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
      let input = tap("input", images, as: .map)
      let x = input.reshaped(images.shape[0], 4, -1)
      var y = Tensor.concatenated([x.mean(over: [1], keeping: true), x], 1)
      for index in 0..<6 {
        let (first, others) = index < 3 ? (0.125, 2.0) : (4.0, 0.5)
        let factors = Tensor([first] + Array(repeating: others, count: 4), shape: [1, 5, 1])
          .to(.float32)
        y = tap["blocks.\(index)"].joined(
          "residual1", y, y * factors, index % 2 == 0 ? .mlp : .attention)
        if index == dead {
          y = tap["blocks.\(index)"].joined("residual2", y, y.zerosLike(), .mlp)
        }
        y = tap.block("blocks.\(index)", y)
      }
      return y.selected(1, 0)
    }
  }

  @Test("a change of roles is found, with its size and its place")
  func roles() throws {
    let subject = try Subject(
      name: "made", family: "ViT", model: Switching(),
      preprocessing: .letterbox(16, mean: [0.5, 0.5, 0.5], std: [1, 1, 1]), fingerprint: "made")
    let folder = try imageFolder(12)
    let result = try run([subject], try ImageSet(folder.path), options())
    let transition = try #require(result.models[0].transition)
    // log₂ 8 − log₂ ½ early, log₂ ¼ − log₂ 2 late.
    #expect(abs((transition.early.value ?? .nan) - 4) < 1e-5)
    #expect(abs((transition.late.value ?? .nan) + 3) < 1e-5)
    #expect(abs((transition.change.value ?? .nan) - 7) < 1e-5)
    let place: Double = (2 + 4.0 / 7) / 5
    #expect(abs((transition.crossing.value ?? .nan) - place) < 1e-5)
    #expect(transition.early.low != nil)
    let own = result.findings.filter { $0.sentence.hasPrefix("made: ") }
    #expect(own.count >= 3)
    for finding in own.prefix(3) { #expect(finding.verdict == .shows) }
    let isThere = own.contains { $0.sentence.contains("change roles") }
    #expect(isThere)
  }

  @Test("a branch that adds exactly 0 is left out and named; the model keeps its findings")
  func deadBranch() throws {
    let folder = try imageFolder(12)
    let images = try ImageSet(folder.path)
    func result(_ dead: Int?) throws -> ResidualResult {
      let subject = try Subject(
        name: "made", family: "ViT", model: Switching(dead: dead),
        preprocessing: .letterbox(16, mean: [0.5, 0.5, 0.5], std: [1, 1, 1]),
        fingerprint: "made \(dead ?? -1)")
      return try run([subject], images, options())
    }
    let (whole, part) = (try result(nil), try result(2))
    #expect(part.models[0].connections.count == 7)
    let (a, b) = (try #require(whole.models[0].transition), try #require(part.models[0].transition))
    #expect(abs((a.change.value ?? .nan) - (b.change.value ?? 0)) < 1e-9 && b.early.low != nil)
    #expect(part.findings.map(\.sentence) == whole.findings.map(\.sentence))
    #expect(part.findings[0].quantity.contains("1 of 7 sums are left out"))
    #expect(part.findings[0].quantity.contains("such as the mlp of blocks.2"))
    #expect(!whole.findings[0].quantity.contains("left out"))
  }

  @Test("networks of maps have no class token, and those without sums are left out with the reason")
  func designs() throws {
    let folder = try imageFolder(8)
    let images = try ImageSet(folder.path)
    let result = try run(
      [try vit(), try convolutional(), try convolutional("vgg11")], images, options())
    #expect(result.models.map(\.name) == ["vit", "resnet18-random"])
    let network = result.models[1]
    #expect(network.transition == nil && network.connections.count == 8)
    #expect(network.connections.allSatisfy { $0.part == .branch && $0.classRatio.value == nil })
    let first = network.connections[0]
    let sides: [Int] = [first.rows, first.columns, first.tokens.count]
    #expect(sides == [56, 56, 196])
    #expect(first.picture.prefix(4) == Data([0x89, 0x50, 0x4E, 0x47]))
    #expect(result.refusals.map(\.reason) == ["the model has no residual connections"])
    #expect(result.findings.contains { $0.sentence.contains("in transformers than in conv") })
    #expect(throws: AnalysisError.self) { try ResidualAnalysis(of: [try convolutional("vgg11")]) }
    let rows = result.tidyRows()
    #expect(rows.contains { $0.measure == "norm ratio, branch" && $0.b == "cell row 0, column 0" })
    #expect(rows.contains { $0.measure == "norm ratio, mlp" && $0.b == "class token" })
  }

  @Test("a run cut in two gives the numbers of a run in one, with skips taken out too")
  func resume() throws {
    let folder = try imageFolder(20)
    let images = try ImageSet(folder.path)
    let subject = try vit()
    let chosen = options { $0.removals = [1, -2] }
    let whole = try run([subject], images, blockSize: 5, chosen)
    #expect(whole.removals.map(\.block) == ["blocks.1", "blocks.2"])
    #expect(whole.removals[0].split.low != nil && whole.removals[0].blocks == 4)
    let states = try TemporaryFolder()
    func analysis() throws -> ResidualAnalysis {
      try ResidualAnalysis(of: [subject], options: chosen)
    }
    let first = try analysis()
    var pass = Pass(subjects: [subject] + first.companions, images: images)
    (pass.blockSize, pass.batchSize, pass.stateFolder) = (5, 8, states.url)
    let interrupter = Interrupter(after: 1)
    pass.isInterrupted = { interrupter.isInterrupted() }
    #expect(throws: AnalysisError.interrupted) { try pass.run([first]) }
    pass.isInterrupted = { false }
    let second = try analysis()
    let outcome = try pass.run([second])
    #expect(outcome.resumedBlocks > 0)
    #expect(try second.result() == whole)
    #expect(!(try analysis()).restore(["images": Tensor([Int64(3)], shape: [1])]))
  }

  @Test("only sums at or under the sites that were named are taken")
  func chosen() throws {
    let subject = try vit()
    let folder = try imageFolder(4)
    let named = try subject.representations(at: SitePattern(parsing: "blocks.1,blocks.3"))
    let result = try run([subject], try ImageSet(folder.path), among: named, options())
    #expect(
      result.models[0].connections.map(\.block) == ["blocks.1", "blocks.1", "blocks.3", "blocks.3"])
    let third: Double = 1.0 / 3
    let depths: [Double] = [third, third, 1, 1]
    #expect(result.models[0].connections.map(\.depth) == depths)
    #expect(result.groups == 0 && result.models[0].connections[0].ratio.low == nil)
  }

  @Test(
    "skips that cannot be taken out: one line that says what was expected",
    arguments: [
      (7, "expected a block from 0 to 3"), (0, "blocks.0 is the first block"),
      (-1, "blocks.3 is the last block"),
    ])
  func refusals(block: Int, text: String) throws {
    let error = #expect(throws: AnalysisError.self) {
      try ResidualAnalysis(of: [try vit()], options: options { $0.removals = [block] })
    }
    #expect(error?.description.contains(text) == true, "\(error?.description ?? "")")
  }
}
