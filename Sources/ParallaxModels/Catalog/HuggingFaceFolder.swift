import Foundation
import ParallaxTensors

/// A folder with a configuration and a checkpoint, as timm, transformers and open_clip write them.
struct HuggingFaceFolder {
  private let path: String
  private let name: String
  private let origin: String
  private let layout: HubModel.Layout
  /// The architecture that the user asked for; nil for what the configuration says.
  private let asked: String?

  /// What a folder's files say.
  struct Description {
    var architecture: Architecture
    /// A JSON object with timm's or a processor's keys.
    var preprocessing: Data
    /// The file that said how images are prepared; nil where none did and the architecture's own way is taken.
    var preprocessingFile: String?
  }

  /// The folder at a path.
  init(_ path: String) {
    self.path = path
    name = URL(filePath: path).standardizedFileURL.lastPathComponent
    (origin, layout, asked) = (path, .standard, nil)
  }

  /// The snapshot of a model of the hub, fetched where the hub client's cache does not have it.
  ///
  /// - Throws: what `Hub.snapshot` throws. Where `ORG/NAME` was typed, which may have been meant for a path, and
  ///   there is no such model, `ModelError.checkpoint` says both.
  init(
    _ model: HubModel, _ hub: Hub, weights: Bool, _ progress: @escaping (Hub.Progress) -> Void
  ) throws {
    let found: (folder: URL, commit: String)
    do {
      found = try hub.snapshot(of: model, weights: weights, progress: progress)
    } catch let error as ModelError where model.isBare {
      switch error {
      case .hub, .notDownloaded:
        throw ModelError.checkpoint(
          file: model.id, problem: "no such file or folder; and as a model of the hub: \(error)")
      default: throw error
      }
    }
    path = found.folder.path
    name = model.name
    origin = "hf-hub:\(model.id), revision \(found.commit.prefix(12))"
    (layout, asked) = (model.layout, model.architecture)
  }

  /// The architecture that the folder's configuration describes, and how images are prepared for it.
  ///
  /// - Throws: `ModelError`.
  func described() throws -> Description {
    if isOpenCLIP { return try openCLIP() }
    let config = try json("config.json")
    if let name = config["architecture"] as? String {
      return try TimmConfiguration(name: name, keys: config, file: "\(path)/config.json")
        .described(asked)
    }
    guard let kind = config["model_type"] as? String else {
      throw problem(
        "config.json", "has neither timm's 'architecture' nor transformers' 'model_type'")
    }
    let description = TransformersConfiguration(
      kind: kind, keys: config, file: "\(path)/config.json")
    let architecture = try description.architecture()
    let (keys, file) = try processor()
    return Description(
      architecture: architecture,
      preprocessing: try keys ?? JSONEncoder().encode(architecture.preprocessing),
      preprocessingFile: file)
  }

  /// How transformers prepares images: since its version 5 an object in `processor_config.json` where that is there,
  /// else `preprocessor_config.json`.
  private func processor() throws -> (keys: Data?, file: String?) {
    let (new, old) = ("processor_config.json", "preprocessor_config.json")
    if has(new), let own = try json(new)["image_processor"] as? [String: Any] {
      return (try JSONSerialization.data(withJSONObject: own), new)
    }
    guard has(old) else { return (nil, nil) }
    guard let keys = FileManager.default.contents(atPath: "\(path)/\(old)") else {
      throw problem(old, "cannot be read")
    }
    return (keys, old)
  }

  /// The model, with the folder's weights or with made-up ones.
  func load(
    device: Device, dtype: DType = .float32, randomWeights seed: UInt64?, swap: ModuleSwap? = nil
  ) throws -> LoadedModel {
    let found = try described()
    let caveat =
      found.preprocessingFile == nil
      ? "no file says how its images are prepared; what is usual for the architecture is taken"
      : nil
    var loaded = try Catalog.load(
      name: name, found.architecture, summary: found.architecture.summary,
      preprocessing: found.preprocessing, from: seed == nil ? checkpoint : nil, (device, dtype),
      seed, origin: origin, licence: nil, caveat: caveat, swap: swap)
    if !isOpenCLIP { loaded.labels = ClassLabels.names(try json("config.json")) }
    return loaded
  }

  /// The checkpoint: the folder, or one of its files where another library's lie beside it.
  var checkpoint: String {
    guard isOpenCLIP else { return path }
    let file = Hub.weightFiles(.openCLIP(quickGELU: false)).first(where: has)
    return file.map { "\(path)/\($0)" } ?? path
  }

  private var isOpenCLIP: Bool {
    if case .openCLIP = layout { return true }
    guard has("open_clip_config.json") else { return false }
    guard has("config.json") else { return true }
    let config = (try? json("config.json")) ?? [:]
    return config["architecture"] == nil && config["model_type"] == nil
  }

  private func openCLIP() throws -> Description {
    var quick = false
    if case .openCLIP(let asked) = layout { quick = asked }
    let configuration = try OpenCLIPConfiguration(
      keys: json("open_clip_config.json"), quickGELU: quick,
      file: "\(path)/open_clip_config.json")
    let architecture = try configuration.architecture()
    let keys = try configuration.preprocessing(architecture)
    return Description(
      architecture: architecture, preprocessing: try JSONSerialization.data(withJSONObject: keys),
      preprocessingFile: "open_clip_config.json")
  }

  private func has(_ file: String) -> Bool {
    FileManager.default.fileExists(atPath: "\(path)/\(file)")
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
