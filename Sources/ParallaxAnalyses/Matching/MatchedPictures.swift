import ParallaxModels
import ParallaxTensors

/// What a descent came to, for one picture.
struct MatchNumbers: Codable, Equatable {
  /// m_g = ‖O(a) − O(a_g)‖.
  var embedding: Double
  /// m_r = ‖O(a) − O(a')‖, mean over the shifts.
  var reference: Double
  /// m_i = ‖a_g − a‖.
  var input: Double
  /// m_a' = ‖a' − a‖, mean over the shifts.
  var inputReference: Double
  /// The step whose picture it is.
  var step: Int
  /// The step at which the descent diverged; nil where it did not.
  var diverged: Int?
}

/// Pictures whose embedding at one layer is that of given pictures, one batch.
struct MatchUnit {
  /// Names the batch in a state.
  var key: String
  var subject: Subject
  var site: Site
  var recipe: InversionRecipe
  /// a, `[batch, 3, height, width]` in [0, 1].
  var targets: Tensor
  /// A seed of each start.
  var starts: [UInt64]
  /// A seed of each picture's shifts.
  var shifts: [UInt64]
  var shift: ReferenceShift
  /// Of jitter.
  var seed: UInt64

  var name: String { "\(subject.name)@\(site.name)" }
}

/// Pictures that have been found, and the descent that is running: what a state of a stopped run is made of.
///
/// One object, so that a state can be taken while a descent runs.
final class MatchedPictures {
  private(set) var found: [String: (pictures: Tensor, numbers: [MatchNumbers])] = [:]
  private var running: (key: String, state: Inversion.State)?

  subscript(key: String) -> (pictures: Tensor, numbers: [MatchNumbers])? { found[key] }

  /// Descends, where that has not been done.
  ///
  /// - Parameters:
  ///   - unit: what.
  ///   - isInterrupted: asked before each step.
  ///   - keep: called after each step, where ``state()`` holds it, and at the end.
  ///   - progress: told the share that is done.
  /// - Throws: `AnalysisError.interrupted`, after which the descent goes on where it stopped; `AnalysisError.site`; what
  ///   `keep` throws.
  func find(
    _ unit: MatchUnit, isInterrupted: () -> Bool, keep: () throws -> Void,
    progress: (Double) -> Void
  ) throws {
    guard found[unit.key] == nil else { return }
    let (subject, recipe) = (unit.subject, unit.recipe)
    let embedding = LayerEmbedding(subject: subject, site: unit.site, isRaw: recipe.isRaw)
    let inversion = Inversion(embedding.name, recipe) { try embedding($0) }
    let targets = unit.targets.to(subject.device)
    let (shape, steps) = (targets.shape, max(1, recipe.descent.steps))
    let start = try inversion.bare.begin(
      channels: shape[1], height: shape[2], width: shape[3], seeds: unit.starts,
      device: subject.device)
    var state = running?.key == unit.key ? running?.state ?? start : start
    state = state.moved(to: subject.device)
    do {
      try inversion.descent(wanted: inversion.embedding(targets), targets: targets).run(
        &state, towards: targets, seed: unit.seed, every: steps, isInterrupted: isInterrupted,
        each: {
          running = (unit.key, $0)
          try keep()
        }
      ) { progress(Double($0) / Double(steps)) }
    } catch {
      running = (unit.key, state)
      throw error
    }
    let pictures = inversion.result(state)
    found[unit.key] = (pictures.to(.cpu), try numbers(unit, inversion, state, pictures, targets))
    running = nil
    try keep()
  }

  private func numbers(
    _ unit: MatchUnit, _ inversion: Inversion, _ state: Inversion.State, _ pictures: Tensor,
    _ targets: Tensor
  ) throws -> [MatchNumbers] {
    func distances(_ a: Tensor, _ b: Tensor) -> [Double] {
      (a - b).to(.float64).reshaped(a.shape[0], -1).norm(over: [1]).scalars(Double.self)
    }
    let wanted = try inversion.embedding(targets)
    let reached = try distances(inversion.embedding(pictures), wanted)
    let inputs = distances(pictures, targets)
    let count = targets.shape[0]
    let shape = Array(targets.shape.dropFirst())
    var moved = [Double](repeating: 0, count: count)
    var shifted = moved
    for repetition in 0..<unit.shift.count {
      let there =
        targets
        + Tensor.stacked(
          unit.shifts.map { unit.shift.draw(shape, seed: $0 &+ UInt64(repetition)) }
        ).to(targets.device)
      let (a, b) = (try distances(inversion.embedding(there), wanted), distances(there, targets))
      for row in 0..<count {
        moved[row] += a[row] / Double(unit.shift.count)
        shifted[row] += b[row] / Double(unit.shift.count)
      }
    }
    return try (0..<count).map { row in
      guard reached[row].isFinite, moved[row].isFinite, inputs[row].isFinite else {
        throw AnalysisError.site(unit.name, problem: "NaN or infinity in an embedding")
      }
      let diverged = state.stopped[row]
      return MatchNumbers(
        embedding: reached[row], reference: moved[row], input: inputs[row],
        inputReference: shifted[row],
        step: inversion.recipe.descent.kept == .best || diverged != nil
          ? state.bestStep[row] : inversion.recipe.descent.steps, diverged: diverged)
    }
  }

  /// What must be kept.
  func state() -> [(name: String, tensor: Tensor)] {
    var list = StateNotes.entries(found: found)
    if let running, let tensors = try? running.state.tensors() {
      list += StateNotes.entries(running: running.key, tensors)
    }
    return list
  }

  /// What a state holds; nil where something does not fit.
  ///
  /// - Parameters:
  ///   - state: of a run.
  ///   - batches: shape of the pictures of each batch and its recipe, by its key.
  init?(_ state: [String: Tensor], batches: [String: (shape: [Int], recipe: InversionRecipe)]) {
    for (key, (shape, recipe)) in batches {
      let finished = state.under("found.\(key).")
      if let pictures = finished["pictures"] {
        guard pictures.shape == shape,
          let numbers = StateNotes.value([MatchNumbers].self, finished["numbers"]),
          numbers.count == shape[0]
        else { return nil }
        found[key] = (pictures, numbers)
      }
      let tensors = state.under("running.\(key).")
      if !tensors.isEmpty {
        guard
          let state = Inversion("", recipe, embedding: { $0 }).bare.state(
            tensors, batch: shape[0], height: shape[2], width: shape[3])
        else { return nil }
        running = (key, state)
      }
    }
  }

  init() {}
}
