import Foundation
import Parallax
import Testing

@Suite("Findings")
struct FindingTests {
  /// The findings, with eight groups whose results lie `spread` above and below in every cell, and one draw of
  /// shuffled pairs that is `level` everywhere.
  private func findings(
    _ result: SimilarityResult, spread: Double = 0.01, level: Double? = 0.04
  ) -> [Finding] {
    var draw = result
    for index in draw.matrices.indices {
      draw.matrices[index].values = draw.matrices[index].values.map { $0.map { _ in level } }
    }
    return result.conclusions(
      leavingOut: (0..<8).map { MadeUpRun.shifted(result, $0 % 2 == 0 ? spread : -spread) },
      shuffled: level == nil ? [] : [draw])
  }

  private func finding(
    _ result: SimilarityResult, _ words: String, spread: Double = 0.01, level: Double? = 0.04
  ) -> Finding? {
    findings(result, spread: spread, level: level).first { $0.sentence.contains(words) }
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

  @Test("the interval is Student's t times the jackknife's error, here of eight groups at ± 0.02")
  func interval() throws {
    let result = MadeUpRun.similarity([4, 4])
    let found = try #require(finding(result, "shuffled pairs", spread: 0.02))
    let value = try #require(result.alongPath(0, 1)) - 0.04
    let margin = 2.365 * (7.0 / 8 * 8 * 0.02 * 0.02).squareRoot()
    #expect(abs((found.value ?? 0) - value) < 1e-12)
    #expect(abs((found.low ?? 0) - (value - margin)) < 1e-12)
    #expect(abs((found.high ?? 0) - (value + margin)) < 1e-12)
  }

  @Test("Student's quantiles", arguments: [(1, 12.706), (8, 2.306), (30, 2.042), (31, 1.96)])
  func quantiles(degrees: Int, quantile: Double) {
    #expect(StudentT.quantile975(degrees: degrees) == quantile)
  }

  @Test("Student's quantiles leave 2.5 % of the density's integral above them", arguments: 1...40)
  func student(degrees: Int) {
    // With t = √ν·tan θ the density is proportional to cos θ to the power ν − 1.
    func integral(_ from: Double, _ to: Double) -> Double {
      let steps = 20_000
      let width = (to - from) / Double(steps)
      return (0..<steps).reduce(0) {
        $0 + pow(cos(from + (Double($1) + 0.5) * width), Double(degrees - 1)) * width
      }
    }
    let angle = atan(StudentT.quantile975(degrees: degrees) / Double(degrees).squareRoot())
    let above = integral(angle, .pi / 2) / integral(-.pi / 2, .pi / 2)
    // The normal distribution's quantile stands in for more than 30 degrees.
    #expect(degrees > 30 ? abs(above - 0.025) < 0.005 : abs(above - 0.025) < 5e-5)
  }

  @Test("errors that two sides share fall out of their difference")
  func shared() throws {
    let found = try #require(
      finding(MadeUpRun.similarity([4, 4, 4]), "most alike", spread: 0.3))
    #expect(abs((found.high ?? 1) - (found.low ?? 0)) < 1e-12)
  }

  @Test(
    "what exceeds chance beyond its interval is shown, what lies below is not, the rest is open")
  func chance() throws {
    let result = MadeUpRun.similarity([4, 4])
    #expect(finding(result, "shuffled pairs")?.verdict == .shows)
    #expect(finding(result, "shuffled pairs", level: 0.99)?.verdict == .doesNotShow)
    let level = try #require(result.alongPath(0, 1))
    #expect(finding(result, "shuffled pairs", level: level - 0.001)?.verdict == .cannotTell)
    #expect(finding(result, "shuffled pairs", level: nil) == nil)
  }

  @Test("a pair without a value leaves open what was asked of every pair")
  func missingPair() {
    var result = MadeUpRun.similarity([3, 3, 3])
    #expect(finding(result, "shuffled pairs")?.verdict == .shows)
    let index = result.matrices.firstIndex { $0.a == 0 && $0.b == 2 } ?? 0
    result.matrices[index].values = result.matrices[index].values.map { $0.map { _ in nil } }
    #expect(finding(result, "shuffled pairs")?.verdict == .cannotTell)
  }

  @Test("without groups nothing is decided, but the numbers stand", arguments: [0, 1])
  func noGroups(count: Int) {
    let result = MadeUpRun.similarity([4, 4])
    let found = result.conclusions(leavingOut: Array(repeating: result, count: count))
    #expect(found.count > 3)
    for finding in found {
      #expect(finding.verdict == .cannotTell)
      #expect(finding.value != nil)
      #expect(finding.low == nil && finding.high == nil)
    }
  }

  @Test("equal depths match: the strongest partner lies nearer than one at random")
  func order() throws {
    // Two sites at depths 0 and 1, each the other model's likeness: random partners lie 1/2 away, these 0.
    let near = try #require(finding(MadeUpRun.similarity([2, 2]), "strongest partner"))
    #expect(abs((near.value ?? 0) - 0.5) < 1e-12)
    #expect(near.verdict == .shows)
    // Everything the wrong way round.
    var crossed = MadeUpRun.similarity([2, 2])
    crossed.matrices[1].values = [[0.1, 0.9], [0.9, 0.1]]
    let far = try #require(finding(crossed, "strongest partner"))
    #expect(abs((far.value ?? 0) + 0.5) < 1e-12)
    #expect(far.verdict == .doesNotShow)
  }

  @Test("differences of means, by hand")
  func byHand() throws {
    var result = MadeUpRun.similarity([2, 2, 2])
    func set(_ a: Int, _ b: Int, _ values: [[Double?]]) {
      for index in result.matrices.indices
      where result.matrices[index].a == a && result.matrices[index].b == b {
        result.matrices[index].values = values
      }
    }
    set(0, 1, [[0.9, 0], [0, 0.7]])
    set(0, 2, [[0.5, 0], [0, 0.6]])
    set(1, 2, [[0.4, 0], [0, 0.1]])
    set(0, 0, [[1, 0.9], [0.9, 1]])
    set(2, 2, [[1, 0.7], [0.7, 1]])
    set(1, 1, [[1, 0.2], [0.2, 1]])
    let close = try #require(finding(result, "most alike"))
    #expect(close.sentence.hasPrefix("model-0 and model-1"))
    #expect(abs((close.value ?? 0) - (0.8 - 0.55)) < 1e-12)
    let parting = try #require(finding(result, "last third"))
    #expect(abs((parting.value ?? 0) - (0.2 - 0.1 + 0.3) / 3) < 1e-12)
    // Even models are transformers.
    let uniform = try #require(finding(result, "(ViT)"))
    #expect(uniform.sentence.contains("model-0 and model-2 (ViT)"))
    #expect(abs((uniform.value ?? 0) - (0.8 - 0.2)) < 1e-12)
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
    // The smallest and the next, moved against each other where a group is left out.
    let parts = (0..<8).map { group in
      var part = result
      let gap = group % 2 == 0 ? 0.05 : -0.05
      part.matrices[0].values[1][2] = part.matrices[0].values[1][2].map { $0 + gap }
      return part
    }
    func found(_ result: SimilarityResult) -> Finding? {
      result.conclusions(leavingOut: parts).first { $0.sentence.contains("greatest change") }
    }
    #expect(found(result)?.verdict == .cannotTell)
    result.matrices[0].values[1][2] = -0.5
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
