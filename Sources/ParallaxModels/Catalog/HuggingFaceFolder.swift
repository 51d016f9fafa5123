import Foundation
import ParallaxTensors

/// A folder with `config.json` and a checkpoint, as timm and transformers write them.
struct HuggingFaceFolder {
  private let path: String
  private let name: String
  private let origin: String

  /// The folder at a path.
  init(_ path: String) {
    self.path = path
    name = URL(filePath: path).standardizedFileURL.lastPathComponent
    origin = path
  }

  /// The snapshot of a hub model that was downloaded before, in the hub client's cache.
  init(hub name: String) throws(ModelError) {
    let root = Self.cache.appending(path: "models--" + name.replacing("/", with: "--"))
    let files = FileManager.default
    let reference = try? String(
      contentsOf: root.appending(path: "refs/main"), encoding: .utf8)
    let revision =
      reference?.trimmingCharacters(in: .whitespacesAndNewlines)
      ?? (try? files.contentsOfDirectory(atPath: root.appending(path: "snapshots").path).sorted())?
      .last
    guard let revision, !revision.isEmpty, !revision.contains("/") else {
      throw .notDownloaded(name: name, folder: root.path)
    }
    let snapshot = root.appending(path: "snapshots/\(revision)")
    guard files.fileExists(atPath: snapshot.path) else {
      throw .notDownloaded(name: name, folder: root.path)
    }
    path = snapshot.path
    self.name = name.split(separator: "/").last.map(String.init) ?? name
    origin = "hf-hub:\(name), revision \(revision.prefix(12))"
  }

  /// `$HF_HUB_CACHE`, `$HF_HOME/hub`, `~/.cache/huggingface/hub`.
  private static var cache: URL {
    let environment = ProcessInfo.processInfo.environment
    if let own = environment["HF_HUB_CACHE"], !own.isEmpty { return URL(filePath: own) }
    if let home = environment["HF_HOME"], !home.isEmpty {
      return URL(filePath: home).appending(path: "hub")
    }
    return URL(filePath: NSHomeDirectory()).appending(path: ".cache/huggingface/hub")
  }

  /// The architecture that the folder's `config.json` describes, and how images are prepared for it.
  ///
  /// - Throws: `ModelError`.
  func described() throws -> (architecture: Architecture, preprocessing: Data) {
    let config = try json("config.json")
    if let architecture = config["architecture"] as? String {
      guard let name = architecture.split(separator: ".").first else {
        throw problem(
          "config.json", "'architecture' is '\(architecture)', expected a name of timm's")
      }
      // Some of timm's tags are entries of their own, prepared otherwise.
      let tagged = Catalog.entries.first { $0.name == architecture }
      let entry = try tagged ?? Catalog.entry(named: String(name))
      let keys = config["pretrained_cfg"] as? [String: Any]
      let own = try keys.map { try JSONSerialization.data(withJSONObject: $0) }
      return (
        entry.architecture, try own ?? JSONEncoder().encode(entry.architecture.preprocessing)
      )
    }
    guard let kind = config["model_type"] as? String else {
      throw problem(
        "config.json", "has neither timm's 'architecture' nor transformers' 'model_type'")
    }
    let description = TransformersConfiguration(
      kind: kind, keys: config, file: "\(path)/config.json")
    let architecture = try description.architecture()
    let processor = "\(path)/preprocessor_config.json"
    guard FileManager.default.fileExists(atPath: processor) else {
      return (architecture, try JSONEncoder().encode(architecture.preprocessing))
    }
    guard let keys = FileManager.default.contents(atPath: processor) else {
      throw problem("preprocessor_config.json", "cannot be read")
    }
    return (architecture, keys)
  }

  /// The model, with the folder's weights or with made-up ones.
  func load(device: Device, randomWeights seed: UInt64?) throws -> LoadedModel {
    let (architecture, preprocessing) = try described()
    return try Catalog.load(
      name: name, architecture, summary: architecture.summary, preprocessing: preprocessing,
      from: seed == nil ? path : nil, device, seed, origin: origin, licence: nil, caveat: nil)
  }

  private func json(_ file: String) throws -> [String: Any] {
    guard let data = FileManager.default.contents(atPath: "\(path)/\(file)") else {
      throw problem(file, "is missing; expected a folder with config.json and model.safetensors")
    }
    guard let keys = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any] else {
      throw problem(file, "is no JSON object")
    }
    return keys
  }

  private func problem(_ file: String, _ text: String) -> ModelError {
    .checkpoint(file: "\(path)/\(file)", problem: text)
  }
}
