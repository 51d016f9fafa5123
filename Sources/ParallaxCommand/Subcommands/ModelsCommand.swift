import ArgumentParser
import Foundation
import Parallax

struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models", abstract: "List the catalog, or say what a model or a checkpoint is.",
    discussion: "Example:  parallax models clip-vit-base-patch16")

  @Argument(help: "A name of the catalog, or a checkpoint file.")
  var name: String?

  @OptionGroup var output: OutputOptions

  func run() throws {
    guard let name else { return try listCatalog() }
    if let entry = try? Catalog.entry(named: name), !FileManager.default.fileExists(atPath: name) {
      return try show(entry)
    }
    if FileManager.default.fileExists(atPath: name) || name.contains("/") {
      return try showCheckpoint(name)
    }
    try show(Catalog.entry(named: name))
  }

  private struct Row: Codable {
    var name, family, summary: String
    var weights, licence, origin, training, caveat: String?
    var installed: Bool?
    var imageSize: [Int]

    init(_ entry: CatalogEntry) {
      (name, family, summary) = (entry.name, entry.family, entry.summary)
      (weights, licence, origin) = (entry.weightsURL?.path, entry.licence, entry.origin)
      (training, caveat) = (entry.weights?.training, entry.caveat)
      installed = entry.weights == nil ? nil : entry.weightsAreInstalled
      imageSize = entry.preprocessing.inputSize
    }

    var state: String { installed.map { $0 ? "here" : "not fetched" } ?? "yours" }
  }

  private func listCatalog() throws {
    let rows = Catalog.entries.map(Row.init)
    let table = Table(
      header: ["name", "family", "weights", "images", "what it is"],
      rows: rows.map { [$0.name, $0.family, $0.state, "\($0.imageSize[1])", $0.summary] },
      numbers: [3])
    switch output.chosen {
    case .json: print(try json(rows))
    case .csv: print(table.csv)
    case nil:
      print(table.text)
      print(
        "\nWeights of your own: NAME=PATH, such as resnet50=weights.pth; made-up ones: --random-weights SEED."
      )
    }
  }

  private func show(_ entry: CatalogEntry) throws {
    let row = Row(entry)
    if output.chosen == .json { return print(try json(row)) }
    let facts: [(String, String?)] = [
      ("name", row.name), ("family", row.family), ("what it is", row.summary),
      ("trained on", row.training), ("weights", row.weights.map { "\($0) (\(row.state))" }),
      ("origin", row.origin), ("licence", row.licence), ("caveat", row.caveat),
      ("images", "\(row.imageSize[1])×\(row.imageSize[2])"),
      (
        "other names",
        entry.architecture.aliases.isEmpty
          ? nil : entry.architecture.aliases.joined(separator: ", ")
      ),
    ]
    let table = Table(
      header: ["key", "value"], rows: facts.compactMap { key, value in value.map { [key, $0] } })
    print(
      output.chosen == .csv
        ? table.csv : table.text.split(separator: "\n").dropFirst().joined(separator: "\n"))
  }

  private struct Parameter: Codable {
    var name: String
    var shape: [Int]
  }

  private struct Content: Codable {
    var file: String
    var values: Int
    var fits: [String]
    var parameters: [Parameter]
  }

  private func showCheckpoint(_ path: String) throws {
    let source = try Checkpoint.open(path)
    let parameters = source.names.sorted().map {
      Parameter(name: $0, shape: source.shape($0) ?? [])
    }
    let content = Content(
      file: path, values: parameters.reduce(0) { $0 + $1.shape.reduce(1, *) },
      fits: Catalog.architectures(fitting: source).map(\.name), parameters: parameters)
    let table = Table(
      header: ["parameter", "shape"],
      rows: parameters.map { [$0.name, $0.shape.map(String.init).joined(separator: "×")] })
    switch output.chosen {
    case .json: print(try json(content))
    case .csv: print(table.csv)
    case nil:
      print(table.text)
      print("\n\(parameters.count) tensors, \(content.values) values")
      print(
        content.fits.isEmpty
          ? "fits no architecture of the catalog"
          : "fits \(content.fits.joined(separator: ", ")): use it as \(content.fits[0])=\(path)")
    }
  }
}
