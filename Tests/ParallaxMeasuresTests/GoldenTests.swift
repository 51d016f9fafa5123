import Parallax
import Testing

@Suite("Golden values")
struct GoldenTests {
  static let pairs: [(measure: any Measure, value: Double)] = [
    (HSIC(estimator: .biased), 1.30206281213978),
    (HSIC(), 1.03499523368466),
    (CKA(estimator: .biased), 0.699222647056548),
    (CKA(), 0.654012049080623),
    (AngularCKA(), 0.796486762165723),
    (CKA(kernel: .rbf(0.5), estimator: .biased), 0.681486465317542),
    (CKA(kernel: .rbf(0.5)), 0.485403548206178),
    (UniformityDifference(), 0.981548381607567),
    (ConcentricityDifference(), 0.042902085956954814),
    (IMD(), 183.8305459364761),
    (RTDLite(), 2.1891561432833666),
    (RTDLite(directed: true), 4.096957251408242),
  ]

  @Test("a difference of two nearly equal numbers has its value to the digits of the numbers")
  func nearlyEqual() throws {
    let measure = MagnitudeDifference()
    for (dtype, tolerance) in [(DType.float64, 1e-15), (.float32, 1e-7)] {
      let value = try measure(GoldenFixture.left(dtype), GoldenFixture.right(dtype))
      // Of magnitudes of 0.18.
      #expect(abs(value - 0.000148894273303585) < tolerance, "\(dtype): \(value)")
    }
  }

  @Test("the fixture is the one that the values belong to")
  func fixture() {
    let (x, y) = (GoldenFixture.x, GoldenFixture.y)
    #expect(agrees(x[0][0], 1.28072092166831, within: 1e-13))
    #expect(agrees(x[0][5], -0.0560893228672209, within: 1e-13))
    #expect(agrees(y[0][3], 0.941079311598192, within: 1e-13))
    #expect(agrees(x.joined().reduce(0, +), -4.13120671421118, within: 1e-12))
    #expect(agrees(y.joined().reduce(0, +), -3.896583060321436, within: 1e-12))
  }

  @Test(
    "every measure has its value to ten digits in float64 and five in float32",
    arguments: pairs.indices)
  func values(_ index: Int) throws {
    let (measure, value) = Self.pairs[index]
    let wide = try measure(GoldenFixture.left(.float64), GoldenFixture.right(.float64))
    #expect(agrees(wide, value, within: 1e-12), "\(measure.name): \(wide)")
    let narrow = try measure(GoldenFixture.left(.float32), GoldenFixture.right(.float32))
    #expect(agrees(narrow, value, within: 5e-6), "\(measure.name): \(narrow)")
  }

  @Test("HSIC of a representation with itself has its value")
  func selfValues() throws {
    let (x, y) = (GoldenFixture.left(.float64), GoldenFixture.right(.float64))
    #expect(agrees(try HSIC(estimator: .biased)(x, x), 2.8419352637216, within: 1e-12))
    #expect(agrees(try HSIC(estimator: .biased)(y, y), 1.22016543290683, within: 1e-12))
    #expect(agrees(try HSIC()(x, x), 2.2397568033249, within: 1e-12))
    #expect(agrees(try HSIC()(y, y), 1.11816098841714, within: 1e-12))
  }

  @Test(
    "minibatch CKA is a ratio of sums, not a mean of ratios", arguments: [DType.float64, .float32])
  func minibatch(_ precision: DType) throws {
    var options = MinibatchCKA.Options()
    options.precision = precision
    let sums = MinibatchCKA(count: 2, options: options)
    let (x, y) = (GoldenFixture.left(precision), GoldenFixture.right(precision))
    for block in 0..<3 {
      try sums.add(
        block: block,
        features: [x, y].map { $0.sliced(0, 8 * block, 8 * block + 8) })
    }
    let value = try #require(try sums.result()[0, 1])
    #expect(agrees(value, 0.52281541828203, within: precision == .float64 ? 1e-11 : 5e-6))
    #expect(abs(value - 0.517742458034762) > 1e-3)
  }

  @Test(
    "exact CKA has the pairs' values, both estimators from one pass",
    arguments: [DType.float64, .float32])
  func exact(_ precision: DType) throws {
    let sums = try ExactCKA(widths: [6, 4], precision: precision)
    let (x, y) = (GoldenFixture.left(precision), GoldenFixture.right(precision))
    for (block, rows) in [0..<7, 7..<16, 16..<24].enumerated() {
      try sums.add(
        block: block, features: [x, y].map { $0.sliced(0, rows.lowerBound, rows.upperBound) })
    }
    let tolerance = precision == .float64 ? 1e-11 : 5e-6
    #expect(agrees(try #require(try sums.result()[0, 1]), 0.654012049080623, within: tolerance))
    #expect(
      agrees(try #require(try sums.result(.biased)[1, 0]), 0.699222647056548, within: tolerance))
    #expect(try sums.result()[0, 0] == 1 && sums.result()[1, 1] == 1)
  }
}
