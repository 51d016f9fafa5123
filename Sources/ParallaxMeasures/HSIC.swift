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
public struct HSIC: MomentMeasure {
  /// The kernel of both sides.
  public let kernel: Kernel
  /// The estimator.
  public let estimator: Estimator

  /// HSIC with a kernel and an estimator.
  public init(kernel: Kernel = .linear, estimator: Estimator = .debiased) {
    (self.kernel, self.estimator) = (kernel, estimator)
  }

  /// `unbiased-hsic`, `biased-hsic`, and the kernel where it is not the linear one.
  public var name: String {
    (estimator == .debiased ? "unbiased-hsic" : "biased-hsic")
      + (kernel == .linear ? "" : "-\(kernel)")
  }
  /// A similarity: larger is more dependent, without an upper bound.
  public var direction: Direction { .similarity }
  /// ⟨K̂, L̂⟩ = ⟨L̂, K̂⟩.
  public var isSymmetric: Bool { true }
  /// HSIC is an inner product, not a distance.
  public var isMetric: Bool { false }
  /// With the linear kernel, scaling one side by c scales the value by c². The RBF kernel's width follows the median
  /// distance and takes the scale out.
  public var invariances: Invariance {
    kernel == .linear
      ? [.translation, .permutation, .orthogonal]
      : [.translation, .scaling, .permutation, .orthogonal]
  }
  /// All real numbers for the unbiased estimator, which may be negative; from 0 for the biased one.
  public var range: ClosedRange<Double> {
    estimator == .debiased ? -Double.infinity...(.infinity) : 0...(.infinity)
  }
  /// The Gram matrix once for each representation, one product of two packed triangles for each pair.
  public var cost: String { "N²D once a representation, N²/2 a pair" }
  /// The RBF kernel needs the distances of the images.
  public var needsRows: Bool { kernel != .linear }
  /// Debiasing takes off what each image gives by itself.
  public var needsLengths: Bool { estimator == .debiased }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// The linear kernel's value follows the features' size; the biased estimator grows with the widths.
  public var pitfalls: [Pitfall] {
    (kernel == .linear ? [.size] : []) + (estimator == .biased ? [.width] : [])
  }
  /// Four; two for the biased estimator.
  public var fewestImages: Int { estimator.fewest }
  /// The paper of the estimator, and the equation.
  public var source: String {
    estimator == .debiased
      ? "Song et al., 2012, JMLR 13, equation 5" : "Gretton et al., 2005, definition 1"
  }
  /// The implementation that gives the same numbers, and to how many digits.
  public var agreesWith: String { "repsim 0.1.5 (hsic), to 12 digits in float64" }

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

  /// HSIC(K, L): ⟨K̂, L̂⟩ over n(n−3), or over (n−1)².
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where element types, kernels or estimators
  ///   differ.
  public func similarity(_ a: GramSummary, _ b: GramSummary, _ cross: CrossMoment?) throws -> Double
  {
    try a.hsic(b, cross, measure: name)
  }
}
