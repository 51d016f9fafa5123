import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

@Suite("Readers of matched embeddings")
struct MatchReadersTests {
  private struct Fixture {
    let file: Safetensors

    func tensor(_ name: String) throws -> Tensor { try #require(file[name], "\(name)") }
  }

  @Test("principal coordinates, neighbours, prototypes and the area are scikit-learn's")
  func readers() throws {
    let file = Fixture(
      file: try Safetensors(fixtures.appending(path: "equivalence/matching.safetensors").path))
    let features = try file.tensor("readers/features")
    let fit = try PrincipalCoordinates(of: features, components: 4)
    let found = fit(try file.tensor("readers/queries"))
    let wanted = try file.tensor("readers/pca/coordinates")
    for column in 0..<4 {
      let (a, b) = (found.selected(1, column), wanted.selected(1, column))
      // The sign of an axis is a convention.
      #expect(min(gap(a, b), gap(a * -1.0, b)) < 1e-9)
    }
    let shares = try file.tensor("readers/pca/shares").scalars(Double.self)
    for (a, b) in zip(fit.shares, shares) { #expect(abs(a - b) < 1e-12) }
    var gathered = GatheredFeatures("readers", widths: [7])
    gathered.begin(BlockHeading(index: 0, samples: Array(0..<40)))
    try gathered.add(0, features)
    try gathered.finish()
    let samples = (0..<40).map { index in
      Sample(
        id: "\(index)", path: "", label: index % 4, className: "class \(index % 4)", sha256: "")
    }
    let bank = Bank(gathered, samples: samples)
    let queries = try file.tensor("readers/queries")
    let nearest = try file.tensor("readers/nearest").scalars(Int64.self).map(Int.init)
    // Those left out are none of the nearest.
    let far = (0..<40).filter { !nearest.contains($0) }.prefix(5)
    #expect(bank.nearest(queries, 0, excluding: Array(far)) == nearest)
    let others = bank.nearest(queries, 0, excluding: nearest)
    #expect(zip(others, nearest).allSatisfy { $0 != $1 })
    let cosines = bank.prototypes(queries, 0, [0, 1, 2, 3], excluding: Array(0..<5))
    #expect(gap(cosines, try file.tensor("readers/prototypes")) < 1e-12)
    // Of a class of one nothing is left but its own picture; every picture asked for is read by a probe of the others.
    let single = Bank(
      gathered,
      samples: samples.enumerated().map { index, one in
        let label = index == 0 ? 9 : one.label ?? 0
        return Sample(id: one.id, path: "", label: label, className: "class \(label)", sha256: "")
      })
    let own = single.prototypes(features.sliced(0, 0, 2), 0, [9, 1], excluding: [0, 1])
      .scalars(Double.self)
    #expect(own[0] == -.infinity && own[2].isFinite && own[1].isFinite)
    let all = Array(0..<40)
    let probed = try #require(try bank.probed([features], 0, excluding: all))
    #expect(probed[0].count == 40 && Set(probed[0]).isSubset(of: [0, 1, 2, 3]))
    // The part of a picture is read by a fit to all the others, whatever stands beside it.
    let held = all.filter { !$0.isMultiple(of: Bank.folds) }
    let probe = try FewShotProbe(penalties: [FewShotProbe.defaultPenalty]).fit(
      features.gathered(0, held), labels: held.map { $0 % 4 }, classes: 4)
    let first = probe.classes(of: features.sliced(0, 5, 6)).reshaped(-1).scalars(Int64.self)
    #expect(probed[0][5] == Int(first[0]))
    // NaN is nobody's neighbour.
    var broken = GatheredFeatures("readers", widths: [7])
    broken.begin(BlockHeading(index: 0, samples: Array(0..<40)))
    let bad = Tensor.concatenated(
      [features.sliced(0, 0, 1) * Double.nan, features.sliced(0, 1, 40)], 0)
    try broken.add(0, bad)
    try broken.finish()
    let rest = Bank(broken, samples: samples)
    #expect(!rest.holds(0) && rest.samples.count == 39 && rest.all(0).isFinite())
    let area = MatchNoise.area(
      try file.tensor("readers/high").scalars(Double.self),
      over: try file.tensor("readers/low").scalars(Double.self))
    #expect(abs(area - (try file.tensor("readers/area").item(Double.self))) < 1e-12)
  }
}
