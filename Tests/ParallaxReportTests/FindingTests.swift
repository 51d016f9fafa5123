import Foundation
import Parallax
import Testing

@Suite("Findings")
struct FindingTests {
  private func finding(_ result: SimilarityResult, _ words: String) -> Finding? {
    result.findings().first { $0.sentence.contains(words) }
  }

  @Test("averages are means of the defined cells, with the mean of their errors")
  func averages() throws {
    var result = MadeUpRun.similarity([2, 2])
    result.matrices[1].values = [[0.5, nil], [0.25, 0.75]]
    result.matrices[1].errors = [[0.1, nil], [0.2, 0.3]]
    let all = try #require(result.average(result.matrices[1]) { _, _ in true })
    #expect(abs(all.value - 0.5) < 1e-12)
    #expect(abs((all.error ?? 0) - 0.2) < 1e-12)
    #expect(abs((all.low ?? 0) - (0.5 - 0.392)) < 1e-12)
    #expect(result.average(result.matrices[1]) { $0 == 0 && $1 == 1 } == nil)
    // The path runs over the diagonal: (0.5 + 0.75) / 2.
    let path = try #require(result.alongPath(0, 1))
    #expect(abs(path.value - 0.625) < 1e-12)
  }

  @Test(
    "what exceeds chance beyond its interval is shown, what lies below is not, the rest is open")
  func chance() throws {
    var result = MadeUpRun.similarity([4, 4])
    #expect(finding(result, "shuffled pairs")?.verdict == .shows)
    result.matrices[1].shuffled?.quantile95 = 0.99
    #expect(finding(result, "shuffled pairs")?.verdict == .doesNotShow)
    let level = try #require(result.alongPath(0, 1)).value
    result.matrices[1].shuffled?.quantile95 = level - 0.001
    #expect(finding(result, "shuffled pairs")?.verdict == .cannotTell)
    result.matrices[1].shuffled = nil
    #expect(finding(result, "shuffled pairs") == nil)
  }

  @Test("without errors nothing is decided, but the numbers stand")
  func noErrors() {
    let result = MadeUpRun.similarity([4, 4], error: nil)
    for finding in result.findings() where !finding.sentence.contains("strongest partner") {
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
    #expect(finding(result, "greatest change")?.verdict == .cannotTell)
    result.matrices[0].values[1][2] = 0.1
    let found = try #require(finding(result, "greatest change"))
    #expect(found.sentence.contains("blocks.1 to blocks.2"))
    #expect(found.verdict == .shows)
  }

  @Test(
    "there are never more than six, and every one names its analysis",
    arguments: [[3], [3, 4], [5, 6, 7, 8]])
  func count(sites: [Int]) {
    let found = MadeUpRun.similarity(sites).findings()
    #expect((1...6).contains(found.count))
    #expect(found.allSatisfy { $0.analysis == "similarity" && !$0.quantity.isEmpty })
  }
}
