import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxReport

@Suite("The section on attention")
struct AttentionSectionTests {
  private func page(_ result: AttentionResult) throws -> String {
    let made = try MadeUpRun([3, 3])
    try made.run.write(result, analysis: "attention")
    return try Report.html(of: made.run, javaScript: "")
  }

  @Test(
    "it says whose question it is, what was chosen, what was measured on what, and what was left out"
  )
  func contents() throws {
    let page = try page(MadeUpAttention(layers: [12, 6]).result)
    for text in [
      "id=\"attention\"", "Raghu et al. (2021)", "2 switches, 1 of them reconstruction",
      "data-figure=\"attention-sorted\"", "data-figure=\"attention-depth\"",
      "data-figure=\"attention-subsets\"",
      "is not renormalised", "1\u{202F}000 images, float32", "Every layer in numbers",
      "rollout, class token", "most local head", "Abnar and Zuidema", "1 more image",
      "data:image/png;base64,", "the model has no attention",
      "model-0: the first layer has local heads.",
    ] {
      let isThere = page.contains(text)
      #expect(isThere, "\(text) is missing")
    }
  }

  @Test(
    "every number of models and layers can be drawn",
    arguments: [[1], [2, 3], [12, 24, 6, 4, 12, 1, 2, 3, 5]])
  func sizes(layers: [Int]) throws {
    var made = MadeUpAttention(layers: layers)
    (made.heads, made.hasEntropy, made.hasIntervals, made.hasMaps) = (1, false, false, false)
    let page = try page(made.result)
    #expect(page.contains("data-figure=\"attention-depth\""))
    #expect(!page.contains("Attention over images"))
  }

  @Test("a result whose parts do not fit together is a damaged file, said in a sentence")
  func damaged() throws {
    func refused(_ change: (inout AttentionResult) -> Void) throws -> String {
      var result = MadeUpAttention(layers: [4, 4]).result
      change(&result)
      let error = #expect(throws: ResultsError.self) { try page(result) }
      return error?.description ?? ""
    }
    #expect(try refused { $0.models = [] }.contains("attention.json: it names no model"))
    #expect(try refused { $0.models[1].layers = [] }.contains("model 1 has no layers"))
    #expect(
      try refused { $0.models[0].layers[2].heads = [] }
        .contains("layer 2 of model 0 has no heads"))
    #expect(
      try refused { $0.models[0].layers[2].rows = 0 }.contains("has 0×14 positions in 1 windows"))
    #expect(
      try refused { $0.subsets[0].model = 2 }.contains("subsets of heads are of model 2, of 2"))
    #expect(
      try refused { $0.subsets[0].points[1].values = [] }.contains("a subset of heads has not 2"))
    #expect(try refused { $0.maps[0].model = 2 }.contains("a map is of model 2, of 2"))
    #expect(try refused { $0.maps[3].layer = 4 }.contains("a map is of layer 4 of model 0"))
    #expect(try refused { $0.maps[3].head = 6 }.contains("or of a head"))
  }

  @Test("what comes from the run is escaped, and heads without a value do not stop the page")
  func hostile() throws {
    var result = MadeUpAttention(layers: [4]).result
    result.models[0].name = "<script>alert(1)</script>\u{2028}"
    result.maps[0].image = "\"><img src=x>"
    result.models[0].layers[1].heads[0].distance = AttentionResult.Estimate(nil)
    let page = try page(result)
    #expect(!page.contains("<script>alert(1)") && !page.contains("\"><img src=x>"))
  }
}
