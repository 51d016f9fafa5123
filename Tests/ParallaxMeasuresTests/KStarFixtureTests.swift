import Foundation
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

  @Test(
    "chains are put in order as asked, and end with who breaks them", arguments: KStar.Ties.allCases
  )
  func chains(_ ties: KStar.Ties) throws {
    let (x, labels) = (try tensor("grid/features"), try whole("grid/labels"))
    for dtype in [DType.float32, .float64] {
      let found = try KStar(ties: ties, neighbours: 12, hasBreakers: true)(
        x.to(dtype), labels: labels)
      #expect(found.neighbours.flatMap(\.self) == (try small("grid/nearest/\(ties.rawValue)")))
      #expect(found.breakers == (try small("grid/breakers/\(ties.rawValue)")))
      for (image, list) in found.neighbours.enumerated() {
        let end = list.firstIndex { labels[$0] != labels[image] }
        #expect(found.ranks[image] > 12 ? end == nil : end == found.ranks[image] - 1)
        if let end { #expect(list[end] == found.breakers[image]) }
      }
    }
  }

  private func small(_ name: String) throws -> [Int] {
    try tensor(name).to(.int64).scalars(Int64.self).map(Int.init)
  }

  @Test("clusters within the rounding of float32 products are those of float64 differences")
  func tight() throws {
    let (x, labels) = (try tensor("tight/features"), try whole("tight/labels"))
    let found = try KStar(neighbours: 12, hasSilhouettes: true, hasBreakers: true)(
      x, labels: labels)
    #expect(found.ranks == (try whole("tight/ranks")))
    #expect(try KStar()(x, labels: labels).ranks == found.ranks)
    #expect(found.neighbours.flatMap(\.self) == (try small("tight/nearest")))
    #expect(found.breakers == (try small("tight/breakers")))
    #expect(agree(found.silhouettes, try numbers("tight/silhouettes"), 1e-5))
    #expect(found.coincident.flatMap(\.images) == Array(40..<50))
  }

  @Test("one k* off by one among many has SciPy's skewness")
  func nearlyConstant() throws {
    let expected = (try numbers("off/skewness"), try numbers("off/pooled"))
    for (place, count) in try whole("off/counts").enumerated() {
      let ranks = [Int](repeating: count, count: count - 1) + [count - 1]
      let other = [Int](repeating: count, count: count - 2) + [count - 1, count - 2]
      let space = SpaceStatistics(
        KStar.Values(
          labels: [Int](repeating: 0, count: count) + [Int](repeating: 1, count: count),
          ranks: ranks + other, sizes: [count, count], isAgainstBank: false, tied: 0,
          recomputed: 0, neighbours: [], breakers: [], coincident: [], silhouettes: []),
        resamples: 0)
      #expect(agree([space.ofConcepts[0].skewness ?? .nan], [expected.0[place]]))
      #expect(space.ofConcepts[0].note == nil)
      #expect(agree([space.pooled.value ?? .nan], [expected.1[place]], 1e-9))
    }
  }

  @Test("intervals of resamples are SciPy's")
  func bootstrap() throws {
    let drawn = try numbers("bootstrap/drawn")
    let corrected = try #require(BootstrapInterval.corrected(0, drawn, of: drawn.count))
    #expect(
      agree([corrected.lowerBound, corrected.upperBound], try numbers("bootstrap/corrected"), 1e-9))
    let normal = try #require(BootstrapInterval.normal(0, drawn, of: drawn.count))
    #expect(agree([normal.lowerBound, normal.upperBound], try numbers("bootstrap/normal"), 1e-9))
    // All on one side, or too many missing: they say nothing of the other.
    #expect(BootstrapInterval.corrected(99, drawn, of: drawn.count) == nil)
    #expect(BootstrapInterval.corrected(0, drawn, of: 2 * drawn.count) == nil)
    #expect(BootstrapInterval.normal(0, Array(drawn.prefix(19)), of: 19) == nil)
  }

  @Test("the map of many wide features is scikit-learn's full decomposition")
  func largeMap() throws {
    var x: [Double] = []
    for i in 1...540 {
      for j in 1...530 {
        let (a, b) = (Double(i), Double(j))
        x.append(
          sin(0.37 * a * b) + 3 * cos(0.011 * a) * sin(0.02 * b)
            + 2 * sin(0.03 * a) * cos(0.05 * b))
      }
    }
    let map = try LatentMap(Tensor(x, shape: [540, 530]))
    #expect(agree(map.points.flatMap { [$0.x, $0.y] }, try numbers("large/map"), 1e-8))
    #expect(agree(map.variance, try numbers("large/variance"), 1e-10))
    // More images than width, and the other way round.
    let tall = try LatentMap(Tensor(x, shape: [540, 530]).sliced(1, 0, 40))
    #expect(tall.variance.allSatisfy { $0 > 0 && $0 < 1 })
  }
}
