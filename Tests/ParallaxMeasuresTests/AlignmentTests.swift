import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxMeasures

/// `Tests/Fixtures/similarity/alignment.safetensors`: what NumPy and SciPy computed in float64.
private struct AlignmentFixture {
  static let names = ["golden", "sixty", "offset", "wide", "deficient"]
  let file: Safetensors

  init() throws {
    file = try Safetensors(fixtures.appending(path: "similarity/alignment.safetensors").path)
  }

  func representations(_ name: String) -> [Tensor] { (0..<3).compactMap { file["\(name)/x\($0)"] } }
}

@Suite("Measures that align")
struct AlignmentTests {
  @Test(
    "every pair has the oracle's value, or is refused where there is none",
    arguments: AlignmentFixture.names)
  func oracle(_ name: String) throws {
    let fixture = try AlignmentFixture()
    let all = fixture.representations(name)
    var (compared, refused) = (0, 0)
    for measure in Conformer.all.map(\.measure) {
      guard let table = fixture.file["\(name)/\(measure.name)"] else { continue }
      let values = table.scalars(Double.self)
      for (index, expected) in values.enumerated() {
        let (a, b) = (all[index / all.count], all[index % all.count])
        // Where features are stored in float32, the oracle saw the same numbers.
        for (x, y) in [(a, b), (a.to(.float64), b.to(.float64))] {
          if expected.isNaN {
            let error = #expect(throws: MeasureError.self, "\(measure.name)") {
              try measure(x, y)
            }
            if case .tooFew = error { refused += 1 } else { Issue.record("\(measure.name)") }
          } else {
            let found = try measure(x, y)
            let size = max(abs(expected), measure.direction == .distance ? 0.1 : 0)
            #expect(abs(found - expected) < 1e-11 * size, "\(measure.name): \(found) \(expected)")
            compared += 1
          }
        }
      }
    }
    #expect(compared >= 2 * all.count * all.count * 10)
    #expect((refused > 0) == (name == "wide"))
  }

  @Test("partial whitening of equal widths is netrep's")
  func netrep() throws {
    let x = GoldenFixture.left(.float64).sliced(1, 0, 4)
    let y = GoldenFixture.right(.float64)
    let values: [(ShapeMetric, Double)] = [
      (ShapeMetric(alpha: 0.5), 0.859980652511219),
      (ShapeMetric(.euclidean, alpha: 0.5), 6.09795305869342),
      (ShapeMetric(alpha: 0), 0.965954669970232),
      (ShapeMetric(.euclidean, alpha: 0), 6.7367619375197),
    ]
    for (metric, value) in values {
      let found = try metric(x, y)
      #expect(agrees(found, value, within: 1e-12), "\(metric.name): \(found)")
    }
  }

  @Test("linear regression has a direction: the second side predicts the first")
  func regression() throws {
    let (x, y) = (GoldenFixture.left(.float64), GoldenFixture.right(.float64))
    #expect(agrees(try LinearRegression()(y, x), 0.825381800231669, within: 1e-12))
    // A linear map of the predictor is ignored, one of the predicted side is not.
    let measure = LinearRegression()
    let value = try measure(x, y)
    #expect(agrees(try measure(x, Change.linear(y, seed: 3)), value, within: 1e-11))
    #expect(abs(try measure(Change.linear(x, seed: 3), y) - value) > 1e-3)
  }

  @Test("identities: GULP and CCA, Bures and Procrustes, angles and their cosines")
  func identities() throws {
    let pair = MadeUp.related(40, [8, 6], seed: 31)
    let (x, y) = (pair[0], pair[1])
    let squared = try CCA(.squaredCorrelations)(x, y)
    #expect(agrees(try GULP(squared: true)(x, y), 14 - 12 * squared, within: 1e-12))
    let (nbs, distance) = (try NBS()(x, y), try Procrustes()(x, y))
    #expect(agrees(cos(try ShapeMetric()(x, y)), nbs, within: 1e-12))
    #expect(agrees(distance * distance, 2 - 2 * nbs, within: 1e-12))
    #expect(
      agrees(
        try ShapeMetric(.euclidean)(x, y), try Procrustes(normalized: false)(x, y), within: 1e-12))
    let mean = try CCA()(x, y)
    #expect(
      agrees(cos(try ShapeMetric(alpha: 0)(x, y)), mean * 6 / 48.0.squareRoot(), within: 1e-12))
    let sides = try [PWCCA.Weights.left, .right].map { try PWCCA(weights: $0)(x, y) }
    #expect(agrees(try PWCCA()(x, y), (sides[0] + sides[1]) / 2, within: 1e-13))
    #expect(agrees(try PWCCA(weights: .left)(y, x), sides[1], within: 1e-12))
  }

  @Test("PWCCA ignores linear maps of the side that gives no weights")
  func unweighted() throws {
    let pair = MadeUp.related(40, [8, 6], seed: 32)
    let value = try PWCCA(weights: .left)(pair[0], pair[1])
    let mapped = try PWCCA(weights: .left)(pair[0], Change.linear(pair[1], seed: 1))
    #expect(agrees(mapped, value, within: 1e-11))
    #expect(
      abs(try PWCCA(weights: .left)(Change.linear(pair[0], seed: 1), pair[1]) - value) > 1e-3)
  }

  @Test("dead, doubled and dependent neurons span nothing new")
  func deficient() throws {
    let pair = MadeUp.related(40, [6, 5], seed: 33)
    let (x, y) = (pair[0], pair[1])
    let dead = Tensor.ones([40, 2], .float64) * 0.7
    let more = Tensor.concatenated([x, x.times(MadeUp.noise(6, 3, seed: 1)), dead], 1)
    let basis = try CCA().summary(of: more)
    #expect(basis.rank == 6 && basis.width == 11 && basis.deadNeurons == 2)
    for dtype in [DType.float64, .float32] {
      let tolerance = dtype == .float64 ? 1e-11 : 1e-5
      for measure in [CCA(), CCA(.squaredCorrelations), GULP(), ShapeMetric(alpha: 0)]
        as [any Measure]
      {
        let (value, same) = (try measure(x, y), try measure(more.to(dtype), y.to(dtype)))
        #expect(agrees(same, value, within: tolerance), "\(measure.name) \(dtype)")
      }
    }
    let idle = Tensor.concatenated([x, dead], 1)
    for measure in [CorrelationMatch(.hard), CorrelationMatch(.soft)] {
      #expect(try measure(idle, y) == measure(x, y))
      #expect(try measure.summary(of: idle).deadNeurons == 2)
    }
  }

  @Test("representations that span all directions are refused where the value would be 1 for any")
  func spanning() throws {
    let (wide, narrow) = (MadeUp.noise(20, 30, seed: 1), MadeUp.noise(20, 4, seed: 2))
    for measure in [CCA(), PWCCA(), GULP(), ShapeMetric(alpha: 0)] as [any Measure] {
      #expect(throws: MeasureError.tooFew(measure: measure.name, images: 20, needed: 32)) {
        try measure(narrow, wide)
      }
    }
    #expect(throws: MeasureError.self) { try LinearRegression()(narrow, wide) }
    #expect(try LinearRegression()(wide, narrow) < 0.5)
    #expect(try GULP(penalty: 0.1)(wide, narrow).isFinite)
    #expect(throws: MeasureError.tooFew(measure: "eigenspace-overlap", images: 20, needed: 31)) {
      try EigenspaceOverlap()(wide, narrow)
    }
    // SVCCA with few enough components is no such case.
    #expect(try SVCCA(threshold: 0.5)(wide, narrow) < 1)
  }

  @Test("distances between close representations keep their digits")
  func close() throws {
    let x = MadeUp.noise(50, 6, seed: 5)
    let turned = x.times(MadeUp.orthogonal(6, seed: 6)) + 4.0
    let centred = x - x.mean(over: [0], keeping: true)
    // Scaling by 1 + ε is a distance of ε·‖x‖ exactly: no rotation does better.
    for epsilon in [1e-3, 1e-6, 1e-9] {
      let found = try Procrustes(normalized: false)(x, turned * (1 + epsilon))
      let expected = epsilon * centred.norm(over: [0, 1]).item(Double.self)
      #expect(abs(found - expected) < 1e-13 * 50, "\(found) \(expected)")
    }
    for measure in [ShapeMetric(), ShapeMetric(alpha: 0), Procrustes(), GULP()] as [any Measure] {
      let value = try measure(x, turned)
      #expect(value >= 0 && value < 1e-13 * 50, "\(measure.name): \(value)")
      // Small changes are seen in proportion.
      let noise = MadeUp.noise(50, 6, seed: 7)
      let (first, tenth) = (
        try measure(x, turned + noise * 1e-7), try measure(x, turned + noise * 1e-8)
      )
      #expect(agrees(first, 10 * tenth, within: 1e-4), "\(measure.name): \(first) \(tenth)")
    }
  }

  @Test("an image at the origin has no cosine")
  func origin() throws {
    let x = MadeUp.noise(10, 4, seed: 8)
    var values = x.scalars(Double.self)
    for column in 0..<4 { values[4 * 6 + column] = 0 }
    let other = Tensor(values, shape: [10, 4])
    #expect(
      throws: MeasureError.row(
        measure: "aligned-cosine", row: 6, problem: "is zero and has no direction")
    ) { try AlignedCosine()(x, other) }
  }

  @Test("across widths the permutation distance breaks the triangle, within one it does not")
  func permutations() throws {
    let measure = PermutationProcrustes()
    let a = MadeUp.noise(10, 1, seed: 9)
    let between = Tensor.concatenated([a * 0.5, a * -0.5], 1)
    let (direct, first, second) = (
      try measure(a, -a), try measure(a, between), try measure(between, -a)
    )
    #expect(direct > first + second + 0.1)
    for seed in 0..<20 as Range<UInt64> {
      let points = (0..<3).map { MadeUp.noise(8, 4, seed: 3 * seed + $0) }
      let sides = try [(0, 1), (1, 2), (0, 2)].map { try measure(points[$0.0], points[$0.1]) }
      #expect(sides[2] <= sides[0] + sides[1] + 1e-12)
    }
  }

  @Test("summaries of other thresholds, norms or whitenings do not meet")
  func recipes() throws {
    let x = MadeUp.related(20, [5], seed: 10)[0]
    func refused(_ body: () throws -> Double) {
      let error = #expect(throws: MeasureError.self) { try body() }
      if case .summaries = error {} else { Issue.record("found \(String(describing: error))") }
    }
    refused {
      try SVCCA().similarity(SVCCA().summary(of: x), SVCCA(threshold: 0.9).summary(of: x))
    }
    refused {
      try Procrustes().similarity(
        Procrustes().summary(of: x), Procrustes(normalized: false).summary(of: x))
    }
    refused {
      try ShapeMetric().similarity(
        ShapeMetric().summary(of: x), ShapeMetric(alpha: 0.5).summary(of: x))
    }
    refused { try PWCCA().similarity(PWCCA().summary(of: x), CCA().summary(of: x)) }
    refused { try CCA().similarity(CCA().summary(of: x), EigenspaceOverlap().summary(of: x)) }
  }
}
