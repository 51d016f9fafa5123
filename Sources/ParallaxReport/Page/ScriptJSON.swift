import Foundation

/// JSON that can stand in a `<script>` element.
enum ScriptJSON {
  /// The value as JSON; `<`, `>` and `&` are written as escapes, so that nothing in it can end the element.
  static func encode(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
      .replacing("<", with: "\\u003c").replacing(">", with: "\\u003e")
      .replacing("&", with: "\\u0026")
  }

  /// A number with four decimals, of large ones with five digits and at least the whole part, of those below 0.01 with four digits: more is
  /// below every estimator's error, and a page stays small. Logarithmic axes need small numbers as exactly as large ones.
  static func short(_ value: Double?) -> Double? {
    guard let value, value.isFinite else { return nil }
    guard value != 0 else { return 0 }
    let order = Int(log10(abs(value)).rounded(.down))
    let decimals = order >= 0 ? max(0, 4 - order) : order >= -2 ? 4 : 3 - order
    // 10^22 is the last power of ten that is a Double.
    guard decimals <= 22 else { return Double(String(format: "%.3e", value)) }
    let scale = pow(10, Double(decimals))
    return (value * scale).rounded() / scale
  }
}
