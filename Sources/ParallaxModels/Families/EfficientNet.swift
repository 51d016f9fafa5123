import ParallaxTensors

/// EfficientNet: inverted residuals with squeeze-and-excitation, width and depth scaled together; and its Lite variants,
/// without squeeze-and-excitation and with ReLU6.
///
/// timm's `efficientnet_bN` pads alike at every side, `tf_efficientnet_bN` and `tf_efficientnet_liteN` as TensorFlow does.
/// In Lite stem and head keep their width in all sizes, and the first and last stages their number of blocks.
///
/// > Source: Tan and Le, 2019, arXiv 1905.11946, Table 1; the Lite variants are TensorFlow's.
public struct EfficientNet: Model {
  /// What distinguishes one EfficientNet from another.
  public struct Configuration: Sendable, Codable, Hashable {
    /// The stages.
    public var stages: [InvertedStage]
    /// The width of the first convolution.
    public var stem = 32
    /// The width of the last.
    public var head = 1280
    /// Outputs of the classifier; 0 for none.
    public var classes = 1000
    /// Whether it is a Lite variant: ReLU6 for SiLU, and no squeeze-and-excitation.
    public var isLite = true
    /// Whether zeros are put around maps as TensorFlow does, which is not alike at every side.
    public var samePadding = true
    /// Added to variances.
    public var epsilon = 1e-3

    /// A Lite network of these stages.
    public init(stages: [InvertedStage]) { self.stages = stages }

    /// The Lite network with widths and numbers of blocks multiplied.
    public static func scaled(width: Double, depth: Double) -> Configuration {
      scaled(width: width, depth: depth, isLite: true)
    }

    /// B0 to B7 with TensorFlow's padding; the paper's Table 1 and its coefficients.
    ///
    /// - Precondition: `number` is from 0 to 7.
    public static func tensorFlow(_ number: Int) -> Configuration {
      let width = [1, 1, 1.1, 1.2, 1.4, 1.6, 1.8, 2][number]
      let depth = [1, 1.1, 1.2, 1.4, 1.8, 2.2, 2.6, 3.1][number]
      var c = scaled(width: width, depth: depth, isLite: false)
      c.stem = InvertedStage.rounded(32 * width)
      c.head = InvertedStage.rounded(1280 * width)
      return c
    }

    /// B0 to B7 padded alike at every side.
    ///
    /// - Precondition: `number` is from 0 to 7.
    public static func symmetric(_ number: Int) -> Configuration {
      var c = tensorFlow(number)
      (c.samePadding, c.epsilon) = (false, 1e-5)
      return c
    }

    private static func scaled(width: Double, depth: Double, isLite: Bool) -> Configuration {
      let base = [
        InvertedStage(1, kernel: 3, stride: 1, expansion: 1, channels: 16),
        InvertedStage(2, kernel: 3, stride: 2, expansion: 6, channels: 24),
        InvertedStage(2, kernel: 5, stride: 2, expansion: 6, channels: 40),
        InvertedStage(3, kernel: 3, stride: 2, expansion: 6, channels: 80),
        InvertedStage(3, kernel: 5, stride: 1, expansion: 6, channels: 112),
        InvertedStage(4, kernel: 5, stride: 2, expansion: 6, channels: 192),
        InvertedStage(1, kernel: 3, stride: 1, expansion: 6, channels: 320),
      ]
      var c = Configuration(
        stages: base.enumerated().map { index, stage in
          var stage = stage
          stage.channels = InvertedStage.rounded(Double(stage.channels) * width)
          if !isLite || index > 0 && index < base.count - 1 {
            stage.repeats = Int((Double(stage.repeats) * depth).rounded(.up))
          }
          return stage
        })
      c.isLite = isLite
      return c
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

  /// An EfficientNet with the parameters of a checkpoint.
  ///
  /// - Throws: `ModelError` where a parameter is missing or misshapen.
  public init(_ c: Configuration, _ w: Weights) throws {
    configuration = c
    network = try InvertedNetwork(
      w, stem: c.stem, c.stages, head: c.head, classes: c.classes,
      InvertedStyle(
        padding: c.samePadding ? .same : .symmetric, activation: c.isLite ? .relu6 : .silu,
        squeeze: c.isLite ? nil : 0.25, epsilon: c.epsilon))
  }

  /// Images through the network, each activation shown to the tap.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor { network(images, tap) }
}
