import ParallaxModels
import ParallaxResults

/// Which layers of which models are looked at.
struct LocalizationLayers {
  private(set) var subjects: [Subject] = []
  private(set) var layers: [LocalizationAnalysis.Layer] = []
  /// The grids that patches are cut into, each once a model.
  private(set) var grids: [(subject: Int, grid: LocalizationGrid)] = []
  private(set) var refusals: [SimilarityResult.Refusal] = []

  /// - Parameters:
  ///   - all: the models.
  ///   - chosen: sites that somebody named.
  /// - Throws: `AnalysisError.site` where a named site has no positions, `AnalysisError.nothingAsked` where no model has a
  ///   layer with several.
  init(_ all: [Subject], among chosen: [Representation]) throws(AnalysisError) {
    for subject in all { try add(subject, chosen.filter { $0.model == subject.name }.map(\.site)) }
    guard !subjects.isEmpty else {
      throw .nothingAsked(refusals.map { "\($0.address): \($0.reason)" }.joined(separator: "; "))
    }
  }

  private mutating func add(_ subject: Subject, _ named: [Site]) throws(AnalysisError) {
    let blocks = subject.sites.filter(\.isBlock)
    var found: [LocalizationAnalysis.Layer] = []
    for site in named.isEmpty ? Self.usual(blocks) : named {
      if found.contains(where: { $0.site.name == site.name }) { continue }
      guard let grid = try grid(site, subject, isNamed: !named.isEmpty) else { continue }
      let number = blocks.firstIndex { $0.name == site.name }
      found.append(
        LocalizationAnalysis.Layer(
          subject: subjects.count, site: site,
          depth: number.map { Depths.relative($0, of: blocks.count) }, grid: grid,
          patches: place(of: grid)))
    }
    guard !found.isEmpty else {
      if blocks.isEmpty {
        refusals.append(
          SimilarityResult.Refusal(
            address: subject.name,
            reason: "no block of the model is known; name layers as MODEL@SITE"))
      }
      return
    }
    layers += found
    subjects.append(subject)
  }

  /// A site's grid; nil, and noted, where it has none and nobody named it.
  private mutating func grid(
    _ site: Site, _ subject: Subject, isNamed: Bool
  ) throws(AnalysisError) -> LocalizationGrid? {
    let attempt = Result<LocalizationGrid, AnalysisError> { () throws(AnalysisError) in
      try LocalizationGrid(site, subject)
    }
    switch attempt {
    case .success(let grid): return grid
    case .failure(let error):
      guard !isNamed, case .site(let address, let problem) = error else { throw error }
      refusals.append(SimilarityResult.Refusal(address: address, reason: problem))
      return nil
    }
  }

  private mutating func place(of grid: LocalizationGrid) -> Int {
    let known = grids.firstIndex {
      $0.subject == subjects.count && $0.grid.rows == grid.rows && $0.grid.columns == grid.columns
    }
    if let known { return known }
    grids.append((subjects.count, grid))
    return grids.count - 1
  }

  /// The last block, the one before it, the middle and the first, in execution order.
  private static func usual(_ blocks: [Site]) -> [Site] {
    guard !blocks.isEmpty else { return [] }
    let last = blocks.count - 1
    return Set([0, last / 2, max(0, last - 1), last]).sorted().map { blocks[$0] }
  }
}
