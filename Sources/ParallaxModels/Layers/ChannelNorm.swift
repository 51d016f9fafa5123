import ParallaxTensors

// Layers of networks that normalise the channels at each position of a map, as ConvNeXt does.

extension LayerNorm {
  /// Normalisation over the channels of a map `[batch, channels, height, width]`, at each position by itself.
  func overChannels(_ x: Tensor) -> Tensor { self(x.permuted(0, 2, 3, 1)).permuted(0, 3, 1, 2) }
}

/// What a channel has over the mean of all channels, x + β + γ·x·‖x‖/(mean ‖x‖ + ε) with ‖x‖ a channel's norm over
/// positions; of `[batch, height, width, channels]`.
///
/// > Source: Woo et al., 2023, arXiv 2301.00808, Algorithm 1.
struct GlobalResponseNorm: Sendable {
  let weight: Tensor
  let bias: Tensor

  init(_ w: Weights, _ width: Int) throws {
    weight = try w("weight", width)
    bias = try w("bias", width)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let norms = x.norm(over: [1, 2], keeping: true)  // [b, 1, 1, c]
    return x + bias + weight * (norms / (norms.mean(over: [3], keeping: true) + 1e-6)) * x
  }
}
