import ParallaxTensors

// Layers that families share. Each knows its parameters' names as timm has them.

/// x·Wᵀ + b.
struct Linear: Sendable {
  let weight: Tensor
  let bias: Tensor?

  init(_ w: Weights, _ inputs: Int, _ outputs: Int, bias: Bool = true) throws {
    weight = try w("weight", outputs, inputs)
    self.bias = bias ? try w("bias", outputs) : nil
  }

  /// A layer whose weight is stored as that of a 1×1 convolution.
  init(asConvolution w: Weights, _ inputs: Int, _ outputs: Int) throws {
    weight = try w("weight", outputs, inputs, 1, 1).reshaped(outputs, inputs)
    bias = try w("bias", outputs)
  }

  func callAsFunction(_ x: Tensor) -> Tensor { x.linear(weight, bias) }
}

/// A square convolution with a bias.
struct Convolution: Sendable {
  let weight: Tensor
  let bias: Tensor
  let stride: Int
  let padding: Int
  let groups: Int

  init(
    _ w: Weights, _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0,
    groups: Int = 1
  ) throws {
    weight = try w("weight", outputs, inputs / groups, kernel, kernel, groups: groups)
    bias = try w("bias", outputs)
    (self.stride, self.padding, self.groups) = (stride, padding, groups)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    x.convolution(
      weight, bias, stride: [stride, stride], padding: [padding, padding], groups: groups)
  }
}

/// Normalisation over the last dimension.
struct LayerNorm: Sendable {
  let weight: Tensor
  let bias: Tensor
  let epsilon: Double

  init(_ w: Weights, _ width: Int, epsilon: Double) throws {
    weight = try w("weight", width)
    bias = try w("bias", width)
    self.epsilon = epsilon
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    x.layerNormalized(weight: weight, bias: bias, epsilon: epsilon)
  }
}

/// A branch scaled by one learned number a channel (CaiT, DINOv2).
struct LayerScale: Sendable {
  let gamma: Tensor

  init(_ w: Weights, _ width: Int) throws { gamma = try w("gamma", width) }

  func callAsFunction(_ x: Tensor) -> Tensor { x * gamma }
}

/// The nonlinearity between two linear layers.
public enum Activation: String, Sendable, Codable, Hashable {
  /// x · Φ(x), Φ the normal distribution function (the exact form, by erf).
  case gelu
  /// The approximation by tanh.
  case geluTanh = "gelu_pytorch_tanh"
  /// CLIP's approximation, x · sigmoid(1.702 x).
  case quickGELU = "quick_gelu"

  func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .gelu: x.gelu()
    case .geluTanh: x.geluTanh()
    case .quickGELU: x.quickGELU()
    }
  }
}
