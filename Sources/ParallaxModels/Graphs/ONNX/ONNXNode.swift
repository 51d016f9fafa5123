import ParallaxTensors

/// A node of an ONNX graph as its operator sees it: what is fixed when the graph is made ready.
struct ONNXNode: Sendable {
  /// The operator, such as `Conv`; of other domains than ONNX's own with the domain: `com.microsoft.Gelu`.
  let kind: String
  /// The version of the operators that the node was written for.
  let opset: Int
  /// The number of its inputs, those that are left out included.
  let inputCount: Int
  /// The number of its results.
  let outputCount: Int
  /// Whether quantised numbers stay whole, as the file has them.
  let asShipped: Bool
  private let attributes: [String: ONNXAttributeProto]
  /// Inputs that the file holds, or that follow from what it holds.
  private let inputs: [GraphValue?]

  init(
    _ node: ONNXNodeProto, kind: String, opset: Int, asShipped: Bool, known inputs: [GraphValue?]
  ) {
    (self.kind, self.opset, self.asShipped, self.inputs) = (kind, opset, asShipped, inputs)
    (inputCount, outputCount) = (node.input.count, node.output.count)
    attributes = Dictionary(node.attribute.map { ($0.name, $0) }) { first, _ in first }
  }

  /// The tensor at an input, where it is the same for all images.
  func known(_ index: Int) -> Tensor? {
    inputs.indices.contains(index) ? inputs[index]?.tensor : nil
  }

  /// Whether an input is the same for all images, or left out.
  func isKnown(_ index: Int) -> Bool { inputs.indices.contains(index) && inputs[index] != nil }

  // MARK: Attributes

  func has(_ name: String) -> Bool { attributes[name] != nil }

  func int(_ name: String) -> Int? {
    attributes[name].map { $0.hasI ? Int($0.i) : Int(saturating: Double($0.f)) }
  }

  func int(_ name: String, _ fallback: Int) -> Int { int(name) ?? fallback }

  func flag(_ name: String, _ fallback: Bool = false) -> Bool { int(name, fallback ? 1 : 0) != 0 }

  func float(_ name: String) -> Double? {
    attributes[name].map { $0.hasF ? Double($0.f) : Double($0.i) }
  }

  func float(_ name: String, _ fallback: Double) -> Double { float(name) ?? fallback }

  func ints(_ name: String) -> [Int]? { attributes[name].map { $0.ints.map(Int.init) } }

  func floats(_ name: String) -> [Double]? { attributes[name].map { $0.floats.map(Double.init) } }

  func text(_ name: String, _ fallback: String) -> String {
    attributes[name].map { String(decoding: $0.s, as: UTF8.self) } ?? fallback
  }

  /// A tensor in an attribute; nil where there is no such attribute.
  func tensor(_ name: String) throws -> Tensor? {
    guard let attribute = attributes[name] else { return nil }
    guard let proto = attribute.t.first else {
      throw GraphProblem(text: "its attribute '\(name)' holds no tensor")
    }
    return try ONNXFile.tensor(of: proto)
  }

  /// A list of an attribute that must have a length.
  func ints(_ name: String, count: Int, _ fallback: Int) throws -> [Int] {
    let found = ints(name) ?? []
    if found.isEmpty { return Array(repeating: fallback, count: count) }
    guard found.count == count else {
      throw GraphProblem(text: "\(name) has \(found.count) numbers, expected \(count)")
    }
    return found
  }
}

extension Int {
  /// The nearest number that there is.
  init(saturating value: Double) {
    self = Int(exactly: value.rounded()) ?? (value > 0 ? .max : value < 0 ? .min : 0)
  }
}

/// The values that a node is given.
struct ONNXValues {
  let values: [GraphValue]

  /// The tensor at an input.
  subscript(_ index: Int) -> Tensor {
    get throws(GraphProblem) {
      guard values.indices.contains(index), case .tensor(let tensor) = values[index] else {
        let found = values.indices.contains(index) ? values[index].kind : "nothing"
        throw GraphProblem(text: "expected a tensor as input \(index), found \(found)")
      }
      let shape = tensor.shape
      // Beside a size of 0 the others may be of any size: operators multiply them.
      guard !shape.contains(0) || shape.reduce(1, { $0 * Double(max(1, $1)) }) < 1e12 else {
        throw GraphProblem(text: "input \(index) has the impossible shape \(shape)")
      }
      return tensor
    }
  }

  /// The tensor at an input that may be left out.
  func optional(_ index: Int) -> Tensor? {
    values.indices.contains(index) ? values[index].tensor : nil
  }

  /// Whole numbers: sizes, axes.
  func ints(_ index: Int) throws(GraphProblem) -> [Int] {
    let tensor = try self[index]
    guard tensor.rank <= 1, tensor.count <= 1 << 20, !tensor.dtype.isFloatingPoint else {
      throw GraphProblem(text: "expected whole numbers as input \(index), found \(tensor)")
    }
    return tensor.scalars(Int64.self).map(Int.init)
  }

  /// Whole numbers of an input that may be left out.
  func optionalInts(_ index: Int) throws(GraphProblem) -> [Int]? {
    optional(index) == nil ? nil : try ints(index)
  }

  func double(_ index: Int) throws(GraphProblem) -> Double {
    let tensor = try self[index]
    guard tensor.count == 1 else {
      throw GraphProblem(text: "expected a single number as input \(index), found \(tensor)")
    }
    return tensor.item(Double.self)
  }

  func int(_ index: Int) throws(GraphProblem) -> Int {
    let tensor = try self[index]
    guard tensor.count == 1, !tensor.dtype.isFloatingPoint else {
      throw GraphProblem(text: "expected a whole number as input \(index), found \(tensor)")
    }
    return Int(tensor.item(Int64.self))
  }
}

/// An operator of libtorch for values from outside: it throws where they do not fit.
struct Aten: Sendable {
  let op: Operator

  /// - Precondition: this libtorch has `aten::NAME`.
  init(_ name: String) { op = Operator("aten::\(name)") }

  func callAsFunction(_ arguments: any OperatorArgument...) throws -> Tensor {
    guard let result = try op.attempt(arguments).first?.tensor else {
      throw GraphProblem(text: "\(op.name) gave no tensor")
    }
    return result
  }

  func all(_ arguments: any OperatorArgument...) throws -> [Tensor] {
    try op.attempt(arguments).compactMap(\.tensor)
  }
}
