import ParallaxTensors

/// Where parameters come from: a file, several, or a generator.
public protocol WeightSource: Sendable {
  /// What errors call it: usually the file's path.
  var label: String { get }
  /// Every parameter's name.
  var names: [String] { get }
  /// A parameter's shape, without reading it; nil where there is none of that name.
  func shape(_ name: String) -> [Int]?
  /// A parameter; nil where there is none of that name.
  func tensor(_ name: String) throws -> Tensor?
}

/// Parameters in, by path.
///
/// ```swift
/// let w = Weights(source)
/// let qkv = try w["blocks.3"]("attn.qkv.weight", 3 * d, d)
/// ```
///
/// Every parameter is asked for once, with its shape; `finish` then refuses what nothing asked for.
public struct Weights {
  private let source: any WeightSource
  private let prefix: String
  private let ledger: Ledger
  /// Where the parameters shall lie.
  public let device: Device

  private final class Ledger {
    var asked: [String: Int] = [:]
  }

  /// The parameters of a source, as float32 on a device.
  public init(_ source: any WeightSource, device: Device = .cpu) {
    self.init(source, "", Ledger(), device)
  }

  private init(_ source: any WeightSource, _ prefix: String, _ ledger: Ledger, _ device: Device) {
    (self.source, self.prefix, self.ledger, self.device) = (source, prefix, ledger, device)
  }

  /// The parameters under a path.
  public subscript(path: String) -> Weights {
    Weights(source, prefix + path + ".", ledger, device)
  }

  /// The parameter of that name and shape.
  ///
  /// - Throws: `ModelError.missingParameter`, `ModelError.shape`, or what the source throws.
  public func callAsFunction(_ name: String, _ shape: Int...) throws -> Tensor {
    let full = prefix + name
    guard let found = source.shape(full) ?? (source as? any ShapeFollowing)?.shape(full, shape)
    else {
      throw ModelError.missingParameter(name: full, shape: shape, file: source.label)
    }
    guard found == shape else {
      throw ModelError.shape(name: full, expected: shape, found: found, file: source.label)
    }
    ledger.asked[full] = shape.reduce(1, *)
    let tensor = try (source as? any ShapeFollowing)?.tensor(full, shape) ?? source.tensor(full)
    guard let tensor else {
      throw ModelError.missingParameter(name: full, shape: shape, file: source.label)
    }
    return tensor.to(.float32).to(device)
  }

  /// Whether the source has a parameter of that name.
  public func has(_ name: String) -> Bool { source.shape(prefix + name) != nil }

  /// The shape of a parameter, where the source has one of that name.
  ///
  /// A source that makes parameters up has no shapes of its own.
  public func shape(_ name: String) -> [Int]? { source.shape(prefix + name) }

  /// The number of outputs of a last linear layer, as the checkpoint has it: whoever fine-tunes changes it.
  ///
  /// - Parameters:
  ///   - module: the layer's name, such as `fc`.
  ///   - standard: the number where parameters are made up.
  /// - Returns: the rows of its weight, or 0 where the checkpoint has neither weight nor bias of it.
  public func outputs(of module: String, standard: Int) -> Int {
    if source is any ShapeFollowing { return standard }
    return (shape("\(module).weight") ?? shape("\(module).bias"))?.first ?? 0
  }

  /// The number of values of each parameter that was asked for, by full name.
  public var asked: [String: Int] { ledger.asked }

  /// Refuses what nothing asked for.
  ///
  /// - Parameter harmless: whether a name may be left over (counters, masks, position indices).
  /// - Throws: `ModelError.surplusParameters`.
  public func finish(harmless: (String) -> Bool = { _ in false }) throws {
    let surplus = source.names.filter { ledger.asked[$0] == nil && !harmless($0) }
    if !surplus.isEmpty {
      throw ModelError.surplusParameters(names: surplus.sorted(), file: source.label)
    }
  }
}

/// A source that makes a parameter of whatever shape is asked for.
protocol ShapeFollowing: WeightSource {
  func shape(_ name: String, _ asked: [Int]) -> [Int]?
  func tensor(_ name: String, _ asked: [Int]) -> Tensor?
}
