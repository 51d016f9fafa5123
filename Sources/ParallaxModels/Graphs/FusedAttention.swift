import ParallaxTensors

/// What whoever looks into a step of attention does with what is inside.
struct AttentionView {
  /// Gets the weights `[batch, heads, queries, keys]`, and gives those that count.
  let pattern: (Tensor) -> Tensor
  /// Gets pattern·V `[batch, heads, queries, d]`, and gives what counts.
  let heads: (Tensor) -> Tensor
}

/// A step of a graph that is softmax(s·QKᵀ + mask)·V in one, and how to look into it.
///
/// Nobody pays for it who does not look: the step's own `run` computes the fused form.
struct FusedAttention: Sendable {
  /// The shape of the weights, from the values that the step reads.
  let shape: @Sendable ([GraphValue]) throws -> [Int]
  /// The step's results with the weights written out; nil for a result that only the fused form gives.
  let run: @Sendable ([GraphValue], AttentionView) throws -> [GraphValue?]
}

extension FusedAttention {
  /// Arguments of PyTorch's operator, by name.
  typealias Arguments = @Sendable (_ name: String, _ values: [GraphValue]) throws -> GraphValue

  /// `aten::scaled_dot_product_attention` and the forms that it is made of on processors and GPUs.
  ///
  /// Half precision is computed in float32 and rounded once, as PyTorch does where it writes the weights out; a query that
  /// may look at no key has weights of zero.
  ///
  /// > Source: PyTorch, `aten/src/ATen/native/transformers/attention.cpp`, `_scaled_dot_product_attention_math`.
  static func aten(_ argument: @escaping Arguments) -> FusedAttention {
    @Sendable func tensor(_ name: String, _ values: [GraphValue]) throws -> Tensor {
      guard let tensor = try argument(name, values).tensor else {
        throw GraphProblem(text: "its argument '\(name)' is no tensor")
      }
      return tensor
    }
    @Sendable func isSet(_ name: String, _ values: [GraphValue]) throws -> Bool {
      if case .bool(true) = try argument(name, values) { true } else { false }
    }
    return FusedAttention { values in
      let (q, k) = (try tensor("query", values).shape, try tensor("key", values).shape)
      return q.dropLast() + k.dropLast().suffix(1)
    } run: { values, view in
      let query = try tensor("query", values)
      let wide: DType = query.dtype == .float64 ? .float64 : .float32
      var (k, v) = (try tensor("key", values).to(wide), try tensor("value", values).to(wide))
      let q = query.to(wide)
      guard q.rank == 4, k.rank == 4, v.rank == 4 else {
        throw GraphProblem(text: "queries \(q.shape), expected [batch, heads, tokens, d]")
      }
      if try isSet("enable_gqa", values), q.shape[1] != k.shape[1] {
        guard k.shape[1] > 0, q.shape[1] % k.shape[1] == 0 else {
          throw GraphProblem(text: "\(q.shape[1]) heads of queries over \(k.shape[1]) of keys")
        }
        let groups = q.shape[1] / k.shape[1]
        (k, v) = (
          try ONNXOperators.repeated(k, groups, 1), try ONNXOperators.repeated(v, groups, 1)
        )
      }
      var scale = 1 / Double(max(1, q.shape[3])).squareRoot()
      switch try argument("scale", values) {
      case .double(let value): scale = value
      case .int(let value): scale = Double(value)
      default: break
      }
      try ONNXShape.check(Array(q.shape.dropLast()) + [k.shape[2]], wide)
      var scores = try ONNXOperators.matmul(
        ONNXOperators.multiplyNumber(q, scale), ONNXOperators.transpose(k, -2, -1))
      for name in ["attn_mask", "attn_bias"] {
        guard let mask = try argument(name, values).tensor else { continue }
        scores =
          mask.dtype == .bool
          ? try hide(scores, not(mask), -Double.infinity)
          : try ONNXOperators.add(scores, mask.to(wide))
      }
      if try isSet("is_causal", values) {
        let past = Tensor.ones([q.shape[2], k.shape[2]]).to(q.device)
        scores = try hide(
          scores, ONNXOperators.equalNumber(lower(past), 0.0), -Double.infinity)
      }
      let pattern = view.pattern(try softmax(scores, -1))
      let heads = view.heads(try ONNXOperators.matmul(pattern.to(wide), v))
      return [.tensor(heads.to(query.dtype))]
    }
  }

  private static let softmax = Aten("_safe_softmax")
  private static let hide = Aten("masked_fill.Scalar")
  private static let not = Aten("logical_not")
  private static let lower = Aten("tril")
}

/// Where a graph attends, for its sites `MODULE.pattern` and, for who asks by name, `MODULE.heads`.
struct AttentionSteps {
  /// What is seen, in execution order.
  private(set) var places: [GraphProgram.Place] = []

  /// - Parameters:
  ///   - steps: the graph's.
  ///   - modules: the module that each step ran in, the innermost; the node's own name where it ran in none.
  init(_ steps: [GraphProgram.Step], modules: [Int: String]) {
    var readers: [Int: [Int]] = [:]
    var makers: [Int: Int] = [:]
    for (index, step) in steps.enumerated() {
      for slot in Set(step.inputs) { readers[slot, default: []].append(index) }
      for case .some(let slot) in step.outputs { makers[slot] = index }
    }
    var counts: [String: Int] = [:]
    func name(_ step: Int) -> (pattern: String, heads: String) {
      let module = modules[step] ?? steps[step].name
      counts[module, default: 0] += 1
      let again = counts[module, default: 1] > 1 ? "_\((counts[module] ?? 1) - 1)" : ""
      return ("\(module).pattern\(again)", "\(module).heads\(again)")
    }
    for (index, step) in steps.enumerated() {
      if step.attention != nil {
        let names = name(index)
        places.append(
          .init(name: names.pattern, slot: -1, step: index, role: .fused(heads: names.heads)))
      } else if step.kind == "Softmax" || step.kind.contains("aten.softmax.")
        || step.kind.contains("aten._softmax.") || step.kind.contains("aten._safe_softmax.")
      {
        guard let product = Self.product(of: index, steps, readers),
          case .some(.some(let output)) = steps[product].outputs.first,
          let maker = makers[steps[product].inputs[0]]
        else { continue }
        let names = name(product)
        places += [
          .init(
            name: names.pattern, slot: steps[product].inputs[0], step: maker,
            role: .pattern(heads: names.heads)),
          .init(name: names.heads, slot: output, step: product, role: .heads),
        ]
      }
    }
  }

  /// The matrix product that weights from a softmax are the left side of, with nothing between that changes them.
  private static func product(
    of softmax: Int, _ steps: [GraphProgram.Step], _ readers: [Int: [Int]]
  ) -> Int? {
    var step = softmax
    for _ in 0..<8 {
      guard case .some(.some(let slot)) = steps[step].outputs.first else { return nil }
      // What tells NaN from numbers reads them too.
      let next = (readers[slot] ?? []).filter { !passing(steps[$0].kind, ["isnan"]) }
      guard next.count == 1, let reader = next.first else { return nil }
      let kind = steps[reader].kind
      if kind == "MatMul" || kind.contains("aten.matmul.") || kind.contains("aten.bmm.") {
        return steps[reader].inputs.first == slot ? reader : nil
      }
      guard
        passing(
          kind, ["dropout", "clone", "contiguous", "aten.to.", "_to_copy", "type_as", "where"])
          || ["Cast", "Identity"].contains(kind)
      else { return nil }
      step = reader
    }
    return nil
  }

  /// A graph's places with these among them, each before what is around it.
  func joined(to others: [GraphProgram.Place]) -> [GraphProgram.Place] {
    (places + others).enumerated().sorted {
      ($0.element.step, $0.offset) < ($1.element.step, $1.offset)
    }.map(\.element)
  }

  private static func passing(_ kind: String, _ words: [String]) -> Bool {
    let kind = kind.lowercased()
    return words.contains { kind.contains($0) }
  }
}
