import ParallaxTensors

/// MobileNetV2, timm's `mobilenetv2_100`.
///
/// > Source: Sandler et al., 2018, arXiv 1801.04381, Table 2.
public struct MobileNetV2: Model {
  /// What distinguishes one MobileNetV2 from another.
  public struct Configuration: Sendable, Codable, Hashable {
    /// The stages.
    public var stages = [
      InvertedStage(1, stride: 1, expansion: 1, channels: 16),
      InvertedStage(2, stride: 2, expansion: 6, channels: 24),
      InvertedStage(3, stride: 2, expansion: 6, channels: 32),
      InvertedStage(4, stride: 2, expansion: 6, channels: 64),
      InvertedStage(3, stride: 1, expansion: 6, channels: 96),
      InvertedStage(3, stride: 2, expansion: 6, channels: 160),
      InvertedStage(1, stride: 1, expansion: 6, channels: 320),
    ]
    /// The width of the first convolution.
    public var stem = 32
    /// The width of the last.
    public var head = 1280
    /// Outputs of the classifier; 0 for none: the output is then the pooled features.
    public var classes = 1000
    /// Widths inside blocks are multiples of this: of 8 in timm, of 1 in torchvision, which is the same at width 1.0.
    public var divisor = 8
    /// Added to variances.
    public var epsilon = 1e-5

    /// The plain network, of width 1.0.
    public init() {}

    /// MobileNetV2 1.0.
    public static let standard = Configuration()
    /// MobileNetV2 1.0 without its classifier.
    public static let headless: Configuration = {
      var c = Configuration()
      c.classes = 0
      return c
    }()
  }

  /// The variant.
  public let configuration: Configuration
  let network: InvertedNetwork

  /// A MobileNetV2 with the parameters of a checkpoint.
  ///
  /// - Throws: `ModelError` where a parameter is missing or misshapen.
  public init(_ c: Configuration, _ w: Weights) throws {
    configuration = c
    network = try InvertedNetwork(
      w, stem: c.stem, c.stages, head: c.head, classes: c.classes,
      InvertedStyle(divisor: c.divisor, padding: .symmetric, epsilon: c.epsilon))
  }

  /// Images through the network, each activation shown to the tap.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor { network(images, tap) }

  /// A checkpoint under timm's names, where it has torchvision's (`features.3.conv.1.0`), or those of
  /// torchvision's first version, which has no groups within a block (`features.3.conv.3`).
  public static func recognised(
    _ source: any WeightSource, _ c: Configuration
  ) -> any WeightSource {
    guard source.shape("features.0.0.weight") != nil else { return source }
    let last = c.stages.map(\.repeats).reduce(0, +) + 1
    var modules = [
      "features.0.0": "conv_stem", "features.0.1": "bn1", "features.\(last).0": "conv_head",
      "features.\(last).1": "bn2", "classifier.1": "classifier",
    ]
    var count = 1
    for (index, stage) in c.stages.enumerated() {
      let ours =
        stage.expansion == 1
        ? ["conv_dw", "bn1", "conv_pw", "bn2"]
        : ["conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"]
      for block in 0..<stage.repeats {
        let their = "features.\(count).conv"
        // The last pair has no nonlinearity, and so is never a group.
        let isGrouped = source.shape("\(their).0.0.weight") != nil
        for (place, name) in ours.enumerated() {
          let pair = place / 2
          let isLast = pair == ours.count / 2 - 1
          let theirs =
            isGrouped
            ? (isLast ? "\(pair + place % 2)" : "\(pair).\(place % 2)") : "\(3 * pair + place % 2)"
          modules["\(their).\(theirs)"] = "blocks.\(index).\(block).\(name)"
        }
        count += 1
      }
    }
    return RenamedWeights(source, modules: modules)
  }
}
