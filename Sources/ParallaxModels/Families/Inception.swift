import ParallaxTensors

/// Inception-v3: branches of convolutions side by side, and their outputs joined.
///
/// A block, the unit of depth, is such a module (`Mixed_5b`) or a convolution of the stem.
///
/// > Source: Szegedy et al., 2016, arXiv 1512.00567, Table 1 and Figures 5 to 7.
public struct InceptionV3: Model {
  /// What a module of branches is; in each the numbers that differ within the network.
  public enum Mixed: Sendable, Codable, Hashable {
    /// 1×1, 5×5 and two 3×3 beside a mean, on 35×35 (Figure 5).
    case a(pool: Int)
    /// From 35×35 to 17×17.
    case b
    /// 1×7 and 7×1 by turns, on 17×17 (Figure 6).
    case c(width: Int)
    /// From 17×17 to 8×8.
    case d
    /// 1×3 beside 3×1, on 8×8 (Figure 7).
    case e
  }

  /// A module by its name.
  public struct Stage: Sendable, Codable, Hashable {
    /// `Mixed_5b`.
    public var name: String
    /// What it is.
    public var kind: Mixed

    /// A module.
    public init(_ name: String, _ kind: Mixed) { (self.name, self.kind) = (name, kind) }
  }

  /// What distinguishes one Inception from another.
  public struct Configuration: Sendable, Codable, Hashable {
    /// The modules after the stem.
    public var stages = [
      Stage("Mixed_5b", .a(pool: 32)), Stage("Mixed_5c", .a(pool: 64)),
      Stage("Mixed_5d", .a(pool: 64)), Stage("Mixed_6a", .b), Stage("Mixed_6b", .c(width: 128)),
      Stage("Mixed_6c", .c(width: 160)), Stage("Mixed_6d", .c(width: 160)),
      Stage("Mixed_6e", .c(width: 192)), Stage("Mixed_7a", .d), Stage("Mixed_7b", .e),
      Stage("Mixed_7c", .e),
    ]
    /// What all widths are divided by.
    public var divisor = 1
    /// Outputs of the classifier; 0 for none.
    public var classes = 1000
    /// Added to variances.
    public var epsilon = 1e-3

    /// The paper's network.
    public init() {}
  }

  /// The variant.
  public let configuration: Configuration
  let stem: [Unit]
  let blocks: [(name: String, module: Branches)]
  let head: Linear?

  /// 8×8 positions come of 299 pixels, and one of 75.
  public var minimumImageSize: Int { 75 }

  /// An Inception-v3 with the parameters of a checkpoint.
  ///
  /// - Throws: `ModelError` where a parameter is missing or misshapen.
  public init(_ c: Configuration, _ w: Weights) throws {
    configuration = c
    var maker = Maker(c, w)
    stem = [
      try maker.unit("Conv2d_1a_3x3", 32, 3, stride: 2, padding: .valid),
      try maker.unit("Conv2d_2a_3x3", 32, 3, padding: .valid),
      try maker.unit("Conv2d_2b_3x3", 64, 3), .pool("Pool1"),
      try maker.unit("Conv2d_3b_1x1", 80, 1),
      try maker.unit("Conv2d_4a_3x3", 192, 3, padding: .valid), .pool("Pool2"),
    ]
    var blocks: [(name: String, module: Branches)] = []
    for stage in c.stages {
      blocks.append((stage.name, try maker.branches(stage)))
    }
    self.blocks = blocks
    head = c.classes > 0 ? try Linear(w["fc"], maker.width, c.classes) : nil
  }

  /// Images through the network, each activation shown to the tap.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    var x = tap("input", images, as: .map)  // [b, 3, 299, 299]
    for unit in stem {
      if tap.isSatisfied { return x }
      switch unit {
      case .pool(let name): x = tap(name, x.maxPooled(3, stride: 2))
      case .convolution(let name, let convolution):
        x = tap.block(name, convolution(x, tap[name]))
      }
    }
    // [b, 192, 35, 35]
    for (name, module) in blocks {
      if tap.isSatisfied { return x }
      x = tap.block(name, module(x, tap[name]))
    }
    if tap.isSatisfied { return x }
    x = tap("global_pool", x.mean(over: [2, 3]))  // [b, 2048]
    return head.map { tap("fc", $0(x)) } ?? x
  }

  /// A step of the stem.
  enum Unit: Sendable {
    case convolution(String, ConvolutionNorm)
    case pool(String)
  }

  /// A checkpoint without the auxiliary classifier, which is for training alone.
  public static func recognised(_ source: any WeightSource) -> any WeightSource {
    RenamedWeights(source, modules: [:], dropping: { $0.hasPrefix("AuxLogits.") })
  }
}

extension InceptionV3 {
  /// Branches side by side, in the order in which their outputs are joined.
  struct Branches: Sendable {
    let branches: [Branch]

    func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
      Tensor.concatenated(branches.flatMap { $0(x, tap) }, 1)
    }
  }

  /// What a branch does before its convolutions.
  enum Pooling: Sendable {
    case none
    /// The mean over 3×3.
    case mean
    /// The maximum over 3×3 with stride 2.
    case maximum
  }

  /// Convolutions one after another; at the end there may be two side by side.
  struct Branch: Sendable {
    let pooling: Pooling
    let steps: [(name: String, convolution: ConvolutionNorm)]
    let ends: [(name: String, convolution: ConvolutionNorm)]

    func callAsFunction(_ x: Tensor, _ tap: Tap) -> [Tensor] {
      var x = x
      switch pooling {
      case .none: break
      case .mean: x = x.averagePooled(window: 3, stride: 1, padding: 1)
      case .maximum: x = x.maxPooled(3, stride: 2)
      }
      for (name, convolution) in steps { x = tap(name, convolution(x, tap[name])) }
      return ends.isEmpty ? [x] : ends.map { tap($0.name, $0.convolution(x, tap[$0.name])) }
    }
  }
}
