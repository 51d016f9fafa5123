import ParallaxTensors

/// Pictures with one embedding, one after the other, on the way from one picture towards another.
///
/// A step goes along P_T·(x_tg − x), the part of the way that the embedding does not see to first order, P_T = I − J⁺J; then
/// Gauss–Newton corrections x − J⁺(f(x) − f(x₀)) bring the embedding back to where it began. A step after which it still has
/// drifted too far is tried again with half the length. For a linear f no step changes it.
///
/// > Source: the notion is Salman, Shams and Liu, 2024, arXiv 2401.15568; the walk is our reconstruction.
public struct EquivalenceWalk {
  /// How to walk.
  public struct Options: Sendable, Hashable {
    /// Steps, at most.
    public var steps = 10
    /// The share of what is left of the way that a step goes at most; halved where the embedding drifts too far, and doubled again
    /// after a step that is taken.
    public var stride = 0.3
    /// Halvings of a step, at most.
    public var halvings = 10
    /// Corrections of a step, at most.
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
  ///   - isInterrupted: asked before each product.
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
    var stride = options.stride
    for step in 1...max(1, options.steps) {
      if isInterrupted() { throw AnalysisError.interrupted }
      let direction = (goal - here.points).reshaped(1, -1)
      // P_T·d = d − J⁺(J·d): the shortest step that undoes what d does.
      let seen = try here.times(direction).selected(0, 0)
      let undo = try here.minimumNormStep(
        for: seen, iterations: options.products, isInterrupted: isInterrupted
      ).step
      let along = (direction + undo.reshaped(1, -1)).reshaped(origin.shape)
      guard norm(along) > 1e-9 * length else { break }
      var taken: LayerJacobian?
      for _ in 0...options.halvings {
        if isInterrupted() { throw AnalysisError.interrupted }
        let there = try here.moved(to: bounded(here.points + along * stride))
        // What is far off the first order is not brought back by it.
        if norm(there.values - home) <= 5 * options.tolerance * gap {
          let back = try corrected(there, home, gap: gap, isInterrupted)
          if norm(back.values - home) <= options.tolerance * gap {
            taken = back
            break
          }
        }
        stride /= 2
      }
      guard let taken else { break }
      here = taken
      stops.append(
        Stop(
          step: step, picture: here.points, way: norm(here.points - origin) / length,
          drift: norm(here.values - home) / gap))
      stride = min(options.stride, 2 * stride)
    }
    return stops
  }

  /// Gauss–Newton steps back to the embedding at home, as long as they bring it nearer.
  private func corrected(
    _ start: LayerJacobian, _ home: Tensor, gap: Double, _ isInterrupted: () -> Bool
  ) throws -> LayerJacobian {
    func away(_ place: LayerJacobian) -> Double {
      (place.values - home).to(.float64).squared().sum().squareRoot().item(Double.self)
    }
    var here = start
    for _ in 0..<options.repeats where away(here) > 0.1 * options.tolerance * gap {
      let back = try here.minimumNormStep(
        for: (here.values - home).selected(0, 0), iterations: options.products,
        isInterrupted: isInterrupted
      ).step
      let there = try here.moved(to: bounded(here.points + back.reshaped(here.points.shape)))
      guard away(there) < away(here) else { break }
      here = there
    }
    return here
  }

  private func bounded(_ x: Tensor) -> Tensor { options.clamps ? x.clamped(0, 1) : x }
}
