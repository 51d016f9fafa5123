import ArgumentParser

/// A number out of its range, which somebody has typed as an option or written into a study file.
struct Outlier {
  /// The option's name without its dashes.
  var option: String
  var value: Int
  var expected: String

  /// What is wrong with the command line.
  var asOption: String { "--\(option) \(value): expected \(expected)" }

  /// What is wrong with the study file.
  var asKey: String { "'\(option.replacing("-", with: "_"))' is \(value), expected \(expected)" }

  /// Refuses the first option that lies outside its range.
  ///
  /// - Parameter options: names without their dashes, values and ranges.
  /// - Throws: `ValidationError`.
  static func check(_ options: [(name: String, value: Int, range: ClosedRange<Int>)]) throws {
    for (name, value, range) in options where !range.contains(value) {
      throw ValidationError(
        Outlier(
          option: name, value: value,
          expected: "a whole number from \(range.lowerBound) to \(range.upperBound)"
        ).asOption)
    }
  }
}
