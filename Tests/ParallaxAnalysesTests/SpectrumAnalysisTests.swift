import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxModels

/// A block that keeps its input, one that averages squares of 4 × 4 pixels, one that multiplies channels with 10, 1 and 0.
private struct Graded: Model {
  func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    let x = tap.block("layers.0", tap("input", images, as: .map))
    let gains = Tensor([10, 1, 0] as [Float], shape: [1, 3, 1, 1])
    let y = tap.block("layers.1", x * gains)
    return tap.block("layers.2", y.averagePooled(window: 4, stride: 4))
  }
}

@Suite("The analysis of spectra")
struct SpectrumAnalysisTests {
  private func prepared(
    _ folder: TemporaryFolder, _ subjects: [Subject], _ options: SpectrumAnalysis.Options,
    at text: String? = nil
  ) throws -> (SpectrumAnalysis, Pass) {
    let images = try ImageSet(folder.path)
    var pass = Pass(subjects: subjects, images: images)
    (pass.blockSize, pass.order) = (4, .shuffled)
    let pattern = try text.map { try SitePattern(parsing: $0) }
    let wanted = try subjects.flatMap { try $0.representations(at: pattern) }
    let analysis = try SpectrumAnalysis(
      wanted, of: subjects, images: images, among: text == nil ? [] : wanted, options: options)
    return (analysis, pass)
  }

  private func graded() throws -> Subject {
    try Subject(
      name: "graded", family: "CNN", model: Graded(),
      preprocessing: .letterbox(16, mean: [0.5, 0.4, 0.3], std: [0.25, 0.25, 0.25]),
      fingerprint: "graded")
  }

  @Test("a known network has its known spectra, in units of pixels from 0 to 1")
  func known() throws {
    let folder = try imageFolder(5)
    var options = SpectrumAnalysis.Options()
    options.images = 2
    let (analysis, pass) = try prepared(folder, [try graded()], options, at: "layers.*")
    try pass.run([analysis])
    let result = try analysis.result()
    let model = result.models[0]
    #expect(model.layers.map(\.features) == [768, 768, 48] && model.inputs == 768)
    #expect(model.layers.map { model.isTooSmall($0) } == [false, false, true])
    // 1/std = 4; a channel each.
    let (keeps, grades, pools) = (model.layers[0], model.layers[1], model.layers[2])
    for one in keeps.pictures {
      #expect(one.isComplete && one.values.count == 768 && one.method == "decomposition")
      #expect(one.values.allSatisfy { abs($0 - 4) < 1e-5 })
      #expect(one.rank == .init(768, 768) && abs(one.effectiveRank.low - 768) < 1e-6)
      #expect(model.nullity(one) == .init(0, 0))
      let condition = try #require(one.condition)
      #expect(abs(condition - 1) < 1e-5)
    }
    for one in grades.pictures {
      #expect(one.rank == .init(512, 512) && model.nullity(one) == .init(256, 256))
      let condition = try #require(one.condition)
      #expect(abs(condition - 10) < 1e-4)
      let (p, q) = (10.0 / 11 / 256, 1.0 / 11 / 256)
      let entropy = -256 * (p * log(p) + q * log(q))
      #expect(abs(one.effectiveRank.low - exp(entropy)) < 1e-2)
      #expect(abs(one.squaredNorm - 256 * (1600 + 16)) < 1)
    }
    #expect(pools.pictures.allSatisfy { $0.rank == .init(32, 32) })
    #expect(pools.pictures.allSatisfy { abs($0.values[0] - 40 / 4) < 1e-5 })
    #expect(result.compared == 32 && result.images.count == 2)
    let conditioning = try #require(result.findings.first { $0.sentence.contains("grows") })
    let growth = try #require(conditioning.value)
    #expect(conditioning.verdict == .shows && abs(growth - 1) < 1e-4)
    #expect(result.findings[0].value.map { abs($0 - 1.0 / 3) < 1e-12 } == true)
    #expect(result.switches.allSatisfy { !$0.value.isEmpty })
    #expect(result.tidyRows().contains { $0.measure == "rank" && $0.value == 512 && $0.low == 512 })
    let again = try JSONDecoder().decode(SpectrumResult.self, from: JSONEncoder().encode(result))
    #expect(again == result)
  }

  @Test("by products alone the leading values and bounds agree with the whole")
  func leading() throws {
    let folder = try imageFolder(4)
    var options = SpectrumAnalysis.Options()
    (options.whole, options.count) = (0, 12)
    let subject = try smallSubject("small")
    let (analysis, pass) = try prepared(folder, [subject], options)
    try pass.run([analysis])
    let partly = try analysis.result()
    options.whole = 4096
    let (other, second) = try prepared(folder, [subject], options)
    try second.run([other])
    let whole = try other.result()
    #expect(partly.models[0].layers.count == whole.models[0].layers.count)
    for (a, b) in zip(partly.models[0].layers, whole.models[0].layers) {
      let (one, exact) = (a.pictures[0], b.pictures[0])
      #expect(one.method == "bidiagonalisation" && exact.isComplete)
      let first = exact.values[0]
      for (found, value) in zip(one.values, exact.values) {
        // Each is at most the value of its place, and near some value.
        #expect(found < value + 1e-5 * first, "\(a.site)")
        #expect(found > 0.9 * value, "\(a.site)")
        let nearest = exact.values.map { abs($0 - found) }.min() ?? .infinity
        #expect(nearest < 1e-2 * found + 1e-5 * first, "\(a.site)")
      }
      #expect(one.rank.low <= exact.rank.low && one.rank.high >= 0.9 * exact.rank.low)
      #expect(one.effectiveRank.low <= exact.effectiveRank.low * 1.01)
      #expect(one.effectiveRank.high >= exact.effectiveRank.low * 0.9)
      #expect(
        abs(one.squaredNorm / exact.squaredNorm - 1)
          < 0.02 + 5 * one.squaredNormError / exact.squaredNorm)
    }
  }

  @Test("a run that was stopped goes on with the next layer, to the same result")
  func resumes() throws {
    let folder = try imageFolder(4)
    let subject = try smallSubject("small")
    var options = SpectrumAnalysis.Options()
    (options.whole, options.count) = (0, 6)
    let (analysis, pass) = try prepared(folder, [subject], options)
    try pass.run([analysis])
    let expected = try analysis.result()
    let (stopped, again) = try prepared(folder, [subject], options)
    try again.run([stopped])
    let interrupter = Interrupter(after: 60)
    stopped.isInterrupted = interrupter.isInterrupted
    #expect(throws: AnalysisError.interrupted) { try stopped.result() }
    let kept = stopped.state()
    #expect(kept.contains { $0.name.hasPrefix("found.") })
    let (resumed, _) = try prepared(folder, [subject], options)
    #expect(resumed.fingerprint == stopped.fingerprint)
    #expect(resumed.restore(Dictionary(uniqueKeysWithValues: kept.map { ($0.name, $0.tensor) })))
    #expect(try resumed.result() == expected)
    options.count = 7
    let (different, _) = try prepared(folder, [subject], options)
    #expect(different.fingerprint != stopped.fingerprint)
  }

  @Test("what hides the pixels is refused by name")
  func refusals() throws {
    let folder = try imageFolder(4)
    let (analysis, pass) = try prepared(folder, [try graded()], .init(), at: "input")
    try pass.run([analysis])
    #expect(try analysis.result().models[0].layers[0].pictures[0].rank.low == 768)
    #expect(throws: AnalysisError.self) {
      try SpectrumAnalysis([], of: [try graded()], images: try ImageSet(folder.path))
    }
  }
}
