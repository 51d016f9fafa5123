import ParallaxResults

/// Rows that figures draw; the page's script turns each into plain objects when a figure asks for it.
enum Dataset: Encodable {
  /// A table: names of columns, and rows.
  case table(columns: [String], rows: [[Cell]])
  /// A matrix of similarities of sites of one model (rows) with those of another (columns); an interval is ± `factor`
  /// errors.
  case matrix(SimilarityResult.Matrix, rows: Side, columns: Side, factor: Double)
  /// A grid of distances of sites of one model (rows) from those of another (columns).
  case grid(StepsResult.Grid, rows: Side, columns: Side)

  /// What stands along a side of a matrix.
  struct Side: Encodable {
    var model: String
    var sites: [String]
  }

  /// One entry of a table.
  enum Cell: Encodable {
    case text(String)
    case number(Double?)

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .text(let text): try container.encode(text)
      case .number(let value):
        if let value = ScriptJSON.short(value) {
          try container.encode(value)
        } else {
          try container.encodeNil()
        }
      }
    }
  }

  private enum CodingKeys: CodingKey { case columns, rows, row, column, values, errors, factor, p }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    switch self {
    case .table(let columns, let rows):
      try container.encode(columns, forKey: .columns)
      try container.encode(rows, forKey: .rows)
    case .matrix(let matrix, let rows, let columns, let factor):
      func short(_ rows: [[Double?]]) -> [[Cell]] { rows.map { $0.map(Cell.number) } }
      try container.encode(rows, forKey: .row)
      try container.encode(columns, forKey: .column)
      try container.encode(factor, forKey: .factor)
      try container.encode(short(matrix.values), forKey: .values)
      try container.encodeIfPresent(matrix.errors.map(short), forKey: .errors)
    case .grid(let grid, let rows, let columns):
      try container.encode(rows, forKey: .row)
      try container.encode(columns, forKey: .column)
      try container.encode(grid.values.map { $0.map(Cell.number) }, forKey: .values)
      // Most rows have one p-value, the least there can be: it stands once.
      try container.encodeIfPresent(
        grid.pValues.map { $0.map { Set($0).count == 1 ? Array($0.prefix(1)) : $0 } }
          .map { $0.map { $0.map(Cell.number) } }, forKey: .p)
    }
  }
}
