import ParallaxTensors

/// ONNX's operators in libtorch's, by name: one dictionary a group, each in a file of its own.
///
/// An entry makes a node ready and gives what computes its results from its inputs. To add an operator is to add an
/// entry; the oracle runs the ONNX project's own cases of it.
enum ONNXOperators {
  typealias Body = @Sendable (ONNXValues) throws -> [GraphValue]
  typealias Make = @Sendable (ONNXNode) throws -> Body

  /// The versions of ONNX's own operators that are known.
  static let opsets = 7...28

  static let table: [String: Make] = [
    elementwise, comparisons, shapes, selections, products, convolutions, pooling, normalisations,
    reductions,
    resizing, quantised,
  ].reduce(into: [:]) { $0.merge($1) { first, _ in first } }

  /// Of domains that are ONNX's own.
  static func isStandard(_ domain: String) -> Bool { domain.isEmpty || domain == "ai.onnx" }

  // MARK: Short forms

  /// An operator with one result.
  static func one(
    _ make: @escaping @Sendable (ONNXNode) throws -> @Sendable (ONNXValues) throws -> Tensor
  ) -> Make {
    { node in
      let body = try make(node)
      return { [.tensor(try body($0))] }
    }
  }

  /// An operator without attributes, with one result.
  static func plain(_ body: @escaping @Sendable (ONNXValues) throws -> Tensor) -> Make {
    { _ in { [.tensor(try body($0))] } }
  }

  /// libtorch's operator of one tensor.
  static func unary(_ name: String) -> Make {
    let call = Aten(name)
    return plain { try call($0[0]) }
  }

  /// libtorch's operator of two tensors that broadcast.
  static func binary(_ name: String) -> Make {
    let call = Aten(name)
    return plain { values in
      let (a, b) = try ONNXShape.together(values[0], values[1])
      return try call(a, b)
    }
  }
}
