import ParallaxTensors

/// GULP: how differently the best ridge regressions on two representations can predict.
///
/// d² = tr(Σ_λ⁻¹ΣΣ_λ⁻¹Σ) + tr(Σ′_λ⁻¹Σ′Σ′_λ⁻¹Σ′) − 2 tr(Σ_λ⁻¹Σ_×Σ′_λ⁻¹Σ_×ᵀ), Σ_λ = Σ + λI, of data that are
/// centred and scaled to ‖X‖_F = √N. With G = diag(s²/(s² + λ)), s² the variances, it is the squared distance
/// ‖UGUᵀ − U′G′U′ᵀ‖²_F. λ = 0 asks for every linear target and equals rank + rank′ − 2Σρ².
///
/// The paper defines d by its square and calls both the distance; d is the metric. Here `gulp` is d, and
/// `gulp-squared` is d², the number that the authors' code and ReSi return. At λ = 0 a rank that reaches
/// images − 1 is refused, as in ``CCA``.
///
/// Float64 throughout. d² agrees with ReSi and with the authors' code to 12 digits.
///
/// > Source: Boix-Adserà et al., 2022, arXiv 2210.06545.
public struct GULP: MomentMeasure {
  /// λ, the strength of the ridge penalty; the variances sum to 1.
  public let penalty: Double
  /// Whether the value is d².
  public let isSquared: Bool

  /// GULP with a penalty λ.
  ///
  /// - Precondition: the penalty is not negative.
  public init(penalty: Double = 0, squared isSquared: Bool = false) {
    precondition(penalty >= 0 && penalty.isFinite, "GULP: a penalty of 0 or more")
    (self.penalty, self.isSquared) = (penalty, isSquared)
  }

  /// `gulp`, `gulp-squared`, and `-λ` where λ is not 0.
  public var name: String {
    "gulp" + (isSquared ? "-squared" : "") + (penalty == 0 ? "" : "-\(penalty)")
  }
  /// A distance: 0 where both predict the same.
  public var direction: Direction { .distance }
  /// Both sides are treated alike.
  public var isSymmetric: Bool { true }
  /// d is a Frobenius distance between matrices that one side determines; its square is no metric.
  public var isMetric: Bool { !isSquared }
  /// Any invertible linear map where there is no penalty.
  public var invariances: Invariance {
    let common: Invariance = [.translation, .scaling, .permutation, .orthogonal]
    return penalty == 0 ? common.union(.linear) : common
  }
  /// From 0; d² at λ = 0 is at most rank + rank′.
  public var range: ClosedRange<Double> { 0...(.infinity) }
  /// A decomposition once a representation; a pair is one product, three where the sides are close.
  public var cost: String { "ND² + D³ once a representation, ND² a pair" }
  /// Two, or three where nothing is added to the covariance.
  public var fewestImages: Int { penalty == 0 ? 3 : 2 }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// The paper.
  public var source: String { "Boix-Adserà et al., 2022, arXiv 2210.06545" }
  /// The implementation that gives the same number.
  public var agreesWith: String {
    "the golden value of ReSi (Gulp)\(isSquared ? "" : ", after the square root"), to 12 digits in float64"
  }

  /// An orthonormal basis of the centred representation and the variance along it.
  ///
  /// - Parameter features: `[images, width]`, at least two images; without a penalty at least three, and more
  ///   than the rank plus one.
  /// - Returns: the basis, float64.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite` or `.constant`.
  public func summary(of features: Tensor) throws -> PrincipalBasis {
    try summary(from: SharedParts(features))
  }

  /// The centred basis.
  public var sharedPart: SharedPart? { .basis }

  /// The same, of a basis that other measures share.
  ///
  /// - Throws: as `summary(of:)`.
  public func summary(from parts: SharedParts) throws -> PrincipalBasis {
    let basis = try parts.basis(atLeast: penalty == 0 ? 3 : 2, measure: name)
    if penalty == 0 { try basis.checkSpan(measure: name) }
    return basis
  }

  /// Reordered; nil where images are left out.
  public func selected(_ summary: PrincipalBasis, _ images: ImageSelection) throws
    -> PrincipalBasis?
  {
    summary.selected(images)
  }

  /// d, or d².
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where the element types differ.
  public func similarity(_ a: PrincipalBasis, _ b: PrincipalBasis, _ cross: CrossMoment?) throws
    -> Double
  {
    let cosines = try a.cosines(b, cross, measure: name)
    let (g, h) = (gains(a), gains(b))
    let gains = Tensor(g, shape: [g.count, 1]).to(cosines.device)
    let total = (g + h).reduce(0) { $0 + $1 * $1 }
    let shared = (gains * cosines.squared()).columns(times: h).sum().item(Double.self)
    var squared = total - 2 * shared
    if squared < 0.01 * total {
      // Rounding would take over: the same in a basis of U and of E = U′ − UUᵀU′, where every term is a square.
      let rest = a.outside(b, cosines: cosines)
      let inside = cosines.columns(times: h)
      let within = Tensor.identity(g.count, .float64).to(cosines.device) * gains
      let outside = Tensor(h, shape: [h.count, 1]).to(rest.device) * rest
      squared =
        (within - inside.times(cosines.transposed())).squaredNorm()
        + 2 * (inside * inside.times(rest)).sum().item(Double.self)
        + (outside * outside.transposed()).sum().item(Double.self)
    }
    return isSquared ? squared.difference(of: total) : squared.rootOfDifference(of: total)
  }

  /// s²/(s² + λ) of each direction, the variances as shares of their sum.
  private func gains(_ basis: PrincipalBasis) -> [Double] {
    basis.singularValues.map {
      let variance = $0 * $0 / basis.squaredNorm
      return variance / (variance + penalty)
    }
  }
}
