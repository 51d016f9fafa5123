extension SimilarityResult {
  /// A site and the site of another model that it is most similar to.
  public struct Partner: Codable, Sendable, Equatable {
    /// The row.
    public var site: Int
    /// The column of the largest value; nil where the whole row is undefined.
    public var partner: Int?
    /// The largest value.
    public var value: Double?
    /// The lower end of its 95 % interval.
    public var low: Double?
    /// The upper end.
    public var high: Double?
  }

  /// The strongest partner among model `b`'s sites of each site of model `a`.
  ///
  /// With itself, a site's partner is another site. Ties go to the earlier site.
  public func partners(_ a: Int, _ b: Int) -> [Partner] {
    guard let matrix = matrix(a, b) else { return [] }
    return matrix.values.enumerated().map { row, values in
      var best: (column: Int, value: Double)?
      for (column, value) in values.enumerated() where a != b || column != row {
        if let value, best.map({ value > $0.value }) ?? true { best = (column, value) }
      }
      let ends = interval(
        best?.value, error: best.flatMap { matrix.errors?[row][$0.column] })
      return Partner(
        site: row, partner: best?.column, value: best?.value, low: ends?.low, high: ends?.high)
    }
  }

  /// The path from the first pair of sites to the last, forward in both models, whose mean similarity is
  /// largest: dynamic time warping with steps (1, 0), (0, 1) and (1, 1), maximising the sum of
  /// similarities minus the path's own mean by bisection on that mean.
  ///
  /// - Returns: pairs (row, column); empty where no cell is defined. An undefined cell on the
  ///   way counts neither for nor against a path.
  public func path(_ a: Int, _ b: Int) -> [(row: Int, column: Int)] {
    guard let values = matrix(a, b)?.values, let columns = values.first?.count, columns > 0 else {
      return []
    }
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

  private func walk(
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
        var choice = (sum: -Double.infinity, step: 0)
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
