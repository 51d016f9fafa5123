import Foundation
import ParallaxTensors

/// A path from a picture towards another on which a classifier stays as sure of the first picture's class.
///
/// From x₀ and a little noise on, with g the gradient of the cross-entropy of the source's class and v = x_tg − x, a step goes η of v
/// without its part along g; a counter-perturbation, where one is asked for, is clamp(c + ε/2·g, ±ε) and is taken off. A step is taken
/// while the confidence has dropped by less than δ.
///
/// Agrees with a transcription of the authors' loop in PyTorch to 1e-9 in float64, with the counter-perturbation and without.
///
/// > Source: Balasubramanian et al., 2023, Exploring Geometry of Blind Spots in Vision Models (NeurIPS), Algorithm 1, and the authors'
/// > `level_set_traversal.py`, whose defaults these are.
public struct LevelSetTraversal {
  /// The settings.
  public struct Options: Sendable, Hashable {
    /// Steps, at most.
    public var steps = 100
    /// η.
    public var rate = 0.05
    /// ε of the counter-perturbation in pixels of 0 to 1; 0 for none, as published. The authors' other value is 1/255.
    public var perturbation = 0.0
    /// The source is moved by up to this much in each pixel before the first step.
    public var jitter = 2.0 / 255
    /// δ.
    public var drop = 0.05
    /// Radii of ``Path/widths``; none for no widths.
    public var radii: [Double] = []
    /// Random directions of each width.
    public var directions = 256
    /// The seed of the jitter and the directions.
    public var seed: UInt64 = 0

    /// The published ones, without widths.
    public init() {}
  }

  /// How a traversal ended.
  public struct Path {
    /// The last picture, `[1, …]`.
    public var picture: Tensor
    /// The source's class.
    public var label: Int
    /// Steps that were taken.
    public var steps: Int
    /// The confidence in the source's class: of the source, then after each step.
    public var confidences: [Double]
    /// ‖x − x_tg‖ after each step, the first of the source.
    public var distances: [Double]
    /// How sure the classifier is around the source and around the last picture: at each radius the 5th and 95th percentile over random
    /// directions orthogonal to the next step.
    public var widths: [Width] = []
  }

  /// Confidences at one distance from a picture.
  public struct Width: Sendable, Hashable {
    /// Whether around the last picture, not the source.
    public var isEnd: Bool
    /// The distance.
    public var radius: Double
    /// The 5th percentile.
    public var low: Double
    /// The 95th.
    public var high: Double
  }

  /// The settings.
  public let options: Options

  /// A traversal.
  public init(_ options: Options = Options()) { self.options = options }

  /// Goes from a picture towards another.
  ///
  /// - Parameters:
  ///   - source: x₀, `[1, …]`, pixels of 0 to 1.
  ///   - target: x_tg, the same shape.
  ///   - label: the source's class; nil for the one that the classifier gives it.
  ///   - isInterrupted: asked before each step.
  ///   - logits: from pictures to logits `[1, classes]`.
  /// - Returns: the path.
  /// - Throws: `AnalysisError.interrupted`, `AnalysisError.site` where no gradient reaches the picture, and what `logits` throws.
  public func callAsFunction(
    from source: Tensor, towards target: Tensor, label: Int? = nil,
    isInterrupted: () -> Bool = { false }, _ logits: (Tensor) throws -> Tensor
  ) throws -> Path {
    let start = try logits(source).detached()
    let label = label ?? Int(start.argmax(1).item(Int64.self))
    guard (0..<start.shape[1]).contains(label) else {
      throw AnalysisError.site(
        "level sets", problem: "there are \(start.shape[1]) classes, found class \(label)")
    }
    func confidence(_ found: Tensor) -> Double {
      found.to(.float64).softmax(1).selected(1, label).item(Double.self)
    }
    func distance(_ x: Tensor) -> Double {
      (target - x).to(.float64).squared().sum().squareRoot().item(Double.self)
    }
    let first = confidence(start)
    var path = Path(
      picture: source, label: label, steps: 0, confidences: [first], distances: [distance(source)])
    var (x, counter) = (source, source.zerosLike())
    if options.jitter > 0 {
      let noise = RandomSource(seed: options.seed).uniform(source.shape).to(source.dtype)
        .to(source.device)
      x = (x + (noise - 0.5) * (2 * options.jitter)).clamped(0, 1)
    }
    for step in 0..<options.steps {
      if isInterrupted() { throw AnalysisError.interrupted }
      let (g, along) = try Self.split(target - x, at: x, label, logits)
      if step == 0 {
        path.widths += try widths(around: x, along, label, isEnd: false, isInterrupted, logits)
      }
      if options.perturbation > 0 {
        counter = (counter + g * (options.perturbation / 2)).clamped(
          -options.perturbation, options.perturbation)
      }
      let next = (x + along * options.rate - counter).clamped(0, 1)
      let sure = confidence(try logits(next).detached())
      guard sure.isFinite, first - sure < options.drop else { break }
      x = next
      path.picture = next
      path.steps += 1
      path.confidences.append(sure)
      path.distances.append(distance(next))
    }
    if path.steps > 0, !options.radii.isEmpty {
      let along = try Self.split(target - x, at: x, label, logits).along
      path.widths += try widths(around: x, along, label, isEnd: true, isInterrupted, logits)
    }
    return path
  }

  /// The gradient of the cross-entropy, and a direction without its part along it.
  private static func split(
    _ direction: Tensor, at x: Tensor, _ label: Int, _ logits: (Tensor) throws -> Tensor
  ) throws -> (gradient: Tensor, along: Tensor) {
    let back = try Tensor.pullback(at: [x]) { leaves in
      let found = try logits(leaves[0])
      let largest = found.detached().maximum()
      let normaliser = (found - largest).exponential().sum(over: [1]).logarithm() + largest
      return [(normaliser - found.selected(1, label)).sum()]
    }
    guard let g = try back.products(of: 0, with: back.values[0].zerosLike() + 1.0)[0] else {
      throw AnalysisError.site("level sets", problem: "no gradient reaches the picture")
    }
    let square = (g * g).sum().item(Double.self)
    let share = square > 0 ? (g * direction).sum().item(Double.self) / square : 0
    return (g, direction - g * share)
  }

  private func widths(
    around x: Tensor, _ along: Tensor, _ label: Int, isEnd: Bool, _ isInterrupted: () -> Bool,
    _ logits: (Tensor) throws -> Tensor
  ) throws -> [Width] {
    guard !options.radii.isEmpty else { return [] }
    let drawn = RandomSource(seed: options.seed ^ 0x57).normal(
      [options.directions] + Array(x.shape.dropFirst())
    ).to(x.dtype).to(x.device)
    return try Self.widths(
      around: x, orthogonalTo: along, label: label, radii: options.radii, directions: drawn,
      isInterrupted: isInterrupted, logits
    ).map { Width(isEnd: isEnd, radius: $0.radius, low: $0.low, high: $0.high) }
  }

  /// How sure a classifier is at some distances from a picture: the 5th and 95th percentile, interpolated linearly, of the confidence in a
  /// class over directions that are made orthogonal to one and of length 1; pixels are clamped to \[0, 1\].
  ///
  /// - Parameters:
  ///   - x: the picture, `[1, …]`.
  ///   - direction: what the others are made orthogonal to, of the picture's shape.
  ///   - label: the class.
  ///   - radii: the distances.
  ///   - directions: random ones, `[count, …]`.
  ///   - isInterrupted: asked before each 16 directions.
  ///   - logits: from pictures to logits.
  /// - Returns: two percentiles each radius.
  /// - Throws: `AnalysisError.interrupted`, and what `logits` throws.
  static func widths(
    around x: Tensor, orthogonalTo direction: Tensor, label: Int, radii: [Double],
    directions: Tensor, isInterrupted: () -> Bool = { false },
    _ logits: (Tensor) throws -> Tensor
  ) throws -> [(radius: Double, low: Double, high: Double)] {
    let axes = Array(1..<x.rank)
    let length = direction.squared().sum().squareRoot()
    guard length.item(Double.self) > 0 else { return [] }
    let unit = direction / length
    let inside = directions - unit * (directions * unit).sum(over: axes, keeping: true)
    let units = inside / inside.squared().sum(over: axes, keeping: true).squareRoot()
    return try radii.map { radius in
      var found: [Double] = []
      for first in stride(from: 0, to: units.shape[0], by: 16) {
        if isInterrupted() { throw AnalysisError.interrupted }
        let part = units.sliced(0, first, min(first + 16, units.shape[0]))
        let sure = try logits((part * radius + x).clamped(0, 1)).detached().to(.float64).softmax(1)
          .selected(1, label)
        found += sure.scalars(Double.self)
      }
      found.sort()
      func quantile(_ share: Double) -> Double {
        let place = share * Double(found.count - 1)
        let low = Int(place)
        let high = min(low + 1, found.count - 1)
        return found[low] + (found[high] - found[low]) * (place - Double(low))
      }
      return (radius, quantile(0.05), quantile(0.95))
    }
  }
}
