import ParallaxTensors

extension ONNXOperators {
  /// Numbers of eight bits and their products.
  ///
  /// As shipped, everything is as the file has it: values are rounded to whole numbers, products are exact.
  ///
  /// Otherwise the same graph runs in float32: what would be rounded stays a fraction, `x/scale + zero point`, still
  /// clipped to what eight bits hold (networks whose ReLU went into that clipping need it); of a dynamically quantised
  /// value, whose range is its own, nothing is clipped either. Weights are dequantised. All that lies between works on
  /// fractions as it does on whole numbers, so the result is the network without the error of rounding activations, and
  /// gradients flow.
  static let quantised: [String: Make] = [
    "QuantizeLinear": one { node in
      let fitting = try QuantisedAxis(node)
      let dtype = try node.int("output_dtype").flatMap { $0 == 0 ? nil : try ONNXFile.dtype($0) }
      return { values in
        let (x, scale, zero) = (try values[0], try values[1], values.optional(2))
        let target = dtype ?? zero?.dtype ?? .uint8
        let wide = try toDType(x, node.asShipped ? .float32 : x.dtype)
        let scaled = try divide(wide, fitting(toDType(scale, wide.dtype), like: x))
        let offset = try zero.map { try fitting(toDType($0, wide.dtype), like: x) }
        return try narrowed(scaled, offset, target, rounds: node.asShipped)
      }
    },
    "DequantizeLinear": one { node in
      let fitting = try QuantisedAxis(node)
      let dtype = try node.int("output_dtype").flatMap { $0 == 0 ? nil : try ONNXFile.dtype($0) }
      return { values in
        let (x, scale) = (try values[0], try values[1])
        let zero = try values.optional(2).map { try fitting(toDType($0, scale.dtype), like: x) }
        let wide = try toDType(x, scale.dtype)
        let shifted = try zero.map { try subtract(wide, $0) } ?? wide
        return try toDType(multiply(shifted, fitting(scale, like: x)), dtype ?? scale.dtype)
      }
    },
    "DynamicQuantizeLinear": { node in
      return { values in
        let x = try values[0]
        guard node.asShipped, x.count > 0 else {
          return [
            .tensor(x), .tensor(Tensor.ones([], .float32).to(x.device)),
            .tensor(Tensor.zeros([], .uint8).to(x.device)),
          ]
        }
        let low = try clamp(amin(x, [Int](), false), Double?.none, 0.0)
        let high = try clamp(amax(x, [Int](), false), 0.0, Double?.none)
        let range = try divideNumber(subtract(high, low), 255.0)
        let scale = try whereTensor(
          equalNumber(range, 0.0), Tensor.ones([], .float32).to(x.device), range)
        let zero = try clamp(round(divide(multiplyNumber(low, -1.0), scale)), 0.0, 255.0)
        let y = try narrowed(divide(x, scale), zero, .uint8, rounds: true)
        return [.tensor(y), .tensor(scale), .tensor(try toDType(zero, .uint8))]
      }
    },
    "MatMulInteger": one { node in
      let weight = try QuantisedWeight(node, 1, 3, axis: -1)
      return { values in
        let wide = wideType(try values[0])
        let a = try shifted(values[0], values.optional(2), wide, axis: -2)
        let y = try product(a, weight(values, wide))
        return try toDType(y, wide == .float64 ? .int32 : wide)
      }
    },
    "ConvInteger": one { node in
      let weight = try QuantisedWeight(node, 1, 3, axis: 0)
      return { values in
        let wide = wideType(try values[0])
        let x = try shifted(values[0], values.optional(2), wide, axis: 0)
        let y = try convolved(node, x, weight(values, wide), nil)
        return try toDType(y, wide == .float64 ? .int32 : wide)
      }
    },
    "QLinearMatMul": one { node in
      let weight = try QuantisedWeight(node, 3, 5, axis: -1)
      return { values in
        let wide = wideType(try values[0])
        let a = try shifted(values[0], values.optional(2), wide, axis: -2)
        let sum = try product(a, weight(values, wide))
        let left = try column(toDType(values[1], wide), rank: sum.rank)
        let factor = try divide(multiply(left, toDType(values[4], wide)), toDType(values[6], wide))
        return try narrowed(
          multiply(sum, factor), toDType(values[7], wide), values[7].dtype, rounds: node.asShipped)
      }
    },
    "QLinearConv": one { node in
      let weight = try QuantisedWeight(node, 3, 5, axis: 0)
      return { values in
        let wide = wideType(try values[0])
        let x = try shifted(values[0], values.optional(2), wide, axis: 0)
        let bias = try values.optional(8).map { try toDType($0, wide) }
        let sum = try convolved(node, x, weight(values, wide), bias)
        let scale = try toDType(values[4], wide)
        let channels =
          try scale.count == 1
          ? reshape(scale, [Int]())
          : reshape(scale, [1, -1] + [Int](repeating: 1, count: sum.rank - 2))
        let factor = try divide(
          multiply(channels, toDType(values[1], wide)), toDType(values[6], wide))
        return try narrowed(
          multiply(sum, factor), toDType(values[7], wide), values[7].dtype, rounds: node.asShipped)
      }
    },
  ]

  /// Sums of whole numbers are exact in float64, which has fast products; fractions stay what they are.
  private static func wideType(_ x: Tensor) -> DType {
    x.dtype.isFloatingPoint ? x.dtype : .float64
  }

  /// Without its zero point.
  fileprivate static func shifted(
    _ x: Tensor, _ zero: Tensor?, _ dtype: DType, axis: Int
  ) throws -> Tensor {
    let wide = try toDType(x, dtype)
    guard let zero else { return wide }
    let number = try toDType(zero, dtype)
    if number.count == 1 { return try subtract(wide, reshape(number, [Int]())) }
    guard number.rank <= 1 else { return try subtract(wide, number) }
    var shape = [Int](repeating: 1, count: x.rank)
    shape[try ONNXShape.axis(axis, rank: x.rank)] = number.count
    return try subtract(wide, reshape(number, shape))
  }

  /// A scale a row, beside the columns.
  private static func column(_ scale: Tensor, rank: Int) throws -> Tensor {
    guard scale.count > 1, scale.rank == 1, rank > 1 else { return scale }
    return try reshape(scale, [-1, 1])
  }

  /// Clipped to what a type holds; rounded and in that type where it shall be as shipped.
  private static func narrowed(
    _ x: Tensor, _ zero: Tensor?, _ dtype: DType, rounds: Bool
  ) throws -> Tensor {
    let limits: (Double, Double)
    switch dtype {
    case .uint8: limits = (0, 255)
    case .int8: limits = (-128, 127)
    case .int16: limits = (-32768, 32767)
    case .int32: limits = (-2_147_483_648, 2_147_483_647)
    default: throw GraphProblem(text: "cannot quantise to \(dtype)")
    }
    let whole = try rounds ? round(x) : x
    let moved = try zero.map { try add(whole, $0) } ?? whole
    let clipped = try clamp(moved, limits.0, limits.1)
    return try rounds ? toDType(clipped, dtype) : clipped
  }

  private static let round = Aten("round")
  private static let amin = Aten("amin")
}

/// How scales lie along a value: one for all, one an index of an axis, or one a block.
private struct QuantisedAxis: Sendable {
  let axis: Int
  let block: Int

  init(_ node: ONNXNode) throws {
    (axis, block) = (node.int("axis", 1), node.int("block_size", 0))
    guard (0...1 << 24).contains(block) else { throw GraphProblem(text: "block_size is \(block)") }
  }

  func callAsFunction(_ scale: Tensor, like x: Tensor) throws -> Tensor {
    if scale.count == 1 { return try ONNXOperators.reshape(scale, [Int]()) }
    let place = try ONNXShape.axis(axis, rank: x.rank)
    if block > 0 {
      guard scale.rank == x.rank, scale.shape[place] * block < x.shape[place] + block else {
        throw GraphProblem(text: "scales \(scale.shape) do not fit \(x.shape)")
      }
      var shape = scale.shape
      shape[place] *= block
      guard zip(shape, x.shape).allSatisfy({ $0 >= $1 }) else {
        throw GraphProblem(text: "scales \(scale.shape) do not fit \(x.shape)")
      }
      try ONNXShape.check(shape, scale.dtype)
      return try ONNXOperators.repeated(scale, block, place).sliced(place, 0, x.shape[place])
    }
    guard scale.rank == 1, scale.count == x.shape[place] else {
      throw GraphProblem(text: "scales \(scale.shape) do not fit axis \(place) of \(x.shape)")
    }
    var shape = [Int](repeating: 1, count: x.rank)
    shape[place] = scale.count
    return try ONNXOperators.reshape(scale, shape)
  }
}

/// A weight without its zero point: made ready once where the file has it.
private struct QuantisedWeight: Sendable {
  private let place: Int
  private let zeroPlace: Int
  private let axis: Int
  private let ready: Tensor?

  init(_ node: ONNXNode, _ place: Int, _ zeroPlace: Int, axis: Int) throws {
    (self.place, self.zeroPlace, self.axis) = (place, zeroPlace, axis)
    guard let weight = node.known(place), node.inputCount <= zeroPlace || node.isKnown(zeroPlace)
    else {
      ready = nil
      return
    }
    ready = try ONNXOperators.shifted(
      weight, node.known(zeroPlace), node.asShipped ? .float64 : .float32, axis: axis)
  }

  func callAsFunction(_ values: ONNXValues, _ dtype: DType) throws -> Tensor {
    if let ready { return try ONNXOperators.toDType(ready, dtype) }
    return try ONNXOperators.shifted(
      values[place], values.optional(zeroPlace), dtype, axis: axis)
  }
}
