import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxReport

@Suite("The section on processing steps")
struct StepsSectionTests {
  private func page(_ result: StepsResult) throws -> String {
    let made = try MadeUpRun([3, 3])
    try made.run.write(result, analysis: "steps")
    return try Report.html(of: made.run, javaScript: "")
  }

  @Test("it names the paper's findings, what is reconstruction, and what was measured on what")
  func contents() throws {
    let result = MadeUpSteps(blocks: [6, 8, 6, 7]).result
    let page = try page(result)
    for text in [
      "Mahaut and Baroni (2026)", "the switches are ours where it is silent",
      "The same findings by another measure", "3 switches, 2 of them reconstruction",
      "the paper&#39;s</td>",
      "Layers at similar positions of different models are the most similar",
      "href=\"#figure-steps-positions\"", "href=\"#figure-steps-rise\"",
      "href=\"#figure-steps-statistics\"", "1\u{202F}000 images, float32, seed 7",
      "jackknife over 10 groups of images", "the floor, which is not 0",
      "19 orders of shuffled images", "model-0@input#flat", "Glielmo et al., 2022",
      "All 120 steps as a table", "Matches in numbers: 12 ordered pairs",
    ] {
      let isThere = page.contains(text)
      #expect(isThere, "\(text) is missing")
    }
    for finding in result.findings {
      let isThere = page.contains(finding.sentence + ".")
      #expect(isThere, "\(finding.sentence)")
    }
  }

  @Test(
    "every number of models and of sites has its figures",
    arguments: [[5], [12, 16], [12, 16, 12, 17], Array(repeating: 5, count: 12), [1, 150]],
    [false, true])
  func sizes(blocks: [Int], isSymmetric: Bool) throws {
    let page = try page(MadeUpSteps(blocks: blocks, isSymmetric: isSymmetric).result)
    let isOne = blocks.count == 1
    let expected = [
      ("maps", true), ("matches", !isOne), ("positions", !isOne && blocks.count < 6),
      ("evolution", !isOne), ("aggregates", blocks.count > 2), ("ranking", !isOne),
      ("smoothness", true), ("statistics", true), ("low-level", true), ("rise", true),
      ("spaces", true), ("single-statistics", true), ("probes", true),
      ("plane", !isOne && !isSymmetric), ("geometry", true),
    ]
    for (name, isDrawn) in expected {
      let isThere = page.contains("data-figure=\"steps-\(name)\"")
      #expect(isThere == isDrawn, "\(name)")
    }
  }

  @Test("what was not computed is left out, and said to be")
  func parts() throws {
    var result = MadeUpSteps(blocks: [4, 5], permutations: 3, hasIntervals: false).result
    (result.lowLevel, result.geometry, result.positions, result.aggregates) = ([], [], [], [])
    let page = try page(result)
    for text in [
      "Not tested: this run lacks what it takes", "3 orders of shuffled images are too few",
      "No intervals: no groups of images were left out",
    ] {
      let isThere = page.contains(text)
      #expect(isThere, "\(text) is missing")
    }
    let isThere = page.contains("steps-low-level")
    #expect(!isThere)
    (result.smoothness, result.evolutions, result.depths) = ([], [], [])
    _ = try self.page(result)
  }

  @Test("baselines stand beside the curves: shuffled images, untrained twins, two seeds")
  func baselines() throws {
    var result = MadeUpSteps(blocks: [6, 8, 6], hasUntrained: true).result
    result.seedPairs = [[0, 2]]
    let page = try page(result)
    for text in [
      "Above two seeds: the same minus the mean along the matches of model-0 and model-2",
      "Dotted grey: untrained twins", "Dotted in a model&#39;s colour",
      "Hollow: the untrained twins",
      "shuffled 1.00 ↑", "By information-imbalance-zero-based: value × 1.0020 − 0.0020",
      "Pictures may share a statistic (up to 640 do)", "model-0-random",
      "Every statistic as a table",
    ] {
      let isThere = page.contains(text)
      #expect(isThere, "\(text) is missing")
    }
    var plain = MadeUpSteps(blocks: [6, 8], permutations: 0).result
    plain.rescaled = nil
    let other = try self.page(plain)
    for text in ["Dotted in a model", "Hollow: the untrained", "shuffled 1", "zero-based"] {
      let isThere = other.contains(text)
      #expect(!isThere, "\(text) is there")
    }
  }

  @Test("values that are missing everywhere are drawn as missing")
  func undefined() throws {
    var result = MadeUpSteps(blocks: [4, 5]).result
    for index in result.grids.indices {
      result.grids[index].values = result.grids[index].values.map { $0.map { _ in nil } }
    }
    for index in result.evolutions.indices {
      result.evolutions[index].mean = result.depths.map { _ in StepsResult.Estimate(nil) }
      result.evolutions[index].steps = []
    }
    for index in result.lowLevel.indices {
      result.lowLevel[index].rise = StepsResult.Estimate(nil)
      result.lowLevel[index].meanScore = result.lowLevel[index].meanScore.map { _ in nil }
    }
    let hasGrey = try page(result).contains("Grey cells have no value")
    #expect(hasGrey)
  }

  @Test("no name can leave its place, whatever part of the result it stands in")
  func hostile() throws {
    var result = MadeUpSteps(blocks: [4, 5], name: { "\(MadeUpRun.hostile)\($0)" }).result
    result.quantity = MadeUpRun.hostile
    result.source = MadeUpRun.hostile
    result.switches.append(Switch(MadeUpRun.hostile, MadeUpRun.hostile))
    result.models[0].objective = MadeUpRun.hostile
    result.models[0].design = MadeUpRun.hostile
    result.lowLevel[0].spaces[0].name = MadeUpRun.hostile
    let page = try page(result)
    #expect(page.ranges(of: "<script").count == 4)
    let leaks = page.contains("<b>&\"")
    #expect(!leaks)
  }

  @Test("a result whose parts do not fit is a damaged file, not a trap", arguments: 0..<28)
  func damaged(kind: Int) throws {
    var result = MadeUpSteps(blocks: [4, 5, 4], hasUntrained: true).result
    switch kind {
    case 0: result.models = []
    case 1: result.models[0].leading = -1
    case 2: result.models[0].leading = 6
    case 3: result.grids.removeLast()
    case 4: result.grids[1].values[0].removeLast()
    case 5: result.grids[1].values.removeLast()
    case 6: result.grids[0].pValues = [[nil]]
    case 7: result.grids[0].a = 9
    case 8: result.evolutions[0].b = 3
    case 9: result.evolutions[0].mean.removeLast()
    case 10: result.aggregates[0].mean.removeLast()
    case 11: result.positions[0].matches.removeLast()
    case 12: result.positions[0].matches[0] = 7
    case 13: result.smoothness[0].changes[0].to = 6
    case 14: result.smoothness[0].model = -1
    case 15: result.lowLevel[0].spaces[1].known.removeLast()
    case 16: result.lowLevel[0].probes[0].scores = []
    case 17: result.geometry[0].curves[0].values.append(1)
    case 18: result.smoothness.append(result.smoothness[0])
    case 19:
      result.grids[1].values = result.grids[1].values.map { $0.map { _ in 1.7e308 } }
    case 20: result.lowLevel[0].rise.high = -1.7e308
    case 21: result.lowLevel[0].statistics[1].known.removeLast()
    case 22: result.lowLevel[0].statistics[1].back = []
    case 23: result.untrained?.twinOf = [0]
    case 24: result.untrained?.twinOf = [0, 3]
    case 25: result.untrained?.smoothness[0].changes[0].to = 9
    case 26: result.untrained?.lowLevel[1].spaces[0].known = []
    default: result.grids.append(result.grids[0])
    }
    let error = #expect(throws: ResultsError.self) { try page(result) }
    #expect(error?.description.contains("steps.json") == true)
  }

  @Test("four models of 150 sites stay under 8 MB, the bundle's megabyte included")
  func size() throws {
    let page = try page(MadeUpSteps(blocks: [148, 148, 148, 148]).result)
    #expect(page.utf8.count < 7_100_000)
  }

  @Test("labels keep their order and their distance, and stay where they want to be if they may")
  func labels() {
    #expect(Labels.spread([0.1, 0.5, 0.9], gap: 0.1, within: 0...1) == [0.1, 0.5, 0.9])
    let crowded = Labels.spread([0.5, 0.49, 0.51, 0.98], gap: 0.1, within: 0...1)
    let expected = [0.5, 0.4, 0.6, 0.98]
    #expect(zip(crowded, expected).allSatisfy { abs($0 - $1) < 1e-9 }, "\(crowded)")
    let low = Labels.spread([0, 0, 0], gap: 0.2, within: 0...1)
    #expect(zip(low, [0, 0.2, 0.4]).allSatisfy { abs($0 - $1) < 1e-9 }, "\(low)")
    #expect(Labels.spread([], gap: 1, within: 0...1).isEmpty)
  }

  @Test("a long heading breaks between words")
  func headings() {
    #expect(Labels.lines("jumps", room: 108) == ["jumps"])
    #expect(
      Labels.lines("coefficient of variation", room: 108) == ["coefficient", "of variation"])
    #expect(
      Labels.lines("total variation per depth", room: 90) == ["total", "variation", "per depth"])
    #expect(Labels.lines("incomprehensibilities", room: 40) == ["incomprehensibilities"])
  }
}
