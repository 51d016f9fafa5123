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
    let theirs = Dictionary(modules.map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    self.init(
      source, recipes,
      absent: { name in
        guard let dot = name.lastIndex(of: "."), let module = theirs[String(name[..<dot])] else {
          return nil
        }
        return .same(module + name[dot...])
      })
  }
}
