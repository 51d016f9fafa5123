import ParallaxTensors

/// Two linear layers with a nonlinearity between them, as timm's `Mlp`.
struct MLP: Sendable {
  let fc1: Linear
  let activation: Activation
  let fc2: Linear

  init(_ w: Weights, _ width: Int, inner: Int, _ activation: Activation = .gelu) throws {
    fc1 = try Linear(w["fc1"], width, inner)
    self.activation = activation
    fc2 = try Linear(w["fc2"], inner, width)
  }

  func callAsFunction(_ x: Tensor, _ tap: Tap, as kind: SiteKind? = nil) -> Tensor {
    let hidden = tap("act", activation(tap("fc1", fc1(x), as: kind)), as: kind)
    return tap("fc2", fc2(hidden), as: kind)
  }
}

/// Patches cut out and projected: a convolution whose stride is its size.
struct PatchEmbedding: Sendable {
  let weight: Tensor
  let bias: Tensor?
  let patch: Int

  init(_ w: Weights, _ width: Int, patch: Int, bias: Bool = true) throws {
    self.patch = patch
    weight = try w("proj.weight", width, 3, patch, patch)
    self.bias = bias ? try w("proj.bias", width) : nil
  }

  /// `[batch, width, rows, columns]`.
  func map(_ x: Tensor, _ tap: Tap) -> Tensor {
    tap("proj", x.convolution(weight, bias, stride: [patch, patch]))
  }

  /// `[batch, patches, width]`, row by row.
  func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
    let map = map(x, tap)
    return map.reshaped(map.shape[0], map.shape[1], -1).transposed(1, 2)
  }
}
