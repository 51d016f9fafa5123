import ParallaxTensors

/// The eigenvalues of a representation's covariance.
///
/// They are σ²/(N−1) of the singular values σ of the centred features, which are computed in float64: the
/// small ones would be rounding otherwise. Singular values at or below σ₁·max(N, D)·2⁻⁵² are taken for zero
/// and left out; their number is the rank, at most min(N−1, D).
///
/// > Source: NumPy's `matrix_rank` for the tolerance.
public struct Spectrum: Sendable, Hashable {
  /// The number of images.
  public let images: Int
  /// The number of features.
  public let width: Int
  /// The singular values of the centred features above the tolerance, largest first.
  public let singularValues: [Double]

  /// The number of eigenvalues that are not zero.
  public var rank: Int { singularValues.count }
  /// The eigenvalues of the covariance over N−1, largest first.
  public var eigenvalues: [Double] {
    singularValues.map { $0 * $0 / Double(images - 1) }
  }
  /// The share of the variance that each direction holds, largest first; they sum to 1.
  public var shares: [Double] {
    let squares = singularValues.map { $0 * $0 }
    let sum = squares.reduce(0, +)
    return squares.map { $0 / sum }
  }

  /// The spectrum of a representation.
  ///
  /// - Parameters:
  ///   - features: `[images, width]`, at least two images.
  ///   - measure: whose name errors give.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite` or `.constant`; `TensorError.operation` where LAPACK
  ///   does not converge.
  public init(_ features: Tensor, measure: String = "spectrum") throws {
    _ = try Checked.precision(of: features, atLeast: 2, measure: measure)
    let centred = Gram.centred(Gram.widened(features), in: .float64)
    let all = try Decomposition.singularValues(centred)
    (images, width) = (features.shape[0], features.shape[1])
    guard let largest = all.first, largest > 0 else {
      throw MeasureError.constant(measure: measure)
    }
    let tolerance = largest * Double(max(images, width)) * Double.ulpOfOne
    singularValues = all.filter { $0 > tolerance }
  }

  /// The spectrum of a representation whose second moments are known and checked.
  ///
  /// Squares of singular values have the digits of the sums: those at or below 8·D·2⁻⁵² of the largest are left out, which
  /// are singular values below about 10⁻⁶ of it.
  ///
  /// - Throws: `TensorError.operation` where LAPACK does not converge.
  init(_ moments: Moments) throws {
    (images, width) = (moments.images, moments.width)
    let squares: [Double] = try Decomposition.eigenvalues(moments.centred).reversed()
    let tolerance = squares[0] * moments.noise
    singularValues = squares.filter { $0 > tolerance }.map { $0.squareRoot() }
  }
}
