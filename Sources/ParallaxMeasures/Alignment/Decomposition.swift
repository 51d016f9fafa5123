import ParallaxTensors

/// Decompositions of float64 matrices by LAPACK.
enum Decomposition {
  private static let svd = Operator("aten::linalg_svd")
  private static let svdvals = Operator("aten::linalg_svdvals")
  private static let qr = Operator("aten::linalg_qr")
  private static let eigh = Operator("aten::linalg_eigh")
  private static let eigvalsh = Operator("aten::linalg_eigvalsh")

  /// A = U·diag(s)·Vᵀ, singular values in descending order.
  ///
  /// - Parameters:
  ///   - matrix: `[m, n]`.
  ///   - full: whether U is `[m, m]` and Vᵀ `[n, n]`; else they are `[m, k]` and `[k, n]`, k = min(m, n).
  /// - Returns: U, s and Vᵀ.
  /// - Throws: `TensorError.operation` where LAPACK does not converge.
  static func singular(_ matrix: Tensor, full: Bool = false) throws -> (
    u: Tensor, s: Tensor, vt: Tensor
  ) {
    let parts = try svd.attempt([matrix, full, Absent.none]).compactMap(\.tensor)
    return (parts[0], parts[1], parts[2])
  }

  /// The singular values in descending order.
  ///
  /// - Throws: `TensorError.operation` where LAPACK does not converge.
  static func singularValues(_ matrix: Tensor) throws -> [Double] {
    try svdvals.attempt([matrix, Absent.none]).compactMap(\.tensor)[0].doubles
  }

  /// R of A = QR: `[m, n]` → `[min(m, n), n]`.
  static func triangle(_ matrix: Tensor) throws -> Tensor {
    try qr.attempt([matrix, "r"]).compactMap(\.tensor)[1]
  }

  /// An orthonormal basis of the columns: Q of A = QR, `[m, n]` → `[m, min(m, n)]`.
  static func basis(_ matrix: Tensor) throws -> Tensor {
    try qr.attempt([matrix, "reduced"]).compactMap(\.tensor)[0]
  }

  /// The eigenvalues of a symmetric matrix, ascending.
  ///
  /// - Throws: `TensorError.operation` where LAPACK does not converge.
  static func eigenvalues(_ matrix: Tensor) throws -> [Double] {
    try eigvalsh.attempt([matrix, "L"]).compactMap(\.tensor)[0].doubles
  }

  /// The eigenvalues of symmetric matrices, ascending, and their eigenvectors as columns.
  ///
  /// - Throws: `TensorError.operation` where LAPACK does not converge.
  static func eigen(_ matrices: Tensor) throws -> (values: Tensor, vectors: Tensor) {
    let parts = try eigh.attempt([matrices, "L"]).compactMap(\.tensor)
    return (parts[0], parts[1])
  }
}
