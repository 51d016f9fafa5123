import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxReport

@Suite("Section on structure")
struct StructureSectionTests {
  private func result(
    _ counts: [Int], name: @escaping (Int) -> String = { "model-\($0)" }
  ) -> StructureResult {
    let similarity = MadeUpRun.similarity(counts, name: name)
    let some = IntervalEstimate(0.5, low: 0.4, high: 0.6)
    return StructureResult(
      similarity: similarity, layers: "full", passes: 1,
      models: counts.enumerated().map { index, count in
        StructureResult.Model(
          design: index % 2 == 0 ? "transformer" : "convolutional",
          kinds: Array(repeating: .block, count: count), units: Array(0..<count), uniformity: some,
          lowToHigh: some, grid: some, cut: some, cutAt: count / 2,
          edges: (1..<max(1, count)).map { $0 < 3 ? nil : 0.01 * Double($0) },
          stageEdges: index % 2 == 0 ? IntervalEstimate(nil) : some)
      },
      correspondences: counts.indices.flatMap { a in
        counts.indices.filter { $0 != a }.map { b in
          StructureResult.Correspondence(
            a: a, b: b, monotonicity: some, partnerDepths: [some, some, some],
            strengths: [some, some, some], half: some)
        }
      },
      switches: [Switch("features", "every number of an activation", origin: "paper")],
      findings: [])
  }

  private func page(_ result: StructureResult) throws -> String {
    let made = try MadeUpRun(result.similarity.models.map(\.sites.count))
    try made.run.write(result, analysis: "structure")
    return try Report.html(of: made.run, javaScript: "")
  }

  @Test("stands beside the section on similarity, with data of its own")
  func beside() throws {
    let page = try page(result([12, 20]))
    #expect(page.contains("id=\"structure\"") && page.contains("id=\"similarity\""))
    #expect(page.contains("structure-map-0-1") && page.contains("structure-partners"))
    #expect(page.contains("Correspondences in numbers: 2 ordered pairs"))
    #expect(page.contains("the paper"))
  }

  @Test("of many findings those on claims stand with the claims alone")
  func claimed() throws {
    var result = result([8, 8])
    func findings(_ count: Int) -> [Finding] {
      (0..<count).map { index in
        Finding(
          sentence: "Sentence number \(index)", value: 0.1, low: nil, high: nil, quantity: "CKA",
          verdict: .cannotTell, analysis: "structure"
        ).bearing(on: .uniform)
      }
    }
    result.findings = findings(13)
    let many = try page(result)
    let line = many.contains("13 findings on what a paper claims")
    #expect(line)
    #expect(many.components(separatedBy: "Sentence number 5.").count == 2)
    result.findings = findings(2)
    let few = try page(result)
    #expect(few.components(separatedBy: "Sentence number 1.").count == 3)
  }

  @Test("one model has partners within itself and no correspondences")
  func alone() throws {
    let page = try page(result([12]))
    #expect(page.contains("The strongest partner of each sub-layer"))
    #expect(!page.contains("Correspondences in numbers"))
  }

  @Test("names that would end a script are names")
  func hostile() throws {
    let page = try page(result([8, 8], name: { "\(MadeUpRun.hostile)\($0)" }))
    #expect(!page.contains("<script>alert"))
  }

  @Test("parts that do not fit together are a damaged file")
  func damaged() throws {
    func refused(_ change: (inout StructureResult) -> Void) throws {
      var result = result([8, 9])
      change(&result)
      #expect(throws: ResultsError.self) { try page(result) }
    }
    try refused { $0.models.removeLast() }
    try refused { $0.models[0].edges.removeLast() }
    try refused { $0.models[1].kinds.removeLast() }
    try refused { $0.correspondences[0].b = 7 }
    try refused { $0.correspondences[0].strengths.removeLast() }
    try refused { $0.similarity.matrices.removeLast() }
  }
}
