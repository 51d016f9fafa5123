import ParallaxTensors

/// One module of a network with other parameters: made-up ones in a trained network, or trained ones in an untrained one.
///
/// A module is a path in timm's names (`blocks.0.norm1`, `patch_embed`), or one of three words: `stem`, the layer that reads pixels
/// with its normalisation; `first-norm`, the first normalisation of tokens; `positions`, the position embedding.
///
/// > Source: Badger, 2022, arXiv 2211.06496: untrained transformers with a trained stem or first normalisation.
public struct ModuleSwap: Sendable, Hashable {
  /// The path, or the word.
  public let module: String
  /// Of the made-up parameters.
  public let seed: UInt64
  /// Whether the network is untrained and the module trained; the other way round if not.
  public let isIntoUntrained: Bool

  /// A swap.
  public init(_ module: String, seed: UInt64, isIntoUntrained: Bool) {
    (self.module, self.seed, self.isIntoUntrained) = (module, seed, isIntoUntrained)
  }

  /// Words, and the paths that they mean: the first group of which a network has a parameter.
  static let words: [String: [[String]]] = [
    "stem": [
      ["patch_embed"], ["stem"], ["conv1", "bn1"], ["conv_stem", "bn1"],
      ["features.conv0", "features.norm0"], ["features.0", "features.1"],
    ],
    "first-norm": [["norm_pre"], ["blocks.0.norm1"], ["layers.0.blocks.0.norm1"], ["bn1"]],
    "positions": [["pos_embed"]],
  ]

  /// The parameters that are swapped.
  ///
  /// - Parameters:
  ///   - names: of all parameters.
  ///   - file: what errors call the checkpoint.
  /// - Returns: those at or under the module.
  /// - Throws: `ModelError.address` where there are none.
  func parameters(among names: [String], file: String) throws(ModelError) -> Set<String> {
    for paths in Self.words[module] ?? [[module]] {
      let found = names.filter { name in
        paths.contains { name == $0 || name.hasPrefix($0 + ".") }
      }
      if !found.isEmpty { return Set(found) }
    }
    throw .address(
      text: module,
      problem:
        "\(file) has no parameter at or under it; expected a module's path such as blocks.0.norm1, or \(Self.words.keys.sorted().joined(separator: ", "))"
    )
  }
}

/// Parameters of a checkpoint, but for some that are made up, or the other way round.
struct SwappedWeights: ShapeFollowing {
  let trained: any WeightSource
  let made: RandomWeights
  /// Parameters that lie in the module.
  let module: Set<String>
  let isIntoUntrained: Bool

  var label: String { trained.label }
  var names: [String] { trained.names.filter { !isMade($0) } }

  private func isMade(_ name: String) -> Bool { module.contains(name) != isIntoUntrained }

  func shape(_ name: String) -> [Int]? { isMade(name) ? nil : trained.shape(name) }
  func tensor(_ name: String) throws -> Tensor? {
    isMade(name) ? nil : try trained.tensor(name)
  }
  func shape(_ name: String, _ asked: [Int]) -> [Int]? { isMade(name) ? asked : nil }
  func tensor(_ name: String, _ asked: [Int]) -> Tensor? { tensor(name, asked, groups: 1) }
  func tensor(_ name: String, _ asked: [Int], groups: Int) -> Tensor? {
    isMade(name) ? made.tensor(name, asked, groups: groups) : nil
  }
}
