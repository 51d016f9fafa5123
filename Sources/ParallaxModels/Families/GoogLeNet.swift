import ParallaxTensors

/// GoogLeNet, the first Inception, with batch norm, under torchvision's names.
///
/// As torchvision has it: the branch that is 5×5 in the paper is 3×3. A block, the unit of depth, is an Inception module or
/// a convolution of the stem. timm has no such network.
///
/// > Source: Szegedy et al., 2015, arXiv 1409.4842, Table 1; batch norm of Ioffe and Szegedy, 2015, arXiv 1502.03167.
public struct GoogLeNet: Model {
  /// A module of four branches: the widths of the paper's table.
  public struct Stage: Sendable, Codable, Hashable {
    /// `3a` of `inception3a`.
    public var name: String
    /// 1×1.
    public var ones: Int
    /// 1×1 and 3×3 after it.
    public var threes: [Int]
    /// 1×1 and what is 5×5 in the paper.
    public var fives: [Int]
    /// 1×1 after the maximum.
    public var pool: Int

    /// A module, in the order of the paper's table.
    public init(_ name: String, _ ones: Int, _ threes: [Int], _ fives: [Int], _ pool: Int) {
      (self.name, self.ones, self.threes) = (name, ones, threes)
      (self.fives, self.pool) = (fives, pool)
    }
  }

  /// What distinguishes one GoogLeNet from another.
  public struct Configuration: Sendable, Codable, Hashable {
    /// The modules; before the first whose name begins with 4 or 5 the map is halved.
    public var stages = [
      Stage("3a", 64, [96, 128], [16, 32], 32), Stage("3b", 128, [128, 192], [32, 96], 64),
      Stage("4a", 192, [96, 208], [16, 48], 64), Stage("4b", 160, [112, 224], [24, 64], 64),
      Stage("4c", 128, [128, 256], [24, 64], 64), Stage("4d", 112, [144, 288], [32, 64], 64),
      Stage("4e", 256, [160, 320], [32, 128], 128),
      Stage("5a", 256, [160, 320], [32, 128], 128), Stage("5b", 384, [192, 384], [48, 128], 128),
    ]
    /// The widths of the stem's convolutions.
    public var stem = [64, 64, 192]
    /// Outputs of the classifier; 0 for none.
    public var classes = 1000
    /// Added to variances.
    public var epsilon = 1e-3

    /// The paper's network.
    public init() {}
  }

  /// The variant.
  public let configuration: Configuration
  let stem: [ConvolutionNorm]
  let blocks: [Inception]
  let head: Linear?

  /// Five halvings, each rounded up.
  public var minimumImageSize: Int { 15 }

  /// A GoogLeNet with the parameters of a checkpoint.
  ///
  /// - Throws: `ModelError` where a parameter is missing or misshapen.
  public init(_ c: Configuration, _ w: Weights) throws {
    configuration = c
    var width = 3
    var stem: [ConvolutionNorm] = []
    for (index, (outputs, kernel)) in zip(c.stem, [7, 1, 3]).enumerated() {
      stem.append(
        try Self.convolution(
          w, "conv\(index + 1)", width, outputs, kernel: kernel, stride: index == 0 ? 2 : 1, c))
      width = outputs
    }
    self.stem = stem
    var blocks: [Inception] = []
    for stage in c.stages {
      blocks.append(try Inception(w["inception\(stage.name)"], c, stage, width))
      width = stage.ones + (stage.threes.last ?? 0) + (stage.fives.last ?? 0) + stage.pool
    }
    self.blocks = blocks
    head = c.classes > 0 ? try Linear(w["fc"], width, c.classes) : nil
  }

  /// Images through the network, each activation shown to the tap.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    var x = tap("input", images, as: .map)  // [b, 3, h, w]
    for (index, convolution) in stem.enumerated() {
      if tap.isSatisfied { return x }
      x = convolution(x, tap, isBlock: true)
      if index == 0 { x = tap("maxpool1", x.maxPooled(3, stride: 2, roundingUp: true)) }
    }
    x = tap("maxpool2", x.maxPooled(3, stride: 2, roundingUp: true))  // [b, 192, h / 8, w / 8]
    var group: Character = "3"
    for (stage, block) in zip(configuration.stages, blocks) {
      if tap.isSatisfied { return x }
      if let next = stage.name.first, next != group {
        // The paper's 3×3 is 2×2 before the fifth group.
        x = tap("maxpool\(group)", x.maxPooled(next == "4" ? 3 : 2, stride: 2, roundingUp: true))
        group = next
      }
      x = tap.block("inception\(stage.name)", block(x, tap["inception\(stage.name)"]))
    }
    if tap.isSatisfied { return x }
    x = tap("avgpool", x.mean(over: [2, 3], keeping: true))  // [b, 1024, 1, 1]
    x = x.reshaped(x.shape[0], -1)
    return head.map { tap("fc", $0(x)) } ?? x
  }

  /// A convolution without a bias, its norm and ReLU; what comes out is the module's own site.
  fileprivate static func convolution(
    _ w: Weights, _ name: String, _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1,
    _ c: Configuration
  ) throws -> ConvolutionNorm {
    try ConvolutionNorm(
      w, .init(convolution: "\(name).conv", norm: "\(name).bn", activation: name), inputs, outputs,
      kernel: kernel, stride: stride, activation: .relu, epsilon: c.epsilon)
  }

  /// Four branches side by side.
  struct Inception: Sendable {
    let ones: ConvolutionNorm
    let threes: [ConvolutionNorm]
    let fives: [ConvolutionNorm]
    let pool: ConvolutionNorm

    init(_ w: Weights, _ c: Configuration, _ stage: Stage, _ inputs: Int) throws {
      func pair(_ name: String, _ widths: [Int]) throws -> [ConvolutionNorm] {
        var made: [ConvolutionNorm] = []
        var width = inputs
        for (index, outputs) in widths.enumerated() {
          made.append(
            try GoogLeNet.convolution(
              w, "\(name).\(index)", width, outputs, kernel: index == 0 ? 1 : 3, c))
          width = outputs
        }
        return made
      }
      ones = try GoogLeNet.convolution(w, "branch1", inputs, stage.ones, kernel: 1, c)
      threes = try pair("branch2", stage.threes)
      fives = try pair("branch3", stage.fives)
      pool = try GoogLeNet.convolution(w, "branch4.1", inputs, stage.pool, kernel: 1, c)
    }

    func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
      let one = ones(x, tap)
      let three = tap("branch2", threes.reduce(x) { $1($0, tap) })
      let five = tap("branch3", fives.reduce(x) { $1($0, tap) })
      let largest = tap("branch4.0", x.maxPooled(3, stride: 1, padding: 1, roundingUp: true))
      return Tensor.concatenated([one, three, five, tap("branch4", pool(largest, tap))], 1)
    }
  }

  /// A checkpoint without the auxiliary classifiers, which are for training alone.
  public static func recognised(_ source: any WeightSource) -> any WeightSource {
    RenamedWeights(
      source, modules: [:], dropping: { $0.hasPrefix("aux1.") || $0.hasPrefix("aux2.") })
  }
}
