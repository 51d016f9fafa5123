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
    (CCA(), 0.653474968278098),
    (CCA(.squaredCorrelations), 0.514025724336595),
    (SVCCA(), 0.653474968278098),
    (SVCCA(threshold: 0.9), 0.920513124908861),
    (PWCCA(), 0.760704094063833),
    (PWCCA(weights: .left), 0.706557769742562),
    (PWCCA(weights: .right), 0.814850418385105),
    (LinearRegression(), 0.480380301758092),
    (GULP(), 2.42647773641285),
    (GULP(squared: true), 5.88779420530723),
    (GULP(penalty: 0.01, squared: true), 4.57409482481429),
    (GULP(penalty: 1, squared: true), 0.113689472396848),
    (EigenspaceOverlap(), 0.342783288932524),
    (Procrustes(), 0.792975240947196),
    (Procrustes(normalized: false), 6.769659273016),
    (ShapeMetric(), 0.815375432037856),
    (ShapeMetric(alpha: 0.5), 0.846826226507266),
    (ShapeMetric(alpha: 0), 1.00799201064938),
    (ShapeMetric(.euclidean, alpha: 0.5), 6.96327706507014),
    (ShapeMetric(.euclidean, alpha: 0), 7.95171414275074),
    (NBS(), 0.685595133622368),
    (PermutationProcrustes(), 8.03497770153014),
    (AlignedCosine(), 0.644600719308598),
    (CorrelationMatch(.hard), 0.654650962291403),
    (CorrelationMatch(.soft), 0.626416031281614),
    (RSA(), 0.7121017108774134),
    (RSA(.pearson), 0.6908262831402375),
    (RSA(.kendall), 0.5162055335968381),
    (RSA(.cosine), 0.9205277463196835),
    (RSA(distance: .euclidean), 0.6418190379703486),
    (RSA(.pearson, distance: .euclidean), 0.6584775950627983),
    (RSA(.kendall, distance: .euclidean), 0.4620816864295126),
    (RSA(.cosine, distance: .euclidean), 0.9588552922230529),
    (RSMNormDifference(), 26.42885535098043),
    (RSMNormDifference(.triangle), 18.688022837676638),
    (RSMNormDifference(.spectral), 23.016718977396227),
    (DistanceCorrelation(), 0.608563915617551),
    (DistanceCorrelation(estimator: .biased), 0.8531187359503403),
    (MutualKNN(neighbours: 5), 0.6),
    (JaccardSimilarity(neighbours: 5), 0.44841269841269843),
    (NeighbourhoodOverlap(neighbours: 5), 0.5166666666666667),
    (SecondOrderCosineSimilarity(neighbours: 5), 0.6262255916524794),
    (RankSimilarity(neighbours: 5), 0.3295266955266955),
    (RankSimilarity(neighbours: 5, joint: true), 0.16436726104583246),
    (CycleKNN(neighbours: 5), 1.0),
    (LCSKNN(neighbours: 5), 1.875),
    (EditKNN(neighbours: 5), 0.16666666666666663),
    (CKNNA(), 0.7140372999445822),
    (InformationImbalance(), 0.3958333333333333),
    (InformationImbalance(neighbours: 3), 0.5300925925925926),
    (InformationImbalance(neighbours: 5), 0.5611111111111111),
    (InformationImbalance(distance: .cosine), 0.4895833333333333),
    (InformationImbalance(normalization: .zeroBased), 0.3409090909090909),
    (SymmetricInformationImbalance(), 0.5376957815272705),
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
      // Magnitudes of 0.18, of features of about 1 that are rounded to half of 1.2e-7.
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
    "every measure has its value to twelve digits in float64 and five in float32",
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
