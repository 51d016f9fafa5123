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
      try node.refuse("transBatchA", unless: 0)
      try node.refuse("transBatchB", unless: 0)
      return { values in
        let a = try flipsLeft ? transpose(values[0], -2, -1) : values[0]
        let b = try flipsRight ? transpose(values[1], -2, -1) : values[1]
        let result = try product(a, b)
        return try alpha == 1 ? result : multiplyNumber(result, alpha)
      }
    },
    "Einsum": one { node in
      let equation = node.text("equation", "").filter { $0 != " " }
      return { values in
        var parts: [Tensor] = []
        var sizes: [Character: Int] = [:]
        let terms = equation.split(separator: "-")[0].split(
          separator: ",", omittingEmptySubsequences: false)
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
    return try matmul(a, b)
  }

  private static func softmax(_ name: String) -> Make {
    one { node in
      let call = Aten(name)
      let isOld = node.opset < 13
      let axis = node.int("axis", isOld ? 1 : -1)
      return { values in try flattening(values[0], axis, isOld) { try call($0, $1) } }
    }
  }

  // MARK: Attention, opset 23

  /// softmax(s·QKᵀ + mask)·V; heads side by side in `[batch, tokens, heads · d]` or apart in `[batch, heads, tokens, d]`.
  private static let attention: Make = { node in
    let (queryHeads, keyHeads) = (node.int("q_num_heads"), node.int("kv_num_heads"))
    let (isCausal, cap, form) = (
      node.flag("is_causal"), node.float("softcap", 0), node.int("qk_matmul_output_mode", 0)
    )
    let (scale, count) = (node.float("scale"), node.outputCount)
    return { values in
      let q = try heads(values, 0, queryHeads)
      var (k, v) = (try heads(values, 1, keyHeads), try heads(values, 2, keyHeads))
      if let pastKey = values.optional(4), let pastValue = values.optional(5) {
        (k, v) = (try concatenate([pastKey, k], 2), try concatenate([pastValue, v], 2))
      }
      let (presentKey, presentValue) = (k, v)
      guard q.rank == 4, k.rank == 4, v.rank == 4, k.shape[1] > 0, q.shape[1] % k.shape[1] == 0
      else { throw GraphProblem(text: "queries \(q.shape), keys \(k.shape)") }
      let groups = q.shape[1] / k.shape[1]
      if groups > 1 { (k, v) = (try repeated(k, groups, 1), try repeated(v, groups, 1)) }
      let factor = scale ?? 1 / Double(max(1, q.shape[3])).squareRoot()
      var mask = values.optional(3)
      if let found = mask, found.dtype == .bool {
        mask = try whereTensor(
          found, Tensor.zeros([], q.dtype).to(q.device),
          Tensor([-Float.infinity], shape: []).to(q.dtype).to(q.device))
      }
      let (queries, keys) = (q.shape[2], k.shape[2])
      if let found = mask, found.rank > 0, let size = found.shape.last, size < keys {
        // Keys that a shorter mask does not speak of are not to be seen.
        mask = try pad(found, [0, keys - size], -Double.infinity)
      }
      if isCausal {
        let past = values.optional(4)?.shape[2] ?? 0
        let hidden = try triu(
          addNumber(Tensor.zeros([queries, keys], q.dtype).to(q.device), -Double.infinity, 1.0),
          1 + past)
        mask = try mask.map { try add($0, hidden) } ?? hidden
      }
      if cap == 0, count < 4, q.dtype != .float16 {
        let y = try scaledAttention(q, k, v, mask, 0.0, false, factor)
        return try results(y, values[0], [presentKey, presentValue])
      }
      try ONNXShape.check([q.shape[0], q.shape[1], queries, keys], q.dtype)
      let raw = try multiplyNumber(matmul(q, transpose(k, -2, -1)), factor)
      let capped = try cap == 0 ? raw : multiplyNumber(tanh(divideNumber(raw, cap)), cap)
      let masked = try mask.map { try add(capped, $0) } ?? capped
      let weights = try softmaxLast(masked, -1)
      let shown = [raw, masked, capped, weights]
      return try results(
        matmul(weights, v), values[0],
        [presentKey, presentValue, shown[max(0, min(3, form))]])
    }
  }

  /// An input with its heads apart.
  private static func heads(
    _ values: ONNXValues, _ index: Int, _ count: Int?
  ) throws -> Tensor {
    let x = try values[index]
    guard x.rank == 3 else { return x }
    guard let count, count > 0, x.shape[2] % count == 0 else {
      throw GraphProblem(text: "\(x.shape) is not cut into \(count ?? 0) heads")
    }
    return try transpose(
      reshape(x, [x.shape[0], x.shape[1], count, x.shape[2] / count]), 1, 2)
  }

  private static func results(
    _ y: Tensor, _ like: Tensor, _ others: [Tensor]
  ) throws -> [GraphValue] {
    let shape = y.shape
    let first =
      try like.rank == 3
      ? reshape(transpose(y, 1, 2), [shape[0], shape[2], shape[1] * shape[3]]) : y
    return [.tensor(first)] + others.map { .tensor($0) }
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
      if let places = values.optional(3) {
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
  private static let triu = Aten("triu")
  private static let scaledAttention = Aten("scaled_dot_product_attention")
  private static let repeatInterleave = Aten("repeat_interleave.self_int")
}
