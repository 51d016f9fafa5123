import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxModels

/// A block that keeps its input, one that averages squares of 4 × 4 pixels, one that rounds to whole numbers.
private struct Forgetful: Model {
  func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    let x = tap.block("layers.0", tap("input", images, as: .map))
    let pooled = tap.block("layers.1", x.averagePooled(window: 4, stride: 4))
    return tap("rounded", pooled.to(.int64).to(.float32), as: .map)
  }
}

@Suite("The analysis of inversion")
struct InversionAnalysisTests {
  private func prepared(
    _ folder: TemporaryFolder, _ subjects: [Subject], _ options: InversionAnalysis.Options,
    at text: String? = nil
  ) throws -> (InversionAnalysis, Pass) {
    let images = try ImageSet(folder.path)
    var pass = Pass(subjects: subjects, images: images)
    (pass.blockSize, pass.order) = (4, .shuffled)
    let pattern = try text.map { try SitePattern(parsing: $0) }
    let wanted = try subjects.flatMap { try $0.representations(at: pattern) }
    let analysis = try InversionAnalysis(
      wanted, of: subjects, images: images, among: text == nil ? [] : wanted, options: options)
    return (analysis, pass)
  }

  private func options(_ images: Int, _ steps: Int) -> InversionAnalysis.Options {
    var options = InversionAnalysis.Options()
    (options.images, options.steps) = (images, steps)
    return options
  }

  private func forgetful() throws -> Subject {
    try Subject(
      name: "forgetful", family: "CNN", model: Forgetful(),
      preprocessing: .letterbox(16, mean: [0.5, 0.4, 0.3], std: [0.25, 0.2, 0.3]),
      fingerprint: "forgetful")
  }

  @Test(
    "a layer that keeps the pixels gives them back; one that averages them gives another picture")
  func verdicts() throws {
    let folder = try imageFolder(5)
    var options = options(3, 300)
    // Images of noise have much variation.
    options.variation = 0.001
    let (analysis, pass) = try prepared(folder, [try forgetful()], options, at: "layers.*")
    try pass.run([analysis])
    let result = try analysis.result()
    let model = result.models[0]
    #expect(model.design == "convolutional" && model.inputs == 768 && result.images.count == 3)
    #expect(model.layers.map(\.site) == ["layers.0", "layers.1"])
    #expect(model.layers.map(\.features) == [768, 48])
    let (first, last) = (model.layers[0].reconstructions, model.layers[1].reconstructions)
    #expect(first.map(\.image) == [0, 1, 2])
    for (one, other) in zip(first, last) {
      #expect(one.verdict == .accurate && one.rmse < 0.03, "\(one.rmse)")
      #expect(other.verdict == .embeddingOnly)
      #expect(other.embedding < other.reference && other.input > other.inputReference)
      #expect(abs(one.rmse * 768.0.squareRoot() - one.input) < 1e-9)
      #expect(abs(one.inputReference / (768.0.squareRoot() / 18) - 1) < 0.1)
      #expect(try #require(one.ssim) > #require(other.ssim))
      #expect(try #require(one.psnr) > #require(other.psnr))
      #expect(one.trace.first?.step == 0 && one.trace.last?.step == 300)
      #expect(abs(try #require(one.trace.first).input - one.beginning) < 1e-4)
      #expect(try ImageBuffer(decoding: [UInt8](one.picture)).width == 48)
    }
    #expect(result.findings.map(\.verdict) == [.shows, .shows])
    #expect(result.findings[0].sentence.contains("Early layers"))
    // A range over pictures must not pass for an interval.
    #expect(result.findings[0].low == nil)
    #expect(result.findings[0].quantity.hasSuffix("over 3 pictures"))
    #expect(result.switches.allSatisfy { !$0.value.isEmpty })
    #expect(result.tidyRows().count == 2 * (2 + 3 * 12))
    let again = try JSONDecoder().decode(
      InversionResult.self, from: JSONEncoder().encode(result))
    #expect(again == result)
  }

  @Test("an image that is asked for is the one that is inverted, and one that is not there is not")
  func chosen() throws {
    let folder = try imageFolder(9)
    let ids = try ImageSet(folder.path).samples.map(\.id)
    var found: [[String]] = []
    for chosen in [[ids[7], ids[2]], ["elsewhere.png"]] {
      var options = options(4, 2)
      options.chosen = chosen
      let (analysis, pass) = try prepared(folder, [try forgetful()], options, at: "layers.0")
      try pass.run([analysis])
      let result = try analysis.result()
      #expect(
        result.models[0].layers[0].reconstructions.map(\.image) == Array(result.images.indices))
      found.append(result.images)
    }
    #expect(found[0].sorted() == [ids[2], ids[7]].sorted())
    #expect(found[1].count == 4)
  }

  @Test(
    "the paper's recipe takes raw pixels and keeps the last picture, with c by the layer's size")
  func paper() throws {
    let folder = try imageFolder(4)
    var options = options(1, 30)
    options.preset = .badger2022
    let subjects = [try forgetful(), try smallSubject("small")]
    let (analysis, pass) = try prepared(folder, subjects, options)
    try pass.run([analysis])
    let result = try analysis.result()
    #expect(result.models[0].layers[0].scale == 0.15)
    let layer = result.models[1].layers[0]
    #expect(abs(layer.scale - 0.15 * 204_800 / Double(layer.features)) < 1e-9)
    #expect(layer.steps == 30)
    #expect(result.models.flatMap(\.layers).flatMap(\.reconstructions).allSatisfy { $0.step == 30 })
    // By hand: the recipe on pixels that no preprocessing has touched.
    let recorder = Recorder(analysis.wanted)
    var again = Pass(subjects: subjects, images: try ImageSet(folder.path))
    (again.blockSize, again.order) = (4, .shuffled)
    try again.run([recorder])
    let input = recorder.all(0).sliced(0, 0, 1).reshaped(1, 3, 16, 16)
    let target =
      input * Tensor([0.25, 0.2, 0.3] as [Float], shape: [1, 3, 1, 1])
      + Tensor([0.5, 0.4, 0.3] as [Float], shape: [1, 3, 1, 1])
    var recipe = InversionRecipe.badger2022(.convolutional, features: 768)
    recipe.descent.octaves[0].steps = 30
    let inversion = Inversion("by hand", recipe) { $0.reshaped(1, -1) }
    var state = try inversion.begin(
      from: recipe.descent.beginning([3, 16, 16], seed: 1_000_003 * 1_000_003).unsqueezed(0))
    try inversion.run(target, &state)
    let last = try #require(state.trace[0].last)
    let found = result.models[0].layers[0].reconstructions[0]
    let (far, reached) = (try #require(last.input), try #require(last.embedding))
    #expect(abs(far - found.input) < 1e-4 * far)
    #expect(abs(reached - found.embedding) < 1e-4 * reached)
  }

  @Test("a run that was stopped goes on with the next step, to the same result")
  func resumes() throws {
    let (folder, states) = (try imageFolder(6), try TemporaryFolder())
    let subjects = [try smallSubject("a"), try smallSubject("b", seed: 2)]
    var options = options(2, 12)
    (options.starts, options.batchSize) = (2, 3)
    func go(_ interrupter: Interrupter?) throws -> InversionAnalysis {
      let (analysis, made) = try prepared(folder, subjects, options)
      var pass = made
      pass.stateFolder = states.url.appending(path: "states")
      if let interrupter { analysis.isInterrupted = { interrupter.isInterrupted() } }
      try pass.run([analysis]) { _ in _ = try analysis.result() }
      return analysis
    }
    let whole = try go(nil).result()
    #expect(whole.models.map(\.layers.count) == [3, 3])
    #expect(whole.models[0].layers[0].reconstructions.map(\.start) == [0, 1, 0, 1])
    // Two batches a layer, twelve steps a batch: in the middle of the fourth batch.
    #expect(throws: AnalysisError.interrupted) { try go(Interrupter(after: 41)) }
    #expect(states.names("states").count == 1)
    let counter = Interrupter(after: 12 * 12 - 41)
    #expect(try go(counter).result() == whole, "what was done is not done again")
    #expect(states.names("states").isEmpty)
  }

  @Test("a state that does not fit is refused, and changes nothing")
  func states() throws {
    let folder = try imageFolder(4)
    let (analysis, pass) = try prepared(folder, [try smallSubject("a")], options(2, 4))
    try pass.run([analysis])
    let result = try analysis.result()
    let state = Dictionary(uniqueKeysWithValues: analysis.state().map { ($0.name, $0.tensor) })
    let (fresh, _) = try prepared(folder, [try smallSubject("a")], options(2, 4))
    for (name, tensor) in [
      ("found.0.0.pictures", Tensor.zeros([2, 3, 8, 8])),
      ("found.1.0.numbers", Tensor([UInt8(123)], shape: [1])),
      ("running.2.0.step", Tensor([Int64(9)], shape: [1])),
      ("features.0", Tensor.zeros([2, 5])),
    ] {
      var damaged = state
      damaged[name] = tensor
      #expect(!fresh.restore(damaged), "\(name)")
      #expect(fresh.state().isEmpty)
    }
    #expect(fresh.restore(state))
    #expect(try fresh.result() == result)
  }

  @Test("the run folder holds every picture as a PNG, and all in one file")
  func writes() throws {
    let folder = try imageFolder(4)
    let (analysis, pass) = try prepared(folder, [try smallSubject("a/b")], options(1, 3))
    let scratch = try TemporaryFolder()
    let run = RunFolder(scratch.url)
    try run.create()
    var rows: [TidyRow] = []
    try pass.run([analysis]) { _ in rows = try analysis.write(into: run) }
    #expect(rows.count == 3 * (2 + 12))
    #expect(
      scratch.names("tensors/inversion") == [
        "001-a-b-image-1.png", "002-a-b@blocks.0-image-1.png", "003-a-b@blocks.1-image-1.png",
        "004-a-b@blocks.2-image-1.png", "pictures.safetensors",
      ])
    let result: InversionResult = try #require(try run.result(analysis: "inversion"))
    #expect(result.models[0].layers[1].reconstructions[0].file.hasSuffix("blocks.1-image-1.png"))
    let picture = try ImageBuffer(
      decoding: try scratch.bytes(result.models[0].originals[0].file))
    #expect(picture.width == 16)
  }

  @Test("what no gradient leads through is refused by name, and so is a picture too few")
  func refusals() throws {
    let folder = try imageFolder(4)
    let (analysis, pass) = try prepared(
      folder, [try forgetful()], options(1, 3), at: "rounded")
    let error = #expect(throws: AnalysisError.self) {
      try pass.run([analysis])
      _ = try analysis.result()
    }
    #expect(error?.description.hasPrefix("forgetful@rounded: ") == true)
    #expect(error?.description.contains("gradient") == true, "\(String(describing: error))")
    #expect(throws: AnalysisError.self) {
      try prepared(folder, [try forgetful()], options(0, 3))
    }
    #expect(throws: ModelError.self) {
      try prepared(folder, [try forgetful()], options(1, 3), at: "layers.7")
    }
  }
}
