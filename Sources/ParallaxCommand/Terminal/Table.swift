import Foundation
import Parallax

/// Rows for a person or for a program.
struct Table {
  var header: [String]
  var rows: [[String]]
  /// Columns of numbers, which stand at the right.
  var numbers: Set<Int> = []

  /// The forms that standard output can have besides the one for people.
  enum Format: String, CaseIterable {
    case csv, json
  }

  /// Aligned columns.
  var text: String {
    let all = [header] + rows
    let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
      row.indices.map { column -> String in
        let space = String(repeating: " ", count: widths[column] - row[column].count)
        if numbers.contains(column) { return space + row[column] }
        return column == row.count - 1 ? row[column] : row[column] + space
      }.joined(separator: "  ").trimmingCharacters(in: .init(charactersIn: " "))
    }.joined(separator: "\n")
  }

  /// Prints the table for people with a remark below it, or in the form that was asked for.
  ///
  /// - Parameters:
  ///   - format: nil for people.
  ///   - rows: what JSON holds.
  ///   - remark: what people see besides.
  /// - Throws: where the rows cannot be written as JSON.
  func show(as format: Format?, _ rows: some Encodable, _ remark: String) throws {
    switch format {
    case .json: print(try json(rows))
    case .csv: print(csv)
    case nil: print(text + "\n\n" + remark)
    }
  }

  /// RFC 4180.
  var csv: String {
    ([header] + rows).map { $0.map(TidyRow.cell).joined(separator: ",") }.joined(separator: "\n")
  }
}

/// JSON for standard output.
func json(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}
