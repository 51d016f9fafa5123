import ParallaxTensors

/// The leading singular values of a Jacobian from products with it alone.
///
/// From a random v₁, J·v and Jᵀ·u in turn, each made orthogonal to all before it, give orthonormal U `[steps, features]` and V
/// `[steps + 1, inputs]` and a bidiagonal B with Uᵀ·J = B·Vᵀ. The singular values of B are lower bounds of J's; each has the
/// residual ‖J·v − σ·u‖, within which a singular value of J lies. What B does not hold, ‖J‖²_F − ‖B‖²_F = E‖(I − UUᵀ)J‖²_F, is
/// estimated from random signs made orthogonal to U (Hutchinson's estimator after deflation).
///
/// Where the Krylov space ends before the steps do it begins again from another random vector, so that equal singular values
/// are all found. Leading values are those of `numpy.linalg.svd` to 1e-10 relative in float64.
///
/// > Source: Golub and Kahan, 1965; Hutchinson, 1989; deflation after Meyer et al., 2021, Hutch++.
public struct Bidiagonalisation {
  /// How far it goes.
  public struct Options: Sendable, Hashable {
    /// Values that are looked for.
    public var count = 64
    /// The most steps, as multiples of `count`.
    public var stepsEach = 3
    /// It ends where all these values have residuals of at most this share of themselves.
    public var tolerance = 1e-3
    /// Random signs for the rest of the norm.
    public var probes = 8
    /// The seed of the first vector and the signs.
    public var seed: UInt64 = 0
    /// Bytes that U and V hold at most.
    public var memoryLimit = 1 << 31

    /// 64 values in at most 192 steps, 8 probes.
    public init() {}
  }

  private let jacobian: LayerJacobian
  private let image: Int
  private let options: Options
  private let isInterrupted: () -> Bool
  private let random: RandomSource
  private var left = OrthonormalBasis()
  private var right = OrthonormalBasis()
  /// Of B: row, column and value.
  private var entries: [(row: Int, column: Int, value: Double)] = []
  private var largest = 0.0

  init(
    _ jacobian: LayerJacobian, _ image: Int, _ options: Options,
    _ isInterrupted: @escaping () -> Bool
  ) {
    (self.jacobian, self.image, self.options) = (jacobian, image, options)
    self.isInterrupted = isInterrupted
    random = RandomSource(seed: options.seed)
  }

  private var features: Int { jacobian.features }
  private var inputs: Int { jacobian.inputs }
  /// Below this share of the largest entry a number is rounding.
  private var rounding: Double { jacobian.values.dtype == .float64 ? 1e-11 : 1e-5 }

  mutating func callAsFunction() throws -> SingularValues {
    let each = Double(features + inputs) * Double(jacobian.values.dtype.byteCount)
    let room = Int(Double(options.memoryLimit) / each)
    let steps = min(options.count * max(1, options.stepsEach), features, inputs, room)
    guard steps >= 1 else {
      throw AnalysisError.site(
        jacobian.name,
        problem:
          "two vectors of it do not fit into \(options.memoryLimit >> 20) MiB of the bidiagonalisation"
      )
    }
    var isExhausted = false
    var (fresh, next) = (true, try start())
    // The last column of B belongs to a v whose J·v is known only in part: `rest` is the norm of the other part.
    var rest = 0.0
    while let v = next {
      let column = right.count - 1
      let product = try forward(v)
      let own = left.removed(from: product)
      let alpha = norm(own)
      guard alpha.isFinite else {
        throw AnalysisError.site(jacobian.name, problem: "NaN or infinity in J·v")
      }
      rest = alpha
      if alpha <= rounding * largest || alpha == 0 {
        rest = 0
        // A random vector that J makes nothing of: neither of anything else that is left.
        if fresh || right.count >= inputs { isExhausted = true; break }
        (fresh, next) = (true, try start())
        if next == nil { isExhausted = true }
        continue
      }
      if left.count >= steps || (left.count.isMultiple(of: 8) && isConverged(rest)) { break }
      let u = own / alpha
      add(left.count, column, alpha)
      left.append(u)
      let back = try right.removed(from: backward(u))
      let beta = norm(back)
      rest = 0
      if right.count >= inputs {
        isExhausted = true
        break
      }
      if beta <= rounding * largest {
        (fresh, next) = (true, try start())
        if next == nil { isExhausted = true }
      } else {
        add(left.count - 1, right.count, beta)
        let v = back / beta
        right.append(v)
        (fresh, next) = (false, v)
      }
      if left.count >= features {
        isExhausted = true
        rest = 0
        break
      }
    }
    return try result(rest, isExhausted)
  }

  private mutating func add(_ row: Int, _ column: Int, _ value: Double) {
    entries.append((row, column, value))
    largest = max(largest, value)
  }

  /// A random vector of norm 1 outside V; nil where V spans everything.
  private mutating func start() throws -> Tensor? {
    guard right.count < inputs else { return nil }
    let drawn = random.normal([inputs]).to(jacobian.points.dtype).to(jacobian.points.device)
    let own = right.removed(from: drawn)
    let length = norm(own)
    guard length > 0 else { return nil }
    right.append(own / length)
    return own / length
  }

  private func forward(_ v: Tensor) throws -> Tensor {
    if isInterrupted() { throw AnalysisError.interrupted }
    return try jacobian.times(v.unsqueezed(0), at: [image]).selected(0, 0)
  }

  private func backward(_ u: Tensor) throws -> Tensor {
    if isInterrupted() { throw AnalysisError.interrupted }
    return try jacobian.transposedTimes(u.unsqueezed(0), at: [image]).selected(0, 0)
  }

  private func norm(_ vector: Tensor) -> Double { vector.norm(over: [0]).item(Double.self) }

  /// B, dense.
  private var matrix: Tensor {
    var numbers = [Double](repeating: 0, count: left.count * right.count)
    for entry in entries { numbers[entry.row * right.count + entry.column] = entry.value }
    return Tensor(numbers, shape: [left.count, right.count])
  }

  private func isConverged(_ rest: Double) -> Bool {
    guard left.count >= options.count, let parts = try? JacobianAlgebra.singular(matrix) else {
      return false
    }
    let ends = parts.vt.selected(1, right.count - 1).scalars(Double.self)
    return zip(parts.s, ends).prefix(options.count).allSatisfy {
      rest * abs($1) <= options.tolerance * $0
    }
  }

  private func result(_ rest: Double, _ isExhausted: Bool) throws -> SingularValues {
    guard left.count > 0 else { throw LayerJacobian.vanishing(jacobian.name) }
    let (u, s, vt) = try JacobianAlgebra.singular(matrix)
    let ends = vt.selected(1, right.count - 1).scalars(Double.self)
    let kept = min(isExhausted ? s.count : options.count, s.count)
    let known = entries.reduce(0) { $0 + $1.value * $1.value }
    let tail = isExhausted ? (mean: 0, error: 0) : try remainder()
    return SingularValues(
      method: .bidiagonalisation(steps: left.count), values: Array(s.prefix(kept)),
      residuals: ends.prefix(kept).map { isExhausted ? 0 : rest * abs($0) },
      isComplete: isExhausted, count: min(features, inputs), squaredNorm: known + tail.mean,
      squaredNormError: tail.error,
      floor: jacobian.values.dtype == .float64 ? 1e-11 : 1e-5,
      left: left.combined(u.transposed().sliced(0, 0, kept)),
      right: right.combined(vt.sliced(0, 0, kept)))
  }

  /// The mean over random signs s of ‖Jᵀ(I − UUᵀ)s‖², and its standard error.
  private func remainder() throws -> (mean: Double, error: Double) {
    let squares = try (0..<max(2, options.probes)).map { _ -> Double in
      let drawn = random.uniform([features]).scalars(Float.self)
      let signs = Tensor(drawn.map { $0 < 0.5 ? -1.0 : 1.0 }, shape: [features])
        .to(jacobian.values.dtype).to(jacobian.values.device)
      let length = norm(try backward(left.removed(from: signs)))
      return length * length
    }
    let mean = squares.reduce(0, +) / Double(squares.count)
    let variance =
      squares.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(squares.count - 1)
    return (mean, (variance / Double(squares.count)).squareRoot())
  }
}
