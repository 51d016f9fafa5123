import Foundation
import Parallax

/// How results are written for people and for machines.
enum Output {
  static func json(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  /// 86389248 → 86,389,248.
  static func grouped(_ number: Int) -> String {
    let digits = Array(String(number))
    var out = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0, out != "-" { out += "," }
      out.append(digit)
    }
    return out
  }

  /// A number for a table: four decimals.
  static func decimal(_ number: Double) -> String { String(format: "%.4f", number) }
}
