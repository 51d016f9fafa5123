import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxMeasures

@Suite("Assignment")
struct AssignmentTests {
  /// The least sum by trying everything, rows ≤ columns.
  private func exhaustive(_ costs: [Double], _ width: Int, row: Int = 0, used: Set<Int> = [])
    -> Double
  {
    if row == costs.count / width { return 0 }
    return (0..<width).filter { !used.contains($0) }.map {
      costs[row * width + $0] + exhaustive(costs, width, row: row + 1, used: used.union([$0]))
    }.min() ?? .infinity
  }

  private func check(_ assignment: Assignment, _ height: Int, _ width: Int) {
    let count = min(height, width)
    #expect(assignment.rows.count == count && assignment.columns.count == count)
    #expect(Set(assignment.rows).count == count && Set(assignment.columns).count == count)
    #expect(assignment.rows.allSatisfy((0..<height).contains))
    #expect(assignment.columns.allSatisfy((0..<width).contains))
  }

  @Test("the least sum is SciPy's: square, rectangular, with ties, over eighteen decades")
  func scipy() throws {
    let file = try Safetensors(fixtures.appending(path: "similarity/alignment.safetensors").path)
    let least = try #require(file["assignment/least"]).scalars(Double.self)
    #expect(least.count == 15)
    for (index, expected) in least.enumerated() {
      let costs = try #require(file["assignment/\(index)"])
      let (height, width) = (costs.shape[0], costs.shape[1])
      let values = costs.scalars(Double.self)
      let found = Assignment(costs: values, width: width)
      check(found, height, width)
      let total = found.total(values, width: width)
      #expect(abs(total - expected) <= 1e-12 * max(1, abs(expected)), "\(index): \(total)")
    }
  }

  @Test("nothing is better, small problems with and without ties", arguments: [false, true])
  func small(_ hasTies: Bool) {
    var seed: UInt64 = 0
    for height in 1...5 {
      for width in height...6 {
        for _ in 0..<6 {
          seed += 1
          let draws = MadeUp.noise(height, width, seed: seed).scalars(Double.self)
          let costs = hasTies ? draws.map { $0.rounded() } : draws
          let found = Assignment(costs: costs, width: width)
          check(found, height, width)
          #expect(abs(found.total(costs, width: width) - exhaustive(costs, width)) < 1e-12)
          // The other way round, and with one number taken off every row.
          let turned = Tensor(costs, shape: [height, width]).transposed().scalars(Double.self)
          let back = Assignment(costs: turned, width: height)
          check(back, width, height)
          #expect(
            abs(back.total(turned, width: height) - found.total(costs, width: width)) < 1e-12)
        }
      }
    }
  }

  @Test("a hidden permutation of three hundred is found")
  func permutation() {
    let order = RandomSource(seed: 7).permutation(300).scalars(Int64.self).map(Int.init)
    var costs = MadeUp.noise(300, 300, seed: 8).absolute().scalars(Double.self)
    for (row, column) in order.enumerated() { costs[row * 300 + column] = -1 }
    let found = Assignment(costs: costs, width: 300)
    #expect(found.columns == order && found.rows == Array(0..<300))
  }

  @Test("equal costs everywhere, and costs that differ only by row and column, end")
  func degenerate() {
    for costs in [
      [Double](repeating: 0, count: 3600), (0..<3600).map { Double($0 / 60 + $0 % 60) },
    ] {
      let found = Assignment(costs: costs, width: 60)
      check(found, 60, 60)
      #expect(found.total(costs, width: 60) == costs.reduce(0, +) / 60)
    }
  }
}
