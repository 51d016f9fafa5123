import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxMeasures

/// `Tests/Fixtures/kstar/tsne.safetensors`: scikit-learn's exact t-SNE, part by part.
@Suite("t-SNE")
struct TSNETests {
  private let file: Safetensors
  private let perplexity = 10.0

  init() throws { file = try Safetensors(fixtures.appending(path: "kstar/tsne.safetensors").path) }

  private func tensor(_ name: String) throws -> Tensor { try #require(file[name], "\(name)") }

  /// The largest difference over the largest number.
  private func distance(_ a: Tensor, _ b: Tensor) -> Double {
    #expect(a.shape == b.shape)
    return (a - b).absolute().maximum().item(Double.self)
      / b.absolute().maximum().item(Double.self)
  }

  private func rows(_ x: Tensor) throws -> DistanceRows {
    try DistanceRows(x, .euclidean, fewest: 5, measure: "test")
  }

  private func affinities() throws -> Affinities {
    try Affinities(rows(tensor("features")), perplexity: perplexity)
  }

  /// The upper triangle, row by row, as SciPy's condensed form.
  private func condensed(_ matrix: Tensor) -> Tensor {
    let (n, flat) = (matrix.shape[0], matrix.contiguous().scalars(Double.self))
    let upper = (0..<n).flatMap { row in ((row + 1)..<n).map { flat[row * n + $0] } }
    return Tensor(upper, shape: [upper.count])
  }

  @Test("affinities are the definition's, and scikit-learn's as far as it halves")
  func affinitiesAgree() throws {
    let found = try affinities()
    #expect(distance(condensed(found.matrix), try tensor("affinities")) < 1e-9)
    #expect(distance(condensed(found.matrix), try tensor("affinities/scikit-learn")) < 2e-5)
    #expect(found.matrix.diagonal().absolute().maximum().item(Double.self) == 0)
    #expect(abs(found.matrix.sum().item(Double.self) - 1) < 1e-12)
    #expect((found.matrix - found.matrix.transposed()).absolute().sum().item(Double.self) == 0)
    #expect(found.crowded == 0)
    // No scale of the features matters, nor an offset.
    for factor in [1e-12, 1e15] {
      let other = try Affinities(rows(tensor("features") * factor), perplexity: perplexity)
      #expect(distance(other.matrix, found.matrix) < 1e-8)
    }
  }

  @Test("cost and gradient are scikit-learn's", arguments: [("plain", 1.0), ("exaggerated", 12)])
  func gradient(_ name: String, _ factor: Double) throws {
    let descent = TSNE.Descent(try affinities(), from: try tensor("points"), rate: 50)
    let found = descent.gradient(exaggeration: factor, hasCost: true)
    #expect(distance(found.gradient, try tensor("\(name)/gradient")) < 1e-9)
    let cost = try tensor("\(name)/cost").item(Double.self)
    #expect(abs(found.cost - cost) < 1e-9 * abs(cost), "\(found.cost)")
  }

  @Test(
    "steps are scikit-learn's, momentum and gains among them",
    arguments: [(1, 1e-9), (5, 1e-7), (15, 1e-4)])
  func steps(_ count: Int, _ tolerance: Double) throws {
    // A descent is chaotic: what differs in the last digit differs in the first after forty steps.
    var descent = TSNE.Descent(try affinities(), from: try tensor("start"), rate: 50)
    for _ in 0..<count { _ = descent.step(exaggeration: 12, momentum: 0.5, hasCost: false) }
    let error = distance(descent.points, try tensor("steps/\(count)"))
    #expect(error < tolerance, "\(error)")
  }

  @Test("both parts of the schedule are scikit-learn's, shortened")
  func schedule() throws {
    var tsne = TSNE(perplexity: perplexity)
    (tsne.explored, tsne.iterations) = (8, 16)
    var descent = TSNE.Descent(try affinities(), from: try tensor("start"), rate: 50)
    #expect(try tsne.run(&descent) == 16)
    let error = distance(descent.points, try tensor("schedule/points"))
    #expect(error < 1e-4, "\(error)")
    // Near its end a descent is stable.
    var late = TSNE.Descent(try affinities(), from: try tensor("whole/points"), rate: 50)
    for _ in 0..<30 { _ = late.step(exaggeration: 1, momentum: 0.8, hasCost: false) }
    let drift = distance(late.points, try tensor("late/points"))
    #expect(drift < 1e-6, "\(drift)")
  }

  @Test("a whole descent is as good as scikit-learn's from starts a billionth apart")
  func whole() throws {
    let (x, start) = (try tensor("features"), try tensor("start"))
    // Any scale of the start.
    let found = try TSNE(perplexity: perplexity)(x, from: start * 3e4)
    let costs = try tensor("whole/costs").scalars(Double.self)
    let (low, high) = (try #require(costs.min()), try #require(costs.max()))
    #expect(costs.count == 24 && low < 0.9 * high)
    #expect(found.divergence > 0.97 * low && found.divergence < 1.03 * high, "\(found.divergence)")
    #expect(found.iterations == 1000 && found.perplexity == perplexity)
    let points = Tensor(found.points.flatMap { [$0.x, $0.y] }, shape: [found.points.count, 2])
    let quality = try LatentMap.quality(of: x, map: points, neighbours: 5)
    let trust = try tensor("whole/trustworthiness").scalars(Double.self)
    #expect(quality.trustworthiness > (trust.min() ?? 1) - 0.01)
    // What it says of itself is the divergence of its points.
    let descent = TSNE.Descent(try affinities(), from: points, rate: 50)
    let cost = descent.gradient(exaggeration: 1, hasCost: true).cost
    #expect(abs(cost - found.divergence) < 1e-12)
    #expect(try TSNE(perplexity: perplexity)(x, from: start * 3e4) == found)
  }

  @Test("few images, images that coincide, images on a line: the perplexity gives way, and is told")
  func degenerate() throws {
    let x = try tensor("features")
    func start(_ x: Tensor) throws -> Tensor {
      let map = try LatentMap(x)
      return Tensor(map.points.flatMap { [$0.x, $0.y] }, shape: [map.points.count, 2])
    }
    func layout(_ x: Tensor, _ perplexity: Double = 30) throws -> TSNE.Layout {
      var tsne = TSNE(perplexity: perplexity)
      tsne.iterations = 300
      let found = try tsne(x, from: start(x))
      #expect(found.points.count == x.shape[0] && found.divergence.isFinite)
      #expect(found.points.allSatisfy { $0.x.isFinite && $0.y.isFinite })
      return found
    }
    #expect(try layout(x).perplexity == Double(x.shape[0] - 1) / 3)
    #expect(try layout(x.sliced(0, 0, 5)).perplexity == 4.0 / 3)
    // Twenty in one place, of which each has nineteen others there: more than the perplexity.
    let together = Tensor.concatenated(
      [x.sliced(0, 0, 30)] + (0..<20).map { _ in x.sliced(0, 40, 41) }, 0)
    let found = try layout(together, 10)
    #expect(found.crowded == 20)
    let group = found.points[30...]
    let centre = group.reduce(SIMD2(0, 0), +) / 20
    func away(_ point: SIMD2<Double>) -> Double { ((point - centre) * (point - centre)).sum() }
    #expect(group.map(away).max() ?? 1 < found.points[..<30].map(away).min() ?? 0)
    let pair = try Affinities(rows(together), perplexity: 10)
    let share = pair.matrix.selected(0, 30).sliced(0, 31, 50).sum().item(Double.self)
    #expect(abs(share - 1.0 / 50) < 1e-12)
    // Simplex: all equally far from all.
    let simplex = try layout(Tensor.identity(12, .float64) * 3.0, 3)
    #expect(simplex.crowded == 12)
    // A line leaves the line.
    let line = try layout(Tensor((0..<40).map(Double.init), shape: [40, 1]), 5)
    #expect(Set(line.points.map(\.y)).count == 40)
    for bad in [x.sliced(0, 0, 4), x / 0.0, x.sliced(0, 0, 1).expanded(8, 7)] {
      #expect(throws: MeasureError.self) {
        try TSNE()(bad, from: Tensor.identity(bad.shape[0], .float64).sliced(1, 0, 2))
      }
    }
    #expect(throws: MeasureError.self) { try TSNE()(x, from: x) }
    #expect(throws: CancellationError.self) {
      try TSNE()(x, from: start(x)) { if $0 > 0.5 { throw CancellationError() } }
    }
  }
}
