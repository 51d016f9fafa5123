import ParallaxTensors

/// LAPACK's decompositions of matrices of some hundred rows.
enum JacobianAlgebra {
  private static let svd = Operator("aten::linalg_svd")
  private static let eigh = Operator("aten::linalg_eigh")
  private static let qr = Operator("aten::linalg_qr")
  private static let solve = Operator("aten::linalg_solve_ex")

  /// A = U·diag(s)·Vᵀ, the thin form; values in descending order.
  static func singular(_ matrix: Tensor) throws -> (u: Tensor, s: [Double], vt: Tensor) {
    let parts = try svd.attempt([matrix, false, Absent.none]).compactMap(\.tensor)
    return (parts[0], parts[1].scalars(Double.self), parts[2])
  }

  /// The eigenvalues of a symmetric matrix in descending order, and its eigenvectors as columns.
  static func eigen(_ matrix: Tensor) throws -> (values: [Double], vectors: Tensor) {
    let parts = try eigh.attempt([matrix, "L"]).compactMap(\.tensor)
    return (parts[0].scalars(Double.self).reversed(), parts[1].flipped(1))
  }

  /// Orthonormal rows that span those of a matrix `[rows, width]`, rows ≤ width.
  static func orthonormal(_ rows: Tensor) throws -> Tensor {
    try qr.attempt([rows.transposed(), "reduced"]).compactMap(\.tensor)[0].transposed()
  }

  /// X of A·X = B; nil where A is singular.
  static func solved(_ matrix: Tensor, _ right: Tensor) throws -> Tensor? {
    let parts = try solve.attempt([matrix, right]).compactMap(\.tensor)
    return parts[1].item(Int64.self) == 0 ? parts[0] : nil
  }
}

/// Orthonormal vectors of one length, one after the other, and what of others lies outside their span.
struct OrthonormalBasis {
  private static let blockSize = 16
  private var blocks: [Tensor] = []
  private var last: [Tensor] = []

  /// How many.
  var count: Int { blocks.count * Self.blockSize + last.count }

  /// Adds a vector of norm 1 that is orthogonal to the others.
  mutating func append(_ vector: Tensor) {
    last.append(vector)
    if last.count == Self.blockSize {
      blocks.append(Tensor.stacked(last))
      last = []
    }
  }

  /// The part of a vector that is orthogonal to all of them, twice over, so that rounding leaves nothing.
  func removed(from vector: Tensor) -> Tensor {
    var rest = vector.reshaped(-1, 1)
    for _ in 0..<2 {
      for block in all { rest = rest - block.transposed().times(block.times(rest)) }
    }
    return rest.reshaped(-1)
  }

  private var all: [Tensor] { last.isEmpty ? blocks : blocks + [Tensor.stacked(last)] }

  /// Σ coefficients[i, j]·vector[j], `[rows, length]`.
  func combined(_ coefficients: Tensor) -> Tensor {
    var (sum, first): (Tensor?, Int) = (nil, 0)
    for block in all {
      let count = block.shape[0]
      let part = coefficients.sliced(1, first, first + count).to(block.dtype).to(block.device)
        .times(block)
      (sum, first) = (sum.map { $0 + part } ?? part, first + count)
    }
    return sum ?? coefficients
  }
}
