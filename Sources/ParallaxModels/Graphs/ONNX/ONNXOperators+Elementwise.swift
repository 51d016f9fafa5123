import ParallaxTensors

extension ONNXOperators {
  /// Operators on every element by itself.
  static let elementwise: [String: Make] = [
    "Abs": unary("abs"), "Acos": unary("acos"), "Acosh": unary("acosh"), "Asin": unary("asin"),
    "Asinh": unary("asinh"), "Atan": unary("atan"), "Atanh": unary("atanh"), "Ceil": unary("ceil"),
    "Cos": unary("cos"), "Cosh": unary("cosh"), "Erf": unary("erf"), "Exp": unary("exp"),
    "Floor": unary("floor"), "Log": unary("log"), "Mish": unary("mish"), "Neg": unary("neg"),
    "Reciprocal": unary("reciprocal"), "Relu": unary("relu"), "Round": unary("round"),
    "Sigmoid": unary("sigmoid"), "Sign": unary("sign"), "Sin": unary("sin"), "Sinh": unary("sinh"),
    "Sqrt": unary("sqrt"), "Tan": unary("tan"), "Tanh": unary("tanh"),
    "Softplus": plain { try softplus($0[0], 1.0, 20.0) },
    "Softsign": plain { try divide($0[0], addNumber(abs($0[0]), 1.0, 1.0)) },
    "HardSwish": unary("hardswish"),
    "Identity": { _ in { $0.values } },
    "Dropout": { node in
      return { values in
        let x = try values[0]
        if node.opset >= 12, values.optional(2) != nil, try values.double(2) != 0,
          try values.optional(1) == nil || values.double(1) > 0
        {
          throw GraphProblem(
            text: "the graph was exported in training mode; call model.eval() first")
        }
        return [.tensor(x), .tensor(Tensor.ones(x.shape, .bool).to(x.device))]
      }
    },
    "Add": binary("add.Tensor"), "Sub": binary("sub.Tensor"), "Mul": binary("mul.Tensor"),
    "Div": plain { values in
      let (a, b) = try ONNXShape.together(values[0], values[1])
      return try a.dtype.isFloatingPoint ? divide(a, b) : wholeQuotient(a, b)
    },
    "Mod": one { node in
      let call = Aten(node.flag("fmod") ? "fmod.Tensor" : "remainder.Tensor")
      return { values in
        let (a, b) = try ONNXShape.together(values[0], values[1])
        return try call(a, b)
      }
    },
    "Pow": plain { values in
      let (a, b) = try ONNXShape.together(values[0], values[1])
      // A square is worth being told: libtorch multiplies.
      if b.count == 1, b.rank == 0, a.dtype.isFloatingPoint {
        return try powNumber(a, b.item(Double.self))
      }
      return try pow(a, b).to(a.dtype)
    },
    "BitShift": one { node in
      let isLeft = node.text("direction", "LEFT") == "LEFT"
      let call = Aten(isLeft ? "bitwise_left_shift.Tensor" : "bitwise_right_shift.Tensor")
      return { values in
        let (a, b) = try ONNXShape.together(values[0], values[1])
        return try call(a, b)
      }
    },
    "Max": folded(maximum), "Min": folded(minimum), "Sum": folded(Aten("add.Tensor")),
    "Mean": one { node in
      let sum = folded(Aten("add.Tensor"))
      let body = try sum(node)
      return { values in
        guard let total = try body(values).first?.tensor else {
          throw GraphProblem(text: "it has no inputs")
        }
        return try divideNumber(total, Double(max(1, values.values.count)))
      }
    },
    "Clip": one { node in
      let (low, high) = (node.float("min"), node.float("max"))
      return { values in
        let x = try values[0]
        if node.opset < 11 { return try clamp(x, low, high) }
        let (least, most) = (values.optional(1), values.optional(2))
        if x.dtype.isFloatingPoint, least?.count ?? 1 == 1, most?.count ?? 1 == 1 {
          // Of bounds in the wrong order the upper one counts, in libtorch too.
          return least == nil && most == nil
            ? x
            : try clamp(x, least.map { $0.item(Double.self) }, most.map { $0.item(Double.self) })
        }
        guard least?.count ?? 1 == 1, most?.count ?? 1 == 1 else {
          throw GraphProblem(text: "its bounds are no single numbers")
        }
        return least == nil && most == nil ? x : try clampTensor(x, least, most)
      }
    },
    "Celu": one { node in
      let (call, alpha) = (Aten("celu"), node.float("alpha", 1))
      return { try call($0[0], alpha) }
    },
    "Elu": one { node in
      let (call, alpha) = (Aten("elu"), node.float("alpha", 1))
      return { try call($0[0], alpha) }
    },
    "Selu": one { node in
      let (alpha, gamma) = (
        node.float("alpha", 1.67326319217681884765625),
        node.float("gamma", 1.05070102214813232421875)
      )
      let call = Aten("elu")
      return { try call($0[0], alpha, gamma) }
    },
    "LeakyRelu": one { node in
      let (call, alpha) = (Aten("leaky_relu"), node.float("alpha", 0.01))
      return { try call($0[0], alpha) }
    },
    "ThresholdedRelu": one { node in
      let (call, alpha) = (Aten("threshold"), node.float("alpha", 1))
      return { try call($0[0], alpha, 0.0) }
    },
    "PRelu": plain { values in
      let (x, slope) = try ONNXShape.together(values[0], values[1])
      return try add(clamp(x, 0.0, Double?.none), multiply(slope, clamp(x, Double?.none, 0.0)))
    },
    "Shrink": one { node in
      let (bias, edge) = (node.float("bias", 0), node.float("lambd", 0.5))
      return { values in
        let x = try values[0]
        let zero = try x.dtype.isFloatingPoint ? multiplyNumber(x, 0.0) : subtract(x, x)
        let inner = try whereTensor(
          greaterNumber(x, edge), addNumber(x, -bias, 1.0).to(x.dtype), zero)
        return try whereTensor(lessNumber(x, -edge), addNumber(x, bias, 1.0).to(x.dtype), inner)
      }
    },
    "HardSigmoid": one { node in
      let (alpha, beta) = (node.float("alpha", 0.2), node.float("beta", 0.5))
      return { values in
        try clamp(addNumber(multiplyNumber(values[0], alpha), beta, 1.0), 0.0, 1.0)
      }
    },
    "Gelu": one { node in
      let (call, form) = (Aten("gelu"), node.text("approximate", "none"))
      return { try call($0[0], form) }
    },
    "Swish": one { node in
      let alpha = node.float("alpha", 1)
      return { try multiply($0[0], sigmoid(multiplyNumber($0[0], alpha))) }
    },
    "Cast": one { node in
      let dtype = try ONNXFile.dtype(node.int("to", 0))
      return { values in
        try ONNXShape.check(values[0].shape, dtype)
        return try toDType(values[0], dtype)
      }
    },
    "CastLike": plain { try toDType($0[0], $0[1].dtype) },
    "com.microsoft.Gelu": unary("gelu"),
    "com.microsoft.QuickGelu": one { node in
      let alpha = node.float("alpha", 1.702)
      return { try multiply($0[0], sigmoid(multiplyNumber($0[0], alpha))) }
    },
    "com.microsoft.BiasGelu": plain { values in try gelu(add(values[0], values[1])) },
    "com.microsoft.FastGelu": plain { values in
      try gelu(values.optional(1).map { try add(values[0], $0) } ?? values[0], "tanh")
    },
  ]

  /// Operators whose results are truth values, and those on them.
  static let comparisons: [String: Make] = [
    "Equal": binary("eq.Tensor"), "Greater": binary("gt.Tensor"),
    "GreaterOrEqual": binary("ge.Tensor"), "Less": binary("lt.Tensor"),
    "LessOrEqual": binary("le.Tensor"), "And": binary("logical_and"), "Or": binary("logical_or"),
    "Xor": binary("logical_xor"), "Not": unary("logical_not"), "IsNaN": unary("isnan"),
    "IsInf": one { node in
      let (low, high) = (node.flag("detect_negative", true), node.flag("detect_positive", true))
      let (negative, positive, none) = (Aten("isneginf"), Aten("isposinf"), Aten("zeros_like"))
      return { values in
        let x = try values[0]
        switch (low, high) {
        case (true, true): return try or(negative(x), positive(x))
        case (true, false): return try negative(x)
        case (false, true): return try positive(x)
        case (false, false): return try none(x, DType.bool)
        }
      }
    },
    "Where": plain { values in
      let (a, b) = try ONNXShape.together(values[1], values[2])
      let condition = try values[0]
      let shape = try ONNXShape.broadcast(ONNXShape.broadcast(a.shape, b.shape), condition.shape)
      try ONNXShape.check(shape, a.dtype)
      let device = [condition, a, b].map(\.device).first { $0 != .cpu } ?? .cpu
      return try whereTensor(condition.to(device), a.to(device), b.to(device))
    },
  ]

  /// Two by two, from the first.
  private static func folded(_ call: Aten) -> Make {
    plain { values in
      var total = try values[0]
      for index in values.values.indices.dropFirst() {
        let (a, b) = try ONNXShape.together(total, values[index])
        total = try call(a, b)
      }
      return total
    }
  }

  // MARK: What several operators are made of

  static let abs = Aten("abs")
  static let addNumber = Aten("add.Scalar")
  static let multiplyNumber = Aten("mul.Scalar")
  private static let negate = Aten("neg")
  static let divideMode = Aten("div.Tensor_mode")
  static let divideNumber = Aten("div.Scalar")
  static let pow = Aten("pow.Tensor_Tensor")
  static let powNumber = Aten("pow.Tensor_Scalar")
  static let maximum = Aten("maximum")
  static let minimum = Aten("minimum")
  static let clamp = Aten("clamp")
  static let clampTensor = Aten("clamp.Tensor")
  static let sigmoid = Aten("sigmoid")
  static let gelu = Aten("gelu")
  static let softplus = Aten("softplus")
  static let whereTensor = Aten("where.self")
  static let greaterNumber = Aten("gt.Scalar")
  static let lessNumber = Aten("lt.Scalar")
  static let or = Aten("logical_or")
  static let toType = Aten("to.dtype")

  static func add(_ a: Tensor, _ b: Tensor) throws -> Tensor { try both(a, b, addTensor) }
  static func subtract(_ a: Tensor, _ b: Tensor) throws -> Tensor { try both(a, b, subTensor) }
  static func multiply(_ a: Tensor, _ b: Tensor) throws -> Tensor { try both(a, b, mulTensor) }
  static func divide(_ a: Tensor, _ b: Tensor) throws -> Tensor { try both(a, b, divTensor) }

  /// An operator of two tensors that broadcast, unless to more than there is room for.
  private static func both(_ a: Tensor, _ b: Tensor, _ call: Aten) throws -> Tensor {
    let (a, b) = try ONNXShape.together(a, b)
    return try call(a, b)
  }
  private static let addTensor = Aten("add.Tensor")
  private static let subTensor = Aten("sub.Tensor")
  private static let mulTensor = Aten("mul.Tensor")
  private static let divTensor = Aten("div.Tensor")

  /// Towards zero. The least number over −1, which is none, ends the process in libtorch: here it is itself again.
  private static func wholeQuotient(_ a: Tensor, _ b: Tensor) throws -> Tensor {
    let isFlip = try equalNumber(b, -1)
    let one = Tensor.ones([], b.dtype).to(b.device)
    return try whereTensor(isFlip, negate(a), divideMode(a, whereTensor(isFlip, one, b), "trunc"))
  }

  /// The same numbers in another type.
  static func toDType(_ x: Tensor, _ dtype: DType) throws -> Tensor {
    x.dtype == dtype ? x : try toType(x, dtype)
  }
}
