import ParallaxTensors

extension Descent {
  /// Where descents stand: enough to go on from.
  public struct State {
    /// Steps done, over all octaves.
    public internal(set) var step = 0
    /// What the descent runs on, `[batch, …]`.
    public internal(set) var parameters: Tensor
    /// Of each picture the parameters whose loss was smallest so far in this octave.
    public internal(set) var best: Tensor
    /// `[channels, height, width]` that the descent was begun with.
    let origin: [Int]
    /// What the optimiser remembers.
    var memory: [String: Tensor] = [:]
    /// The octave that the parameters have the shape of.
    var octave = 0
    var numbers: Numbers

    /// What of a state are no tensors.
    struct Numbers: Codable {
      var bestLoss: [Double?]
      var bestStep: [Int]
      var stopped: [Int?]
      var trace: [[TracePoint]]
    }

    /// The step at which each picture's descent diverged; nil where it did not.
    public var stopped: [Int?] { numbers.stopped }
    /// The step of the best picture.
    public var bestStep: [Int] { numbers.bestStep }
    /// The smallest loss, without priors; nil where no step has been made.
    public var bestLoss: [Double?] { numbers.bestLoss }
    /// Of each picture the trace.
    public var trace: [[TracePoint]] { numbers.trace }

    init(origin: [Int], batch: Int) {
      self.origin = origin
      (parameters, best) = (Tensor.zeros([batch]), Tensor.zeros([batch]))
      numbers = Numbers(
        bestLoss: Array(repeating: nil, count: batch), bestStep: Array(repeating: 0, count: batch),
        stopped: Array(repeating: nil, count: batch), trace: Array(repeating: [], count: batch))
    }

    /// The state as tensors, to be kept in a file.
    ///
    /// - Returns: them, by names that ``Descent/state(_:batch:channels:height:width:)`` knows.
    /// - Throws: what the encoding of its numbers throws; NaN and infinity are kept as they are.
    public func tensors() throws -> [(name: String, tensor: Tensor)] {
      [
        ("parameters", parameters), ("best", best), ("step", Tensor([Int64(step)], shape: [1])),
        ("numbers", try StateNotes.tensor(numbers)),
      ] + memory.sorted { $0.key < $1.key }.map { ("memory.\($0.key)", $0.value) }
    }

    /// The same on another device.
    ///
    /// - Parameter device: where to.
    /// - Returns: the state.
    public func moved(to device: Device) -> State {
      var copy = self
      (copy.parameters, copy.best) = (parameters.to(device), best.to(device))
      copy.memory = memory.mapValues { $0.to(device) }
      return copy
    }
  }

  /// One point of a trace.
  public struct TracePoint: Codable, Sendable, Hashable {
    /// i over all octaves, from 0; N is the result.
    public var step: Int
    /// The loss, without priors.
    public var loss: Double
    /// The distance that the loss notes: of embeddings, m_g = ‖ŷ − O(a_i)‖₂.
    public var embedding: Double?
    /// m_i = ‖a_i − a‖₂, where there is a reference.
    public var input: Double?
  }

  /// A state from tensors.
  ///
  /// - Parameters:
  ///   - tensors: by name, from ``State/tensors()``.
  ///   - batch: pictures.
  ///   - channels: of a picture.
  ///   - height: that the descent was begun with.
  ///   - width: that it was begun with.
  /// - Returns: the state; nil where the tensors do not belong to this recipe and these pictures.
  public func state(
    _ tensors: [String: Tensor], batch: Int, channels: Int = 3, height: Int, width: Int
  ) -> State? {
    guard recipe.problem(channels: channels, height: height, width: width) == nil,
      let parameters = tensors["parameters"], let best = tensors["best"],
      let step = tensors["step"], step.count == 1, step.dtype == .int64,
      let numbers = StateNotes.value(State.Numbers.self, tensors["numbers"])
    else { return nil }
    var state = State(origin: [channels, height, width], batch: batch)
    state.step = Int(step.item(Int64.self))
    guard (0...recipe.steps).contains(state.step) else { return nil }
    state.octave = place(state.step).octave
    (state.parameters, state.best, state.numbers) = (parameters, best, numbers)
    state.memory = tensors.under("memory.")
    let shape = [batch] + parametrisation(state).shape
    let counts = [
      numbers.bestLoss.count, numbers.bestStep.count, numbers.stopped.count, numbers.trace.count,
    ]
    guard parameters.shape == shape, best.shape == shape, parameters.dtype == best.dtype,
      parameters.dtype.isFloatingPoint, counts.allSatisfy({ $0 == batch }),
      remembers(state.memory, shape, parameters.dtype)
    else { return nil }
    return state
  }
}
