import ParallaxResults

/// The numbers of one connection over all images, and without each group of them.
struct ResidualTable {
  let grid: SpatialGrid
  /// Of all images, then without each group: the ratio of each token.
  let ratios: [[Double?]]
  /// The same of the cosines.
  let cosines: [[Double?]]
  let norms: (skip: Double?, branch: Double?)
  let undefined: Int

  /// A side of the grid that results hold, at most.
  static let side = 16

  init(
    _ totals: ResidualTotals, _ grid: SpatialGrid, images: Int,
    _ options: ResidualAnalysis.Options
  ) {
    self.grid = grid
    let tokens = grid.tokens
    let means = totals.means()
    func part(_ row: [Double?], _ number: Int) -> [Double?] {
      Array(row[number * tokens..<(number + 1) * tokens])
    }
    ratios = means.map { row in
      switch options.aggregation {
      case .meanOfRatios: part(row, 0)
      case .ratioOfMeans:
        zip(part(row, 1), part(row, 2)).map { z, f in
          z.flatMap { z in f.flatMap { $0 > 0 ? z / $0 : nil } }
        }
      }
    }
    cosines = means.map { part($0, options.cosine == .output ? 3 : 4) }
    norms = (
      Self.mean(part(means[0], 1).dropFirst(grid.others)),
      Self.mean(part(means[0], 2).dropFirst(grid.others))
    )
    undefined = totals.undefined(images: images)
  }

  /// Over spatial tokens that have a value.
  private static func mean(_ values: ArraySlice<Double?>) -> Double? {
    let known = values.compactMap(\.self)
    return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
  }

  /// Mean ratio over spatial tokens; 0 for all images, r for all but group r − 1.
  func spatial(_ replicate: Int) -> Double? {
    Self.mean(ratios[replicate].dropFirst(grid.others))
  }

  /// The first token's.
  func first(_ replicate: Int) -> Double? {
    grid.others > 0 ? ratios[replicate].first ?? nil : nil
  }

  /// Numbers of all images and of all but each group as one with its interval.
  static func estimate(_ count: Int, _ number: (Int) -> Double?) -> IntervalEstimate {
    let values = (0..<count).map(number)
    return IntervalEstimate(values.first ?? nil, leavingOut: Array(values.dropFirst()))
  }

  /// Puts the numbers into a result.
  func fill(_ one: inout ResidualResult.Connection, hasClassToken: Bool) {
    one.ratio = Self.estimate(ratios.count, spatial)
    one.cosine = Self.estimate(cosines.count) {
      Self.mean(cosines[$0].dropFirst(grid.others))
    }
    if hasClassToken, grid.others > 0 {
      one.classRatio = Self.estimate(ratios.count, first)
      one.classCosine = Self.estimate(cosines.count) { cosines[$0].first ?? nil }
    }
    (one.skipNorm, one.branchNorm) = norms
    one.undefined = undefined
    one.shownRows = SpatialGrid.coarse(grid.rows, Self.side)
    one.shownColumns = SpatialGrid.coarse(grid.columns, Self.side)
    one.tokens = shown(ratios[0], one)
    one.cosines = shown(cosines[0], one)
  }

  /// Other tokens, then cells of the grid.
  private func shown(_ values: [Double?], _ one: ResidualResult.Connection) -> [Double?] {
    guard grid.rows > 0 else { return values }
    let rows = SpatialGrid.cells(grid.rows, one.shownRows)
    let columns = SpatialGrid.cells(grid.columns, one.shownColumns)
    return Array(values.prefix(grid.others))
      + rows.flatMap { rows in
        columns.map { columns in
          Self.mean(
            rows.flatMap { row in
              columns.map { values[grid.others + row * grid.columns + $0] }
            }[...])
        }
      }
  }
}
