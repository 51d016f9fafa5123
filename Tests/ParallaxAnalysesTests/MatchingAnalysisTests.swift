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
          #expect(try ImageBuffer(decoding: [UInt8](pair.picture)).width == 48)
          #expect(pair.isMatched == (pair.ending == "matched"))
        }
        #expect(place.noise.map(\.deviation) == [0.02, 0.2])
        #expect(place.noise[1].sourceShift > place.noise[0].sourceShift)
        #expect(place.noise.allSatisfy { (0...1).contains($0.detection) && $0.paired?.count == 3 })
        // Of little noise linearisation says how far it moves the embedding, up to two draws' and eight vectors' chance.
        for one in place.noise.prefix(1) {
          for (expected, shift) in [
            (one.sourceExpected, one.sourceShift), (one.matchedExpected, one.matchedShift),
          ] {
            let expected = try #require(expected)
            #expect(abs(expected / shift - 1) < 0.5, "\(place.site)")
          }
        }
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
    // A path of a file of the set is as good as its id.
    let paths = try MatchPairs.one(samples[2].path, b).chosen(samples, seed: 1)
    #expect(paths.map(\.source) == [2] && paths.map(\.target) == [3])
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
      let (lost, won) = (try #require(one.lost), try #require(one.won))
      #expect(abs(one.before - one.after - Double(lost - won) / 3) < 1e-12)
    }
    // What was matched is read as the target's class by its nearest neighbour, the target's own picture being in the set.
    let nearest = try #require(place.readouts.first { $0.name == "nearest neighbour" })
    #expect(nearest.fooled == 1 && nearest.after == 0)
    if let scores = place.scores {
      for row in scores.before + scores.after { #expect(abs(row.reduce(0, +) - 1) < 1e-9) }
    }
  }

  @Test("pairs that were alike before are shown, and counted nowhere")
  func already() throws {
    let folder = try imageFolder(8)
    var options = options()
    (options.recipe.tolerance, options.recipe.cosine) = (1e9, -1)
    let (analysis, pass) = try prepared(
      folder, [try smallSubject("one"), try smallSubject("two")], options)
    try pass.run([analysis])
    let result = try analysis.result()
    for place in result.models.flatMap(\.places) {
      #expect(place.pairs.count == 3 && place.noise.isEmpty && place.readouts.isEmpty)
      for pair in place.pairs {
        #expect(pair.ending == "already" && pair.change.maximum == 0 && pair.change.psnr == nil)
      }
    }
    #expect(result.transfer?.way.allSatisfy { $0.allSatisfy { $0 == nil } } == true)
  }

  /// What a pass hands over, with other numbers for one image.
  private func fed(
    _ folder: TemporaryFolder, _ options: MatchingAnalysis.Options, breaking id: String
  ) throws -> MatchingAnalysis {
    let subjects = [try smallSubject("one")]
    let (analysis, pass) = try prepared(folder, subjects, options, at: "blocks.2")
    let recorder = Recorder(analysis.wanted)
    try pass.run([recorder])
    let samples = try ImageSet(folder.path).samples
    for (number, block) in recorder.blocks.enumerated() {
      analysis.begin(block)
      for index in analysis.wanted.indices {
        let features = try #require(recorder.features[index])[number]
        // Pixels are the first of them.
        let rows = block.samples.indices.map { row in
          let own = features.sliced(0, row, row + 1)
          return index > 0 && samples[block.samples[row]].id == id ? own * Double.nan : own
        }
        try analysis.add(index, Tensor.concatenated(rows, 0))
      }
      try analysis.finish()
    }
    return analysis
  }

  @Test("an image with NaN costs its own pairs only, and they are named")
  func broken() throws {
    let folder = try imageFolder(8)
    let id = "bees/1001.png"
    let analysis = try fed(folder, options(.from("apes/1000.png", 7)), breaking: id)
    let result = try analysis.result()
    #expect(result.models[0].places[0].pairs.count == 6 && result.bank == 7)
    #expect(
      result.left == ["apes/1000.png → \(id): NaN or infinity in the embedding of '\(id)'"])
    let alone = try fed(folder, options(.one("apes/1000.png", id)), breaking: id)
    #expect { try alone.result() } throws: {
      "\($0)".contains("no pair is left") && "\($0)".contains("NaN or infinity in the embedding")
    }
  }

  @Test("an image that cannot be read is named")
  func unreadable() throws {
    let folder = try imageFolder(8, broken: [5])
    let id = "bees/1001.png"
    let (analysis, pass) = try prepared(
      folder, [try smallSubject("one")], options(.one(id, "apes/1000.png")))
    try pass.run([analysis])
    #expect { try analysis.result() } throws: { "\($0)".contains("'\(id)' could not be read") }
  }

  @Test("targets may be rows of a file, and several to a source")
  func vectors() throws {
    let folder = try imageFolder(8)
    let file = folder.url.appending(path: "../\(UUID().uuidString).safetensors").path
    defer { try? FileManager.default.removeItem(atPath: file) }
    let subject = try smallSubject("one")
    let (images, wanted, pass) = try averagedSites(folder, [subject], at: "blocks.2")
    let recorder = Recorder(wanted)
    try pass.run([recorder])
    // The embeddings of two images, as if they were those of texts.
    try Safetensors.write([("texts", recorder.all(0).sliced(0, 0, 2).contiguous())], to: file)
    var own = options(.random(4))
    own.vectors = try MatchVectors(file)
    let analysis = try MatchingAnalysis(
      wanted, of: [subject], images: images, among: wanted, options: own)
    try pass.run([analysis])
    let result = try analysis.result()
    #expect(result.images.suffix(2).map(\.className) == [nil, nil])
    #expect(result.images.last?.id.hasSuffix(", row 2") == true)
    for pair in result.models[0].places[0].pairs where pair.ending != "already" {
      #expect(pair.target >= result.images.count - 2)
      #expect(pair.after.distance < 0.05 * pair.before.distance)
    }
    #expect(result.models[0].originals.count == result.images.count)
    #expect(result.models[0].places[0].readouts.allSatisfy { $0.fooled == 0 })
    // Of another width it is refused.
    try Safetensors.write([("texts", Tensor([1.0, 2, 3], shape: [1, 3]))], to: file)
    own.vectors = try MatchVectors(file)
    #expect {
      try MatchingAnalysis(wanted, of: [subject], images: images, among: wanted, options: own)
    } throws: { "\($0)".contains("expected rows of 12 numbers") && "\($0)".contains("found 3") }
    try Safetensors.write([("texts", Tensor([1.0, .nan], shape: [2]))], to: file)
    #expect { try MatchVectors(file) } throws: { "\($0)".contains("NaN or infinity") }

    var several = options(.random(2))
    several.recipe = .salman2024Several
    (several.recipe.steps, several.recipe.rate) = (20, LinearSchedule(0.5, 0.5))
    let (many, again) = try prepared(folder, [subject], several, at: "blocks.2")
    try again.run([many])
    let pulled = try many.result()
    for pair in pulled.models[0].places[0].pairs {
      let others = try #require(pair.others)
      #expect(others.count == 2 && !others.contains(pair.source) && !others.contains(pair.target))
      #expect((pair.trace.last?.loss ?? 1) < pair.trace[0].loss)
    }
    #expect(pulled.switches.contains { $0.name == "targets" })
  }

  @Test("a model without an embedding is looked at where it ends")
  func lastPlace() throws {
    let subject = try Subject(
      name: "flat", family: "CNN", model: Blockless(),
      preprocessing: .letterbox(16, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]),
      fingerprint: "flat")
    let wanted = try subject.representations()
    #expect(subject.embedding == nil && wanted.count >= 2)
    let chosen = try MatchingAnalysis.places(wanted, of: [subject], among: [], sites: 1)
    #expect(chosen.places.map(\.site.name) == ["last"])
  }
}

/// Two maps that are no blocks.
private struct Blockless: Model {
  func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    let x = tap(
      "first", tap("input", images, as: .map).averagePooled(window: 2, stride: 2), as: .map)
    return tap("last", x.squared(), as: .map)
  }
}
