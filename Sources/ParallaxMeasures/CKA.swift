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
public struct CKA: MomentMeasure {
  /// The kernel of both sides.
  public let kernel: Kernel
  /// The estimator of the three HSIC.
  public let estimator: Estimator

  /// CKA with a kernel and an estimator.
  public init(kernel: Kernel = .linear, estimator: Estimator = .debiased) {
    (self.kernel, self.estimator) = (kernel, estimator)
  }

  /// `cka`, `cka-biased`, `cka-rbf-0.5`, `cka-biased-rbf-0.5`: the debiased linear one needs no suffix.
  public var name: String {
    "cka" + (estimator == .debiased ? "" : "-biased") + (kernel == .linear ? "" : "-\(kernel)")
  }
  /// A similarity: 1 for a representation with itself.
  public var direction: Direction { .similarity }
  /// HSIC(K, L) = HSIC(L, K).
  public var isSymmetric: Bool { true }
  /// The triangle inequality does not hold; `AngularCKA` is the metric made from it.
  public var isMetric: Bool { false }
  /// The RBF kernel ignores scaling too, since its width follows the median distance. A linear map that is not
  /// orthogonal changes the value.
  public var invariances: Invariance { [.translation, .scaling, .permutation, .orthogonal] }
  /// From 0 for the biased estimator; the debiased one may be slightly negative.
  public var range: ClosedRange<Double> { estimator == .debiased ? -1...1 : 0...1 }
  /// The Gram matrix once for each representation, one product of two packed triangles for each pair.
  public var cost: String { "N²D once a representation, N²/2 a pair" }
  /// The RBF kernel needs the distances of the images.
  public var needsRows: Bool { kernel != .linear }
  /// Debiasing takes off what each image gives by itself.
  public var needsLengths: Bool { estimator == .debiased }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// The biased estimator grows with the widths.
  public var pitfalls: [Pitfall] { estimator == .biased ? [.width] : [] }
  /// Four; two for the biased estimator.
  public var fewestImages: Int { estimator.fewest }
  /// The paper of the estimator, and the equation.
  public var source: String {
    estimator == .debiased
      ? "Nguyen et al., 2021, arXiv 2010.15327, equation 3"
      : "Kornblith et al., 2019, arXiv 1905.00414, equation 4"
  }
  /// The implementations that give the same numbers, those of the linear biased CKA being the most.
  public var agreesWith: String {
    "google-research representation_similarity (to 10 digits in float64)"
      + (estimator == .biased && kernel == .linear ? ", repsim 0.1.5, rsatoolbox cosine_cov" : "")
  }

  /// The centred Gram matrix, one triangle of it.
  ///
  /// - Parameter features: `[images, width]`, at least four images (two for the biased estimator).
  /// - Returns: n(n−1)/2 numbers (n(n+1)/2 for the biased estimator) and HSIC(K, K).
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite` or `.constant`.
  public func summary(of features: Tensor) throws -> GramSummary {
    try summary(from: SharedParts(features))
  }

  /// The Gram matrix, of which every kernel's and estimator's is made.
  public var sharedPart: SharedPart? { SharedPart("gram") }

  /// The same, of a Gram matrix that other measures share.
  ///
  /// - Throws: as `summary(of:)`.
  public func summary(from parts: SharedParts) throws -> GramSummary {
    try GramSummary.make(parts, kernel: kernel, estimator: estimator, measure: name)
  }

  /// Reordered, or centred anew without the images that are left out.
  ///
  /// - Throws: `MeasureError.tooFew`.
  public func selected(_ summary: GramSummary, _ images: ImageSelection) throws -> GramSummary? {
    try summary.selected(images, measure: name)
  }

  /// HSIC(K, L) / √(HSIC(K, K)·HSIC(L, L)), never clamped.
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where element types, kernels or estimators
  ///   differ.
  public func similarity(_ a: GramSummary, _ b: GramSummary, _ cross: CrossMoment?) throws -> Double
  {
    try a.hsic(b, cross, measure: name) / (a.selfHSIC * b.selfHSIC).squareRoot()
  }
}
