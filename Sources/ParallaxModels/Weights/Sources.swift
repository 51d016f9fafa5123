import ParallaxTensors

/// A checkpoint file: it knows its own format and how each parameter is stored.
protocol StoredWeights: WeightSource {
  /// The file's format, in a few words.
  var format: String { get }
  /// How the values of a parameter are stored, such as `float16`; nil where there is none of that name.
  func storedType(_ name: String) -> String?
}

extension Safetensors: StoredWeights {
  var format: String { "safetensors" }
  func storedType(_ name: String) -> String? { dtype(name)?.description }
}

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
    /// The shapes that they should have for it to have a shape; errors speak of them.
    var parts: @Sendable ([Int]) -> [[Int]]

    /// A recipe from its parts.
    ///
    /// - Parameters:
    ///   - sources: the checkpoint's names.
    ///   - shape: the shape that their shapes give.
    ///   - make: the tensor that their tensors give.
    public init(
      sources: [String], shape: @escaping @Sendable ([[Int]]) -> [Int],
      make: @escaping @Sendable ([Tensor]) -> Tensor
    ) {
      self.init(sources: sources, shape: shape, make: make) { asked in
        Array(repeating: asked, count: sources.count)
      }
    }

    init(
      sources: [String], shape: @escaping @Sendable ([[Int]]) -> [Int],
      make: @escaping @Sendable ([Tensor]) -> Tensor, parts: @escaping @Sendable ([Int]) -> [[Int]]
    ) {
      (self.sources, self.shape, self.make, self.parts) = (sources, shape, make, parts)
    }

    /// The checkpoint's parameter of another name, as it is.
    public static func same(_ name: String) -> Recipe {
      Recipe(sources: [name], shape: { $0[0] }, make: { $0[0] })
    }
    /// A matrix that the checkpoint holds transposed.
    public static func transposed(_ name: String) -> Recipe {
      Recipe(
        sources: [name], shape: { $0[0].reversed() }, make: { $0[0].transposed(0, 1) },
        parts: { [$0.reversed()] })
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
        },
        parts: { asked in
          let part = [(asked.first ?? 0) / max(1, names.count)] + asked.dropFirst()
          return Array(repeating: transposed ? part.reversed() : part, count: names.count)
        })
    }
  }

  private let source: any WeightSource
  private let recipes: [String: Recipe]
  /// What no recipe uses stays under its own name, and so is reported as surplus.
  private let rest: Set<String>
  /// How a parameter would come about that the checkpoint has no part of; for errors alone.
  private let absent: @Sendable (String) -> Recipe?

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
    self.init(source, recipes, absent: { _ in nil }, dropping: dropping)
  }

  init(
    _ source: any WeightSource, _ recipes: [String: Recipe],
    absent: @escaping @Sendable (String) -> Recipe?, dropping: (String) -> Bool = { _ in false }
  ) {
    (self.source, self.recipes, self.absent) = (source, recipes, absent)
    let used = Set(recipes.values.flatMap(\.sources))
    rest = Set(source.names.filter { !used.contains($0) && !dropping($0) })
  }

  /// The checkpoint's own label: errors name the file, and its own parameter names.
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

extension RenamedWeights: ForeignNames {
  func origins(_ name: String) -> [String] { recipes[name]?.sources ?? [name] }

  /// The first part that is missing or does not have the shape that it should have.
  func fault(_ name: String, _ asked: [Int]) -> ParameterFault {
    guard let recipe = recipes[name] ?? (rest.contains(name) ? nil : absent(name)) else {
      return ParameterFault(name: name, expected: asked, found: shape(name))
    }
    let faults = zip(recipe.sources, recipe.parts(asked)).map { own, shape in
      // Leading ones are no difference: recipes put them before, or take them off.
      let found = source.shape(own)
      let core = shape.drop { $0 == 1 }
      let ones = max(0, (found?.count ?? shape.count) - core.count)
      let expected =
        found.map { $0.count < core.count } == true
        ? shape : [Int](repeating: 1, count: ones) + core
      return ParameterFault(name: own, expected: expected, found: found)
    }
    return faults.first { $0.found == nil } ?? faults.first { $0.found != $0.expected }
      ?? ParameterFault(
        name: recipe.sources.joined(separator: " and "), expected: asked, found: shape(name))
  }
}
