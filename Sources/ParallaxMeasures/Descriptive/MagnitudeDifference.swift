import ParallaxTensors

/// How far apart the lengths of the mean representations are: |‖x̄‖ − ‖ȳ‖|.
///
/// x̄ is the mean row, summed in float64. The images of the two sides need not be the same, nor as many.
/// A representation that does not vary has a value here. Agrees with ReSi's formula (`MagnitudeDifference`)
/// to 15 decimals.
///
/// > Source: Klabunde et al., 2025, arXiv 2305.06329, section on descriptive statistics.
public struct MagnitudeDifference: MomentMeasure {
  /// There is nothing to choose.
  public init() {}

  /// `magnitude-difference`.
  public var name: String { "magnitude-difference" }
  /// A distance, in the features' unit.
  public var direction: Direction { .distance }
  /// |a − b| = |b − a|.
  public var isSymmetric: Bool { true }
  /// Differences of numbers keep the triangle inequality; representations with the same magnitude are 0 apart.
  public var isMetric: Bool { true }
  /// What leaves the length of the mean as it is.
  public var invariances: Invariance { [.permutation, .orthogonal] }
  /// From 0, unbounded.
  public var range: ClosedRange<Double> { 0...Double.infinity }
  /// One sum over the images.
  public var cost: String { "ND once a representation" }
  /// The mean does not know which row was whose.
  public var needsPairing: Bool { false }
  /// A mean needs one image.
  public var fewestImages: Int { 1 }
  /// The survey and its section.
  public var source: String {
    "Klabunde et al., 2025, arXiv 2305.06329, section on descriptive statistics"
  }
  /// Whose formula it is.
  public var agreesWith: String { "NumPy, by ReSi's formula, to 15 decimals in float64" }

  /// ‖x̄‖.
  ///
  /// - Parameter features: `[images, width]`, at least one image.
  /// - Returns: ‖x̄‖.
  /// - Throws: `MeasureError.shape`, `.tooFew` or `.notFinite`.
  public func summary(of features: Tensor) throws -> NumberSummary {
    try summary(from: SharedParts(features))
  }

  /// The same, also of moments.
  ///
  /// - Throws: as `summary(of:)`.
  public func summary(from parts: SharedParts) throws -> NumberSummary {
    if let moments = parts.moments {
      let length = moments.mean.norm(over: [0]).item(Double.self)
      guard length.isFinite else { throw MeasureError.notFinite(measure: name) }
      return NumberSummary(images: moments.images, precision: moments.precision, value: length)
    }
    let features = parts.features
    let precision = try Checked.precision(of: features, atLeast: fewestImages, measure: name)
    let sum = features.to(Gram.home(of: features.device)).sum(over: [0], in: .float64)
    let value = sum.norm(over: [0]).item(Double.self) / Double(features.shape[0])
    return NumberSummary(images: features.shape[0], precision: precision, value: value)
  }

  /// |‖x̄‖ − ‖ȳ‖|.
  ///
  /// - Throws: `MeasureError.summaries` where the element types differ.
  public func similarity(_ a: NumberSummary, _ b: NumberSummary, _ cross: CrossMoment?) throws
    -> Double
  {
    try a.difference(b, measure: name)
  }
}
