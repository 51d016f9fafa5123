import Foundation
import ParallaxTensors

/// The exponential of the spectrum's entropy: exp(−Σ p log p), natural logarithm.
///
/// p are the singular values of the centred features over their sum, as Roy and Vetterli have it, or, as a
/// variant, the eigenvalues of the covariance over theirs; the second is the smaller. RankMe is the first
/// without centring and with 1e-7 added to p; nothing is added here. From 1 to the rank. Agrees with NumPy
/// to 11 digits.
///
/// > Source: Roy and Vetterli, 2007, "The effective rank", EUSIPCO, definition 1.
public struct EffectiveRank: MomentDescription {
  /// What is made to sum to 1.
  public enum Weights: String, Sendable, Hashable, Codable {
    /// The singular values of the centred features.
    case singularValues
    /// The eigenvalues of the covariance, which are their squares.
    case eigenvalues
  }

  /// What is made to sum to 1.
  public let weights: Weights

  /// The effective rank of the singular values or of the eigenvalues.
  public init(_ weights: Weights = .singularValues) { self.weights = weights }

  /// `effective-rank` or `effective-rank-eigenvalues`.
  public var name: String { "effective-rank" + (weights == .eigenvalues ? "-eigenvalues" : "") }
  /// What it says.
  public var meaning: String {
    weights == .singularValues
      ? "how many directions the singular values fill, by their entropy"
      : "how many directions the variance fills, by its entropy"
  }
  /// Directions, which need not be whole.
  public var unit: String { "directions" }
  /// From 1 to the rank.
  public var range: ClosedRange<Double> { 1...Double.infinity }
  /// What leaves the spectrum's proportions as they are.
  public var invariances: Invariance { [.translation, .scaling, .permutation, .orthogonal] }
  /// A covariance needs two images.
  public var fewestImages: Int { 2 }
  /// The singular values.
  public var cost: String { "ND·min(N, D)" }
  /// The paper.
  public var source: String { "Roy and Vetterli, 2007, EUSIPCO, definition 1" }
  /// The formula that it is compared with.
  public var agreesWith: String { "NumPy, by the definition, to 11 digits in float64" }

  /// The spectrum.
  ///
  /// - Parameter features: `[images, width]`, at least two images.
  /// - Returns: the spectrum.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite` or `.constant`.
  public func basis(of features: Tensor) throws -> Spectrum {
    try Spectrum(features, measure: name)
  }

  /// exp(−Σ p log p).
  public func estimate(_ basis: Spectrum) -> Estimate {
    var p = basis.shares
    if weights == .singularValues {
      let sum = basis.singularValues.reduce(0, +)
      p = basis.singularValues.map { $0 / sum }
    }
    return Estimate(exp(-p.reduce(0) { $0 + $1 * log($1) }))
  }
}
