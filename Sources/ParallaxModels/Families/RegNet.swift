import ParallaxTensors

/// RegNet: bottlenecks of one width with groups, whose widths and depths follow a line; RegNetY with squeeze-and-excitation.
///
/// > Source: Radosavovic et al., 2020, arXiv 2003.13678, Figures 15 and 16.
public struct RegNet: Model {
  /// What distinguishes one RegNet from another.
  public struct Configuration: Sendable, Codable, Hashable {
    /// Blocks a stage.
    public var depths: [Int]
    /// The width of each stage.
    public var widths: [Int]
    /// The width of a group in each stage.
    public var groupWidths: [Int]
    /// Whether blocks have squeeze-and-excitation, a quarter as wide as the block's input: RegNetY.
    public var squeeze = false
    /// The width of the first convolution.
    public var stem = 32
    /// Outputs of the classifier; 0 for none.
    public var classes = 1000
    /// Added to variances.
    public var epsilon = 1e-5

    /// A network of so many blocks of those widths in groups of those widths.
    public init(_ depths: [Int], _ widths: [Int], groupWidths: [Int], squeeze: Bool = false) {
      (self.depths, self.widths) = (depths, widths)
      (self.groupWidths, self.squeeze) = (groupWidths, squeeze)
    }
  }

  /// The variant.
  public let configuration: Configuration
  let stem: ConvolutionNorm
  let stages: [[Block]]
  let head: Linear?

  /// A RegNet with the parameters of a checkpoint.
  ///
  /// - Throws: `ModelError` where a parameter is missing or misshapen.
  public init(_ c: Configuration, _ w: Weights) throws {
    configuration = c
    stem = try ConvolutionNorm(
      w, .init(convolution: "stem.conv", norm: "stem.bn"), 3, c.stem, kernel: 3, stride: 2,
      activation: .relu, epsilon: c.epsilon)
    var width = c.stem
    var stages: [[Block]] = []
    for (stage, depth) in c.depths.enumerated() {
      var blocks: [Block] = []
      for index in 0..<depth {
        blocks.append(
          try Block(
            w["s\(stage + 1).b\(index + 1)"], c, width, c.widths[stage],
            groupWidth: c.groupWidths[stage], stride: index == 0 ? 2 : 1))
        width = c.widths[stage]
      }
      stages.append(blocks)
    }
    self.stages = stages
    head = c.classes > 0 ? try Linear(w["head.fc"], width, c.classes) : nil
  }

  /// Images through the network, each activation shown to the tap.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    var x = tap("input", images, as: .map)  // [b, 3, h, w]
    x = tap("stem", stem(x, tap))  // [b, 32, h / 2, w / 2]
    for (stage, blocks) in stages.enumerated() {
      for (index, block) in blocks.enumerated() {
        if tap.isSatisfied { return x }
        let name = "s\(stage + 1).b\(index + 1)"
        x = tap.block(name, block(x, tap[name]))
      }
      x = tap("s\(stage + 1)", x)
    }
    if tap.isSatisfied { return x }
    x = tap("head.global_pool", x.mean(over: [2, 3]))  // [b, d]
    return head.map { tap("head.fc", $0(x)) } ?? x
  }

  /// 1×1, 3×3 in groups, 1×1, all of one width, and a shortcut.
  struct Block: Sendable {
    let first: ConvolutionNorm
    let second: ConvolutionNorm
    let squeeze: SqueezeExcite?
    let last: ConvolutionNorm
    let downsample: ConvolutionNorm?

    init(
      _ w: Weights, _ c: Configuration, _ inputs: Int, _ outputs: Int, groupWidth: Int, stride: Int
    ) throws {
      func convolution(
        _ name: String, _ inputs: Int, kernel: Int = 1, stride: Int = 1, groups: Int = 1,
        activation: String? = nil, isLinear: Bool = false
      ) throws -> ConvolutionNorm {
        try ConvolutionNorm(
          w, .init(convolution: "\(name).conv", norm: "\(name).bn", activation: activation),
          inputs, outputs, kernel: kernel, stride: stride, groups: groups,
          activation: isLinear ? .none : .relu, epsilon: c.epsilon)
      }
      first = try convolution("conv1", inputs)
      second = try convolution(
        "conv2", outputs, kernel: 3, stride: stride, groups: outputs / groupWidth)
      let inner = Int((Double(inputs) * 0.25).rounded(.toNearestOrEven))
      squeeze =
        c.squeeze
        ? try SqueezeExcite(
          w["se"], .init(reduce: "fc1", activation: "act", expand: "fc2", gate: "gate"), outputs,
          inner, activation: .relu) : nil
      last = try convolution("conv3", outputs, activation: "act3")
      downsample =
        stride == 1 && inputs == outputs
        ? nil : try convolution("downsample", inputs, stride: stride, isLinear: true)
    }

    func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
      var y = second(first(x, tap), tap)
      if let squeeze { y = tap("se", squeeze(y, tap["se"])) }
      return last(y, tap) { downsample.map { tap("downsample", $0(x, tap)) } ?? x }
    }
  }

  /// A checkpoint under timm's names, where it has torchvision's (`trunk_output.block1.block1-0.f.a.0`).
  public static func recognised(
    _ source: any WeightSource, _ c: Configuration
  ) -> any WeightSource {
    guard source.shape("trunk_output.block1.block1-0.f.a.0.weight") != nil else { return source }
    var modules = ["stem.0": "stem.conv", "stem.1": "stem.bn", "fc": "head.fc"]
    for (stage, depth) in c.depths.enumerated() {
      for index in 0..<depth {
        let theirs = "trunk_output.block\(stage + 1).block\(stage + 1)-\(index)"
        let ours = "s\(stage + 1).b\(index + 1)"
        for (their, our) in [
          ("proj", "downsample"), ("f.a", "conv1"), ("f.b", "conv2"), ("f.c", "conv3"),
        ] {
          modules["\(theirs).\(their).0"] = "\(ours).\(our).conv"
          modules["\(theirs).\(their).1"] = "\(ours).\(our).bn"
        }
        for part in ["fc1", "fc2"] { modules["\(theirs).f.se.\(part)"] = "\(ours).se.\(part)" }
      }
    }
    return RenamedWeights(source, modules: modules)
  }
}
