import Foundation
import ParallaxTensors

/// The intrinsic dimension from the two nearest neighbours: μᵢ = r₂/r₁ follows a Pareto law whose exponent
/// is the dimension.
///
/// By maximum likelihood d = (N−1)/Σ log μᵢ, with the standard error d/√N of its Fisher information, as if
/// the μᵢ were independent. Or as the slope through the origin of −log(1 − i/N) on the sorted log μᵢ, of
/// which only the first ⌊kept · N⌋ are used; the fit has no standard error here.
///
/// It sees the smallest scale that there is, which may be that of noise: compare ``GRIDE``. Agrees with
/// DADApy's `compute_id_2NN` (`ml` to 11 digits, `base` to the 9 of its optimiser) and scikit-dimension's
/// `TwoNN` (11 digits, both).
///
/// > Source: Facco et al., 2017, arXiv 1803.06992; the maximum likelihood: Denti et al., 2022,
/// > arXiv 2104.13832.
public struct TwoNN: Description {
  /// How the exponent is estimated.
  public enum Method: Sendable, Hashable {
    /// (N−1)/Σ log μ.
    case maximumLikelihood
    /// A line through the origin, with this share of the μ; the largest are left out.
    case fit(kept: Double)
  }

  /// How the exponent is estimated.
  public let method: Method

  /// The estimator with a method.
  ///
  /// - Precondition: a fit keeps a share above 0 and below 1.
  public init(_ method: Method = .maximumLikelihood) {
    if case .fit(let kept) = method {
      precondition(kept > 0 && kept < 1, "the share that is kept is \(kept)")
    }
    self.method = method
  }

  /// `two-nn`, `two-nn-fit`, or `two-nn-fit-0.8` for another share than 0.9.
  public var name: String {
    switch method {
    case .maximumLikelihood: "two-nn"
    case .fit(let kept): "two-nn-fit" + (kept == 0.9 ? "" : "-\(kept)")
    }
  }
  /// What it says.
  public var meaning: String {
    "the intrinsic dimension at the smallest scale, by two neighbours"
      + (method == .maximumLikelihood ? "" : ", as a slope")
  }
  /// Dimensions, which need not be whole.
  public var unit: String { "dimensions" }
  /// Above 0, unbounded.
  public var range: ClosedRange<Double> { 0...Double.infinity }
  /// The maximum likelihood has one.
  public var hasStandardError: Bool { method == .maximumLikelihood }
  /// What leaves the ratios of distances as they are.
  public var invariances: Invariance { [.translation, .scaling, .permutation, .orthogonal] }
  /// Two neighbours must exist; a fit needs two points to keep.
  public var fewestImages: Int {
    switch method {
    case .maximumLikelihood: 3
    case .fit(let kept): (3...).first { Int(Double($0) * kept) >= 2 } ?? 3
    }
  }
  /// All distances, in blocks of rows.
  public var cost: String { "N²D" }
  /// The papers.
  public var source: String { "Facco et al., 2017, arXiv 1803.06992" }
  /// The packages that were run on the same data.
  public var agreesWith: String {
    switch method {
    case .maximumLikelihood: "DADApy 0.3.4, scikit-dimension 0.5.0, to 11 digits in float64"
    case .fit: "scikit-dimension 0.5.0 to 11 digits, DADApy 0.3.4 to 9, in float64"
    }
  }

  /// The distances to the two nearest images.
  ///
  /// - Parameter features: `[images, width]`, no two images the same.
  /// - Returns: r₁ and r₂ of every image.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.constant` or `.duplicates`.
  public func basis(of features: Tensor) throws -> NeighbourDistances {
    _ = try Checked.precision(of: features, atLeast: fewestImages, measure: name)
    return try NeighbourDistances(features, count: 2, measure: name)
  }

  /// The intrinsic dimension.
  ///
  /// - Throws: `MeasureError.undefined` where all μ are 1, or fewer neighbours were kept.
  public func estimate(_ basis: NeighbourDistances) throws -> Estimate {
    let logs = try basis.logRatios(1, 2, measure: name)
    let n = Double(logs.count)
    let sum = logs.reduce(0, +)
    guard sum > 0 else {
      throw MeasureError.undefined(
        measure: name, problem: "both neighbours of every image are equally far")
    }
    switch method {
    case .maximumLikelihood:
      let dimension = (n - 1) / sum
      return Estimate(dimension, standardError: dimension / n.squareRoot())
    case .fit(let kept):
      let points = logs.sorted().prefix(Int(n * kept)).enumerated()
      let products = points.reduce(0.0) { $0 - $1.element * log(1 - Double($1.offset + 1) / n) }
      let squares = points.reduce(0.0) { $0 + $1.element * $1.element }
      guard squares > 0 else {
        throw MeasureError.undefined(
          measure: name, problem: "both neighbours of the images that are kept are equally far")
      }
      return Estimate(products / squares)
    }
  }
}
