import ParallaxMeasures
import ParallaxResults
import ParallaxTensors

/// From features and classes to the numbers of one space.
struct KStarSpaces {
  let options: KStarAnalysis.Options
  let concepts: Concepts
  /// The images' names.
  let names: [String]
  /// Features, classes and names of a bank in which the images are counted; the classes are numbered as the images' are.
  var bank: (features: Tensor, labels: [Int], names: [String])?
  /// Told the share of the images that is done; what it throws stops the computation.
  var progress: (Double) throws -> Void = { _ in }

  /// Images of which trustworthiness and continuity of the map are taken, at most: all ranks are needed.
  static let mostRanked = 4000

  /// A space, and its statistics with all resamples.
  ///
  /// - Throws: `SpaceRefused` where it has no value, with the images' names; what ``progress`` throws.
  func space(
    _ features: Tensor, site: String, tokens: String, stage: String, depth: Double,
    hasMap: Bool
  ) throws -> (space: KStarResult.Space, statistics: SpaceStatistics) {
    let bad = InputProblem.rowsNotFinite(features)
    guard bad.isEmpty else {
      let more = bad.count > 3 ? " and \(bad.count - 3) more" : ""
      throw SpaceRefused(
        "NaN or infinity in the features of \(bad.prefix(3).map { names[$0] }.joined(separator: ", "))\(more)"
      )
    }
    do {
      return try made(features, site, tokens, stage, depth, hasMap)
    } catch let error as MeasureError {
      if case .row(_, let row, let problem) = error, names.indices.contains(row) {
        throw SpaceRefused("\(names[row]) \(problem)")
      }
      throw SpaceRefused("\(error)")
    } catch let error as TensorError { throw SpaceRefused("\(error)") }
  }

  private func made(
    _ features: Tensor, _ site: String, _ tokens: String, _ stage: String, _ depth: Double,
    _ hasMap: Bool
  ) throws -> (KStarResult.Space, SpaceStatistics) {
    let others = bank.map { $0.labels.count } ?? (names.count - 1)
    let isDrawn = hasMap && options.metric != .precomputed && bank == nil
    let kept = min(max(options.neighbours, isDrawn ? options.chainLimit : 1), others)
    let k = min(options.neighbours, others)
    let share = isDrawn && options.laysOut(names.count) ? Self.shareOfRanks : 1
    let ranking: (Double) throws -> Void = { try progress(share * $0) }
    let measure = KStar(
      metric: options.metric, ties: options.ties, neighbours: kept, hasSilhouettes: true,
      hasBreakers: true)
    let values =
      if let bank {
        try measure(
          features, labels: concepts.labels, bank: bank.features, bankLabels: bank.labels,
          progress: ranking)
      } else {
        try measure(features, labels: concepts.labels, progress: ranking)
      }
    try ranking(1)
    let statistics = statistics(values)
    var space = KStarResult.Space(
      site: site, tokens: tokens, stage: stage, depth: depth, features: features.shape[1],
      ranks: values.ranks, tied: values.tied,
      concepts: statistics.ofConcepts.map { concept($0, features) },
      aggregates: aggregates(statistics), neighbourhood: neighbourhood(values, k))
    space.dtype = features.dtype.description
    space.breakers = bank == nil ? values.breakers : nil
    space.coincident = values.coincident.map(coincidence)
    guard hasMap else { return (space, statistics) }
    if bank != nil {
      space.mapNote =
        "The images are counted among a bank's, of which the report has no pictures: there is no map, and nobody to show who breaks a concept."
    } else if options.metric == .precomputed {
      space.mapNote = "Of given distances there is no map by principal components."
    } else {
      try ranking(1)
      do { space.map = try map(features, values) } catch let error as MeasureError {
        space.mapNote = "There is no map: \(error)."
      }
    }
    return (space, statistics)
  }

  /// The statistics of a space that was made before, with all resamples.
  func statistics(of space: KStarResult.Space) -> SpaceStatistics {
    statistics(
      KStar.Values(ranks: space.ranks, labels: concepts.labels, sizes: concepts.sizes))
  }

  private func statistics(_ values: KStar.Values) -> SpaceStatistics {
    SpaceStatistics(
      values, anchoring: options.anchoring, resamples: options.resamples, seed: options.seed)
  }

  /// A group with its pairs of different classes counted.
  private func coincidence(_ group: KStar.Coincidence) -> KStarResult.Coincidence {
    func counts(_ labels: some Sequence<Int>) -> [Int: Int] {
      labels.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }
    let own = counts(group.images.map { concepts.labels[$0] })
    guard let bank else {
      let all = group.images.count
      return KStarResult.Coincidence(
        images: group.images, pairs: (all * all - own.values.reduce(0) { $0 + $1 * $1 }) / 2)
    }
    let their = counts(group.bank.map { bank.labels[$0] })
    return KStarResult.Coincidence(
      images: group.images, bank: group.bank.map { bank.names[$0] },
      pairs: own.reduce(0) { $0 + $1.value * (group.bank.count - (their[$1.key] ?? 0)) })
  }

  private func concept(
    _ one: ConceptStatistics, _ features: Tensor
  ) -> KStarResult.Concept {
    var found = KStarResult.Concept(
      label: one.label, count: one.count, size: one.size, mean: one.mean,
      deviation: one.deviation,
      skewness: IntervalEstimate(
        one.skewness, low: one.interval?.lowerBound, high: one.interval?.upperBound),
      adjustedSkewness: one.adjustedSkewness,
      pattern: KStarResult.Pattern(rawValue: one.pattern.rawValue) ?? .undefined,
      isDecided: one.isDecided, note: one.note)
    let rows = concepts.labels.indices.filter { concepts.labels[$0] == one.label }
    guard options.metric == .euclidean else {
      found.dimensionNote = "of Euclidean distances alone"
      return found
    }
    guard rows.count >= 5 else {
      found.dimensionNote = "fewer than 5 images"
      return found
    }
    let estimator = TwoNN()
    do {
      let estimate = try estimator.estimate(estimator.basis(of: features.gathered(0, rows)))
      let margin = estimate.standardError.map { 1.96 * $0 }
      found.dimension = IntervalEstimate(
        estimate.value, low: margin.map { estimate.value - $0 },
        high: margin.map { estimate.value + $0 })
    } catch { found.dimensionNote = "\(error)" }
    return found
  }

  private func aggregates(_ space: SpaceStatistics) -> KStarResult.Aggregates {
    func estimate(_ one: SpaceStatistics.Estimate) -> IntervalEstimate {
      IntervalEstimate(one.value, low: one.interval?.lowerBound, high: one.interval?.upperBound)
    }
    var found = KStarResult.Aggregates()
    found.macroMean = estimate(space.macroMean)
    found.sizeWeighted = estimate(space.sizeWeighted)
    found.pooled = estimate(space.pooled)
    found.momentSubstituted = estimate(space.momentSubstituted)
    found.median = estimate(space.medianOverConcepts)
    found.mean = estimate(space.mean)
    found.fractured = estimate(space.fractured)
    found.overlapped = estimate(space.overlapped)
    found.clustered = estimate(space.clustered)
    (found.withoutSkewness, found.tooSmall) = (space.withoutSkewness, space.tooSmall)
    found.concepts = space.concepts
    return found
  }

  private func neighbourhood(_ values: KStar.Values, _ k: Int) -> KStarResult.Neighbourhood {
    var found = KStarResult.Neighbourhood(neighbours: k)
    found.accuracy = values.neighbourAccuracy(k, bankLabels: bank?.labels)
    let overlaps = values.overlaps(k, bankLabels: bank?.labels)
    (found.hit, found.overlap) = (overlaps?.hit, overlaps?.byClass)
    if !values.silhouettes.isEmpty {
      found.silhouette = values.silhouettes.reduce(0, +) / Double(values.silhouettes.count)
    }
    guard bank == nil, k > 0 else { return found }
    let hubness = Hubness(
      values.neighbours.map { Array($0.prefix(k)) }, images: values.labels.count)
    (found.hubness, found.robinHood, found.gini) = (
      hubness.skewness, hubness.robinHood, hubness.gini
    )
    (found.hubs, found.antihubs) = (hubness.hubs, hubness.antihubs)
    return found
  }
}

/// Why a space has no value.
struct SpaceRefused: Error {
  let reason: String

  init(_ reason: String) { self.reason = reason }
}
