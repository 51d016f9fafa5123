import ParallaxTensors

extension ONNXOperators {
  /// Matrix products and attention.
  static let products: [String: Make] = [
    "MatMul": plain { try product($0[0], $0[1]) },
    "Gemm": one { node in
      let (alpha, beta) = (node.float("alpha", 1), node.float("beta", 1))
      let (flipsLeft, flipsRight) = (node.flag("transA"), node.flag("transB"))
      return { values in
        let a = try flipsLeft ? transpose(values[0], 0, 1) : values[0]
        let b = try flipsRight ? transpose(values[1], 0, 1) : values[1]
        if let c = values.optional(2), a.dtype.isFloatingPoint {
          try ONNXShape.check([a.shape.first ?? 1, b.shape.last ?? 1], a.dtype)
          return try addmm(c, a, b, beta, alpha)
        }
        var result = try product(a, b)
        if alpha != 1 { result = try toDType(multiplyNumber(result, alpha), a.dtype) }
        guard let c = values.optional(2) else { return result }
        return try add(result, beta == 1 ? c : toDType(multiplyNumber(c, beta), a.dtype))
      }
    },
    "com.microsoft.FusedMatMul": one { node in
      let alpha = node.float("alpha", 1)
      let (flipsLeft, flipsRight) = (node.flag("transA"), node.flag("transB"))
      let (movesLeft, movesRight) = (node.flag("transBatchA"), node.flag("transBatchB"))
      // Of a matrix whose rows come before the batch, the rows go behind it.
      @Sendable func ordered(_ x: Tensor, _ moves: Bool, _ flips: Bool) throws -> Tensor {
        let rank = x.rank
        let y = try moves && rank > 2 ? permute(x, Array(1..<rank - 1) + [0, rank - 1]) : x
        return try flips ? transpose(y, -2, -1) : y
      }
      return { values in
        let a = try ordered(values[0], movesLeft, flipsLeft)
        let b = try ordered(values[1], movesRight, flipsRight)
        let result = try product(a, b)
        return try alpha == 1 ? result : multiplyNumber(result, alpha)
      }
    },
    "Einsum": one { node in
      let equation = node.text("equation", "").filter { $0 != " " }
      return { values in
        var parts: [Tensor] = []
        var sizes: [Character: Int] = [:]
        let terms =
          equation.split(separator: "-").first?
          .split(separator: ",", omittingEmptySubsequences: false) ?? []
        for index in values.values.indices {
          parts.append(try values[index])
          guard terms.indices.contains(index), !terms[index].contains(".") else { continue }
          for (letter, size) in zip(terms[index], parts[index].shape) { sizes[letter] = size }
        }
        let result = equation.split(separator: ">").last.map(String.init) ?? ""
        if !result.contains("."), let dtype = parts.first?.dtype {
          try ONNXShape.check(result.compactMap { sizes[$0] }, dtype)
        }
        return try einsum(equation, parts)
      }
    },
    "Softmax": softmax("softmax.int"), "LogSoftmax": softmax("log_softmax.int"),
    "Attention": attention,
    "RotaryEmbedding": rotary,
  ]

  /// The matrix product over the last two dimensions, the others broadcast.
  static func product(_ a: Tensor, _ b: Tensor) throws -> Tensor {
    let (left, right) = (a.shape, b.shape)
    if left.count > 1, right.count > 1 {
      let outer = try ONNXShape.broadcast(left.dropLast(2), right.dropLast(2))
      try ONNXShape.check(outer + [left[left.count - 2], right[right.count - 1]], a.dtype)
    }
    let device = a.device == .cpu ? b.device : a.device
    return try matmul(a.to(device), b.to(device))
  }

  private static func softmax(_ name: String) -> Make {
    one { node in
      let call = Aten(name)
      let isOld = node.opset < 13
      let axis = node.int("axis", isOld ? 1 : -1)
      return { values in try flattening(values[0], axis, isOld) { try call($0, $1) } }
    }
  }

  /// Pairs of channels turned by an angle, which depends on the token.
  private static let rotary: Make = one { node in
    let (isInterleaved, width, heads) = (
      node.flag("interleaved"), node.int("rotary_embedding_dim", 0), node.int("num_heads", 0)
    )
    return { values in
      let given = try values[0]
      var x = given
      if x.rank == 3 {
        guard heads > 0, x.shape[2] % heads == 0 else {
          throw GraphProblem(text: "\(x.shape) is not cut into \(heads) heads")
        }
        x = try transpose(
          reshape(x, [x.shape[0], x.shape[1], heads, x.shape[2] / heads]), 1, 2)
      }
      guard x.rank == 4 else { throw GraphProblem(text: "expected tokens, found \(x.shape)") }
      let size = width == 0 ? x.shape[3] : width
      guard size > 0, size % 2 == 0, size <= x.shape[3] else {
        throw GraphProblem(text: "cannot turn \(size) of \(x.shape[3]) channels")
      }
      var (cos, sin) = (try values[1], try values[2])
      guard cos.rank > 1, cos.shape == sin.shape else {
        throw GraphProblem(text: "cosines \(cos.shape), sines \(sin.shape)")
      }
      if let places = values.optional(3) {
        try ONNXShape.check(places.shape + [cos.shape[1]], cos.dtype)
        let index = try toDType(reshape(places, [-1]), .int64)
        let shape = places.shape + [cos.shape[1]]
        (cos, sin) = (
          try reshape(indexSelect(cos, 0, index), shape),
          try reshape(indexSelect(sin, 0, index), shape)
        )
      }
      (cos, sin) = (try unsqueeze(cos, 1), try unsqueeze(sin, 1))
      let half = size / 2
      let turned = x.sliced(3, 0, size)
      let (first, second) =
        isInterleaved
        ? (turned.sliced(3, 0, step: 2), turned.sliced(3, 1, step: 2))
        : (turned.sliced(3, 0, half), turned.sliced(3, half, size))
      let real = try subtract(multiply(cos, first), multiply(sin, second))
      let imaginary = try add(multiply(sin, first), multiply(cos, second))
      let parts =
        try isInterleaved
        ? reshape(stack([real, imaginary], -1), turned.shape)
        : concatenate([real, imaginary], -1)
      let whole = try size < x.shape[3] ? concatenate([parts, x.sliced(3, size)], -1) : parts
      return try given.rank == 3 ? reshape(transpose(whole, 1, 2), given.shape) : whole
    }
  }

  /// Every slice along an axis so many times, one after another.
  static func repeated(_ x: Tensor, _ times: Int, _ axis: Int) throws -> Tensor {
    try repeatInterleave(x, times, axis)
  }

  static let matmul = Aten("matmul")
  static let softmaxLast = Aten("softmax.int")
  static let tanh = Aten("tanh")
  private static let addmm = Aten("addmm")
  private static let einsum = Aten("einsum")
  private static let repeatInterleave = Aten("repeat_interleave.self_int")
}
