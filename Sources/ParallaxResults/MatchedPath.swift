/// The best-matching path through a table of similarities.
enum MatchedPath {
  /// The path from the first cell to the last, forward on both sides, whose mean value is largest: dynamic time
  /// warping with steps (1, 0), (0, 1) and (1, 1), maximising the sum of values minus the path's own mean by bisection
  /// on that mean.
  ///
  /// - Returns: pairs (row, column); empty where no cell is defined. An undefined cell on the way counts neither for
  ///   nor against a path.
  static func best(_ values: [[Double?]]) -> [(row: Int, column: Int)] {
    guard let columns = values.first?.count, columns > 0 else { return [] }
    // The best mean m is the largest for which some path has Σ (value − m) ≥ 0.
    let known = values.flatMap { $0.compactMap(\.self) }
    guard var low = known.min(), var high = known.max() else { return [] }
    var best = walk(values, columns, subtracting: low)
    for _ in 0..<40 {
      let middle = (low + high) / 2
      let found = walk(values, columns, subtracting: middle)
      if found.sum >= 0 { (low, best) = (middle, found) } else { high = middle }
    }
    return best.path
  }

  private static func walk(
    _ values: [[Double?]], _ columns: Int, subtracting mean: Double
  ) -> (sum: Double, path: [(row: Int, column: Int)]) {
    // An undefined cell costs nothing and gives nothing.
    func gain(_ row: Int, _ column: Int) -> Double { values[row][column].map { $0 - mean } ?? 0 }
    var sums = [[Double]](
      repeating: [Double](repeating: -.infinity, count: columns), count: values.count)
    var from = [[Int]](repeating: [Int](repeating: 0, count: columns), count: values.count)
    for row in values.indices {
      for column in 0..<columns {
        if row == 0, column == 0 {
          sums[0][0] = gain(0, 0)
          continue
        }
        // Sums beyond all numbers leave the first way that is open.
        var choice = (sum: -Double.infinity, step: row == 0 ? 2 : column == 0 ? 1 : 0)
        if row > 0, column > 0 { choice = (sums[row - 1][column - 1], 0) }
        if row > 0, sums[row - 1][column] > choice.sum { choice = (sums[row - 1][column], 1) }
        if column > 0, sums[row][column - 1] > choice.sum { choice = (sums[row][column - 1], 2) }
        sums[row][column] = choice.sum + gain(row, column)
        from[row][column] = choice.step
      }
    }
    var (row, column) = (values.count - 1, columns - 1)
    var path = [(row: row, column: column)]
    while row > 0 || column > 0 {
      switch from[row][column] {
      case 0: (row, column) = (row - 1, column - 1)
      case 1: row -= 1
      default: column -= 1
      }
      path.append((row, column))
    }
    return (sums[values.count - 1][columns - 1], path.reversed())
  }
}
