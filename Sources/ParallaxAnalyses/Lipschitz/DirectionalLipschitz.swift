import Foundation
import ParallaxTensors

/// How much an embedding moves for a step of the picture, direction by direction.
///
/// L_v(x, h) = ‖f(x + h·v) − f(x)‖/h for a unit vector v; for h → 0 it is ‖J·v‖. All distances are those of the pixels that the
/// Jacobian's function takes. Of a linear map no L is above its largest singular value, and v₁ reaches it.
///
/// > Source: Salman et al., 2024, arXiv 2401.15568, for the idea; the protocol is our reconstruction.
public struct DirectionalLipschitz {
  private let jacobian: LayerJacobian

  /// Estimates of a layer at the Jacobian's images.
  public init(_ jacobian: LayerJacobian) { self.jacobian = jacobian }

  /// Steps on a logarithmic grid, both ends among them.
  ///
  /// - Parameters:
  ///   - first: the shortest, above 0.
  ///   - last: the longest.
  ///   - count: how many.
  /// - Returns: the steps, ascending.
  public static func grid(from first: Double = 1e-3, to last: Double, count: Int = 20) -> [Double] {
    guard count > 1, first > 0, last > first else { return [last] }
    let ratio = log(last / first) / Double(count - 1)
    return (0..<count).map { $0 == count - 1 ? last : first * exp(ratio * Double($0)) }
  }

  /// Random unit vectors.
  ///
  /// - Parameters:
  ///   - count: how many rows.
  ///   - seed: of the draws.
  /// - Returns: `[count, inputs]`.
  public func randomDirections(_ count: Int = 16, seed: UInt64 = 0) -> Tensor {
    Self.unit(
      RandomSource(seed: seed).normal([count, jacobian.inputs]).to(jacobian.points.dtype)
        .to(jacobian.points.device))
  }

  private static func unit(_ rows: Tensor) -> Tensor { rows / rows.norm(over: [1], keeping: true) }

  /// ‖J·v‖ of unit vectors along directions.
  ///
  /// - Parameters:
  ///   - directions: `[rows, inputs]`, of any length above 0.
  ///   - image: which image.
  /// - Returns: one number each row.
  /// - Throws: what products throw.
  public func limits(along directions: Tensor, at image: Int = 0) throws -> [Double] {
    let count = directions.shape[0]
    return try jacobian.times(Self.unit(directions), at: Array(repeating: image, count: count))
      .to(.float64).norm(over: [1]).scalars(Double.self)
  }

  /// L_v(x, h) over the steps.
  ///
  /// - Parameters:
  ///   - directions: `[rows, inputs]`, of any length above 0.
  ///   - steps: h, in units of the pixels.
  ///   - image: which image.
  /// - Returns: for each direction a number each step.
  /// - Throws: `AnalysisError.site` where the function is not finite there, and what it throws.
  /// - Complexity: a forward pass for each direction and step.
  public func curves(along directions: Tensor, steps: [Double], at image: Int = 0) throws
    -> [[Double]]
  {
    let shape = Array(jacobian.points.shape.dropFirst())
    let start = jacobian.points.sliced(0, image, image + 1)
    let value = jacobian.values.sliced(0, image, image + 1).to(.float64)
    let lengths = Tensor(steps, shape: [steps.count, 1]).to(start.dtype).to(start.device)
    return try Self.unit(directions.to(start.dtype).to(start.device)).unbound(0).map { v in
      let points = (v.unsqueezed(0) * lengths).reshaped([steps.count] + shape) + start
      let moved = try jacobian.values(at: points).to(.float64) - value
      let found = zip(moved.norm(over: [1]).scalars(Double.self), steps).map { $0 / $1 }
      guard found.allSatisfy(\.isFinite) else {
        throw AnalysisError.site(jacobian.name, problem: "NaN or infinity near the picture")
      }
      return found
    }
  }

  /// How far rounding moves f(x + h·v) − f(x), whatever h: below some times this a difference says nothing.
  ///
  /// The root mean square over random directions of ‖f(x + e) − 2f(x) + f(x − e)‖/√3, |e| about 16 units in the last place of a
  /// number: what is smooth cancels, the rounding of three values stays.
  ///
  /// - Parameters:
  ///   - image: x.
  ///   - count: directions.
  ///   - seed: of the directions.
  /// - Returns: a distance of embeddings.
  /// - Throws: what the function throws.
  /// - Complexity: two forward passes for each direction.
  public func rounding(at image: Int = 0, directions count: Int = 8, seed: UInt64 = 0) throws
    -> Double
  {
    let start = jacobian.points.sliced(0, image, image + 1)
    let unit = start.dtype == .float64 ? 1.1e-16 : 6e-8
    let moves =
      randomDirections(count, seed: seed) * (16 * unit * Double(jacobian.inputs).squareRoot())
    let shaped = moves.reshaped([count] + Array(start.shape.dropFirst()))
    let there = try jacobian.values(at: start + shaped).to(.float64)
    let back = try jacobian.values(at: start - shaped).to(.float64)
    let here = jacobian.values.sliced(0, image, image + 1).to(.float64)
    let square = (there + back - here * 2.0).squared().sum().item(Double.self)
    return (square / (3 * Double(count))).squareRoot()
  }

  /// What a function does along a segment from one picture to another.
  public struct Segment: Sendable, Hashable {
    /// ‖f(x(s + δ)) − f(x(s))‖/(δ‖x₁ − x₀‖) of each part.
    public let parts: [Double]
    /// ‖f(x₁) − f(x₀)‖/‖x₁ − x₀‖.
    public let secant: Double
    /// The largest part; not below `mean`.
    public var largest: Double { parts.max() ?? 0 }
    /// The mean over the parts; not below the secant.
    public var mean: Double { parts.reduce(0, +) / Double(max(1, parts.count)) }
  }

  /// The segment from an image to another picture in equal parts.
  ///
  /// - Parameters:
  ///   - other: x₁, `[…]` of the image's shape.
  ///   - count: parts.
  ///   - image: x₀.
  /// - Returns: what the function does along it.
  /// - Throws: `AnalysisError.site` where the pictures are equal, and what the function throws.
  public func segment(to other: Tensor, parts count: Int = 20, from image: Int = 0) throws
    -> Segment
  {
    try embeddedSegment(to: other, parts: count, from: image).segment
  }

  /// The segment, and f at both ends and between the parts, `[parts + 1, features]` in float64.
  func embeddedSegment(to other: Tensor, parts count: Int, from image: Int = 0) throws -> (
    segment: Segment, values: Tensor
  ) {
    let start = jacobian.points.sliced(0, image, image + 1)
    let way = other.to(start.dtype).to(start.device).reshaped(start.shape) - start
    let length = way.to(.float64).squared().sum().item(Double.self).squareRoot()
    guard length > 0 else {
      throw AnalysisError.site(jacobian.name, problem: "a segment needs two different pictures")
    }
    let count = max(1, count)
    let shares = Tensor((0...count).map { Double($0) / Double(count) }, shape: [count + 1])
    let spread = shares.to(start.dtype).to(start.device)
      .reshaped([count + 1] + Array(repeating: 1, count: start.rank - 1))
    let values = try jacobian.values(at: start + way * spread).to(.float64)
    let gaps = (values.sliced(0, 1) - values.sliced(0, 0, count)).norm(over: [1])
      .scalars(Double.self)
    let whole = (values.selected(0, count) - values.selected(0, 0)).norm(over: [0])
      .item(Double.self)
    return (
      Segment(parts: gaps.map { $0 * Double(count) / length }, secant: whole / length), values
    )
  }

  /// A lower bound of the local Lipschitz constant: the largest σ₁ among random pictures of a ball, and at its centre.
  ///
  /// - Parameters:
  ///   - radius: of the ball ‖x − x₀‖₂ ≤ R, in units of the pixels.
  ///   - count: pictures beside the centre.
  ///   - iterations: of the power iteration at each.
  ///   - image: the centre.
  ///   - seed: of pictures and first vectors.
  ///   - isInterrupted: asked before each iteration.
  /// - Returns: the bound, and σ₁ at the centre.
  /// - Throws: what ``LayerJacobian/powerIteration(iterations:tolerance:seed:isInterrupted:)`` throws.
  public func localBound(
    radius: Double, samples count: Int = 8, iterations: Int = 20, at image: Int = 0,
    seed: UInt64 = 0, isInterrupted: () -> Bool = { false }
  ) throws -> (bound: Double, centre: Double) {
    let start = jacobian.points.sliced(0, image, image + 1)
    var points = [start]
    if count > 0 {
      let moves = BallSampler(radius: radius, norm: .two)
        .draw(count, inputs: jacobian.inputs, RandomSource(seed: seed))
      points.append(
        start
          + moves.to(start.dtype).to(start.device)
          .reshaped([count] + Array(start.shape.dropFirst())))
    }
    let around = try jacobian.moved(to: Tensor.concatenated(points, 0))
    let found = try around.powerIteration(
      iterations: iterations, tolerance: 1e-4, seed: seed, isInterrupted: isInterrupted)
    return (found.values.max() ?? 0, found.values[0])
  }
}

/// Random points of a ball around 0.
struct BallSampler {
  /// The norm of the ball.
  enum Norm: String, Sendable, CaseIterable {
    /// Σ|x|.
    case one
    /// √Σx².
    case two
    /// max |x|.
    case infinity
  }

  let radius: Double
  let norm: Norm

  /// Points, uniform in the ball, `[count, inputs]` in float64.
  func draw(_ count: Int, inputs: Int, _ random: RandomSource) -> Tensor {
    switch norm {
    case .infinity:
      return (random.uniform([count, inputs]).to(.float64) * 2.0 - 1.0) * radius
    case .two:
      let drawn = random.normal([count, inputs]).to(.float64)
      let share = random.uniform([count, 1]).to(.float64).power(1 / Double(inputs))
      return drawn / drawn.norm(over: [1], keeping: true) * share * radius
    case .one:
      // Exponential draws with random signs, one more of which takes up the rest.
      let drawn = -(random.uniform([count, inputs + 1]).to(.float64) * -1.0 + 1.0).logarithm()
      let signs = choose(random.uniform([count, inputs]))
      let whole = drawn.sum(over: [1], keeping: true)
      return drawn.sliced(1, 0, inputs) / whole * signs * radius
    }
  }

  private func choose(_ draws: Tensor) -> Tensor {
    let signs = draws.scalars(Float.self).map { $0 < 0.5 ? -1.0 : 1.0 }
    return Tensor(signs, shape: draws.shape)
  }
}
