import ParallaxTensors

/// A graph of operators in execution order, whatever file it was read from.
///
/// Values live in numbered slots. A slot is filled once, freed after the last step that reads it, and shown
/// to the tap where a site ends.
struct GraphProgram: Sendable {
  /// One operator of the graph.
  struct Step: Sendable {
    /// The node's name, for errors and for its site.
    let name: String
    /// The operator's, for errors.
    let kind: String
    /// Slots that it reads.
    let inputs: [Int]
    /// Slots that it fills, in the order of its results; nil for a result that nobody reads.
    let outputs: [Int?]
    /// The results from the values of `inputs`, one each.
    let run: @Sendable ([GraphValue]) throws -> [GraphValue]
    /// How to look into it, where it is attention in one step.
    var attention: FusedAttention?
  }

  /// What is shown at a place.
  enum Role: Sendable, Hashable {
    /// An activation.
    case value
    /// Attention weights in a slot; pattern·V under another name.
    case pattern(heads: String)
    /// pattern·V of each head in a slot, for who asks by name; no site.
    case heads
    /// Attention weights that are written out where somebody looks; pattern·V under another name. Without a slot.
    case fused(heads: String)
  }

  /// A place where a value is shown.
  struct Place: Sendable, Hashable {
    var name: String
    var slot: Int
    /// The step after which the value is there and whoever made it has finished.
    var step: Int
    var isBlock = false
    /// What is seen there; nil until the graph has run once.
    var kind: SiteKind?
    /// The shape for one image.
    var shape: [Int] = []
    /// Among places of one name, the lowest that holds an activation of each image is the site.
    var rank = 0
    var role = Role.value
    /// Where attention weights are seen, the name of the heads' outputs.
    var heads: String? {
      switch role {
      case .pattern(let heads), .fused(let heads): heads
      case .value, .heads: nil
      }
    }
  }

  /// What goes in.
  struct Input: Sendable {
    var slot: Int
    var dtype: DType
    /// nil where any number of images will do.
    var batch: Int?
    /// nil where the graph takes more than one size.
    var height: Int?
    var width: Int?
    /// Whether channels come last.
    var isChannelsLast = false
  }

  /// The file, for errors.
  let file: String
  let steps: [Step]
  let slotCount: Int
  /// Parameters, buffers, constants.
  private(set) var constants: [(slot: Int, value: GraphValue)]
  let input: Input
  let output: Int
  /// Slots that a step writes to in place, or that share memory with one: whoever looks gets a copy.
  let volatile: Set<Int>
  /// Whether no step looks at numbers, so that tensors without any can go through and show their shapes.
  var isBlind = false
  /// Whether images go in with their channels side by side in memory, which convolutions hand on to one another.
  var usesChannelsLast = false
  /// Steps that add a branch to what goes past it.
  var sums: [Int: ResidualSum] = [:]
  /// Whether it attends, be it in a way that is no site.
  var attends: Bool { places.contains { $0.heads != nil } || isAttentive }
  private var isAttentive = false
  /// Sites, by the step that they follow; those inside before those around them.
  private(set) var places: [Place]
  private var placesByStep: [[Place]] = []
  /// Steps of fused attention that may be looked into.
  private var fused: [Int: Place] = [:]
  /// Steps whose first result is the only one that is read.
  private var isAlone: [Bool] = []
  /// Slots by the step that reads them last.
  private(set) var freed: [[Int]] = []

  init(
    file: String, steps: [Step], slotCount: Int, constants: [(slot: Int, value: GraphValue)],
    input: Input, output: Int, volatile: Set<Int> = [], places: [Place]
  ) {
    (self.file, self.steps, self.slotCount) = (file, steps, slotCount)
    (self.constants, self.input, self.output) = (constants, input, output)
    (self.volatile, self.places) = (volatile, places)
    arrange()
  }

  /// The same graph with other sites.
  func showing(_ places: [Place]) -> GraphProgram {
    var copy = self
    copy.isAttentive = attends
    copy.places = places
    copy.arrange()
    return copy
  }

  /// The same graph over tensors that have shapes and no numbers.
  func onlyShapes(_ device: Device) -> GraphProgram {
    var copy = self
    copy.constants = constants.map { slot, value in
      (slot, value.tensor.map { .tensor($0.to(device)) } ?? value)
    }
    return copy
  }

  /// Whether it is a convolutional network through and through: these run faster with their channels side by side.
  ///
  /// A rule and no measurement, so that the same graph gives the same bits everywhere.
  var isConvolutional: Bool {
    func count(_ word: String) -> Int { steps.count { $0.kind.lowercased().contains(word) } }
    return count("conv") >= 8
      && ["attention", "layer_norm", "layernorm", "permute", "as_strided"].allSatisfy {
        count($0) == 0
      } && !steps.contains { $0.kind == "Transpose" }
  }

  private mutating func arrange() {
    placesByStep = Array(repeating: [], count: steps.count)
    var last = [Int](repeating: -1, count: slotCount)
    for (index, step) in steps.enumerated() {
      for slot in step.inputs { last[slot] = index }
    }
    isAlone = steps.map { step in
      step.outputs.dropFirst().allSatisfy { $0.map { last[$0] < 0 && $0 != output } ?? true }
    }
    fused = [:]
    for (index, step) in steps.enumerated() {
      // What nobody reads goes at once.
      for case .some(let slot) in step.outputs { last[slot] = max(last[slot], index) }
    }
    for place in places where steps.indices.contains(place.step) {
      if case .fused = place.role {
        fused[place.step] = place
        continue
      }
      placesByStep[place.step].append(place)
      last[place.slot] = max(last[place.slot], place.step)
    }
    freed = Array(repeating: [], count: steps.count)
    let kept = Set(constants.map(\.slot))
    for (slot, step) in last.enumerated()
    where step >= 0 && slot != output && !kept.contains(slot) {
      freed[step].append(slot)
    }
  }

  /// Runs the graph over images `[batch, 3, height, width]`.
  ///
  /// - Parameters:
  ///   - images: of the size and number that the graph takes.
  ///   - tap: sees the sites; the graph stops after the last that it wants.
  ///   - watch: sees every place, whatever the tap wants.
  /// - Returns: the output, or where the tap was satisfied, what was computed last.
  /// - Throws: `ModelError.graph`, with the node.
  func run(
    _ images: Tensor, _ tap: Tap, watch: ((Place, Tensor) -> Void)? = nil
  ) throws -> Tensor {
    let x = tap("input", images, as: .map)
    var slots = beginning(x)
    var current = slots[input.slot].tensor ?? x
    for (index, step) in steps.enumerated() {
      if tap.isSatisfied { return current }
      var values = step.inputs.map { slots[$0] }
      if let sum = sums[index] { show(sum, &values, of: step, to: tap) }
      let results = try results(of: index, values, tap, watch)
      for (slot, value) in zip(step.outputs, results) {
        guard let slot else { continue }
        slots[slot] = value
        if case .tensor(let tensor) = value { current = tensor }
      }
      for place in placesByStep[index] {
        guard case .tensor(let value) = slots[place.slot] else { continue }
        if place.role == .heads {
          guard tap.names(place.name) else { continue }
          slots[place.slot] = .tensor(
            own(value, place.slot) { tap.named(place.name, $0, as: .mixed) })
          continue
        }
        watch?(place, value)
        guard tap.wants(place.name) else { continue }
        slots[place.slot] = .tensor(shown(value, at: place, to: tap))
      }
      for slot in freed[index] { slots[slot] = .none }
    }
    guard let result = slots[output].tensor else {
      throw problem("the output is \(slots[output].kind), expected a tensor")
    }
    return result
  }

  /// The slots before the first step.
  func beginning(_ images: Tensor) -> [GraphValue] {
    var slots = [GraphValue](repeating: .none, count: slotCount)
    for (slot, value) in constants {
      slots[slot] = value
      if volatile.contains(slot), case .tensor(let tensor) = value {
        slots[slot] = .tensor(tensor.cloned())
      }
    }
    var x = images
    if input.isChannelsLast { x = x.permuted(0, 2, 3, 1).contiguous() }
    x = x.to(input.dtype)
    if usesChannelsLast { x = x.channelsLast() }
    slots[input.slot] = .tensor(volatile.contains(input.slot) ? x.cloned() : x)
    return slots
  }

  private func results(
    of index: Int, _ values: [GraphValue], _ tap: Tap, _ watch: ((Place, Tensor) -> Void)?
  ) throws -> [GraphValue] {
    let step = steps[index]
    do {
      let results = try attended(index, values, tap, watch) ?? step.run(values)
      guard results.count >= step.outputs.count else {
        throw problem("gave \(results.count) results, expected \(step.outputs.count)")
      }
      return results
    } catch TensorError.operation(_, let message) {
      throw ModelError.graph(file: file, node: step.name, kind: step.kind, problem: message)
    } catch let problem as GraphProblem {
      throw ModelError.graph(file: file, node: step.name, kind: step.kind, problem: problem.text)
    } catch ModelError.checkpoint(_, let message) {
      throw ModelError.graph(file: file, node: step.name, kind: step.kind, problem: message)
    }
  }

  /// The results of a step of attention with its weights written out; nil where nobody looks and no derivative needs it.
  private func attended(
    _ index: Int, _ values: [GraphValue], _ tap: Tap, _ watch: ((Place, Tensor) -> Void)?
  ) throws -> [GraphValue]? {
    guard let attention = steps[index].attention else { return nil }
    // The fused form has no forward derivative.
    let isForward = GradientMode.isForward
    let names = fused[index].flatMap { place in place.heads.map { (place, heads: $0) } }
    // Its shape is all that anybody asks for, and takes no memory.
    if let (place, _) = names, let watch, let shape = try? attention.shape(values),
      !shape.contains(0)
    {
      watch(place, Tensor.zeros(shape.map { _ in 1 }, .float32).expanded(shape))
    }
    let isSeen = names.map { tap.wants($0.0.name) || tap.names($0.heads) } ?? false
    guard isForward || isSeen else { return nil }
    let view = AttentionView { pattern in
      names.map { tap($0.0.name, pattern, as: $0.0.kind ?? .pattern) } ?? pattern
    } heads: { outputs in
      names.map {
        tap.named($0.heads, outputs, as: $0.0.kind == .windows ? .windows : .mixed)
      } ?? outputs
    }
    let results = try attention.run(values, view)
    // What the fused form alone gives is seldom read.
    let others = isAlone[index] || isForward ? [] : try steps[index].run(values)
    return steps[index].outputs.indices.map { place in
      if results.indices.contains(place), let result = results[place] { return result }
      return others.indices.contains(place) ? others[place] : .none
    }
  }

  /// The summands of a residual connection, after the tap.
  private func show(
    _ sum: ResidualSum, _ values: inout [GraphValue], of step: Step, to tap: Tap
  ) {
    guard tap.looksAtParts(of: sum.name), case .tensor(let skip) = values[sum.skip],
      case .tensor(let branch) = values[sum.branch]
    else { return }
    func own(_ value: Tensor, _ place: Int) -> Tensor {
      volatile.contains(step.inputs[place]) ? value.cloned() : value
    }
    let shown = tap.shown(sum.name, own(skip, sum.skip), own(branch, sum.branch), sum.part)
    values[sum.skip] = .tensor(shown.skip)
    values[sum.branch] = .tensor(shown.branch)
  }

  /// The value after the tap; a copy on both ways where a later step writes to it.
  private func shown(_ value: Tensor, at place: Place, to tap: Tap) -> Tensor {
    own(value, place.slot) { seen($0, at: place, by: tap) }
  }

  private func own(_ value: Tensor, _ slot: Int, _ look: (Tensor) -> Tensor) -> Tensor {
    volatile.contains(slot) ? look(value.cloned()).cloned() : look(value)
  }

  private func seen(_ value: Tensor, at place: Place, by tap: Tap) -> Tensor {
    place.isBlock
      ? tap.block(place.name, value, as: place.kind) : tap(place.name, value, as: place.kind)
  }

  func problem(_ text: String) -> ModelError { .checkpoint(file: file, problem: text) }
}
