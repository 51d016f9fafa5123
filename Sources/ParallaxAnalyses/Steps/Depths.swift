/// Where some models' blocks stand in the list of all representations, and how deep.
struct Depths: Sendable {
  /// Of each model the places of its blocks, in execution order.
  let blocks: [[Int]]

  /// Relative depth of block `index` among `count`: from 0 to 1.
  static func relative(_ index: Int, of count: Int) -> Double {
    count > 1 ? Double(index) / Double(count - 1) : 0
  }

  /// Relative depths of a model's blocks.
  func relative(_ model: Int) -> [Double] {
    blocks[model].indices.map { Self.relative($0, of: blocks[model].count) }
  }

  /// The value of a table of blocks × blocks at one relative depth of both sides: linear on the two triangles that each
  /// cell's diagonal makes of it, so that the curve of a model with itself touches no cell beside the diagonal.
  ///
  /// A corner that is undefined, and weighs something, makes the value undefined.
  func diagonal(
    _ a: Int, _ b: Int, at depth: Double, _ value: (Int, Int) -> Double?
  ) -> Double? {
    let (row, f) = Self.between(depth, blocks[a].count)
    let (column, g) = Self.between(depth, blocks[b].count)
    let corners: [(Int, Int, weight: Double)] = [
      (row, column, 1 - max(f, g)), (row + 1, column, max(0, f - g)),
      (row, column + 1, max(0, g - f)), (row + 1, column + 1, min(f, g)),
    ]
    var total = 0.0
    for (i, j, weight) in corners where weight > 0 {
      guard let cell = value(blocks[a][i], blocks[b][j]) else { return nil }
      total += weight * cell
    }
    return total
  }

  /// The block before a relative depth, and the share of the way to the next.
  private static func between(_ depth: Double, _ count: Int) -> (Int, Double) {
    let place = depth * Double(count - 1)
    let low = min(max(0, Int(place + 1e-9)), count - 1)
    return (low, max(0, min(1, place - Double(low))))
  }

  /// The blocks that a stretch of relative depth lies between: the last one not after its beginning, and the first not
  /// before its end.
  func around(_ model: Int, _ from: Double, _ to: Double) -> (Int, Int) {
    let last = blocks[model].count - 1
    return (
      min(last, Int(from * Double(last) + 1e-9)),
      min(last, Int((to * Double(last) - 1e-9).rounded(.up)))
    )
  }
}

/// Statistics of short lists.
enum Statistics {
  /// The mean; nil of nothing, or where one is undefined.
  static func mean(_ values: [Double?]) -> Double? {
    let known = values.compactMap(\.self)
    guard !known.isEmpty, known.count == values.count else { return nil }
    return known.reduce(0, +) / Double(known.count)
  }

  /// The standard deviation of a sample, divided by n − 1; nil of fewer than two.
  static func deviation(_ values: [Double]) -> Double? {
    guard values.count > 1 else { return nil }
    let mean = values.reduce(0, +) / Double(values.count)
    let spread = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (spread / Double(values.count - 1)).squareRoot()
  }

  /// Spearman's rank correlation, ties by mean ranks; nil where a side does not vary.
  static func spearman(_ x: [Double], _ y: [Double]) -> Double? {
    let (a, b) = (centredRanks(x), centredRanks(y))
    let products = zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
    let (left, right) = (a.reduce(0) { $0 + $1 * $1 }, b.reduce(0) { $0 + $1 * $1 })
    return left > 0 && right > 0 ? products / (left * right).squareRoot() : nil
  }

  private static func centredRanks(_ values: [Double]) -> [Double] {
    let middle = Double(values.count + 1) / 2
    return values.map { value in
      let (less, equal) = (values.count { $0 < value }, values.count { $0 == value })
      return Double(less) + Double(equal + 1) / 2 - middle
    }
  }
}
