import ParallaxTensors

/// The norm of the difference of two matrices of Euclidean distances, ‖D − D'‖.
///
/// - Frobenius (the default): √Σ_ij (d_ij − d'_ij)² over all i and j;
/// - triangle: the same over i < j, 1/√2 of it;
/// - spectral: the largest absolute eigenvalue of D − D'.
///
/// Grows with the scale of the features and with the number of images. The three are told apart because
/// implementations do not: ReSi's takes the spectral norm where its comment says triangle. Agrees with NumPy
/// to 12 digits in float64.
///
/// > Source: Klabunde et al., 2025, arXiv 2305.06329, norm of the RSM difference.
public struct RSMNormDifference: Measure {
  /// The norm of the difference.
  public enum Norm: String, Sendable, Hashable, Codable, CaseIterable {
    /// All entries.
    case frobenius
    /// The entries above the diagonal.
    case triangle
    /// The largest absolute eigenvalue.
    case spectral
  }

  /// The norm.
  public let norm: Norm

  /// The difference in a norm.
  public init(_ norm: Norm = .frobenius) { self.norm = norm }

  /// `rsm-norm-difference`, with the norm where it is not Frobenius'.
  public var name: String {
    "rsm-norm-difference" + (norm == .frobenius ? "" : "-\(norm.rawValue)")
  }
  /// A distance: 0 for representations that an isometry maps onto one another.
  public var direction: Direction { .distance }
  /// ‖D − D'‖ = ‖D' − D‖.
  public var isSymmetric: Bool { true }
  /// A norm of a difference; zero where the representations have the same distances.
  public var isMetric: Bool { true }
  /// Whatever keeps distances; scaling does not.
  public var invariances: Invariance { [.translation, .permutation, .orthogonal] }
  /// From 0, in the features' unit.
  public var range: ClosedRange<Double> { 0...(.infinity) }
  /// The distances once a representation.
  public var cost: String { "N²D once a representation, N²/2 a pair (N³ for the spectral norm)" }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// Two: one alone has no distance.
  public var fewestImages: Int { 2 }
  /// The survey that lists it.
  public var source: String {
    "Klabunde et al., 2025, arXiv 2305.06329, norm of the RSM difference"
  }
  /// The implementation that gives the same numbers, and to how many digits.
  public var agreesWith: String {
    "NumPy" + (norm == .spectral ? " and the golden value of ReSi" : "")
      + ", to 12 digits in float64"
  }

  /// The distances of all pairs of images.
  ///
  /// - Parameter features: `[images, width]`, at least two images.
  /// - Returns: N(N−1)/2 numbers.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite` or `.constant`.
  public func summary(of features: Tensor) throws -> RDM {
    try summary(from: SharedParts(features))
  }

  /// Euclidean distances.
  public var sharedPart: SharedPart? { .distances(.euclidean) }

  /// The same, of distances that other measures share.
  ///
  /// - Throws: as `summary(of:)`.
  public func summary(from parts: SharedParts) throws -> RDM {
    try RDM.make(parts, .euclidean, fewest: fewestImages, measure: name)
  }

  /// The distances between those images.
  ///
  /// - Throws: `MeasureError.tooFew`, `MeasureError.constant`.
  public func selected(_ summary: RDM, _ images: ImageSelection) throws -> RDM? {
    try summary.selected(images, fewest: fewestImages, measure: name)
  }

  /// ‖D − D'‖, in the features' unit.
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where the element types differ.
  public func similarity(_ a: RDM, _ b: RDM) throws -> Double {
    try a.check(b, measure: name)
    let difference = a.values - b.values
    switch norm {
    case .triangle: return difference.norm(over: [0]).item(Double.self)
    case .frobenius: return 2.0.squareRoot() * difference.norm(over: [0]).item(Double.self)
    case .spectral:
      // The sides in one order, so that rounding is the same both ways.
      let sign = difference.sum().item(Double.self) < 0 ? -1.0 : 1.0
      let matrix = a.unpacked(difference * sign)
      return Plain.eigenvalues(matrix).absolute().maximum().item(Double.self)
    }
  }
}
