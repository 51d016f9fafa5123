import ParallaxTensors

/// The Hilbert–Schmidt independence criterion of two representations.
///
/// - debiased (the unbiased HSIC₁, the default): ⟨K̂, L̂⟩ / (n(n−3)), K̂ the U-centred Gram matrix; equal
///   to [tr(K̃L̃) + 1ᵀK̃1·1ᵀL̃1/((n−1)(n−2)) − 2/(n−2)·1ᵀK̃L̃1] / (n(n−3)), n ≥ 4, but stable;
/// - biased (HSIC₀): ⟨HKH, HLH⟩ / (n−1)².
///
/// Columns are centred before the Gram product; products are float32 (float64 for float64 features),
/// sums float64. Agrees with repsim's `hsic` and with both closed forms to 1e-12 in float64.
///
/// > Source: Gretton et al., 2005, definition 1 (biased); Song et al., 2012, JMLR 13, equation 5 (unbiased).
public struct HSIC: Measure {
  /// The kernel of both sides.
  public let kernel: Kernel
  /// The estimator.
  public let estimator: Estimator

  /// HSIC with a kernel and an estimator.
  public init(kernel: Kernel = .linear, estimator: Estimator = .debiased) {
    (self.kernel, self.estimator) = (kernel, estimator)
  }

  public var name: String {
    (estimator == .debiased ? "unbiased-hsic" : "biased-hsic")
      + (kernel == .linear ? "" : "-\(kernel)")
  }
  public var direction: Direction { .similarity }
  public var isSymmetric: Bool { true }
  public var isMetric: Bool { false }
  public var invariances: Invariance {
    kernel == .linear
      ? [.translation, .permutation, .orthogonal]
      : [.translation, .scaling, .permutation, .orthogonal]
  }
  public var range: ClosedRange<Double> {
    estimator == .debiased ? -Double.infinity...(.infinity) : 0...(.infinity)
  }
  public var cost: String { "N²D once a representation, N²/2 a pair" }
  public var needsPairing: Bool { true }
  public var source: String {
    estimator == .debiased
      ? "Song et al., 2012, JMLR 13, equation 5" : "Gretton et al., 2005, definition 1"
  }
  public var agreesWith: String { "repsim 0.1.5 (hsic), to 12 digits in float64" }

  public func summary(of features: Tensor) throws -> GramSummary {
    try GramSummary(features, kernel: kernel, estimator: estimator, measure: name)
  }

  public func similarity(_ a: GramSummary, _ b: GramSummary) throws -> Double {
    try a.hsic(b, measure: name)
  }
}
