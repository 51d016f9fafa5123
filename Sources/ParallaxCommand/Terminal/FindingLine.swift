import Foundation
import Parallax

extension Finding {
  /// `shows: Transformers change … (0.12, 95 % 0.08 to 0.16)`; the reason where it has no number.
  var line: String {
    func number(_ value: Double) -> String { String(format: "%.3f", value) }
    var text = "\(verdict.rawValue): \(sentence)"
    guard let value else { return text + " (\(quantity))" }
    text += " (\(number(value))"
    if let low, let high { text += ", 95 % \(number(low)) to \(number(high))" }
    return text + ")"
  }
}
