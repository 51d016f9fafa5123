import Foundation
import ParallaxTensors

/// What a file or a folder that holds a model is, before anything is computed with it.
public struct FileDescription: Sendable, Codable, Equatable {
  /// A parameter as it is stored.
  public struct Parameter: Sendable, Codable, Equatable {
    /// Its name in the file.
    public var name: String
    /// Its shape.
    public var shape: [Int]
    /// How its values are stored, such as `float16`.
    public var dtype: String
  }

  /// How much of a file is stored in one way.
  public struct Kind: Sendable, Codable, Equatable {
    /// `float32`, `int64`, ….
    public var dtype: String
    /// The number of tensors.
    public var tensors: Int
    /// The number of values in them.
    public var values: Int
  }

  /// How images are prepared for the model.
  public struct Preparation: Sendable, Codable, Equatable {
    /// The file that says so; nil where none does and the architecture's own way is meant.
    public var file: String?
    /// timm's or a processor's keys, as JSON.
    public var keys: String
  }

  /// A graph with its weights.
  public struct Graph: Sendable, Codable, Equatable {
    /// Who wrote it.
    public var writer: String?
    /// The number of operators.
    public var nodes: Int
    /// The images that it takes, such as `any number × 3 × 224 × 224, float32`.
    public var images: String
    /// How its tokens stand in a row, where it has any.
    public var tokens: String?
    /// Its sites in execution order.
    public var sites: [String]
    /// Those of them that are blocks.
    public var blocks: [String]
    /// What one must know before quoting a number.
    public var caveat: String?
  }

  /// The path, as it was given.
  public var file: String
  /// The format, in a few words.
  public var format: String
  /// The number of values of all tensors.
  public var values: Int
  /// How they are stored, the most values first.
  public var dtypes: [Kind]
  /// The architecture that a configuration beside it names; nil where there is none, or none that is known.
  public var architecture: String?
  /// Why the configuration beside it is of no use, where that is so.
  public var problem: String?
  /// The catalog's architectures that every name and shape fits.
  public var fits: [String]
  /// How images are prepared for it, where a file says so or the architecture is known.
  public var preprocessing: Preparation?
  /// The graph that the file holds; nil for parameters alone.
  public var graph: Graph?
  /// All parameters, sorted by name.
  public var parameters: [Parameter]

  /// Describes a file, or a folder as the hub lays it out: one function a kind of file.
  ///
  /// - Throws: what `Checkpoint.open` throws.
  public init(_ path: String) throws {
    var isFolder: ObjCBool = false
    let exists = unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    if exists, isFolder.boolValue {
      self = try Self.folder(path)
    } else {
      self = try ModelReference.isGraph(path) ? Self.graph(path) : Self.checkpoint(path)
    }
  }

  /// Describes the files of a model of the hub, fetched where they are not in the cache.
  ///
  /// - Throws: what `Hub.snapshot` throws, and `Checkpoint.open`.
  public init(
    _ model: HubModel, hub: Hub = Hub(), progress: @escaping (Hub.Progress) -> Void = { _ in }
  ) throws {
    self = try Self.described(HuggingFaceFolder(model, hub, weights: true, progress))
    file = "\(model)"
  }

  /// A checkpoint: what it holds, and which architectures it fits.
  static func checkpoint(_ path: String) throws -> FileDescription {
    let source = try Checkpoint.open(path)
    let stored = source as? any StoredWeights
    let parameters = source.names.sorted().map { name in
      Parameter(
        name: name, shape: source.shape(name) ?? [], dtype: stored?.storedType(name) ?? "unknown")
    }
    var kinds: [String: Kind] = [:]
    var values = 0
    for parameter in parameters {
      let count = parameter.shape.elementCount
      values += count
      kinds[parameter.dtype, default: Kind(dtype: parameter.dtype, tensors: 0, values: 0)]
        .tensors += 1
      kinds[parameter.dtype]?.values += count
    }
    let fitting = Catalog.architectures(fitting: source)
    return FileDescription(
      file: path, format: stored?.format ?? "unknown", values: values,
      dtypes: kinds.values.sorted { ($1.values, $0.dtype) < ($0.values, $1.dtype) },
      architecture: nil, problem: nil, fits: fitting.map(\.name),
      preprocessing: try fitting.first.map {
        Preparation(file: nil, keys: Self.text(try JSONEncoder().encode($0.preprocessing)))
      }, parameters: parameters)
  }

  /// A folder: its checkpoint, and what the configuration beside that says.
  static func folder(_ path: String) throws -> FileDescription {
    var result = try described(HuggingFaceFolder(path))
    result.file = path
    return result
  }

  private static func described(_ folder: HuggingFaceFolder) throws -> FileDescription {
    var result = try checkpoint(folder.checkpoint)
    do {
      let found = try folder.described()
      result.architecture = found.architecture.title
      result.preprocessing = Preparation(
        file: found.preprocessingFile, keys: Self.text(found.preprocessing))
    } catch {
      result.problem = "\(error)"
    }
    return result
  }

  private init(
    file: String, format: String, values: Int, dtypes: [Kind], architecture: String?,
    problem: String?, fits: [String], preprocessing: Preparation?, parameters: [Parameter]
  ) {
    (self.file, self.format, self.values, self.dtypes) = (file, format, values, dtypes)
    (self.architecture, self.problem, self.fits) = (architecture, problem, fits)
    (self.preprocessing, self.parameters) = (preprocessing, parameters)
  }

  /// JSON on one line, its keys sorted.
  static func text(_ json: Data) -> String {
    guard let object = try? JSONSerialization.jsonObject(with: json),
      let sorted = try? JSONSerialization.data(
        withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
    else { return String(decoding: json, as: UTF8.self) }
    return String(decoding: sorted, as: UTF8.self)
  }
}

extension Architecture {
  /// The name where it is one of the catalog's, else the summary: names made of a configuration are long.
  fileprivate var title: String { name.contains(" ") ? summary : name }
}
