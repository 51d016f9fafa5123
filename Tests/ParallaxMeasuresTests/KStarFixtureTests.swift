import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxMeasures

/// `Tests/Fixtures/kstar/kstar.safetensors`: the authors' definition in NumPy, SciPy's skewness, scikit-learn.
@Suite("The oracle of k* distributions")
struct KStarFixtureTests {
  private let file: Safetensors

  init() throws { file = try Safetensors(fixtures.appending(path: "kstar/kstar.safetensors").path) }

  private func tensor(_ name: String) throws -> Tensor { try #require(file[name], "\(name)") }
  private func whole(_ name: String) throws -> [Int] {
    try tensor(name).scalars(Int64.self).map(Int.init)
  }
  private func numbers(_ name: String) throws -> [Double] { try tensor(name).scalars(Double.self) }

  private func agree(_ a: [Double], _ b: [Double], _ tolerance: Double = 1e-10) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= tolerance * max(1, abs($1)) }
  }

  @Test("k* is that of a full sort, by every distance", arguments: ["blobs", "wide"])
  func ranks(_ set: String) throws {
    let (x, labels) = (try tensor("\(set)/features"), try whole("\(set)/labels"))
    for (metric, name) in [
      (KStar.Metric.euclidean, "euclidean"), (.cosine, "cosine"), (.manhattan, "manhattan"),
    ] {
      let expected = try whole("\(set)/ranks/\(name)")
      #expect(try KStar(metric: metric)(x, labels: labels).ranks == expected)
      if set == "blobs" {
        // Exact in float32.
        #expect(try KStar(metric: metric)(x.to(.float32), labels: labels).ranks == expected)
      }
    }
    let rows = try DistanceRows(x, .euclidean, fewest: 2, measure: "test")
    let matrix = rows.squaredMatrix().squareRoot()
    #expect(
      try KStar(metric: .precomputed)(matrix, labels: labels).ranks
        == whole("\(set)/ranks/euclidean"))
  }

  @Test("equally far images are put in order as asked", arguments: KStar.Ties.allCases)
  func ties(_ ties: KStar.Ties) throws {
    let (x, labels) = (try tensor("grid/features"), try whole("grid/labels"))
    for dtype in [DType.float32, .float64] {
      let found = try KStar(ties: ties)(x.to(dtype), labels: labels)
      #expect(found.ranks == (try whole("grid/ranks/\(ties.rawValue)")))
      #expect(found.tied == (try whole("grid/tied"))[0])
      let sums = try KStar(metric: .manhattan, ties: ties)(x.to(dtype), labels: labels)
      #expect(sums.ranks == (try whole("grid/manhattan/\(ties.rawValue)")))
    }
  }

  @Test("queries are counted among the bank alone")
  func bank() throws {
    let (x, labels) = (try tensor("blobs/features"), try whole("blobs/labels"))
    let bank = labels.indices.filter { $0 % 3 != 0 }
    let queries = labels.indices.filter { $0 % 3 == 0 }
    let expected = try whole("bank/ranks")
    func label(_ places: [Int]) -> [Int] { places.map { labels[$0] } }
    for metric in [KStar.Metric.euclidean, .precomputed] {
      var rows = x.gathered(0, queries)
      if metric == .precomputed {
        rows = try DistanceRows(x, .euclidean, fewest: 2, measure: "test").squaredMatrix()
          .gathered(0, queries).gathered(1, bank)
      }
      let found = try KStar(metric: metric, neighbours: 3)(
        rows, labels: label(queries), bank: x.gathered(0, bank), bankLabels: label(bank))
      #expect(found.ranks == expected)
      #expect(found.isAgainstBank && found.neighbours.count == queries.count)
      #expect(found.sizes == (0..<5).map { c in label(bank).count { $0 == c } })
      #expect(zip(found.ranks, found.labels).allSatisfy { $0 <= found.most($1) })
    }
  }

  @Test("statistics are SciPy's", arguments: ["blobs", "wide"])
  func statistics(_ set: String) throws {
    let (x, labels) = (try tensor("\(set)/features"), try whole("\(set)/labels"))
    let values = try KStar()(x, labels: labels)
    let space = SpaceStatistics(values, resamples: 0)
    let anchored = SpaceStatistics(values, anchoring: .unitInterval, resamples: 0)
    let found = zip(space.ofConcepts, anchored.ofConcepts).flatMap { one, other in
      [
        one.mean, one.deviation, one.skewness ?? .nan, one.adjustedSkewness ?? .nan,
        other.skewness ?? .nan,
      ]
    }
    #expect(agree(found, try numbers("\(set)/concepts")))
    let all = [
      space.macroMean, space.sizeWeighted, space.pooled, space.momentSubstituted,
      space.medianOverConcepts,
    ].map { $0.value ?? .nan }
    #expect(agree(all, try numbers("\(set)/space")))
  }

  @Test(
    "neighbours, votes and hubness are the formulas' and scikit-learn's",
    arguments: ["blobs", "wide"])
  func neighbours(_ set: String) throws {
    let (x, labels) = (try tensor("\(set)/features"), try whole("\(set)/labels"))
    let values = try KStar(neighbours: 5)(x, labels: labels)
    let lists = try whole("\(set)/nearest")
    #expect(values.neighbours.flatMap(\.self) == lists)
    let overlaps = try #require(values.overlaps(5))
    let votes = [values.neighbourAccuracy(5) ?? .nan, overlaps.hit, overlaps.byClass]
    #expect(agree(votes, try numbers("\(set)/votes")))
    #expect(values.neighbourAccuracy(6) == nil && values.overlaps(6) == nil)
    let hubness = Hubness(values.neighbours, images: labels.count)
    let found = [
      hubness.skewness ?? .nan, hubness.robinHood, hubness.gini, hubness.atkinson,
      hubness.antihubs, hubness.hubs, hubness.groupieRatio,
    ]
    #expect(agree(found, try numbers("\(set)/hubness")))
    #expect(hubness.occurrences.reduce(0, +) == 5 * labels.count)
  }

  @Test("silhouettes are scikit-learn's", arguments: ["blobs", "wide"])
  func silhouettes(_ set: String) throws {
    let (x, labels) = (try tensor("\(set)/features"), try whole("\(set)/labels"))
    for metric in [KStar.Metric.euclidean, .cosine, .manhattan] {
      let found = try KStar(metric: metric, hasSilhouettes: true)(x, labels: labels)
      #expect(agree(found.silhouettes, try numbers("\(set)/silhouettes/\(metric.rawValue)")))
    }
  }

  @Test("the map is scikit-learn's PCA, and its quality", arguments: ["blobs", "wide"])
  func map(_ set: String) throws {
    let x = try tensor("\(set)/features")
    let map = try LatentMap(x)
    let expected = try numbers("\(set)/map")
    #expect(agree(map.points.flatMap { [$0.x, $0.y] }, expected, 1e-9))
    #expect(agree(map.variance, try numbers("\(set)/variance")))
    let quality = try LatentMap.quality(
      of: x, map: Tensor(expected, shape: [expected.count / 2, 2]), neighbours: 5)
    #expect(
      agree([quality.trustworthiness, quality.continuity], try numbers("\(set)/quality"), 1e-12))
  }
}
