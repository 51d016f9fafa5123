import ArgumentParser
import Foundation
import Parallax

struct Layers: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Sites of a model in execution order: kind, shape, parameters.",
    discussion: "Example: parallax layers efficientnet-lite0 --random-weights 0")

  @Argument(help: "A name from `parallax models`, or NAME=PATH.")
  var model: String

  @OptionGroup var compute: ComputeOptions

  @Option(help: "Only these sites, such as blocks.*.")
  var sites: String?

  @Flag(help: "Machine-readable output.")
  var json = false

  struct Row: Codable {
    var site: String
    var kind: SiteKind
    var shape: [Int]
    var block: Bool
    var parameters: Int
  }

  func run() throws {
    let loaded = try compute.load([model])[0]
    let subject = try Subject(loaded, device: Device(compute.device))
    var chosen = subject.sites
    if let sites {
      chosen = try SitePattern(parsing: sites).matches(in: subject.sites, model: subject.name)
    }
    let rows = chosen.map { site in
      Row(
        site: site.name, kind: site.kind, shape: site.shape, block: site.isBlock,
        parameters: loaded.parameterCount(under: site.name))
    }
    if json {
      Terminal.out(try Output.json(rows))
      return
    }
    let header = ["site", "kind", "shape", "parameters"]
    let lines = rows.map { row in
      [
        row.site + (row.block ? " •" : ""), row.kind.rawValue,
        row.shape.map(String.init).joined(separator: "×"),
        row.parameters > 0 ? Output.grouped(row.parameters) : "",
      ]
    }
    Terminal.out(Terminal.table([header] + lines))
    Terminal.out(
      "\(rows.count) sites (• a block); images of \(subject.imageSize.height)×\(subject.imageSize.width) pixels; \(Output.grouped(loaded.parameterCount)) parameters"
    )
  }
}
