import ParallaxTensors

/// What every measure asks of a representation before it computes.
enum Checked {
  /// The element type of the features, once they are known to be `[images, width]`, enough, and finite
  /// even when squared in it.
  ///
  /// - Throws: `MeasureError.shape`, `.tooFew` or `.notFinite`.
  static func precision(of features: Tensor, atLeast needed: Int, measure: String) throws -> DType {
    guard features.rank == 2, features.shape[1] > 0 else {
      throw MeasureError.shape(
        measure: measure, expected: "[images, width]", found: features.shape)
    }
    let images = features.shape[0]
    guard images >= needed else {
      throw MeasureError.tooFew(measure: measure, images: images, needed: needed)
    }
    let precision = Gram.precision(of: features)
    // Half-precision features are finite in float32 wherever they are finite at all.
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
