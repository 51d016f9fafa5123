import Foundation
import Parallax
import Testing

@Suite("Findings")
struct FindingTests {
  /// The findings, with two groups whose results lie `spread` above and below in every cell.
  private func findings(_ result: SimilarityResult, spread: Double = 0.01) -> [Finding] {
    result.conclusions(
      leavingOut: [MadeUpRun.shifted(result, spread), MadeUpRun.shifted(result, -spread)])
  }

  private func finding(
    _ result: SimilarityResult, _ words: String, spread: Double = 0.01
  ) -> Finding? {
    findings(result, spread: spread).first { $0.sentence.contains(words) }
  }

  @Test("the mean along a path is that of its defined cells")
  func alongPath() throws {
    var result = MadeUpRun.similarity([2, 2])
    result.matrices[1].values = [[0.5, nil], [0.25, 0.75]]
    #expect(abs((result.alongPath(0, 1) ?? 0) - 0.625) < 1e-12)
    #expect(abs((result.alongPath(0, 1, depths: 0...0.3) ?? 0) - 0.5) < 1e-12)
    result.matrices[1].values = [[nil, nil], [nil, nil]]
    #expect(result.alongPath(0, 1) == nil)
  }

  @Test("the interval is ± 1.96 jackknife errors: two groups at ± 0.02 have the error 0.02")
  func interval() throws {
    let result = MadeUpRun.similarity([4, 4])
    let found = try #require(finding(result, "shuffled pairs", spread: 0.02))
    let value = try #require(result.alongPath(0, 1)) - 0.04
    #expect(abs((found.value ?? 0) - value) < 1e-12)
    #expect(abs((found.low ?? 0) - (value - 1.96 * 0.02)) < 1e-12)
    #expect(abs((found.high ?? 0) - (value + 1.96 * 0.02)) < 1e-12)
  }

  @Test("errors that two sides share fall out of their difference")
  func shared() throws {
    let result = MadeUpRun.similarity([4, 4, 4])
    let found = try #require(
      finding(result, "Neighbouring layers", spread: 0.3)
        ?? finding(result, "most alike", spread: 0.3))
    #expect(abs((found.high ?? 1) - (found.low ?? 0)) < 1e-12)
  }

  @Test(
    "what exceeds chance beyond its interval is shown, what lies below is not, the rest is open")
  func chance() throws {
    var result = MadeUpRun.similarity([4, 4])
    #expect(finding(result, "shuffled pairs")?.verdict == .shows)
    result.matrices[1].shuffled?.quantile95 = 0.99
    #expect(finding(result, "shuffled pairs")?.verdict == .doesNotShow)
    let level = try #require(result.alongPath(0, 1))
    result.matrices[1].shuffled?.quantile95 = level - 0.001
    #expect(finding(result, "shuffled pairs")?.verdict == .cannotTell)
    result.matrices[1].shuffled = nil
    #expect(finding(result, "shuffled pairs") == nil)
  }

  @Test("without groups nothing is decided, but the numbers stand", arguments: [0, 1])
  func noGroups(count: Int) {
    let result = MadeUpRun.similarity([4, 4])
    for finding in result.conclusions(leavingOut: Array(repeating: result, count: count))
    where !finding.sentence.contains("strongest partner") {
      #expect(finding.verdict == .cannotTell)
      #expect(finding.value != nil)
      #expect(finding.low == nil && finding.high == nil)
    }
  }

  @Test("equal depths match: the correlation of partners' depths is high, and its range is stated")
  func order() throws {
    let found = try #require(finding(MadeUpRun.similarity([9, 9]), "similar relative depth"))
    #expect(found.verdict == .shows)
    #expect((found.value ?? 0) > 0.9)
    #expect((found.low ?? 1) <= (found.high ?? 0))
  }

  @Test("near layers are more alike than far ones, in numbers that can be checked by hand")
  func fading() throws {
    // Three sites at depths 0, 0.5, 1: neighbours e^-1, far ones e^-2.
    let found = try #require(finding(MadeUpRun.similarity([3]), "Neighbouring layers"))
    #expect(abs((found.value ?? 0) - (exp(-1) - exp(-2))) < 1e-12)
    #expect(found.verdict == .shows)
  }

  @Test("the greatest change is named, and certain only where the next lies apart")
  func step() throws {
    var result = MadeUpRun.similarity([4])
    var parts = [result, result]
    // The smallest and the next, by so much apart with each group left out.
    for (part, gap) in [0.1, -0.1].enumerated() {
      parts[part].matrices[0].values[1][2] = parts[part].matrices[0].values[1][2].map { $0 + gap }
    }
    func found(_ result: SimilarityResult) -> Finding? {
      result.conclusions(leavingOut: parts).first { $0.sentence.contains("greatest change") }
    }
    #expect(found(result)?.verdict == .cannotTell)
    result.matrices[0].values[1][2] = 0.1
    let step = try #require(found(result))
    #expect(step.sentence.contains("blocks.1 to blocks.2"))
    #expect(step.verdict == .shows)
  }

  @Test(
    "there are never more than six, and every one names its analysis",
    arguments: [[3], [3, 4], [5, 6, 7, 8]])
  func count(sites: [Int]) {
    let found = findings(MadeUpRun.similarity(sites))
    #expect((1...6).contains(found.count))
    #expect(found.allSatisfy { $0.analysis == "similarity" && !$0.quantity.isEmpty })
  }
}
