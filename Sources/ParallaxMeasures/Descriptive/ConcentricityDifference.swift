import ParallaxTensors

/// How far apart the concentricities are: |mean cos(xᵢ, x̄) − mean cos(yᵢ, ȳ)|.
///
/// Concentricity is the mean cosine between a row and the mean row; cosines are computed in float64. The
/// images of the two sides need not be the same, nor as many. A row of zeros has no direction
/// and is refused, nor has a mean that is only rounding, as that of centred features; ReSi takes the cosine
/// with zeros for 0, and any mean as it comes. Otherwise agrees with ReSi's formula
/// (`ConcentricityDifference`) to 12 digits.
///
/// > Source: Klabunde et al., 2025, arXiv 2305.06329, section on descriptive statistics.
public struct ConcentricityDifference: Measure {
  /// There is nothing to choose.
  public init() {}

  /// `concentricity-difference`.
  public var name: String { "concentricity-difference" }
  /// A distance.
  public var direction: Direction { .distance }
  /// |a − b| = |b − a|.
  public var isSymmetric: Bool { true }
  /// Differences of numbers keep the triangle inequality; representations as concentric are 0 apart.
  public var isMetric: Bool { true }
  /// What leaves all cosines as they are.
  public var invariances: Invariance { [.scaling, .permutation, .orthogonal] }
  /// Mean cosines lie between -1 and 1.
  public var range: ClosedRange<Double> { 0...2 }
  /// One product of the features with their mean.
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
  public var agreesWith: String { "NumPy, by ReSi's formula, to 12 digits in float64" }

  /// The mean cosine between a row and the mean row.
  ///
  /// - Parameter features: `[images, width]`, at least one image.
  /// - Returns: a number from -1 to 1.
  /// - Throws: `MeasureError.shape`, `.tooFew` or `.notFinite`; `.row` where one is zero, `.undefined` where
  ///   the mean is.
  public func summary(of features: Tensor) throws -> NumberSummary {
    let precision = try Checked.precision(of: features, atLeast: fewestImages, measure: name)
    let x = Gram.widened(features)
    let lengths = x.norm(over: [1])
    if let row = lengths.scalars(Double.self).firstIndex(of: 0) {
      throw MeasureError.row(measure: name, row: row, problem: "is zero and has no direction")
    }
    let mean = x.mean(over: [0])
    let length = mean.norm(over: [0]).item(Double.self)
    // Half a unit in the last place of the features: a mean below it says how they were rounded.
    let unit = (precision == .float64 ? Double.ulpOfOne : Double(Float.ulpOfOne)) / 2
    let size = lengths.squared().mean().item(Double.self).squareRoot()
    guard length > unit * size else {
      throw MeasureError.undefined(measure: name, problem: "the mean of all rows is zero")
    }
    let cosines = x.times(mean) / lengths / length
    return NumberSummary(
      images: features.shape[0], precision: precision, value: cosines.mean().item(Double.self))
  }

  /// The difference of the two mean cosines.
  ///
  /// - Throws: `MeasureError.summaries` where the element types differ.
  public func similarity(_ a: NumberSummary, _ b: NumberSummary) throws -> Double {
    try a.difference(b, measure: name)
  }
}
