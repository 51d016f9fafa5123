import ParallaxImages
import ParallaxModels
import ParallaxTensors

extension Preprocessing {
  /// What belongs to a model, at the size that was chosen for it.
  ///
  /// - Parameter loaded: the model.
  /// - Throws: `ImageError.preprocessing` where its keys are wrong.
  public init(_ loaded: LoadedModel) throws(ImageError) {
    try self.init(json: loaded.preprocessing, size: loaded.imageSize)
  }
}

extension Subject {
  /// Patches of an image, at most, where somebody chose its size: attention holds a number for every two of them.
  static let mostPatches = 4096

  /// A model of the catalog made ready, with the preprocessing that belongs to it.
  ///
  /// - Parameter loaded: the model; its parameters lie where it was loaded to.
  /// - Throws: `ImageError.preprocessing`, `AnalysisError.imageSize`.
  public init(_ loaded: LoadedModel) throws {
    try Self.checkSize(of: loaded)
    try self.init(
      name: loaded.name, family: loaded.family, model: loaded.model,
      preprocessing: Preprocessing(loaded), fingerprint: loaded.fingerprint,
      device: loaded.device)
    (objective, derivation) = (loaded.objective, loaded.derivation)
    classNames = loaded.classNames
  }

  /// Refuses a size of images that somebody chose for a model and that it cannot take.
  ///
  /// - Parameter loaded: the model.
  /// - Throws: `ImageError.preprocessing`, `AnalysisError.imageSize`, or `ModelError.graph`.
  public static func checkSize(of loaded: LoadedModel) throws {
    guard let size = loaded.imageSize else { return }
    if let patch = loaded.model.tokenLayout?.patch {
      let patches = size.height / patch * (size.width / patch)
      guard patches <= mostPatches else {
        throw AnalysisError.imageSize(
          model: loaded.name,
          problem:
            "expected images of at most \(mostPatches) patches of \(patch) pixels, found \(patches) in \(size.height)×\(size.width)"
        )
      }
    }
    try check(loaded.model, name: loaded.name, size: size, device: loaded.device)
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
