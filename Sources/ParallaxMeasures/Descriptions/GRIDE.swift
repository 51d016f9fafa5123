import Foundation
import ParallaxTensors

/// The intrinsic dimension at a scale: from the ratios of the distances to the n-th and the 2n-th neighbour.
///
/// μᵢ = r₂ₙ/rₙ has the density d(μ^d − 1)^(n−1) / (μ^(d(2n−1)+1)·B(n, n)). The estimate is the root of its
/// log-likelihood's derivative, (N−1)/d − Σ [(1−n)/(1−μᵢ^−d) + 2n−1]·log μᵢ, which falls with d and so has
/// one root. N−1 in place of N follows DADApy and makes n = 1 the estimate of ``TwoNN``. The standard error
/// is 1/√(N/d² + (n−1) Σ μᵢ^−d (log μᵢ/(1−μᵢ^−d))²), the observed information as if images were
/// independent. With n = 1, 2, 4, … the dimension is seen from scale to scale: ``scales(_:upTo:)``.
///
/// Agrees with DADApy's `return_id_scaling_gride` to 11 digits, standard errors too. DADApy leaves out μ
/// beyond twenty times the distance from the median to the 95th percentile, and regularises μ = 1; here
/// nothing is left out, and μ = 1 takes its limit, log μ/(1−μ^−d) → 1/d.
///
/// > Source: Denti et al., 2022, arXiv 2104.13832.
public struct GRIDE: Description {
  /// n: the rank of the nearer neighbour; the farther has twice that.
  public let near: Int

  /// The estimator with the ranks n and 2n.
  ///
  /// - Precondition: n is at least 1.
  public init(_ near: Int) {
    precondition(near >= 1, "the nearer neighbour has rank \(near)")
    self.near = near
  }

  /// `gride-` and n.
  public var name: String { "gride-\(near)" }
  /// What it says.
  public var meaning: String { "the intrinsic dimension by neighbours \(near) and \(2 * near)" }
  /// Dimensions, which need not be whole.
  public var unit: String { "dimensions" }
  /// Above 0, unbounded.
  public var range: ClosedRange<Double> { 0...Double.infinity }
  /// It has one, by the observed information.
  public var hasStandardError: Bool { true }
  /// What leaves the ratios of distances as they are.
  public var invariances: Invariance { [.translation, .scaling, .permutation, .orthogonal] }
  /// The farther neighbour must exist.
  public var fewestImages: Int { 2 * near + 1 }
  /// All distances, in blocks of rows.
  public var cost: String { "N²D" }
  /// The paper.
  public var source: String { "Denti et al., 2022, arXiv 2104.13832" }
  /// The package that was run on the same data.
  public var agreesWith: String { "DADApy 0.3.4, to 11 digits in float64" }

  /// The distances to the 2n nearest images.
  ///
  /// - Parameter features: `[images, width]`, no two images the same.
  /// - Returns: r₁ to r₂ₙ of every image.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.constant` or `.duplicates`.
  public func basis(of features: Tensor) throws -> NeighbourDistances {
    try NeighbourDistances(features, count: 2 * near, measure: name)
  }

  /// The intrinsic dimension at this scale.
  ///
  /// - Throws: `MeasureError.undefined` where all μ are 1, or fewer neighbours were kept.
  public func estimate(_ basis: NeighbourDistances) throws -> Estimate {
    let logs = try basis.logRatios(near, 2 * near, measure: name)
    guard logs.contains(where: { $0 > 0 }) else {
      throw MeasureError.undefined(
        measure: name, problem: "the two neighbours of every image are equally far")
    }
    let dimension = root { slope($0, logs) }
    let information = logs.reduce(Double(logs.count) / (dimension * dimension)) { sum, x in
      let ratio = Self.ratio(x, dimension)
      return sum + Double(near - 1) * ratio * ratio * exp(-dimension * x)
    }
    return Estimate(dimension, standardError: 1 / information.squareRoot())
  }

  /// The estimates for n = 1, 2, 4, … from one set of distances, with the mean distance of the two
  /// neighbours as the scale.
  ///
  /// - Parameters:
  ///   - features: `[images, width]`, no two images the same.
  ///   - rank: the largest rank 2n, DADApy's `range_max`; cut to what the number of images allows.
  /// - Returns: n, the scale and the estimate, finest first.
  /// - Throws: `MeasureError`.
  public static func scales(_ features: Tensor, upTo rank: Int = 64) throws
    -> [(near: Int, scale: Double, estimate: Estimate)]
  {
    _ = try Checked.precision(of: features, atLeast: 3, measure: "gride")
    let farthest = min(rank, features.shape[0] - 1)
    let ranks = sequence(first: 1) { 4 * $0 <= farthest ? 2 * $0 : nil }
    let basis = try NeighbourDistances(features, count: max(2, farthest), measure: "gride")
    return try ranks.map { n in
      let sum = (0..<basis.images).reduce(0.0) { $0 + basis[$1, n] + basis[$1, 2 * n] }
      return (n, sum / Double(2 * basis.images), try GRIDE(n).estimate(basis))
    }
  }

  /// x/(1 − e^(−dx)) for x = log μ, and its limit 1/d at 0.
  private static func ratio(_ x: Double, _ d: Double) -> Double {
    x == 0 ? 1 / d : x / -expm1(-d * x)
  }

  /// The derivative of the log-likelihood.
  private func slope(_ d: Double, _ logs: [Double]) -> Double {
    let n = Double(near)
    return logs.reduce(Double(logs.count - 1) / d) { sum, x in
      sum - ((1 - n) * Self.ratio(x, d) + (2 * n - 1) * x)
    }
  }

  /// Where a falling function of d > 0 crosses zero, to the last digit.
  private func root(_ f: (Double) -> Double) -> Double {
    var (low, high) = (1.0, 1.0)
    while f(high) > 0 { (low, high) = (high, high * 2) }
    while f(low) < 0 { (low, high) = (low / 2, low) }
    while true {
      let middle = (low + high) / 2
      guard low < middle, middle < high else { return middle }
      if f(middle) > 0 { low = middle } else { high = middle }
    }
  }
}
