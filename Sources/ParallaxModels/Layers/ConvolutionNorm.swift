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

  /// A convolution's weight and bias that do the same: γ/√(σ² + ε)·w and β + (b − μ)·γ/√(σ² + ε).
  func folded(into convolution: Tensor, _ shift: Tensor?) -> (weight: Tensor, bias: Tensor) {
    let scale = weight / (variance + epsilon).squareRoot()
    let centre = shift.map { mean - $0 } ?? mean
    return (convolution * scale.reshaped(-1, 1, 1, 1), bias - centre * scale)
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
    /// Nowhere.
    case valid
  }

  /// The names of its sites, which are those of its parameters.
  struct Names: Sendable {
    var convolution: String
    /// nil where there is no norm.
    var norm: String?
    /// nil where the norm's site is seen after the nonlinearity, as in timm's `BatchNormAct2d`.
    var activation: String?

    /// The site of what comes out.
    var last: String { activation ?? norm ?? convolution }
    /// Whether nobody looks at the sites before it.
    func areFree(_ tap: Tap) -> Bool {
      (norm == nil || tap.leaves(.norm))
        && [convolution, norm].allSatisfy { $0 == nil || $0 == last || !tap.wants($0 ?? "") }
    }
  }

  let names: Names
  let weight: Tensor
  let bias: Tensor?
  let norm: BatchNorm?
  /// Rows and columns.
  let kernel: [Int]
  let stride: Int
  let groups: Int
  let padding: Padding
  let activation: FusedConvolution.Nonlinearity
  let fused: FusedConvolution?

  /// A convolution from `inputs` to `outputs` channels, square unless `columns` are given.
  init(
    _ w: Weights, _ names: Names, _ inputs: Int, _ outputs: Int, kernel: Int,
    by columns: Int? = nil,
    stride: Int = 1, groups: Int = 1, padding: Padding = .symmetric, bias: Bool = false,
    activation: FusedConvolution.Nonlinearity, epsilon: Double
  ) throws {
    self.kernel = [kernel, columns ?? kernel]
    weight = try w[names.convolution](
      "weight", outputs, inputs / groups, self.kernel[0], self.kernel[1], groups: groups)
    self.bias = bias ? try w[names.convolution]("bias", outputs) : nil
    norm = try names.norm.map { try BatchNorm(w[$0], outputs, epsilon: epsilon) }
    (self.names, self.stride, self.groups, self.activation) = (names, stride, groups, activation)
    self.padding = padding == .same && stride == 1 ? .symmetric : padding
    let folded =
      norm?.folded(into: weight, self.bias)
      ?? (weight: weight, bias: self.bias ?? Tensor.zeros([outputs]))
    // SAME puts one zero more at the end of even sizes. A kernel with a row and a column of zeros before it makes
    // that the same number at both ends, which spares a padded copy of the map.
    let isSame = self.padding == .same
    let wide = isSame ? folded.weight.padded([1, 0, 1, 0]) : folded.weight
    fused =
      isSame && (stride != 2 || kernel % 2 == 0)
      ? nil
      : FusedConvolution(wide, folded.bias, stride: stride, groups: groups, then: activation)
  }

  /// Convolution, norm, nonlinearity; `isBlock` where what comes out is the output of a block.
  func callAsFunction(_ x: Tensor, _ tap: Tap, isBlock: Bool = false) -> Tensor {
    let y: Tensor
    if let fused, names.areFree(tap), fused.takes(x) {
      y = fused(x, padding: fusedPadding(x))
    } else {
      y = activation(shown(convolved(x), tap))
    }
    return isBlock ? tap.block(names.last, y) : tap(names.last, y)
  }

  /// Convolution and norm, then the shortcut added, then the nonlinearity.
  func callAsFunction(_ x: Tensor, _ tap: Tap, adding shortcut: () -> Tensor) -> Tensor {
    let y: Tensor
    let last = names.norm ?? names.convolution
    let site = "residual1"
    if let fused, names.areFree(tap), !tap.wants(last), !tap.looksAtParts(of: site), fused.takes(x)
    {
      y = fused(x, padding: fusedPadding(x), adding: shortcut())
    } else {
      let normed = shown(convolved(x), tap)
      // Without a nonlinearity of its own name the norm's site is before the sum.
      let branch = names.activation == nil ? tap(last, normed) : normed
      y = activation(tap.joined(site, shortcut(), branch, .branch))
    }
    return names.activation.map { tap($0, y) } ?? y
  }

  /// The norm of a convolution's output; of both what comes before the last site is shown.
  private func shown(_ x: Tensor, _ tap: Tap) -> Tensor {
    let x = names.last == names.convolution ? x : tap(names.convolution, x)
    guard let norm, let site = names.norm else { return x }
    let normed = tap.applied(site, x, .norm) { norm($0) }
    return site == names.last ? normed : tap(site, normed)
  }

  private func convolved(_ x: Tensor) -> Tensor {
    let isSame = padding == .same
    let around =
      isSame
      ? x.padded([1, 0].flatMap { [missing(x, $0) / 2, missing(x, $0) - missing(x, $0) / 2] }) : x
    return around.convolution(
      weight, bias, stride: [stride, stride],
      padding: padding == .symmetric ? kernel.map { $0 / 2 } : [0, 0], groups: groups)
  }

  /// The zeros that SAME puts around the rows (0) or columns (1) of a map.
  private func missing(_ x: Tensor, _ dim: Int) -> Int {
    let size = x.shape[2 + dim]
    return max(((size + stride - 1) / stride - 1) * stride + kernel[dim] - size, 0)
  }

  /// The zeros that the fused convolution puts at each end.
  private func fusedPadding(_ x: Tensor) -> [Int] {
    switch padding {
    case .symmetric: kernel.map { $0 / 2 }
    case .valid: [0, 0]
    // The smaller half, and one for the kernel's zeros.
    case .same: [missing(x, 0) / 2 + 1, missing(x, 1) / 2 + 1]
    }
  }
}
