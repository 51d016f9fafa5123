import ParallaxTensors

/// Made-up parameters for an untrained network of any architecture.
///
/// The draw depends on the seed and the parameter's name alone, never on the order of asking:
/// convolutions N(0, 2/fan-out) (He et al.), the fan-out being outputs · kernel area / groups, linear weights, class tokens and position embeddings
/// N(0, 0.02²) as in timm, normalisations the identity, biases zero, LayerScale 1e-5, SwinV2's temperatures ln 10.
public struct RandomWeights: WeightSource, ShapeFollowing {
  /// The seed of all draws.
  public let seed: UInt64
  /// `random weights (seed 7)`.
  public var label: String { "random weights (seed \(seed))" }
  /// None: there is nothing that could be left over.
  public var names: [String] { [] }

  /// Parameters drawn from a seed.
  public init(seed: UInt64) { self.seed = seed }

  /// Always nil: a parameter has the shape that it is asked for in.
  public func shape(_ name: String) -> [Int]? { nil }
  /// Always nil: without a shape there is nothing to draw.
  public func tensor(_ name: String) -> Tensor? { nil }
  func shape(_ name: String, _ asked: [Int]) -> [Int]? { asked }

  func tensor(_ name: String, _ asked: [Int]) -> Tensor? { tensor(name, asked, groups: 1) }

  func tensor(_ name: String, _ asked: [Int], groups: Int) -> Tensor? {
    // FNV-1a, so that a name's draw is the same in every process.
    let hash = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
      ($0 ^ UInt64($1)) &* 0x100_0000_01b3
    }
    let random = RandomSource(seed: seed ^ hash)
    let last = name.split(separator: ".").last ?? ""
    switch (last, asked.count) {
    // A response normalisation that does nothing has a weight of zeros.
    case ("weight", 1) where name.hasSuffix("grn.weight"): return Tensor.zeros(asked)
    case ("gamma", 1), ("gamma_1", 1), ("gamma_2", 1): return Tensor.ones(asked) * 1e-5
    case ("logit_scale", _): return Tensor.ones(asked) * 2.302_585_092_994_046
    case ("weight", 1), ("running_var", _): return Tensor.ones(asked)
    case ("weight", 4):
      let fanOut = asked[0] * asked[2] * asked[3] / max(1, groups)
      return random.normal(asked) * (2 / Double(max(1, fanOut))).squareRoot()
    case ("weight", _), ("cls_token", _), ("pos_embed", _), ("reg_token", _), ("dist_token", _),
      ("latent", _), ("relative_position_bias_table", _):
      return random.normal(asked) * 0.02
    default: return Tensor.zeros(asked)
    }
  }
}
