import Foundation
import ParallaxResults
import ParallaxTestSupport
import Testing

@testable import ParallaxAnalyses
@testable import ParallaxMeasures

/// Made-up tables of distances, and what SciPy makes of them.
private struct Oracle: Decodable {
  var blocks, leading: [Int]
  var spaces: Int
  var floor: Double
  var whole: [Double]
  var left, shuffled: [[Double]]
  var curves: [Curve]
  var all: [[Double]]
  var positions: [Position]
  var gain, share: [Double]
  var smoothness: [Smoothness]
  var rise: [[Double]]
  var labels: [Labels]

  struct Curve: Decodable {
    var a, b: Int
    var forward: [Double]
    var mean, changes: [[Double]]
    var chance: Double
  }
  struct Position: Decodable {
    var a, b: Int
    var matches: [Int]
    var correlation, p, chance: Double
    var gap, ratio, residual: [Double]
  }
  struct Smoothness: Decodable {
    var steps, statistics: [[Double]]
    var asymmetry: [Double]
  }
  struct Labels: Decodable {
    var values: [Double]
    var labelled: [Int]
    var difference, p: Double
  }
}

@Suite("Processing steps against SciPy")
struct StepsOracleTests {
  private let oracle: Oracle
  private let pairs: PairsOfModels
  private let sites: [[Int]]
  private let tables: StepsTables
  private let models: [StepsResult.Model]

  init() throws {
    let file = fixtures.appending(path: "steps/steps.json")
    oracle = try JSONDecoder().decode(Oracle.self, from: Data(contentsOf: file))
    var (sites, models, start): ([[Int]], [StepsResult.Model], Int) = ([], [], 0)
    for (index, (count, leading)) in zip(oracle.blocks, oracle.leading).enumerated() {
      sites.append(Array(start..<start + count + leading))
      start += count + leading
      let names = (0..<count + leading).map {
        ModelSites.Site(
          name: "layer\($0 / 3).\($0)", tokens: "avg", stage: "layer\($0 / 3)", depth: 0,
          features: 4)
      }
      models.append(
        StepsResult.Model(
          sites: ModelSites(name: "m\(index)", family: "made up", sites: names),
          design: index == 0 ? "transformer" : "convolutional",
          objective: index == 1 ? "self-supervised" : "classification", leading: leading))
    }
    let size = start + oracle.spaces
    func table(_ values: [Double]) -> StepsTable {
      StepsTable(values, size: size, HowFar(InformationImbalance(), images: 200))
    }
    tables = StepsTables(
      whole: table(oracle.whole), leftOut: oracle.left.map(table),
      shuffled: oracle.shuffled.map(table))
    (self.sites, self.models) = (sites, models)
    pairs = PairsOfModels(
      models: models,
      depths: Depths(blocks: zip(sites, oracle.leading).map { Array($0.dropFirst($1)) }),
      tables: tables, floor: oracle.floor)
  }

  private func expect(
    _ found: StepsResult.Estimate, _ expected: [Double], _ what: String,
    at location: SourceLocation = #_sourceLocation
  ) {
    // Student's quantile is a table of three decimals here, a percentile there.
    let slack = 1e-3 * abs(expected[2] - expected[1]) + 1e-12
    let values = [found.value, found.low, found.high].map { $0 ?? .nan }
    #expect(abs(values[0] - expected[0]) < 1e-12, "\(what)", sourceLocation: location)
    #expect(abs(values[1] - expected[1]) < slack, "\(what)", sourceLocation: location)
    #expect(abs(values[2] - expected[2]) < slack, "\(what)", sourceLocation: location)
  }

  @Test(
    "curves, their steps and what shuffled images give are those of linear interpolation on triangles"
  )
  func curves() {
    let found = pairs.evolutions()
    #expect(found.map(\.a) == oracle.curves.map(\.a) && found.map(\.b) == oracle.curves.map(\.b))
    for (curve, expected) in zip(found, oracle.curves) {
      for place in expected.mean.indices {
        expect(curve.mean[place], expected.mean[place], "mean \(place)")
        #expect(abs((curve.forward[place] ?? .nan) - expected.forward[place]) < 1e-12)
      }
      #expect(curve.steps.count == expected.changes.count)
      for (step, change) in zip(curve.steps, expected.changes) {
        expect(step.change, change, "step \(step.from)")
      }
      #expect(abs((curve.chance ?? .nan) - expected.chance) < 1e-12)
    }
    let all = pairs.aggregates()[0]
    #expect(all.name == "all pairs" && all.pairs == 3)
    for (found, expected) in zip(all.mean, oracle.all) { expect(found, expected, "all") }
  }

  @Test("types of pairs are those of designs and objectives")
  func types() {
    let found = pairs.aggregates().map { "\($0.name) \($0.pairs)" }
    #expect(
      found == [
        "all pairs 3", "same design 1", "different design 2", "same objective 1",
        "different objective 2",
      ])
  }

  @Test("matches, their depths and what remains between them")
  func positions() {
    let found = pairs.positions()
    #expect(found.count == oracle.positions.count)
    for (position, expected) in zip(found, oracle.positions) {
      let what = "\(position.a) \(position.b)"
      #expect(position.a == expected.a && position.b == expected.b)
      #expect(position.matches == expected.matches.map { $0 + oracle.leading[expected.b] })
      #expect(abs((position.correlation.value ?? .nan) - expected.correlation) < 1e-12)
      #expect(position.correlation.low == nil)
      #expect(abs((position.pValue ?? .nan) - expected.p) < 1e-12)
      #expect(abs((position.gapByChance ?? .nan) - expected.chance) < 1e-12)
      expect(position.gap, expected.gap, what)
      expect(position.ratio, expected.ratio, what)
      expect(position.residual, expected.residual, what)
    }
    expect(tables.estimate { pairs.gain($0) }, oracle.gain, "gain")
    expect(tables.estimate { pairs.residualShare($0) }, oracle.share, "share")
  }

  @Test(
    "a curve of a model with itself touches no cell beside the diagonal; one match for all gains nothing"
  )
  func diagonals() {
    let depths = Depths(blocks: [[0, 1, 2, 3], [4, 5]])
    for depth in PairsOfModels.grid {
      let own = depths.diagonal(0, 0, at: depth) { $0 == $1 ? 1 : nil }
      #expect(abs((own ?? .nan) - 1) < 1e-12)
    }
    #expect(depths.around(0, 0.3, 0.4) == (0, 2) && depths.around(1, 0.45, 0.5) == (0, 1))
    #expect(depths.around(0, 0, 1) == (0, 3))
    // Every block of the first model is nearest to the second block of the other.
    var values = [Double](repeating: 1, count: 49)
    for row in 0..<4 { (values[row * 7 + 5], values[5 * 7 + row]) = (0.1, 0.1) }
    let far = HowFar(InformationImbalance(), images: 20)
    let table = StepsTable(values, size: 7, far)
    let hub = PairsOfModels(
      models: [models[0], models[1]], depths: Depths(blocks: [[0, 1, 2, 3], [4, 5, 6]]),
      tables: StepsTables(whole: table, leftOut: [], shuffled: []), floor: 0.1)
    #expect(hub.matches(0, 1, table) == [1, 1, 1, 1])
    let position = hub.positions()[0]
    #expect(position.pValue == 1 && position.gap.value == position.gapByChance)
  }

  @Test("smoothness: steps, their statistics and the asymmetry")
  func smoothness() {
    let profile = SmoothnessProfile(
      models: models, depths: pairs.depths, tables: tables, floor: oracle.floor)
    for (model, expected) in oracle.smoothness.enumerated() {
      let none = expected.steps.map { _ in Double?.none }
      let found = profile(model, SmoothnessProfile.Companions(cka: none, jaccard: none))
      for (change, step) in zip(found.changes, expected.steps) {
        expect(change.mean, step, "step \(change.from)")
      }
      #expect(found.changes.count == expected.steps.count)
      for (statistic, value) in zip(found.statistics, expected.statistics) {
        let isCount = statistic.name == "jumps"
        #expect((statistic.value.low == nil) == isCount)
        if isCount {
          #expect(statistic.value.value == value[0])
        } else {
          expect(statistic.value, value, statistic.name)
        }
      }
      expect(
        found.statistics.last?.value ?? StepsResult.Estimate(nil), expected.asymmetry, "asymmetry")
      let leading = oracle.leading[model]
      for change in found.changes {
        #expect(change.isBoundary == (change.from / 3 != change.to / 3))
        #expect(change.from >= leading && change.to == change.from + 1)
      }
    }
  }

  @Test("what the end of a model knows less than its middle")
  func rise() {
    let curves = LowLevelCurves(
      models: models, sites: sites,
      spaces: (0..<oracle.spaces).map {
        LowLevelCurves.Space(
          name: "space \($0)", place: tables.whole.size - oracle.spaces + $0, width: 2)
      },
      tables: tables, clipped: nil)
    for (model, expected) in oracle.rise.enumerated() {
      let found = curves(model, [], [])
      expect(found.rise, expected, "rise")
      #expect(
        found.spaces.map(\.known.count) == [
          sites[model].count, sites[model].count, sites[model].count,
        ])
    }
  }

  @Test("labels are permuted exactly, as SciPy does")
  func labels() throws {
    for labels in oracle.labels {
      let isLabelled = labels.values.indices.map { labels.labelled.contains($0) }
      let test = try #require(LabelPermutation(labels.values, isLabelled: isLabelled))
      #expect(abs(test.difference - labels.difference) < 1e-12)
      #expect(abs(test.pValue - labels.p) < 1e-12)
    }
    #expect(LabelPermutation([1, 2], isLabelled: [true, true]) == nil)
  }

  @Test("similarities become distances, and keep what a layer has with itself")
  func turned() {
    let cka = HowFar(CKA(), images: 50)
    #expect(cka.quantity == "1 − cka" && cka.floor == 0 && cka(0.25) == 0.75)
    let imbalance = HowFar(InformationImbalance(), images: 50)
    #expect(imbalance.quantity == "information-imbalance" && imbalance.floor == 2.0 / 50)
    let hsic = HowFar(HSIC(), images: 50)
    #expect(hsic.quantity == "−unbiased-hsic" && hsic.floor == nil && hsic(3) == -3)
  }
}
