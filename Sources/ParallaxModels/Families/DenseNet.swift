import ParallaxTensors

/// DenseNet-BC: every layer gets the outputs of all layers before it in its block, joined.
///
/// A block here, the unit of depth, is one dense layer, as in timm: its site shows the channels that it adds. What the next
/// layer sees is all of them together, which is the site of the whole (`features.denseblock1`) at its end.
///
/// > Source: Huang et al., 2017, arXiv 1608.06993, Table 1.
public struct DenseNet: Model {
  /// What distinguishes one DenseNet from another.
  public struct Configuration: Sendable, Codable, Hashable {
    /// Channels that each layer adds.
    public var growth: Int
    /// Layers a block.
    public var layers: [Int]
    /// The width inside a layer over its growth.
    public var bottleneck = 4
    /// Outputs of the classifier; 0 for none.
    public var classes = 1000
    /// Added to variances.
    public var epsilon = 1e-5

    /// A network of that growth and so many layers a block.
    public init(growth: Int = 32, _ layers: [Int]) {
      (self.growth, self.layers) = (growth, layers)
    }

    /// DenseNet-121.
    public static let densenet121 = Configuration([6, 12, 24, 16])
    /// DenseNet-161.
    public static let densenet161 = Configuration(growth: 48, [6, 12, 36, 24])
    /// DenseNet-169.
    public static let densenet169 = Configuration([6, 12, 32, 32])
    /// DenseNet-201.
    public static let densenet201 = Configuration([6, 12, 48, 32])
  }

  /// The variant.
  public let configuration: Configuration
  let stem: ConvolutionNorm
  let stages: [Stage]
  let norm: BatchNorm
  let head: Linear?

  /// The transitions' means round down: five halvings need a pixel left of each.
  public var minimumImageSize: Int { 2 << configuration.layers.count }

  /// A DenseNet with the parameters of a checkpoint.
  ///
  /// - Throws: `ModelError` where a parameter is missing or misshapen.
  public init(_ c: Configuration, _ w: Weights) throws {
    configuration = c
    let inside = w["features"]
    var width = 2 * c.growth
    stem = try ConvolutionNorm(
      inside, .init(convolution: "conv0", norm: "norm0"), 3, width, kernel: 7, stride: 2,
      activation: .relu, epsilon: c.epsilon)
    var stages: [Stage] = []
    for (index, count) in c.layers.enumerated() {
      stages.append(
        try Stage(inside, c, index + 1, layers: count, width, isLast: index == c.layers.count - 1))
      width = stages[index].outputs
    }
    self.stages = stages
    norm = try BatchNorm(inside["norm5"], width, epsilon: c.epsilon)
    head = c.classes > 0 ? try Linear(w["classifier"], width, c.classes) : nil
  }

  /// Images through the network, each activation shown to the tap.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    var x = tap("input", images, as: .map)  // [b, 3, h, w]
    let inside = tap["features"]
    x = stem(x, inside)  // [b, 64, h / 2, w / 2]
    // [b, 64, h / 4, w / 4]
    x = inside.through("pool0", x, .pooling) { $0.maxPooled(3, stride: 2, padding: 1) }
    for stage in stages {
      if tap.isSatisfied { return x }
      x = stage(x, inside)
    }
    if tap.isSatisfied { return x }
    x = tap("features", inside("norm5", inside.applied("norm5", x, .norm) { norm($0) }.relu()))
    x = tap("global_pool", x.mean(over: [2, 3]))  // [b, 1024]
    return head.map { tap("classifier", $0(x)) } ?? x
  }

  /// A block of dense layers, and a transition that halves width and map.
  struct Stage: Sendable {
    let number: Int
    let layers: [Layer]
    let transition: Transition?
    let outputs: Int

    init(
      _ w: Weights, _ c: Configuration, _ number: Int, layers count: Int, _ inputs: Int,
      isLast: Bool
    ) throws {
      self.number = number
      layers = try (0..<count).map { index in
        try Layer(
          w["denseblock\(number).denselayer\(index + 1)"], c, inputs + index * c.growth)
      }
      let width = inputs + count * c.growth
      transition = isLast ? nil : try Transition(w["transition\(number)"], c, width)
      outputs = isLast ? width : width / 2
    }

    func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
      let name = "denseblock\(number)"
      var x = x
      for (index, layer) in layers.enumerated() {
        if tap.isSatisfied { return x }
        let site = "\(name).denselayer\(index + 1)"
        x = Tensor.concatenated([x, tap.block(site, layer(x, tap[site]))], 1)
      }
      x = tap(name, x)
      return transition.map { tap("transition\(number)", $0(x, tap["transition\(number)"])) } ?? x
    }
  }

  /// 1×1 to four times the growth and 3×3 to the growth, each after a norm and ReLU.
  struct Layer: Sendable {
    let norm: BatchNorm
    let inner: ConvolutionNorm
    let last: ConvolutionNorm

    init(_ w: Weights, _ c: Configuration, _ inputs: Int) throws {
      let middle = c.bottleneck * c.growth
      norm = try BatchNorm(w["norm1"], inputs, epsilon: c.epsilon)
      inner = try ConvolutionNorm(
        w, .init(convolution: "conv1", norm: "norm2"), inputs, middle, kernel: 1,
        activation: .relu, epsilon: c.epsilon)
      last = try ConvolutionNorm(
        w, .init(convolution: "conv2"), middle, c.growth, kernel: 3, activation: .none,
        epsilon: c.epsilon)
    }

    func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
      last(inner(tap("norm1", tap.applied("norm1", x, .norm) { norm($0) }.relu()), tap), tap)
    }
  }

  /// A norm, ReLU, 1×1 to half the width, and a mean over 2×2.
  struct Transition: Sendable {
    let norm: BatchNorm
    let convolution: ConvolutionNorm

    init(_ w: Weights, _ c: Configuration, _ width: Int) throws {
      norm = try BatchNorm(w["norm"], width, epsilon: c.epsilon)
      convolution = try ConvolutionNorm(
        w, .init(convolution: "conv"), width, width / 2, kernel: 1, activation: .none,
        epsilon: c.epsilon)
    }

    func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
      let y = convolution(tap("norm", tap.applied("norm", x, .norm) { norm($0) }.relu()), tap)
      return tap.through("pool", y, .pooling) { $0.averagePooled(window: 2, stride: 2) }
    }
  }

  /// A checkpoint whose names are those of the first torchvision, with a dot in `norm.1` and `conv.2`.
  public static func recognised(
    _ source: any WeightSource, _ c: Configuration
  ) -> any WeightSource {
    var modules: [String: String] = [:]
    for (index, count) in c.layers.enumerated() {
      for layer in 0..<count {
        let path = "features.denseblock\(index + 1).denselayer\(layer + 1)"
        for part in ["norm", "conv"] {
          for number in 1...2 { modules["\(path).\(part).\(number)"] = "\(path).\(part)\(number)" }
        }
      }
    }
    let mark = "features.denseblock1.denselayer1.norm.1.weight"
    return source.shape(mark) == nil ? source : RenamedWeights(source, modules: modules)
  }
}
