// Matrix products, convolutions, attention, normalisation, pooling.

extension Tensor {
  /// The matrix product over the last two dimensions.
  public func times(_ other: Tensor) -> Tensor { Catalogued.matmul(self, other) }

  /// x·Wᵀ + b: `[..., in]`, weight `[out, in]`, bias `[out]` → `[..., out]`.
  public func linear(_ weight: Tensor, _ bias: Tensor? = nil) -> Tensor {
    Catalogued.linear(self, weight, bias)
  }

  /// softmax(s·QKᵀ + bias)·V over `[batch, heads, tokens, d]`.
  ///
  /// - Parameters:
  ///   - q: queries.
  ///   - k: keys.
  ///   - v: values.
  ///   - bias: added to the scores, in a shape that broadcasts to theirs.
  ///   - scale: s; 1/√d where none is given.
  /// - Returns: `[batch, heads, queries, d]`.
  public static func attention(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, bias: Tensor? = nil, scale: Double? = nil
  ) -> Tensor {
    guard GradientMode.isForward else {
      return Catalogued.attention(q, k, v, bias, 0.0, false, scale)
    }
    // The fused form has no forward derivative.
    let scale = scale ?? 1 / Double(max(1, q.shape[q.rank - 1])).squareRoot()
    let scores = (q * scale).times(k.transposed())
    return (bias.map { scores + $0 } ?? scores).softmax(-1).times(v)
  }

  /// Cross-correlation of images `[batch, in, height, width]` with a weight `[out, in/groups, h, w]`.
  public func convolution(
    _ weight: Tensor, _ bias: Tensor? = nil, stride: [Int] = [1, 1], padding: [Int] = [0, 0],
    groups: Int = 1
  ) -> Tensor {
    Catalogued.convolution(self, weight, bias, stride, padding, [1, 1], groups)
  }

  /// γ·(x − μ)/√(σ² + ε) + β with stored statistics, one of each a channel.
  public func batchNormalized(
    weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, epsilon: Double
  ) -> Tensor {
    Catalogued.batchNorm(self, weight, bias, mean, variance, false, 0.0, epsilon, false)
  }

  /// γ·(x − mean)/√(var + ε) + β over the last dimension.
  public func layerNormalized(weight: Tensor, bias: Tensor, epsilon: Double) -> Tensor {
    Catalogued.layerNorm(self, weight.shape, weight, bias, epsilon)
  }

  /// The maximum over windows of an image; with `roundingUp` a last window may reach over the edge.
  public func maxPooled(
    _ window: Int, stride: Int, padding: Int = 0, roundingUp: Bool = false
  ) -> Tensor {
    Catalogued.maxPool(
      self, [window, window], [stride, stride], [padding, padding], [1, 1], roundingUp)
  }

  /// The mean over windows of an image; zeros that pad it count.
  public func averagePooled(window: Int, stride: Int, padding: Int = 0) -> Tensor {
    Catalogued.averagePoolWindows(self, [window, window], [stride, stride], [padding, padding])
  }

  /// The mean over the cells of a grid laid over an image `[batch, channels, height, width]`.
  public func averagePooled(to height: Int, _ width: Int) -> Tensor {
    Catalogued.averagePool(self, [height, width])
  }

  /// An image `[batch, channels, height, width]` resized with PyTorch's bicubic filter
  /// (`align_corners=False`), by size or by scale factors.
  public func bicubic(
    to size: [Int]? = nil, scale: [Double]? = nil, antialias: Bool = false
  ) -> Tensor {
    antialias
      ? Catalogued.bicubicAntialiased(self, size, false, scale)
      : Catalogued.bicubic(self, size, false, scale)
  }
}
