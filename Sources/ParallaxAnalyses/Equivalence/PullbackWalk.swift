import ParallaxTensors

/// Pictures one after the other along eigenvectors of the pullback metric G = JᵀJ: those that it makes nothing of keep the embedding (SiMEC), those
/// that it stretches change it (SiMExp).
///
/// A step goes δ = m/√(λ_max/(λ_min + 10⁻⁶)) along a random eigenvector with λ below the threshold (SiMEC) or above it (SiMExp); then pixels are
/// put back into \[0, 1\]. G of n pixels is never formed: its λ are the σ² of J, and n − D zeros more. Eigenvectors of 0 are any of their space, so
/// a random one is a random vector without its part along the v_i with σ_i² at the threshold or above it. Of a J that is not decomposed as a whole
/// SiMExp chooses among the leading v_i that have converged, and SiMEC takes d − J⁺(J·d).
///
/// Agrees with the same walk from the whole G and its decomposition in PyTorch to 1e-8 in float64.
///
/// > Source: SiMEC and SiMExp, arXiv 2410.06019, and the authors' `logics.py`. There the walk goes through the embeddings of patches and is capped
/// > to their range, and SiMExp draws among the smallest eigenvectors, which come first; here it is of pixels, and draws among those above the
/// > threshold. G is that of the Euclidean metric of embeddings, as there.
public struct PullbackWalk {
  /// Which eigenvectors are gone along.
  public enum Kind: String, Sendable, CaseIterable {
    /// λ below the threshold: the embedding stays.
    case simec
    /// λ above it: the embedding changes.
    case simexp
  }

  /// How to walk.
  public struct Options: Sendable, Hashable {
    /// Along which.
    public var kind = Kind.simec
    /// Steps, at most.
    public var steps = 10
    /// The threshold of λ: the authors' script has 0.01.
    public var threshold = 0.01
    /// m: the authors' script has 1.
    public var multiplier = 1.0
    /// Whether pixels are put back into [0, 1].
    public var clamps = true
    /// The largest min(D, n) of which J is decomposed as a whole.
    public var whole = LayerJacobian.wholeLimit
    /// Leading values that are looked for of a larger one.
    public var leading = 64
    /// Products either way that take a direction's effect away then, at most.
    public var products = 60
    /// The seed of the choices.
    public var seed: UInt64 = 0

    /// Ten steps of SiMEC with the authors' numbers.
    public init() {}
  }

  /// Where a walk stands.
  public struct Stop {
    /// Steps done.
    public var step: Int
    /// x, of the shape of the function's images, one image.
    public var picture: Tensor
    /// f(x), `[1, features]`.
    public var value: Tensor
    /// δ of the step to here; 0 at the start.
    public var length: Double
    /// λ = ‖J·v‖² of the eigenvector that was gone along; 0 at the start.
    public var eigenvalue: Double
  }

  /// What chance decides of a step.
  struct Draw {
    /// The place among the eigenvectors in question, from 0 to below 1, in ascending order of λ.
    var place: Double
    /// Whether to go against the eigenvector, whose largest number counts as positive.
    var isBack: Bool
    /// A random vector `[1, inputs]`.
    var vector: Tensor
  }

  /// The options.
  public let options: Options

  /// A walk.
  public init(_ options: Options = Options()) { self.options = options }

  /// Walks from the Jacobian's first image.
  ///
  /// - Parameters:
  ///   - start: J at x₀.
  ///   - spectrum: its singular values where they are known.
  ///   - isInterrupted: asked before each product.
  /// - Returns: the stops, the first of them x₀; fewer than were asked for where no eigenvector is on the right side of the threshold, or a J that is
  ///   not decomposed as a whole leaves more than a twentieth of J·d.
  /// - Throws: `AnalysisError.interrupted`, `AnalysisError.site` where J is 0 or not finite, and what products throw.
  /// - Complexity: D backward passes a step, where J is decomposed as a whole.
  public func callAsFunction(
    from start: LayerJacobian, spectrum: SingularValues? = nil,
    isInterrupted: () -> Bool = { false }
  ) throws -> [Stop] {
    try walk(from: start, spectrum, isInterrupted) { step in
      let random = RandomSource(seed: options.seed &* 1_000_003 &+ UInt64(step))
      let choice = random.uniform([2]).scalars(Float.self).map(Double.init)
      return Draw(
        place: choice[0], isBack: choice[1] < 0.5, vector: random.normal([1, start.inputs]))
    }
  }

  func walk(
    from start: LayerJacobian, _ spectrum: SingularValues?, _ isInterrupted: () -> Bool,
    _ draw: (Int) -> Draw
  ) throws -> [Stop] {
    var here = try start.at(image: 0)
    var stops = [
      Stop(step: 0, picture: here.points, value: here.values, length: 0, eigenvalue: 0)
    ]
    var known = spectrum
    for step in 0..<options.steps {
      if isInterrupted() { throw AnalysisError.interrupted }
      let spectrum =
        try known
        ?? here.singularValues(
          leading: options.leading, whole: options.whole, isInterrupted: isInterrupted)
      known = nil
      guard let most = spectrum.values.first,
        let direction = try direction(here, spectrum, draw(step), isInterrupted)
      else { break }
      let isSquare = here.features >= here.inputs && spectrum.isComplete
      let last = spectrum.values.last ?? 0
      let least = isSquare ? last * last : 0
      let length = options.multiplier / (most * most / (least + 1e-6)).squareRoot()
      let moved = here.points + direction.reshaped(here.points.shape) * length
      let gain = try here.times(direction).to(.float64).squared().sum().item(Double.self)
      here = try here.moved(to: options.clamps ? moved.clamped(0, 1) : moved)
      stops.append(
        Stop(
          step: step + 1, picture: here.points, value: here.values, length: length,
          eigenvalue: gain))
    }
    return stops
  }

  /// A unit vector `[1, inputs]`; nil where there is none.
  private func direction(
    _ here: LayerJacobian, _ spectrum: SingularValues, _ draw: Draw, _ isInterrupted: () -> Bool
  ) throws -> Tensor? {
    let reliable = spectrum.isComplete ? spectrum.values.count : spectrum.converged()
    let above = spectrum.values.prefix(reliable).prefix { $0 * $0 > options.threshold }.count
    switch options.kind {
    case .simexp:
      guard above > 0 else { return nil }
      // Values come in descending order.
      let index = above - 1 - min(above - 1, Int(draw.place * Double(above)))
      let v = unit(spectrum.right.sliced(0, index, index + 1).to(.float64))
      let numbers = v.reshaped(-1)
      let largest = numbers.absolute().argmax(0).item(Int64.self)
      let isNegative = numbers.selected(0, Int(largest)).item(Double.self) < 0
      return (isNegative == draw.isBack ? v : v * -1.0).to(here.points.dtype)
        .to(here.points.device)
    case .simec:
      let vector = draw.vector.to(here.points.dtype).to(here.points.device)
      guard spectrum.isComplete else {
        let undo = try here.minimumNormStep(
          for: try here.times(vector).selected(0, 0), iterations: options.products,
          tolerance: 1e-3, isInterrupted: isInterrupted)
        return undo.remaining <= 0.05 ? unit(vector + undo.step.reshaped(1, -1)) : nil
      }
      let held = spectrum.values.prefix { $0 * $0 >= options.threshold }.count
      guard held < here.inputs else { return nil }
      var rest = vector.to(.float64)
      if held > 0 {
        let rows = try JacobianAlgebra.orthonormal(
          spectrum.right.sliced(0, 0, held).to(.float64).to(here.points.device))
        // Twice over, so that rounding leaves nothing.
        for _ in 0..<2 { rest = rest - rest.times(rows.transposed()).times(rows) }
      }
      return unit(rest).to(here.points.dtype)
    }
  }

  private func unit(_ row: Tensor) -> Tensor { row / row.norm(over: [1], keeping: true) }
}
