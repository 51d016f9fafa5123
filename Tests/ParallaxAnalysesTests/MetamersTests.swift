import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

/// Means of squares, then a block that keeps only their difference from the picture's mean.
private struct Averaging: Model {
  let window: Int

  func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    let x = tap.block("layers.0", tap("input", images, as: .map))
    return tap.block("layers.1", x.averagePooled(window: window, stride: window))
  }
}

@Suite("Metamers")
struct MetamersTests {
  private func subject(_ name: String, _ window: Int, side: Int) throws -> Subject {
    try Subject(
      name: name, family: "CNN", model: Averaging(window: window),
      preprocessing: .letterbox(side, mean: [0.5, 0.4, 0.3], std: [0.25, 0.2, 0.3]),
      fingerprint: "\(name) \(window)")
  }

  private func options(_ steps: Int) -> MetamersAnalysis.Options {
    var options = MetamersAnalysis.Options()
    (options.steps, options.variation, options.others) = (steps, 0.001, 4)
    return options
  }

  private func made(
    _ folder: TemporaryFolder, _ subjects: [Subject], _ options: MetamersAnalysis.Options
  ) throws -> (MetamersAnalysis, Pass) {
    let images = try ImageSet(folder.path)
    var pass = Pass(subjects: subjects, images: images)
    (pass.blockSize, pass.order) = (4, .shuffled)
    return (
      try MetamersAnalysis(
        try subjects.flatMap { try $0.representations() }, of: subjects, images: images,
        options: options), pass
    )
  }

  @Test("what a coarse model takes for an image a finer one does not; the reverse holds")
  func maps() throws {
    let folder = try imageFolder(5)
    // The second model's input is half as large: its pictures are resized.
    let subjects = [
      try subject("fine", 2, side: 16), try subject("coarse", 8, side: 16),
      try subject("small", 2, side: 8),
    ]
    let (analysis, pass) = try made(folder, subjects, options(250))
    try pass.run([analysis])
    let result = try analysis.result()
    #expect(
      result.models.map { $0.layers.map(\.site) }
        == Array(repeating: ["layers.0", "layers.1"], count: 3))
    #expect(result.matches.count == 6 && result.others == 4)
    func ratio(_ match: Int, _ model: Int, _ layer: Int) throws -> Double {
      try #require(result.ratio(result.matches[match], model, layer, .different))
    }
    // Matched where it was matched.
    for (place, match) in result.matches.enumerated() {
      #expect(try ratio(place, match.model, place % 2) < 0.1)
      #expect(match.metamers.allSatisfy { $0.embedding < $0.reference })
    }
    // Fine's second layer determines coarse's second, and not the reverse.
    #expect(try ratio(1, 1, 1) < 0.1)
    #expect(try ratio(3, 0, 1) > 0.4)
    #expect(try ratio(3, 0, 0) > 0.4)
    // What a larger picture looks like when resized is seen by the smaller model too.
    #expect(try ratio(0, 2, 0) < 0.1)
    #expect(result.findings.count == 2)
    #expect(result.switches.contains { $0.value.contains("resized to the other's") })
    #expect(
      try JSONDecoder().decode(MetamersResult.self, from: JSONEncoder().encode(result)) == result)
  }

  @Test("distances and references are those computed by hand")
  func byHand() throws {
    let folder = try imageFolder(4)
    let subjects = [try subject("fine", 2, side: 16), try subject("coarse", 8, side: 16)]
    let (analysis, pass) = try made(folder, subjects, options(5))
    try pass.run([analysis])
    let computed = try analysis.computed()
    let result = computed.result
    let originals = analysis.images(0)
    func seen(_ pixels: Tensor, _ window: Int) -> Tensor {
      let input = subjects[0].preprocessing.input(of: pixels)
      return (window > 1 ? input.averagePooled(window: window, stride: window) : input)
        .reshaped(pixels.shape[0], -1)
    }
    // All pairs of the two matched images with the others, each once.
    let all = seen(originals, 8).to(.float64)
    var distances: [Double] = []
    for b in 0..<4 {
      for a in 0..<min(b, 2) {
        distances.append(
          (all.selected(0, a) - all.selected(0, b)).norm(over: [0]).item(Double.self))
      }
    }
    let mean = distances.reduce(0, +) / Double(distances.count)
    #expect(abs(result.models[1].layers[1].different / mean - 1) < 1e-6)
    let key = analysis.batches(4)[1].key
    let picture = try #require(analysis.matched[key]).pictures.sliced(0, 1, 2)
    let gap = seen(picture, 8).to(.float64) - seen(originals.sliced(0, 1, 2), 8).to(.float64)
    let found = result.matches[1].metamers[1].distances[1][1]
    #expect(abs(found / gap.norm(over: [1]).scalars(Double.self)[0] - 1) < 1e-6)
    let agreement = try #require(
      EmbeddingAgreement(.init(seen(picture, 8)), of: .init(seen(originals.sliced(0, 1, 2), 8))))
    let own = result.matches[1].metamers[1].agreements[1][1]
    #expect(own.pearson == agreement.pearson && own.spearman == agreement.spearman)
    #expect(own.decibels == agreement.decibels && own.decibels != nil)
    // (0, 1), (0, 2), (1, 2), (0, 3), (1, 3).
    #expect(result.models[1].layers.allSatisfy { $0.chance.count == 5 })
    let pair = try #require(
      EmbeddingAgreement(
        .init(seen(originals.sliced(0, 3, 4), 8)), of: .init(seen(originals.sliced(0, 0, 1), 8))))
    #expect(result.models[1].layers[1].chance[3].spearman == pair.spearman)
    #expect(result.matches[1].metamers[1].isSameClass == [nil, nil])
  }

  @Test("a run that was stopped goes on; one image is too few")
  func resumes() throws {
    let (folder, states) = (try imageFolder(6), try TemporaryFolder())
    let subjects = [try smallSubject("a")]
    func go(_ interrupter: Interrupter?) throws -> MetamersAnalysis {
      let (analysis, made) = try made(folder, subjects, options(8))
      var pass = made
      pass.stateFolder = states.url.appending(path: "states")
      if let interrupter { analysis.isInterrupted = { interrupter.isInterrupted() } }
      try pass.run([analysis]) { _ in _ = try analysis.result() }
      return analysis
    }
    let whole = try go(nil).result()
    #expect(throws: AnalysisError.interrupted) { try go(Interrupter(after: 11)) }
    #expect(states.names("states").count == 1)
    #expect(try go(Interrupter(after: 3 * 8 - 11)).result() == whole)
    let one = try imageFolder(1)
    #expect(throws: AnalysisError.self) { try made(one, subjects, options(1)) }
  }
}
