import ArgumentParser
import Foundation
import Parallax

extension KStar.Metric: ExpressibleByArgument {}
extension KStar.Ties: ExpressibleByArgument {}
extension KStarAnalysis.Maps: ExpressibleByArgument {}

/// What drives k*.
struct KStarOptions: ParsableArguments {
  @Option(
    help:
      "What is near: euclidean, cosine, manhattan; precomputed where --features holds distances.")
  var distance = KStar.Metric.euclidean

  @Option(
    help: "Who comes first of equally far images: index, pessimistic (another class), optimistic.")
  var ties = KStar.Ties.index

  @Flag(help: "Put 0 and 1 among each class's values before its skewness.")
  var anchor = false

  @Option(help: "Neighbours that vote.")
  var neighbours = 10

  @Option(help: "Bootstrap resamples of the intervals; 0 for none.")
  var resamples = 500

  @Option(help: "Blocks of a model whose sites nobody chose, evenly spread.")
  var spaces = 6

  @Option(
    help: ArgumentHelp(
      "The same as --corruption noise: standard deviations in pixels of 0 to 1, such as 0.1,0.2.",
      valueName: "σ"))
  var noise: String?

  @Option(
    help: ArgumentHelp(
      "Look once more with the images changed: noise:σ, blur:pixels, contrast:share or brightness:share; may stand several times.",
      valueName: "name:strength"))
  var corruption: [String] = []

  @Option(
    help: ArgumentHelp(
      "Accuracies to set beside gamma: a file with model,value a line.", valueName: "file"))
  var accuracy: String?

  @Option(
    help: ArgumentHelp("Superclasses: a file with class,superclass a line.", valueName: "file"))
  var labelMap: String?

  @Option(
    help:
      "Flat maps: pca, principal components; tsne, exact t-SNE beside them; auto, t-SNE of up to 1000 images."
  )
  var map = KStarAnalysis.Maps.auto

  @Option(help: "t-SNE's perplexity: about how many neighbours an image has.")
  var perplexity = 30.0

  @Option(
    help: ArgumentHelp(
      "Sites that have a map beside the last: all, or a pattern such as blocks.0...3.",
      valueName: "sites"))
  var mapLayers: String?

  @Option(help: ArgumentHelp("Memory that features may take.", valueName: "GiB"))
  var memoryLimit = 8.0

  func validate() throws {
    for (option, value, least, most) in [
      ("neighbours", neighbours, 1, 1000), ("resamples", resamples, 0, 100_000),
      ("spaces", spaces, 1, 65536),
    ] where value < least || value > most {
      throw ValidationError(
        Outlier(
          option: option, value: value, expected: "a whole number from \(least) to \(most)"
        ).asOption)
    }
    _ = try corruptions()
    guard perplexity > 1, perplexity <= 1000 else {
      throw ValidationError(
        "--perplexity \(perplexity): expected a number above 1 and up to 1000, such as 30")
    }
    guard map != .pca || perplexity == 30 else {
      throw ValidationError("--perplexity is t-SNE's; with --map pca there is none")
    }
    _ = try mapped()
    guard memoryLimit > 0, memoryLimit < 1e6 else {
      throw ValidationError("--memory-limit \(memoryLimit): expected GiB, such as 4")
    }
  }

  private func mapped() throws -> KStarAnalysis.MappedSites {
    switch mapLayers {
    case nil: return .last
    case "all": return .all
    case let text?:
      do { return .sites(try SitePattern(parsing: text)) } catch {
        throw ValidationError("--map-layers \(error)")
      }
    }
  }

  private func corruptions() throws -> [Corruption] {
    var found: [Corruption] = []
    if let noise {
      let parts = noise.split(separator: ",", omittingEmptySubsequences: false)
      let values = parts.compactMap { Double($0) }.filter { $0 > 0 && $0 <= 10 }
      guard values.count == parts.count, Set(values).count == values.count else {
        throw ValidationError(
          "--noise \(noise): expected different numbers above 0 and up to 10 with commas between")
      }
      found = values.sorted().map { .noise($0) }
    }
    for text in corruption {
      let parts = text.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count == 2, let strength = Double(parts[1]),
        let one = Corruption(String(parts[0]), strength)
      else {
        throw ValidationError(
          "--corruption \(text): expected noise:σ above 0 and up to 10, blur:pixels up to 20, contrast:share or brightness:share above 0 and below 1"
        )
      }
      guard !found.contains(one) else {
        throw ValidationError("--corruption \(text): \(one) is asked for twice")
      }
      found.append(one)
    }
    return found
  }

  /// The files that the options name.
  func sources() throws -> [Provenance.Source] {
    try [("label map", labelMap), ("accuracy", accuracy)].compactMap { role, path in
      try path.map {
        Provenance.Source(role: role, path: $0, hash: try ContentHash.sha256(ofFile: $0))
      }
    }
  }

  /// The options, with the map of classes and the accuracies read.
  func options(seed: UInt64) throws -> KStarAnalysis.Options {
    var options = KStarAnalysis.Options()
    (options.metric, options.ties, options.seed) = (distance, ties, seed)
    options.anchoring = anchor ? .unitInterval : .none
    (options.neighbours, options.resamples, options.spaces) = (neighbours, resamples, spaces)
    options.corruptions = try corruptions()
    (options.maps, options.perplexity, options.mapped) = (map, perplexity, try mapped())
    options.memoryLimit = Int(memoryLimit * Double(1 << 30))
    if let labelMap {
      try Self.exists(
        labelMap, "label map", "--label-map takes a file with class,superclass a line")
      options.superclasses = try Concepts.superclasses(ofFile: labelMap)
    }
    if let accuracy {
      try Self.exists(
        accuracy, "file of accuracies", "--accuracy takes a file with model,value a line")
      options.accuracies = try Concepts.accuracies(ofFile: accuracy)
    }
    options.sources = try sources()
    return options
  }

  private static func exists(_ path: String, _ what: String, _ advice: String) throws {
    var isFolder: ObjCBool = false
    guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw CommandError("\(path): there is no such \(what)", code: 66, advice: advice)
    }
    guard !isFolder.boolValue else {
      throw CommandError("\(path): is a folder, expected a \(what)", code: 65, advice: advice)
    }
  }
}
