import ParallaxTensors

/// A map whose channels are weighted by what the mean over all positions says.
///
/// > Source: Hu et al., 2018, arXiv 1709.01507, Figure 3.
struct SqueezeExcite: Sendable {
  /// The names of its sites, the first and third of which are those of its parameters.
  struct Names: Sendable {
    var reduce: String
    var activation: String
    var expand: String
    var gate: String
  }

  /// What makes weights from 0 to 1 of numbers.
  enum Gate: Sendable {
    case sigmoid
    case hardSigmoid
  }

  let names: Names
  let gate: Gate
  let reduce: Convolution
  let expand: Convolution
  let activation: FusedConvolution.Nonlinearity

  init(
    _ w: Weights, _ names: Names, _ width: Int, _ inner: Int,
    activation: FusedConvolution.Nonlinearity, gate: Gate = .sigmoid
  ) throws {
    reduce = try Convolution(w[names.reduce], width, inner, kernel: 1)
    expand = try Convolution(w[names.expand], inner, width, kernel: 1)
    (self.names, self.activation, self.gate) = (names, activation, gate)
  }

  func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
    let mean = x.mean(over: [2, 3], keeping: true)  // [b, c, 1, 1]
    let inner = tap(names.activation, activation(tap(names.reduce, reduce(mean))))
    let weights = tap(names.expand, expand(inner))
    return x * tap(names.gate, gate == .sigmoid ? weights.sigmoid() : weights.hardSigmoid())
  }
}
