import ArgumentParser
import Parallax

struct LayersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "layers", abstract: "List a model's sites in execution order: shape, parameters.",
    discussion: """
      A star marks the output of a block, the unit that depth is counted in and what is looked at by default.

      Example:  parallax layers efficientnet-lite0 --sites 'blocks.*.*'
      """)

  @Argument(help: "The model, or MODEL@SITES.")
  var model: String

  @Option(help: "Sites to list: blocks.*, blocks.0...5,head, blocks.-1; all without it.")
  var sites: String?

  @OptionGroup var loading: LoadingOptions

  @OptionGroup var output: OutputOptions

  private struct Row: Codable {
    var site, kind, tokens: String
    var shape: [Int]
    var parameters: Int
    var isBlock: Bool
  }

  func run() throws {
    // Nothing but a download takes long here.
    let quiet = ProgressLine(quiet: true, tellsDownloads: true)
    if let tokens = try Address(parsing: model).tokens {
      throw CommandError(
        "\(model): layers lists sites whole, without tokens such as #\(tokens)", code: 64)
    }
    let loaded = try ModelOptions.load(
      [model], sites: sites, loading, quiet)
    guard let chosen = loaded.first else { return }
    let subject = try Subject(chosen.model)
    let pattern = chosen.wishes.first?.pattern
    let sites =
      try pattern?.expanded(among: subject.sites, of: subject.name) ?? subject.sites
    let rows = sites.map { site in
      Row(
        site: site.name, kind: site.kind.rawValue,
        tokens: site.kind == .windows
          ? "none" : "\(Tokens.byDefault(at: site, subject.model.tokenLayout))",
        shape: site.shape,
        parameters: chosen.model.parameterCount(under: site.name), isBlock: site.isBlock)
    }
    let table = Table(
      header: ["site", "", "kind", "shape", "default tokens", "parameters"],
      rows: rows.map {
        [
          $0.site, $0.isBlock ? "*" : "", $0.kind, $0.shape.map(String.init).joined(separator: "×"),
          $0.tokens, $0.parameters == 0 ? "" : "\($0.parameters)",
        ]
      }, numbers: [5])
    try table.show(
      as: output.chosen, rows,
      "\(subject.name): \(rows.count) sites, \(rows.count(where: \.isBlock)) blocks, \(chosen.model.parameterCount) parameters, images of \(subject.imageSize.height)×\(subject.imageSize.width)"
    )
  }
}
