import ParallaxTensors

/// MobileNetV3, timm's `mobilenetv3_large_100` and `mobilenetv3_small_100`.
///
/// The last block is a 1×1 convolution, and the next one comes after the mean over positions.
///
/// > Source: Howard et al., 2019, arXiv 1905.02244, Tables 1 and 2.
public struct MobileNetV3: Model {
  /// A row of the paper's tables.
  public struct Row: Sendable, Codable, Hashable {
    /// The side of the depthwise kernel.
    public var kernel: Int
    /// The width inside, the paper's exp size.
    public var middle: Int
    /// The width of the output.
    public var channels: Int
    /// Whether it has squeeze-and-excitation.
    public var squeeze: Bool
    /// Whether its nonlinearity is hard swish; else ReLU.
    public var hardSwish: Bool
    /// The stride.
    public var stride: Int

    /// A row, in the tables' order.
    public init(
      _ kernel: Int, _ middle: Int, _ channels: Int, squeeze: Bool = false, hardSwish: Bool = true,
      stride: Int = 1
    ) {
      (self.kernel, self.middle, self.channels) = (kernel, middle, channels)
      (self.squeeze, self.hardSwish, self.stride) = (squeeze, hardSwish, stride)
    }
  }

  /// What distinguishes one MobileNetV3 from another.
  public struct Configuration: Sendable, Codable, Hashable {
    /// The rows of each stage, as timm groups them.
    public var stages: [[Row]]
    /// The width of the first convolution.
    public var stem = 16
    /// The width of the last convolution before the mean.
    public var last: Int
    /// The width of the one after it.
    public var head: Int
    /// Outputs of the classifier; 0 for none.
    public var classes = 1000
    /// Widths inside squeeze-and-excitation are multiples of this.
    public var divisor = 8
    /// Added to variances.
    public var epsilon = 1e-5

    /// A network of these stages and widths at its end.
    public init(_ stages: [[Row]], last: Int, head: Int) {
      (self.stages, self.last, self.head) = (stages, last, head)
    }

    /// MobileNetV3-Large, Table 1.
    public static let large = Configuration(
      [
        [Row(3, 16, 16, hardSwish: false)],
        [Row(3, 64, 24, hardSwish: false, stride: 2), Row(3, 72, 24, hardSwish: false)],
        [Row(5, 72, 40, squeeze: true, hardSwish: false, stride: 2)]
          + Array(repeating: Row(5, 120, 40, squeeze: true, hardSwish: false), count: 2),
        [Row(3, 240, 80, stride: 2), Row(3, 200, 80), Row(3, 184, 80), Row(3, 184, 80)],
        [Row(3, 480, 112, squeeze: true), Row(3, 672, 112, squeeze: true)],
        [Row(5, 672, 160, squeeze: true, stride: 2)]
          + Array(repeating: Row(5, 960, 160, squeeze: true), count: 2),
      ], last: 960, head: 1280)

    /// MobileNetV3-Small, Table 2.
    public static let small = Configuration(
      [
        [Row(3, 16, 16, squeeze: true, hardSwish: false, stride: 2)],
        [Row(3, 72, 24, hardSwish: false, stride: 2), Row(3, 88, 24, hardSwish: false)],
        [Row(5, 96, 40, squeeze: true, stride: 2)]
          + Array(repeating: Row(5, 240, 40, squeeze: true), count: 2),
        [Row(5, 120, 48, squeeze: true), Row(5, 144, 48, squeeze: true)],
        [Row(5, 288, 96, squeeze: true, stride: 2)]
          + Array(repeating: Row(5, 576, 96, squeeze: true), count: 2),
      ], last: 576, head: 1024)
  }

  /// The variant.
  public let configuration: Configuration
  let stem: ConvolutionNorm
  let stages: [[Block]]
  let last: ConvolutionNorm
  let head: ConvolutionNorm
  let classifier: Linear?

  /// A MobileNetV3 with the parameters of a checkpoint.
  ///
  /// - Throws: `ModelError` where a parameter is missing or misshapen.
  public init(_ c: Configuration, _ w: Weights) throws {
    configuration = c
    stem = try ConvolutionNorm(
      w, .init(convolution: "conv_stem", norm: "bn1"), 3, c.stem, kernel: 3, stride: 2,
      activation: .hardSwish, epsilon: c.epsilon)
    var width = c.stem
    var stages: [[Block]] = []
    for (index, rows) in c.stages.enumerated() {
      var blocks: [Block] = []
      for (place, row) in rows.enumerated() {
        blocks.append(try Block(w["blocks.\(index).\(place)"], c, row, width))
        width = row.channels
      }
      stages.append(blocks)
    }
    self.stages = stages
    last = try ConvolutionNorm(
      w["blocks.\(c.stages.count).0"], .init(convolution: "conv", norm: "bn1"), width, c.last,
      kernel: 1, activation: .hardSwish, epsilon: c.epsilon)
    head = try ConvolutionNorm(
      w, .init(convolution: "conv_head", activation: "act2"), c.last, c.head, kernel: 1,
      bias: true, activation: .hardSwish, epsilon: c.epsilon)
    classifier = c.classes > 0 ? try Linear(w["classifier"], c.head, c.classes) : nil
  }

  /// Images through the network, each activation shown to the tap.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    var x = tap("input", images, as: .map)  // [b, 3, h, w]
    x = stem(x, tap)  // [b, 16, h / 2, w / 2]
    for (stage, blocks) in stages.enumerated() {
      for (index, block) in blocks.enumerated() {
        if tap.isSatisfied { return x }
        let name = "blocks.\(stage).\(index)"
        x = tap.block(name, block(x, tap[name]))
      }
      x = tap("blocks.\(stage)", x)
    }
    if tap.isSatisfied { return x }
    let name = "blocks.\(stages.count)"
    x = tap(name, tap.block("\(name).0", last(x, tap["\(name).0"])))  // [b, 960, h / 32, w / 32]
    x = tap("global_pool", x.mean(over: [2, 3], keeping: true))  // [b, 960, 1, 1]
    x = head(x, tap).reshaped(x.shape[0], -1)  // [b, 1280]
    return classifier.map { tap("classifier", $0(x)) } ?? x
  }

  /// An inverted residual, whose squeeze-and-excitation has a hard sigmoid.
  ///
  /// Without expansion the first convolution is missing, and timm calls the others otherwise.
  struct Block: Sendable {
    let expand: ConvolutionNorm?
    let depthwise: ConvolutionNorm
    let squeeze: SqueezeExcite?
    let project: ConvolutionNorm
    let hasShortcut: Bool

    init(_ w: Weights, _ c: Configuration, _ row: Row, _ inputs: Int) throws {
      let isSeparable = row.middle == inputs
      let activation: FusedConvolution.Nonlinearity = row.hardSwish ? .hardSwish : .relu
      expand =
        isSeparable
        ? nil
        : try ConvolutionNorm(
          w, .init(convolution: "conv_pw", norm: "bn1"), inputs, row.middle, kernel: 1,
          activation: activation, epsilon: c.epsilon)
      depthwise = try ConvolutionNorm(
        w, .init(convolution: "conv_dw", norm: isSeparable ? "bn1" : "bn2"), row.middle,
        row.middle, kernel: row.kernel, stride: row.stride, groups: row.middle,
        activation: activation, epsilon: c.epsilon)
      let names = SqueezeExcite.Names(
        reduce: "conv_reduce", activation: "act1", expand: "conv_expand", gate: "gate")
      squeeze =
        row.squeeze
        ? try SqueezeExcite(
          w["se"], names, row.middle,
          InvertedStage.rounded(Double(row.middle) * 0.25, to: c.divisor), activation: .relu,
          gate: .hardSigmoid) : nil
      project = try ConvolutionNorm(
        w,
        isSeparable
          ? .init(convolution: "conv_pw", norm: "bn2")
          : .init(convolution: "conv_pwl", norm: "bn3"),
        row.middle, row.channels, kernel: 1, activation: .none, epsilon: c.epsilon)
      hasShortcut = row.stride == 1 && inputs == row.channels
    }

    func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
      var y = depthwise(expand.map { $0(x, tap) } ?? x, tap)
      if let squeeze { y = tap("se", squeeze(y, tap["se"])) }
      return hasShortcut ? project(y, tap, adding: { x }) : project(y, tap)
    }
  }
}
