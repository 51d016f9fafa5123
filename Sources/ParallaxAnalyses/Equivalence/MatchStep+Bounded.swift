import ParallaxTensors

/// The search of one picture for a share t of a direction along the projected path x(t) = P(x + t·d): from the first length on t shrinks to the
/// minimum of the parabola through what is known, a tenth to a half of itself, until L(x(t)) ≤ L(x) + 10⁻⁴·⟨g, x(t) − x⟩.
///
/// > Source: Bertsekas, 1982, doi 10.1137/0320018: Armijo's condition along the projected path.
struct PathSearch {
  static let looks = 20
  private static let sufficient = 1e-4
  /// t to look at next; what was taken, once the search has ended.
  private(set) var length: Double
  /// Whether there is nothing more to look at.
  private(set) var hasEnded = false
  private let value: Double
  private let slope: Double
  private var count = 0

  /// - Parameters:
  ///   - length: the first t.
  ///   - value: L(x).
  ///   - slope: ⟨g, d⟩; where it is not below 0 there is nothing to look for.
  init(from length: Double, value: Double, slope: Double) {
    (self.length, self.value, self.slope) = (length, value, slope)
    if !(slope < 0 && value.isFinite && length.isFinite) { (self.length, hasEnded) = (0, true) }
  }

  /// Takes up what was found.
  ///
  /// - Parameters:
  ///   - found: L(x(t)).
  ///   - gain: ⟨g, x(t) − x⟩.
  mutating func take(_ found: Double, gain: Double) {
    guard !hasEnded else { return }
    count += 1
    if found <= value + Self.sufficient * gain, gain < 0 {
      hasEnded = true
      return
    }
    guard count < Self.looks else {
      (length, hasEnded) = (0, true)
      return
    }
    let next = -slope * length * length / (2 * (found - value - slope * length))
    length = next.isFinite ? min(max(next, 0.1 * length), 0.5 * length) : 0.1 * length
  }
}

extension MatchStep {
  /// One bounded quasi-Newton step of all pictures that go on.
  func boundedStep(_ state: inout EmbeddingMatch.State) throws -> Outcome {
    let going = state.endings.indices.filter { state.endings[$0] == nil }
    let here = try self.here ?? look(state.pictures.gathered(0, going), going)
    let places = going.compactMap { here.rows.firstIndex(of: $0) }
    let start = here.pictures.gathered(0, places)
    let slope = try gradient(here).gathered(0, places)
    let (low, high) = bounds.box(going)
    var memory = BoundedBFGS(
      state.memory.mapValues { $0.gathered(0, going) }, like: slope.reshaped(going.count, -1))
    let (direction, falls, isSteepest) = memory.direction(start, slope, low, high)
    let g = slope.reshaped(going.count, -1)
    let lengths = direction.norm(over: [1]).to(.float64).scalars(Double.self)
    var searches = going.indices.map {
      // Of a direction that knows no curvature a step of length 1 at most.
      PathSearch(
        from: isSteepest[$0] ? min(1, 1 / max(lengths[$0], .leastNormalMagnitude)) : 1,
        value: state.numbers.loss[going[$0]], slope: falls[$0])
    }
    func along() -> Tensor {
      let shares = Tensor(searches.map(\.length), shape: [going.count, 1]).to(g.dtype).to(g.device)
      return EquivalenceOperators.clamp(
        start + (direction * shares).reshaped(start.shape), low, high)
    }
    let goals = targets.gathered(0, going)
    let pulls = others.map { $0.gathered(0, going) }
    var there = try look(along(), going)
    var losses = match.losses(there.found, goals, pulls)
    while searches.contains(where: { !$0.hasEnded }) {
      let move = (there.pictures - start).reshaped(going.count, -1)
      let gains = (g * move).sum(over: [1]).to(.float64).scalars(Double.self)
      for row in searches.indices { searches[row].take(losses[row], gain: gains[row]) }
      let isSettled = searches.allSatisfy(\.hasEnded)
      // What was looked at last is what was taken, unless one takes nothing.
      if isSettled, searches.allSatisfy({ $0.length > 0 }) { break }
      if isInterrupted() { throw AnalysisError.interrupted }
      there = try look(along(), going)
      losses = match.losses(there.found, goals, pulls)
    }
    let isFailed = searches.map { $0.length == 0 }
    memory.moved(there.pictures - start)
    memory.forget(isFailed)
    for (name, rows) in memory.tensors {
      let batch =
        state.memory[name]
        ?? Tensor.zeros([state.endings.count] + Array(rows.shape.dropFirst()), rows.dtype)
        .to(rows.device)
      state.memory[name] = Self.scattered(rows, going, into: batch)
    }
    self.here = there
    let found = MatchTensors.distances(there.found, goals)
    var outcome = Outcome(
      pictures: Self.scattered(there.pictures, going, into: state.pictures),
      distances: (
        Array(repeating: .nan, count: state.endings.count),
        Array(repeating: .nan, count: state.endings.count)
      ), losses: Array(repeating: .nan, count: state.endings.count),
      isStuck: Array(repeating: false, count: state.endings.count))
    for (row, image) in going.enumerated() {
      (outcome.distances.squared[image], outcome.distances.cosines[image]) = (
        found.squared[row], found.cosines[row]
      )
      outcome.losses[image] = losses[row]
      let before = state.numbers.loss[image]
      let gain = (before - losses[row]) / max(abs(before), abs(losses[row]), 1)
      outcome.isStuck[image] =
        isFailed[row] ? isSteepest[row] : !isSteepest[row] && gain <= Self.least(g.dtype)
    }
    return outcome
  }

  /// The relative decrease that is none: L-BFGS-B's usual one, in float32 what rounding leaves.
  private static func least(_ dtype: DType) -> Double { dtype == .float64 ? 2.2e-9 : 1e-7 }
}
