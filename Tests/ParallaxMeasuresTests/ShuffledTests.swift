import Parallax
import Testing

@testable import ParallaxMeasures

@Suite("The baseline of shuffled pairs")
struct ShuffledTests {
  private func sums(
    _ features: [Tensor], blocks: Int, permutations: Int = 4, seed: UInt64 = 0,
    _ estimator: Estimator = .debiased
  ) throws -> CKAMatrix {
    var options = MinibatchCKA.Options()
    options.precision = .float64
    (options.permutations, options.seed, options.estimator) = (permutations, seed, estimator)
    let sums = MinibatchCKA(count: features.count, options: options)
    let size = features[0].shape[0] / blocks
    for block in 0..<blocks {
      try sums.add(
        block: block, features: features.map { $0.sliced(0, block * size, (block + 1) * size) })
    }
    return try sums.result()
  }

  @Test(
    "a packed matrix in another order is the reordered matrix packed", arguments: Estimator.allCases
  )
  func reordered(_ estimator: Estimator) {
    let images = 7
    let packing = Packing(images: images, estimator: estimator, device: .cpu)
    let root = MadeUp.noise(images, images, seed: 2)
    let matrix = root + root.transposed()
    let order = [3, 0, 6, 1, 5, 2, 4]
    let moved = matrix.gathered(0, order).gathered(1, order)
    let packed = matrix.reshaped(-1).gathered(0, packing.indices)
    let expected = moved.reshaped(-1).gathered(0, packing.indices)
    let found = packed.gathered(0, packing.reordered(order))
    #expect(found.scalars(Double.self) == expected.scalars(Double.self))
    #expect(found.scalars(Double.self) != packed.scalars(Double.self))
    #expect(packing.count == (estimator == .debiased ? 21 : 28))
  }

  @Test("a shuffled value is the CKA of some other pairing of the same images")
  func somePairing() throws {
    let pair = MadeUp.related(5, [3, 2], seed: 3)
    let draws = try #require(try sums(pair, blocks: 1, permutations: 30).shuffled?.draws)
    var possible: [Double] = []
    func permutations(_ rest: [Int], _ chosen: [Int]) throws {
      if rest.isEmpty { possible.append(try CKA()(pair[0], pair[1].rows(chosen))) }
      for (place, item) in rest.enumerated() {
        var left = rest
        left.remove(at: place)
        try permutations(left, chosen + [item])
      }
    }
    try permutations(Array(0..<5), [])
    #expect(possible.count == 120)
    for draw in draws {
      #expect(possible.contains { abs($0 - draw[1]) < 1e-10 }, "\(draw[1])")
    }
    #expect(Set(draws.map { ($0[1] * 1e9).rounded() }).count > 10, "the draws differ")
  }

  @Test("related representations lose their likeness when shuffled, but not the biased part of it")
  func level() throws {
    let features = MadeUp.related(320, [24, 20], noise: 1.5, seed: 9)
    let debiased = try sums(features, blocks: 10)
    let chance = try #require(debiased.shuffled?.summary(rows: 0..<1, columns: 1..<2))
    #expect(try #require(debiased[0, 1]) > 0.3)
    #expect(abs(chance.mean) < 0.05 && chance.quantile95 < 0.15)
    let biased = try sums(features, blocks: 10, .biased)
    let level = try #require(biased.shuffled?.summary(rows: 0..<1, columns: 1..<2))
    #expect(level.mean > 0.1)
    #expect(try #require(biased[0, 1]) > level.quantile95)
  }

  @Test("the seed decides the shuffles, and nothing else")
  func seeds() throws {
    let features = MadeUp.related(64, [5, 7], seed: 10)
    let (a, again) = (try sums(features, blocks: 4), try sums(features, blocks: 4))
    let other = try sums(features, blocks: 4, seed: 1)
    #expect(a.shuffled?.draws == again.shuffled?.draws)
    #expect(a.shuffled?.draws != other.shuffled?.draws && a.values == other.values)
    #expect(try sums(features, blocks: 4, permutations: 0).shuffled == nil)
    #expect(a.shuffled?.draws.count == 4)
  }

  @Test("mean and quantile are those of NumPy over the cells of a part")
  func summary() throws {
    let cells = (0..<9).map { Double($0 * $0) }
    let shuffled = ShuffledCKA(size: 3, draws: [cells, cells.map { -$0 }])
    let part = try #require(shuffled.summary(rows: 0..<2, columns: 1..<3))
    // np.mean and np.quantile(…, 0.95) of ±[1, 4, 16, 25].
    #expect(part.mean == 0)
    #expect(abs(part.quantile95 - 21.85) < 1e-12)
  }
}
