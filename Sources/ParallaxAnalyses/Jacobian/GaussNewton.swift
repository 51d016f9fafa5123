import ParallaxTensors

/// Steps on the pixels that change an embedding by a given amount, to first order.
///
/// With r = f(x) − t the step Δ = −Jᵀ(JJᵀ + λI)⁻¹r is, for λ = 0, the shortest one with J·Δ = −r (as near to it as J can come), and
/// for λ > 0 the Levenberg–Marquardt step, the minimum of ‖J·Δ + r‖² + λ‖Δ‖².
///
/// > Source: Salman et al., 2024, arXiv 2401.15568, describes matching by gradients; this step is our reconstruction.
public struct GaussNewton {
  private let jacobian: LayerJacobian
  private let image: Int
  private let squares: [Double]
  private let vectors: Tensor

  /// Steps with the whole Gram matrix J·Jᵀ `[features, features]` of one image, decomposed once.
  ///
  /// - Parameters:
  ///   - jacobian: J.
  ///   - image: which image.
  ///   - matrix: J where it is known already, `[features, inputs]`.
  /// - Throws: what ``LayerJacobian/matrix(of:)`` throws, `TensorError.operation` where LAPACK does not converge.
  public init(_ jacobian: LayerJacobian, image: Int = 0, matrix: Tensor? = nil) throws {
    (self.jacobian, self.image) = (jacobian, image)
    let matrix = try matrix ?? jacobian.matrix(of: image)
    (squares, vectors) = try JacobianAlgebra.eigen(LayerJacobian.gram(matrix).to(.cpu))
  }

  /// Δ = −Jᵀ(JJᵀ + λI)⁻¹r.
  ///
  /// - Parameters:
  ///   - residual: r = f(x) − t, `[features]`.
  ///   - damping: λ ≥ 0; with 0 directions in which J is 0 up to rounding are left alone (the pseudo-inverse).
  /// - Returns: the step `[inputs]`.
  /// - Throws: what the product Jᵀ·u throws.
  public func step(for residual: Tensor, damping: Double = 0) throws -> Tensor {
    let limit = (squares.first ?? 0) * 1e-15 * Double(squares.count)
    let weights = squares.map { $0 + damping > limit ? 1 / (max(0, $0) + damping) : 0 }
    let r = residual.to(.cpu).to(.float64).reshaped(-1, 1)
    let inside = vectors.transposed().times(r) * Tensor(weights, shape: [weights.count, 1])
    let y = vectors.times(inside).reshaped(1, -1)
    return try -jacobian.transposedTimes(y, at: [image]).selected(0, 0)
  }
}

extension LayerJacobian {
  /// The same step for an embedding too large for its Gram matrix, by conjugate gradients on (JJᵀ + λI)·y = r.
  ///
  /// - Parameters:
  ///   - residual: r = f(x) − t, `[features]`.
  ///   - image: which image.
  ///   - damping: λ ≥ 0.
  ///   - iterations: the most, each one product either way.
  ///   - tolerance: of ‖r − (JJᵀ + λI)·y‖ over ‖r‖, where it ends.
  ///   - isInterrupted: asked before each iteration.
  /// - Returns: the step `[inputs]`, and what is left of the residual as a share of it.
  /// - Throws: `AnalysisError.interrupted`, and what products throw.
  public func minimumNormStep(
    for residual: Tensor, of image: Int = 0, damping: Double = 0, iterations: Int = 50,
    tolerance: Double = 1e-6, isInterrupted: () -> Bool = { false }
  ) throws -> (step: Tensor, remaining: Double) {
    let right = residual.to(values.dtype).to(values.device).reshaped(1, -1)
    func squared(_ x: Tensor) -> Double { x.to(.float64).squared().sum().item(Double.self) }
    let whole = squared(right)
    var y = right.zerosLike()
    guard whole > 0 else { return (points.selected(0, image).zerosLike().reshaped(-1), 0) }
    var (rest, direction, size) = (right, right, whole)
    for _ in 0..<iterations where size > tolerance * tolerance * whole {
      if isInterrupted() { throw AnalysisError.interrupted }
      let back = try transposedTimes(direction, at: [image])
      let curvature = squared(back) + damping * squared(direction)
      // What J makes nothing of cannot be reached.
      guard curvature > 0, curvature.isFinite else { break }
      let image = try times(back, at: [image]) + direction * damping
      let length = size / curvature
      y = y + direction * length
      rest = rest - image * length
      let next = squared(rest)
      guard next.isFinite else { break }
      direction = rest + direction * (next / size)
      size = next
    }
    let step = try -transposedTimes(y, at: [image]).selected(0, 0)
    return (step, (size / whole).squareRoot())
  }

  /// The largest singular value at each image and its vectors, by power iteration on JᵀJ.
  ///
  /// All images go through the network together: v ← Jᵀ(Jv)/‖Jᵀ(Jv)‖.
  ///
  /// - Parameters:
  ///   - iterations: the most.
  ///   - tolerance: ends where no σ grew by more than this share of itself.
  ///   - seed: of the first v.
  ///   - isInterrupted: asked before each iteration.
  /// - Returns: of each image σ₁ = ‖J·v‖, a lower bound that grows with the iterations, v₁ `[images, inputs]`, and how many
  ///   iterations there were.
  /// - Throws: `AnalysisError.interrupted`, `AnalysisError.site` where J is 0 or not finite, and what products throw.
  public func powerIteration(
    iterations: Int = 100, tolerance: Double = 1e-6, seed: UInt64 = 0,
    isInterrupted: () -> Bool = { false }
  ) throws -> (values: [Double], vectors: Tensor, iterations: Int) {
    func unit(_ rows: Tensor) -> (Tensor, [Double]) {
      let lengths = rows.norm(over: [1], keeping: true)
      return (rows / lengths, lengths.reshaped(-1).scalars(Double.self))
    }
    let drawn = RandomSource(seed: seed).normal([images, inputs])
    var v = unit(drawn.to(points.dtype).to(points.device)).0
    var found = [Double](repeating: 0, count: images)
    for iteration in 1...max(1, iterations) {
      if isInterrupted() { throw AnalysisError.interrupted }
      let along = try times(v)
      let next = along.norm(over: [1]).scalars(Double.self)
      guard next.allSatisfy({ $0 > 0 && $0.isFinite }) else {
        throw next.contains { !$0.isFinite }
          ? AnalysisError.site(name, problem: "NaN or infinity in J·v") : Self.vanishing(name)
      }
      let isDone = zip(next, found).allSatisfy { $0 - $1 <= tolerance * $0 }
      found = next
      if isDone && iteration > 1 { return (found, v, iteration) }
      if iteration < iterations { v = unit(try transposedTimes(along)).0 }
    }
    return (found, v, max(1, iterations))
  }
}
