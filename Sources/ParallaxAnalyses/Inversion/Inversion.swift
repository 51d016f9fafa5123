import Foundation
import ParallaxModels
import ParallaxTensors

/// Pictures whose embeddings are given ones, found by descent on the pixels.
///
/// a ← a − ε_i·∂L/∂a, L = c·loss(ŷ, O(a)), with what else the recipe says. Losses of a batch are summed; images do not see one
/// another, so each descends by itself. Parameters collect no gradient, and nothing after the layer runs.
///
/// Steps are those of PyTorch in float64 to 1e-9 relative for descent and Adam, the blur included.
///
/// > Source: Badger, 2022, arXiv 2211.06496.
public struct Inversion {
  /// The recipe.
  public let recipe: InversionRecipe
  /// From pixels `[batch, 3, height, width]` in [0, 1] to embeddings `[batch, features]`.
  public let embedding: (Tensor) throws -> Tensor
  /// What errors call the layer.
  public let name: String

  /// Inversion of any function that can be differentiated.
  ///
  /// - Parameters:
  ///   - name: what errors call it.
  ///   - recipe: how.
  ///   - embedding: from pixels `[batch, …]` to embeddings `[batch, features]`, image by image.
  public init(
    _ name: String, _ recipe: InversionRecipe, embedding: @escaping (Tensor) throws -> Tensor
  ) {
    (self.name, self.recipe, self.embedding) = (name, recipe, embedding)
  }

  /// Where a descent stands: enough to go on from.
  public struct State {
    /// Steps done.
    public internal(set) var step = 0
    /// a_i, `[batch, 3, height, width]`.
    public internal(set) var pixels: Tensor
    /// The pictures whose embeddings were nearest so far.
    public internal(set) var best: Tensor
    var first: Tensor?
    var second: Tensor?
    var numbers: Numbers

    /// What of a state are no pictures.
    struct Numbers: Codable {
      var bestDistance: [Double?]
      var bestStep: [Int]
      var stopped: [Int?]
      var trace: [[TracePoint]]
    }

    /// The step at which each image's descent diverged; nil where it did not.
    public var stopped: [Int?] { numbers.stopped }
    /// The step of the nearest picture.
    public var bestStep: [Int] { numbers.bestStep }
    /// Of each image the trace.
    public var trace: [[TracePoint]] { numbers.trace }

    /// A descent that has not begun.
    ///
    /// - Parameter start: a₀.
    public init(_ start: Tensor) {
      (pixels, best) = (start, start)
      let batch = start.shape[0]
      numbers = Numbers(
        bestDistance: Array(repeating: nil, count: batch),
        bestStep: Array(repeating: 0, count: batch),
        stopped: Array(repeating: nil, count: batch), trace: Array(repeating: [], count: batch))
    }
  }

  /// One point of a trace.
  public struct TracePoint: Codable, Sendable, Hashable {
    /// i, from 0; N is the result.
    public var step: Int
    /// c·loss.
    public var loss: Double
    /// m_g = ‖ŷ − O(a_i)‖₂.
    public var embedding: Double
    /// m_i = ‖a_i − a‖₂.
    public var input: Double
  }

  private struct Evaluation {
    var losses: [Double]
    var distances: [Double]
    var gradient: Tensor
  }

  /// Descends until the steps are done.
  ///
  /// - Parameters:
  ///   - targets: a, `[batch, 3, height, width]`, in the element type of the state's pictures.
  ///   - state: where the descents stand; afterwards where they ended. What is thrown leaves it at the last whole step.
  ///   - seed: of jitter.
  ///   - every: steps between points of the trace; the first and the last are always there.
  ///   - isInterrupted: asked before each step.
  ///   - progress: told how many steps are done.
  /// - Throws: `AnalysisError.interrupted`, `AnalysisError.site` where no gradient reaches the pixels, and what the model throws.
  public func run(
    _ targets: Tensor, _ state: inout State, seed: UInt64 = 0, every: Int = 1,
    isInterrupted: () -> Bool = { false }, progress: (Int) -> Void = { _ in }
  ) throws {
    let wanted = try embedding(targets).detached()
    let scale = recipe.isRelative ? recipe.loss.scale(wanted) : nil
    while state.step < recipe.steps {
      if isInterrupted() { throw AnalysisError.interrupted }
      let offset = jitter(state.step, seed)
      let found = try evaluate(
        state.pixels, wanted, scale, offset, isFirst: state.step == 0)
      var next = state
      let isLogged = state.step % max(1, every) == 0
      record(found, targets, &next, isLogged: isLogged, counts: offset == [0, 0])
      if next.stopped.allSatisfy({ $0 != nil }) {
        // What has diverged has no more steps to make.
        next.pixels = next.best
        state = next
        return
      }
      advance(&next, found.gradient)
      next.step += 1
      state = next
      progress(state.step)
    }
    try close(targets, wanted, scale, &state)
  }

  /// The last picture is looked at once more, without a step.
  private func close(
    _ targets: Tensor, _ wanted: Tensor, _ scale: Tensor?, _ state: inout State
  ) throws {
    let found = try embedding(state.pixels).detached()
    let losses = loss(wanted, found, scale).to(.float64).scalars(Double.self)
    let distances = (wanted - found).to(.float64).norm(over: [1]).scalars(Double.self)
    record(
      Evaluation(losses: losses, distances: distances, gradient: state.pixels.zerosLike()), targets,
      &state, isLogged: true, counts: true)
    replaceDiverged(&state)
  }

  private func loss(_ wanted: Tensor, _ found: Tensor, _ scale: Tensor?) -> Tensor {
    let loss = recipe.loss(wanted, found) * recipe.scale
    return scale.map { loss / $0 } ?? loss
  }

  private func evaluate(
    _ pixels: Tensor, _ wanted: Tensor, _ scale: Tensor?, _ offset: [Int],
    isFirst: Bool
  ) throws -> Evaluation {
    let back = try Tensor.pullback(at: [pixels]) { leaves in
      let shifted = offset == [0, 0] ? leaves[0] : leaves[0].rolled(offset, [2, 3])
      let found = try embedding(shifted)
      let losses = loss(wanted, found, scale)
      let distances = (wanted - found.detached()).to(.float64).norm(over: [1])
      var total = losses.sum()
      if recipe.variation > 0 { total = total + variation(leaves[0]) * recipe.variation }
      return [total, losses, distances]
    }
    let values = back.values
    let gradient: Tensor?
    do {
      gradient = try back.products(of: 0, with: values[0].zerosLike() + 1.0)[0]
    } catch { throw AnalysisError.site(name, problem: "it has no gradient: \(error)") }
    // Total variation reaches the pixels even where the layer does not; that costs a way back of its own, once.
    let reaches =
      recipe.variation > 0 && isFirst
      ? try? back.products(of: 1, with: values[1].zerosLike() + 1.0)[0] : gradient
    guard let gradient, reaches != nil else {
      throw AnalysisError.site(
        name, problem: "no gradient reaches the pixels; is it a quantised graph?")
    }
    return Evaluation(
      losses: values[1].to(.float64).scalars(Double.self),
      distances: values[2].scalars(Double.self), gradient: gradient)
  }

  /// Σ over images of the mean over elements of |∂a/∂x| + |∂a/∂y|.
  private func variation(_ images: Tensor) -> Tensor {
    let across = images.sliced(3, 1) - images.sliced(3, 0, -1)
    let down = images.sliced(2, 1) - images.sliced(2, 0, -1)
    return across.absolute().mean(over: [1, 2, 3]).sum()
      + down.absolute().mean(over: [1, 2, 3]).sum()
  }

  private func jitter(_ step: Int, _ seed: UInt64) -> [Int] {
    let reach = Int(LinearSchedule(Double(recipe.jitter), 0)(step, of: recipe.steps).rounded())
    guard reach > 0 else { return [0, 0] }
    let draws = RandomSource(seed: seed &* 1_000_003 &+ UInt64(step)).uniform([2])
    return draws.scalars(Float.self).map {
      Int((Double($0) * Double(2 * reach + 1)).rounded(.down)) - reach
    }
  }

  /// Notes distances, keeps the nearest pictures, and stops what is no longer finite.
  private func record(
    _ found: Evaluation, _ targets: Tensor, _ state: inout State, isLogged: Bool, counts: Bool
  ) {
    let batch = found.losses.count
    let inputs = (state.pixels - targets).to(.float64).reshaped(batch, -1).norm(over: [1])
      .scalars(Double.self)
    let slopes = found.gradient.to(.float64).reshaped(batch, -1).absolute().sum(over: [1])
      .scalars(Double.self)
    var nearer = [Bool](repeating: false, count: batch)
    for image in 0..<batch where state.numbers.stopped[image] == nil {
      let (loss, distance) = (found.losses[image], found.distances[image])
      guard loss.isFinite, distance.isFinite, inputs[image].isFinite, slopes[image].isFinite else {
        state.numbers.stopped[image] = state.step
        continue
      }
      if isLogged || state.step == recipe.steps {
        state.numbers.trace[image].append(
          TracePoint(step: state.step, loss: loss, embedding: distance, input: inputs[image]))
      }
      let best = state.numbers.bestDistance[image]
      if counts, best == nil || distance < best ?? .infinity {
        nearer[image] = true
        (state.numbers.bestDistance[image], state.numbers.bestStep[image]) = (distance, state.step)
      }
    }
    if nearer.contains(true) { state.best = Self.choose(nearer, state.pixels, state.best) }
  }

  /// One step of the recipe.
  private func advance(_ state: inout State, _ gradient: Tensor) {
    let rate = recipe.rate(state.step, of: recipe.steps)
    var next: Tensor
    switch recipe.optimiser {
    case .descent: next = state.pixels - gradient * rate
    case .adam:
      let time = Double(state.step + 1)
      let first = (state.first ?? gradient.zerosLike()) * 0.9 + gradient * 0.1
      let second = (state.second ?? gradient.zerosLike()) * 0.999 + gradient.squared() * 0.001
      (state.first, state.second) = (first, second)
      let spread = second.squareRoot() / (1 - pow(0.999, time)).squareRoot() + 1e-8
      next = state.pixels - first / spread * (rate / (1 - pow(0.9, time)))
    }
    if let smoothing = recipe.smoothing {
      next = Blur(size: smoothing.size, sigma: smoothing.sigma(state.step, of: recipe.steps))(next)
    }
    if recipe.clamps { next = next.clamped(0, 1) }
    state.pixels = next
    replaceDiverged(&state)
  }

  /// Images whose descent has diverged stand still at their best.
  private func replaceDiverged(_ state: inout State) {
    let diverged = state.stopped.map { $0 != nil }
    guard diverged.contains(true) else { return }
    state.pixels = Self.choose(diverged, state.best, state.pixels)
    state.first = state.first.map { Self.choose(diverged, $0.zerosLike(), $0) }
    state.second = state.second.map { Self.choose(diverged, $0.zerosLike(), $0) }
  }

  /// Of each image `a` where the flag is set, else `b`.
  private static func choose(_ flags: [Bool], _ a: Tensor, _ b: Tensor) -> Tensor {
    let mask = Tensor(flags, shape: [flags.count, 1, 1, 1]).to(a.device)
    return InversionOperators.choose(mask, a, b)
  }

  /// The result: the last pictures, or the nearest where the recipe keeps those or a descent diverged.
  public func result(_ state: State) -> Tensor {
    recipe.kept == .best
      ? state.best : Self.choose(state.stopped.map { $0 != nil }, state.best, state.pixels)
  }
}

extension Inversion.State {
  /// The state as tensors, to be kept in a file.
  func tensors() throws -> [(name: String, tensor: Tensor)] {
    let notes = [UInt8](try JSONEncoder().encode(numbers))
    var list: [(name: String, tensor: Tensor)] = [
      ("pixels", pixels), ("best", best), ("step", Tensor([Int64(step)], shape: [1])),
      ("numbers", Tensor(notes, shape: [notes.count])),
    ]
    if let first { list.append(("first", first)) }
    if let second { list.append(("second", second)) }
    return list
  }

  /// The same on another device.
  func moved(to device: Device) -> Inversion.State {
    var copy = self
    (copy.pixels, copy.best) = (pixels.to(device), best.to(device))
    (copy.first, copy.second) = (first?.to(device), second?.to(device))
    return copy
  }

  /// A state from tensors; nil where they do not belong together.
  ///
  /// - Parameters:
  ///   - tensors: by name.
  ///   - shape: of the pictures.
  init?(_ tensors: [String: Tensor], shape: [Int]) {
    guard let pixels = tensors["pixels"], let best = tensors["best"], let step = tensors["step"],
      let notes = tensors["numbers"], step.count == 1, notes.dtype == .uint8,
      let numbers = try? JSONDecoder().decode(
        Numbers.self, from: Data(notes.scalars(UInt8.self)))
    else { return nil }
    let pictures = [pixels, best, tensors["first"], tensors["second"]].compactMap(\.self)
    let counts = [
      numbers.bestDistance.count, numbers.bestStep.count, numbers.stopped.count,
      numbers.trace.count,
    ]
    guard pictures.allSatisfy({ $0.shape == shape && $0.dtype == pixels.dtype }),
      counts.allSatisfy({ $0 == shape[0] }), step.item(Int64.self) >= 0
    else { return nil }
    (self.pixels, self.best, self.numbers) = (pixels, best, numbers)
    (first, second) = (tensors["first"], tensors["second"])
    self.step = Int(step.item(Int64.self))
  }
}
