import ArgumentParser
import Foundation
import Parallax

struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models", abstract: "List the catalog, or say what a model or a checkpoint is.",
    discussion: """
      Of a file, a folder or a model of the hub it tells format, parameters, dtypes, the architectures that fit, and \
      how images are prepared.

      Example:  parallax models clip-vit-base-patch16
      """)

  @Argument(help: "A name of the catalog, a checkpoint file, its folder, or hf-hub:ORG/NAME.")
  var name: String?

  @OptionGroup var output: OutputOptions

  func run() throws {
    guard let name else { return try listCatalog() }
    if let entry = try? Catalog.entry(named: name), !FileManager.default.fileExists(atPath: name) {
      return try show(entry)
    }
    if FileManager.default.fileExists(atPath: name) {
      return try describe(FileDescription(name))
    }
    // What can be nothing else is refused as that.
    let isHub = name.hasPrefix("hf-hub:") || name.contains(",")
    let reference =
      isHub ? try ModelReference(parsing: name) : try? ModelReference(parsing: name)
    if case .hub(let model)? = reference {
      let progress = ProgressLine(quiet: false)
      return try describe(FileDescription(model) { progress.update(download: $0) })
    }
    if name.contains("/") { return try describe(FileDescription(name)) }
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
    try table.show(
      as: output.chosen, rows,
      "Weights of your own: NAME=PATH, such as resnet50=weights.pth; made-up ones: --random-weights SEED."
    )
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
        entry.otherNames.isEmpty ? nil : entry.otherNames.joined(separator: ", ")
      ),
    ]
    let table = Table(
      header: ["key", "value"], rows: facts.compactMap { key, value in value.map { [key, $0] } })
    print(
      output.chosen == .csv
        ? table.csv : table.text.split(separator: "\n").dropFirst().joined(separator: "\n"))
  }

  private func describe(_ description: FileDescription) throws {
    let table = Table(
      header: ["parameter", "shape", "dtype"],
      rows: description.parameters.map {
        [$0.name, $0.shape.map(String.init).joined(separator: "×"), $0.dtype]
      })
    try table.show(
      as: output.chosen, description,
      facts(description).map { "\($0): \($1)" }.joined(separator: "\n"))
  }

  private static func blocks(_ names: [String]) -> String {
    guard let first = names.first, let last = names.last else { return "none of them a block" }
    return names.count == 1
      ? "one of them a block: \(first.printable)"
      : "\(names.count) of them blocks: \(first.printable) to \(last.printable)"
  }

  /// What a person wants to know of a file besides its parameters.
  private func facts(_ description: FileDescription) -> [(String, String)] {
    let kinds = description.dtypes.map {
      "\($0.dtype) (\($0.tensors) tensor\($0.tensors == 1 ? "" : "s"), \($0.values) values)"
    }
    var facts = [
      ("format", description.format),
      ("size", "\(description.parameters.count) tensors, \(description.values) values"),
      ("stored as", kinds.joined(separator: ", ")),
    ]
    if let architecture = description.architecture { facts.append(("architecture", architecture)) }
    if let graph = description.graph {
      facts += [
        (
          "graph",
          "\(graph.nodes) nodes" + (graph.writer.map { ", written by \($0.printable)" } ?? "")
        ),
        ("images", graph.images), ("sites", "\(graph.sites.count), \(Self.blocks(graph.blocks))"),
      ]
      if let tokens = graph.tokens { facts.append(("tokens", tokens)) }
      if let caveat = graph.caveat { facts.append(("caveat", caveat)) }
    }
    if let problem = description.problem { facts.append(("configuration", problem.printable)) }
    let fits = description.fits
    facts.append(
      (
        "fits",
        fits.isEmpty
          ? "no architecture of the catalog"
          : "\(fits.joined(separator: ", ")): use it as \(fits[0])=\(description.file)"
      ))
    if let found = description.preprocessing {
      let place = found.file ?? "no file says; the architecture's own"
      facts.append(("preprocessing", "\(place): \(found.keys.printable)"))
    }
    return facts
  }
}
