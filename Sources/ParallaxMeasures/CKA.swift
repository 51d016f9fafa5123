import ParallaxTensors

/// Centred kernel alignment: HSIC(K, L) / √(HSIC(K, K) · HSIC(L, L)).
///
/// With the debiased estimator (the default) the three HSIC are the unbiased HSIC₁; the ratio may be
/// slightly negative, is never clamped, and is near zero for unrelated representations of any width.
/// The biased one (equal to the RV coefficient for the linear kernel) grows towards 1 with width / n:
/// about √(p₁p₂/((n+p₁)(n+p₂))) for independent Gaussians.
///
/// Columns are centred before the Gram product; products are float32 (float64 for float64 features),
/// sums float64. In float64 it agrees to 10 digits with google-research's `feature_space_linear_cka` and
/// `cka` (both estimators), with repsim (biased) and with rsatoolbox's `cosine_cov` (biased).
///
/// > Source: Kornblith et al., 2019, arXiv 1905.00414, equation 4; debiased: Nguyen et al., 2021,
/// > arXiv 2010.15327, equation 3.
public struct CKA: Measure {
  /// The kernel of both sides.
  public let kernel: Kernel
  /// The estimator of the three HSIC.
  public let estimator: Estimator

  /// CKA with a kernel and an estimator.
  public init(kernel: Kernel = .linear, estimator: Estimator = .debiased) {
    (self.kernel, self.estimator) = (kernel, estimator)
  }

  public var name: String {
    "cka" + (estimator == .debiased ? "" : "-biased") + (kernel == .linear ? "" : "-\(kernel)")
  }
  public var direction: Direction { .similarity }
  public var isSymmetric: Bool { true }
  public var isMetric: Bool { false }
  public var invariances: Invariance { [.translation, .scaling, .permutation, .orthogonal] }
  public var range: ClosedRange<Double> { estimator == .debiased ? -1...1 : 0...1 }
  public var cost: String { "N²D once a representation, N²/2 a pair" }
  public var needsPairing: Bool { true }
  public var source: String {
    estimator == .debiased
      ? "Nguyen et al., 2021, arXiv 2010.15327, equation 3"
      : "Kornblith et al., 2019, arXiv 1905.00414, equation 4"
  }
  public var agreesWith: String {
    "google-research representation_similarity (to 10 digits in float64)"
      + (estimator == .biased && kernel == .linear ? ", repsim 0.1.5, rsatoolbox cosine_cov" : "")
  }

  public func summary(of features: Tensor) throws -> GramSummary {
    try GramSummary(features, kernel: kernel, estimator: estimator, measure: name)
  }

  public func similarity(_ a: GramSummary, _ b: GramSummary) throws -> Double {
    try a.hsic(b, measure: name) / (a.selfHSIC * b.selfHSIC).squareRoot()
  }
}
