import Foundation
import ParallaxTensors

/// The angle between two centred Gram matrices: arccos of the biased linear CKA, in radians.
///
/// Computed as 2·atan2(‖K−L‖, ‖K+L‖) of the matrices with norm one, which keeps its digits near zero and
/// needs no clamping. Agrees with netrep's angular CKA to 10 digits in float64.
///
/// > Source: Williams et al., 2021, arXiv 2110.14739, section 2.4.
public struct AngularCKA: MomentMeasure {
  /// The angle; there is nothing to choose.
  public init() {}

  /// `cka-angular`.
  public var name: String { "cka-angular" }
  /// A distance: 0 for representations with the same Gram matrix up to scale.
  public var direction: Direction { .distance }
  /// ‖K − L‖ and ‖K + L‖ do not know which side is which.
  public var isSymmetric: Bool { true }
  /// The angle between two vectors of norm one is a metric; CKA itself is none.
  public var isMetric: Bool { true }
  /// Whatever leaves the direction of the centred Gram matrix as it is; no further linear map does.
  public var invariances: Invariance { [.translation, .scaling, .permutation, .orthogonal] }
  /// From 0 to π/2, in radians: centred Gram matrices are positive semi-definite, so none point apart.
  public var range: ClosedRange<Double> { 0...(Double.pi / 2) }
  /// The Gram matrix once for each representation, one product of two packed triangles for each pair.
  public var cost: String { "N²D once a representation, N²/2 a pair" }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// Made of the biased estimator, it falls as the widths grow.
  public var pitfalls: [Pitfall] { [.width] }
  /// Two; one alone has no centred Gram matrix.
  public var fewestImages: Int { 2 }
  /// The paper and its section.
  public var source: String { "Williams et al., 2021, arXiv 2110.14739, section 2.4" }
  /// The implementation that the golden value is compared with.
  public var agreesWith: String {
    "the golden value of netrep (angular CKA), to 10 digits in float64"
  }

  /// The centred linear Gram matrix, one triangle of it.
  ///
  /// - Parameter features: `[images, width]`, at least two images.
  /// - Returns: n(n+1)/2 numbers and HSIC₀(K, K).
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
    try GramSummary.make(parts, kernel: .linear, estimator: .biased, measure: name)
  }

  /// Reordered, or centred anew without the images that are left out.
  ///
  /// - Throws: `MeasureError.tooFew`.
  public func selected(_ summary: GramSummary, _ images: ImageSelection) throws -> GramSummary? {
    try summary.selected(images, measure: name)
  }

  /// The angle 2·atan2(‖K/‖K‖ − L/‖L‖‖, ‖K/‖K‖ + L/‖L‖‖), in radians.
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where the element types differ.
  public func similarity(_ a: GramSummary, _ b: GramSummary, _ cross: CrossMoment?) throws -> Double
  {
    // For its checks; the value itself would lose half of its digits in the arc cosine.
    let hsic = try a.hsic(b, cross, measure: name)
    guard let left = a.gram, let right = b.gram else {
      // ‖K/‖K‖ ∓ L/‖L‖‖² = 2 ∓ 2·CKA; of moments alone there is no more.
      let cosine = hsic / (a.selfHSIC * b.selfHSIC).squareRoot()
      return 2 * atan2((1 - cosine).rootOfDifference(of: 1), (1 + cosine).squareRoot())
    }
    let (x, y) = (Gram.widened(left.values), Gram.widened(right.values))
    let (u, v) = (x / x.norm(over: [0]), y / y.norm(over: [0]))
    let (difference, sum) = ((u - v).norm(over: [0]), (u + v).norm(over: [0]))
    return 2 * atan2(difference.item(Double.self), sum.item(Double.self))
  }
}
