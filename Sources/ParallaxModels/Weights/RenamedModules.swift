import ParallaxTensors

extension RenamedWeights {
  /// A checkpoint whose modules have other names, and their parameters the same.
  ///
  /// - Parameters:
  ///   - source: the checkpoint.
  ///   - modules: our names by the checkpoint's; a module that is not there keeps its name.
  ///   - parameters: recipes of single parameters, by our names; they go before the modules.
  ///   - dropping: names of the checkpoint that are known to be of no use.
  init(
    _ source: any WeightSource, modules: [String: String], parameters: [String: Recipe] = [:],
    dropping: (String) -> Bool = { _ in false }
  ) {
    let names = Set(source.names)
    var recipes = parameters.filter { $0.value.sources.contains(where: names.contains) }
    let taken = Set(recipes.values.flatMap(\.sources))
    for name in source.names where !taken.contains(name) {
      guard let dot = name.lastIndex(of: "."), let ours = modules[String(name[..<dot])] else {
        continue
      }
      recipes[ours + name[dot...]] = .same(name)
    }
    let theirs = Dictionary(modules.map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    self.init(
      source, recipes,
      absent: { name in
        if let recipe = parameters[name] { return recipe }
        guard let dot = name.lastIndex(of: "."), let module = theirs[String(name[..<dot])] else {
          return nil
        }
        return .same(module + name[dot...])
      }, dropping: dropping)
  }
}

extension RenamedWeights.Recipe {
  /// The variance of a batch norm whose implementation adds `difference` more to it than ours.
  static func variance(_ name: String, adding difference: Double) -> Self {
    Self(sources: [name], shape: { $0[0] }, make: { $0[0].to(.float32) + difference })
  }

  /// A vector that the checkpoint holds with `before` dimensions of one before it and `after` behind it.
  static func flattened(_ name: String, before: Int = 0, after: Int = 0) -> Self {
    Self(
      sources: [name],
      shape: { $0[0].count == before + 1 + after ? [$0[0].reduce(1, *)] : $0[0] },
      make: { $0[0].reshaped(-1) },
      parts: { [Array(repeating: 1, count: before) + $0 + Array(repeating: 1, count: after)] })
  }

  /// A matrix as the weight of a convolution, `[out, in · height · width]` as `[out, in, height, width]`.
  static func convolution(_ name: String, _ height: Int = 1, _ width: Int = 1) -> Self {
    let area = height * width
    return Self(
      sources: [name],
      // What does not divide keeps its own shape, and is refused for it.
      shape: { shapes in
        let shape = shapes[0]
        guard shape.count == 2, shape[1] % area == 0 else { return shape }
        return [shape[0], shape[1] / area, height, width]
      },
      make: { $0[0].reshaped($0[0].shape[0], -1, height, width) },
      parts: { [$0.count == 4 ? [$0[0], $0[1] * area] : $0] })
  }
}
