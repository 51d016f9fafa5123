import ParallaxTensors

/// Directions of limited-memory BFGS within a box, for a batch, a history of its own for each picture.
///
/// A number that lies at a bound and would be pushed over it by −g stands still: with F the others, d_F = −H_F·g_F by the two-loop recursion
/// over those of the last ten pairs s = x_i − x_{i−1}, y = g_i − g_{i−1} that have ⟨s_F, y_F⟩ > 1e−10·⟨y_F, y_F⟩, H₀ = ⟨s_F, y_F⟩/⟨y_F, y_F⟩ of
/// the newest; without any d_F = −g_F. Of a picture whose d leads nowhere the history is forgotten.
///
/// > Source: Liu and Nocedal, 1989, doi 10.1007/BF01589116, for the recursion; Bertsekas, 1982, doi 10.1137/0320018, for the free numbers. Byrd
/// > et al., 1995, whose L-BFGS-B goes by way of a Cauchy point, reach the same minimum.
struct BoundedBFGS {
  /// Pairs that are remembered: L-BFGS-B's usual number.
  static let history = 10
  private static let least = 1e-10

  /// `steps` and `changes` `[batch, 10, numbers]`, the oldest first; the last `gradient` and `move`, `[batch, numbers]`.
  private(set) var tensors: [String: Tensor]

  private static func shapes(_ shape: [Int]) -> [String: [Int]] {
    let (batch, numbers) = (shape[0], shape.dropFirst().reduce(1, *))
    return [
      "steps": [batch, history, numbers], "changes": [batch, history, numbers],
      "gradient": [batch, numbers], "move": [batch, numbers],
    ]
  }

  /// Whether tensors are a memory of so many pictures.
  static func fits(_ tensors: [String: Tensor], shape: [Int], dtype: DType) -> Bool {
    let shapes = shapes(shape)
    return Set(tensors.keys) == Set(shapes.keys)
      && tensors.allSatisfy { $0.value.shape == shapes[$0.key] && $0.value.dtype == dtype }
  }

  /// What was remembered, or nothing yet.
  init(_ tensors: [String: Tensor], like gradient: Tensor) {
    self.tensors =
      tensors.isEmpty
      ? Self.shapes(gradient.shape).mapValues {
        Tensor.zeros($0, gradient.dtype).to(gradient.device)
      } : tensors
  }

  private subscript(_ name: String) -> Tensor {
    get { tensors[name] ?? Tensor.zeros([1]) }
    set { tensors[name] = newValue }
  }

  private static func dot(_ a: Tensor, _ b: Tensor) -> Tensor {
    (a * b).sum(over: [-1], keeping: true)
  }

  private static func numbers(_ column: Tensor) -> [Double] {
    column.to(.float64).scalars(Double.self)
  }

  /// Takes up the pair that the last move gave.
  private mutating func learn(_ gradient: Tensor) {
    let (step, change) = (self["move"], gradient - self["gradient"])
    let products = Self.numbers(Self.dot(step, change))
    let lengths = Self.numbers(Self.dot(change, change))
    let learns = zip(products, lengths).map { $0 > Self.least * $1 && $0 > 0 }
    guard learns.contains(true) else { return }
    func pushed(_ name: String, _ new: Tensor) -> Tensor {
      learns.chosen(
        Tensor.concatenated([self[name].sliced(1, 1), new.unsqueezed(1)], 1), self[name])
    }
    (self["steps"], self["changes"]) = (pushed("steps", step), pushed("changes", change))
  }

  /// The directions at some pictures, and which are steepest ones for want of a history.
  ///
  /// - Parameters:
  ///   - pictures: x, `[batch, …]`.
  ///   - gradient: g, of their shape.
  ///   - low: the smallest numbers that they may have.
  ///   - high: the largest ones.
  /// - Returns: d, `[batch, numbers]`, 0 where a number stands still; ⟨g, d⟩; whether d = −g_F.
  mutating func direction(_ pictures: Tensor, _ gradient: Tensor, _ low: Tensor, _ high: Tensor)
    -> (direction: Tensor, slopes: [Double], isSteepest: [Bool])
  {
    let batch = pictures.shape[0]
    let zero = gradient.zerosLike()
    func both(_ a: Tensor, _ b: Tensor) -> Tensor { a.to(gradient.dtype) * b.to(gradient.dtype) }
    let held =
      both(
        EquivalenceOperators.atMost(pictures, low), EquivalenceOperators.greater(gradient, zero))
      + both(
        EquivalenceOperators.atLeast(pictures, high), EquivalenceOperators.greater(zero, gradient))
    let free = (held * -1.0 + 1.0).reshaped(batch, -1)
    let g = gradient.reshaped(batch, -1)
    learn(g)
    let steps = self["steps"].unbound(1).map { $0 * free }
    let changes = self["changes"].unbound(1).map { $0 * free }
    func column(_ values: [Double]) -> Tensor {
      Tensor(values, shape: [batch, 1]).to(g.dtype).to(g.device)
    }
    var inverses: [Tensor] = []
    var scale = [Double](repeating: 1, count: batch)
    var isKnown = [Bool](repeating: false, count: batch)
    for (s, y) in zip(steps, changes) {
      let (products, lengths) = (Self.numbers(Self.dot(s, y)), Self.numbers(Self.dot(y, y)))
      let isPair = zip(products, lengths).map { $0 > Self.least * $1 && $0 > 0 }
      for image in isPair.indices where isPair[image] {
        (scale[image], isKnown[image]) = (products[image] / lengths[image], true)
      }
      inverses.append(column(zip(products, isPair).map { $1 ? 1 / $0 : 0 }))
    }
    var q = g * free
    var factors: [Tensor] = []
    for place in steps.indices.reversed() {
      let factor = Self.dot(steps[place], q) * inverses[place]
      q = q - changes[place] * factor
      factors.append(factor)
    }
    var r = q * column(scale)
    for (place, factor) in zip(steps.indices, factors.reversed()) {
      r = r + steps[place] * (factor - Self.dot(changes[place], r) * inverses[place])
    }
    var direction = r * free * -1.0
    var slopes = Self.numbers(Self.dot(g, direction))
    // No way down: forget.
    let isLost = zip(slopes, isKnown).map { !($0 < 0) && $1 }
    if isLost.contains(true) {
      forget(isLost)
      direction = isLost.chosen(g * free * -1.0, direction)
      slopes = Self.numbers(Self.dot(g, direction))
    }
    self["gradient"] = g
    return (direction, slopes, zip(isLost, isKnown).map { $0 || !$1 })
  }

  /// Notes how far pictures went along.
  mutating func moved(_ move: Tensor) { self["move"] = move.reshaped(move.shape[0], -1) }

  /// Begins anew for some pictures.
  mutating func forget(_ flags: [Bool]) {
    for (name, tensor) in tensors where name != "gradient" {
      tensors[name] = flags.chosen(tensor.zerosLike(), tensor)
    }
  }
}
