import ArgumentParser
import Foundation
import Parallax

struct MeasuresCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "measures",
    abstract: "List the measures of similarity and the descriptions, or say what one is.",
    discussion: """
      A measure compares two representations of the same images; a description is a number of one.

      What either ignores: T one vector added to every row, S all numbers multiplied by one, P neurons in another \
      order, O rotations and reflections, L any invertible linear map.

      Example:  parallax measures cka
      """)

  @Argument(help: "The name of a measure or of a description.")
  var name: String?

  @OptionGroup var output: OutputOptions

  func run() throws {
    guard let name else { return try list() }
    if let description = DescriptionCatalog[name] {
      return try show(DescriptionRow(description), DescriptionRow(description).facts)
    }
    let measures = MeasureCatalog.measures.map(\.name)
    let row = MeasureRow(
      try Self.measure(named: name, among: measures + DescriptionCatalog.descriptions.map(\.name)))
    try show(row, row.facts)
  }

  /// The measure of that name.
  ///
  /// - Parameters:
  ///   - name: its name.
  ///   - names: those that may have been meant; all measures where nil.
  /// - Returns: the catalog's.
  /// - Throws: a mistake of the command line, with the nearest names.
  static func measure(named name: String, among names: [String]? = nil) throws -> any Measure {
    if let measure = MeasureCatalog[name] { return measure }
    guard DescriptionCatalog[name] == nil else {
      throw ValidationError(
        "'\(name)' describes one representation and compares no two; `parallax measures` lists what compares"
      )
    }
    let near = Spelling.nearest(to: name, among: names ?? MeasureCatalog.measures.map(\.name))
    throw ValidationError(
      "no measure is called '\(name)'"
        + (near.isEmpty ? "" : "; did you mean \(near.joined(separator: ", "))?")
        + "; `parallax measures` lists them all")
  }

  /// What is listed, as JSON has it.
  private struct Listing: Encodable {
    var measures: [MeasureRow]
    var descriptions: [DescriptionRow]
  }

  private func list() throws {
    let measures = MeasureCatalog.measures.map { MeasureRow($0) }
    let descriptions = DescriptionCatalog.descriptions.map { DescriptionRow($0) }
    switch output.chosen {
    case .json: print(try json(Listing(measures: measures, descriptions: descriptions)))
    case .csv:
      // One table for a program: what a description has no word for stays empty.
      let header = [
        "name", "kind", "range", "unit", "ignores", "cost", "streams", "meaning", "source",
      ]
      let rows =
        measures.map {
          [
            $0.name, $0.kind, $0.range, "", $0.invariances, $0.cost, "\($0.streams)", "", $0.source,
          ]
        }
        + descriptions.map {
          [
            $0.name, "description", $0.range, $0.unit, $0.invariances, $0.cost,
            "\($0.streams)", $0.meaning,
            $0.source,
          ]
        }
      print(Table(header: header, rows: rows).csv)
    case nil:
      let compared = Table(
        header: ["name", "kind", "range", "ignores", "cost"],
        rows: measures.map { [$0.name, $0.kind, $0.range, $0.invariances, $0.costAndRoute] })
      let alone = Table(
        header: ["of one representation", "what it says", "range and unit", "cost", "source"],
        rows: descriptions.map {
          [$0.name, $0.meaning, "\($0.range) \($0.unit)", $0.costAndRoute, $0.source]
        })
      print(
        """
        \(compared.text)

        \(alone.text)

        N images, D features. What streams needs second moments only: `parallax compare --measure NAME --route moments` \
        accumulates them in memory that does not grow with the images, N·D² + D³ a pair. `parallax measures NAME` tells where one is defined and who agrees with it.
        """)
    }
  }

  private func show(_ row: some Encodable, _ facts: [[String]]) throws {
    if output.chosen == .json { return print(try json(row)) }
    let table = Table(header: ["key", "value"], rows: facts)
    print(
      output.chosen == .csv
        ? table.csv : table.text.split(separator: "\n").dropFirst().joined(separator: "\n"))
  }
}

/// What is printed of a measure.
private struct MeasureRow: Encodable {
  var name, direction, range, invariances, cost, source, agreesWith: String
  var isSymmetric, isMetric, needsPairing, isRandom, streams: Bool
  var fewestImages: Int

  init(_ measure: some Measure) {
    (name, direction) = (measure.name, measure.direction.rawValue)
    range = Bounds.text(measure.range)
    (invariances, cost) = (measure.invariances.letters, measure.cost)
    (source, agreesWith) = (measure.source, measure.agreesWith)
    (isSymmetric, isMetric) = (measure.isSymmetric, measure.isMetric)
    (needsPairing, isRandom) = (measure.needsPairing, measure.isRandom)
    (fewestImages, streams) = (measure.fewestImages, measure.streams)
  }

  /// The cost, and whether second moments do.
  var costAndRoute: String { cost + (streams ? "; streams" : "") }

  /// `distance, a metric`, `similarity, asymmetric`.
  var kind: String {
    direction + (isMetric ? ", a metric" : "") + (isSymmetric ? "" : ", asymmetric")
  }

  var facts: [[String]] {
    [
      ["name", name], ["kind", kind], ["range", range], ["ignores", invariances],
      ["needs the same images on both sides", needsPairing ? "yes" : "no"],
      ["fewest images", String(fewestImages)],
    ] + (isRandom ? [["random", "yes, with a fixed seed: the same features, the same value"]] : [])
      + [
        ["cost", cost],
        [
          "streams",
          streams
            ? "yes: second moments do, in memory that does not grow with the images (--route moments)"
            : "no: it needs the images themselves",
        ],
      ] + [["source", source], ["agrees with", agreesWith]]
  }
}

/// What is printed of a description.
private struct DescriptionRow: Encodable {
  var name, meaning, range, unit, invariances, cost, source, agreesWith: String
  var hasStandardError, streams: Bool
  var fewestImages: Int

  init(_ description: some Description) {
    (name, meaning) = (description.name, description.meaning)
    (range, unit) = (Bounds.text(description.range), description.unit)
    (invariances, cost) = (description.invariances.letters, description.cost)
    (source, agreesWith) = (description.source, description.agreesWith)
    hasStandardError = description.hasStandardError
    (fewestImages, streams) = (description.fewestImages, description.streams)
  }

  /// The cost, and whether second moments do.
  var costAndRoute: String { cost + (streams ? "; streams" : "") }

  var facts: [[String]] {
    [
      ["name", name], ["kind", "description of one representation"], ["what it says", meaning],
      ["range", "\(range) \(unit)"], ["ignores", invariances],
      ["standard error", hasStandardError ? "yes" : "no"],
      ["fewest images", String(fewestImages)], ["cost", cost],
      ["streams", streams ? "yes: second moments do" : "no: it needs the images themselves"],
      ["source", source],
      ["agrees with", agreesWith],
    ]
  }
}

/// The ends of a range, in words that people write.
private enum Bounds {
  static func text(_ range: ClosedRange<Double>) -> String {
    "\(bound(range.lowerBound)) to \(bound(range.upperBound))"
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
}
