import ParallaxImages
import ParallaxModels
import ParallaxTensors

/// Pictures as if a model had seen them: their low-level statistics and their own pixels as sites.
///
/// | site | shape | what |
/// | --- | --- | --- |
/// | `statistics` | `[batch, 31]` | `LowLevelStatistics`, columns as in its `names` |
/// | `pixels` | `[batch, 3·64·64]` | the mean over each cell of 64×64, channel by channel, row by row |
/// | `pixels.coarse` | `[batch, 3·8·8]` | the same of 8×8: blurred and downsampled |
///
/// A cell takes of a pixel the share of its area that lies in the cell, so that the mean of the cells is the mean of
/// the picture whatever its sides.
public struct PictureModel: Model {
  /// The site of the statistics.
  public static let statisticsSite = "statistics"
  /// The site of the pixels at 64×64.
  public static let pixelsSite = "pixels"
  /// The site of the pixels at 8×8.
  public static let coarsePixelsSite = "pixels.coarse"
  /// What identifies the numbers: the version of the statistics and the sizes of the pixels.
  public static let fingerprint = "pictures-1;\(LowLevelStatistics.version);pixels=64,8"

  /// The reference; there is nothing to choose.
  public init() {}

  /// Shows the sites that are wanted.
  ///
  /// - Parameters:
  ///   - images: `[batch, 3, height, width]`, plain sRGB in [0, 1], not normalised.
  ///   - tap: sees the sites.
  /// - Returns: what was computed last.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    var last = images
    if tap.wants(Self.statisticsSite) {
      last = tap(Self.statisticsSite, LowLevelStatistics()(images), as: .vector)
    }
    for (site, side) in [(Self.pixelsSite, 64), (Self.coarsePixelsSite, 8)] where tap.wants(site) {
      last = tap(site, images.areaAveraged(to: side, side).reshaped(images.shape[0], -1))
    }
    return last
  }
}

extension Subject {
  /// What the images themselves are called among the models of a pass.
  public static let picturesName = "the images"

  /// The images themselves, to be run beside models in one pass.
  ///
  /// Shorter side to `side` by Pillow's bicubic filter, centre square, numbers in [0, 1], not normalised. A model may
  /// see another crop of the same picture: its own preprocessing decides that.
  ///
  /// - Parameters:
  ///   - side: of the square in pixels, at least 1.
  ///   - device: where the statistics are computed.
  /// - Returns: a subject called `the images` with the sites of `PictureModel`.
  /// - Throws: what `Subject.init` throws; of these pictures, nothing.
  public static func pictures(side: Int = 224, device: Device = .cpu) throws -> Subject {
    try Subject(
      name: picturesName, family: "pixels", model: PictureModel(),
      preprocessing: .centre(side, mean: [0, 0, 0], std: [1, 1, 1]),
      fingerprint: PictureModel.fingerprint, device: device)
  }
}
