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
  /// The element type that the parameters shall have.
  public let dtype: DType

  private final class Ledger {
    var asked: [String: Int] = [:]
  }

  /// The parameters of a source on a device.
  ///
  /// - Parameters:
  ///   - source: where they come from.
  ///   - device: where they shall lie.
  ///   - dtype: float32, or float64 where derivatives are to be exact: images must then be float64 too.
  public init(_ source: any WeightSource, device: Device = .cpu, dtype: DType = .float32) {
    self.init(source, "", Ledger(), device, dtype)
  }

  private init(
    _ source: any WeightSource, _ prefix: String, _ ledger: Ledger, _ device: Device, _ dtype: DType
  ) {
    (self.source, self.prefix, self.ledger, self.device) = (source, prefix, ledger, device)
    self.dtype = dtype
  }

  /// The parameters under a path.
  public subscript(path: String) -> Weights {
    Weights(source, prefix + path + ".", ledger, device, dtype)
  }

  /// The parameter of that name and shape.
  ///
  /// - Parameters:
  ///   - name: below the path.
  ///   - shape: as the model needs it.
  ///   - groups: of a grouped convolution; made-up weights are drawn for its fan-out.
  /// - Returns: it, in the element type and on the device that were asked for.
  /// - Throws: `ModelError.missingParameter`, `ModelError.shape`, in the checkpoint's own words, or what the source
  ///   throws.
  public func callAsFunction(
    _ name: String, _ shape: Int..., groups: Int = 1
  ) throws -> Tensor {
    let full = prefix + name
    let maker = source as? any ShapeFollowing
    guard let found = source.shape(full) ?? maker?.shape(full, shape), found == shape else {
      throw refusal(full, shape)
    }
    ledger.asked[full] = shape.reduce(1, *)
    guard let tensor = try maker?.tensor(full, shape, groups: groups) ?? source.tensor(full) else {
      throw refusal(full, shape)
    }
    return tensor.to(dtype).to(device)
  }

  /// Why a parameter cannot be had, under the name that the checkpoint has for it.
  private func refusal(_ name: String, _ shape: [Int]) -> ModelError {
    let fault =
      (source as? any ForeignNames)?.fault(name, shape)
      ?? ParameterFault(name: name, expected: shape, found: source.shape(name))
    guard let found = fault.found else {
      return .missingParameter(name: fault.name, shape: fault.expected, file: source.label)
    }
    return .shape(
      name: fault.name, expected: fault.expected, found: found, file: source.label)
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
    let own = (shape("\(module).weight") ?? shape("\(module).bias"))?.first
    return own ?? (source is any ShapeFollowing ? standard : 0)
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
      let foreign = source as? any ForeignNames
      let own = Set(surplus.flatMap { foreign?.origins($0) ?? [$0] })
      throw ModelError.surplusParameters(names: own.sorted(), file: source.label)
    }
  }
}

/// A source that makes a parameter of whatever shape is asked for.
protocol ShapeFollowing: WeightSource {
  func shape(_ name: String, _ asked: [Int]) -> [Int]?
  func tensor(_ name: String, _ asked: [Int]) -> Tensor?
  /// The weight of a convolution of so many groups; the same as any other unless a source cares.
  func tensor(_ name: String, _ asked: [Int], groups: Int) -> Tensor?
}

extension ShapeFollowing {
  func tensor(_ name: String, _ asked: [Int], groups: Int) -> Tensor? { tensor(name, asked) }
}

/// A source whose parameters have other names where they come from.
protocol ForeignNames: WeightSource {
  /// The names that a parameter is made from; its own where nothing is known of it.
  func origins(_ name: String) -> [String]
  /// What is wrong with a parameter that should have that shape.
  func fault(_ name: String, _ asked: [Int]) -> ParameterFault
}

/// A parameter that is missing (`found` is nil) or misshapen.
struct ParameterFault {
  var name: String
  var expected: [Int]
  var found: [Int]?
}
