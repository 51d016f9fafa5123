import Foundation
import ParallaxTensors

/// α of λ_r ∝ r^−α: how fast the covariance's eigenvalues fall with their rank r.
///
/// The slope of log λ on −log r by least squares with weights 1/r, which count every octave of ranks alike.
/// The range of the fit is part of the result: 11 to 500 as in Stringer et al. unless another is asked for,
/// cut to the rank. Their code is the convention (the eigenvalues there are cross-validated ones; these are
/// those of ``Spectrum``). Ranks near min(N, D) bend downwards whatever the representation, so α with few
/// images is too large. Agrees with NumPy's weighted `polyfit` to 11 digits.
///
/// > Source: Stringer et al., 2019, Nature 571, "High-dimensional geometry of population responses in
/// > visual cortex", power-law fit; Agrawal et al., 2022, "α-ReQ", NeurIPS 35.
public struct SpectralDecay: MomentDescription {
  /// The ranks that are fitted; beyond the spectrum's rank there is nothing to fit.
  public let ranks: ClosedRange<Int>

  /// The exponent over a range of ranks; the largest eigenvalue has rank 1.
  ///
  /// - Precondition: the range begins at 1 or later and holds three ranks.
  public init(ranks: ClosedRange<Int> = 11...500) {
    precondition(ranks.lowerBound >= 1 && ranks.count >= 3, "cannot fit ranks \(ranks)")
    self.ranks = ranks
  }

  /// `spectral-decay`, or `spectral-decay-2-to-6` for other ranks than 11 to 500.
  public var name: String {
    "spectral-decay"
      + (ranks == 11...500 ? "" : "-\(ranks.lowerBound)-to-\(ranks.upperBound)")
  }
  /// What it says.
  public var meaning: String {
    "how fast the variance falls with the rank of its direction, as a power of it"
  }
  /// The exponent, without its sign.
  public var unit: String { "(exponent)" }
  /// From 0, where all eigenvalues are the same.
  public var range: ClosedRange<Double> { 0...Double.infinity }
  /// What leaves the eigenvalues' proportions as they are.
  public var invariances: Invariance { [.translation, .scaling, .permutation, .orthogonal] }
  /// Three ranks of at most N−1 must lie in the range.
  public var fewestImages: Int { ranks.lowerBound + 3 }
  /// The singular values.
  public var cost: String { "ND·min(N, D)" }
  /// The paper.
  public var source: String { "Stringer et al., 2019, Nature 571, power-law fit" }
  /// The formula that it is compared with.
  public var agreesWith: String { "NumPy's weighted polyfit, to 11 digits in float64" }

  /// The spectrum.
  ///
  /// - Parameter features: `[images, width]`.
  /// - Returns: the spectrum.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite` or `.constant`.
  public func basis(of features: Tensor) throws -> Spectrum {
    _ = try Checked.precision(of: features, atLeast: fewestImages, measure: name)
    return try Spectrum(features, measure: name)
  }

  /// α.
  ///
  /// - Throws: `MeasureError.undefined` where fewer than three eigenvalues lie in the range.
  public func estimate(_ basis: Spectrum) throws -> Estimate {
    let last = min(ranks.upperBound, basis.rank)
    guard last - ranks.lowerBound >= 2 else {
      throw MeasureError.undefined(
        measure: name,
        problem:
          "fewer than three eigenvalues from rank \(ranks.lowerBound) on, there are \(basis.rank)")
    }
    let eigenvalues = basis.eigenvalues
    let points = (ranks.lowerBound...last).map { rank in
      (x: -log(Double(rank)), y: log(eigenvalues[rank - 1]), weight: 1 / Double(rank))
    }
    let total = points.reduce(0) { $0 + $1.weight }
    let x = points.reduce(0) { $0 + $1.weight * $1.x } / total
    let y = points.reduce(0) { $0 + $1.weight * $1.y } / total
    let products = points.reduce(0) { $0 + $1.weight * ($1.x - x) * ($1.y - y) }
    let squares = points.reduce(0) { $0 + $1.weight * ($1.x - x) * ($1.x - x) }
    return Estimate(products / squares)
  }
}
