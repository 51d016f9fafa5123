import ParallaxTensors

/// ONNX's attention (opset 23 and later): softmax(s·QKᵀ + mask)·V.
///
/// Heads lie side by side in `[batch, tokens, heads · d]` or apart in `[batch, heads, tokens, d]`; fewer heads of keys
/// than of queries serve several each. A query that may look at no key gives zeros.
struct ONNXAttention: Sendable {
  private let queryHeads: Int?
  private let keyHeads: Int?
  private let isCausal: Bool
  private let cap: Double
  private let scale: Double?
  private let window: (left: Int, right: Int)
  private let precision: DType?
  private let shown: Int
  private let resultCount: Int

  init(_ node: ONNXNode) throws {
    (queryHeads, keyHeads) = (node.int("q_num_heads"), node.int("kv_num_heads"))
    (isCausal, cap, scale) = (node.flag("is_causal"), node.float("softcap", 0), node.float("scale"))
    window = (node.int("left_window_size", -1), node.int("right_window_size", -1))
    precision = try node.int("softmax_precision").map { try ONNXFile.dtype($0) }
    (shown, resultCount) = (node.int("qk_matmul_output_mode", 0), node.outputCount)
  }

  /// How to look into a node; nil where it is no attention.
  static func looked(_ node: ONNXNode) throws -> FusedAttention? {
    guard node.kind == "Attention" else { return nil }
    let attention = try ONNXAttention(node)
    return FusedAttention { values in
      let values = ONNXValues(values: values)
      let q = try attention.heads(values[0], attention.queryHeads).shape
      let k = try attention.heads(values[1], attention.keyHeads).shape
      guard q.count == 4, k.count == 4 else { return [] }
      return q.dropLast() + [k[2] + (values.optional(4)?.shape.dropLast().last ?? 0)]
    } run: { values, view in
      try attention(ONNXValues(values: values), view)
    }
  }

  func callAsFunction(_ values: ONNXValues, _ view: AttentionView? = nil) throws -> [GraphValue] {
    let q = try heads(values[0], queryHeads)
    var (k, v) = (try heads(values[1], keyHeads), try heads(values[2], keyHeads))
    guard (values.optional(4) == nil) == (values.optional(5) == nil) else {
      throw GraphProblem(text: "past keys and past values come together")
    }
    if let pastKey = values.optional(4), let pastValue = values.optional(5) {
      guard pastKey.rank == 4, pastValue.rank == 4 else {
        throw GraphProblem(text: "past keys \(pastKey.shape), past values \(pastValue.shape)")
      }
      k = try ONNXOperators.concatenate([pastKey, k], 2)
      v = try ONNXOperators.concatenate([pastValue, v], 2)
    }
    let present: [GraphValue] = [.tensor(k), .tensor(v)]
    guard q.rank == 4, k.rank == 4, v.rank == 4, k.shape[1] > 0, q.shape[1] % k.shape[1] == 0
    else { throw GraphProblem(text: "queries \(q.shape), keys \(k.shape), values \(v.shape)") }
    let groups = q.shape[1] / k.shape[1]
    if groups > 1 {
      try ONNXShape.check([groups] + k.shape, k.dtype)
      try ONNXShape.check([groups] + v.shape, v.dtype)
      k = try ONNXOperators.repeated(k, groups, 1)
      v = try ONNXOperators.repeated(v, groups, 1)
    }
    let factor = scale ?? 1 / Double(max(1, q.shape[3])).squareRoot()
    try ONNXShape.check([q.shape[2], k.shape[2]], q.dtype)
    let bias = try bias(values, q, keys: k.shape[2])
    if view == nil, cap == 0, resultCount < 4, bias == nil, precision == nil {
      let y = try Self.scaled(q, k, v, Tensor?.none, 0.0, false, factor)
      return [.tensor(try joined(y, values[0]))] + present
    }
    try ONNXShape.check([q.shape[0], q.shape[1], q.shape[2], k.shape[2]], q.dtype)
    let raw = try ONNXOperators.multiplyNumber(
      ONNXOperators.matmul(q, ONNXOperators.transpose(k, -2, -1)), factor)
    let capped =
      try cap == 0
      ? raw
      : ONNXOperators.multiplyNumber(
        ONNXOperators.tanh(ONNXOperators.divideNumber(raw, cap)), cap)
    let masked = try bias.map { try ONNXOperators.add(capped, $0) } ?? capped
    var weights = try ONNXOperators.softmaxLast(
      ONNXOperators.toDType(masked, precision ?? q.dtype), -1)
    if let bias {
      let blind = try ONNXOperators.equalNumber(
        ONNXOperators.amax(bias, [-1], true), -Double.infinity)
      weights = try Self.fill(weights, blind, 0.0)
    }
    weights = try ONNXOperators.toDType(weights, q.dtype)
    if let view { weights = view.pattern(weights) }
    let mixed = try ONNXOperators.matmul(weights, v)
    let y = try joined(view?.heads(mixed) ?? mixed, values[0])
    let forms = [raw, capped, masked, weights]
    return [.tensor(y)] + present + [.tensor(forms[max(0, min(3, shown))])]
  }

  /// Heads apart.
  private func heads(_ x: Tensor, _ count: Int?) throws -> Tensor {
    guard x.rank == 3 else { return x }
    guard let count, count > 0, x.shape[2] % count == 0 else {
      throw GraphProblem(text: "\(x.shape) is not cut into \(count ?? 0) heads")
    }
    return try ONNXOperators.transpose(
      ONNXOperators.reshape(x, [x.shape[0], x.shape[1], count, x.shape[2] / count]), 1, 2)
  }

  /// Heads side by side where the queries have them so.
  private func joined(_ y: Tensor, _ queries: Tensor) throws -> Tensor {
    guard queries.rank == 3 else { return y }
    let shape = y.shape
    return try ONNXOperators.reshape(
      ONNXOperators.transpose(y, 1, 2), [shape[0], shape[2], shape[1] * shape[3]])
  }

  /// What is added to the scores: 0 where a query may look, −∞ where not, or what the graph gives.
  private func bias(_ values: ONNXValues, _ q: Tensor, keys: Int) throws -> Tensor? {
    let isPlain = !isCausal && window.left < 0 && window.right < 0
    if isPlain, values.optional(3) == nil, values.optional(6) == nil { return nil }
    let queries = q.shape[2]
    let zeros = Tensor.zeros([queries, keys], q.dtype).to(q.device)
    var total: Tensor?
    func hide(_ hidden: Tensor) throws {
      total = try Self.fill(
        ONNXOperators.expand(
          total ?? zeros, ONNXShape.broadcast((total ?? zeros).shape, hidden.shape)),
        hidden, -Double.infinity)
    }
    if var mask = values.optional(3)?.to(q.device) {
      if mask.dtype == .bool {
        mask = try Self.fill(
          Tensor.zeros(mask.shape, q.dtype).to(q.device), Self.not(mask), -Double.infinity)
      }
      if mask.rank > 0, let size = mask.shape.last, size < keys {
        // Keys that a shorter mask does not speak of are not to be seen.
        mask = try ONNXOperators.pad(mask, [0, keys - size], -Double.infinity)
      }
      total = try ONNXOperators.add(zeros, mask)
    }
    // How far a key lies ahead of a query, which stands behind what came before.
    let i = try ONNXOperators.reshape(ONNXShape.value(Array(0..<queries)).to(q.device), [-1, 1])
    let j = ONNXShape.value(Array(0..<keys)).to(q.device)
    var ahead = try ONNXOperators.subtract(j, i)
    let lengths = try values.optional(6).map {
      try ONNXOperators.reshape(ONNXOperators.toDType($0, .int64), [-1, 1, 1, 1])
    }
    if let past = values.optional(4) {
      ahead = try ONNXOperators.addNumber(ahead, -past.shape[2], 1)
    } else if let lengths {
      ahead = try ONNXOperators.subtract(ahead, ONNXOperators.addNumber(lengths, -queries, 1))
    }
    if isCausal { try hide(ONNXOperators.greaterNumber(ahead, 0)) }
    if window.left >= 0 { try hide(ONNXOperators.lessNumber(ahead, -window.left)) }
    if window.right >= 0 { try hide(ONNXOperators.greaterNumber(ahead, window.right)) }
    if let lengths { try hide(Self.greaterEqual(j, lengths)) }
    return total
  }

  private static let scaled = Aten("scaled_dot_product_attention")
  private static let fill = Aten("masked_fill.Scalar")
  private static let not = Aten("logical_not")
  private static let greaterEqual = Aten("ge.Tensor")
}

extension ONNXOperators {
  static let attention: Make = { node in
    let attention = try ONNXAttention(node)
    return { try attention($0) }
  }
}
