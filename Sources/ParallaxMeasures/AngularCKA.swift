import Foundation
import ParallaxTensors

/// The angle between two centred Gram matrices: arccos of the biased linear CKA, in radians.
///
/// Computed as 2·atan2(‖K−L‖, ‖K+L‖) of the matrices with norm one, which keeps its digits near zero and
/// needs no clamping. Agrees with netrep's angular CKA to 10 digits in float64.
///
/// > Source: Williams et al., 2021, arXiv 2110.14739, section 2.4.
public struct AngularCKA: Measure {
  /// The angle; there is nothing to choose.
  public init() {}

  public var name: String { "cka-angular" }
  public var direction: Direction { .distance }
  public var isSymmetric: Bool { true }
  public var isMetric: Bool { true }
  public var invariances: Invariance { [.translation, .scaling, .permutation, .orthogonal] }
  public var range: ClosedRange<Double> { 0...(Double.pi / 2) }
  public var cost: String { "N²D once a representation, N²/2 a pair" }
  public var needsPairing: Bool { true }
  public var source: String { "Williams et al., 2021, arXiv 2110.14739, section 2.4" }
  public var agreesWith: String { "netrep (angular CKA), to 10 digits in float64" }

  public func summary(of features: Tensor) throws -> GramSummary {
    try GramSummary(features, kernel: .linear, estimator: .biased, measure: name)
  }

  public func similarity(_ a: GramSummary, _ b: GramSummary) throws -> Double {
    // For its checks; the value itself would lose half of its digits in the arc cosine.
    _ = try a.hsic(b, measure: name)
    let (x, y) = (a.gram.values.to(.float64), b.gram.values.to(.float64))
    let (u, v) = (x / x.norm(over: [0]), y / y.norm(over: [0]))
    let (difference, sum) = ((u - v).norm(over: [0]), (u + v).norm(over: [0]))
    return 2 * atan2(difference.item(Double.self), sum.item(Double.self))
  }
}
