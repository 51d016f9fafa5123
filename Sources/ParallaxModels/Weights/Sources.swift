import ParallaxTensors

extension Safetensors: WeightSource {
  /// The file's path.
  public var label: String { path }
  /// The tensor of that name, over the file's own memory; nil where there is none.
  public func tensor(_ name: String) throws -> Tensor? { self[name] }
}

/// Parameters that lie in memory.
public struct HeldWeights: WeightSource {
  /// What errors call the tensors.
  public let label: String
  private let tensors: [String: Tensor]

  /// Tensors by name; errors call them by the label.
  public init(_ tensors: [String: Tensor], label: String) {
    self.tensors = tensors
    self.label = label
  }

  /// The names, in no particular order.
  public var names: [String] { Array(tensors.keys) }
  /// The shape of the tensor of that name; nil where there is none.
  public func shape(_ name: String) -> [Int]? { tensors[name]?.shape }
  /// The tensor of that name; nil where there is none.
  public func tensor(_ name: String) throws -> Tensor? { tensors[name] }
}

/// A foreign checkpoint under timm's names.
///
/// A renamed parameter is made from one or more of the checkpoint's own: split, joined, transposed.
public struct RenamedWeights: WeightSource {
  /// How one parameter comes about.
  public struct Recipe: Sendable {
    /// The checkpoint's names that it is made from.
    public var sources: [String]
    /// Its shape, from theirs.
    public var shape: @Sendable ([[Int]]) -> [Int]
    /// Its value, from theirs.
    public var make: @Sendable ([Tensor]) -> Tensor

    /// The checkpoint's parameter of another name, as it is.
    public static func same(_ name: String) -> Recipe {
      Recipe(sources: [name], shape: { $0[0] }, make: { $0[0] })
    }
    /// A matrix that the checkpoint holds transposed.
    public static func transposed(_ name: String) -> Recipe {
      Recipe(sources: [name], shape: { $0[0].reversed() }, make: { $0[0].transposed(0, 1) })
    }
    /// The same numbers in another shape.
    public static func reshaped(_ name: String, _ shape: [Int]) -> Recipe {
      Recipe(sources: [name], shape: { _ in shape }, make: { $0[0].reshaped(shape) })
    }
    /// Several parameters, one after the other along the first dimension.
    public static func joined(_ names: [String], transposed: Bool = false) -> Recipe {
      Recipe(
        sources: names,
        shape: { shapes in
          let shapes = transposed ? shapes.map { $0.reversed() } : shapes
          // Parts that do not fit together: the shape of the one that is to blame.
          if let odd = shapes.first(where: { $0.dropFirst() != shapes[0].dropFirst() }) {
            return odd
          }
          return [shapes.map { $0.first ?? 0 }.reduce(0, +)] + shapes[0].dropFirst()
        },
        make: { parts in
          Tensor.concatenated(transposed ? parts.map { $0.transposed(0, 1) } : parts, 0)
        })
    }
  }

  private let source: any WeightSource
  private let recipes: [String: Recipe]
  /// What no recipe uses stays under its own name, and so is reported as surplus.
  private let rest: Set<String>

  /// A checkpoint and the recipes by timm's names.
  ///
  /// - Parameters:
  ///   - source: the checkpoint.
  ///   - recipes: how each of timm's parameters is made from the checkpoint's.
  ///   - dropping: names of the checkpoint that are known to be of no use.
  public init(
    _ source: any WeightSource, _ recipes: [String: Recipe],
    dropping: (String) -> Bool = { _ in false }
  ) {
    self.source = source
    self.recipes = recipes
    let used = Set(recipes.values.flatMap(\.sources))
    rest = Set(source.names.filter { !used.contains($0) && !dropping($0) })
  }

  /// The checkpoint's own label: errors name the file, under timm's parameter names.
  public var label: String { source.label }
  /// timm's names that have a recipe, then the checkpoint's own names that no recipe uses and nobody dropped.
  public var names: [String] { Array(recipes.keys) + rest }

  /// The shape that the recipe makes of its parts' shapes; nil where a part is missing.
  public func shape(_ name: String) -> [Int]? {
    guard let recipe = recipes[name] else { return rest.contains(name) ? source.shape(name) : nil }
    let shapes = recipe.sources.compactMap { source.shape($0) }
    return shapes.count == recipe.sources.count ? recipe.shape(shapes) : nil
  }

  /// The tensor that the recipe makes of its parts; nil where a part is missing.
  ///
  /// - Throws: what the checkpoint throws.
  public func tensor(_ name: String) throws -> Tensor? {
    guard let recipe = recipes[name] else {
      return rest.contains(name) ? try source.tensor(name) : nil
    }
    let parts = try recipe.sources.compactMap { try source.tensor($0) }
    return parts.count == recipe.sources.count ? recipe.make(parts) : nil
  }
}
