import Parallax
import Testing

@testable import ParallaxResults

@Suite("Findings of measures")
struct MeasuresFindingsTests {
  /// Models of two sites each, and tables by a rule over sites.
  private func result(
    models: Int, permutations: Int = 99,
    _ entries: [(name: String, direction: String, invariances: String)],
    _ value: (_ entry: Int, _ a: Int, _ b: Int) -> Double?, p: Double? = 0.01, bound: Double = 0.1
  ) -> MeasuresResult {
    let sites = 2 * models
    func table(_ cell: (Int, Int) -> Double?) -> [[Double?]] {
      (0..<sites).map { a in (0..<sites).map { cell(a, $0) } }
    }
    return MeasuresResult(
      images: 100, dtype: "float32", seed: 0, groups: 4, permutations: permutations,
      models: (0..<models).map { model in
        ModelSites(
          name: "m\(model)", family: "ViT",
          sites: (0..<2).map {
            ModelSites.Site(
              name: "s\($0)", tokens: "avg", stage: "s", depth: Double($0), features: 3)
          })
      },
      measures: entries.enumerated().map { index, entry in
        MeasuresResult.Entry(
          name: entry.name, direction: entry.direction, isSymmetric: true,
          invariances: entry.invariances, source: "", agreesWith: "",
          values: table { value(index, min($0, $1), max($0, $1)) }, errors: nil,
          pValues: p.map { p in table { _, _ in p } }, bounds: table { _, _ in bound },
          refusals: [])
      })
  }

  private let cka = (name: "cka", direction: "similarity", invariances: "T S P O")
  private let procrustes = (name: "procrustes", direction: "distance", invariances: "T S P O")
  private let cca = (name: "cca", direction: "similarity", invariances: "T S P O L")

  /// Sites of models 0 and 1 are nearer than all others, by a made-up similarity that is different for every pair.
  private func near(_ a: Int, _ b: Int) -> Double {
    let between = a / 2 == 0 && b / 2 == 1 ? 0.3 : 0
    return a == b ? 1 : 0.4 + between + 0.01 * Double(3 * a + b)
  }

  @Test("two models that all measures find the closest, whichever way they point")
  func closest() throws {
    let entries = [cka, procrustes, cca]
    let whole = result(models: 3, entries) { $0 == 1 ? 1 - near($1, $2) : near($1, $2) }
    let parts = (0..<4).map { group in
      result(models: 3, entries) { entry, a, b in
        let value = near(a, b) + (group % 2 == 0 ? 0.001 : -0.001) * Double(a)
        return entry == 1 ? 1 - value : value
      }
    }
    let findings = whole.conclusions(leavingOut: parts)
    let found = try #require(findings.first { $0.sentence.contains("of the models") })
    #expect(found.sentence == "All 3 measures find m0 and m1 the most alike of the models")
    #expect(found.verdict == .shows && found.analysis == "measures")
    let (value, low, high) = (
      try #require(found.value), try #require(found.low), try #require(found.high)
    )
    // 0.3, less what the later sites gain by the rule: a mean over cells of 0.01(3a + b).
    func mean(_ a: [Int], _ b: [Int]) -> Double {
      a.flatMap { a in b.map { near(a, $0) } }.reduce(0, +) / 4
    }
    #expect(abs(value - (mean([0, 1], [2, 3]) - mean([2, 3], [4, 5]))) < 1e-12)
    #expect(low < value && value < high)
    #expect(found.quantity.contains("3 of 3 measures name these two"))
    #expect(
      found.quantity.contains("mean rank correlation of the measures over 3 pairs of models 1.0"))
    // One that says otherwise, surely.
    let split = result(models: 3, entries) { entry, a, b in
      entry == 2 ? -near(a, b) : entry == 1 ? 1 - near(a, b) : near(a, b)
    }
    let second = try #require(
      split.conclusions(
        leavingOut: parts.map { part in
          var part = part
          part.measures[2].values = part.measures[2].values.map { $0.map { $0.map { -$0 } } }
          return part
        }
      ).first { $0.sentence.contains("of the models") })
    #expect(second.verdict == .doesNotShow && second.quantity.contains("by cca"))
    #expect(second.quantity.contains("2 of 3 measures"))
    // Without parts nothing is decided; of two models nothing is asked.
    #expect(
      whole.conclusions(leavingOut: []).allSatisfy { $0.verdict == .cannotTell && $0.low == nil })
    let two = result(models: 2, entries) { near($1, $2) }
    #expect(!two.conclusions(leavingOut: []).contains { $0.sentence.contains("of the models") })
  }

  @Test("the share of pairs that chance explains, of the measure that is least sure")
  func chance() throws {
    let entries = [cka, cca]
    var whole = result(models: 2, entries, { near($1, $2) })
    let parts = [whole, whole, whole]
    let sure = try #require(whole.conclusions(leavingOut: parts).first)
    #expect(sure.verdict == .shows && sure.value == 0)
    #expect(sure.sentence.hasPrefix("Most pairs of layers of two models are more alike"))
    #expect(sure.quantity.hasPrefix("share of 4 pairs with p > 0.05 by "))
    // Three of the four pairs between models are within chance by cca.
    for (a, b) in [(0, 2), (0, 3), (1, 2)] {
      whole.measures[1].pValues?[a][b] = 0.4
      whole.measures[1].bounds?[a][b] = 2
    }
    let unsure = try #require(whole.conclusions(leavingOut: parts).first)
    #expect(unsure.value == 0.75 && unsure.verdict == .doesNotShow)
    #expect(unsure.sentence.hasSuffix("least by cca") && unsure.quantity.contains("; cka 0.0"))
    // Parts that differ by whether pairs pass the bound: shares 3/4, 1, 3/4, 1, error √(3/4 · 4 · 1/64).
    var passing = whole
    passing.measures[1].values[1][3] = -1
    let wider = try #require(
      whole.conclusions(leavingOut: [whole, passing, whole, passing]).first)
    let margin = StudentT.quantile975(degrees: 3) * (0.75 * 4.0 / 64).squareRoot()
    #expect(abs(try #require(wider.high) - 0.75 - margin) < 1e-12)
    #expect(wider.verdict == .cannotTell)
    var few = whole
    few.permutations = 5
    let cannot = try #require(few.conclusions(leavingOut: parts).first)
    #expect(cannot.verdict == .cannotTell && cannot.value == nil)
    #expect(cannot.quantity.contains("19 can"))
    let none = result(models: 2, entries, { near($1, $2) }, p: nil)
    #expect(!none.conclusions(leavingOut: []).contains { $0.sentence.hasPrefix("Most") })
  }

  @Test("measures of the same and of other invariances, with the two that disagree most")
  func order() throws {
    let entries = [cka, procrustes, cca]
    func value(_ entry: Int, _ a: Int, _ b: Int) -> Double {
      switch entry {
      case 0: near(a, b)
      case 1: 1 / (1 + near(a, b))
      default: Double((7 * a + 5 * b) % 11)
      }
    }
    let whole = result(models: 3, entries, { value($0, $1, $2) })
    let parts = [whole, whole, whole]
    let same = try #require(
      whole.conclusions(leavingOut: parts).first { $0.sentence.contains("the same changes") })
    #expect(abs(try #require(same.value) - 1) < 1e-12 && same.verdict == .shows)
    #expect(same.sentence.hasSuffix("alike: cka and procrustes"))
    #expect(same.quantity.contains("over 15 pairs of layers"))
    let other = try #require(
      whole.conclusions(leavingOut: parts).first { $0.sentence.contains("different changes") })
    #expect(other.sentence.hasSuffix("and cca agree least") && other.verdict == .doesNotShow)
    #expect(other.quantity.contains("mean of 2 pairs of measures"))
    // Six pairs of two models have no order to speak of.
    let two = result(models: 2, entries, { value($0, $1, $2) })
    let few = try #require(
      two.conclusions(leavingOut: [two, two]).first { $0.sentence.contains("the same changes") })
    #expect(few.verdict == .cannotTell && few.quantity.contains("10 pairs and more can tell"))
    let alone = result(models: 3, [cka], { value($0, $1, $2) })
    #expect(!alone.conclusions(leavingOut: parts).contains { $0.sentence.contains("changes") })
  }

  @Test("a measure without values is left out, and undefined pairs are")
  func undefined() throws {
    let entries = [cka, procrustes]
    let whole = result(models: 3, entries) { entry, a, b in
      entry == 1 || b == 5 ? nil : near(a, b)
    }
    let found = whole.conclusions(leavingOut: [whole, whole])
    #expect(found.contains { $0.sentence == "By cka, m0 and m1 are the most alike of the models" })
    #expect(!found.contains { $0.sentence.contains("changes") })
    let nothing = result(models: 3, entries, { _, _, _ in nil }, p: nil)
    #expect(nothing.conclusions(leavingOut: [nothing, nothing]).isEmpty)
  }

  @Test("ranks of equal values are their mean, and Spearman's correlation is SciPy's")
  func ranks() throws {
    #expect(Ranks.of([3, 1, 3, 0]) == [3.5, 2, 3.5, 1])
    // scipy.stats.spearmanr([1, 2, 2, 5, 0.5], [2, 1, 4, 4, 3])
    let found = try #require(Ranks.correlation([1, 2, 2, 5, 0.5], [2, 1, 4, 4, 3]))
    #expect(abs(found - 0.3947368421052632) < 1e-12, "\(found)")
    #expect(Ranks.correlation([1, 2], [1, 2]) == nil)
    #expect(Ranks.correlation([1, 1, 1], [1, 2, 3]) == nil)
  }
}
