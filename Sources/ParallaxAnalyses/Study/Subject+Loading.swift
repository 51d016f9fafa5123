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
    try sites.matching(pattern, of: name).map { site throws(ModelError) in
      let chosen = tokens ?? .byDefault(at: site, model.tokenLayout)
      try chosen.check(at: site, model.tokenLayout, imageSize: imageSize)
      return Representation(model: name, site: site, tokens: chosen)
    }
  }
}
