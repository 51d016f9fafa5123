import ParallaxTensors

/// The parameters of an ONNX file, under their own names and under those of the nodes that use them.
///
/// Exporters call matrices `onnx::MatMul_1541`; the module's path stands in the node's name. So the weight
/// of the node `/encoder/layers.0/self_attn/q_proj/MatMul` can be had as
/// `/encoder/layers.0/self_attn/q_proj.weight`: the path without the operator, and `.weight` (for the third
/// input of Gemm and Conv, `.bias`). Where several nodes of one module compete for a name, the later ones keep
/// their operator: `/features/Conv_1.weight`.
///
/// A weight that is stored as int8 or uint8 (`MatMulInteger`, `ConvInteger`, or behind
/// `DequantizeLinear`) comes back as float32 under its node's name, `(q − zero point) · scale`, and as stored
/// under its own.
///
/// The layout is the node's: `[in, out]` for MatMul, `[out, in]` for Gemm with `transB`, `[out, in, h, w]`
/// for Conv.
public struct ONNXInitializers: WeightSource, StoredWeights {
  /// The file's path.
  public var label: String { file.path }
  /// Every parameter once: under its node's name where its own is made up by the exporter, without the scales
  /// and zero points of dequantised weights.
  public let names: [String]
  private let file: ONNXFile
  private let aliases: [String: ONNXWeight]

  /// Opens a file and checks its initialisers.
  ///
  /// - Throws: `TensorError.file` where it cannot be read, `ModelError.checkpoint` where it is damaged.
  public init(_ path: String) throws {
    try self.init(ONNXFile(path))
  }

  init(_ file: ONNXFile) throws {
    self.file = file
    let uses = ONNXWeight.uses(file)
    let own = Set(file.names)
    var aliases: [String: ONNXWeight] = [:]
    var listed: [String: String] = [:]
    var hidden: Set<String> = []
    for use in uses {
      try use.weight.check(file)
      hidden.formUnion(use.weight.helpers)
      for name in [use.short, use.long] where !own.contains(name) {
        if let taken = aliases[name], taken.data != use.weight.data { continue }
        aliases[name] = use.weight
        // An initialiser with a name of its own is listed under that.
        if use.weight.isQuantized || ONNXWeight.isMadeUp(use.weight.data),
          listed[use.weight.data] == nil
        {
          listed[use.weight.data] = name
        }
        break
      }
    }
    self.aliases = aliases
    names = file.names.filter { !hidden.contains($0) || listed[$0] != nil }
      .map { listed[$0] ?? $0 }
  }

  /// A parameter's shape, without reading it; nil where there is none of that name.
  public func shape(_ name: String) -> [Int]? {
    file.shape(name) ?? aliases[name].flatMap { file.shape($0.data) }
  }

  var format: String { "ONNX" }
  func storedType(_ name: String) -> String? {
    file.storedType(name) ?? aliases[name].flatMap { file.storedType($0.data) }
  }

  /// A parameter; nil where there is none of that name.
  ///
  /// - Throws: `ModelError.checkpoint` where its element type is one that Parallax does not read.
  public func tensor(_ name: String) throws -> Tensor? {
    if let own = try file.tensor(name) { return own }
    return try aliases[name]?.tensor(file)
  }
}
