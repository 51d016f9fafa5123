import Foundation
import ParallaxModels
import ParallaxTensors

/// Pictures that look like their sources and whose embeddings are those of their targets.
///
/// From x₀ on, x is changed as the recipe says until ‖f(x) − t‖² < τ_d and cos(f(x), t) > τ_c. Pictures of a batch do not see one
/// another; one that has arrived stands still. Embeddings are raw, not normalised to length 1. Parameters collect no gradient,
/// and nothing after the site runs.
///
/// Steps of descent are those of the published loop to 12 digits in float64.
///
/// > Source: Salman, Shams and Liu, 2024, arXiv 2401.15568.
public struct EmbeddingMatch {
  /// The recipe.
  public let recipe: MatchRecipe
  /// From pictures `[batch, 3, height, width]`, in the recipe's unit, to embeddings `[batch, features]`.
  public let embedding: (Tensor) throws -> Tensor
  /// What a pixel of 0 to 1 is in the recipe's unit, for each channel: 1 in pixels, 1 / (std) in the model's input.
  public let scale: [Double]
  /// The recipe's numbers of a black pixel, for each channel.
  public let offset: [Double]
  /// What errors call the representation.
  public let name: String

  /// Matching in any function that can be differentiated.
  ///
  /// - Parameters:
  ///   - name: what errors call it.
  ///   - recipe: how.
  ///   - scale: what a pixel of 0 to 1 is in the recipe's unit, for each channel.
  ///   - offset: the recipe's numbers of a black pixel.
  ///   - embedding: from pictures to embeddings, image by image.
  public init(
    _ name: String, _ recipe: MatchRecipe, scale: [Double] = [1, 1, 1],
    offset: [Double] = [0, 0, 0], embedding: @escaping (Tensor) throws -> Tensor
  ) {
    (self.name, self.recipe, self.scale, self.offset) = (name, recipe, scale, offset)
    self.embedding = embedding
  }

  /// Why a match ended.
  public enum Ending: String, Sendable, Codable {
    /// Both conditions hold.
    case matched
    /// Both held before the first step.
    case already
    /// The steps were used up.
    case steps
    /// A number was no longer finite; the picture is the nearest one before.
    case diverged
    /// No step of a method that takes steps back brings it nearer.
    case stuck
  }

  /// One point of a trace, after a step.
  public struct TracePoint: Codable, Sendable, Hashable {
    /// Steps done.
    public var step: Int
    /// The loss before the step, as the published code notes it; of the start, the loss itself.
    public var loss: Double
    /// d = ‖f(x) − t‖².
    public var distance: Double
    /// cos(f(x), t).
    public var cosine: Double
    /// ‖x − x₀‖₁ in the recipe's unit.
    public var change: Double
  }

  /// Where matches stand: enough to go on from.
  public struct State {
    /// Steps done.
    public internal(set) var step = 0
    /// x, `[batch, 3, height, width]`.
    public internal(set) var pictures: Tensor
    var first: Tensor?
    var second: Tensor?
    /// What quasi-Newton steps remember.
    var memory: [String: Tensor] = [:]
    var numbers: Numbers

    /// What of a state are no pictures.
    struct Numbers: Codable {
      var loss: [Double]
      var distance: [Double]
      var cosine: [Double]
      var ended: [Ending?]
      var endedAt: [Int]
      var damping: [Double]
      var trace: [[TracePoint]]
    }

    /// Why each ended; nil where it goes on.
    public var endings: [Ending?] { numbers.ended }
    /// Steps that each took.
    public var steps: [Int] {
      numbers.endedAt.indices.map { numbers.ended[$0] == nil ? step : numbers.endedAt[$0] }
    }
    /// d of each.
    public var distances: [Double] { numbers.distance }
    /// The cosine of each.
    public var cosines: [Double] { numbers.cosine }
    /// Of each the trace.
    public var trace: [[TracePoint]] { numbers.trace }

    /// A match that has not begun.
    ///
    /// - Parameter sources: x₀, in the recipe's unit.
    public init(_ sources: Tensor) {
      pictures = sources
      let batch = sources.shape[0]
      let none = [Double](repeating: .nan, count: batch)
      numbers = Numbers(
        loss: none, distance: none, cosine: none, ended: Array(repeating: nil, count: batch),
        endedAt: Array(repeating: 0, count: batch),
        damping: Array(repeating: 0, count: batch), trace: Array(repeating: [], count: batch))
    }
  }

  /// Embeddings stretched and shifted, image by image, until their smallest and largest numbers are those of others: what the published
  /// form with several targets does to each of them.
  ///
  /// - Parameters:
  ///   - targets: `[batch, features]`.
  ///   - others: the same shape; the embeddings of the sources.
  /// - Returns: min(e) + (t − min(t))·(max(e) − min(e))/(max(t) − min(t)); of a target of equal numbers min(e).
  public static func rescaled(_ targets: Tensor, to others: Tensor) -> Tensor {
    let rows = zip(targets.unbound(0), others.unbound(0)).map { target, other in
      let (low, high) = (other.minimum(), other.maximum())
      let own = target.minimum()
      let range = target.maximum() - own
      guard range.item(Double.self) > 0 else { return target.zerosLike() + low }
      return (target - own) * ((high - low) / range) + low
    }
    return Tensor.stacked(rows)
  }

  /// The loss of each picture: (1/m)·Σ_k (k/m)·L(f, t_k) over targets t_1 … t_m, of which `targets` is the last; L(f, t) of a single one.
  func losses(_ found: Tensor, _ targets: Tensor, _ others: [Tensor]) -> [Double] {
    let all = others + [targets]
    let share = recipe.loss == .mean ? 1 / Double(targets.shape[1]) : 0.5
    var sum = [Double](repeating: 0, count: targets.shape[0])
    for (place, target) in all.enumerated() {
      let weight = share * Self.weight(place, of: all.count)
      for (image, d) in MatchTensors.distances(found, target).squared.enumerated() {
        sum[image] += weight * d
      }
    }
    return sum
  }

  /// (1/m)·(k/m) of the k-th target, 1 of a single one.
  static func weight(_ place: Int, of count: Int) -> Double {
    Double(place + 1) / Double(count * count)
  }

  /// Changes pictures until all are matched or the steps are used up.
  ///
  /// - Parameters:
  ///   - sources: x₀, `[batch, 3, height, width]`, in the recipe's unit.
  ///   - targets: t, `[batch, features]`.
  ///   - others: targets before these, each of the same shape, that pull too, the k-th of all m with k/m²; a match is judged by the last
  ///     alone. Only methods of the first order take any.
  ///   - state: where the matches stand; afterwards where they ended. What is thrown leaves it at the last whole step.
  ///   - every: steps between points of the trace; the first and the last of each are always there.
  ///   - isInterrupted: asked before each step, and before each product of a second-order one.
  ///   - progress: told how many steps are done.
  /// - Throws: `AnalysisError.interrupted`; `AnalysisError.recipe` where a method takes one target; `AnalysisError.site` where the embeddings' width is not the targets', or no gradient
  ///   reaches the pictures; what the model throws.
  public func run(
    _ sources: Tensor, to targets: Tensor, after others: [Tensor] = [], _ state: inout State,
    every: Int = 1, isInterrupted: () -> Bool = { false }, progress: (Int) -> Void = { _ in }
  ) throws {
    guard others.isEmpty || !recipe.method.isSecondOrder else {
      throw AnalysisError.recipe(
        recipe.name, problem: "steps of the method \(recipe.method.rawValue) have one target")
    }
    if recipe.method == .boundedBFGS, case .euclidean = recipe.ball {
      throw AnalysisError.recipe(
        recipe.name,
        problem:
          "steps of the method \(recipe.method.rawValue) stay in a box, found the ball \(recipe.ball?.text ?? "")"
      )
    }
    let bounds = MatchBounds(recipe, sources, scale: scale, offset: offset)
    if state.step == 0, state.trace.allSatisfy(\.isEmpty) {
      let found = try embedding(state.pictures).detached()
      guard found.shape == targets.shape else {
        throw AnalysisError.site(
          name,
          problem:
            "expected targets of \(found.shape[1]) numbers for each of \(found.shape[0]) pictures, found \(targets.shape.map(String.init).joined(separator: " × "))"
        )
      }
      judge(found, targets, losses(found, targets, others), &state)
    }
    try withoutActuallyEscaping(isInterrupted) { asked in
      let stepper = try MatchStep(self, sources, targets, others, bounds, asked)
      try go(stepper, sources, targets, &state, every: every, asked, progress)
    }
    for image in state.endings.indices where state.endings[image] == nil {
      (state.numbers.ended[image], state.numbers.endedAt[image]) = (.steps, state.step)
    }
  }

  private func go(
    _ stepper: MatchStep, _ sources: Tensor, _ targets: Tensor, _ state: inout State, every: Int,
    _ isInterrupted: () -> Bool, _ progress: (Int) -> Void
  ) throws {
    while state.step < recipe.steps, state.endings.contains(nil) {
      if isInterrupted() { throw AnalysisError.interrupted }
      var next = state
      let going = state.endings.map { $0 == nil }
      let step = try stepper.step(&next)
      next.pictures = MatchTensors.choose(going, step.pictures, state.pictures)
      next.step += 1
      settle(step, &next, state, targets, sources, every: every)
      state = next
      progress(state.step)
    }
  }

  /// Notes the distances of a start, and what is already matched.
  private func judge(
    _ found: Tensor, _ targets: Tensor, _ losses: [Double], _ state: inout State
  ) {
    let numbers = MatchTensors.distances(found, targets)
    let squares = targets.to(.float64).squared().sum(over: [1]).scalars(Double.self)
    for image in numbers.squared.indices {
      let (d, c) = (numbers.squared[image], numbers.cosines[image])
      let loss = losses[image]
      (state.numbers.loss[image], state.numbers.distance[image]) = (loss, d)
      state.numbers.cosine[image] = c
      state.numbers.trace[image].append(
        TracePoint(step: 0, loss: loss, distance: d, cosine: c, change: 0))
      if !d.isFinite {
        state.numbers.ended[image] = .diverged
      } else if isMatch(d, c, squares[image]) {
        state.numbers.ended[image] = .already
      }
    }
  }

  /// J·v at some pictures.
  func forward(_ pictures: Tensor, _ direction: Tensor) throws -> Tensor {
    try Tensor.jacobianVectorProduct(at: [pictures], directions: [direction]) {
      try embedding($0[0])
    }.product
  }

  private func isMatch(_ distance: Double, _ cosine: Double, _ square: Double) -> Bool {
    distance < recipe.tolerance * (recipe.isRelative ? square : 1) && cosine > recipe.cosine
  }

  /// Notes what a step has brought, image by image.
  private func settle(
    _ step: MatchStep.Outcome, _ next: inout State, _ before: State, _ targets: Tensor,
    _ sources: Tensor, every: Int
  ) {
    let changes = (next.pictures - sources).to(.float64).absolute().sum(over: [1, 2, 3])
      .scalars(Double.self)
    let squares = targets.to(.float64).squared().sum(over: [1]).scalars(Double.self)
    var lost = [Bool](repeating: false, count: changes.count)
    for image in changes.indices where before.endings[image] == nil {
      let (d, c) = (step.distances.squared[image], step.distances.cosines[image])
      if !d.isFinite || !changes[image].isFinite {
        // Not a cosine: that of an embedding of zeros is none.
        lost[image] = true
        (next.numbers.ended[image], next.numbers.endedAt[image]) = (.diverged, next.step)
        continue
      }
      next.numbers.loss[image] = step.losses[image]
      (next.numbers.distance[image], next.numbers.cosine[image]) = (d, c)
      if isMatch(d, c, squares[image]) {
        next.numbers.ended[image] = .matched
      } else if step.isStuck[image] {
        next.numbers.ended[image] = .stuck
      } else if next.step == recipe.steps {
        next.numbers.ended[image] = .steps
      }
      if next.numbers.ended[image] != nil { next.numbers.endedAt[image] = next.step }
      if next.numbers.ended[image] != nil || next.step % max(1, every) == 0 {
        next.numbers.trace[image].append(
          TracePoint(
            step: next.step, loss: before.numbers.loss[image], distance: d, cosine: c,
            change: changes[image]))
      }
    }
    if lost.contains(true) {
      next.pictures = MatchTensors.choose(lost, before.pictures, next.pictures)
    }
  }
}

/// What matching computes of embeddings and pictures.
enum MatchTensors {
  /// Of each image `a` where the flag is set, else `b`.
  static func choose(_ flags: [Bool], _ a: Tensor, _ b: Tensor) -> Tensor {
    if flags.allSatisfy({ $0 }) { return a }
    let mask = Tensor(flags, shape: [flags.count] + Array(repeating: 1, count: a.rank - 1))
    return InversionOperators.choose(mask.to(a.device), a, b)
  }

  /// ‖f − t‖² and cosines, in float64.
  static func distances(_ found: Tensor, _ targets: Tensor) -> (
    squared: [Double], cosines: [Double]
  ) {
    let (a, b) = (found.to(.float64), targets.to(.float64))
    let squared = (a - b).squared().sum(over: [1]).scalars(Double.self)
    let cosines = ((a * b).sum(over: [1]) / (a.norm(over: [1]) * b.norm(over: [1])))
      .scalars(Double.self)
    return (squared, cosines)
  }
}
