import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxModels

/// A block that keeps maps, and a head on their means: six classes, or a vector that is called otherwise.
private struct Classifier: Model {
  let weight: Tensor
  let head: String

  init(seed: UInt64, head: String = "fc") {
    weight = RandomSource(seed: seed).normal([6, 12])
    self.head = head
  }

  func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    let x = tap("input", images, as: .map)
    // Means of squares and their squares: what a head can tell apart.
    let maps = x.averagePooled(window: 8, stride: 8)
    let y = tap.block("layers.0", Tensor.concatenated([maps, maps.squared()], 1))
    _ = tap("rounded", y.to(.int64).to(.float32), as: .map)
    let pooled = Tensor.concatenated(
      [y.mean(over: [2, 3]), y.selected(2, 0).selected(2, 0)], 1)
    return tap(head, pooled.linear(weight))
  }
}

@Suite("The analysis of generation")
struct GenerationAnalysisTests {
  private func subject(_ name: String, seed: UInt64 = 1, head: String = "fc") throws -> Subject {
    try Subject(
      name: name, family: "CNN", model: Classifier(seed: seed, head: head),
      preprocessing: .letterbox(16, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]),
      fingerprint: "\(name) \(seed)")
  }

  private func run(
    _ subjects: [Subject], _ folder: TemporaryFolder,
    _ change: (inout GenerationAnalysis.Options) -> Void
  ) throws -> GenerationResult {
    let analysis = try made(subjects, folder, change)
    var pass = Pass(subjects: subjects, images: try ImageSet(folder.path))
    pass.blockSize = 4
    try pass.run([analysis])
    return try analysis.result()
  }

  private func made(
    _ subjects: [Subject], _ folder: TemporaryFolder,
    _ change: (inout GenerationAnalysis.Options) -> Void
  ) throws -> GenerationAnalysis {
    var options = GenerationAnalysis.Options()
    options.steps = 40
    change(&options)
    return try GenerationAnalysis(
      of: subjects, images: try ImageSet(folder.path), options: options)
  }

  @Test("classes rise and are recognised, opposites fall, features grow")
  func orderings() throws {
    let folder = try imageFolder(2)
    let result = try run([try subject("a")], folder) {
      $0.wishes = [
        .classes(["2", "4"], .separate), .classes(["2"], .opposite), .classes(["1", "3"], .sum),
        .channel(site: "layers.0", index: 1), .neuron(site: "layers.0", index: 0, place: [0, 1]),
        .direction(site: "layers.0", seed: 4), .layer(site: "layers.0"),
      ]
      $0.steps = 80
    }
    #expect(
      result.pictures.map(\.kind) == [
        .classImage, .classImage, .opposite, .sum, .channel, .neuron, .direction, .layer,
      ])
    for picture in result.pictures {
      for (before, after) in zip(picture.before, picture.after) where picture.kind != .sum {
        #expect((after.value > before.value) == (picture.kind != .opposite), "\(picture.title)")
      }
      #expect(picture.diverged == nil && picture.width == 16)
      #expect(try ImageBuffer(decoding: [UInt8](picture.picture)).width == 112)
      #expect(try #require(picture.trace.last).loss < #require(picture.trace.first).loss)
    }
    let sum = result.pictures[3]
    #expect(
      sum.after.reduce(0) { $0 + $1.value } > sum.before.reduce(0) { $0 + $1.value })
    #expect(result.pictures[0].after[0].rank == 1 && result.pictures[0].best[0].label == "class 2")
    #expect(result.findings.map(\.verdict) == [.shows, .shows, .shows])
    #expect(result.switches.allSatisfy { !$0.value.isEmpty })
    #expect(!result.tidyRows().isEmpty)
    #expect(
      try JSONDecoder().decode(GenerationResult.self, from: JSONEncoder().encode(result)) == result)
  }

  @Test(
    "juxtaposed classes end with nearly the same logit; frames between classes go from one to the other"
  )
  func balance() throws {
    let folder = try imageFolder(2)
    let result = try run([try subject("a")], folder) {
      $0.wishes = [.classes(["0", "5"], .juxtapose), .classes(["0", "5"], .interpolate)]
      ($0.steps, $0.frames) = (150, 3)
    }
    let both = result.pictures[0]
    let (before, after) = (both.before.map(\.value), both.after.map(\.value))
    let (low, high) = (try #require(after.min()), try #require(after.max()))
    #expect(low > 0.7 * high, "\(before) \(after)")
    #expect(try #require(after.min()) > #require(before.min()))
    let frames = result.pictures.filter { $0.kind == .interpolation }
    #expect(frames.map(\.frame) == [0, 1, 2, 3])
    let leads = frames.map { $0.after[1].value - $0.after[0].value }
    #expect(leads == leads.sorted() && leads[3] > leads[0] + 1, "\(leads)")
  }

  @Test("a picture for two models is recognised by both, one for the first need not be")
  func joint() throws {
    let folder = try imageFolder(2)
    let subjects = [try subject("a"), try subject("b", seed: 2)]
    let result = try run(subjects, folder) {
      $0.wishes = [.classes(["3"], .joint)]
      $0.steps = 120
    }
    let picture = result.pictures[0]
    #expect(picture.models == [0, 1] && picture.after.map(\.model) == [0, 1])
    for (before, after) in zip(picture.before, picture.after) {
      #expect(after.value > before.value)
    }
  }

  @Test("dreams begin with the named picture, or the first of the run, and keep its proportions")
  func dreams() throws {
    let folder = try imageFolder(2)
    let result = try run([try subject("a")], folder) {
      ($0.preset, $0.steps, $0.wishes) = (.dreamLayer, 3, [])
    }
    #expect(result.pictures.map(\.kind) == [.layer] && result.beginning != nil)
    // 20 × 14 pixels, the shorter side 460.
    #expect(result.pictures[0].height == 460 && result.pictures[0].width == 657)
    #expect(!result.beginningPicture.isEmpty)
    let other = try TemporaryFolder()
    try other.write(try noisyPNG(7), "begin.png")
    let named = try run([try subject("a")], folder) {
      ($0.preset, $0.steps) = (.signTransfiguration, 4)
      ($0.beginning, $0.wishes) = (other.file("begin.png"), [.classes(["1"], .separate)])
    }
    #expect(named.beginning == "begin.png" && named.pictures[0].height == 16)
  }

  @Test("a run that was stopped goes on with the next step, to the same result")
  func resumes() throws {
    let (folder, states) = (try imageFolder(2), try TemporaryFolder())
    let subjects = [try subject("a"), try smallSubject("transformer")]
    func go(_ interrupter: Interrupter?) throws -> GenerationAnalysis {
      let analysis = try made(subjects, folder) {
        $0.steps = 8
        $0.wishes = [.channel(site: "input", index: 1), .layer(site: "input")]
      }
      var pass = Pass(subjects: subjects, images: try ImageSet(folder.path))
      (pass.blockSize, pass.stateFolder) = (4, states.url.appending(path: "states"))
      if let interrupter { analysis.isInterrupted = { interrupter.isInterrupted() } }
      try pass.run([analysis]) { _ in _ = try analysis.result() }
      return analysis
    }
    let whole = try go(nil).result()
    #expect(throws: AnalysisError.interrupted) { try go(Interrupter(after: 11)) }
    #expect(states.names("states").count == 1)
    #expect(try go(Interrupter(after: 5)).result() == whole, "what was done is not done again")
  }

  @Test("no logits, no such class, channel, site or picture: one line each that says what to do")
  func refusals() throws {
    let folder = try imageFolder(2)
    func refused(
      _ text: String, _ subjects: [Subject], _ change: (inout GenerationAnalysis.Options) -> Void
    ) throws {
      do {
        _ = try made(subjects, folder, change)
        Issue.record("expected a refusal: \(text)")
      } catch { #expect("\(error)".contains(text), "\(error)") }
    }
    let one = [try subject("a")]
    func classes(_ texts: [String], _ combination: GenerationWish.Combination = .separate)
      -> (inout GenerationAnalysis.Options) -> Void
    {
      { $0.wishes = [.classes(texts, combination)] }
    }
    try refused("it has no logits", [try subject("b", head: "global_pool")], classes(["1"]))
    var clip = try subject("clip")
    clip.objective = .languageImage
    try refused("its head is a projection", [clip], classes(["1"]))
    try refused("there is no class 6; expected one from 0 to 5", one, classes(["6"]))
    try refused("expected an index from 0 to 5 instead of 'goldfish'", one, classes(["goldfish"]))
    var named = try subject("named")
    named.classNames = ["tench", "goldfish", "crane bird", "crane", "tiger cat", "tabby"]
    try refused("did you mean goldfish?", [named], classes(["goldfsh"]))
    try refused("needs two different classes", one, classes(["1", "1"], .sum))
    try refused(
      "'01' is class 1, which is asked for already", one, classes(["1", "01"], .separate))
    try refused("asked for already", one, classes(["0", "1", "01"], .interpolate))
    try refused("need two models, found 1", one, classes(["1"], .joint))
    try refused("no channel 6; expected one from 0 to 5", one) {
      $0.wishes = [.channel(site: "layers.0", index: 6)]
    }
    let stuck = try made(one, folder) { $0.wishes = [.layer(site: "rounded")] }
    let error = #expect(throws: AnalysisError.self) {
      try Pass(subjects: one, images: ImageSet(folder.path)).run([stuck])
      _ = try stuck.result()
    }
    #expect(error?.description.hasPrefix("a@rounded: ") == true, "\(String(describing: error))")
    #expect(error?.description.contains("gradient") == true)
    try refused("layers.7", one) { $0.wishes = [.layer(site: "layers.7")] }
    try refused("/nowhere.png", one) { $0.beginning = "/nowhere.png" }
    let thin = try TemporaryFolder()
    let pixels = [UInt8](repeating: 9, count: 3 * 100 * 20)
    try thin.write(
      [UInt8](ImageBuffer(width: 100, height: 20, pixels: pixels).pngData()), "thin.png")
    try refused("at most four times as long as wide, not with 20 × 100", one) {
      $0.beginning = thin.file("thin.png")
    }
    // Names are found as they are, and by their only word.
    let names = try #require(named.classNames)
    #expect(ImageNetClasses.match("Goldfish", among: names) == .index(1))
    #expect(ImageNetClasses.match("crane", among: names) == .index(3))
    #expect(ImageNetClasses.match("tiger", among: names) == .index(4))
    #expect(ImageNetClasses.names.count == 1000 && Set(ImageNetClasses.names).count == 1000)
    #expect(ImageNetClasses.names[207] == "golden retriever")
    #expect(ImageNetClasses.names[999] == "toilet tissue")
  }
}
