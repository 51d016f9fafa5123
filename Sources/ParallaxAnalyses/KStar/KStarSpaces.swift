import ParallaxMeasures
import ParallaxResults
import ParallaxTensors

/// From features and classes to the numbers of one space.
struct KStarSpaces {
  let options: KStarAnalysis.Options
  let concepts: Concepts
  /// The images' names.
  let names: [String]
  /// Features and classes of a bank in which the images are counted; the classes are numbered as the images' are.
  var bank: (features: Tensor, labels: [Int])?

  /// Images of which trustworthiness and continuity of the map are taken, at most: all ranks are needed.
  static let mostRanked = 4000

  /// A space.
  ///
  /// - Throws: `SpaceRefused` where it has no value, with the images' names; `AnalysisError.interrupted` is the caller's affair.
  func space(
    _ features: Tensor, site: String, tokens: String, stage: String, depth: Double,
    hasMap: Bool
  ) throws(SpaceRefused) -> KStarResult.Space {
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
    } catch { throw SpaceRefused("\(error)") }
  }

  private func made(
    _ features: Tensor, _ site: String, _ tokens: String, _ stage: String, _ depth: Double,
    _ hasMap: Bool
  ) throws -> KStarResult.Space {
    let hasMap = hasMap && options.metric != .precomputed
    let others = bank.map { $0.labels.count } ?? (names.count - 1)
    let kept = min(max(options.neighbours, hasMap ? options.chainLimit : 1), others)
    let k = min(options.neighbours, others)
    let measure = KStar(
      metric: options.metric, ties: options.ties, neighbours: kept, hasSilhouettes: true)
    let values =
      if let bank {
        try measure(
          features, labels: concepts.labels, bank: bank.features, bankLabels: bank.labels)
      } else {
        try measure(features, labels: concepts.labels)
      }
    let statistics = SpaceStatistics(
      values, anchoring: options.anchoring, resamples: options.resamples, seed: options.seed)
    var space = KStarResult.Space(
      site: site, tokens: tokens, stage: stage, depth: depth, features: features.shape[1],
      ranks: values.ranks, tied: values.tied,
      concepts: statistics.ofConcepts.map { concept($0, features) },
      aggregates: aggregates(statistics), neighbourhood: neighbourhood(values, k))
    space.coincident = values.coincident
    if hasMap { space.map = map(features, values) }
    return space
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
    let estimator = TwoNN()
    // Where images coincide, or too few are left, there is no dimension.
    if rows.count >= 5, options.metric == .euclidean,
      let estimate = try? estimator.estimate(estimator.basis(of: features.gathered(0, rows)))
    {
      let margin = estimate.standardError.map { 1.96 * $0 }
      found.dimension = IntervalEstimate(
        estimate.value, low: margin.map { estimate.value - $0 },
        high: margin.map { estimate.value + $0 })
    }
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

  /// A map of some of the images, evenly of the classes.
  private func map(_ features: Tensor, _ values: KStar.Values) -> KStarResult.Map? {
    guard bank == nil, let map = try? LatentMap(features) else { return nil }
    var turns = [Int](repeating: 0, count: concepts.classes.count)
    let ranked = concepts.labels.enumerated().map { place, label in
      turns[label] += 1
      return (turn: turns[label], place: place)
    }
    let shown = ranked.sorted { ($0.turn, $0.place) < ($1.turn, $1.place) }
      .prefix(options.mapLimit).map(\.place).sorted()
    let k = min(options.neighbours, max(1, (names.count - 1) / 2 - 1))
    let quality: (trustworthiness: Double, continuity: Double)? =
      names.count > 4 && names.count <= Self.mostRanked
      ? try? LatentMap.quality(
        of: features,
        map: Tensor(map.points.flatMap { [$0.x, $0.y] }, shape: [map.points.count, 2]),
        neighbours: k) : nil
    // Numbers for a picture: six digits of the largest.
    let scale = map.points.map { max(abs($0.x), abs($0.y)) }.max() ?? 1
    func short(_ value: Double) -> Double { (value / max(scale, 1e-300) * 1e5).rounded() / 1e5 }
    return KStarResult.Map(
      images: shown, points: shown.map { [short(map.points[$0].x), short(map.points[$0].y)] },
      variance: map.variance, trustworthiness: quality?.trustworthiness,
      continuity: quality?.continuity, neighbours: k,
      chains: shown.map { image in
        let list = values.neighbours[image].prefix(options.chainLimit)
        let end = list.firstIndex { concepts.labels[$0] != concepts.labels[image] }
        return Array(end.map { list[...$0] } ?? list)
      }, limit: options.chainLimit)
  }
}

/// Why a space has no value.
struct SpaceRefused: Error {
  let reason: String

  init(_ reason: String) { self.reason = reason }
}
