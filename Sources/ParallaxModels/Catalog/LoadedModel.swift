import Foundation
import ParallaxTensors

/// A model with its parameters, and what must be said about it.
public struct LoadedModel: Sendable {
  /// What results and figures call it.
  public var name: String
  /// The kind of network.
  public let family: String
  /// What it is, in a sentence.
  public let summary: String
  /// The model.
  public let model: any Model
  /// How images are prepared for it: a JSON object with timm's or a processor's keys.
  public let preprocessing: Data
  /// The size of the images instead of the preprocessing's own, in pixels; nil for that.
  public var imageSize: (height: Int, width: Int)?
  /// Where the parameters lie.
  public let device: Device
  /// The number of values of each parameter, by name; batch-norm statistics are none.
  public let parameters: [String: Int]
  /// What identifies architecture and weights: the same text means the same numbers.
  public let fingerprint: String
  /// Where the weights come from.
  public let origin: String?
  /// Their licence.
  public let licence: String?
  /// What one must know before quoting a number.
  public let caveat: String?
  /// What it was trained to do, as the catalog records it or its name says.
  public var objective = Objective.unknown

  /// The names of its classes by index, where its configuration gives them.
  public var labels: [String]?

  /// What it was made of, where it is another model with a change.
  public var derivation: Derivation?

  /// Of which model a model is a changed form, and how.
  public struct Derivation: Sendable, Hashable {
    /// The name of the model that was changed.
    public var base: String
    /// What was changed: `without attention`, `untrained stem`.
    public var change: String

    /// A change.
    public init(base: String, change: String) { (self.base, self.change) = (base, change) }
  }

  /// The same model in another form, such as without a part.
  ///
  /// - Parameters:
  ///   - name: what results call it.
  ///   - model: the other form.
  ///   - change: what was changed.
  /// - Returns: it, with preprocessing, device and objective of this one.
  public func derived(_ name: String, _ model: any Model, change: String) -> LoadedModel {
    var other = LoadedModel(
      name: name, family: family, summary: "\(summary); \(change)", model: model,
      preprocessing: preprocessing, device: device, parameters: parameters,
      fingerprint: "\(fingerprint) \(change)", origin: origin, licence: licence, caveat: caveat)
    (other.objective, other.labels, other.imageSize) = (objective, labels, imageSize)
    other.derivation = Derivation(base: self.name, change: change)
    return other
  }

  /// The number of values of all parameters.
  public var parameterCount: Int { parameters.values.reduce(0, +) }

  /// The number of values of the parameters of a module.
  public func parameterCount(under site: String) -> Int {
    parameters.reduce(0) { $0 + ($1.key.hasPrefix(site + ".") ? $1.value : 0) }
  }
}

extension Catalog {
  /// Loads a model.
  ///
  /// - Parameters:
  ///   - reference: what the user typed.
  ///   - device: where the parameters shall lie.
  ///   - dtype: their element type, `float32` or `float64`; the model takes images of that type only.
  ///   - seed: draws made-up weights instead of reading any; nil to read them.
  ///   - swap: a module whose parameters are those of the other of trained and untrained network; not with a seed.
  ///   - graphs: how imported graphs are taken.
  ///   - hub: where models of the hub are looked for and kept.
  ///   - progress: told how far the download of a model of the hub is.
  /// - Returns: the model, with what must be said about it.
  /// - Throws: `ModelError`, and what the files throw.
  public static func load(
    _ reference: ModelReference, device: Device = .cpu, dtype: DType = .float32,
    randomWeights seed: UInt64? = nil, swap: ModuleSwap? = nil,
    graphs: GraphOptions = GraphOptions(),
    hub: Hub = Hub(), progress: @escaping (Hub.Progress) -> Void = { _ in }
  ) throws -> LoadedModel {
    switch reference {
    case .graph(let path):
      guard seed == nil else {
        throw ModelError.address(
          text: path, problem: "a graph holds its weights; made-up ones are for architectures")
      }
      guard swap == nil else {
        throw ModelError.address(
          text: path, problem: "a graph's modules have no parameters that could be swapped")
      }
      guard dtype == .float32 else {
        throw ModelError.address(
          text: path, problem: "a graph's element types are its own; \(dtype) is for architectures")
      }
      return try load(graph: path, device, graphs)
    case .folder(let path):
      return try HuggingFaceFolder(path).load(
        device: device, dtype: dtype, randomWeights: seed, swap: swap)
    case .hub(let model):
      return try HuggingFaceFolder(model, hub, weights: seed == nil, progress)
        .load(device: device, dtype: dtype, randomWeights: seed, swap: swap)
    case .file(let name, let path):
      let entry = try entry(named: name)
      return try load(entry, from: path, (device, dtype), seed, swap, origin: path)
    case .name(let name):
      let entry = try entry(named: name)
      if let seed {
        return try load(entry, from: nil, (device, dtype), seed, nil, origin: nil)
      }
      guard let file = entry.weightsURL else { throw ModelError.noWeights(name: entry.name) }
      guard FileManager.default.fileExists(atPath: file.path) else {
        throw ModelError.notInstalled(name: entry.name, file: file.path)
      }
      return try load(entry, from: file.path, (device, dtype), nil, swap, origin: entry.origin)
    }
  }

  private static func load(
    _ entry: CatalogEntry, from path: String?, _ place: (device: Device, dtype: DType),
    _ seed: UInt64?, _ swap: ModuleSwap?, origin: String?
  ) throws -> LoadedModel {
    let isPackaged = path == entry.weightsURL?.path && path != nil
    return try load(
      name: entry.name, entry.architecture, summary: entry.summary,
      preprocessing: JSONEncoder().encode(entry.preprocessing), from: path, place, seed,
      origin: origin, licence: isPackaged ? entry.licence : nil,
      caveat: isPackaged ? entry.caveat : nil,
      objective: isPackaged ? entry.weights?.objective : nil, swap: swap)
  }

  static func load(
    name: String, _ architecture: Architecture, summary: String, preprocessing: Data,
    from path: String?, _ place: (device: Device, dtype: DType), _ seed: UInt64?,
    origin: String?, licence: String?,
    caveat: String?, objective: Objective? = nil, swap: ModuleSwap? = nil
  ) throws -> LoadedModel {
    var source: any WeightSource
    var identity: String
    if let seed {
      source = RandomWeights(seed: seed)
      identity = "random \(seed)"
    } else {
      let path = path ?? ""
      source = architecture.recognise(try Checkpoint.open(path))
      identity = try Self.contentHash(path)
    }
    if let swap, seed == nil {
      source = SwappedWeights(
        trained: source, made: RandomWeights(seed: swap.seed),
        module: try swap.parameters(among: source.names, file: source.label),
        isIntoUntrained: swap.isIntoUntrained)
      identity += " \(swap.isIntoUntrained ? "all but " : "")\(swap.module) of random \(swap.seed)"
    }
    identity = "\(architecture.name) \(identity)"
    let weights = Weights(source, device: place.device, dtype: place.dtype)
    let model = try architecture.make(weights)
    try weights.finish(harmless: Architecture.isHarmless)
    return LoadedModel(
      name: seed == nil ? name : "\(name)-random", family: architecture.family,
      summary: seed == nil ? summary : "\(architecture.summary); random weights, untrained",
      model: model, preprocessing: preprocessing, device: place.device,
      parameters: weights.asked.filter { !$0.key.contains(".running_") },
      fingerprint: identity, origin: seed.map { "random weights, seed \($0)" } ?? origin,
      licence: seed == nil ? licence : nil, caveat: seed == nil ? caveat : nil,
      objective: seed != nil || swap?.isIntoUntrained == true
        ? .untrained
        : objective ?? Objective.named(Self.stem(path)) ?? Objective.named(name)
          ?? Objective.named(architecture.name) ?? .unknown)
  }

  private static func stem(_ path: String?) -> String {
    path.map { URL(filePath: $0).deletingPathExtension().lastPathComponent } ?? ""
  }

  /// The hash of a file, or of the checkpoint files in a folder.
  static func contentHash(_ path: String) throws -> String {
    var isFolder: ObjCBool = false
    let exists = unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    guard exists, isFolder.boolValue else { return try ContentHash.sha256(ofFile: path) }
    guard let content = try? FileManager.default.contentsOfDirectory(atPath: path) else {
      throw TensorError.file(path: path, problem: "the folder cannot be read")
    }
    let files = content.sorted().filter { $0.hasSuffix(".safetensors") || $0.hasSuffix(".bin") }
    return ContentHash.sha256(
      try files.map { try ContentHash.sha256(ofFile: "\(path)/\($0)") }.joined(separator: "\n"))
  }
}
