import Foundation
import Parallax
import Yams

/// A study as a YAML file describes it.
///
///     title: Two ways to see
///     models: [clip-vit-base-patch16, resnet50=weights/resnet50.safetensors]
///     images: photos/            # subfolders are classes; without it the built-in images
///     limit: 500
///     sites: blocks.*            # default: every block
///     tokens: avg                # default: cls where there is one, else avg
///     estimator: auto            # auto, exact or minibatch
///     batch-size: 32
///     seed: 0
///     output: runs/two-ways
struct StudyFile: Equatable {
  var title: String?
  var models: [String] = StudyFile.builtInModels
  var images: String?
  var limit: Int?
  var sites: String?
  var tokens: String?
  var estimator: String?
  var batchSize: Int?
  var seed: UInt64?
  var output: String?

  /// The models of the built-in study: two transformers, two convolutional networks.
  static let builtInModels = [
    "clip-vit-base-patch16", "dinov2-small-saliency", "efficientnet-lite0", "mobilenetv2",
  ]

  static let keys = [
    "title", "models", "images", "limit", "sites", "tokens", "estimator", "batch-size", "seed",
    "output",
  ]

  /// The built-in study.
  init() {}

  /// Reads a study.
  ///
  /// Paths in it are relative to the file.
  init(contentsOf path: String) throws {
    let text: String
    do {
      text = try String(contentsOf: URL(filePath: path), encoding: .utf8)
    } catch {
      let missing = !FileManager.default.fileExists(atPath: path)
      throw Failure.Message(
        missing ? .missingInput : .badInput,
        missing ? "\(path): there is no such study file" : "\(path): cannot be read as UTF-8 text")
    }
    let root: Any?
    do {
      root = try Yams.load(yaml: text)
    } catch {
      throw Failure.Message(
        .badInput,
        "\(path): is not valid YAML: \("\(error)".split(whereSeparator: \.isNewline).joined(separator: " "))")
    }
    guard let fields = root as? [String: Any] else {
      throw Failure.Message(.badInput, "\(path): expected keys and values, such as models: [NAME]")
    }
    for key in fields.keys.sorted() where !Self.keys.contains(key) {
      throw Failure.Message(
        .badInput,
        "\(path): unknown key '\(key)'; expected \(Self.keys.joined(separator: ", "))")
    }
    func wrong(_ key: String, _ expected: String) -> Failure.Message {
      Failure.Message(
        .badInput, "\(path): '\(key)' should be \(expected), found '\(fields[key] ?? "nothing")'")
    }
    func string(_ key: String) throws -> String? {
      guard let value = fields[key], !(value is NSNull) else { return nil }
      if let text = value as? String { return text }
      if let number = value as? Int { return String(number) }
      throw wrong(key, "a text")
    }
    func integer(_ key: String, from least: Int) throws -> Int? {
      guard let value = fields[key], !(value is NSNull) else { return nil }
      guard let number = value as? Int, number >= least else {
        throw wrong(key, "a whole number from \(least)")
      }
      return number
    }
    let folder = URL(filePath: path).deletingLastPathComponent()
    title = try string("title")
    if let value = fields["models"] {
      guard let names = value as? [String], !names.isEmpty else {
        throw wrong("models", "a list of model names")
      }
      models = names.map { Self.resolved($0, in: folder) }
    }
    images = try string("images").map { folder.appending(path: $0).path }
    if let absolute = try string("images"), absolute.hasPrefix("/") { images = absolute }
    limit = try integer("limit", from: 1)
    sites = try string("sites")
    tokens = try string("tokens")
    estimator = try string("estimator")
    batchSize = try integer("batch-size", from: 1)
    seed = try integer("seed", from: 0).map(UInt64.init)
    output = try string("output").map {
      $0.hasPrefix("/") ? $0 : folder.appending(path: $0).path
    }
  }

  /// The path of `NAME=PATH` is relative to the study file.
  private static func resolved(_ name: String, in folder: URL) -> String {
    guard let equals = name.firstIndex(of: "=") else { return name }
    let path = String(name[name.index(after: equals)...])
    guard !path.hasPrefix("/") else { return name }
    return name[...equals] + folder.appending(path: path).path
  }
}
