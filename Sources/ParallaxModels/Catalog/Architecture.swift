import ParallaxTensors

/// A network without weights: how to make it from a checkpoint.
public struct Architecture: Sendable {
  /// timm's name, or the paper's.
  public let name: String
  /// Other names people use for it.
  public let aliases: [String]
  /// The kind of network: `ViT`, `ResNet`, ….
  public let family: String
  /// What it is, in a sentence.
  public let summary: String
  /// How images are prepared for it unless a checkpoint says otherwise.
  public let preprocessing: PreprocessingKeys
  /// The miniature fixtures in `Tests/Fixtures/models` that its family is held against.
  public let oracles: [String]
  /// The network with some parameters.
  public let make: @Sendable (Weights) throws -> any Model
  /// A checkpoint's parameters under timm's names, whatever names it uses.
  public let recognise: @Sendable (any WeightSource) -> any WeightSource
  /// The same network for square images of another side, where it has parameters that depend on it; nil where
  /// there is no such network.
  public let resized: (@Sendable (Int) -> Architecture)?

  /// An architecture from its parts.
  public init(
    name: String, aliases: [String] = [], family: String, summary: String,
    preprocessing: PreprocessingKeys, oracles: [String],
    recognise: @escaping @Sendable (any WeightSource) -> any WeightSource = { $0 },
    resized: (@Sendable (Int) -> Architecture)? = nil,
    make: @escaping @Sendable (Weights) throws -> any Model
  ) {
    (self.name, self.aliases, self.family, self.summary) = (name, aliases, family, summary)
    (self.preprocessing, self.oracles) = (preprocessing, oracles)
    (self.recognise, self.resized, self.make) = (recognise, resized, make)
  }

  /// Parameters that checkpoints carry and no network reads: step counters, masks, index tables.
  static func isHarmless(_ name: String) -> Bool {
    [
      "num_batches_tracked", "position_ids", "relative_position_index", "relative_coords_table",
      "mask_token", "attn_mask",
    ]
    .contains { name == $0 || name.hasSuffix("." + $0) }
  }
}

/// How images are prepared for a model, in timm's words.
public struct PreprocessingKeys: Sendable, Codable, Hashable {
  /// `[3, height, width]`.
  public var inputSize: [Int]
  /// The filter for resizing.
  public var interpolation: String
  /// The part of the shorter side that the crop keeps.
  public var cropFraction: Double
  /// `center`, `squash` or `border`.
  public var cropMode: String
  /// What is subtracted, a channel each, of pixels from 0 to 1.
  public var mean: [Double]
  /// What it is then divided by.
  public var std: [Double]

  enum CodingKeys: String, CodingKey {
    case inputSize = "input_size"
    case interpolation
    case cropFraction = "crop_pct"
    case cropMode = "crop_mode"
    case mean, std
  }

  /// Square images of a side in pixels.
  public init(
    _ side: Int, cropFraction: Double = 0.875, interpolation: String = "bicubic",
    cropMode: String = "center", mean: [Double] = imageNetMean, std: [Double] = imageNetStd
  ) {
    inputSize = [3, side, side]
    (self.interpolation, self.cropFraction, self.cropMode) = (interpolation, cropFraction, cropMode)
    (self.mean, self.std) = (mean, std)
  }

  /// The means of ImageNet's channels.
  public static let imageNetMean = [0.485, 0.456, 0.406]
  /// The standard deviations of ImageNet's channels.
  public static let imageNetStd = [0.229, 0.224, 0.225]
  /// CLIP's means.
  public static let clipMean = [0.481_454_66, 0.457_827_5, 0.408_210_73]
  /// CLIP's standard deviations.
  public static let clipStd = [0.268_629_54, 0.261_302_58, 0.275_777_11]
}
