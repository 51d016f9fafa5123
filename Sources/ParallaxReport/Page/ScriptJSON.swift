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

  /// A number with at most four decimals: more is below every estimator's error, and a page stays small.
  static func short(_ value: Double?) -> Double? {
    value.flatMap { $0.isFinite ? ($0 * 10_000).rounded() / 10_000 : nil }
  }
}
