import Foundation
import ParallaxTensors

/// Limited-memory BFGS for a batch, a history of its own for each picture.
///
/// d = −H·g by the two-loop recursion over the last m pairs s = a_i − a_{i−1}, y = g_i − g_{i−1} with ⟨s, y⟩ > 1e−10, H₀ = ⟨s, y⟩/⟨y, y⟩.
/// The first step is min(1, 1/‖g‖₁)·ε·(−g). Without a search a ← a + ε·d, step by step `torch.optim.LBFGS` with `max_iter=1`. With
/// one, ε is where each picture's ``WolfeSearch`` begins, as `line_search_fn="strong_wolfe"` of the same; a picture for
/// which nothing lower is found stands still and forgets its history, and its next step is a first one.
///
/// > Source: Liu and Nocedal, 1989, doi 10.1007/BF01589116; Nocedal and Wright, 2006, algorithms 3.5 and 7.4.
struct LBFGS {
  /// `steps` and `changes` `[batch, m, numbers]`, the oldest first; `products` 1/⟨s, y⟩ `[batch, m]`, 0 where there is no pair;
  /// `scale` H₀ `[batch, 1]`; `gradient` and `move`, the last, `[batch, numbers]`; `fresh` `[batch, 1]`, 1 where the next step is a first one.
  private(set) var tensors: [String: Tensor]

  static let least = 1e-10

  private static func shapes(_ history: Int, _ shape: [Int]) -> [String: [Int]] {
    let (batch, numbers) = (shape[0], shape.dropFirst().reduce(1, *))
    return [
      "steps": [batch, history, numbers], "changes": [batch, history, numbers],
      "products": [batch, history], "scale": [batch, 1], "gradient": [batch, numbers],
      "move": [batch, numbers], "fresh": [batch, 1],
    ]
  }

  static func fits(
    _ tensors: [String: Tensor], history: Int, shape: [Int], dtype: DType
  ) -> Bool {
    let shapes = shapes(history, shape)
    return Set(tensors.keys) == Set(shapes.keys)
      && tensors.allSatisfy { $0.value.shape == shapes[$0.key] && $0.value.dtype == dtype }
  }

  /// What was remembered, or nothing yet.
  init(_ tensors: [String: Tensor], history: Int, like gradient: Tensor) {
    guard tensors.isEmpty else {
      self.tensors = tensors
      return
    }
    self.tensors = Self.shapes(history, gradient.shape).mapValues {
      Tensor.zeros($0, gradient.dtype).to(gradient.device)
    }
    for name in ["scale", "fresh"] { self[name] = self[name] + 1.0 }
  }

  private subscript(_ name: String) -> Tensor {
    get { tensors[name] ?? Tensor.zeros([1]) }
    set { tensors[name] = newValue }
  }

  private static func dot(_ a: Tensor, _ b: Tensor) -> Tensor {
    (a * b).sum(over: [-1], keeping: true)
  }

  private static func flags(_ tensor: Tensor) -> [Bool] {
    tensor.to(.float64).scalars(Double.self).map { $0 > 0 }
  }

  /// Takes up the last step's pair.
  private mutating func learn(_ gradient: Tensor) {
    let (step, change) = (self["move"], gradient - self["gradient"])
    let product = Self.dot(step, change)
    let isFresh = Self.flags(self["fresh"])
    let learns = zip(product.to(.float64).scalars(Double.self), isFresh).map {
      $0 > Self.least && !$1
    }
    guard learns.contains(true) else { return }
    func pushed(_ name: String, _ new: Tensor) -> Tensor {
      learns.chosen(Tensor.concatenated([self[name].sliced(1, 1), new], 1), self[name])
    }
    let reciprocal = (product.zerosLike() + 1.0) / product
    let scale = learns.chosen(product / Self.dot(change, change), self["scale"])
    let (steps, changes) = (
      pushed("steps", step.unsqueezed(1)), pushed("changes", change.unsqueezed(1))
    )
    self["products"] = pushed("products", reciprocal)
    (self["steps"], self["changes"], self["scale"]) = (steps, changes, scale)
  }

  /// −H·g.
  private func direction(_ gradient: Tensor) -> Tensor {
    let (steps, changes) = (self["steps"].unbound(1), self["changes"].unbound(1))
    let products = self["products"].unsqueezed(-1).unbound(1)
    var q = gradient * -1.0
    var factors: [Tensor] = []
    for place in steps.indices.reversed() {
      let factor = Self.dot(steps[place], q) * products[place]
      q = q - changes[place] * factor
      factors.append(factor)
    }
    var r = q * self["scale"]
    for (place, factor) in zip(steps.indices, factors.reversed()) {
      let other = Self.dot(changes[place], r) * products[place]
      r = r + steps[place] * (factor - other)
    }
    return r
  }

  /// One step from parameters that have been looked at.
  ///
  /// - Parameters:
  ///   - parameters: `[batch, …]`.
  ///   - found: the look at them.
  ///   - rate: ε.
  ///   - look: looks at other parameters; nil where steps are taken as they come.
  /// - Returns: the next parameters, and a look at them where there is one.
  /// - Throws: what looking throws.
  mutating func step(
    _ parameters: Tensor, _ found: Descent.Evaluation, rate: Double,
    look: (Tensor) throws -> Descent.Evaluation?
  ) throws -> (Tensor, Descent.Evaluation?) {
    let (shape, batch) = (parameters.shape, parameters.shape[0])
    let gradient = found.gradient.reshaped(batch, -1)
    learn(gradient)
    var direction = direction(gradient)
    let slopes = Self.dot(gradient, direction)
    // No way down: forget.
    let isUphill = slopes.to(.float64).scalars(Double.self).map { $0 >= 0 }
    if isUphill.contains(true) {
      forget(isUphill)
      direction = isUphill.chosen(gradient * -1.0, direction)
    }
    let isFresh = Self.flags(self["fresh"])
    let sums = gradient.absolute().sum(over: [1]).to(.float64).scalars(Double.self)
    var lengths = isFresh.indices.map {
      isFresh[$0] ? min(1, 1 / max(sums[$0], .leastNormalMagnitude)) * rate : rate
    }
    self["gradient"] = gradient
    self["fresh"] = self["fresh"].zerosLike()
    func column(_ values: [Double]) -> Tensor {
      Tensor(values, shape: [batch, 1]).to(gradient.dtype).to(gradient.device)
    }
    func moved() -> (move: Tensor, to: Tensor) {
      let move = direction * column(lengths)
      return (move, parameters + move.reshaped(shape))
    }
    var (move, next) = moved()
    guard var trial = try look(next) else {
      self["move"] = move
      return (next, nil)
    }
    let falls = Self.dot(gradient, direction).to(.float64).scalars(Double.self)
    let widest = direction.absolute().topK(1).values.to(.float64).scalars(Double.self)
    var searches = (0..<batch).map {
      WolfeSearch(
        from: lengths[$0], value: found.totals[$0], slope: falls[$0], widest: widest[$0],
        // What is less moves no number of a picture.
        least: gradient.dtype == .float64 ? 1e-9 : 1e-7)
    }
    // What each search has found so far, and whether it still looks.
    var kept = found
    while true {
      let slopes = Self.dot(trial.gradient.reshaped(batch, -1), direction)
        .to(.float64).scalars(Double.self)
      let isBetter = (0..<batch).map {
        searches[$0].hasEnded
          ? false : searches[$0].take(value: trial.totals[$0], slope: slopes[$0])
      }
      kept = kept.replacing(isBetter, trial)
      guard searches.contains(where: { !$0.hasEnded }) else { break }
      lengths = searches.map(\.length)
      (_, next) = moved()
      guard let again = try look(next) else { break }
      trial = again
    }
    lengths = searches.map(\.found)
    (move, next) = moved()
    // Nothing was found: these pictures stand still.
    forget(lengths.map { $0 == 0 })
    self["move"] = move
    return (next, kept)
  }

  /// Begins anew for some pictures.
  private mutating func forget(_ flags: [Bool]) {
    for (name, tensor) in tensors {
      let empty = name == "scale" || name == "fresh" ? tensor.zerosLike() + 1.0 : tensor.zerosLike()
      tensors[name] = flags.chosen(empty, tensor)
    }
  }
}

extension Descent.Evaluation {
  /// With another look's numbers for some pictures.
  func replacing(_ flags: [Bool], _ other: Descent.Evaluation) -> Descent.Evaluation {
    func mixed(_ a: [Double], _ b: [Double]) -> [Double] {
      flags.indices.map { flags[$0] ? b[$0] : a[$0] }
    }
    var copy = self
    (copy.losses, copy.totals) = (mixed(losses, other.losses), mixed(totals, other.totals))
    if let own = distances, let others = other.distances { copy.distances = mixed(own, others) }
    copy.slopes = mixed(slopes, other.slopes)
    copy.gradient = flags.chosen(other.gradient, gradient)
    copy.pictures = flags.chosen(other.pictures, pictures)
    return copy
  }
}
