/// How an image becomes a model's input: resize, crop, scale, normalise.
///
/// A value says everything that changes the numbers, so its `fingerprint` can key a cache. Make one
/// from the keys of timm or of Hugging Face's processors, or by hand.
public struct Preprocessing: Codable, Hashable, Sendable {
  /// How the image is resized before the crop.
  public enum Resize: Codable, Hashable, Sendable {
    /// Not at all.
    case none
    /// The shorter side to so many pixels, the longer to `int(side * long / short)`, as torchvision's
    /// `Resize(int)` and the processors' `shortest_edge` do.
    case shortestEdge(Int)
    /// To exactly this size; the aspect ratio is not kept ("squash").
    case exact(width: Int, height: Int)
    /// To the smallest size that covers this one, sides rounded half to even (timm's
    /// `ResizeKeepRatio`, for crops that are not square).
    case covering(width: Int, height: Int)
    /// To the largest size that fits within this one, sides rounded half to even ("border",
    /// letterbox).
    case fitting(width: Int, height: Int)
  }

  /// How the centre is found where the difference of the sizes is odd.
  public enum Crop: String, Codable, Hashable, Sendable {
    /// `int(round((size - crop) / 2))`, halves to even; a smaller image is padded with the odd pixel
    /// at the end.
    case torchvision
    /// `(size - crop) // 2`; a smaller image is padded with the odd pixel at the start.
    case transformers
  }

  /// The input's width in pixels.
  public var width: Int
  /// The input's height in pixels.
  public var height: Int
  /// How the image is resized.
  public var resize: Resize
  /// How the centre is cut out, or the image centred where it is smaller.
  public var crop: Crop
  /// The filter for resizing.
  public var interpolation: Resampling
  /// What is put where the image does not reach, before normalising.
  public var fill: RGB
  /// What a byte is multiplied with; 1/255 as a rule.
  public var rescale: Double
  /// What is then subtracted, a channel each.
  public var mean: [Float]
  /// What it is then divided by, a channel each.
  public var std: [Float]

  /// The means of ImageNet's channels.
  public static let imageNetMean: [Float] = [0.485, 0.456, 0.406]
  /// The standard deviations of ImageNet's channels.
  public static let imageNetStd: [Float] = [0.229, 0.224, 0.225]

  /// A preprocessing from all its parts.
  ///
  /// - Precondition: sizes are positive, `mean` and `std` have three values, and no `std` is 0.
  public init(
    width: Int, height: Int, resize: Resize, crop: Crop = .torchvision,
    interpolation: Resampling = .bicubic, fill: RGB = .black, rescale: Double = 1.0 / 255,
    mean: [Float] = imageNetMean, std: [Float] = imageNetStd
  ) {
    precondition(width > 0 && height > 0, "Preprocessing: size \(width) x \(height)")
    precondition(
      mean.count == 3 && std.count == 3 && !std.contains(0),
      "Preprocessing: mean \(mean), std \(std)"
    )
    self.width = width
    self.height = height
    self.resize = resize
    self.crop = crop
    self.interpolation = interpolation
    self.fill = fill
    self.rescale = rescale
    self.mean = mean
    self.std = std
  }

  /// The shorter side to `side / cropFraction` (rounded down), then the central square.
  ///
  /// - Parameters:
  ///   - side: of the input, in pixels.
  ///   - cropFraction: timm's `crop_pct`, the part of the shorter side that stays.
  ///   - interpolation: the filter for resizing.
  ///   - mean: what is subtracted, a channel each.
  ///   - std: what it is divided by, a channel each.
  /// - Returns: the preprocessing.
  public static func centre(
    _ side: Int, cropFraction: Double = 1, interpolation: Resampling = .bicubic,
    mean: [Float] = imageNetMean, std: [Float] = imageNetStd
  ) -> Preprocessing {
    Preprocessing(
      width: side, height: side, resize: .shortestEdge(Int(Double(side) / cropFraction)),
      interpolation: interpolation, mean: mean, std: std)
  }

  /// The longer side to `side`, then centred in a square of one colour: nothing of the image is lost.
  ///
  /// - Parameters:
  ///   - side: of the input, in pixels.
  ///   - fill: the colour beside the image.
  ///   - interpolation: the filter for resizing.
  ///   - mean: what is subtracted, a channel each.
  ///   - std: what it is divided by, a channel each.
  /// - Returns: the preprocessing.
  public static func letterbox(
    _ side: Int, fill: RGB = .white, interpolation: Resampling = .bicubic,
    mean: [Float] = imageNetMean, std: [Float] = imageNetStd
  ) -> Preprocessing {
    Preprocessing(
      width: side, height: side, resize: .fitting(width: side, height: side),
      interpolation: interpolation, fill: fill, mean: mean, std: std)
  }

  /// This preprocessing with the whole image letterboxed into its input instead of cropped.
  public func letterboxed(over fill: RGB = .white) -> Preprocessing {
    var copy = self
    copy.resize = .fitting(width: width, height: height)
    copy.fill = fill
    return copy
  }

  /// The shape of one input, `[3, height, width]`.
  public var shape: [Int] { [3, height, width] }

  /// One line that names everything that changes the numbers, the same in every run.
  public var fingerprint: String {
    let resize =
      switch resize {
      case .none: "none"
      case .shortestEdge(let side): "shortest(\(side))"
      case .exact(let width, let height): "exact(\(width)x\(height))"
      case .covering(let width, let height): "covering(\(width)x\(height))"
      case .fitting(let width, let height): "fitting(\(width)x\(height))"
      }
    func list<T: CustomStringConvertible>(_ values: [T]) -> String {
      values.map(\.description).joined(separator: ",")
    }
    return "images-1;resize=\(resize);filter=\(interpolation.rawValue);crop=\(width)x\(height)"
      + ",\(crop.rawValue);fill=\(list(fill.components));rescale=\(rescale)"
      + ";mean=\(list(mean));std=\(list(std))"
  }
}
