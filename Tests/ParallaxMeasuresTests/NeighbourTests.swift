import Parallax
import Testing

@testable import ParallaxMeasures

@Suite("Neighbours")
struct NeighbourTests {
  /// Distances by the definition, nearest first, ties by the lowest index.
  private func nearest(_ x: [[Double]], _ k: Int) -> [[Int]] {
    x.indices.map { i in
      x.indices.filter { $0 != i }.sorted { a, b in
        let (d, e) = (square(x[i], x[a]), square(x[i], x[b]))
        return d == e ? a < b : d < e
      }.prefix(k).map { $0 }
    }
  }

  private func square(_ a: [Double], _ b: [Double]) -> Double {
    zip(a, b).map { ($0 - $1) * ($0 - $1) }.reduce(0, +)
  }

  private func matrix(_ x: [[Double]]) -> Tensor {
    Tensor(x.flatMap { $0 }, shape: [x.count, x[0].count])
  }

  @Test("whole numbers have the neighbours of the definition, ties and duplicates and all")
  func ties() throws {
    let draws = RandomSource(seed: 8).uniform([40, 3]).scalars(Float.self)
    let x = (0..<40).map { i in (0..<3).map { j in Double((draws[3 * i + j] * 4).rounded(.down)) } }
    for dtype in [DType.float64, .float32] {
      let found = try Neighbours(of: matrix(x).to(dtype), count: 6, distance: .euclidean)
      let expected = nearest(x, 7)
      #expect((0..<40).map(found.nearest) == expected.map { Array($0.prefix(6)) })
      var (ties, duplicates) = (0, 0)
      for i in 0..<40 {
        let distances = expected[i].map { square(x[i], x[$0]) }
        ties += zip(distances, distances.dropFirst()).filter { $0 == $1 }.count
        duplicates += distances[0] == 0 ? 1 : 0
      }
      #expect(found.ties == ties && found.duplicates == duplicates)
      #expect(ties > 50 && duplicates > 5)
    }
  }

  @Test("ranks are one more than the number of nearer images, and serve every pair")
  func ranks() throws {
    let x = MadeUp.noise(30, 5, seed: 12)
    for dtype in [DType.float64, .float32] {
      let ranks = try InformationImbalance(neighbours: 2).summary(of: x.to(dtype))
      let rows = (0..<30).map { x.selected(0, $0).scalars(Double.self) }
      let order = nearest(rows, 29)
      for i in 0..<30 {
        #expect(ranks.rank(of: i, from: i) == 0)
        for (place, j) in order[i].enumerated() {
          #expect(ranks.rank(of: j, from: i) == place + 1)
        }
      }
      #expect(ranks.neighbours.nearest(to: 4) == Array(order[4].prefix(2)))
    }
  }

  @Test("equally far images share the lowest rank")
  func tiedRanks() throws {
    // From 0 on a line: 1 and −1 are equally far, 2 and −2 too.
    let x = Tensor([0, 1, -1, 2, -2, 4] as [Double], shape: [6, 1])
    let ranks = try InformationImbalance().summary(of: x)
    let found = (0..<6).map { ranks.rank(of: $0, from: 0) }
    #expect(found == [0, 1, 1, 3, 3, 5], "\(found) \(found.count)")
    #expect(ranks.neighbours.nearest(to: 0) == [1])
    #expect(ranks.neighbours.ties == 3)
  }

  @Test("information imbalance refuses equal rows by their numbers; shared neighbours count them")
  func duplicates() throws {
    let x = MadeUp.noise(20, 4, seed: 3)
    let twice = x.rows(Array(0..<19) + [7])
    let error = #expect(throws: MeasureError.self) { try InformationImbalance()(x, twice) }
    #expect(error == .duplicates(measure: "information-imbalance", rows: [7, 19]))
    #expect(try MutualKNN(neighbours: 3).summary(of: twice).duplicates == 2)
    let lowered = x * Tensor((0..<20).map { $0 == 5 ? 0.0 : 1.0 }, shape: [20, 1])
    #expect(
      throws: MeasureError.row(measure: "mutual-knn", row: 5, problem: "is zero and has no angle")
    ) {
      try MutualKNN()(lowered, x)
    }
    #expect(throws: MeasureError.self) {
      try RSA()(MadeUp.noise(9, 2, seed: 1), x.rows(Array(0..<9)))
    }
  }

  @Test("neither an offset nor a far image costs the others their neighbours in float32")
  func precision() throws {
    let x = MadeUp.noise(64, 8, seed: 5).to(.float32)
    let shifts = Tensor((0..<8).map { Float($0 % 2 == 0 ? 1000 : -300) }, shape: [1, 8])
    let shifted = x + shifts
    let scale = Tensor((0..<64).map { Float($0 == 9 ? 30_000 : 1) }, shape: [64, 1])
    for y in [shifted, x * scale] {
      let narrow = try Neighbours(of: y, count: 8, distance: .euclidean)
      let wide = try Neighbours(of: y.to(.float64), count: 8, distance: .euclidean)
      #expect((0..<64).map(narrow.nearest) == (0..<64).map(wide.nearest))
    }
  }

  @Test("blocks of distances join into the matrix, and near pairs are exact")
  func blocks() throws {
    let x = MadeUp.noise(50, 6, seed: 6) * 1e-3
    let y = Tensor.concatenated([x, x + 5.0, x.rows([3, 4])], 0)
    let rows = try DistanceRows(y, .euclidean, fewest: 2, measure: "m")
    let whole = rows.squaredMatrix()
    let parts = Tensor.concatenated([rows.squared(0..<41), rows.squared(41..<102)], 0)
    let values = (0..<102).map { y.selected(0, $0).scalars(Double.self) }
    for matrix in [whole, parts] {
      let found = matrix.scalars(Double.self)
      for i in 0..<102 {
        for j in 0..<102 {
          let expected = square(values[i], values[j])
          #expect(abs(found[102 * i + j] - expected) <= 1e-9 * expected, "\(i) \(j)")
        }
      }
    }
  }

  @Test("tau-b counts pairs as the definition does, with ties on both sides")
  func kendall() {
    let draws = RandomSource(seed: 2).uniform([2, 60]).scalars(Float.self)
    let (x, y) = (
      (0..<60).map { Double((draws[$0] * 9).rounded(.down)) },
      (0..<60).map { Double(((draws[$0] + draws[60 + $0]) * 4).rounded(.down)) }
    )
    var (balance, left, right) = (0.0, 0.0, 0.0)
    for i in 0..<60 {
      for j in 0..<i {
        let (a, b) = ((x[i] - x[j]), (y[i] - y[j]))
        balance += (a * b).sign == .minus ? -1 : a * b == 0 ? 0 : 1
        left += a == 0 ? 0 : 1
        right += b == 0 ? 0 : 1
        if a * b == 0, (a * b).sign == .minus { balance += 1 }
      }
    }
    let found = TiedOrder(Tensor(x, shape: [60])).tau(TiedOrder(Tensor(y, shape: [60])))
    #expect(abs(found - balance / (left * right).squareRoot()) < 1e-14)
    #expect(left < 1770 && right < 1770)
  }
}
