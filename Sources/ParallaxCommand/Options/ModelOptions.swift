import ArgumentParser
import Foundation
import Parallax

/// Which models, which sites of them, where they run.
struct ModelOptions: ParsableArguments {
  @Option(help: "Sites of every model that names none: blocks.*, blocks.0...5,head, blocks.-1.")
  var sites: String?

  @Option(
    help: "Tokens of every model that names none: cls, avg, all, concat, flat, grid:S, token:I.")
  var tokens: String?

  @OptionGroup var loading: LoadingOptions

  /// Reads addresses before anything is loaded or hashed for them, and gives names for the models: a weights file's
  /// stem is part of its model's.
  static func checked(_ texts: [String]) throws -> [String] {
    try texts.map { text in
      let model = try Address(parsing: text).model
      guard case .file(let name, let path) = try ModelReference(parsing: model) else {
        return model
      }
      return "\(name)-\(URL(filePath: path).deletingPathExtension().lastPathComponent)"
    }
  }

  /// For a command whose analysis decides itself what of an activation it takes.
  ///
  /// - Parameters:
  ///   - texts: the addresses.
  ///   - reason: why there is nothing to choose.
  /// - Throws: `CommandError` where tokens were chosen all the same.
  func refuseTokens(_ texts: [String], _ reason: String) throws {
    let typed = try texts.first { try Address(parsing: $0).tokens != nil }
    guard let found = typed ?? tokens.map({ "--tokens \($0)" }) else { return }
    throw CommandError("\(found): \(reason); there are no tokens to choose", code: 64)
  }

  /// Loads what the addresses name; several addresses of one model share it.
  func load(_ texts: [String], _ progress: ProgressLine) throws -> [Chosen] {
    try Self.load(texts, sites: sites, tokens: tokens, loading, progress)
  }

  /// Loads what the addresses name, for a command that has not all of the options.
  static func load(
    _ texts: [String], sites: String?, tokens: String? = nil, _ loading: LoadingOptions,
    _ progress: ProgressLine
  ) throws -> [Chosen] {
    let device = try Device(loading.device)
    let pattern = try sites.map { try SitePattern(parsing: $0) }
    let tokens = try tokens.map { try Tokens(parsing: $0) }
    var chosen: [Chosen] = []
    for address in try texts.map({ try Address(parsing: $0) }) {
      let wish = (pattern: address.sites ?? pattern, tokens: address.tokens ?? tokens)
      if let place = chosen.firstIndex(where: { $0.reference == address.model }) {
        chosen[place].wishes.append(wish)
        continue
      }
      var model = try loading.load(address.model, on: device) { progress.update(download: $0) }
      model.name = unused(model.name, chosen.map(\.model.name))
      progress.note("loaded \(model.name)")
      chosen.append(Chosen(reference: address.model, model: model, wishes: [wish]))
    }
    return chosen
  }

  /// The same architectures with made-up weights, called `NAME-random`; the same is wanted of them.
  func twins(of chosen: [Chosen], seed: UInt64, _ progress: ProgressLine) throws -> [Chosen] {
    let device = try Device(loading.device)
    return try chosen.map { one in
      var model = try loading.sized(
        Catalog.load(
          ModelReference(parsing: one.reference), device: device, randomWeights: seed))
      model.name = Self.unused("\(one.model.name)-random", chosen.map(\.model.name))
      progress.note("made \(model.name)")
      return Chosen(reference: one.reference, model: model, wishes: one.wishes)
    }
  }

  /// A model that has been loaded once more, in float64.
  func precise(_ chosen: Chosen, twin seed: UInt64?) throws -> any Model {
    try Catalog.load(
      ModelReference(parsing: chosen.reference), device: Device(loading.device), dtype: .float64,
      randomWeights: seed ?? loading.randomWeights
    ).model
  }

  /// Two checkpoints of one architecture must not be mistaken for one another.
  private static func unused(_ name: String, _ taken: [String]) -> String {
    guard taken.contains(name) else { return name }
    var number = 2
    while taken.contains("\(name):\(number)") { number += 1 }
    return "\(name):\(number)"
  }

  /// A model and what is wanted of it.
  struct Chosen {
    var reference: String
    var model: LoadedModel
    var wishes: [(pattern: SitePattern?, tokens: Tokens?)]

    /// What is wanted, in execution order, each once.
    func representations(of subject: Subject) throws -> [Representation] {
      let all = try wishes.flatMap {
        try subject.representations(at: $0.pattern, tokens: $0.tokens)
      }
      let places = Dictionary(
        subject.sites.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
      var seen: Set<Representation> = []
      return all.filter { seen.insert($0).inserted }.enumerated().sorted {
        (places[$0.element.site.name] ?? 0, $0.offset) < (
          places[$1.element.site.name] ?? 0, $1.offset
        )
      }.map(\.element)
    }
  }
}

/// A command that takes models, or sites of them.
protocol ModelsTaking {
  var addresses: [String] { get }
}
