import ParallaxTensors

/// EfficientNet-Lite: EfficientNet without squeeze-and-excitation, with ReLU6, in TensorFlow's padding.
///
/// timm's `tf_efficientnet_liteN`. Stem and head keep their width in all sizes, and the first and last stages
/// their number of blocks.
///
/// > Source: Tan and Le, 2019, arXiv 1905.11946, Table 1; the Lite variants are TensorFlow's.
public struct EfficientNet: Model {
  /// What distinguishes one EfficientNet-Lite from another.
  public struct Configuration: Sendable, Codable, Hashable {
    /// The stages.
    public var stages: [InvertedStage]
    /// The width of the first convolution.
    public var stem = 32
    /// The width of the last.
    public var head = 1280
    /// Outputs of the classifier; 0 for none.
    public var classes = 1000
    /// Added to variances.
    public var epsilon = 1e-3

    /// A network of these stages.
    public init(stages: [InvertedStage]) { self.stages = stages }

    /// The Lite network with widths and numbers of blocks multiplied.
    public static func scaled(width: Double, depth: Double) -> Configuration {
      let base = [
        InvertedStage(1, kernel: 3, stride: 1, expansion: 1, channels: 16),
        InvertedStage(2, kernel: 3, stride: 2, expansion: 6, channels: 24),
        InvertedStage(2, kernel: 5, stride: 2, expansion: 6, channels: 40),
        InvertedStage(3, kernel: 3, stride: 2, expansion: 6, channels: 80),
        InvertedStage(3, kernel: 5, stride: 1, expansion: 6, channels: 112),
        InvertedStage(4, kernel: 5, stride: 2, expansion: 6, channels: 192),
        InvertedStage(1, kernel: 3, stride: 1, expansion: 6, channels: 320),
      ]
      return Configuration(
        stages: base.enumerated().map { index, stage in
          var stage = stage
          stage.channels = InvertedStage.rounded(Double(stage.channels) * width)
          if index > 0, index < base.count - 1 {
            stage.repeats = Int((Double(stage.repeats) * depth).rounded(.up))
          }
          return stage
        })
    }

    /// EfficientNet-Lite0, for images of 224 pixels.
    public static let lite0 = scaled(width: 1, depth: 1)
    /// EfficientNet-Lite1, 240 pixels.
    public static let lite1 = scaled(width: 1, depth: 1.1)
    /// EfficientNet-Lite2, 260 pixels.
    public static let lite2 = scaled(width: 1.1, depth: 1.2)
    /// EfficientNet-Lite3, 300 pixels.
    public static let lite3 = scaled(width: 1.2, depth: 1.4)
    /// EfficientNet-Lite4, 380 pixels.
    public static let lite4 = scaled(width: 1.4, depth: 1.8)
  }

  /// The variant.
  public let configuration: Configuration
  let network: InvertedNetwork

  /// An EfficientNet-Lite with the parameters of a checkpoint.
  ///
  /// - Throws: `ModelError` where a parameter is missing or misshapen.
  public init(_ c: Configuration, _ w: Weights) throws {
    configuration = c
    network = try InvertedNetwork(
      w, stem: c.stem, c.stages, head: c.head, classes: c.classes, padding: .same,
      epsilon: c.epsilon)
  }

  /// Images through the network, each activation shown to the tap.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor { network(images, tap) }

  /// A checkpoint under timm's names, where it has those of the package efficientnet-lite-pytorch
  /// (`_conv_stem`, `_blocks.3._expand_conv`), which counts blocks through all stages.
  public static func recognised(
    _ source: any WeightSource, _ c: Configuration
  ) -> any WeightSource {
    guard source.shape("_conv_stem.weight") != nil else { return source }
    var modules = [
      "_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2",
      "_fc": "classifier",
    ]
    var count = 0
    for (index, stage) in c.stages.enumerated() {
      let parts =
        stage.expansion == 1
        ? [
          "_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2",
        ]
        : [
          "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
          "_project_conv": "conv_pwl", "_bn2": "bn3",
        ]
      for block in 0..<stage.repeats {
        for (theirs, ours) in parts {
          modules["_blocks.\(count).\(theirs)"] = "blocks.\(index).\(block).\(ours)"
        }
        count += 1
      }
    }
    return RenamedWeights(source, modules: modules)
  }
}
