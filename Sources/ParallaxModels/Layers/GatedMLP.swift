import ParallaxTensors

/// An MLP that may be gated: SiLU(A·x) ∘ (B·x), projected back; timm's `GluMlp`, `SwiGLU` and `Mlp`.
///
/// > Source: Shazeer, 2020, arXiv 2002.05202.
public struct GatedMLP: Sendable {
  /// The form of an MLP.
  public enum Form: String, Sendable, Codable, Hashable {
    /// Without a gate.
    case plain
    /// Gate and value in one layer, `fc1`, the gate first.
    case packed
    /// Gate and value apart, `fc1_g` and `fc1_x`.
    case split
  }

  let first: [Linear]
  let form: Form
  let activation: Activation
  let norm: LayerNorm?
  let fc2: Linear

  /// With a normalisation before the last layer where an epsilon is given.
  init(
    _ w: Weights, _ width: Int, inner: Int, _ form: Form, _ activation: Activation,
    epsilon: Double?
  ) throws {
    (self.form, self.activation) = (form, activation)
    switch form {
    case .plain: first = [try Linear(w["fc1"], width, inner)]
    case .packed: first = [try Linear(w["fc1"], width, 2 * inner)]
    case .split:
      first = [try Linear(w["fc1_g"], width, inner), try Linear(w["fc1_x"], width, inner)]
    }
    norm = try epsilon.map { try LayerNorm(w["norm"], inner, epsilon: $0) }
    fc2 = try Linear(w["fc2"], inner, width)
  }

  func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
    var y: Tensor
    switch form {
    case .plain: y = tap("act", activation(tap("fc1", first[0](x))))
    case .packed:
      let both = tap("fc1", first[0](x))
      let inner = both.shape[2] / 2
      y = tap("act", both.sliced(2, 0, inner).silu()) * both.sliced(2, inner)
    case .split:
      let (gate, value) = (tap("fc1_g", first[0](x)), tap("fc1_x", first[1](x)))
      y = tap("act", gate.silu()) * value
    }
    if let norm { y = tap("norm", norm(y)) }
    return tap("fc2", fc2(y))
  }
}
