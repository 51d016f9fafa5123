import ParallaxTensors

/// An initialiser that a node uses as its weight, and how it is dequantised.
struct ONNXWeight: Sendable {
  var data: String
  var scale: String?
  var zeroPoint: String?
  /// The dimension that scale and zero point run along, where they hold more than one number.
  var axis = 0

  var isQuantized: Bool { scale != nil }
  /// Initialisers that are of no use once the weight is dequantised.
  var helpers: [String] { [scale, zeroPoint].compactMap { $0 } }

  /// A node's use of a weight, with the names that it gives: without and with the operator.
  struct Use {
    var short: String
    var long: String
    var weight: ONNXWeight
  }

  /// Whether a name says nothing: the exporter's numbering of the graph's values.
  static func isMadeUp(_ name: String) -> Bool {
    name.hasPrefix("onnx::")
      || name.drop { $0.isLetter || $0 == "_" }.allSatisfy(\.isNumber)
        && (name.first?.isNumber == true || name.hasPrefix("val_"))
  }

  /// Every use of an initialiser as weight or bias, in the graph's order.
  static func uses(_ file: ONNXFile) -> [Use] {
    let graph = ONNXConnections(file)
    var uses: [Use] = []
    for node in file.model.graph.node {
      guard let (inputs, kinds) = weightInputs(node), !node.name.isEmpty else { continue }
      for (input, kind) in zip(inputs, kinds) where input < node.input.count {
        guard let weight = graph.weight(node, input) else { continue }
        let path = node.name.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        let module = ONNXModules.path(of: node) ?? path.joined(separator: "/")
        uses.append(
          Use(
            short: (module.isEmpty ? node.name : module) + kind, long: node.name + kind,
            weight: weight))
        break
      }
      if ["Gemm", "Conv", "ConvTranspose"].contains(node.opType), node.input.count > 2,
        let bias = graph.weight(node, 2), let last = uses.last
      {
        let base = { (name: String) in String(name.dropLast(".weight".count)) + ".bias" }
        if last.long == node.name + ".weight" {
          uses.append(Use(short: base(last.short), long: base(last.long), weight: bias))
        }
      }
    }
    return uses
  }

  /// The inputs of a node that may be its weight.
  private static func weightInputs(_ node: ONNXNodeProto) -> ([Int], [String])? {
    switch node.opType {
    case "MatMul", "MatMulInteger": ([1, 0], [".weight", ".weight"])
    case "Gemm", "Conv", "ConvTranspose", "ConvInteger": ([1], [".weight"])
    default: nil
    }
  }

  /// Checks that scale and zero point fit the weight.
  ///
  /// - Throws: `ModelError.checkpoint`.
  func check(_ file: ONNXFile) throws(ModelError) {
    guard let shape = file.shape(data), let scale else { return }
    for name in [scale] + (zeroPoint.map { [$0] } ?? []) {
      let found = file.shape(name) ?? []
      guard let dtypeSize = DType.uint8.byteCount(of: found),
        dtypeSize == 1 || found.count == 1 && axis < shape.count && found[0] == shape[axis]
      else {
        throw .checkpoint(
          file: file.path,
          problem:
            "'\(name)' of shape \(found) does not fit the quantised weight '\(data)' of shape \(shape)"
        )
      }
    }
  }

  /// The weight, dequantised where it is quantised.
  ///
  /// - Throws: `ModelError.checkpoint` where an element type is one that Parallax does not read.
  func tensor(_ file: ONNXFile) throws(ModelError) -> Tensor? {
    guard let stored = try file.tensor(data) else { return nil }
    guard let scale, let factor = try file.tensor(scale) else { return stored }
    let rank = stored.rank
    func fitted(_ tensor: Tensor) -> Tensor {
      let numbers = tensor.to(.float32)
      guard numbers.count != 1 else { return numbers.reshaped([]) }
      var shape = [Int](repeating: 1, count: rank)
      shape[axis] = numbers.count
      return numbers.reshaped(shape)
    }
    var values = stored.to(.float32)
    if let zeroPoint, let zero = try file.tensor(zeroPoint) { values = values - fitted(zero) }
    return values * fitted(factor)
  }
}

/// Who makes and who takes a graph's values.
private struct ONNXConnections {
  private let file: ONNXFile
  private var producers: [String: ONNXNodeProto] = [:]
  private var consumers: [String: [ONNXNodeProto]] = [:]

  init(_ file: ONNXFile) {
    self.file = file
    for node in file.model.graph.node {
      for output in node.output where !output.isEmpty { producers[output] = node }
      for input in node.input where !input.isEmpty { consumers[input, default: []].append(node) }
    }
  }

  private func isInitializer(_ name: String) -> Bool { file.shape(name) != nil }

  private func initializer(_ node: ONNXNodeProto, _ input: Int) -> String? {
    guard input < node.input.count, isInitializer(node.input[input]) else { return nil }
    return node.input[input]
  }

  /// The initialiser at an input of a node, directly or behind `DequantizeLinear`.
  func weight(_ node: ONNXNodeProto, _ input: Int) -> ONNXWeight? {
    let name = node.input[input]
    if isInitializer(name) {
      guard node.opType.hasSuffix("Integer") else { return ONNXWeight(data: name) }
      guard let rank = file.shape(name)?.count, rank > 0, let scale = integerScale(node, name)
      else { return nil }
      return ONNXWeight(
        data: name, scale: scale, zeroPoint: initializer(node, input + 2),
        axis: node.opType == "ConvInteger" ? 0 : rank - 1)
    }
    guard let source = producers[name], source.opType == "DequantizeLinear",
      let data = initializer(source, 0), let scale = initializer(source, 1),
      let rank = file.shape(data)?.count,
      // Scales a block are the operator's business.
      file.shape(scale)?.count ?? 0 <= 1
    else { return nil }
    // Saturating: an axis from outside can be any number.
    let given = source.attribute.first { $0.name == "axis" }?.i ?? 1
    let axis = Int(clamping: given < 0 ? given.addingReportingOverflow(Int64(rank)).0 : given)
    return ONNXWeight(
      data: data, scale: scale, zeroPoint: initializer(source, 2), axis: max(0, axis))
  }

  /// The weight's scale: `MatMulInteger → Cast → Mul(·, Mul(input's scale, weight's scale))`, or by the name
  /// that ONNX Runtime's quantiser gives it.
  private func integerScale(_ node: ONNXNodeProto, _ weight: String) -> String? {
    if let output = node.output.first,
      let cast = consumers[output]?.first(where: { $0.opType == "Cast" }),
      let product = cast.output.first,
      let scaling = consumers[product]?.first(where: { $0.opType == "Mul" })
    {
      for factor in scaling.input where factor != product {
        if isInitializer(factor) { return factor }
        if let scales = producers[factor], scales.opType == "Mul" {
          if let found = scales.input.first(where: isInitializer) { return found }
        }
      }
    }
    guard weight.hasSuffix("_quantized") else { return nil }
    let name = String(weight.dropLast("_quantized".count)) + "_scale"
    return isInitializer(name) ? name : nil
  }
}
