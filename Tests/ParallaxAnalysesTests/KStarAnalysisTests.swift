import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

@Suite("The analysis of k* distributions")
struct KStarAnalysisTests {
  private func analysis(
    _ folder: TemporaryFolder, _ subjects: [Subject],
    _ set: ((inout KStarAnalysis.Options) -> Void)? = nil
  ) throws -> (KStarAnalysis, ImageSet) {
    let images = try ImageSet(folder.url.path)
    var options = KStarAnalysis.Options()
    set?(&options)
    let wanted = try subjects.flatMap { try $0.representations() }
    return (try KStarAnalysis(wanted, of: subjects, images: images, options: options), images)
  }

  @Test("blocks and the last site are looked at; k* is that of their features")
  func spaces() throws {
    let folder = try imageFolder(16, broken: [3])
    let subject = try smallSubject("small")
    let (analysis, images) = try analysis(folder, [subject])
    let recorder = Recorder(analysis.wanted)
    var pass = Pass(subjects: [subject], images: images)
    (pass.blockSize, pass.order) = (4, .shuffled)
    _ = try pass.run([analysis, recorder])
    let result = try analysis.result()
    #expect(result.images.count == 15 && result.classes == ["apes", "bees"])
    #expect(result.images == result.images.sorted())
    #expect(result.models[0].spaces.map(\.site) == ["blocks.0", "blocks.1", "blocks.2", "head"])
    #expect(result.models[0].spaces.map(\.depth).max() == 1)
    let seen = recorder.blocks.flatMap(\.samples)
    #expect(seen != seen.sorted())
    let order = seen.indices.sorted { seen[$0] < seen[$1] }
    for (index, space) in result.models[0].spaces.enumerated() {
      let features = Tensor.concatenated(try #require(recorder.features[index]), 0)
        .gathered(0, order)
      #expect(try KStar()(features, labels: result.labels).ranks == space.ranks)
      #expect(space.concepts.map(\.count) == [7, 8])
      #expect(space.neighbourhood.neighbours == 10 && space.neighbourhood.accuracy != nil)
      #expect((space.map == nil) == (index < 3))
    }
    let map = try #require(result.models[0].spaces.last?.map)
    #expect(map.images == Array(0..<15) && map.chains.count == 15)
    for (image, chain) in map.chains.enumerated() {
      let rank = result.models[0].spaces[3].ranks[image]
      #expect(chain.count == min(rank, 12))
      #expect(chain.dropLast().allSatisfy { result.labels[$0] == result.labels[image] })
      let breaker = try #require(result.models[0].spaces[3].breakers)[image]
      #expect(result.labels[breaker] != result.labels[image])
      if rank <= 12 { #expect(chain.last == breaker) }
    }
    #expect(map.trustworthiness != nil && result.refusals.isEmpty)
    let rows = result.tidyRows()
    #expect(rows.contains { $0.measure == "gamma macroMean" && $0.a == "small@head#flat" })
    #expect(rows.count { $0.measure == "skewness" } == 8)
    #expect(result.switches.contains { $0.name == "distance" && $0.origin == "paper" })
    #expect(result.findings.last?.quantity == "too few models: 1, expected 4 at least")
    #expect(result.findings.last?.verdict == .cannotTell)
    #expect(result.models[0].spaces.allSatisfy { $0.dtype == "float32" })
    #expect(rows.contains { $0.measure == "pattern" && $0.unit.contains("clustered") })
    #expect(rows.allSatisfy { $0.estimator.contains("float32") || $0.measure.contains("change") })
    // The change over depth has an interval, of the same images in both.
    let change = try #require(result.changes.first)
    #expect(change.kind == .depth && change.from == "small@blocks.0#cls")
    #expect(change.mean.low != nil && change.all == 2)
    #expect(result.findings.contains { $0.sentence.contains("fractures concepts less at head") })
  }

  @Test("of one space the last block is taken, and the last site")
  func oneSpace() throws {
    let subject = try smallSubject("small")
    let wanted = try subject.representations()
    let one = KStarAnalysis.chosen(wanted, [subject], among: [], 1)
    #expect(one.map(\.site.name) == ["blocks.2", "head"])
    #expect(
      KStarAnalysis.chosen(wanted, [subject], among: [], 2).map(\.site.name)
        == ["blocks.0", "blocks.2", "head"])
  }

  @Test("an interruption stops inside a space")
  func interruption() throws {
    let folder = try imageFolder(8)
    let subject = try smallSubject("small")
    let (analysis, images) = try analysis(folder, [subject])
    _ = try Pass(subjects: [subject], images: images).run([analysis])
    var asked = 0
    analysis.isInterrupted = {
      asked += 1
      return asked > 2
    }
    #expect(throws: AnalysisError.interrupted) { try analysis.result() }
    #expect(asked == 3)
  }

  @Test("a state restores, and another width does not")
  func states() throws {
    let folder = try imageFolder(8)
    let subject = try smallSubject("small")
    let (first, images) = try analysis(folder, [subject])
    _ = try Pass(subjects: [subject], images: images).run([first])
    let (second, _) = try analysis(folder, [subject])
    let state = Dictionary(uniqueKeysWithValues: first.state().map { ($0.name, $0.tensor) })
    #expect(second.restore(state))
    #expect(try second.result() == first.result())
    var narrow = state
    narrow["features.0"] = state["features.0"]?.sliced(1, 1)
    let (third, _) = try analysis(folder, [subject])
    #expect(!third.restore(narrow) && third.state().isEmpty)
  }

  @Test("superclasses, and classes that do not suffice")
  func classes() throws {
    let folder = try imageFolder(8)
    let subject = try smallSubject("small")
    #expect(throws: AnalysisError.self) {
      try analysis(folder, [subject]) { $0.superclasses = ["apes": "animal", "bees": "animal"] }
    }
    #expect(
      throws: AnalysisError.classes("the label map has no superclass for 'bees'")
    ) { try analysis(folder, [subject]) { $0.superclasses = ["apes": "animal"] } }
    let (turned, images) = try analysis(folder, [subject]) {
      $0.superclasses = ["apes": "z", "bees": "a"]
    }
    _ = try Pass(subjects: [subject], images: images).run([turned])
    let (plain, _) = try analysis(folder, [subject])
    _ = try Pass(subjects: [subject], images: images).run([plain])
    #expect(try turned.result().classes == ["a", "z"])
    #expect(
      try turned.result().models[0].spaces[0].ranks == plain.result().models[0].spaces[0].ranks)
    let few = try imageFolder(4)
    #expect(throws: AnalysisError.self) { try analysis(few, [subject]) }
    #expect(throws: AnalysisError.self) { try Concepts(of: [], superclasses: nil).check("x") }
  }

  @Test("tables of superclasses and of accuracies are read, or refused with their row")
  func tables() throws {
    let folder = try TemporaryFolder()
    func path(_ text: String) throws -> String {
      try folder.write(Array(text.utf8), "m.csv")
      return folder.url.appending(path: "m.csv").path
    }
    let map = try Concepts.superclasses(
      ofFile: path("class,superclass\nape,animal\n\"van, old\",\"a \"\"vehicle\"\"\"\n"))
    #expect(map == ["ape": "animal", "van, old": "a \"vehicle\""])
    let known = try Concepts.accuracies(ofFile: path("model,top-1 on ImageNet\nvit,81.2\nnet,70\n"))
    #expect(known.name == "top-1 on ImageNet" && known.ofModels == ["vit": 81.2, "net": 70])
    #expect(try Concepts.accuracies(ofFile: path("vit,0.5\n")).name == "accuracy")
    for (text, place) in [
      ("ape\n", "row 1"), ("ape,animal\nape,thing\n", "row 2"), ("", "names no class"),
      ("ape,animal,x\n", "row 1"),
    ] {
      do {
        _ = try Concepts.superclasses(ofFile: path(text))
        Issue.record("expected a refusal of \(text)")
      } catch { #expect("\(error)".contains(place)) }
    }
    for (text, place) in [
      ("vit,high\n", "row 1"), ("vit,1\nvit,2\n", "row 2"), ("model,value\n", "names no model"),
      ("vit,nan\n", "row 1"),
    ] {
      do {
        _ = try Concepts.accuracies(ofFile: path(text))
        Issue.record("expected a refusal of \(text)")
      } catch { #expect("\(error)".contains(place)) }
    }
  }

  @Test("noise is an image's own, whatever the batch, of the size that was asked for")
  func noise() throws {
    let folder = try imageFolder(8)
    let subject = try smallSubject("small")
    let model = CorruptedInputs(
      model: subject.model, corruption: .noise(1), mean: [0, 0, 0], std: [0.5, 0.5, 1], seed: 1)
    let x = RandomSource(seed: 2).normal([6, 3, 16, 16])
    let whole = model.corrupted(x)
    #expect(
      (model.corrupted(x.sliced(0, 3, 5)) - whole.sliced(0, 3, 5)).absolute().maximum()
        .item(Double.self) == 0)
    let size = (whole - x).sliced(1, 0, 2).squared().mean().item(Double.self).squareRoot()
    #expect(abs(size - 2) < 0.1)
    #expect(
      (whole - x).selected(0, 0).sum().item(Double.self)
        != (whole - x).selected(0, 1).sum().item(Double.self))
    let (analysis, images) = try analysis(folder, [subject]) {
      $0.corruptions = [.noise(0.1), .blur(1)]
    }
    #expect(analysis.companions.map(\.name) == ["small+noise0.1", "small+blur1.0"])
    _ = try Pass(subjects: [subject] + analysis.companions, images: images).run([analysis])
    let result = try analysis.result()
    #expect(result.models.map(\.original) == [nil, "small", "small"])
    #expect(result.models.map(\.corruption) == [nil, "noise 0.1", "blur 1.0"])
    #expect(result.plain.count == 1)
    // A number, an interval and a finding each.
    let changes = result.changes.filter { $0.kind == .corruption }
    #expect(changes.map(\.corruption) == ["noise 0.1", "blur 1.0"])
    #expect(changes.allSatisfy { $0.mean.low != nil && $0.from.hasPrefix("small@head") })
    for change in changes {
      let sentence =
        "With \(change.corruption ?? "") on its images, small fractures concepts more at head"
      #expect(
        result.findings.count { $0.sentence == sentence && $0.value != nil && $0.low != nil } == 1)
    }
    #expect(
      result.switches.contains { $0.name == "corruption" && $0.value.contains("not clamped") })
    #expect(result.models[1].spaces.count == 4 && result.models[1].spaces.last?.map == nil)
    #expect(result.models[2].spaces[0].ranks != result.models[0].spaces[0].ranks)
    #expect(result.ranked.count + result.unranked.count == 1)
  }

  @Test("correlations over models have Fisher's interval, and directions of their own")
  func correlations() throws {
    let r = try #require(KStarFindings.correlation([1, 2, 3, 4, 5], [2, 1, 4, 3, 5]))
    #expect(abs(r - 0.8) < 1e-12)
    let ends = try #require(KStarFindings.interval(r, count: 5))
    // SciPy's pearsonr(...).confidence_interval().
    #expect(abs(ends.0 - -0.2796) < 1e-3 && abs(ends.1 - 0.9862) < 1e-3)
    #expect(KStarFindings.correlation([1, 1, 1, 1], [1, 2, 3, 4]) == nil)
    #expect(KStarFindings.interval(0.5, count: 3) == nil)
  }
}
