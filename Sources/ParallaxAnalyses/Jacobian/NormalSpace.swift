import ParallaxTensors

/// The directions in which a small step changes an embedding, and the others.
///
/// The normal space is the span of the right singular vectors v_i with σ_i > τ·σ₁; the tangent space, its orthogonal complement of
/// at least inputs − features dimensions, holds the directions along which the embedding stays as it is to first order.
/// P_N·d = V_rᵀV_r·d, P_T·d = d − P_N·d. Of leading values alone it is that part of the normal space which they span.
///
/// > Source: Salman et al., 2024, arXiv 2401.15568 for the notion; the threshold is our reconstruction.
public struct NormalSpace: Sendable {
  /// V_r, orthonormal rows `[rank, inputs]`.
  public let vectors: Tensor
  /// σ of each.
  public let values: [Double]
  /// Whether it is all of it: J was decomposed as a whole, or no value above the threshold is missing.
  public let isWhole: Bool

  /// r.
  public var rank: Int { values.count }

  /// The normal space that singular values span.
  ///
  /// - Parameters:
  ///   - spectrum: with its vectors.
  ///   - threshold: τ; what lies below the rounding of the values is never taken.
  /// - Throws: `TensorError.operation` where LAPACK fails.
  public init(_ spectrum: SingularValues, threshold: Double = 1e-3) throws {
    let limit = max(threshold, spectrum.floor) * (spectrum.values.first ?? 0)
    values = Array(spectrum.values.prefix { $0 > limit })
    // A value that has not converged hides larger ones behind it.
    isWhole = spectrum.isComplete || values.count < spectrum.converged()
    let chosen = spectrum.right.sliced(0, 0, values.count)
    vectors = values.isEmpty ? chosen : try JacobianAlgebra.orthonormal(chosen)
  }

  /// P_N·d, for rows of directions.
  ///
  /// - Parameter directions: d, `[rows, inputs]`.
  /// - Returns: the same shape.
  public func normal(_ directions: Tensor) -> Tensor {
    directions.times(vectors.transposed()).times(vectors)
  }

  /// P_T·d, for rows of directions.
  ///
  /// - Parameter directions: d, `[rows, inputs]`.
  /// - Returns: the same shape.
  public func tangent(_ directions: Tensor) -> Tensor { directions - normal(directions) }

  /// ‖P_N·d‖/‖d‖ of each direction: about √(rank/inputs) for a random one, 1 for one that matters.
  ///
  /// - Parameter directions: d, `[rows, inputs]`.
  /// - Returns: a share from 0 to 1 for each row; NaN for a direction of zeros.
  public func share(_ directions: Tensor) -> [Double] {
    let whole = directions.to(.float64).norm(over: [1])
    return (normal(directions).to(.float64).norm(over: [1]) / whole).scalars(Double.self)
  }
}
