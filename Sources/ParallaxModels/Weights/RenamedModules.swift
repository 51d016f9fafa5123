import ParallaxTensors

extension RenamedWeights {
  /// A checkpoint whose modules have other names, and their parameters the same.
  ///
  /// - Parameters:
  ///   - source: the checkpoint.
  ///   - modules: our names by the checkpoint's; a module that is not there keeps its name.
  init(_ source: any WeightSource, modules: [String: String]) {
    var recipes: [String: Recipe] = [:]
    for name in source.names {
      guard let dot = name.lastIndex(of: "."), let ours = modules[String(name[..<dot])] else {
        continue
      }
      recipes[ours + name[dot...]] = .same(name)
    }
    self.init(source, recipes)
  }
}
