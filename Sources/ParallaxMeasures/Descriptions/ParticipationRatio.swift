import ParallaxTensors

/// How many directions share the variance: (Σλ)² / Σλ² of the covariance's eigenvalues.
///
/// From 1 to the rank. It does not depend on what the covariance is divided by. Agrees with NumPy's
/// (tr C)²/tr C² to 11 digits.
///
/// > Source: Gao et al., 2017, bioRxiv 214262, participation ratio.
public struct ParticipationRatio: MomentDescription {
  /// There is nothing to choose.
  public init() {}

  /// `participation-ratio`.
  public var name: String { "participation-ratio" }
  /// What it says.
  public var meaning: String { "how many directions share the variance" }
  /// Directions, which need not be whole.
  public var unit: String { "directions" }
  /// From 1 to the rank.
  public var range: ClosedRange<Double> { 1...Double.infinity }
  /// What leaves the eigenvalues' proportions as they are.
  public var invariances: Invariance { [.translation, .scaling, .permutation, .orthogonal] }
  /// A covariance needs two images.
  public var fewestImages: Int { 2 }
  /// The singular values.
  public var cost: String { "ND·min(N, D)" }
  /// The paper.
  public var source: String { "Gao et al., 2017, bioRxiv 214262" }
  /// The formula that it is compared with.
  public var agreesWith: String { "NumPy, (tr C)²/tr C², to 11 digits in float64" }

  /// The spectrum.
  ///
  /// - Parameter features: `[images, width]`, at least two images.
  /// - Returns: the spectrum.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite` or `.constant`.
  public func basis(of features: Tensor) throws -> Spectrum {
    try Spectrum(features, measure: name)
  }

  /// 1/Σp² of the shares of the variance.
  public func estimate(_ basis: Spectrum) -> Estimate {
    Estimate(1 / basis.shares.reduce(0) { $0 + $1 * $1 })
  }
}
