import Foundation
import ParallaxModels
import ParallaxTensors

/// Steps of a match. What a step computes of the new pictures is what the next one begins with, so that a first-order step costs
/// one pass forwards and one back; only pictures that are still on their way are computed.
final class MatchStep {
  /// What a step brought.
  struct Outcome {
    /// All pictures, those that had ended unchanged.
    var pictures: Tensor
    /// Of each picture; NaN for those that had ended.
    var distances: (squared: [Double], cosines: [Double])
    var losses: [Double]
    /// Whether no step brings it nearer.
    var isStuck: [Bool]
  }

  struct Here {
    /// The places in the batch.
    var rows: [Int]
    var pictures: Tensor
    var back: Pullback
    var found: Tensor { back.values[0] }
  }

  let match: EmbeddingMatch
  let sources: Tensor
  let targets: Tensor
  let others: [Tensor]
  let bounds: MatchBounds
  /// Asked before each product of a second-order step.
  let isInterrupted: () -> Bool
  var here: Here?

  init(
    _ match: EmbeddingMatch, _ sources: Tensor, _ targets: Tensor, _ others: [Tensor],
    _ bounds: MatchBounds, _ isInterrupted: @escaping () -> Bool
  ) throws {
    (self.match, self.sources, self.targets, self.bounds) = (match, sources, targets, bounds)
    self.others = others
    self.isInterrupted = isInterrupted
  }

  /// One step of all pictures that go on; moments and damping in the state move on.
  func step(_ state: inout EmbeddingMatch.State) throws -> Outcome {
    if match.recipe.method == .boundedBFGS { return try boundedStep(&state) }
    let going = state.endings.indices.filter { state.endings[$0] == nil }
    let here = try self.here ?? look(state.pictures.gathered(0, going), going)
    let places = going.compactMap { here.rows.firstIndex(of: $0) }
    let candidate =
      match.recipe.method.isSecondOrder
      ? try secondOrder(here, &state) : try firstOrder(here, &state)
    // Rows that ended with the last step are still in what was computed then.
    let chosen = bounds.of(candidate.gathered(0, places), going)
    var there = try look(chosen, going)
    let distances = MatchTensors.distances(there.found, targets.gathered(0, going))
    let losses = match.losses(
      there.found, targets.gathered(0, going), others.map { $0.gathered(0, going) })
    var outcome = Outcome(
      pictures: state.pictures,
      distances: (
        Array(repeating: .nan, count: state.endings.count),
        Array(repeating: .nan, count: state.endings.count)
      ), losses: Array(repeating: .nan, count: state.endings.count),
      isStuck: Array(repeating: false, count: state.endings.count))
    var kept = [Bool](repeating: true, count: going.count)
    for (place, image) in going.enumerated() {
      var (d, c) = (distances.squared[place], distances.cosines[place])
      if match.recipe.method == .levenbergMarquardt {
        // NaN is no improvement.
        if d < state.distances[image] {
          state.numbers.damping[image] = max(state.numbers.damping[image] * 0.3, 1e-9)
        } else {
          kept[place] = false
          (d, c) = (state.distances[image], state.cosines[image])
          state.numbers.damping[image] = max(state.numbers.damping[image], 1e-6) * 6
          outcome.isStuck[image] = state.numbers.damping[image] > 1e4
        }
      }
      (outcome.distances.squared[image], outcome.distances.cosines[image]) = (d, c)
      outcome.losses[image] = kept[place] ? losses[place] : state.numbers.loss[image]
    }
    var moved = there.pictures
    if kept.contains(false) {
      moved = MatchTensors.choose(kept, moved, here.pictures.gathered(0, places))
      there = try look(moved, going)
    }
    self.here = there
    outcome.pictures = Self.scattered(moved, going, into: state.pictures)
    return outcome
  }

  /// Embeddings with a way back.
  func look(_ pictures: Tensor, _ rows: [Int]) throws -> Here {
    let back = try Tensor.pullback(at: [pictures]) { [try match.embedding($0[0])] }
    return Here(rows: rows, pictures: pictures, back: back)
  }

  /// Jᵀu for each picture.
  private func products(_ here: Here, _ vectors: Tensor) throws -> Tensor {
    let found: Tensor?
    do { found = try here.back.products(of: 0, with: vectors)[0] } catch {
      throw AnalysisError.site(match.name, problem: "it has no gradient: \(error)")
    }
    guard let found else {
      throw AnalysisError.site(
        match.name, problem: "no gradient reaches the pixels; is it a quantised graph?")
    }
    return found
  }

  /// The gradient of the loss.
  func gradient(_ here: Here) throws -> Tensor {
    // Σ_k (k/m²)·(f − t_k), of a single target f − t.
    let all = others + [targets]
    let residual = all.enumerated().reduce(here.found.zerosLike()) { sum, one in
      sum + (here.found - one.element.gathered(0, here.rows))
        * EmbeddingMatch.weight(one.offset, of: all.count)
    }
    return try products(
      here, residual * (match.recipe.loss == .mean ? 2 / Double(targets.shape[1]) : 1))
  }

  private func firstOrder(_ here: Here, _ state: inout EmbeddingMatch.State) throws -> Tensor {
    let recipe = match.recipe
    let gradient = try gradient(here)
    let rate = recipe.rate(state.step, of: recipe.steps)
    switch recipe.method {
    case .adam:
      let time = Double(state.step + 1)
      let first =
        (state.first ?? state.pictures.zerosLike()).gathered(0, here.rows) * 0.9 + gradient * 0.1
      let second =
        (state.second ?? state.pictures.zerosLike()).gathered(0, here.rows) * 0.999
        + gradient.squared() * 0.001
      state.first = Self.scattered(
        first, here.rows, into: state.first ?? state.pictures.zerosLike())
      state.second = Self.scattered(
        second, here.rows, into: state.second ?? state.pictures.zerosLike())
      let spread = second.squareRoot() / (1 - pow(0.999, time)).squareRoot() + 1e-8
      return here.pictures - first / spread * (rate / (1 - pow(0.9, time)))
    case .pgd:
      if case .maximum = recipe.ball {
        return here.pictures - EquivalenceOperators.sign(gradient) * bounds.scale * rate
      }
      // In pixels the gradient is that of the recipe's unit times the unit's scale.
      let inPixels = gradient * bounds.scale
      let length = inPixels.squared().sum(over: [1, 2, 3], keeping: true).squareRoot() + 1e-10
      return here.pictures - inPixels / length * bounds.scale * rate
    default: return here.pictures - gradient * rate
    }
  }

  /// x − Jᵀ(JJᵀ + λI)⁻¹r by conjugate gradients, image by image.
  private func secondOrder(_ here: Here, _ state: inout EmbeddingMatch.State) throws -> Tensor {
    let residual = here.found - targets.gathered(0, here.rows)
    func dot(_ a: Tensor, _ b: Tensor) -> Tensor { (a * b).sum(over: [1], keeping: true) }
    func gram(_ vector: Tensor) throws -> Tensor {
      let direction = try products(here, vector)
      return try match.forward(here.pictures, direction)
    }
    let scale = dot(residual, try gram(residual)) / (dot(residual, residual) + 1e-300)
    for image in here.rows where state.numbers.damping[image] == 0 {
      state.numbers.damping[image] = match.recipe.damping
    }
    let damping =
      Tensor(here.rows.map { state.numbers.damping[$0] }, shape: [here.rows.count, 1])
      .to(residual.dtype).to(residual.device) * scale
    var (solution, left, direction) = (residual.zerosLike(), residual, residual)
    var size = dot(left, left)
    let aim = size * 1e-8
    for _ in 0..<match.recipe.products {
      if isInterrupted() { throw AnalysisError.interrupted }
      // A picture whose system is solved stands still, so that none depends on the others of its batch.
      let goes = EquivalenceOperators.greater(size, aim).to(residual.dtype)
      if goes.sum().item(Double.self) == 0 { break }
      let product = try gram(direction) + direction * damping
      // Where the residual is 0 all is 0 and stays so.
      let step = size / (dot(direction, product) + 1e-30) * goes
      solution = solution + direction * step
      left = left - product * step
      let next = dot(left, left)
      direction = left + direction * (next / (size + 1e-30))
      size = next
    }
    return here.pictures - (try products(here, solution))
  }

  /// Rows put back into a batch.
  static func scattered(_ rows: Tensor, _ places: [Int], into batch: Tensor) -> Tensor {
    let count = batch.shape[0]
    if places.count == count { return rows }
    return Tensor.stacked(
      (0..<count).map { image in
        places.firstIndex(of: image).map { rows.selected(0, $0) } ?? batch.selected(0, image)
      })
  }
}
