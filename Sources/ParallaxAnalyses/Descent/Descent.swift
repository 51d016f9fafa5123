import Foundation
import ParallaxTensors

/// Pictures that make some loss small, found by descent: on pixels, on spectra or on the weights of a prior network.
///
/// a ← step(a, ∂L/∂a) with L(a) = loss of what the model sees of a + λ·total variation, for each picture of a batch by itself:
/// losses are summed, and where pictures do not see one another in the loss each descends as it would alone.
///
/// ```swift
/// var recipe = DescentRecipe([.init(steps: 100, rate: LinearSchedule(0.05, 0.005))])
/// recipe.optimiser = .adam
/// let descent = Descent("logit 207", recipe) { seen, _ in
///   Descent.Losses((logits(seen).sliced(1, 207, 208).squeezed(1) * -1.0))
/// }
/// var state = try descent.begin(channels: 3, height: 224, width: 224, seeds: [1, 2])
/// try descent.run(&state)
/// let pictures = descent.result(state)
/// ```
///
/// Steps are those of PyTorch in float64 to 1e-9 relative.
///
/// > Source: Badger, 2022, arXiv 2211.06496.
public struct Descent {
  /// The losses of a batch.
  public struct Losses {
    /// `[batch]`, differentiable.
    public var values: Tensor
    /// A distance to note in the trace, `[batch]`, wanted only where ``Moment/isLogged``.
    public var distances: Tensor?

    /// Losses, and what is to be noted.
    public init(_ values: Tensor, distances: Tensor? = nil) {
      (self.values, self.distances) = (values, distances)
    }
  }

  /// One number a picture of what the model is to see of the pictures, `[batch, channels, rows, columns]`.
  public typealias Loss = (_ seen: Tensor, _ moment: Moment) throws -> Losses

  /// What errors call the loss.
  public let name: String
  /// How pictures are found.
  public let recipe: DescentRecipe
  let loss: Loss

  /// A descent.
  ///
  /// - Parameters:
  ///   - name: what errors call it.
  ///   - recipe: how.
  ///   - loss: what is to become small, of each picture by itself.
  public init(_ name: String, _ recipe: DescentRecipe, loss: @escaping Loss) {
    (self.name, self.recipe, self.loss) = (name, recipe, loss)
  }

  /// The octave of a step over all octaves, and the step within it; after the last step the last octave and its N.
  func place(_ step: Int) -> (octave: Int, step: Int) {
    var rest = step
    for (index, octave) in recipe.octaves.enumerated() {
      if rest < octave.steps || index == recipe.octaves.count - 1 { return (index, rest) }
      rest -= octave.steps
    }
    return (0, 0)
  }

  /// Height and width of the pictures at a step.
  func size(_ state: State) -> (height: Int, width: Int) {
    let (octave, step) = place(state.step)
    let size = recipe.octaves[octave].size(of: state.origin[1], state.origin[2])
    let grown = 2 * recipe.octaves[octave].padding * step
    return (size.height + grown, size.width + grown)
  }

  func parametrisation(_ state: State) -> any Parametrisation {
    let size = size(state)
    return recipe.parametrisation.make(
      channels: state.origin[0], height: size.height, width: size.width)
  }

  /// Descents that have not begun, from the recipe's start.
  ///
  /// - Parameters:
  ///   - channels: of a picture.
  ///   - height: in pixels.
  ///   - width: in pixels.
  ///   - seeds: of the draws, one a picture.
  ///   - dtype: of the numbers that the descent runs on.
  ///   - device: where they lie.
  /// - Returns: the state.
  /// - Throws: `AnalysisError.recipe` where the recipe does not fit the pictures.
  public func begin(
    channels: Int = 3, height: Int, width: Int, seeds: [UInt64], dtype: DType = .float32,
    device: Device = .cpu
  ) throws -> State {
    try check(channels, height, width)
    var state = State(origin: [channels, height, width], batch: seeds.count)
    let made = parametrisation(state)
    func moved(_ tensors: [Tensor]) -> Tensor { Tensor.stacked(tensors).to(dtype).to(device) }
    if case .parameters(let deviation) = recipe.start {
      state.parameters = moved(seeds.map { made.beginning(seed: $0, deviation: deviation) })
    } else {
      let size = size(state)
      let pictures = moved(
        seeds.map { recipe.beginning([channels, size.height, size.width], seed: $0) })
      state.parameters = try parameters(of: pictures, made)
    }
    state.best = state.parameters
    return state
  }

  /// Descents that have not begun, from given pictures.
  ///
  /// - Parameter pictures: a₀, `[batch, channels, height, width]`, resized to the first octave's size.
  /// - Returns: the state.
  /// - Throws: `AnalysisError.recipe` where the recipe does not fit the pictures.
  public func begin(from pictures: Tensor) throws -> State {
    let shape = pictures.shape
    try check(shape[1], shape[2], shape[3])
    var state = State(origin: Array(shape.dropFirst()), batch: shape[0])
    let size = size(state)
    state.parameters = try parameters(
      of: pictures.resized(size.height, size.width), parametrisation(state))
    state.best = state.parameters
    return state
  }

  private func check(_ channels: Int, _ height: Int, _ width: Int) throws {
    if let problem = recipe.problem(channels: channels, height: height, width: width) {
      throw AnalysisError.recipe(name, problem: problem)
    }
  }

  private func parameters(of pictures: Tensor, _ made: any Parametrisation) throws -> Tensor {
    guard let parameters = made.parameters(of: pictures) else {
      throw AnalysisError.recipe(
        name, problem: "\(recipe.parametrisation.name) cannot begin with a picture")
    }
    return parameters
  }

  /// Descends until the steps are done.
  ///
  /// - Parameters:
  ///   - state: where the descents stand; afterwards where they ended. What is thrown leaves it at the last whole step.
  ///   - reference: pictures `[batch, channels, height, width]` of the last octave's size to which distances are noted; nil for
  ///     none.
  ///   - seed: of jitter and crops.
  ///   - every: steps between points of the trace; the first and the last are always there.
  ///   - isInterrupted: asked before each step.
  ///   - each: given where the descents stand after each step.
  ///   - progress: told how many steps are done.
  /// - Throws: `AnalysisError.interrupted`, `AnalysisError.site` where no gradient reaches the pictures, and what the loss and
  ///   `each` throw.
  public func run(
    _ state: inout State, towards reference: Tensor? = nil, seed: UInt64 = 0, every: Int = 1,
    isInterrupted: () -> Bool = { false }, each: (State) throws -> Void = { _ in },
    progress: (Int) -> Void = { _ in }
  ) throws {
    var pending: Evaluation?
    while state.step < recipe.steps {
      if isInterrupted() { throw AnalysisError.interrupted }
      let isLogged = state.step % max(1, every) == 0
      let moment = moment(state, seed, isLogged: isLogged)
      var next = state
      let made = parametrisation(state)
      let found = try pending ?? evaluate(state.parameters, made, moment)
      record(found, reference, &next, moment)
      let hasEnded = next.stopped.allSatisfy { $0 != nil }
      // What has diverged has no more steps to make.
      pending = hasEnded ? nil : try advance(&next, found, made, moment, isInterrupted)
      hold(&next)
      while true {
        if hasEnded { grow(&next, recipe.octaves[next.octave].padding) }
        next.step += 1
        if try enter(&next) { pending = nil }
        if !hasEnded || next.step >= recipe.steps { break }
      }
      state = next
      try each(state)
      progress(state.step)
    }
    try close(reference, seed, &state)
  }

  /// The last pictures are looked at once more, without a step.
  private func close(
    _ reference: Tensor?, _ seed: UInt64, _ state: inout State
  ) throws {
    var moment = moment(state, seed, isLogged: true)
    moment.becomeWhole()
    let found = try evaluate(
      state.parameters, parametrisation(state), moment, needsGradient: false)
    record(found, reference, &state, moment)
    hold(&state)
  }

  /// Where the step that has been made was the last of an octave: the pictures in the next one's size.
  private func enter(_ state: inout State) throws -> Bool {
    let (octave, step) = place(state.step)
    guard octave > 0, step == 0, state.octave != octave else { return false }
    // The state still has the shape of the octave before.
    let before = recipe.octaves[state.octave]
    let size = before.size(of: state.origin[1], state.origin[2])
    let grown = 2 * before.padding * before.steps
    let old = recipe.parametrisation.make(
      channels: state.origin[0], height: size.height + grown, width: size.width + grown)
    state.octave = octave
    let (height, width) = self.size(state)
    state.parameters = try parameters(
      of: old.pictures(state.parameters).resized(height, width), parametrisation(state))
    state.best = state.parameters
    state.memory = [:]
    for image in state.numbers.bestLoss.indices where state.stopped[image] == nil {
      state.numbers.bestLoss[image] = nil
    }
    return true
  }

  /// The pictures that a state's numbers stand for.
  ///
  /// - Parameter state: where the descents stand.
  /// - Returns: `[batch, channels, height, width]`.
  public func pictures(_ state: State) -> Tensor {
    parametrisation(state).pictures(state.parameters)
  }

  /// The result: the last pictures, or the best where the recipe keeps those or a descent diverged.
  ///
  /// - Parameter state: where the descents ended.
  /// - Returns: `[batch, channels, height, width]`.
  public func result(_ state: State) -> Tensor {
    parametrisation(state).pictures(
      recipe.kept == .best
        ? state.best : state.stopped.map { $0 != nil }.chosen(state.best, state.parameters))
  }
}

extension DescentRecipe {
  /// A start that is a picture.
  ///
  /// - Parameters:
  ///   - shape: of one picture, `[channels, height, width]`.
  ///   - seed: of the draws; the same seed gives the same picture for every layer.
  /// - Returns: the picture in float32.
  public func beginning(_ shape: [Int], seed: UInt64) -> Tensor {
    let source = RandomSource(seed: seed)
    switch start {
    case .normal(let mean, let deviation): return source.normal(shape) * deviation + mean
    case .uniform: return source.uniform(shape)
    case .parameters(let deviation): return source.normal(shape) * deviation + 0.5
    }
  }
}

extension Tensor {
  /// Images `[batch, channels, height, width]` resized bilinearly as PyTorch's `interpolate` does (`align_corners=False`, no
  /// filter against aliasing).
  func resized(_ height: Int, _ width: Int) -> Tensor {
    shape[2] == height && shape[3] == width
      ? self : DescentOperators.bilinear(self, [height, width], false, Absent.none)
  }
}

extension [Bool] {
  /// Of each picture `a` where the flag is set, else `b`.
  func chosen(_ a: Tensor, _ b: Tensor) -> Tensor {
    guard contains(true) else { return b }
    let mask = Tensor(self, shape: [count] + Array<Int>(repeating: 1, count: a.rank - 1))
      .to(a.device)
    return DescentOperators.choose(mask, a, b)
  }
}
