import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

@Suite("Findings of matching")
struct MatchingFindingsTests {
  @Test("the intervals of Wilson and Newcombe")
  func intervals() throws {
    // scipy.stats.binomtest(7, 8).proportion_ci(method="wilson")
    let interval = MatchingFindings.wilson(7.0 / 8, of: 8)
    #expect(abs(interval.low - 0.5291119) < 1e-6 && abs(interval.high - 0.9775826) < 1e-6)
    let file = try Safetensors(fixtures.appending(path: "equivalence/matching.safetensors").path)
    let tables = try #require(file["paired/tables"]).scalars(Int64.self).map(Double.init)
    let wanted = try #require(file["paired/intervals"]).scalars(Double.self)
    for row in 0..<5 {
      let own = Array(tables[(4 * row)..<(4 * row + 4)])
      let n = own.reduce(0, +)
      let found = MatchingFindings.newcombe(
        both: own[0] / n, lost: own[1] / n, won: own[2] / n, of: Int(n))
      #expect(abs(found.low - wanted[2 * row]) < 1e-9, "\(row)")
      #expect(abs(found.high - wanted[2 * row + 1]) < 1e-9, "\(row)")
    }
  }

  private func pair(
    _ place: Int, before: Double, saved: Double, distance: Double = 0.01,
    ending: String = "matched"
  ) -> MatchingResult.Pair {
    MatchingResult.Pair(
      source: place, target: place + 1, before: .init(distance: 1, cosine: before),
      after: .init(distance: distance, cosine: saved),
      saved: .init(distance: distance, cosine: saved), targetNorm: 1,
      change: .init(euclidean: 1, maximum: 0.1, psnr: 40, ssim: 0.9), between: 10, steps: 1,
      ending: ending, trace: [])
  }

  private func findings(_ pairs: [MatchingResult.Pair], sites: Int = 1, noise: [Double]? = nil)
    -> [Finding]
  {
    var result = MatchingResult(
      preset: "quick", unit: "pixels", images: [], bank: 0, seed: 0, criterion: "")
    var model = MatchingResult.Model(name: "m", family: "f", design: "other", height: 1, width: 1)
    var place = MatchingResult.Place(site: "s", tokens: "flat", depth: 1, features: 2)
    place.pairs = pairs
    if let noise {
      place.noise = [0.01, 0.05, 0.1].enumerated().map { index, deviation in
        var one = MatchingResult.Noise(
          deviation: deviation, sources: nil, matched: nil, sourceShift: 1, matchedShift: 1,
          detection: 0.9)
        one.paired = index == 1 ? noise : noise.map { _ in 1 }
        return one
      }
    }
    model.places = Array(repeating: place, count: sites)
    result.models = [model]
    return MatchingFindings(result: result)()
  }

  @Test("what was alike before shows nothing; a pair counts once, at however many sites")
  func verdicts() throws {
    let alike = "Pictures that look different have the same embedding"
    func finding(_ list: [Finding], _ sentence: String) throws -> Finding {
      try #require(list.first { $0.sentence == sentence })
    }
    let before = try finding(findings((0..<12).map { pair($0, before: 0.97, saved: 0.99) }), alike)
    #expect(before.verdict == .cannotTell && before.value == nil)
    let matched = try finding(findings((0..<12).map { pair($0, before: 0.5, saved: 0.99) }), alike)
    #expect(matched.verdict == .shows && matched.value == 1)
    // Three pairs at five sites are three.
    let few = try finding(
      findings((0..<3).map { pair($0, before: 0.5, saved: 0.99) }, sites: 5), alike)
    let interval = MatchingFindings.wilson(1, of: 3)
    let low = try #require(few.low)
    #expect(abs(low - interval.low) < 1e-12 && few.verdict == .cannotTell)
    // The detector is judged at the middle deviation, not at the one that tells most.
    let noise = "Noise moves the embeddings of matched pictures further than those of their sources"
    let none = try finding(
      findings(
        (0..<12).map { pair($0, before: 0.5, saved: 0.99) }, sites: 5,
        noise: Array(repeating: 0.5, count: 12)), noise)
    #expect(none.value == 0.5 && none.verdict == .cannotTell)
    let all = try finding(
      findings(
        (0..<12).map { pair($0, before: 0.5, saved: 0.99) }, noise: Array(repeating: 1, count: 12)),
      noise)
    #expect(all.verdict == .shows && all.quantity.contains("σ = 0.05"))
  }
}
