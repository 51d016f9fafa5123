import ParallaxTensors

/// Normalisation of each channel by stored statistics.
struct BatchNorm: Sendable {
  let weight: Tensor
  let bias: Tensor
  let mean: Tensor
  let variance: Tensor
  let epsilon: Double

  init(_ w: Weights, _ channels: Int, epsilon: Double) throws {
    weight = try w("weight", channels)
    bias = try w("bias", channels)
    mean = try w("running_mean", channels)
    variance = try w("running_var", channels)
    self.epsilon = epsilon
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    x.batchNormalized(weight: weight, bias: bias, mean: mean, variance: variance, epsilon: epsilon)
  }

  /// A convolution's weight and bias that do the same: γ/√(σ² + ε)·w and β − μ·γ/√(σ² + ε).
  func folded(into convolution: Tensor) -> (weight: Tensor, bias: Tensor) {
    let scale = weight / (variance + epsilon).squareRoot()
    return (convolution * scale.reshaped(-1, 1, 1, 1), bias - mean * scale)
  }
}

/// A convolution, its batch norm and the nonlinearity after them.
///
/// Where nobody looks between them they are one step (`FusedConvolution`); where somebody does, or a gradient is
/// wanted, each is computed as it stands in the checkpoint.
struct ConvolutionNorm: Sendable {
  /// Where zeros are put around a map.
  enum Padding: String, Sendable, Codable, Hashable {
    /// k / 2 at every side.
    case symmetric
    /// TensorFlow's SAME: as few as give ⌈n / stride⌉ outputs, the smaller half first.
    case same
  }

  /// The names of its sites, which are those of its parameters.
  struct Names: Sendable {
    var convolution: String
    var norm: String
    /// nil where the norm's site is seen after the nonlinearity, as in timm's `BatchNormAct2d`.
    var activation: String?
  }

  let names: Names
  let weight: Tensor
  let norm: BatchNorm
  let kernel: Int
  let stride: Int
  let groups: Int
  let padding: Padding
  let activation: FusedConvolution.Nonlinearity
  let fused: FusedConvolution?

  /// A square convolution from `inputs` to `outputs` channels.
  init(
    _ w: Weights, _ names: Names, _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1,
    groups: Int = 1, padding: Padding = .symmetric, activation: FusedConvolution.Nonlinearity,
    epsilon: Double
  ) throws {
    weight = try w[names.convolution](
      "weight", outputs, inputs / groups, kernel, kernel, groups: groups)
    norm = try BatchNorm(w[names.norm], outputs, epsilon: epsilon)
    (self.names, self.kernel, self.stride, self.groups) = (names, kernel, stride, groups)
    (self.padding, self.activation) = (stride == 1 ? .symmetric : padding, activation)
    let folded = norm.folded(into: weight)
    // SAME puts one zero more at the end of even sizes. A kernel with a row and a column of zeros before it makes
    // that the same number at both ends, which spares a padded copy of the map.
    let isSame = self.padding == .same
    let wide = isSame ? folded.weight.padded([1, 0, 1, 0]) : folded.weight
    fused =
      isSame && (stride != 2 || kernel % 2 == 0)
      ? nil
      : FusedConvolution(wide, folded.bias, stride: stride, groups: groups, then: activation)
  }

  /// Convolution, norm, nonlinearity.
  func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
    if let fused, isFree(tap, withNorm: names.activation != nil), fused.takes(x) {
      return tap(names.activation ?? names.norm, fused(x, padding: fusedPadding(x)))
    }
    let y = norm(tap(names.convolution, convolved(x)))
    guard let site = names.activation else { return tap(names.norm, activated(y)) }
    return tap(site, activated(tap(names.norm, y)))
  }

  /// Convolution and norm, then the shortcut added, then the nonlinearity.
  func callAsFunction(_ x: Tensor, _ tap: Tap, adding shortcut: () -> Tensor) -> Tensor {
    let y: Tensor
    if let fused, isFree(tap, withNorm: true), fused.takes(x) {
      y = fused(x, padding: fusedPadding(x), adding: shortcut())
    } else {
      let branch = tap(names.norm, norm(tap(names.convolution, convolved(x))))
      y = activated(branch + shortcut())
    }
    return names.activation.map { tap($0, y) } ?? y
  }

  /// Whether nobody looks at what is inside the step: the convolution, and the norm where it is not the last.
  private func isFree(_ tap: Tap, withNorm: Bool) -> Bool {
    !tap.wants(names.convolution) && !(withNorm && tap.wants(names.norm))
  }

  private func activated(_ x: Tensor) -> Tensor {
    switch activation {
    case .none: x
    case .relu: x.relu()
    case .relu6: x.relu6()
    }
  }

  private func convolved(_ x: Tensor) -> Tensor {
    guard padding == .same else {
      return x.convolution(
        weight, stride: [stride, stride], padding: [kernel / 2, kernel / 2], groups: groups)
    }
    let (rows, columns) = (missing(x.shape[2]), missing(x.shape[3]))
    return x.padded([columns / 2, columns - columns / 2, rows / 2, rows - rows / 2])
      .convolution(weight, stride: [stride, stride], groups: groups)
  }

  /// The zeros that SAME puts around `size` values.
  private func missing(_ size: Int) -> Int {
    max(((size + stride - 1) / stride - 1) * stride + kernel - size, 0)
  }

  /// The zeros that the fused convolution puts at each end.
  private func fusedPadding(_ x: Tensor) -> [Int] {
    guard padding == .same else { return [kernel / 2, kernel / 2] }
    // The smaller half, and one for the kernel's zeros.
    return [missing(x.shape[2]) / 2 + 1, missing(x.shape[3]) / 2 + 1]
  }
}
