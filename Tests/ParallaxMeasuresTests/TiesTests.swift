import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxMeasures

@Suite("The information imbalance where images are equally far")
struct TiesTests {
  /// Whole numbers, so that many distances are equal and so are some rows.
  private func whole(_ images: Int, _ width: Int, below top: Double, seed: UInt64) -> Tensor {
    let draws = RandomSource(seed: seed).uniform([images, width]).scalars(Float.self)
    return Tensor(
      draws.map { (Double($0) * top).rounded(.down) }, shape: [images, width])
  }

  private func squares(_ x: Tensor) -> [[Double]] {
    let rows = (0..<x.shape[0]).map { x.selected(0, $0).scalars(Double.self) }
    return rows.map { a in
      rows.map { b in zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } }
    }
  }

  /// By the definition, an image and a pair at a time.
  private func brute(_ x: Tensor, _ y: Tensor, _ k: Int) -> Double {
    let (a, b) = (squares(x), squares(y))
    let n = a.count
    var total = 0.0
    for i in 0..<n {
      let others = (0..<n).filter { $0 != i }
      for j in others {
        let nearer = others.count { a[i][$0] < a[i][j] }
        let asFar = others.count { a[i][$0] == a[i][j] }
        let chance = min(1, max(0, Double(k - nearer) / Double(asFar)))
        let rank =
          1 + Double(others.count { b[i][$0] < b[i][j] })
          + Double(others.count { $0 != j && b[i][$0] == b[i][j] }) / 2
        total += chance * rank
      }
    }
    return 2 * total / Double(n * n * k)
  }

  @Test(
    "values are SciPy's average ranks over every choice of neighbours, both ways",
    arguments: ["lattice", "mirrored", "scalar", "three"])
  func oracle(_ name: String) throws {
    let file = try Safetensors(fixtures.appending(path: "similarity/ties.safetensors").path)
    let (x, y) = (try #require(file["\(name)/x"]), try #require(file["\(name)/y"]))
    let sets = try #require(file.metadata["sets"])
    let keys = try #require(
      try JSONDecoder().decode([String: [String]].self, from: Data(sets.utf8))[name])
    let values = try #require(file["\(name)/values"]).scalars(Double.self)
    #expect(keys.count == 15 && values.count == 15)
    let measures = [1, 3, 5].flatMap { k in
      InformationImbalance.Normalization.allCases.map {
        ExpectedInformationImbalance(InformationImbalance(neighbours: k, normalization: $0))
      }
    }
    for (key, value) in zip(keys, values) {
      if let k = [1, 3, 5].first(where: { key == "strict\($0 == 1 ? "" : "-k\($0)")" }) {
        let imbalance = InformationImbalance(neighbours: k)
        let side = try Neighbours(of: x, count: k, distance: .euclidean)
        let found = try imbalance.strictValues(from: [side, side], to: y)
        #expect(found.allSatisfy { abs($0 - value) < 1e-12 }, "\(key): \(found), \(value)")
        #expect(throws: MeasureError.self) {
          let other = try Neighbours(of: x, count: k + 1, distance: .euclidean)
          _ = try imbalance.strictValues(from: [other], to: y)
        }
        continue
      }
      let measure = try #require(measures.first { key == $0.name || key == $0.name + "/back" })
      let found = key.hasSuffix("/back") ? try measure(y, x) : try measure(x, y)
      #expect(abs(found - value) < 1e-12, "\(key): \(found), \(value)")
      let narrow =
        try key.hasSuffix("/back")
        ? measure(y.to(.float32), x.to(.float32)) : measure(x.to(.float32), y.to(.float32))
      #expect(abs(narrow - value) < 1e-12, "\(key) in float32: \(narrow), \(value)")
    }
  }

  @Test("brute force on whole numbers with hundreds of ties, and the ranks themselves")
  func bruteForce() throws {
    for (seed, k) in [(3, 1), (4, 2), (5, 7)] as [(UInt64, Int)] {
      let x = whole(45, 2, below: 4, seed: seed)
      let y = whole(45, 1, below: 6, seed: seed + 20)
      let measure = ExpectedInformationImbalance(InformationImbalance(neighbours: k))
      for (a, b) in [(x, y), (y, x), (x, x)] {
        let value = try measure(a, b)
        #expect(abs(value - brute(a, b, k)) < 1e-12)
      }
    }
    let line = Tensor([0, 1, -1, 2, -2, 4] as [Double], shape: [6, 1])
    let ranks = try ExpectedInformationImbalance().summary(of: line)
    #expect((0..<6).map { ranks.rank(of: $0, from: 0) } == [0, 1.5, 1.5, 3.5, 3.5, 5])
    #expect(ranks.duplicates == 0)
  }

  @Test("without ties it is the information imbalance, to the last digit")
  func untied() throws {
    let pair = MadeUp.related(70, [5, 8], seed: 6)
    for dtype in [DType.float32, .float64] {
      let (x, y) = (pair[0].to(dtype), pair[1].to(dtype))
      for k in [1, 4] {
        for normalization in InformationImbalance.Normalization.allCases {
          let strict = InformationImbalance(neighbours: k, normalization: normalization)
          let expected = ExpectedInformationImbalance(strict)
          let (a, b) = (try expected(x, y), try strict(x, y))
          let (own, floor) = (try expected(x, x), strict.selfValue(images: 70) ?? .nan)
          #expect(a == b && abs(own - floor) < 1e-15)
        }
      }
    }
    let allowing = InformationImbalance(neighbours: 4).allowingTies
    #expect(allowing.name == "information-imbalance-expected-k4")
    #expect(CKA().allowingTies.name == "cka")
  }

  @Test("equal rows are exactly as far from every other, whatever the products round to")
  func equalRows() throws {
    let base = MadeUp.noise(40, 64, seed: 2).to(.float32) + 3.0
    let order = (0..<90).map { ($0 * 37) % 40 }
    let x = base.rows(order)
    let summary = try ExpectedInformationImbalance().summary(of: x)
    #expect(summary.duplicates == 90)
    for image in 0..<90 {
      for other in 0..<90 where other != image {
        let twins = (0..<90).filter { $0 != image && order[$0] == order[other] }
        let ranks = twins.map { summary.rank(of: $0, from: image) }
        #expect(Set(ranks).count == 1)
      }
    }
    #expect(summary.firstDuplicate == [0, 40])
    // Every group of equals is found, and each row's first.
    #expect(EqualRows.firsts(of: base) == nil)
    let firsts = order.compactMap { order.firstIndex(of: $0) }
    #expect(EqualRows.firsts(of: x) == firsts)
    let zeros = Tensor([0, 1, -0.0, 1] as [Float], shape: [2, 2])
    #expect(EqualRows.firsts(of: zeros) == [0, 0])
  }

  @Test(
    "all numbers of a matrix are those of each selection by itself, a second side at a time",
    arguments: [DType.float32, .float64])
  func selections(dtype: DType) throws {
    var options = MeasureMatrix.Options()
    (options.permutations, options.groups, options.seed) = (4, 5, 9)
    let features = [
      whole(40, 2, below: 4, seed: 1), whole(40, 1, below: 2, seed: 2),
      MadeUp.noise(40, 3, seed: 3), Tensor.ones([40, 2], .float64),
    ].map { $0.to(dtype) }
    let measures = [1, 5].map {
      ExpectedInformationImbalance(InformationImbalance(neighbours: $0))
    }
    let found = try MeasureMatrix.all(measures, of: features, options: options)
    let samples = Samples(options, images: 40, isShuffled: true)
    for (measure, matrix) in zip(measures, found) {
      #expect(matrix.refusals.map(\.index) == [3])
      for a in 0..<3 {
        for b in 0..<3 {
          let value = try measure(features[a], features[b])
          #expect(matrix[a, b] == value)
          for (group, kept) in samples.kept.enumerated() {
            let (x, y) = (features[a].rows(kept), features[b].rows(kept))
            let value = try measure(x, y)
            #expect(abs(matrix.leftOut[group][a * 4 + b] - value) < 1e-12)
          }
          for (place, order) in samples.orders.enumerated() {
            let value = try measure(features[a], features[b].rows(order))
            #expect(abs(matrix.shuffled[place][a * 4 + b] - value) < 1e-12)
          }
        }
      }
    }
    // What is constant without a group has no value there.
    var lone = [Double](repeating: 0, count: 40)
    lone[7] = 1
    let one = Tensor(lone, shape: [40, 1]).to(dtype)
    let matrix = try MeasureMatrix(measures[0], of: [one, features[2]], options: options)
    #expect(matrix.leftOut.count { $0[1].isNaN } == 1 && matrix[0, 1] != nil)
  }

  @Test("a second side that says nothing of the order has 1, and bad input is refused")
  func limits() throws {
    // All others are as far: the mean of all ranks, N/2.
    let simplex = Tensor((0..<25).map { $0 % 6 == 0 ? 1.0 : 0 }, shape: [5, 5])
    let x = MadeUp.noise(5, 2, seed: 8)
    let measure = ExpectedInformationImbalance()
    let zeroBased = ExpectedInformationImbalance(InformationImbalance(normalization: .zeroBased))
    let values = [
      try measure(x, simplex), try measure(simplex, x), try zeroBased(x, simplex),
    ]
    #expect(values.allSatisfy { abs($0 - 1) < 1e-15 })
    #expect(throws: MeasureError.constant(measure: "information-imbalance-expected")) {
      try measure(Tensor.ones([6, 2], .float64), MadeUp.noise(6, 2, seed: 1))
    }
    #expect(throws: MeasureError.self) { try measure(x, MadeUp.noise(6, 2, seed: 1)) }
    let five = ExpectedInformationImbalance(InformationImbalance(neighbours: 2))
    #expect(throws: MeasureError.self) {
      try measure.similarity(measure.summary(of: x), five.summary(of: x))
    }
  }

  @Test("each normalisation follows from the other")
  func renormalized() throws {
    let pair = MadeUp.related(31, [4, 6], seed: 5)
    let (paper, zero) = (
      InformationImbalance(neighbours: 3),
      InformationImbalance(neighbours: 3, normalization: .zeroBased)
    )
    let (a, b) = (try paper(pair[0], pair[1]), try zero(pair[0], pair[1]))
    #expect(abs(paper.renormalized(a, images: 31) - b) < 1e-14)
    #expect(abs(zero.renormalized(b, images: 31) - a) < 1e-14)
  }
}
