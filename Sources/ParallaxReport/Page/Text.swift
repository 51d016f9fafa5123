import Foundation

/// How numbers and names are written in prose, captions and tables.
enum Text {
  /// `0.812`; a dash where there is none.
  static func number(_ value: Double?, digits: Int = 3) -> String {
    guard let value, value.isFinite else { return "–" }
    let text = String(format: "%.\(digits)f", value)
    return text.hasPrefix("-") ? "−" + text.dropFirst() : text
  }

  /// A number of any size with two significant digits: `4.3e-07`.
  static func brief(_ value: Double) -> String { String(format: "%.2g", value) }

  /// `0.79 to 0.83`; nil where an end is missing.
  static func interval(_ low: Double?, _ high: Double?, digits: Int = 3) -> String? {
    guard let low, let high else { return nil }
    return "\(number(low, digits: digits)) to \(number(high, digits: digits))"
  }

  /// `86.2 million`; below a million with thin spaces: `652 008`.
  static func count(_ value: Int) -> String {
    if value >= 1_000_000_000 { return String(format: "%.2f billion", Double(value) / 1e9) }
    if value >= 1_000_000 { return String(format: "%.1f million", Double(value) / 1e6) }
    var digits = Array(String(value))
    var place = digits.count - 3
    while place > 0 {
      digits.insert("\u{202F}", at: place)
      place -= 3
    }
    return String(digits)
  }

  /// A name as a figure can bear it: Vega's expressions end at a separator of lines.
  static func label(_ name: String) -> String {
    String(
      String.UnicodeScalarView(
        name.unicodeScalars.map { scalar in
          switch scalar.properties.generalCategory {
          case .control, .lineSeparator, .paragraphSeparator: "\u{FFFD}"
          default: scalar
          }
        }))
  }

  /// `1 image`, `3 images`.
  static func plural(_ count: Int, _ one: String, _ many: String? = nil) -> String {
    "\(Text.count(count)) \(count == 1 ? one : many ?? one + "s")"
  }

  /// `a`, `a and b`, `a, b and c`.
  static func list(_ words: [String]) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " and " + last
  }

  /// `0.4 s`, `18 s`, `3 min 20 s`, `2 h 5 min`.
  static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e9 else { return "–" }
    if seconds < 10 { return String(format: "%.1f s", seconds) }
    let whole = Int(seconds.rounded())
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole / 60 % 60) min"
  }
}
