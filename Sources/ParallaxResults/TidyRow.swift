/// One number of a run, as `results.csv` holds it.
public struct TidyRow: Sendable, Equatable {
  /// The analysis that made it.
  public var analysis: String
  /// The measure.
  public var measure: String
  /// The first representation, or what the number is about.
  public var a: String
  /// The second representation; empty where there is one.
  public var b: String
  /// The position on an axis, such as relative depth; empty where there is none.
  public var x: String
  /// The number; nil where it is undefined.
  public var value: Double?
  /// The lower end of its 95 % interval.
  public var low: Double?
  /// The upper end.
  public var high: Double?
  /// Images that entered.
  public var n: Int
  /// The estimator.
  public var estimator: String
  /// The unit; empty for a pure number.
  public var unit: String

  /// A row from its parts.
  public init(
    analysis: String, measure: String, a: String, b: String = "", x: String = "", value: Double?,
    low: Double? = nil, high: Double? = nil, n: Int, estimator: String, unit: String = ""
  ) {
    (self.analysis, self.measure, self.a, self.b, self.x) = (analysis, measure, a, b, x)
    (self.value, self.low, self.high) = (value, low, high)
    (self.n, self.estimator, self.unit) = (n, estimator, unit)
  }

  /// The table's header and rows.
  public static func table(_ rows: [TidyRow]) -> String {
    var text = "analysis,measure,a,b,x,value,low,high,n,estimator,unit\n"
    func number(_ value: Double?) -> String { value.map { "\($0)" } ?? "" }
    for row in rows {
      let cells = [
        row.analysis, row.measure, row.a, row.b, row.x, number(row.value), number(row.low),
        number(row.high), String(row.n), row.estimator, row.unit,
      ]
      text += cells.map(cell).joined(separator: ",") + "\n"
    }
    return text
  }

  /// A text as a cell of a table of comma-separated values, quoted where RFC 4180 wants it.
  public static func cell(_ text: String) -> String {
    // Scalars, not characters: a quote with an accent, or CR and LF together, is one character.
    guard text.unicodeScalars.contains(where: { ",\"\n\r".unicodeScalars.contains($0) }) else {
      return text
    }
    let doubled = text.unicodeScalars.map { $0 == "\"" ? "\"\"" : String($0) }
    return "\"" + doubled.joined() + "\""
  }
}

extension SimilarityResult {
  /// The similarities as rows of `results.csv`; intervals are those of ``SimilarityResult/interval(_:error:)``.
  public func tidyRows() -> [TidyRow] {
    matrices.flatMap { matrix in
      matrix.values.indices.flatMap { row in
        matrix.values[row].indices.compactMap { column -> TidyRow? in
          guard matrix.a != matrix.b || column >= row else { return nil }
          let value = matrix.values[row][column]
          let ends = interval(value, error: matrix.errors?[row][column])
          return TidyRow(
            analysis: "similarity", measure: measure, a: models[matrix.a].address(row),
            b: models[matrix.b].address(column), value: value,
            low: ends?.low, high: ends?.high, n: images,
            estimator: "\(estimator), \(route)")
        }
      }
    }
  }
}
