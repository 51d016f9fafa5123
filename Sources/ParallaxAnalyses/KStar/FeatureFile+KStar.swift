import Foundation
import ParallaxMeasures
import ParallaxResults

extension FeatureFile {
  private var isExtraction: Bool {
    FileManager.default.fileExists(atPath: URL(filePath: path).appending(path: "index.json").path)
  }

  /// A word before `@` in the spaces' names, or what the file is called, and the spaces of it.
  private var models: [(name: String, places: [Int])] {
    let stem = URL(filePath: path).deletingPathExtension().lastPathComponent
    return spaces.enumerated().reduce(into: []) { models, space in
      let at = space.element.name.firstIndex(of: "@")
      let name = at.map { String(space.element.name[..<$0]) } ?? stem
      if let known = models.firstIndex(where: { $0.name == name }) {
        models[known].places.append(space.offset)
      } else {
        models.append((name, [space.offset]))
      }
    }
  }

  /// The site of a space and its tokens, as far as its name has them.
  private func parts(_ place: Int) -> (site: String, tokens: String) {
    let name = spaces[place].name
    let rest = name.firstIndex(of: "@").map { name[name.index(after: $0)...] } ?? name[...]
    let parts = rest.split(separator: "#", maxSplits: 1)
    return (parts.first.map(String.init) ?? name, parts.count > 1 ? String(parts[1]) : "")
  }

  /// k\* distributions of the spaces, as of models' representations.
  ///
  /// - Parameters:
  ///   - options: how; sites are not chosen, and memory is taken already.
  ///   - kept: where finished spaces are kept, for a run that goes on where one was stopped; nil for nowhere.
  ///   - isInterrupted: asked between blocks of distances.
  ///   - progress: told how much is done, from 0 to 1.
  /// - Returns: a model for each word before `@` in the spaces' names; one called after the file without it.
  /// - Throws: `AnalysisError.classes` where classes do not suffice, `AnalysisError.nothingAsked` of accuracies and maps that belong to
  ///   nothing, `AnalysisError.interrupted`, `TensorError.unwritable` where a finished space cannot be kept.
  public func kStar(
    _ options: KStarAnalysis.Options, keeping kept: KeptSpaces? = nil,
    isInterrupted: @escaping () -> Bool = { false },
    progress: @escaping (Double) -> Void = { _ in }
  ) throws -> KStarResult {
    let concepts = try Concepts(names: classes, options.superclasses)
    try concepts.check(path)
    var result = KStarResult(
      distance: options.metric.rawValue, ties: options.ties.rawValue,
      anchoring: options.anchoring.rawValue, resamples: options.resamples, seed: options.seed,
      images: names, labels: concepts.labels, classes: concepts.classes, bank: nil)
    let models = models
    var options = options
    let mapped = try options.settleMaps(models.map { $0.places.map { parts($0).site } })
    var maker = KStarSpaces(options: options, concepts: concepts, names: names)
    result.accuracyName = options.accuracies?.name
    result.accuracies = options.accuracies?.ofModels
    if let known = options.accuracies?.ofModels,
      let lone = known.keys.sorted().first(where: { name in !models.contains { $0.name == name } })
    {
      throw AnalysisError.nothingAsked(
        "k*: there is an accuracy of '\(lone)', expected models among \(models.map(\.name).joined(separator: ", "))"
      )
    }
    var changes = KStarChanges()
    for (turn, model) in models.enumerated() {
      var found: [KStarResult.Space] = []
      for (index, place) in model.places.enumerated() {
        maker.progress = { share in
          guard !isInterrupted() else { throw AnalysisError.interrupted }
          progress((Double(place) + 0.99 * share) / Double(spaces.count))
        }
        let (name, (site, tokens)) = (spaces[place].name, parts(place))
        do {
          let (space, statistics): (KStarResult.Space, SpaceStatistics)
          if let old = kept?.space(place, of: names.count) {
            (space, statistics) = (old, maker.statistics(of: old))
          } else {
            (space, statistics) = try maker.space(
              spaces[place].features, site: site, tokens: tokens,
              stage: String(site.split(separator: ".").first ?? ""),
              depth: Depths.relative(index, of: model.places.count),
              hasMap: mapped[turn].contains(index))
            if spaces.count > 1 { try kept?.keep(space, place) }
          }
          found.append(space)
          changes.add(space, statistics, of: model.name)
        } catch let error as SpaceRefused {
          result.refusals.append(SimilarityResult.Refusal(address: name, reason: error.reason))
        }
      }
      if !found.isEmpty {
        result.models.append(KStarResult.Model(name: model.name, family: "", spaces: found))
      }
    }
    progress(1)
    result.changes = changes.found(in: result)
    result.complete(
      options,
      sites: isExtraction
        ? "all of the folder, in its order"
        : "all of the file, by name, runs of digits as numbers")
    return result
  }
}
