import ParallaxTensors

// What transformers of several families do in their attention.

/// softmax(s·QKᵀ + bias)·V over `[batch, heads, tokens, d]`; its weights are the site `pattern`.
///
/// What it gives, each head's output before the projection, is shown as `heads` to a tap that asks for it by name.
///
/// - Parameters:
///   - q: queries.
///   - k: keys.
///   - v: values.
///   - bias: added to the scores before the softmax, `[batch or 1, heads or 1, queries, keys]`.
///   - scale: s; 1/√d where none is given.
///   - kind: of the site; within windows the first dimension is no batch.
///   - tap: of the attention.
/// - Returns: `[batch, heads, queries, d]`.
func attended(
  _ q: Tensor, _ k: Tensor, _ v: Tensor, bias: Tensor? = nil, scale: Double? = nil,
  as kind: SiteKind = .pattern, _ tap: Tap
) -> Tensor {
  let outputs: SiteKind = kind == .windows ? .windows : .mixed
  guard tap.wants("pattern") else {
    return tap.named(
      "heads", Tensor.attention(q, k, v, bias: bias, scale: scale), as: outputs)
  }
  let width = Double(q.shape[q.rank - 1])
  // The factor goes to the queries, of which there are fewer than scores.
  var scores = (q * (scale ?? 1 / width.squareRoot())).times(k.transposed())
  if let bias { scores = scores + bias }
  return tap.named("heads", tap("pattern", scores.softmax(-1), as: kind).times(v), as: outputs)
}

/// Queries, keys and values in one product, the keys without a bias: it would shift all scores alike (BEiT).
struct KeylessBias: Sendable {
  let weight: Tensor
  let bias: Tensor?

  /// The parameters `qkv.weight`, `q_bias` and `v_bias`.
  init(_ w: Weights, _ width: Int, bias: Bool = true) throws {
    weight = try w("qkv.weight", 3 * width, width)
    if bias {
      let (q, v) = (try w("q_bias", width), try w("v_bias", width))
      self.bias = Tensor.concatenated([q, q.zerosLike(), v], 0)
    } else {
      self.bias = nil
    }
  }

  /// `[batch, tokens, 3 width]`.
  func callAsFunction(_ x: Tensor) -> Tensor { x.linear(weight, bias) }
}

extension Tensor {
  /// `[batch, tokens, parts · width]` as parts `[batch, heads, tokens, width / heads]`.
  func splitIntoHeads(_ heads: Int, parts: Int) -> [Tensor] {
    let (b, n, width) = (shape[0], shape[1], shape[2] / parts)
    return reshaped(b, n, parts, heads, width / heads).permuted(2, 0, 3, 1, 4).unbound(0)
  }

  /// `[batch, heads, tokens, d]` as `[batch, tokens, heads · d]`.
  func joinedHeads() -> Tensor { transposed(1, 2).reshaped(shape[0], shape[2], -1) }
}

/// Where tokens of a window lie to one another.
enum RelativePositions {
  /// For each pair of tokens the row of a table with one row an offset: `[tokens · tokens]`, row by row.
  ///
  /// The offset (dy, dx) of the first token from the second has row (dy + side − 1)(2 side − 1) + dx + side − 1.
  static func indices(side: Int) -> [Int] {
    var result: [Int] = []
    result.reserveCapacity(side * side * side * side)
    for i in 0..<(side * side) {
      for j in 0..<(side * side) {
        let (dy, dx) = (i / side - j / side, i % side - j % side)
        result.append((dy + side - 1) * (2 * side - 1) + dx + side - 1)
      }
    }
    return result
  }

  /// The rows of a table `[offsets, heads]` as a bias `[1, heads, tokens, tokens]`.
  static func bias(_ table: Tensor, _ indices: Tensor, tokens: Int) -> Tensor {
    table.gathered(0, indices).reshaped(tokens, tokens, -1).permuted(2, 0, 1).unsqueezed(0)
  }
}
