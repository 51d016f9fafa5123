import ParallaxModels
import ParallaxTensors

/// What a picture is made for: a loss on logits or on what a layer holds.
///
/// C is the recipe's target, 200 in the paper (400 for the second of two models). `z` is the activation of a site.
///
/// | objective | loss of one picture |
/// | --- | --- |
/// | class i | \|C − O_i\| |
/// | opposite of i | O_i |
/// | sum of classes | Σ (C − O_i) |
/// | juxtaposition | \|C − min O_i\|: only the less active class descends |
/// | interpolation, frame n of q | (q − n)/q · \|C − O_i\| + n/q · \|C − O_j\| |
/// | two models | ½ ((C₁ − O¹_i) + (C₂ − O²_i)) |
/// | channel f | Σ (C − z_f), over the channel's places |
/// | neuron | C − z_f at one place |
/// | direction v | Σ (C − ⟨v, z⟩/‖v‖), over places |
/// | layer | Σ (C − z) / number of features |
///
/// > Source: Badger, 2022, arXiv 2211.06496, and its author's published chapters on input generation and deep dream. Neurons,
/// > directions and the absolute value of juxtaposed classes are our reading.
public enum GenerationObjective: Sendable, Hashable, Codable {
  /// A class is to be recognised.
  case classImage(Int)
  /// A class is to be as little recognised as can be.
  case opposite(Int)
  /// Several classes at once.
  case sum([Int])
  /// Several classes, only the currently less active descends.
  case juxtaposition([Int])
  /// Between two classes: frame n of q.
  case interpolation(from: Int, to: Int, frame: Int, of: Int)
  /// One class for two models.
  case joint(Int)
  /// One channel of a site, at all places.
  case channel(site: String, index: Int)
  /// One channel of a site at one place, row and column; nil for the middle.
  case neuron(site: String, index: Int, place: [Int]?)
  /// A direction among a site's channels, drawn from a seed.
  case direction(site: String, seed: UInt64)
  /// All of a site.
  case layer(site: String)

  /// The site that it looks at; nil for the logits.
  public var site: String? {
    switch self {
    case .classImage, .opposite, .sum, .juxtaposition, .interpolation, .joint: nil
    case .channel(let site, _), .neuron(let site, _, _), .direction(let site, _), .layer(let site):
      site
    }
  }

  /// The classes that it names.
  public var classes: [Int] {
    switch self {
    case .classImage(let one), .opposite(let one), .joint(let one): [one]
    case .sum(let all), .juxtaposition(let all): all
    case .interpolation(let from, let to, _, _): [from, to]
    case .channel, .neuron, .direction, .layer: []
    }
  }

  /// What results call it.
  public var kind: String {
    switch self {
    case .classImage: "class"
    case .opposite: "opposite"
    case .sum: "sum of classes"
    case .juxtaposition: "juxtaposition"
    case .interpolation: "interpolation"
    case .joint: "two models"
    case .channel: "channel"
    case .neuron: "neuron"
    case .direction: "direction"
    case .layer: "layer"
    }
  }

  /// The loss of logits.
  ///
  /// - Parameters:
  ///   - logits: O, `[batch, classes]`, of each model.
  ///   - targets: C, one a model.
  /// - Returns: `[batch]`.
  /// - Precondition: it is about classes, each below the number of logits.
  public func loss(logits: [Tensor], targets: [Double]) -> Tensor {
    let (outputs, target) = (logits[0], targets[0])
    func output(_ index: Int, of model: Int = 0) -> Tensor { logits[model].selected(1, index) }
    switch self {
    case .classImage(let index): return (-output(index) + target).absolute()
    case .opposite(let index): return output(index)
    case .sum(let all):
      return all.dropFirst().reduce(-output(all[0]) + target) { $0 + (-output($1) + target) }
    case .juxtaposition(let all):
      let least = GenerationOperators.least(outputs.gathered(1, all), 1, false)
      return (-least + target).absolute()
    case .interpolation(let from, let to, let frame, let count):
      let share = Double(frame) / Double(count)
      let (a, b) = ((-output(from) + target).absolute(), (-output(to) + target).absolute())
      return a * (1 - share) + b * share
    case .joint(let index):
      let parts = logits.indices.map { -output(index, of: $0) + targets[$0] }
      return parts.dropFirst().reduce(parts[0], +) / Double(parts.count)
    case .channel, .neuron, .direction, .layer:
      preconditionFailure("GenerationObjective: \(kind) is not about classes")
    }
  }

  /// The loss of an activation.
  ///
  /// - Parameters:
  ///   - activation: z, `[batch, …]`, as the model shows it.
  ///   - kind: what kind of thing it is.
  ///   - target: C.
  ///   - prefix: tokens before the patches, which have no place.
  ///   - name: what errors call the site.
  /// - Returns: `[batch]`.
  /// - Throws: `AnalysisError.site` where the activation has no such channel or place.
  public func loss(
    activation: Tensor, _ kind: SiteKind, target: Double, prefix: Int, name: String
  ) throws -> Tensor {
    if case .neuron(_, let index, let place) = self, let place, place.count == 1,
      [.tokens, .patches].contains(kind), activation.rank == 3
    {
      return -(try Self.token(place[0], index, of: activation, name)) + target
    }
    let z = try Self.channelsLast(activation, kind, prefix, name)
    return try loss(places: z, grid: Self.grid(activation, kind, prefix), target, name)
  }

  /// One number of one token, `[batch]`; tokens are counted as the model holds them, a class token first.
  private static func token(
    _ place: Int, _ index: Int, of activation: Tensor, _ name: String
  ) throws -> Tensor {
    let (tokens, channels) = (activation.shape[1], activation.shape[2])
    guard (0..<tokens).contains(place) else {
      throw AnalysisError.site(
        name, problem: "it has no token \(place); expected one from 0 to \(tokens - 1)")
    }
    guard (0..<channels).contains(index) else {
      throw AnalysisError.site(
        name, problem: "it has no channel \(index); expected one from 0 to \(channels - 1)")
    }
    return activation.selected(1, place).selected(1, index)
  }

  private func loss(places z: Tensor, grid: [Int], _ target: Double, _ name: String) throws
    -> Tensor
  {
    let channels = z.shape[2]
    func channel(_ index: Int) throws -> Tensor {
      guard (0..<channels).contains(index) else {
        throw AnalysisError.site(
          name, problem: "it has no channel \(index); expected one from 0 to \(channels - 1)")
      }
      return z.selected(2, index)
    }
    switch self {
    case .channel(_, let index): return (-(try channel(index)) + target).sum(over: [1])
    case .neuron(_, let index, let place):
      let at = place ?? grid.map { $0 / 2 }
      guard at.count == grid.count, zip(at, grid).allSatisfy({ (0..<$1).contains($0) }) else {
        throw AnalysisError.site(
          name,
          problem:
            "it has no place \(at.map(String.init).joined(separator: ", ")) among \(grid.map(String.init).joined(separator: " × "))"
        )
      }
      let flat = zip(at, grid).reduce(0) { $0 * $1.1 + $1.0 }
      return -(try channel(index)).selected(1, flat) + target
    case .direction(_, let seed):
      let raw = RandomSource(seed: seed).normal([channels]).to(z.dtype).to(z.device)
      let unit = raw / raw.norm(over: [0], keeping: true)
      return (-(z * unit).sum(over: [2]) + target).sum(over: [1])
    case .layer: return (-z + target).sum(over: [1, 2]) / Double(channels)
    default: preconditionFailure("GenerationObjective: \(self.kind) is about classes")
    }
  }

  /// The number that grows where the loss falls: of a channel its mean over places, of a direction and a layer likewise.
  ///
  /// - Parameters:
  ///   - activation: z, `[batch, …]`.
  ///   - kind: what kind of thing it is.
  ///   - prefix: tokens before the patches.
  ///   - name: what errors call the site.
  /// - Returns: `[batch]`.
  /// - Throws: `AnalysisError.site`.
  public func score(activation: Tensor, _ kind: SiteKind, prefix: Int, name: String) throws
    -> Tensor
  {
    if case .neuron(_, _, let place) = self, place?.count == 1 {
      return -(try loss(activation: activation, kind, target: 0, prefix: prefix, name: name))
    }
    let z = try Self.channelsLast(activation, kind, prefix, name)
    let loss = try loss(places: z, grid: Self.grid(activation, kind, prefix), 0, name)
    switch self {
    case .channel, .direction, .layer: return -loss / Double(z.shape[1])
    default: return -loss
    }
  }

  /// `[batch, places, channels]`; class and register tokens are no places.
  private static func channelsLast(
    _ activation: Tensor, _ kind: SiteKind, _ prefix: Int, _ name: String
  ) throws -> Tensor {
    let shape = activation.shape
    switch (kind, shape.count) {
    case (.map, 4):
      return activation.reshaped(shape[0], shape[1], shape[2] * shape[3]).transposed(1, 2)
    case (.positions, 4): return activation.reshaped(shape[0], shape[1] * shape[2], shape[3])
    case (.tokens, 3): return activation.sliced(1, min(prefix, shape[1] - 1))
    case (.patches, 3): return activation
    case (.vector, 2): return activation.unsqueezed(1)
    default:
      throw AnalysisError.site(
        name,
        problem: "a feature needs a site of maps, tokens or vectors, not of \(kind.rawValue)")
    }
  }

  private static func grid(_ activation: Tensor, _ kind: SiteKind, _ prefix: Int) -> [Int] {
    let shape = activation.shape
    switch kind {
    case .map: return Array(shape.suffix(2))
    case .positions: return Array(shape[1...2])
    case .tokens, .patches:
      let count = kind == .tokens ? shape[1] - min(prefix, shape[1] - 1) : shape[1]
      let side = Int(Double(count).squareRoot().rounded())
      return side * side == count ? [side, side] : [count]
    default: return [1]
    }
  }
}

/// The operators of this folder, each looked up once.
enum GenerationOperators {
  static let least = Operator("aten::amin")
}
