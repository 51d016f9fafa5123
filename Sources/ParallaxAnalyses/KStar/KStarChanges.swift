import ParallaxMeasures
import ParallaxResults

/// Differences between spaces of the same images, from the resamples that they share.
struct KStarChanges {
  private typealias Known = (site: String, address: String, statistics: SpaceStatistics)
  /// The first and the last space of each model.
  private var ends: [String: (first: Known, last: Known)] = [:]

  /// Takes in a space; those of a model in execution order.
  mutating func add(_ space: KStarResult.Space, _ statistics: SpaceStatistics, of model: String) {
    let known = (space.site, space.address(model), statistics)
    ends[model] = (ends[model]?.first ?? known, known)
  }

  /// Of each model the last space against the first, and the last with corrupted images against that without.
  func found(in result: KStarResult) -> [KStarResult.Change] {
    result.models.compactMap { model in
      guard let own = ends[model.name] else { return nil }
      guard let original = model.original else {
        guard model.spaces.count > 1 else { return nil }
        return change(.depth, model.name, own.first, own.last, nil)
      }
      guard let plain = ends[original]?.last, plain.site == own.last.site else { return nil }
      return change(.corruption, original, plain, own.last, model.corruption)
    }
  }

  private func change(
    _ kind: KStarResult.Change.Kind, _ model: String, _ from: Known, _ to: Known,
    _ corruption: String?
  ) -> KStarResult.Change {
    let found = to.statistics.change(from: from.statistics)
    func estimate(_ one: SpaceStatistics.Estimate) -> IntervalEstimate {
      IntervalEstimate(one.value, low: one.interval?.lowerBound, high: one.interval?.upperBound)
    }
    return KStarResult.Change(
      kind: kind, model: model, from: from.address, to: to.address, corruption: corruption,
      skewness: estimate(found.skewness), concepts: found.concepts, all: to.statistics.concepts,
      mean: estimate(found.mean))
  }
}
