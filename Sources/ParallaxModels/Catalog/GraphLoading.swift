import Foundation
import ParallaxTensors

/// How imported graphs are taken.
public struct GraphOptions: Sendable, Hashable {
  /// Whether every node of a graph is a site, not only its modules.
  public var everyNode: Bool
  /// Whether quantised products run as the file has them, instead of in float32 with dequantised weights.
  public var asShipped: Bool

  /// Modules as sites, and float32, unless asked otherwise.
  public init(everyNode: Bool = false, asShipped: Bool = false) {
    (self.everyNode, self.asShipped) = (everyNode, asShipped)
  }
}

extension Catalog {
  /// A model from an export archive or an ONNX file.
  static func load(
    graph path: String, _ device: Device, _ options: GraphOptions
  ) throws -> LoadedModel {
    let found = try GraphImport.ready(path, device, options)
    let stem = URL(filePath: path).deletingPathExtension().lastPathComponent
    let taken = "\(options.everyNode ? " every node" : "")\(options.asShipped ? " as shipped" : "")"
    return LoadedModel(
      name: stem, family: found.family ?? "graph",
      summary: "an imported graph of \(found.graph.nodeCount) nodes"
        + (found.writer.map { ", written by \($0)" } ?? ""),
      model: found.graph, preprocessing: found.preparation.keys, device: device,
      parameters: found.parameters,
      fingerprint:
        "graph \(try found.files.map { try contentHash($0) }.joined(separator: " "))\(taken)",
      origin: path, licence: nil,
      caveat: found.caveat, objective: Objective.named(stem) ?? .unknown)
  }
}

/// A graph that has run once, and how images are prepared for it.
struct ReadyGraph {
  var graph: ImportedGraph
  var preparation: GraphPreprocessing
  var parameters: [String: Int]
  var writer: String?
  var family: String?
  var caveat: String?
  /// The file, and those beside it that hold its weights.
  var files: [String]
}

extension GraphImport {
  /// The graph of a file, run once on images of the size that it is made for.
  static func ready(
    _ path: String, _ device: Device, _ options: GraphOptions
  ) throws -> ReadyGraph {
    let found = try ImportedGraph.reading(path, device, options)
    let fixed = found.graph.fixedImageSize
    let preparation = try GraphPreprocessing(
      of: path, inside: found.preprocessing, size: fixed.map { max($0.height, $0.width) })
    let size = fixed ?? preparation.size ?? (224, 224)
    guard size.height <= 4096, size.width <= 4096 else {
      throw ModelError.imageSize(
        model: path,
        problem: "takes images of \(size.height) × \(size.width), expected at most 4096 a side")
    }
    let caveats = [found.caveat, preparation.caveat].compactMap { $0 }
    return ReadyGraph(
      graph: try found.graph.probe(height: size.height, width: size.width, device: device),
      preparation: preparation, parameters: found.parameters, writer: found.writer,
      family: found.family, caveat: caveats.isEmpty ? nil : caveats.joined(separator: "; "),
      files: [path] + found.besides)
  }
}

extension ImportedGraph {
  /// The number of operators.
  public var nodeCount: Int { program.steps.count }

  /// The graph of a file of either kind.
  static func reading(
    _ path: String, _ device: Device, _ options: GraphOptions
  ) throws -> GraphImport {
    path.lowercased().hasSuffix(".onnx")
      ? try onnx(path, device: device, options: options)
      : try export(path, device: device, everyNode: options.everyNode)
  }
}

/// How images are prepared for a graph: as the file says, or a file beside it, or as is usual.
struct GraphPreprocessing {
  /// A JSON object with timm's keys or a processor's.
  let keys: Data
  /// What must be said about it.
  let caveat: String?
  /// Where it was found; nil where it was assumed.
  let origin: String?

  /// - Parameters:
  ///   - path: the graph's; `NAME.preprocessing.json` beside it counts where the graph says nothing.
  ///   - inside: what the graph says.
  ///   - size: the side of the images that it takes, where it takes only one.
  /// - Throws: `ModelError.checkpoint` where what is there is no JSON object.
  init(of path: String, inside: Data?, size: Int?) throws {
    let beside =
      URL(filePath: path).deletingPathExtension().path + ".preprocessing.json"
    if let inside {
      (keys, caveat, origin) = (inside, nil, path)
      try check(path)
    } else if let found = FileManager.default.contents(atPath: beside) {
      (keys, caveat, origin) = (found, nil, beside)
      try check(beside)
    } else {
      keys = try JSONEncoder().encode(PreprocessingKeys(size ?? 224))
      (caveat, origin) = (
        "nothing says how its images are prepared: ImageNet's usual way is assumed", nil
      )
    }
  }

  private func check(_ file: String) throws(ModelError) {
    guard (try? JSONSerialization.jsonObject(with: keys)) is [String: Any] else {
      throw .checkpoint(file: file, problem: "the preprocessing is no JSON object")
    }
  }

  /// The size of the images that come of it, where it says so plainly.
  var size: (height: Int, width: Int)? {
    let object = (try? JSONSerialization.jsonObject(with: keys)) as? [String: Any]
    if let sides = object?["input_size"] as? [Int], sides.count == 3, sides[1] > 0, sides[2] > 0,
      max(sides[1], sides[2]) <= 16384
    {
      return (sides[1], sides[2])
    }
    let crop = object?["crop_size"] ?? object?["size"]
    if let sides = crop as? [String: Int], let height = sides["height"], let width = sides["width"],
      height > 0, width > 0, max(height, width) <= 16384
    {
      return (height, width)
    }
    return nil
  }
}
