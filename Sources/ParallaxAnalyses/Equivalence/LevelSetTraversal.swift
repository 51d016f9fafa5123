import Foundation
import ParallaxTensors

/// A path from a picture towards another on which a classifier stays as sure of the first picture's class.
///
/// With g the gradient of the cross-entropy of the source's class and v = x_tg − x, a step goes η of v without its part along g;
/// a small counter-perturbation against the gradient, kept within ±ε, holds the confidence. A step is taken while the confidence
/// has dropped by less than δ.
///
/// Agrees with a transcription of this loop in PyTorch to 1e-9 in float64. The authors' random start is left out.
///
/// > Source: Balasubramanian et al., 2023, Exploring Geometry of Blind Spots in Vision Models (NeurIPS), Algorithm 1.
public struct LevelSetTraversal {
  /// The settings.
  public struct Options: Sendable, Hashable {
    /// Steps, at most.
    public var steps = 100
    /// η.
    public var rate = 0.05
    /// ε of the counter-perturbation in pixels of 0 to 1; 0 for none.
    public var perturbation = 1.0 / 255
    /// α, the share of −g that the counter-perturbation gains with a step.
    public var pull = 0.01
    /// δ.
    public var drop = 0.05

    /// The published ones where they are known; α is our reading.
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
    for _ in 0..<options.steps {
      if isInterrupted() { throw AnalysisError.interrupted }
      let back = try Tensor.pullback(at: [x]) { leaves in
        let found = try logits(leaves[0])
        let largest = found.detached().maximum()
        let normaliser = (found - largest).exponential().sum(over: [1]).logarithm() + largest
        return [(normaliser - found.selected(1, label)).sum()]
      }
      guard let g = try back.products(of: 0, with: back.values[0].zerosLike() + 1.0)[0] else {
        throw AnalysisError.site("level sets", problem: "no gradient reaches the picture")
      }
      let v = target - x
      let square = (g * g).sum().item(Double.self)
      let along = square > 0 ? (g * v).sum().item(Double.self) / square : 0
      let step = (v - g * along) * options.rate
      if options.perturbation > 0 {
        counter = (counter - g * options.pull).clamped(
          -options.perturbation, options.perturbation)
      }
      let next = (x + step + counter).clamped(0, 1)
      let sure = confidence(try logits(next).detached())
      guard sure.isFinite, first - sure < options.drop else { break }
      x = next
      path.picture = next
      path.steps += 1
      path.confidences.append(sure)
      path.distances.append(distance(next))
    }
    return path
  }
}
