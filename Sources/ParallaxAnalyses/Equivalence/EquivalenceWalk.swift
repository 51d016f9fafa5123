import ParallaxTensors

/// Pictures with one embedding, one after the other, on the way from one picture towards another.
///
/// A step goes along P_T·(x_tg − x), the part of the way that the embedding does not see to first order, P_T = I − J⁺J; every
/// few steps Gauss–Newton corrections x − J⁺(f(x) − f(x₀)) bring the embedding back to where it began. For a linear f no step changes
/// it.
///
/// > Source: the notion is Salman, Shams and Liu, 2024, arXiv 2401.15568; the walk is our reconstruction.
public struct EquivalenceWalk {
  /// How to walk.
  public struct Options: Sendable, Hashable {
    /// Steps, at most.
    public var steps = 10
    /// The share of what is left of the way that a step goes.
    public var stride = 0.3
    /// Steps between corrections.
    public var correction = 1
    /// Corrections each time, at most.
    public var repeats = 2
    /// Where it ends: ‖f(x) − f(x₀)‖ over ‖f(x_tg) − f(x₀)‖.
    public var tolerance = 0.1
    /// Products either way for each projection and correction, at most.
    public var products = 20
    /// Whether pixels are put back into [0, 1].
    public var clamps = true

    /// Ten steps.
    public init() {}
  }

  /// Where a walk stands.
  public struct Stop {
    /// Steps done.
    public var step: Int
    /// x, of the shape of the function's images, one image.
    public var picture: Tensor
    /// ‖x − x₀‖ over ‖x_tg − x₀‖.
    public var way: Double
    /// ‖f(x) − f(x₀)‖ over ‖f(x_tg) − f(x₀)‖.
    public var drift: Double
  }

  /// The options.
  public let options: Options

  /// A walk.
  public init(_ options: Options = Options()) { self.options = options }

  /// Walks from the Jacobian's first image towards another picture.
  ///
  /// - Parameters:
  ///   - start: J at x₀.
  ///   - target: x_tg, of the image's shape.
  ///   - isInterrupted: asked before each step.
  /// - Returns: the stops, the first of them x₀; the last is the last whose drift is within the tolerance.
  /// - Throws: `AnalysisError.interrupted`, `AnalysisError.site` where the pictures are equal, and what products throw.
  /// - Complexity: some tens of passes each way a step.
  public func callAsFunction(
    from start: LayerJacobian, towards target: Tensor, isInterrupted: () -> Bool = { false }
  ) throws -> [Stop] {
    func norm(_ x: Tensor) -> Double {
      x.to(.float64).squared().sum().squareRoot().item(Double.self)
    }
    let origin = start.points.sliced(0, 0, 1)
    let goal = target.to(origin.dtype).to(origin.device).reshaped(origin.shape)
    let home = start.values.sliced(0, 0, 1)
    let (length, gap) = (
      norm(goal - origin), norm(try start.values(at: goal) - home)
    )
    guard length > 0, gap > 0 else {
      throw AnalysisError.site(
        start.name, problem: "a walk needs two pictures with different embeddings")
    }
    var stops = [Stop(step: 0, picture: origin, way: 0, drift: 0)]
    var here = try start.at(image: 0)
    for step in 1...max(1, options.steps) {
      if isInterrupted() { throw AnalysisError.interrupted }
      let direction = (goal - here.points).reshaped(1, -1)
      // P_T·d = d − J⁺(J·d): the shortest step that undoes what d does.
      let seen = try here.times(direction).selected(0, 0)
      let undo = try here.minimumNormStep(for: seen, iterations: options.products).step
      let along = direction + undo.reshaped(1, -1)
      guard norm(along) > 1e-9 * length else { break }
      var next = bounded(here.points + along.reshaped(origin.shape) * options.stride)
      here = try here.moved(to: next)
      if step.isMultiple(of: max(1, options.correction)) {
        for _ in 0..<options.repeats
        where norm(here.values - home) > 0.1 * options.tolerance * gap {
          let back = try here.minimumNormStep(
            for: (here.values - home).selected(0, 0), iterations: options.products
          ).step
          let candidate = bounded(next + back.reshaped(origin.shape))
          let there = try here.moved(to: candidate)
          guard norm(there.values - home) < norm(here.values - home) else { break }
          (next, here) = (candidate, there)
        }
      }
      let drift = norm(here.values - home) / gap
      guard drift.isFinite, drift <= options.tolerance else { break }
      stops.append(
        Stop(step: step, picture: next, way: norm(next - origin) / length, drift: drift))
    }
    return stops
  }

  private func bounded(_ x: Tensor) -> Tensor { options.clamps ? x.clamped(0, 1) : x }
}
