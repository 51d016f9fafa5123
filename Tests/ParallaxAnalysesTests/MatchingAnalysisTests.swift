import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxModels

@Suite("The analysis of matching")
struct MatchingAnalysisTests {
  private func prepared(
    _ folder: TemporaryFolder, _ subjects: [Subject], _ options: MatchingAnalysis.Options,
    at text: String? = "blocks.*"
  ) throws -> (MatchingAnalysis, Pass) {
    let (images, wanted, pass) = try averagedSites(folder, subjects, at: text)
    let analysis = try MatchingAnalysis(
      wanted, of: subjects, images: images, among: text == nil ? [] : wanted, options: options)
    return (analysis, pass)
  }

  private func options(_ pairs: MatchPairs = .random(3)) -> MatchingAnalysis.Options {
    var options = MatchingAnalysis.Options()
    (options.pairs, options.draws, options.noise) = (pairs, 2, [0.02, 0.2])
    options.recipe = .newton
    (options.recipe.steps, options.recipe.tolerance, options.recipe.isRelative) = (8, 1e-7, false)
    return options
  }

  @Test("pairs are matched in each place, and everything is told of the saved pictures")
  func matches() throws {
    let folder = try imageFolder(12)
    let subjects = [try smallSubject("one"), try smallSubject("two")]
    let (analysis, pass) = try prepared(folder, subjects, options())
    try pass.run([analysis])
    let result = try analysis.result()
    #expect(result.models.map(\.name) == ["one", "two"] && result.bank == 12)
    let places = result.models.flatMap(\.places)
    #expect(places.count == analysis.places.count && places.count >= 2)
    for model in result.models {
      #expect(model.originals.count == result.images.count)
      for place in model.places {
        #expect(place.pairs.count == 3)
        for pair in place.pairs {
          #expect(pair.source != pair.target)
          #expect(pair.saved.distance < pair.before.distance, "\(place.site)")
          #expect(pair.trace.first?.step == 0 && pair.trace.last?.step == pair.steps)
          #expect(pair.change.euclidean > 0 && pair.between > 0)
          #expect(try ImageBuffer(decoding: [UInt8](pair.picture)).width == 16)
          #expect(pair.isMatched == (pair.ending == "matched"))
        }
        #expect(place.noise.map(\.deviation) == [0.02, 0.2])
        #expect(place.noise[1].sourceShift > place.noise[0].sourceShift)
        #expect(place.noise.allSatisfy { (0...1).contains($0.detection) })
      }
    }
    // What is matched where it is looked at has gone most of the way.
    let way = try #require(result.transfer).way
    for place in places.indices {
      let own = try #require(way[place][place])
      #expect(own > 0.5)
      let shares = places[place].pairs.map {
        1 - ($0.saved.distance / $0.before.distance).squareRoot()
      }
      #expect(abs(own - shares.reduce(0, +) / Double(shares.count)) < 1e-3)
    }
    #expect(result.switches.allSatisfy { !$0.value.isEmpty })
    #expect(result.tidyRows().contains { $0.measure == "transfer: way" })
    let again = try JSONDecoder().decode(
      MatchingResult.self, from: JSONEncoder().encode(result))
    #expect(again == result)
  }

  @Test("a picture as saved is what a decoder reads back")
  func saved() throws {
    let folder = try imageFolder(6)
    let (analysis, pass) = try prepared(folder, [try smallSubject("one")], options())
    try pass.run([analysis])
    let into = try TemporaryFolder()
    let run = RunFolder(into.url)
    try run.create()
    _ = try analysis.write(into: run)
    let result: MatchingResult = try #require(try run.result(analysis: "matching"))
    let subject = analysis.subjects[0]
    for (index, place) in result.models[0].places.enumerated() {
      let pair = place.pairs[0]
      let bytes = try #require(
        FileManager.default.contents(atPath: run.url.appending(path: pair.file).path))
      let picture = try ImageBuffer(decoding: [UInt8](bytes))
      let pixels =
        Tensor(picture.pixels, shape: [1, picture.height, picture.width, 3])
        .to(.float32).permuted(0, 3, 1, 2) / 255
      let found = try RepresentationEmbedding(
        subject: subject, representation: analysis.places[index].representation)(pixels)
      let norm = found.to(.float64).norm(over: [1]).item(Double.self)
      // ‖f‖² − 2⟨f, t⟩ + ‖t‖² with the cosine that is told.
      let cosine = try #require(pair.saved.cosine)
      let expected =
        norm * norm - 2 * norm * pair.targetNorm * cosine + pair.targetNorm * pair.targetNorm
      #expect(abs(expected - pair.saved.distance) < 1e-4 * (norm * norm + 1))
    }
  }

  @Test("sources and targets by id; the same picture, unknown ids and single classes are refused")
  func pairs() throws {
    let folder = try imageFolder(8)
    let samples = try ImageSet(folder.path).samples
    let (a, b) = (samples[0].id, samples[3].id)
    #expect(try MatchPairs.one(a, b).chosen(samples, seed: 1).map(\.target) == [3])
    let many = try MatchPairs.to(a, 100).chosen(samples, seed: 1)
    #expect(many.allSatisfy { $0.target == 0 && $0.source != 0 } && many.count >= 4)
    let others = try MatchPairs.from(a, 2).chosen(samples, seed: 1)
    #expect(others.count == 2 && others.allSatisfy { $0.source == 0 })
    let random = try MatchPairs.random(5).chosen(samples, seed: 4)
    #expect(random.count == 5 && Set(random.map(\.source)).count == 5)
    #expect(
      random.allSatisfy {
        samples[$0.source].label == nil || samples[$0.source].label != samples[$0.target].label
      })
    #expect(
      try MatchPairs.random(5).chosen(samples, seed: 4).map(\.source) == random.map(\.source))
    for (pairs, text) in [
      (MatchPairs.one(a, a), "are the same picture"), (.one(a, "no"), "no image 'no'"),
      (.to("x", 2), "no image 'x'"),
    ] {
      #expect { try pairs.chosen(samples, seed: 1) } throws: { "\($0)".contains(text) }
    }
    #expect { try MatchPairs.random(1).chosen(Array(samples.prefix(1)), seed: 1) } throws: {
      "\($0)".contains("expected at least 2 images")
    }
  }

  @Test("a stopped run goes on to the same pictures")
  func resumes() throws {
    let folder = try imageFolder(8)
    var options = options()
    options.batchSize = 2
    let (whole, pass) = try prepared(folder, [try smallSubject("one")], options)
    try pass.run([whole])
    let wanted = try whole.result()
    let (part, again) = try prepared(folder, [try smallSubject("one")], options)
    try again.run([part])
    var asked = 0
    part.isInterrupted = {
      asked += 1
      return asked > 9
    }
    #expect(throws: AnalysisError.interrupted) { try part.result() }
    let state = Dictionary(uniqueKeysWithValues: part.state().map { ($0.name, $0.tensor) })
    #expect(state.keys.contains { $0.hasPrefix("running.") })
    let (resumed, _) = try prepared(folder, [try smallSubject("one")], options)
    #expect(resumed.restore(state))
    #expect(try resumed.result() == wanted)
    let (other, _) = try prepared(
      folder, [try smallSubject("one"), try smallSubject("two")], options)
    #expect(!other.restore(state))
  }

  @Test("readers before and after: classes are lost where embeddings are matched")
  func readers() throws {
    let folder = try imageFolder(12)
    let images = try ImageSet(folder.path)
    let (analysis, pass) = try prepared(folder, [try smallSubject("one")], options())
    try pass.run([analysis])
    let place = try analysis.result().models[0].places[0]
    #expect(images.classes.count > 1 ? !place.readouts.isEmpty : place.readouts.isEmpty)
    for one in place.readouts {
      #expect((0...1).contains(one.before) && (0...1).contains(one.after) && one.count == 3)
      #expect(one.fooled + one.after <= 1 + 1e-12)
    }
    if let scores = place.scores {
      for row in scores.before + scores.after { #expect(abs(row.reduce(0, +) - 1) < 1e-9) }
    }
  }

  @Test("the share of an interval of Wilson")
  func wilson() {
    // scipy.stats.binomtest(7, 8).proportion_ci(method="wilson")
    let interval = MatchingFindings.wilson(7, of: 8)
    #expect(abs(interval.low - 0.5291119) < 1e-6 && abs(interval.high - 0.9775826) < 1e-6)
  }
}
