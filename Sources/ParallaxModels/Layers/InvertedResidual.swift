import ParallaxTensors

/// A stage of inverted residuals: how many, and what they do.
public struct InvertedStage: Sendable, Codable, Hashable {
  /// The number of blocks.
  public var repeats: Int
  /// The side of the depthwise kernels.
  public var kernel: Int
  /// The stride of the first block.
  public var stride: Int
  /// The width inside a block over that of its input; 1 for a block without the first convolution.
  public var expansion: Int
  /// The width of the stage's output.
  public var channels: Int

  /// A stage, in the order of the papers' tables.
  public init(_ repeats: Int, kernel: Int = 3, stride: Int, expansion: Int, channels: Int) {
    (self.repeats, self.kernel, self.stride) = (repeats, kernel, stride)
    (self.expansion, self.channels) = (expansion, channels)
  }

  /// A width rounded to a multiple of `divisor`, and never down by more than a tenth.
  static func rounded(_ channels: Double, to divisor: Int = 8) -> Int {
    let near = max(divisor, Int(channels + Double(divisor) / 2) / divisor * divisor)
    return Double(near) < 0.9 * channels ? near + divisor : near
  }
}

/// What the inverted residuals of a network have in common.
struct InvertedStyle: Sendable {
  /// Widths inside blocks are multiples of this.
  var divisor = 8
  var padding: ConvolutionNorm.Padding
  var activation: FusedConvolution.Nonlinearity = .relu6
  /// The width inside squeeze-and-excitation over that of a block's input; nil for none.
  var squeeze: Double?
  var epsilon: Double
}

/// 1×1 up, depthwise, 1×1 down without a nonlinearity, plus the input where shapes allow (Sandler et al.).
///
/// Without expansion the first convolution is missing, and timm calls the others otherwise.
struct InvertedResidual: Sendable {
  let expand: ConvolutionNorm?
  let depthwise: ConvolutionNorm
  let squeeze: SqueezeExcite?
  let project: ConvolutionNorm
  let hasShortcut: Bool

  init(
    _ w: Weights, _ stage: InvertedStage, _ inputs: Int, stride: Int, _ style: InvertedStyle
  ) throws {
    let isSeparable = stage.expansion == 1
    let middle =
      isSeparable
      ? inputs : InvertedStage.rounded(Double(inputs * stage.expansion), to: style.divisor)
    expand =
      isSeparable
      ? nil
      : try ConvolutionNorm(
        w, .init(convolution: "conv_pw", norm: "bn1"), inputs, middle, kernel: 1,
        activation: style.activation, epsilon: style.epsilon)
    depthwise = try ConvolutionNorm(
      w, .init(convolution: "conv_dw", norm: isSeparable ? "bn1" : "bn2"), middle, middle,
      kernel: stage.kernel, stride: stride, groups: middle, padding: style.padding,
      activation: style.activation, epsilon: style.epsilon)
    squeeze = try style.squeeze.map {
      let names = SqueezeExcite.Names(
        reduce: "conv_reduce", activation: "act1", expand: "conv_expand", gate: "gate")
      return try SqueezeExcite(
        w["se"], names, middle, Int((Double(inputs) * $0).rounded(.toNearestOrEven)),
        activation: style.activation)
    }
    project = try ConvolutionNorm(
      w,
      isSeparable
        ? .init(convolution: "conv_pw", norm: "bn2") : .init(convolution: "conv_pwl", norm: "bn3"),
      middle, stage.channels, kernel: 1, activation: .none, epsilon: style.epsilon)
    hasShortcut = stride == 1 && inputs == stage.channels
  }

  func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
    var y = depthwise(expand.map { $0(x, tap) } ?? x, tap)
    if let squeeze { y = tap("se", squeeze(y, tap["se"])) }
    return hasShortcut ? project(y, tap, adding: { x }) : project(y, tap)
  }
}

/// What EfficientNet and MobileNetV2 have in common: a stem, stages of inverted residuals, a 1×1 head.
struct InvertedNetwork: Sendable {
  let stem: ConvolutionNorm
  let stages: [[InvertedResidual]]
  let head: ConvolutionNorm
  let classifier: Linear?

  init(
    _ w: Weights, stem stemWidth: Int, _ table: [InvertedStage], head headWidth: Int, classes: Int,
    _ style: InvertedStyle
  ) throws {
    stem = try ConvolutionNorm(
      w, .init(convolution: "conv_stem", norm: "bn1"), 3, stemWidth, kernel: 3, stride: 2,
      padding: style.padding, activation: style.activation, epsilon: style.epsilon)
    var width = stemWidth
    var stages: [[InvertedResidual]] = []
    for (index, stage) in table.enumerated() {
      var blocks: [InvertedResidual] = []
      for block in 0..<stage.repeats {
        blocks.append(
          try InvertedResidual(
            w["blocks.\(index).\(block)"], stage, width, stride: block == 0 ? stage.stride : 1,
            style))
        width = stage.channels
      }
      stages.append(blocks)
    }
    self.stages = stages
    head = try ConvolutionNorm(
      w, .init(convolution: "conv_head", norm: "bn2"), width, headWidth, kernel: 1,
      activation: style.activation, epsilon: style.epsilon)
    classifier = classes > 0 ? try Linear(w["classifier"], headWidth, classes) : nil
  }

  func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    var x = tap("input", images, as: .map)  // [b, 3, h, w]
    x = stem(x, tap)  // [b, 32, h / 2, w / 2]
    for (stage, blocks) in stages.enumerated() {
      for (index, block) in blocks.enumerated() {
        if tap.isSatisfied { return x }
        let name = "blocks.\(stage).\(index)"
        x = tap.block(name, block(x, tap[name]))
      }
      x = tap("blocks.\(stage)", x)
    }
    if tap.isSatisfied { return x }
    x = tap("global_pool", head(x, tap).mean(over: [2, 3]))  // [b, 1280]
    return classifier.map { tap("classifier", $0(x)) } ?? x
  }
}
