import ParallaxMeasures
import ParallaxResults
import ParallaxTensors

/// One measure between all sites and all spaces.
struct StepsMeasured {
  let matrix: MeasureMatrix
  let tables: StepsTables
  let far: HowFar
  /// Places in the matrix by places among sites and spaces; nil where a site has no values.
  let map: [Int?]
  /// Spaces in the matrix: all, or all but single statistics.
  let spaces: Int
  /// Sites whose images cannot all be told apart, where the measure refuses such.
  let equal: [(site: Int, error: MeasureError)]
}

/// Measures between all sites of all models and the spaces of statistics and pixels.
///
/// The measure that allows ties is taken, where there is one: statistics of different pictures may be equal. A layer that does
/// not tell all images apart is refused as the measure itself would.
struct StepsMatrices {
  let spaces: LowLevelSpaces
  /// How many sites all models have.
  let sites: Int
  let images: Int
  let resampling: MeasureMatrix.Options
  let tick: (String, Double) throws -> Void

  /// All measures; the first, and what starts from the same distances, with every statistic by itself as well.
  ///
  /// - Parameters:
  ///   - measures: the driving one first.
  ///   - features: of the sites, by their places.
  ///   - singles: whether any has single statistics.
  /// - Returns: one a measure, in their order.
  /// - Throws: what `tick` throws.
  func callAsFunction(
    _ measures: [any Measure], _ features: [Int: Tensor], singles: Bool
  ) throws -> [StepsMeasured] {
    let allowing = measures.map(\.allowingTies)
    let first = allowing.first?.sharedPart?.name
    let isWide = allowing.indices.map {
      singles && ($0 == 0 || (first != nil && allowing[$0].sharedPart?.name == first))
    }
    var found: [Int: StepsMeasured] = [:]
    for wide in [true, false] {
      let chosen = allowing.indices.filter { isWide[$0] == wide }
      let made = try measured(
        chosen.map { (measures[$0], allowing[$0]) }, features,
        spaces.spaces.map(\.features) + (wide ? spaces.singles.map(\.features) : []))
      for (index, one) in zip(chosen, made) { found[index] = one }
    }
    return measures.indices.compactMap { found[$0] }
  }

  private func measured(
    _ measures: [(own: any Measure, allowing: any Measure)], _ features: [Int: Tensor],
    _ spaces: [Tensor]
  ) throws -> [StepsMeasured] {
    guard !measures.isEmpty else { return [] }
    let known = (0..<sites).filter { features[$0] != nil }
    let places = Dictionary(uniqueKeysWithValues: known.enumerated().map { ($1, $0) })
    let matrices = try MeasureMatrix.all(
      measures.map(\.allowing), of: known.compactMap { features[$0] } + spaces, options: resampling
    ) { names, done, all in
      try tick(names.joined(separator: ", "), Double(done) / Double(max(1, all)))
    }
    let isStrict = measures.map { $0.own.name != $0.allowing.name }
    let equal = isStrict.contains(true) ? known.filter { hasEqualRows(features[$0]) } : []
    return measures.indices.map { index in
      let refused = isStrict[index] ? equal : []
      let map =
        (0..<sites).map { refused.contains($0) ? nil : places[$0] }
        + spaces.indices.map { Optional(known.count + $0) }
      let far = HowFar(measures[index].own, images: images)
      return StepsMeasured(
        matrix: matrices[index], tables: StepsTables(matrices[index], map, far), far: far,
        map: map, spaces: spaces.count,
        equal: refused.map {
          ($0, MeasureError.duplicates(measure: measures[index].own.name, rows: []))
        })
    }
  }

  private func hasEqualRows(_ features: Tensor?) -> Bool {
    features.map { EqualRows.firsts(of: $0) != nil } ?? false
  }
}
