import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@Suite("The ridge probe")
struct RidgeProbeTests {
  private struct Facts: Decodable {
    var folds: Int
    var seed: UInt64
  }

  private func gap(_ found: [Double], _ expected: [Double]) -> Double {
    guard found.count == expected.count else { return .infinity }
    return zip(found, expected).map { abs($0 - $1) / max(1, abs($1)) }.max() ?? .infinity
  }

  @Test(
    "R² and penalties are scikit-learn's, for fewer neurons than images, more, and about as many",
    arguments: ["narrow", "wide", "near", "ten", "two"])
  func oracle(_ name: String) throws {
    let file = try Safetensors(fixtures.appending(path: "images/low-level.safetensors").path)
    let text = try #require(file.metadata["probes"])
    let facts = try #require(
      try JSONDecoder().decode([String: Facts].self, from: Data(text.utf8))[name])
    func tensor(_ key: String) throws -> Tensor { try #require(file["probe/\(name)/\(key)"]) }
    let (x, y) = (try tensor("x"), try tensor("y"))
    let probe = RidgeProbe(folds: facts.folds, seed: facts.seed)
    let order = try tensor("order").scalars(Int64.self).map(Int.init)
    #expect(probe.parts(of: x.shape[0]).flatMap { $0 } == order)
    let result = try probe(x, y)
    let expected = try tensor("scores").scalars(Double.self)
    #expect(result.images == x.shape[0] && result.scores.count == 5)
    for (found, expected) in zip(result.scores, expected) {
      #expect((found == nil) == expected.isNaN)
      if let found { #expect(abs(found - expected) < 1e-9 * max(1, abs(expected))) }
    }
    let penalties = try tensor("penalties").scalars(Double.self)
    #expect(gap(result.penalties.flatMap { $0 }, penalties) < 1e-12)
  }

  @Test("both forms of the decomposition give the same numbers")
  func forms() throws {
    // Neurons that are zero change nothing but the form.
    let x = MadeUp.noise(40, 12, seed: 3)
    let y = x.times(MadeUp.noise(12, 3, seed: 4)) + MadeUp.noise(40, 3, seed: 5) * 2
    let narrow = try RidgeProbe(seed: 2)(x, y)
    let wide = try RidgeProbe(seed: 2)(
      Tensor.concatenated([x, Tensor.zeros([40, 50], .float64)], 1), y)
    #expect(narrow.penalties == wide.penalties)
    #expect(gap(wide.scores.compactMap { $0 }, narrow.scores.compactMap { $0 }) < 1e-10)
  }

  @Test("R² ignores offsets and one scale of the features, and a scale of each target")
  func invariances() throws {
    let x = MadeUp.noise(50, 8, seed: 6)
    let y = x.times(MadeUp.noise(8, 2, seed: 7)) + MadeUp.noise(50, 2, seed: 8)
    let plain = try RidgeProbe()(x, y)
    let moved = try RidgeProbe()(
      (x + 5) * 300, y * Tensor([2.0, -0.01], shape: [1, 2]) + 1)
    let turned = try RidgeProbe()(x.times(MadeUp.orthogonal(8, seed: 9)), y)
    for other in [moved, turned] {
      #expect(plain.penalties == other.penalties)
      #expect(gap(other.scores.compactMap { $0 }, plain.scores.compactMap { $0 }) < 1e-10)
    }
    // A single neuron's scale counts.
    let one = Tensor([50.0] + [Double](repeating: 1, count: 7), shape: [1, 8])
    #expect(try RidgeProbe()(x * one, y).scores != plain.scores)
    // Targets do not see one another.
    let alone = try RidgeProbe()(x, y.sliced(1, 1, 2))
    #expect(gap(alone.scores.compactMap { $0 }, [plain.scores[1] ?? .nan]) < 1e-12)
    #expect(try RidgeProbe()(x, y) == plain && RidgeProbe(seed: 1)(x, y) != plain)
  }

  @Test("what is there is found; of chance, R² is not above 0 by more than chance")
  func chance() throws {
    let x = MadeUp.noise(200, 30, seed: 1)
    let linear = try RidgeProbe()(x, x.times(MadeUp.noise(30, 2, seed: 2)))
    #expect(linear.scores.allSatisfy { ($0 ?? 0) > 1 - 1e-9 })
    let noise = try RidgeProbe()(x, MadeUp.noise(200, 20, seed: 3))
    let scores = noise.scores.compactMap { $0 }
    #expect(scores.reduce(0, +) / 20 < 0.02 && scores.contains { $0 < 0 })
  }

  @Test("features that vary in one fold only predict the mean elsewhere, and no NaN")
  func oneFold() throws {
    for width in [3, 60] {
      let probe = RidgeProbe(seed: 5)
      let held = Set(probe.parts(of: 20)[0])
      let values = (0..<20).flatMap { row in
        (0..<width).map { held.contains(row) ? Double(row * width + $0) : 0.1 }
      }
      let result = try probe(Tensor(values, shape: [20, width]), MadeUp.noise(20, 2, seed: 1))
      #expect(result.scores.allSatisfy { $0?.isFinite == true })
    }
  }

  @Test("every part is predicted once, and sizes differ by one at most")
  func parts() {
    for (count, folds) in [(23, 5), (10, 5), (7, 2), (12, 11)] {
      let parts = RidgeProbe(folds: folds, seed: 8).parts(of: count)
      #expect(parts.count == folds && parts.flatMap { $0 }.sorted() == Array(0..<count))
      let sizes = parts.map(\.count)
      #expect(sizes == sizes.sorted(by: >) && (sizes.first ?? 0) - (sizes.last ?? 0) <= 1)
    }
  }

  @Test("what cannot be probed is refused")
  func refusals() throws {
    let probe = RidgeProbe()
    let (x, y) = (MadeUp.noise(20, 4, seed: 1), MadeUp.noise(20, 3, seed: 2))
    #expect(throws: MeasureError.tooFew(measure: "ridge-probe", images: 4, needed: 5)) {
      try probe(x.sliced(0, 0, 4), y.sliced(0, 0, 4))
    }
    #expect(try probe(x.sliced(0, 0, 5), y.sliced(0, 0, 5)).images == 5)
    #expect(throws: MeasureError.tooFew(measure: "ridge-probe", images: 5, needed: 6)) {
      try RidgeProbe(folds: 2)(x.sliced(0, 0, 5), y.sliced(0, 0, 5))
    }
    #expect(throws: MeasureError.unequalCounts(measure: "ridge-probe", left: 20, right: 19)) {
      try probe(x, y.sliced(0, 1))
    }
    #expect(throws: MeasureError.constant(measure: "ridge-probe")) { try probe(x * 0 + 0.1, y) }
    #expect(throws: MeasureError.notFinite(measure: "ridge-probe")) { try probe(x / 0, y) }
    #expect(throws: MeasureError.notFinite(measure: "ridge-probe")) { try probe(x, y * .nan) }
    #expect(
      throws: MeasureError.shape(
        measure: "ridge-probe", expected: "[images, targets]", found: [20])
    ) { try probe(x, y.selected(1, 0)) }
    #expect(
      throws: MeasureError.shape(measure: "ridge-probe", expected: "[images, width]", found: [20])
    ) { try probe(x.selected(1, 0), y) }
  }
}
