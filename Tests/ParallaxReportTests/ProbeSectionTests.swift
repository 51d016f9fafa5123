import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxReport

@Suite("The section on probes")
struct ProbeSectionTests {
  private func page(_ result: ProbeResult) throws -> String {
    let made = try MadeUpRun([3, 3])
    try made.run.write(result, analysis: "probe")
    return try Report.html(of: made.run, javaScript: "")
  }

  @Test(
    "it says whose question it is, what was chosen, what was measured on what, and what was left out"
  )
  func contents() throws {
    let page = try page(MadeUpProbe(layers: [12, 6]).result)
    for text in [
      "id=\"probe\"", "Raghu et al. (2021)", "2 switches, 1 of them reconstruction",
      "data-figure=\"probe-accuracy\"", "data-figure=\"probe-views\"",
      "data-figure=\"probe-maps\"", "data-figure=\"probe-single\"",
      "data-figure=\"probe-others\"", "4 classes, 200 test images, 3 draws of the shots, float32",
      "chance, 25.0 %", "Every layer in numbers", "averaged to the size of the last map",
      "NaN or infinity in the activations of a.png",
      "model-0: classes are read best from the last layer.", "register 1", "log₂ λ",
    ] {
      let isThere = page.contains(text)
      #expect(isThere, "\(text) is missing")
    }
  }

  @Test(
    "every number of models, layers and shots can be drawn",
    arguments: [[1], [2, 3], [12, 24, 6, 4, 12, 1, 2, 3, 5]])
  func sizes(layers: [Int]) throws {
    var made = MadeUpProbe(layers: layers, shots: [1])
    (made.hasIntervals, made.hasMaps, made.hasMore) = (false, false, false)
    let bare = try page(made.result)
    #expect(bare.contains("data-figure=\"probe-accuracy\""))
    #expect(!bare.contains("probe-maps") && !bare.contains("probe-views"))
    #expect(bare.contains("draws of the shots alone"))
    let full = try page(MadeUpProbe(layers: layers, shots: [1, 5, 10, 25]).result)
    #expect(full.contains("data-figure=\"probe-maps\""))
    // A site without a value leaves a gap.
    var gaps = MadeUpProbe(layers: layers).result
    for index in gaps.models.indices { gaps.models[index].views[0].sites[0].scores = [] }
    #expect(try page(gaps).contains("data-figure=\"probe-accuracy\""))
  }

  @Test("a result whose parts do not fit together is a damaged file, said in a sentence")
  func damaged() throws {
    func refused(_ change: (inout ProbeResult) -> Void) throws -> String {
      var result = MadeUpProbe(layers: [4, 4]).result
      change(&result)
      let error = #expect(throws: ResultsError.self) { try page(result) }
      return error?.description ?? ""
    }
    #expect(try refused { $0.models = [] }.contains("probe.json: it names no model"))
    #expect(try refused { $0.shots = [] }.contains("it names no number of shots"))
    #expect(try refused { $0.classes = [] }.contains("it names 0 classes"))
    #expect(try refused { $0.models[1].views = [] }.contains("model 1 has no sites"))
    #expect(
      try refused { $0.models[0].views[1].sites[2].scores.removeLast() }
        .contains("a site of model 0 has 2 scores for 3 numbers of shots"))
    #expect(
      try refused { $0.models[0].views[0].sites[2].scores[0].byPenalty = [1] }
        .contains("a site of model 0 has not 3 penalties"))
    #expect(
      try refused { $0.models[0].views[0].sites[2].depth = 2 }
        .contains("a site of model 0 lies at relative depth 2"))
    #expect(
      try refused { $0.models[1].maps[0].values = [] }
        .contains("a map of model 1 has 0 values for 3×4 tokens"))
    #expect(
      try refused { $0.models[1].maps[0].depth = -1 }
        .contains("a map of model 1 lies at relative depth -1"))
  }

  @Test("what comes from the run is escaped")
  func hostile() throws {
    var result = MadeUpProbe(layers: [4, 3]).result
    result.models[0].name = "<script>alert(1)</script>\u{2028}"
    result.models[0].maps[0].others[0].name = "</script><img src=x>\u{2028}"
    result.models[0].views[0].sites[0].name = "\"><img src=x>"
    result.split = "<img src=x>"
    let page = try page(result)
    #expect(!page.contains("<script>alert(1)") && !page.contains("<img src=x>"))
  }

  @Test("every number is a row of the table")
  func rows() {
    let result = MadeUpProbe(layers: [4, 3]).result
    let rows = result.tidyRows()
    // A site: for each number of shots three numbers and one a λ; two votes, weighted, logistic.
    let sites = 3 * 4 + 3
    let maps = 2 * (30 + 2 + 2) + 2 * (12 + 2)
    #expect(rows.count == sites * (3 * (3 + 3) + 4) + maps)
    #expect(Set(rows.map { "\($0.measure) \($0.a) \($0.b) \($0.estimator)" }).count == rows.count)
    #expect(rows.allSatisfy { $0.analysis == "probe" && !$0.b.contains(",") })
    #expect(rows.contains { $0.b == "λ = 2^-10" } && rows.contains { $0.b == "patch (4 5)" })
  }
}
