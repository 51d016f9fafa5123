import ParallaxMeasures
import ParallaxResults
import ParallaxTensors

/// How much a model changes from each block to the next.
struct SmoothnessProfile {
  let models: [StepsResult.Model]
  let depths: Depths
  let tables: StepsTables
  /// What a representation has with itself: no step is smaller.
  let floor: Double

  /// Two measures of other kinds beside the driving one, as distances of each block from the next.
  struct Companions {
    /// 1 − debiased linear CKA.
    var cka: [Double?]
    /// 1 − the Jaccard similarity of neighbours.
    var jaccard: [Double?]
  }

  /// The statistics of a profile of steps, by name.
  static let names = [
    "mean step", "largest step", "coefficient of variation", "jumps", "total variation",
    "mean step per depth", "largest step per depth", "total variation per depth",
  ]

  /// The profile of one model.
  ///
  /// - Parameters:
  ///   - model: which.
  ///   - companions: by two other measures; nil where they were not computed.
  /// - Returns: its steps and their statistics.
  func callAsFunction(_ model: Int, _ companions: Companions? = nil) -> StepsResult.Smoothness {
    let pairs = self.pairs(model)
    let none = pairs.map { _ in Double?.none }
    let companions = companions ?? Companions(cka: none, jaccard: none)
    let forward = tables.estimates { table in pairs.map { table[$0.from, $0.to] } }
    let backward = tables.estimates { table in pairs.map { table[$0.to, $0.from] } }
    let mean = tables.estimates { steps(model, $0) }
    let sites = models[model].sites.sites
    let first = models[model].leading
    let changes = pairs.indices.map { place in
      StepsResult.Smoothness.Change(
        from: first + place, to: first + place + 1, forward: forward[place],
        backward: backward[place], mean: mean[place],
        isBoundary: sites[first + place].stage != sites[first + place + 1].stage,
        cka: companions.cka[place], jaccard: companions.jaccard[place])
    }
    let values = tables.estimates { numbers(model, $0) }
    let (cka, jaccard) = (
      Self.statistics(companions.cka, 0), Self.statistics(companions.jaccard, 0)
    )
    var statistics = Self.names.indices.map { place in
      StepsResult.Smoothness.Statistic(
        // A count is no smooth function of the images: no interval.
        name: Self.names[place],
        value: Self.names[place] == "jumps"
          ? StepsResult.Estimate(values[place].value) : values[place], cka: cka[place],
        jaccard: jaccard[place])
    }
    statistics.append(
      StepsResult.Smoothness.Statistic(
        name: "mean asymmetry", value: tables.estimate { asymmetry(model, $0) }, cka: nil,
        jaccard: nil))
    return StepsResult.Smoothness(
      model: model, changes: changes, statistics: statistics,
      chance: tables.chance { Statistics.mean(steps(model, $0)) })
  }

  private func pairs(_ model: Int) -> [(from: Int, to: Int)] {
    zip(depths.blocks[model], depths.blocks[model].dropFirst()).map { ($0, $1) }
  }

  /// How far each block is from the next, mean of both directions.
  func steps(_ model: Int, _ table: StepsTable) -> [Double?] {
    pairs(model).map { table.mean($0.from, $0.to) }
  }

  /// Mean of backward less forward: above 0 the steps of a model discard more than they add.
  private func asymmetry(_ model: Int, _ table: StepsTable) -> Double? {
    Statistics.mean(
      pairs(model).map { pair in
        table[pair.to, pair.from].flatMap { back in table[pair.from, pair.to].map { back - $0 } }
      })
  }

  /// The statistics of one model's steps.
  func numbers(_ model: Int, _ table: StepsTable) -> [Double?] {
    Self.statistics(steps(model, table), floor)
  }

  /// The statistics of a profile, in the order of ``names``; all are undefined where a step is.
  ///
  /// - *jumps*: steps larger than the mean plus twice the standard deviation (n − 1).
  /// - *coefficient of variation*: the standard deviation over the mean.
  /// - *total variation*: Σ |step(l + 1) − step(l)|, how uneven the profile is.
  /// - *per depth*: less the floor and times the number of steps, so that models of different depth can be compared.
  ///
  /// The coefficient of variation is of the steps less the floor too: what no step can fall below is no change.
  static func statistics(_ steps: [Double?], _ floor: Double) -> [Double?] {
    let known = steps.compactMap(\.self)
    guard !known.isEmpty, known.count == steps.count, let largest = known.max() else {
      return names.map { _ in nil }
    }
    let count = Double(known.count)
    let mean = known.reduce(0, +) / count
    let deviation = Statistics.deviation(known)
    let variation = zip(known, known.dropFirst()).reduce(0) { $0 + abs($1.1 - $1.0) }
    return [
      mean, largest, deviation.flatMap { mean == floor ? nil : $0 / (mean - floor) },
      deviation.map { spread in Double(known.count { $0 > mean + 2 * spread }) }, variation,
      (mean - floor) * count, (largest - floor) * count, variation * count,
    ]
  }

  /// Distances of each block from the next by the two companions; nil where one is refused.
  ///
  /// - Parameters:
  ///   - features: of the blocks of one model, in execution order; nil where there are none.
  ///   - tick: told after each how much is done; throws to stop.
  /// - Returns: a distance for each two neighbours; nil where a measure refuses one.
  static func companions(
    _ features: [Tensor?], tick: (Double) throws -> Void
  ) rethrows -> Companions {
    Companions(
      cka: try chain(CKA(), features) { try tick($0 / 2) },
      jaccard: try chain(JaccardSimilarity(), features) { try tick(0.5 + $0 / 2) })
  }

  private static func chain<M: Measure>(
    _ measure: M, _ features: [Tensor?], _ tick: (Double) throws -> Void
  ) rethrows -> [Double?] {
    var values: [Double?] = []
    var before: M.Summary?
    for (index, one) in features.enumerated() {
      let summary = one.flatMap { try? measure.summary(of: $0) }
      if index > 0 {
        var value: Double?
        if let before, let summary { value = try? measure.similarity(before, summary) }
        values.append(value.map { 1 - $0 })
      }
      before = summary
      try tick(Double(index + 1) / Double(features.count))
    }
    return values
  }
}
