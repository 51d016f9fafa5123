import ParallaxTensors

/// VGG: 3×3 convolutions one after another, and max pooling between groups of them.
///
/// A block, the unit of depth, is a convolution with its nonlinearity: the sites of the ReLUs are the blocks. As in timm
/// the first two linear layers are convolutions of 7×7 and 1×1 over the last map, and the mean over positions is
/// taken after them; at the paper's 224 pixels that is the paper's network, and torchvision's.
///
/// > Source: Simonyan and Zisserman, 2014, arXiv 1409.1556, Table 1.
public struct VGG: Model {
  /// What distinguishes one VGG from another.
  public struct Configuration: Sendable, Codable, Hashable {
    /// The widths of the convolutions, a list for each group between two poolings.
    public var groups: [[Int]]
    /// Whether every convolution has a batch norm.
    public var batchNorm = false
    /// The width of the two layers before the classifier.
    public var hidden = 4096
    /// The side of the map that the first of them covers.
    public var side = 7
    /// Outputs of the classifier; 0 for none.
    public var classes = 1000
    /// Added to variances.
    public var epsilon = 1e-5

    /// A network of those widths.
    public init(_ groups: [[Int]]) { self.groups = groups }

    /// The paper's network of so many convolutions a group.
    init(convolutions: [Int]) {
      self.init(
        zip(convolutions, [64, 128, 256, 512, 512]).map { Array(repeating: $1, count: $0) })
    }

    /// VGG-11, the paper's A.
    public static let vgg11 = Configuration(convolutions: [1, 1, 2, 2, 2])
    /// VGG-13, the paper's B.
    public static let vgg13 = Configuration(convolutions: [2, 2, 2, 2, 2])
    /// VGG-16, the paper's D.
    public static let vgg16 = Configuration(convolutions: [2, 2, 3, 3, 3])
    /// VGG-19, the paper's E.
    public static let vgg19 = Configuration(convolutions: [2, 2, 4, 4, 4])
  }

  /// A module of the list `features`.
  enum Step: Sendable {
    case convolution(ConvolutionNorm)
    case pool(site: String)
  }

  /// The variant.
  public let configuration: Configuration
  let steps: [Step]
  let first: ConvolutionNorm
  let second: ConvolutionNorm
  let head: Linear?

  /// Each pooling halves the map.
  public var minimumImageSize: Int { 1 << configuration.groups.count }

  /// A VGG with the parameters of a checkpoint.
  ///
  /// - Throws: `ModelError` where a parameter is missing or misshapen.
  public init(_ c: Configuration, _ w: Weights) throws {
    configuration = c
    var steps: [Step] = []
    var (place, width) = (0, 3)
    for group in c.groups {
      for outputs in group {
        let end = place + (c.batchNorm ? 2 : 1)
        let names = ConvolutionNorm.Names(
          convolution: "features.\(place)", norm: c.batchNorm ? "features.\(place + 1)" : nil,
          activation: "features.\(end)")
        steps.append(
          .convolution(
            try ConvolutionNorm(
              w, names, width, outputs, kernel: 3, bias: true, activation: .relu,
              epsilon: c.epsilon)))
        (place, width) = (end + 1, outputs)
      }
      steps.append(.pool(site: "features.\(place)"))
      place += 1
    }
    self.steps = steps
    func layer(_ index: Int, _ inputs: Int, kernel: Int) throws -> ConvolutionNorm {
      let names = ConvolutionNorm.Names(convolution: "fc\(index)", activation: "act\(index)")
      return try ConvolutionNorm(
        w["pre_logits"], names, inputs, c.hidden, kernel: kernel, padding: .valid, bias: true,
        activation: .relu, epsilon: c.epsilon)
    }
    first = try layer(1, width, kernel: c.side)
    second = try layer(2, c.hidden, kernel: 1)
    head = c.classes > 0 ? try Linear(w["head.fc"], c.hidden, c.classes) : nil
  }

  /// Images through the network, each activation shown to the tap.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    var x = tap("input", images, as: .map)  // [b, 3, h, w]
    for step in steps {
      if tap.isSatisfied { return x }
      switch step {
      case .convolution(let convolution): x = convolution(x, tap, isBlock: true)
      case .pool(let site): x = tap.through(site, x, .pooling) { $0.maxPooled(2, stride: 2) }
      }
    }
    if tap.isSatisfied { return x }
    x = second(first(enlarged(x), tap["pre_logits"]), tap["pre_logits"])  // [b, 4096, 1, 1]
    x = tap("head.global_pool", x.mean(over: [2, 3]))  // [b, 4096]
    return head.map { tap("head.fc", $0(x)) } ?? x
  }

  /// A map that is smaller than the first layer's window is spread over it, as timm does.
  private func enlarged(_ x: Tensor) -> Tensor {
    let side = configuration.side
    let (rows, columns) = (max(side, x.shape[2]), max(side, x.shape[3]))
    return [rows, columns] == Array(x.shape[2...]) ? x : x.averagePooled(to: rows, columns)
  }

  /// A checkpoint under timm's names, where it has torchvision's (`classifier.0`, linear layers).
  public static func recognised(
    _ source: any WeightSource, _ c: Configuration
  ) -> any WeightSource {
    guard source.shape("classifier.0.weight") != nil else { return source }
    return RenamedWeights(
      source,
      modules: [
        "classifier.0": "pre_logits.fc1", "classifier.3": "pre_logits.fc2",
        "classifier.6": "head.fc",
      ],
      parameters: [
        "pre_logits.fc1.weight": .convolution("classifier.0.weight", c.side, c.side),
        "pre_logits.fc2.weight": .convolution("classifier.3.weight"),
      ])
  }
}
