import ArgumentParser
import Foundation
import Parallax

struct MeasuresCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "measures", abstract: "List the measures of similarity, or say what one is.",
    discussion: """
      What a measure ignores: T one vector added to every row, S all numbers multiplied by one, P neurons in another \
      order, O rotations and reflections, L any invertible linear map.

      Example:  parallax measures cka
      """)

  @Argument(help: "The name of a measure.")
  var name: String?

  @OptionGroup var output: OutputOptions

  func run() throws {
    guard let name else { return try list() }
    try show(Row(Self.measure(named: name)))
  }

  /// The measure of that name.
  ///
  /// - Throws: a mistake of the command line, with the nearest names.
  static func measure(named name: String) throws -> any Measure {
    guard let measure = MeasureCatalog[name] else {
      let near = Spelling.nearest(to: name, among: MeasureCatalog.measures.map(\.name))
      throw ValidationError(
        "no measure is called '\(name)'"
          + (near.isEmpty ? "" : "; did you mean \(near.joined(separator: ", "))?")
          + "; `parallax measures` lists them all")
    }
    return measure
  }

  private struct Row: Codable {
    var name, direction, range, invariances, cost, source, agreesWith: String
    var isSymmetric, isMetric, needsPairing: Bool

    init(_ measure: some Measure) {
      (name, direction) = (measure.name, measure.direction.rawValue)
      range = "\(Self.bound(measure.range.lowerBound)) to \(Self.bound(measure.range.upperBound))"
      (invariances, cost) = (measure.invariances.letters, measure.cost)
      (source, agreesWith) = (measure.source, measure.agreesWith)
      (isSymmetric, isMetric) = (measure.isSymmetric, measure.isMetric)
      needsPairing = measure.needsPairing
    }

    private static func bound(_ value: Double) -> String {
      switch value {
      case .infinity: "∞"
      case -.infinity: "−∞"
      case _ where value == value.rounded(): String(Int(value))
      case _ where abs(value - Double.pi / 2) < 1e-12: "π/2"
      case _ where abs(value - Double.pi) < 1e-12: "π"
      default: String((value * 1000).rounded() / 1000)
      }
    }

    /// `distance, a metric`, `similarity, of the first side alone`.
    var kind: String {
      direction + (isMetric ? ", a metric" : "") + (isSymmetric ? "" : ", asymmetric")
    }
  }

  private func list() throws {
    let rows = MeasureCatalog.measures.map { Row($0) }
    let table = Table(
      header: ["name", "kind", "range", "ignores", "cost"],
      rows: rows.map { [$0.name, $0.kind, $0.range, $0.invariances, $0.cost] })
    try table.show(
      as: output.chosen, rows,
      "N images, D features. `parallax measures NAME` tells where one is defined and who agrees with it."
    )
  }

  private func show(_ row: Row) throws {
    if output.chosen == .json { return print(try json(row)) }
    let table = Table(
      header: ["key", "value"],
      rows: [
        ["name", row.name], ["kind", row.kind], ["range", row.range], ["ignores", row.invariances],
        ["needs the same images on both sides", row.needsPairing ? "yes" : "no"],
        ["cost", row.cost], ["source", row.source], ["agrees with", row.agreesWith],
      ])
    print(
      output.chosen == .csv
        ? table.csv : table.text.split(separator: "\n").dropFirst().joined(separator: "\n"))
  }
}
