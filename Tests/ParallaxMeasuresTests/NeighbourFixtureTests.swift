import Foundation
import Parallax
import ParallaxTestSupport
import Testing

/// One set of `Tests/Fixtures/similarity/neighbours.safetensors`.
private struct NeighbourFixture {
  let left: Tensor
  let right: Tensor
  /// By the measure's name; `NAME/back` exchanges the sides.
  let values: [String: Double]

  static let names = ["golden", "sixty", "offset"]

  init(_ name: String) throws {
    let file = try Safetensors(fixtures.appending(path: "similarity/neighbours.safetensors").path)
    left = try #require(file["\(name)/x"])
    right = try #require(file["\(name)/y"])
    let sets = try #require(file.metadata["sets"])
    let keys = try #require(
      try JSONDecoder().decode([String: [String]].self, from: Data(sets.utf8))[name])
    let numbers = try #require(file["\(name)/values"]).scalars(Double.self)
    values = Dictionary(uniqueKeysWithValues: zip(keys, numbers))
  }
}

@Suite("Distances and neighbours beside NumPy")
struct NeighbourFixtureTests {
  private static let measures: [any Measure] =
    RSA.Comparison.allCases.flatMap { [RSA($0), RSA($0, distance: .euclidean)] }
    + RSMNormDifference.Norm.allCases.map { RSMNormDifference($0) }
    + [DistanceCorrelation(), DistanceCorrelation(estimator: .biased)]
    + [
      MutualKNN(neighbours: 5), JaccardSimilarity(neighbours: 5),
      NeighbourhoodOverlap(neighbours: 5), SecondOrderCosineSimilarity(neighbours: 5),
      RankSimilarity(neighbours: 5), RankSimilarity(neighbours: 5, joint: true),
      CycleKNN(neighbours: 5), LCSKNN(neighbours: 5), EditKNN(neighbours: 5), CKNNA(),
    ]
    + [1, 3, 5, 10].flatMap { k in
      InformationImbalance.Normalization.allCases.flatMap { normalization in
        [Distance.euclidean, .cosine].map {
          InformationImbalance(neighbours: k, distance: $0, normalization: normalization)
        }
      }
    }
    + [1, 3, 5, 10].map { SymmetricInformationImbalance(InformationImbalance(neighbours: $0)) }

  @Test("every variant has NumPy's value, both ways", arguments: NeighbourFixture.names)
  func values(_ name: String) throws {
    let fixture = try NeighbourFixture(name)
    var compared = Set<String>()
    for measure in Self.measures {
      let expected = try #require(fixture.values[measure.name], "\(measure.name)")
      let value = try measure(fixture.left, fixture.right)
      #expect(agrees(value, expected, within: 1e-12), "\(measure.name): \(value), \(expected)")
      compared.insert(measure.name)
      let back = try measure(fixture.right, fixture.left)
      if let expected = fixture.values["\(measure.name)/back"] {
        #expect(agrees(back, expected, within: 1e-12), "\(measure.name): \(back), \(expected)")
        compared.insert("\(measure.name)/back")
      } else {
        #expect(back == value)
      }
    }
    #expect(compared == Set(fixture.values.keys))
  }

  @Test(
    "float32 keeps five digits, with an offset of a hundred too", arguments: NeighbourFixture.names)
  func narrow(_ name: String) throws {
    let fixture = try NeighbourFixture(name)
    for measure in Self.measures {
      let expected = try #require(fixture.values[measure.name])
      let value = try measure(fixture.left.to(.float32), fixture.right.to(.float32))
      #expect(agrees(value, expected, within: 5e-6), "\(measure.name): \(value), \(expected)")
    }
  }
}
