import ParallaxTensors

/// ConvNeXt, a network of convolutions with a transformer's design, and its second version.
///
/// A block is a depthwise 7×7 convolution, a norm and an MLP over channels, added to its input. timm keeps the
/// channels last between the two; every site here is a map `[batch, channels, height, width]`.
///
/// > Source: Liu et al., 2022, arXiv 2201.03545, section 2; Woo et al., 2023, arXiv 2301.00808, section 3.
public struct ConvNeXt: Model {
  /// What distinguishes one ConvNeXt from another.
  public struct Configuration: Sendable, Codable, Hashable {
    /// Blocks a stage.
    public var depths: [Int]
    /// The width of each stage.
    public var widths: [Int]
    /// Whether branches are scaled by a learned number a channel, as in version 1.
    public var layerScale = true
    /// Whether the MLPs have a global response norm, as in version 2.
    public var responseNorm = false
    /// Whether the MLPs' weights are stored as those of 1×1 convolutions, as in timm's sizes up to nano.
    public var convolutionalMLP = false
    /// Whether the pooled features are normalised; checkpoints of autoencoders have no such norm.
    public var headNorm = true
    /// Outputs of the classifier; 0 for none.
    public var classes = 1000
    /// Added to variances.
    public var epsilon = 1e-6

    /// A network of so many blocks of those widths.
    public init(_ depths: [Int], _ widths: [Int]) { (self.depths, self.widths) = (depths, widths) }
  }

  /// The variant.
  public let configuration: Configuration
  let stem: (convolution: Convolution, norm: LayerNorm)
  let stages: [Stage]
  let norm: LayerNorm?
  let head: Linear?

  /// The stem and three halvings leave a position of 32×32 pixels.
  public var minimumImageSize: Int { 32 }

  /// A ConvNeXt with the parameters of a checkpoint.
  ///
  /// - Throws: `ModelError` where a parameter is missing or misshapen.
  public init(_ c: Configuration, _ w: Weights) throws {
    configuration = c
    var width = c.widths.first ?? 0
    stem = (
      try Convolution(w["stem.0"], 3, width, kernel: 4, stride: 4),
      try LayerNorm(w["stem.1"], width, epsilon: c.epsilon)
    )
    var stages: [Stage] = []
    for (index, (depth, outputs)) in zip(c.depths, c.widths).enumerated() {
      stages.append(
        try Stage(w["stages.\(index)"], c, width, outputs, depth: depth, isFirst: index == 0))
      width = outputs
    }
    self.stages = stages
    norm = c.headNorm ? try LayerNorm(w["head.norm"], width, epsilon: c.epsilon) : nil
    head = c.classes > 0 ? try Linear(w["head.fc"], width, c.classes) : nil
  }

  /// Images through the network, each activation shown to the tap.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    // With channels side by side in memory nothing is copied between convolutions and MLPs.
    var x = tap("input", images, as: .map).channelsLast()  // [b, 3, h, w]
    x = tap("stem.0", stem.convolution(x))  // [b, d, h / 4, w / 4]
    x = tap("stem", tap.through("stem.1", x, .norm) { stem.norm.overChannels($0) })
    for (index, stage) in stages.enumerated() {
      let name = "stages.\(index)"
      if tap.isSatisfied { return x }
      if let downsample = stage.downsample { x = downsample(x, tap[name]) }
      for (place, block) in stage.blocks.enumerated() {
        if tap.isSatisfied { return x }
        x = tap.block("\(name).blocks.\(place)", block(x, tap["\(name).blocks.\(place)"]))
      }
      x = tap(name, x)
    }
    if tap.isSatisfied { return x }
    x = tap("head.global_pool", x.mean(over: [2, 3], keeping: true))  // [b, d, 1, 1]
    if let norm { x = tap.through("head.norm", x, .norm) { norm.overChannels($0) } }
    x = x.reshaped(x.shape[0], -1)  // [b, d]
    return head.map { tap("head.fc", $0(x)) } ?? x
  }

  /// Blocks of one width, with a halving of the map before them.
  struct Stage: Sendable {
    let downsample: Downsample?
    let blocks: [Block]

    init(
      _ w: Weights, _ c: Configuration, _ inputs: Int, _ outputs: Int, depth: Int, isFirst: Bool
    ) throws {
      downsample =
        isFirst ? nil : try Downsample(w["downsample"], inputs, outputs, epsilon: c.epsilon)
      blocks = try (0..<depth).map { try Block(w["blocks.\($0)"], c, outputs) }
    }
  }

  /// A norm and a 2×2 convolution of stride 2.
  struct Downsample: Sendable {
    let norm: LayerNorm
    let convolution: Convolution

    init(_ w: Weights, _ inputs: Int, _ outputs: Int, epsilon: Double) throws {
      norm = try LayerNorm(w["0"], inputs, epsilon: epsilon)
      convolution = try Convolution(w["1"], inputs, outputs, kernel: 2, stride: 2)
    }

    func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
      let y = tap.through("downsample.0", x, .norm) { norm.overChannels($0) }
      return tap("downsample", tap("downsample.1", convolution(y)))
    }
  }

  /// The depthwise convolution, the norm, the MLP, and their input added.
  struct Block: Sendable {
    let depthwise: Convolution
    let norm: LayerNorm
    let mlp: MLP
    let scale: LayerScale?

    init(_ w: Weights, _ c: Configuration, _ width: Int) throws {
      depthwise = try Convolution(
        w["conv_dw"], width, width, kernel: 7, padding: 3, groups: width)
      norm = try LayerNorm(w["norm"], width, epsilon: c.epsilon)
      mlp = try MLP(w["mlp"], c, width)
      scale = c.layerScale ? try LayerScale(w, width) : nil
    }

    func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
      let y = tap("conv_dw", depthwise(x)).permuted(0, 2, 3, 1)  // [b, h, w, d]
      let branch = ConvNeXt.shown(
        "mlp",
        mlp(ConvNeXt.shown("norm", tap.applied("norm", y, .norm) { norm($0) }, tap), tap["mlp"]),
        tap)
      return tap.joined("residual1", x, (scale?(branch) ?? branch).permuted(0, 3, 1, 2), .branch)
    }
  }

  /// Up to four times the width, GELU, the response norm of version 2, and down.
  struct MLP: Sendable {
    let up: Linear
    let norm: GlobalResponseNorm?
    let down: Linear

    init(_ w: Weights, _ c: Configuration, _ width: Int) throws {
      func layer(_ name: String, _ inputs: Int, _ outputs: Int) throws -> Linear {
        c.convolutionalMLP
          ? try Linear(asConvolution: w[name], inputs, outputs)
          : try Linear(w[name], inputs, outputs)
      }
      up = try layer("fc1", width, 4 * width)
      norm = c.responseNorm ? try GlobalResponseNorm(w["grn"], 4 * width) : nil
      down = try layer("fc2", 4 * width, width)
    }

    func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
      // [b, h, w, 4 d]
      var y = ConvNeXt.shown("act", ConvNeXt.shown("fc1", up(x), tap).gelu(), tap)
      if let norm { y = ConvNeXt.shown("grn", norm(y), tap) }
      return ConvNeXt.shown("fc2", down(y), tap)
    }
  }

  /// Shows an activation `[b, h, w, d]` as the map `[b, d, h, w]` that it is.
  private static func shown(_ site: String, _ x: Tensor, _ tap: Tap) -> Tensor {
    guard tap.wants(site) else { return x }
    return tap(site, x.permuted(0, 3, 1, 2), as: .map).permuted(0, 2, 3, 1)
  }
}
