import Foundation
import ParallaxTensors

/// How far apart the uniformities are: |U(X) − U(Y)|, U = log mean exp(−2‖xᵢ − xⱼ‖²).
///
/// The mean is over all N² pairs, those of an image with itself included, as in ReSi; so U depends on N and
/// is never below −log N. It was made for rows of length one. Where all distances are far above 1 it is
/// −log N whatever the representation, and the difference 0: scale the features, or do not use it.
///
/// Distances are computed in float64, from differences. The images of the two sides need not be the same; where they
/// are not as many, their numbers differ in U. A representation that does not vary has U = 0. Agrees with
/// ReSi's formula (`UniformityDifference`) to 12 digits.
///
/// > Source: Wang and Isola, 2020, arXiv 2005.10242 (uniformity loss, t = 2); Klabunde et al., 2025,
/// > arXiv 2305.06329, section on descriptive statistics.
public struct UniformityDifference: Measure {
  /// There is nothing to choose.
  public init() {}

  /// `uniformity-difference`.
  public var name: String { "uniformity-difference" }
  /// A distance, in nats.
  public var direction: Direction { .distance }
  /// |a − b| = |b − a|.
  public var isSymmetric: Bool { true }
  /// Differences of numbers keep the triangle inequality; representations as uniform are 0 apart.
  public var isMetric: Bool { true }
  /// What leaves all distances as they are.
  public var invariances: Invariance { [.translation, .permutation, .orthogonal] }
  /// From 0; at most the larger log N.
  public var range: ClosedRange<Double> { 0...Double.infinity }
  /// All distances, in blocks of rows.
  public var cost: String { "N²D once a representation" }
  /// The mean over all pairs does not know which row was whose.
  public var needsPairing: Bool { false }
  /// The papers.
  public var source: String {
    "Wang and Isola, 2020, arXiv 2005.10242; Klabunde et al., 2025, arXiv 2305.06329"
  }
  /// Whose formula it is.
  public var agreesWith: String { "NumPy, by ReSi's formula, to 12 digits in float64" }

  /// U(X) = log mean exp(−2‖xᵢ − xⱼ‖²).
  ///
  /// - Parameter features: `[images, width]`, at least two images.
  /// - Returns: U(X).
  /// - Throws: `MeasureError.shape`, `.tooFew` or `.notFinite`.
  public func summary(of features: Tensor) throws -> NumberSummary {
    let precision = try Checked.precision(of: features, atLeast: fewestImages, measure: name)
    let images = features.shape[0]
    var half = 0.0
    Distances.forEachPiece(features) { distances in
      half += (distances.squared() * -2.0).exponential().sum().item(Double.self)
    }
    // Every pair both ways, and each image with itself.
    let total = 2 * half + Double(images)
    let n = Double(images)
    return NumberSummary(images: images, precision: precision, value: log(total / (n * n)))
  }

  /// The difference of the two uniformities.
  ///
  /// - Throws: `MeasureError.summaries` where the element types differ.
  public func similarity(_ a: NumberSummary, _ b: NumberSummary) throws -> Double {
    try a.difference(b, measure: name)
  }
}
