import ArgumentParser
import Foundation
import Parallax

struct Models: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "The catalog; or what a model or a checkpoint file holds.",
    discussion: "Example: parallax models clip-vit-base-patch16")

  @Argument(help: "A catalog name, or a checkpoint file.")
  var name: String?

  @Flag(help: "Machine-readable output.")
  var json = false

  struct Row: Codable {
    var name: String
    var family: String
    var weights: String
    var licence: String?
    var origin: String?
    var summary: String
    var caveat: String?
    var path: String?
  }

  struct Parameter: Codable {
    var name: String
    var shape: [Int]
  }

  func run() throws {
    guard let name else { return try list() }
    if let entry = try? Catalog.entry(named: name) { return try show(entry) }
    if FileManager.default.fileExists(atPath: name) { return try showFile(name) }
    try show(Catalog.entry(named: name))
  }

  private func row(_ entry: CatalogEntry) -> Row {
    let state =
      entry.weights == nil ? "none" : entry.weightsAreInstalled ? "installed" : "not installed"
    return Row(
      name: entry.name, family: entry.family, weights: state, licence: entry.licence,
      origin: entry.origin, summary: entry.summary, caveat: entry.caveat,
      path: entry.weightsURL?.path)
  }

  private func list() throws {
    let rows = Catalog.entries.map(row)
    if json { return Terminal.out(try Output.json(rows)) }
    let lines = rows.map { [$0.name, $0.family, $0.weights, $0.summary] }
    Terminal.out(Terminal.table([["name", "family", "weights", "what it is"]] + lines))
    Terminal.out("Without weights: NAME=PATH to a checkpoint, or --random-weights SEED.")
  }

  private func show(_ entry: CatalogEntry) throws {
    let row = row(entry)
    if json { return Terminal.out(try Output.json(row)) }
    var lines = [
      ["name", row.name], ["what", row.summary], ["family", row.family],
      ["weights", row.weights + (row.path.map { " (\($0))" } ?? "")],
    ]
    if let origin = row.origin { lines.append(["origin", origin]) }
    if let licence = row.licence { lines.append(["licence", licence]) }
    if let caveat = row.caveat { lines.append(["caveat", caveat]) }
    Terminal.out(Terminal.table(lines))
  }

  private func showFile(_ path: String) throws {
    let source = try Checkpoint.open(path)
    let rows = source.names.sorted().map { Parameter(name: $0, shape: source.shape($0) ?? []) }
    if json { return Terminal.out(try Output.json(rows)) }
    Terminal.out(
      Terminal.table(
        [["parameter", "shape"]]
          + rows.map { [$0.name, $0.shape.map(String.init).joined(separator: "×")] }))
    let total = rows.reduce(0) { $0 + $1.shape.reduce(1, *) }
    Terminal.out("\(rows.count) tensors, \(Output.grouped(total)) values")
  }
}
