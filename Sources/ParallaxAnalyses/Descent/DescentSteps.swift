import Foundation
import ParallaxTensors

extension Descent {
  /// What one look at the pictures gave.
  struct Evaluation {
    /// Of each picture, without priors.
    var losses: [Double]
    /// Of each picture, with priors.
    var totals: [Double]
    var distances: [Double]?
    /// With respect to the parameters; of a crop, to the crop's pixels.
    var gradient: Tensor
    /// Of each picture the gradient's Euclidean norm.
    var slopes: [Double]
    var pictures: Tensor
  }

  /// Losses and gradients at some parameters.
  func evaluate(
    _ parameters: Tensor, _ made: any Parametrisation, _ moment: Moment, needsGradient: Bool = true
  ) throws -> Evaluation {
    guard needsGradient else {
      let pictures = made.pictures(parameters)
      let losses = try loss(moment.rolled(moment.cut(pictures)), moment)
      let values = losses.values.to(.float64).scalars(Double.self)
      return Evaluation(
        losses: values, totals: values,
        distances: losses.distances?.to(.float64).scalars(Double.self), gradient: parameters,
        slopes: values.map { _ in 0 }, pictures: pictures)
    }
    let way =
      recipe.parametrisation == .pixels
      ? nil : Tensor.pullback(at: [parameters]) { [made.pictures($0[0])] }
    let pictures = way?.values[0] ?? parameters
    var distances: Tensor?
    let back = try Tensor.pullback(at: [moment.cut(pictures)]) { leaves in
      let losses = try loss(moment.rolled(leaves[0]), moment)
      distances = losses.distances?.detached()
      return [losses.values.sum(), losses.values]
    }
    let (sum, losses) = (back.values[0], back.values[1].to(.float64).scalars(Double.self))
    let found: Tensor?
    do {
      found = try back.products(of: 0, with: sum.zerosLike() + 1.0)[0]
    } catch { throw AnalysisError.site(name, problem: "it has no gradient: \(error)") }
    guard var gradient = found else {
      throw AnalysisError.site(
        name, problem: "no gradient reaches the pixels; is it a quantised graph?")
    }
    var totals = losses
    if recipe.hasPrior {
      let prior = Tensor.pullback(at: [moment.cut(pictures)]) { leaves in
        let values = recipe.prior(leaves[0])
        return [values.sum(), values]
      }
      totals = zip(losses, prior.values[1].to(.float64).scalars(Double.self)).map { $0 + $1 }
      if let own = try prior.products(of: 0, with: prior.values[0].zerosLike() + 1.0)[0] {
        gradient = gradient + own
      }
    }
    if let way, let own = try way.products(of: 0, with: gradient)[0] { gradient = own }
    let flat = gradient.reshaped(gradient.shape[0], -1)
    if recipe.clipsGradient { gradient = Self.clipped(flat).reshaped(gradient.shape) }
    return Evaluation(
      losses: losses, totals: totals,
      distances: distances?.to(.float64).scalars(Double.self), gradient: gradient,
      slopes: flat.norm(over: [1]).to(.float64).scalars(Double.self), pictures: pictures)
  }

  /// Each row within its mean ± 1 standard deviation.
  private static func clipped(_ rows: Tensor) -> Tensor {
    let mean = rows.mean(over: [1], keeping: true)
    let count = Double(max(2, rows.shape[1])) - 1
    let deviation =
      ((rows - mean).squared().sum(over: [1], keeping: true) / count).squareRoot()
    return DescentOperators.larger(
      DescentOperators.smaller(rows, mean + deviation), mean - deviation)
  }

  /// Notes distances, keeps the best, and stops what is no longer finite.
  func record(_ found: Evaluation, _ reference: Tensor?, _ state: inout State, _ moment: Moment) {
    let batch = found.losses.count
    var inputs: [Double]?
    if moment.isLogged, let reference {
      let pictures = found.pictures.resized(reference.shape[2], reference.shape[3])
      inputs = (pictures - reference).to(.float64).reshaped(batch, -1).norm(over: [1])
        .scalars(Double.self)
    }
    let counts = moment.isWhole && moment.shift == [0, 0]
    var better = [Bool](repeating: false, count: batch)
    for image in 0..<batch where state.numbers.stopped[image] == nil {
      let (loss, slope) = (found.losses[image], found.slopes[image])
      let notes = [found.distances?[image], inputs?[image]].compactMap(\.self)
      let hasGrown: Bool
      if let limit = recipe.divergence, let first = state.numbers.trace[image].first?.loss {
        hasGrown = first > 0 && loss > limit * first
      } else {
        hasGrown = false
      }
      guard loss.isFinite, slope.isFinite, !hasGrown, notes.allSatisfy(\.isFinite) else {
        state.numbers.stopped[image] = state.step
        continue
      }
      if moment.isLogged, state.numbers.trace[image].last?.step != state.step {
        state.numbers.trace[image].append(
          TracePoint(
            step: state.step, loss: loss, embedding: found.distances?[image],
            input: inputs?[image]))
      }
      if counts, loss < state.numbers.bestLoss[image] ?? .infinity {
        better[image] = true
        (state.numbers.bestLoss[image], state.numbers.bestStep[image]) = (loss, state.step)
      }
    }
    state.best = better.chosen(state.parameters, state.best)
  }

  /// Pictures whose descent has diverged stand still at their best.
  func hold(_ state: inout State) {
    let diverged = state.stopped.map { $0 != nil }
    guard diverged.contains(true) else { return }
    if state.best.shape == state.parameters.shape {
      state.parameters = diverged.chosen(state.best, state.parameters)
    }
    state.memory = state.memory.mapValues { diverged.chosen($0.zerosLike(), $0) }
  }

  /// One step.
  ///
  /// - Returns: a look at the new parameters where the step needed one.
  func advance(
    _ state: inout State, _ found: Evaluation, _ made: any Parametrisation, _ moment: Moment,
    _ isInterrupted: () -> Bool
  ) throws -> Evaluation? {
    let rules = recipe.octaves[moment.octave]
    let (rate, gradient) = (rules.rate(moment.step, of: rules.steps), found.gradient)
    var next: Tensor
    var pending: Evaluation?
    switch recipe.optimiser {
    case .descent: next = stepped(state.parameters, gradient * rate, moment)
    case .sign: next = stepped(state.parameters, DescentOperators.sign(gradient) * rate, moment)
    case .normalised:
      let sizes = gradient.reshaped(gradient.shape[0], -1).norm(over: [1]) + 1e-10
      next = stepped(
        state.parameters, gradient / sizes.reshaped(-1, 1, 1, 1) * rate, moment)
    case .adam:
      let time = Double(moment.step + 1)
      let first = (state.memory["first"] ?? gradient.zerosLike()) * 0.9 + gradient * 0.1
      let second =
        (state.memory["second"] ?? gradient.zerosLike()) * 0.999 + gradient.squared() * 0.001
      (state.memory["first"], state.memory["second"]) = (first, second)
      let spread = second.squareRoot() / (1 - pow(0.999, time)).squareRoot() + 1e-8
      next = state.parameters - first / spread * (rate / (1 - pow(0.9, time)))
    case .lbfgs(let history, let isSearching):
      var memory = LBFGS(state.memory, history: history, like: gradient)
      var looks = 0
      (next, pending) = try memory.step(
        state.parameters, found, rate: rate
      ) { parameters in
        // A search rarely takes many looks; one that does can be stopped.
        looks += 1
        if looks > 8, isInterrupted() { throw AnalysisError.interrupted }
        // It may be the next step's look, which is noted.
        return isSearching ? try evaluate(parameters, made, moment.logged) : nil
      }
      state.memory = memory.tensors
    }
    if let smoothing = rules.smoothing {
      next = Blur(size: smoothing.size, sigma: smoothing.sigma(moment.step, of: rules.steps))(next)
      pending = nil
    }
    if recipe.clamps {
      next = next.clamped(0, 1)
      pending = nil
    }
    state.parameters = next
    grow(&state, rules.padding)
    return pending
  }

  /// Puts pixels round the pictures.
  func grow(_ state: inout State, _ side: Int) {
    guard side > 0 else { return }
    let amounts = [side, side, side, side]
    state.parameters = state.parameters.padded(amounts, with: recipe.fill)
    state.best = state.best.padded(amounts, with: recipe.fill)
  }

  /// a − change, or that in the crop only.
  private func stepped(_ parameters: Tensor, _ change: Tensor, _ moment: Moment) -> Tensor {
    guard !moment.isWhole else { return parameters - change }
    let amounts = [
      moment.left, moment.width - moment.left - moment.columns, moment.top,
      moment.height - moment.top - moment.rows,
    ]
    return parameters - change.padded(amounts)
  }

  /// Whether what an optimiser remembers has the shapes that it needs.
  func remembers(_ memory: [String: Tensor], _ shape: [Int], _ dtype: DType) -> Bool {
    switch recipe.optimiser {
    case .descent, .sign, .normalised: return memory.isEmpty
    case .adam:
      return memory.isEmpty
        || Set(memory.keys) == ["first", "second"]
          && memory.values.allSatisfy { $0.shape == shape && $0.dtype == dtype }
    case .lbfgs(let history, _):
      return memory.isEmpty || LBFGS.fits(memory, history: history, shape: shape, dtype: dtype)
    }
  }
}

extension DescentRecipe {
  var hasPrior: Bool { variation > 0 || amplitude > 0 }

  /// λ·total variation + λ·amplitude of each picture, `[batch]`.
  func prior(_ images: Tensor) -> Tensor {
    var sum: Tensor?
    if variation > 0 {
      let across = images.sliced(3, 1) - images.sliced(3, 0, -1)
      let down = images.sliced(2, 1) - images.sliced(2, 0, -1)
      let value: Tensor
      if let exponent = variationExponent {
        let squares = across.sliced(2, 0, -1).squared() + down.sliced(3, 0, -1).squared()
        // A power below 1 has no slope at 0.
        value = (exponent == 2 ? squares : (squares + 1e-8).power(exponent / 2))
          .mean(over: [1, 2, 3])
      } else {
        value = across.absolute().mean(over: [1, 2, 3]) + down.absolute().mean(over: [1, 2, 3])
      }
      sum = value * variation
    }
    if amplitude > 0 {
      let value = (images * 2.0 - 1.0).power(6).mean(over: [1, 2, 3]) * amplitude
      sum = sum.map { $0 + value } ?? value
    }
    return sum ?? images.sum(over: [1, 2, 3]) * 0.0
  }
}
