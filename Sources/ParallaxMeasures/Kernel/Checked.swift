import ParallaxTensors

/// What every measure asks of a representation before it computes.
enum Checked {
  /// The number of images of features that are known to be `[images, width]`, and enough.
  ///
  /// - Throws: `MeasureError.shape` or `.tooFew`.
  static func images(of features: Tensor, atLeast needed: Int, measure: String) throws -> Int {
    guard features.rank == 2, features.shape[1] > 0 else {
      throw MeasureError.shape(
        measure: measure, expected: "[images, width]", found: features.shape)
    }
    let images = features.shape[0]
    guard images >= needed else {
      throw MeasureError.tooFew(measure: measure, images: images, needed: needed)
    }
    return images
  }

  /// The element type that features count as, once they are known to be `[images, width]`, enough, and finite
  /// even when squared in it: float64, or float32 for everything else.
  ///
  /// - Throws: `MeasureError.shape`, `.tooFew` or `.notFinite`.
  static func precision(of features: Tensor, atLeast needed: Int, measure: String) throws -> DType {
    _ = try images(of: features, atLeast: needed, measure: measure)
    let precision = Gram.precision(of: features)
    guard features.to(precision).squared().sum(over: [1]).isFinite() else {
      throw MeasureError.notFinite(measure: measure)
    }
    return precision
  }
}

/// What a measure keeps that compares one number of each side.
public struct NumberSummary: Sendable, Hashable {
  /// The number of images.
  public let images: Int
  /// The element type of the features.
  public let precision: DType
  /// The number.
  public let value: Double

  /// |a − b|.
  ///
  /// - Throws: `MeasureError.summaries` where the element types differ.
  func difference(_ other: NumberSummary, measure: String) throws -> Double {
    guard precision == other.precision else {
      throw MeasureError.summaries(
        measure: measure, left: "\(precision)", right: "\(other.precision)")
    }
    return abs(value - other.value)
  }
}

extension Measure where Summary == NumberSummary {
  /// The same number in any order; nil where images are left out.
  public func selected(_ summary: NumberSummary, _ images: ImageSelection) -> NumberSummary? {
    images.isWhole ? summary : nil
  }
}
