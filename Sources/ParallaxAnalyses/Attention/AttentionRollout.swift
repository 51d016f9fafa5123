import ParallaxTensors

/// How much of each token at the input reaches each token at the output, if attention were all that mixes tokens.
///
///     R_0 = I,   R_l = ½ (Ā_l + I) · R_(l−1)
///
/// Ā is the mean over heads; the identity stands for the residual connection. Rows sum to 1.
///
/// > Source: Abnar and Zuidema, 2020, Quantifying Attention Flow in Transformers, arXiv 2005.00928, section 3.
public struct AttentionRollout: Sendable {
  private var product: Tensor?

  /// No layer yet.
  public init() {}

  /// Goes one layer on.
  ///
  /// - Parameter pattern: attention weights `[batch, heads, tokens, tokens]`.
  public mutating func add(_ pattern: Tensor) {
    let mean = pattern.mean(over: [1]).to(.cpu).to(.float64)
    let mixed = (mean + Tensor.identity(mean.shape[1], .float64)) * 0.5
    product = product.map { mixed.times($0) } ?? mixed
  }

  /// `[batch, tokens, tokens]` in float64: the row is the token at the output; nil before the first layer.
  public var rolled: Tensor? { product }
}
