import ParallaxTensors

/// The residual network, in the form of torchvision and timm: the bottleneck's stride is in its 3×3 (v1.5).
///
/// ResNeXt has groups in the 3×3, and the wide one more channels in it.
///
/// > Source: He et al., 2016, arXiv 1512.03385, Table 1; Xie et al., 2017, arXiv 1611.05431, Table 1; Zagoruyko and
/// Komodakis, 2016, arXiv 1605.07146.
public struct ResNet: Model {
  /// What one block of the network is.
  public enum BlockKind: String, Sendable, Codable, Hashable {
    /// Two 3×3 convolutions.
    case basic
    /// 1×1 down, 3×3, 1×1 up to four times the width.
    case bottleneck

    /// The width of the block's output over that inside it.
    public var expansion: Int { self == .basic ? 1 : 4 }
  }

  /// What distinguishes one ResNet from another.
  public struct Configuration: Sendable, Codable, Hashable {
    /// The kind of its blocks.
    public var block: BlockKind
    /// Blocks a stage.
    public var layers: [Int]
    /// The width inside the blocks of each stage.
    public var channels = [64, 128, 256, 512]
    /// Groups of the 3×3 of bottlenecks.
    public var groups = 1
    /// The width of a group where the stage's is 64; it scales all stages.
    public var groupWidth = 64
    /// The width of the first convolution.
    public var stem = 64
    /// Outputs of the classifier; 0 for none.
    public var classes = 1000
    /// Added to variances.
    public var epsilon = 1e-5

    /// A network of so many blocks a stage.
    public init(_ block: BlockKind, _ layers: [Int]) { (self.block, self.layers) = (block, layers) }

    /// A network of bottlenecks with groups of another width.
    init(_ layers: [Int], groups: Int, width: Int) {
      self.init(.bottleneck, layers)
      (self.groups, groupWidth) = (groups, width)
    }

    /// ResNet-18.
    public static let resnet18 = Configuration(.basic, [2, 2, 2, 2])
    /// ResNet-34.
    public static let resnet34 = Configuration(.basic, [3, 4, 6, 3])
    /// ResNet-50.
    public static let resnet50 = Configuration(.bottleneck, [3, 4, 6, 3])
    /// ResNet-101.
    public static let resnet101 = Configuration(.bottleneck, [3, 4, 23, 3])
    /// ResNet-152.
    public static let resnet152 = Configuration(.bottleneck, [3, 8, 36, 3])
    /// ResNeXt-50, 32×4d.
    public static let resnext50 = Configuration([3, 4, 6, 3], groups: 32, width: 4)
    /// ResNeXt-101, 32×8d.
    public static let resnext101 = Configuration([3, 4, 23, 3], groups: 32, width: 8)
    /// Wide ResNet-50-2.
    public static let wideResNet50 = Configuration([3, 4, 6, 3], groups: 1, width: 128)
    /// Wide ResNet-101-2.
    public static let wideResNet101 = Configuration([3, 4, 23, 3], groups: 1, width: 128)
  }

  /// The variant.
  public let configuration: Configuration
  let stem: ConvolutionNorm
  let stages: [[Block]]
  let head: Linear?

  /// A ResNet with the parameters of a checkpoint.
  ///
  /// - Throws: `ModelError` where a parameter is missing or misshapen.
  public init(_ c: Configuration, _ w: Weights) throws {
    configuration = c
    stem = try ConvolutionNorm(
      w, .init(convolution: "conv1", norm: "bn1", activation: "act1"), 3, c.stem, kernel: 7,
      stride: 2, activation: .relu, epsilon: c.epsilon)
    var width = c.stem
    var stages: [[Block]] = []
    for (stage, (count, channels)) in zip(c.layers, c.channels).enumerated() {
      var blocks: [Block] = []
      for index in 0..<count {
        blocks.append(
          try Block(
            w["layer\(stage + 1).\(index)"], c, width, channels,
            stride: stage > 0 && index == 0 ? 2 : 1))
        width = channels * c.block.expansion
      }
      stages.append(blocks)
    }
    self.stages = stages
    head = c.classes > 0 ? try Linear(w["fc"], width, c.classes) : nil
  }

  /// Images through the network, each activation shown to the tap.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    var x = tap("input", images, as: .map)  // [b, 3, h, w]
    x = stem(x, tap)  // [b, 64, h / 2, w / 2]
    // [b, 64, h / 4, w / 4]
    x = tap.through("maxpool", x, .pooling) { $0.maxPooled(3, stride: 2, padding: 1) }
    for (stage, blocks) in stages.enumerated() {
      for (index, block) in blocks.enumerated() {
        if tap.isSatisfied { return x }
        let name = "layer\(stage + 1).\(index)"
        x = tap.block(name, block(x, tap[name]))
      }
      x = tap("layer\(stage + 1)", x)
    }
    if tap.isSatisfied { return x }
    x = tap("global_pool", x.mean(over: [2, 3]))  // [b, d]
    return head.map { tap("fc", $0(x)) } ?? x
  }

  /// The nonlinearity of a shortcut and a branch of convolutions.
  struct Block: Sendable {
    /// All convolutions but the last.
    let inner: [ConvolutionNorm]
    let last: ConvolutionNorm
    let downsample: ConvolutionNorm?

    init(_ w: Weights, _ c: Configuration, _ inputs: Int, _ channels: Int, stride: Int) throws {
      func convolution(
        _ index: Int, _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, groups: Int = 1
      ) throws -> ConvolutionNorm {
        try ConvolutionNorm(
          w, .init(convolution: "conv\(index)", norm: "bn\(index)", activation: "act\(index)"),
          inputs, outputs, kernel: kernel, stride: stride, groups: groups,
          activation: .relu, epsilon: c.epsilon)
      }
      let outputs = channels * c.block.expansion
      switch c.block {
      case .basic:
        inner = [try convolution(1, inputs, channels, kernel: 3, stride: stride)]
        last = try convolution(2, channels, outputs, kernel: 3)
      case .bottleneck:
        let middle = channels * c.groupWidth / 64 * c.groups
        inner = [
          try convolution(1, inputs, middle, kernel: 1),
          try convolution(2, middle, middle, kernel: 3, stride: stride, groups: c.groups),
        ]
        last = try convolution(3, middle, outputs, kernel: 1)
      }
      downsample =
        stride == 1 && inputs == outputs
        ? nil
        : try ConvolutionNorm(
          w, .init(convolution: "downsample.0", norm: "downsample.1"), inputs, outputs, kernel: 1,
          stride: stride, activation: .none, epsilon: c.epsilon)
    }

    func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
      var y = x
      for convolution in inner { y = convolution(y, tap) }
      return last(y, tap) { downsample.map { tap("downsample", $0(x, tap)) } ?? x }
    }
  }
}
