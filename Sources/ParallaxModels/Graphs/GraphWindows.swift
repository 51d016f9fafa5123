import ParallaxTensors

/// Where the tokens of attention inside windows lie in a graph, found by following tokens through it.
///
/// A graph does not name its windows. But between a block's input and the values of its attention tokens are only moved (rolled,
/// padded, cut into windows) and each changed by itself (a normalisation, a linear layer). So the block's input is replaced: every
/// token by one of two vectors, as a bit of its number says, and of each value in a window it is seen from which of the two it was
/// made. With as many runs as numbers have bits, and two where all tokens are alike, every token of every window has a number or is
/// padding. All blocks are followed in the same runs, since each block's input is replaced.
///
/// Nothing is taken on trust: where a value is made of neither vector, or a token of the grid is missing or there twice, the places
/// stay unknown. Which tokens see each other is read off the weights themselves.
struct GraphWindows {
  /// A block whose attention is followed.
  private struct Target {
    /// The site of its weights.
    var name: String
    /// The step that makes the block's input, and its slot.
    var maker: Int
    var slot: Int
    /// The step that multiplies weights and values, and which of its inputs these are.
    var product: Int
    var values: Int
    var isFused: Bool
  }

  /// What was seen of a target in one run.
  private struct Seen {
    var values: Tensor
    var pattern: Tensor?
    /// The shape of the block's input.
    var input: [Int]
  }

  private let program: GraphProgram
  private let targets: [Target]
  private let height: Int
  private let width: Int

  /// - Parameters:
  ///   - program: the graph, with its residual connections.
  ///   - patterns: places of weights to look for.
  ///   - height: of the images.
  ///   - width: of the images.
  init(_ program: GraphProgram, _ patterns: [GraphProgram.Place], height: Int, width: Int) {
    (self.program, self.height, self.width) = (program, height, width)
    var makers: [Int: Int] = [:]
    for (index, step) in program.steps.enumerated() {
      for case .some(let slot) in step.outputs { makers[slot] = index }
    }
    let products = patterns.compactMap { Self.product(of: $0, program) }
    targets = program.sums.sorted { $0.key < $1.key }.compactMap { sum, what in
      guard what.part == .attention else { return nil }
      let slot = program.steps[sum].inputs[what.skip]
      guard let maker = makers[slot],
        let found = products.last(where: { maker < $0.product && $0.product < sum })
      else { return nil }
      var target = found
      (target.maker, target.slot) = (maker, slot)
      return target
    }
  }

  private static func product(
    of place: GraphProgram.Place, _ program: GraphProgram
  ) -> Target? {
    let steps = program.steps
    switch place.role {
    case .fused:
      guard steps.indices.contains(place.step), steps[place.step].inputs.count >= 3,
        steps[place.step].kind.contains("scaled_dot_product")
      else { return nil }
      return Target(
        name: place.name, maker: -1, slot: -1, product: place.step, values: 2, isFused: true)
    case .pattern:
      let reader = steps.indices.first {
        $0 > place.step && steps[$0].inputs.count == 2 && steps[$0].inputs[0] == place.slot
      }
      return reader.map {
        Target(name: place.name, maker: -1, slot: -1, product: $0, values: 1, isFused: false)
      }
    default: return nil
    }
  }

  /// The places of each pattern whose tokens could be followed; a grid no larger than a window is one.
  ///
  /// - Parameter images: one image.
  /// - Returns: with the shape of the weights of one window, by the pattern's name.
  /// - Throws: what a step throws.
  func places(_ images: Tensor) throws -> [String: (places: AttentionPlaces, shape: [Int])] {
    guard !targets.isEmpty else { return [:] }
    let first = try run(images, hasPatterns: true) { _ in 1 }
    let second = try run(images) { _ in 0 }
    let most = first.values.compactMap { grid($0.input) }.map { $0.rows * $0.columns }.max() ?? 0
    guard most > 1, first.count == second.count else { return [:] }
    let count = (0..<20).first { most <= 1 << $0 } ?? 20
    let bits = try (0..<count).map { bit in try run(images) { ($0 >> bit) & 1 } }
    var found: [String: (places: AttentionPlaces, shape: [Int])] = [:]
    for (index, target) in targets.enumerated() {
      guard let one = first[index], let zero = second[index], let pattern = one.pattern,
        let places = places(one, zero, bits.compactMap { $0[index] }, pattern)
      else { continue }
      found[target.name] = (places, Array(pattern.shape.dropFirst()))
    }
    return found
  }

  /// How tokens of a block's input lie: `[1, rows, columns, c]`, or `[1, tokens, c]`.
  private func grid(_ shape: [Int]) -> (rows: Int, columns: Int)? {
    let (rows, columns): (Int, Int)
    switch shape.count {
    case 4: (rows, columns) = (shape[1], shape[2])
    case 3:
      let side = Int((Double(shape[1] * height) / Double(width)).squareRoot().rounded())
      guard side > 0, shape[1] % side == 0 else { return nil }
      (rows, columns) = (side, shape[1] / side)
    default: return nil
    }
    guard shape[0] == 1, rows > 0, columns > 0, rows * width == columns * height,
      height % rows == 0
    else { return nil }
    return (rows, columns)
  }

  /// One run in which every token of every target's input is one of two vectors.
  private func run(
    _ images: Tensor, hasPatterns: Bool = false, _ bit: (Int) -> Int
  ) throws -> [Int: Seen] {
    var slots = program.beginning(images)
    var (found, inputs): ([Int: Seen], [Int: [Int]]) = ([:], [:])
    let last = targets.map(\.product).max() ?? -1
    for (index, step) in program.steps.enumerated() where index <= last {
      let values = step.inputs.map { slots[$0] }
      var results: [GraphValue]?
      for (number, target) in targets.enumerated() where target.product == index {
        guard let own = values[target.values].tensor, let input = inputs[number] else { continue }
        var pattern = target.isFused ? nil : values[0].tensor
        if target.isFused, hasPatterns, let attention = step.attention {
          let view = AttentionView {
            pattern = $0
            return $0
          } heads: {
            $0
          }
          let made = try attention.run(values, view)
          if made.count >= step.outputs.count, !made.contains(where: { $0 == nil }) {
            results = made.compactMap(\.self)
          }
        }
        found[number] = Seen(
          values: own.to(.float64), pattern: hasPatterns ? pattern : nil, input: input)
      }
      for (slot, value) in zip(step.outputs, try results ?? step.run(values)) {
        if let slot { slots[slot] = value }
      }
      for (number, target) in targets.enumerated() where target.maker == index {
        guard let value = slots[target.slot].tensor else { continue }
        inputs[number] = value.shape
        slots[target.slot] = .tensor(coded(value, bit))
      }
      for slot in program.freed[index] { slots[slot] = .none }
    }
    return found
  }

  /// A tensor of that shape whose tokens are one of two vectors; as it is where tokens lie on no grid.
  private func coded(_ value: Tensor, _ bit: (Int) -> Int) -> Tensor {
    guard let (rows, columns) = grid(value.shape), let width = value.shape.last else {
      return value
    }
    let one = RandomSource(seed: 1).normal([width])
    let zero = RandomSource(seed: 2).normal([width])
    let bits = (0..<rows * columns).map { Float(bit($0)) }
    let mask = Tensor(bits, shape: [rows * columns, 1])
    return (zero + mask * (one - zero)).reshaped(value.shape).to(value.dtype).to(value.device)
  }

  private func places(
    _ one: Seen, _ zero: Seen, _ bits: [Seen], _ pattern: Tensor
  ) -> AttentionPlaces? {
    guard let (rows, columns) = grid(one.input), one.values.rank == 4, pattern.rank == 4,
      pattern.shape[0] == one.values.shape[0], pattern.shape[2] == one.values.shape[2],
      pattern.shape[2] == pattern.shape[3]
    else { return nil }
    let (count, tokens) = (one.values.shape[0], one.values.shape[2])
    /// Of all heads together, a row a token.
    func flat(_ seen: Seen) -> Tensor {
      seen.values.to(.cpu).permuted(0, 2, 1, 3).reshaped(count * tokens, -1)
    }
    let base = flat(zero)
    let apart = flat(one) - base
    let sizes = apart.squared().sum(over: [1])
    let lengths = sizes.scalars(Double.self)
    guard let largest = lengths.max(), largest > 0, largest.isFinite else { return nil }
    // Padding is the same whatever the tokens are.
    let isPadding = lengths.map { $0 < 1e-9 * largest }
    var numbers = [Int](repeating: 0, count: count * tokens)
    for (place, seen) in bits.enumerated() {
      guard seen.values.shape == one.values.shape else { return nil }
      let moved = flat(seen) - base
      let along = (moved * apart).sum(over: [1]) / (sizes + 1e-300)
      let rest = (moved - apart * along.unsqueezed(1)).squared().sum(over: [1])
      let (shares, misses) = (along.scalars(Double.self), rest.scalars(Double.self))
      for token in numbers.indices where !isPadding[token] {
        let bit = shares[token].rounded()
        guard abs(shares[token] - bit) < 0.02, bit == 0 || bit == 1,
          misses[token] < 1e-3 * lengths[token]
        else { return nil }
        numbers[token] |= Int(bit) << place
      }
    }
    let known = numbers.indices.filter { !isPadding[$0] }.map { numbers[$0] }
    guard known.count == rows * columns, Set(known) == Set(0..<rows * columns) else { return nil }
    let windows = (0..<count).map { window in
      (0..<tokens).map { token -> AttentionPlaces.Place? in
        let place = window * tokens + token
        return isPadding[place]
          ? nil
          : AttentionPlaces.Place(row: numbers[place] / columns, column: numbers[place] % columns)
      }
    }
    guard let regions = regions(pattern) else { return nil }
    return AttentionPlaces(
      windows: windows, regions: regions, rows: rows, columns: columns, step: height / rows)
  }

  /// Which tokens of each window see each other: those whose weights are not nothing. Empty where all do; nil where that is no
  /// division into groups.
  private func regions(_ pattern: Tensor) -> [[Int]]? {
    let (count, tokens) = (pattern.shape[0], pattern.shape[2])
    let weights = pattern.to(.cpu).to(.float64).sum(over: [1]).contiguous()
      .scalars(Double.self)
    var all: [[Int]] = []
    for window in 0..<count {
      func sees(_ i: Int, _ j: Int) -> Bool { weights[(window * tokens + i) * tokens + j] > 1e-20 }
      let own = (0..<tokens).map { i in (0..<tokens).first { sees(i, $0) } ?? i }
      for i in 0..<tokens {
        for j in 0..<tokens where sees(i, j) != (own[i] == own[j]) { return nil }
      }
      all.append(own)
    }
    return all.allSatisfy { $0.allSatisfy { $0 == 0 } } ? [] : all
  }
}
