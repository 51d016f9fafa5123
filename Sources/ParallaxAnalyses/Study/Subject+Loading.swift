import ParallaxImages
import ParallaxModels
import ParallaxTensors

extension Subject {
  /// A model of the catalog made ready, with the preprocessing that belongs to it.
  ///
  /// - Parameter loaded: the model; its parameters lie where it was loaded to.
  /// - Throws: `ImageError.preprocessing`, `AnalysisError.imageSize`.
  public init(_ loaded: LoadedModel) throws {
    try self.init(
      name: loaded.name, family: loaded.family, model: loaded.model,
      preprocessing: Preprocessing(json: loaded.preprocessing), fingerprint: loaded.fingerprint,
      device: loaded.device)
    (objective, derivation) = (loaded.objective, loaded.derivation)
    classNames = loaded.classNames
  }

  /// Sites of the model with a choice of tokens each.
  ///
  /// - Parameters:
  ///   - pattern: which sites; nil for all blocks.
  ///   - tokens: which numbers of each; nil for what suits the site.
  /// - Returns: them in execution order.
  /// - Throws: `ModelError.noSuchSite`, and `ModelError.tokens` where the choice does not apply to a site.
  public func representations(
    at pattern: SitePattern? = nil, tokens: Tokens? = nil
  ) throws(ModelError) -> [Representation] {
    // What lies inside windows is no representation of an image; a wildcard does not mean it.
    let typed = Set(pattern?.description.split(separator: ",").map(String.init) ?? [])
    let meant = try sites.matching(pattern, of: name).filter {
      $0.kind != .windows || typed.contains($0.name)
    }
    return try meant.map { site throws(ModelError) in
      let chosen = tokens ?? .byDefault(at: site, model.tokenLayout)
      try chosen.check(at: site, model.tokenLayout, imageSize: imageSize)
      return Representation(model: name, site: site, tokens: chosen)
    }
  }
}
