import ParallaxTensors

/// The singular values of a Jacobian, and how sure they are.
public struct SingularValues: Sendable {
  /// How they were found.
  public enum Method: Sendable, Hashable {
    /// The singular value decomposition of J in float64.
    case decomposition
    /// The eigenvalues of J·Jᵀ or Jᵀ·J in float64: values below 1e-7 of the largest are rounding.
    case gram
    /// Golub–Kahan bidiagonalisation with so many steps.
    case bidiagonalisation(steps: Int)
  }

  /// How they were found.
  public let method: Method
  /// σ₁ ≥ σ₂ ≥ …, as many as were asked for, or as there are.
  public let values: [Double]
  /// ‖J·v − σ·u‖ of each pair of vectors, where ‖Jᵀ·u − σ·v‖ = 0: a singular value lies within it. Zeros where J was
  /// decomposed as a whole.
  public let residuals: [Double]
  /// Whether these are all min(features, inputs) values; those that are not listed are 0 then.
  public let isComplete: Bool
  /// min(features, inputs).
  public let count: Int
  /// The estimate of ‖J‖²_F = Σσ²; exact where the values are complete.
  public let squaredNorm: Double
  /// The standard error of `squaredNorm`; 0 where it is exact.
  public let squaredNormError: Double
  /// Below this share of σ₁ values are rounding.
  public let floor: Double
  /// The vectors u as rows `[values, features]`.
  public let left: Tensor
  /// The vectors v as rows `[values, inputs]`; of values that are rounding they are none.
  public let right: Tensor

  /// How many of the leading values have a residual of at most this share of themselves.
  ///
  /// - Parameter tolerance: the share.
  /// - Returns: the number of values before the first that has not.
  public func converged(within tolerance: Double = 0.05) -> Int {
    zip(values, residuals).prefix { $0 > 0 && $1 <= tolerance * $0 }.count
  }
}

extension LayerJacobian {
  /// The most rows or columns of which a Jacobian is decomposed as a whole unless somebody says otherwise.
  public static let wholeLimit = 1024

  /// Singular values of J at one image.
  ///
  /// J is decomposed as a whole where min(features, inputs) ≤ `whole`: directly in float64 where it is small, else by the
  /// eigenvalues of its Gram matrix in float64. Of a larger one the leading values come from products (``Bidiagonalisation``).
  ///
  /// - Parameters:
  ///   - image: which image.
  ///   - count: how many values a bidiagonalisation looks for.
  ///   - whole: the largest min(features, inputs) for which J is formed.
  ///   - options: of the bidiagonalisation.
  ///   - isInterrupted: asked before each product, or batch of them.
  /// - Returns: the values; every one where J was formed, else `count`, each with its residual.
  /// - Throws: `AnalysisError.interrupted`; `AnalysisError.site` where J is 0 or not finite; what products throw.
  public func singularValues(
    of image: Int = 0, leading count: Int = 64, whole: Int = wholeLimit,
    options: Bidiagonalisation.Options = Bidiagonalisation.Options(),
    isInterrupted: () -> Bool = { false }
  ) throws -> SingularValues {
    let least = min(features, inputs)
    guard least <= whole else {
      var options = options
      options.count = count
      return try withoutActuallyEscaping(isInterrupted) { asked in
        var iteration = Bidiagonalisation(self, image, options, asked)
        return try iteration()
      }
    }
    let matrix = try matrix(of: image, isInterrupted: isInterrupted)
    release()
    return try Self.decomposed(matrix, named: name)
  }

  /// The singular values of a matrix `[features, inputs]`.
  ///
  /// - Parameters:
  ///   - matrix: J.
  ///   - name: what errors call it.
  /// - Returns: all values.
  /// - Throws: `AnalysisError.site` where it is 0 or not finite, `TensorError.operation` where LAPACK does not converge.
  static func decomposed(_ matrix: Tensor, named name: String) throws -> SingularValues {
    guard matrix.isFinite() else {
      throw AnalysisError.site(name, problem: "NaN or infinity in the Jacobian")
    }
    let (rows, columns) = (matrix.shape[0], matrix.shape[1])
    let least = min(rows, columns)
    // What a product in the function's own numbers rounds away.
    let own = matrix.dtype == .float64 ? 1e-15 : 1e-6
    if Double(rows) * Double(columns) <= 4e6 {
      let (u, s, vt) = try JacobianAlgebra.singular(matrix.to(.cpu).to(.float64))
      guard let first = s.first, first > 0 else { throw vanishing(name) }
      return SingularValues(
        method: .decomposition, values: s, residuals: s.map { _ in 0 }, isComplete: true,
        count: least, squaredNorm: s.reduce(0) { $0 + $1 * $1 }, squaredNormError: 0,
        floor: max(own, 1e-15 * Double(max(rows, columns))), left: u.transposed(), right: vt)
    }
    let isWide = rows <= columns
    let gram = gram(isWide ? matrix : matrix.transposed())
    let (squares, vectors) = try JacobianAlgebra.eigen(gram.to(.cpu))
    let values = squares.map { max(0, $0).squareRoot() }
    guard let first = values.first, first > 0 else { throw vanishing(name) }
    // What lies below the floor is rounding, and so would its other vectors be.
    let floor = max(own, 1e-7)
    let inverse = values.map { $0 > floor * first ? 1 / $0 : 0 }
    let one = vectors.transposed()
    let scale = Tensor(inverse, shape: [least, 1])
    let other = ((one * scale).to(matrix.dtype).to(matrix.device))
      .times(isWide ? matrix : matrix.transposed())
    return SingularValues(
      method: .gram, values: values, residuals: values.map { _ in 0 }, isComplete: true,
      count: least, squaredNorm: gram.diagonal().sum().item(Double.self), squaredNormError: 0,
      floor: floor, left: isWide ? one : other, right: isWide ? other : one)
  }

  static func vanishing(_ name: String) -> AnalysisError {
    AnalysisError.site(name, problem: "its Jacobian is 0: nothing of the pixels reaches it")
  }
}
