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
}
