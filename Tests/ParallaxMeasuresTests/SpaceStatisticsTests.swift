import Parallax
import Testing

@testable import ParallaxMeasures

@Suite("Statistics of k* over a space")
struct SpaceStatisticsTests {
  private func near(_ value: Double?, _ expected: Double, _ tolerance: Double = 1e-12) -> Bool {
    value.map { abs($0 - expected) < tolerance } ?? false
  }

  /// A space of given k*, a list a concept, as if there had been distances.
  private func space(_ ranks: [[Int]], resamples: Int = 300) -> SpaceStatistics {
    let labels = ranks.enumerated().flatMap { label, own in own.map { _ in label } }
    return SpaceStatistics(
      KStar.Values(
        labels: labels, ranks: ranks.flatMap(\.self), sizes: ranks.map(\.count),
        isAgainstBank: false, tied: 0, recomputed: 0, neighbours: [], breakers: [],
        coincident: [], silhouettes: []), resamples: resamples, seed: 3)
  }

  @Test("intervals are the same for a seed, and hold their value, however skewed the concepts are")
  func intervals() throws {
    let labels = (0..<120).map { $0 % 3 }
    let values = try KStar()(MadeUp.noise(120, 4, seed: 3), labels: labels)
    let mild = SpaceStatistics(values, seed: 7)
    #expect(mild == SpaceStatistics(values, seed: 7))
    #expect(mild != SpaceStatistics(values, seed: 8))
    // Of 26 images one, two, … are off: the skewness of resamples is far nearer to 0.
    let steep = space((1...8).map { off in (0..<26).map { $0 < off ? 20 - $0 : 26 } })
    for space in [mild, steep] {
      for estimate in [
        space.macroMean, space.sizeWeighted, space.pooled, space.momentSubstituted,
        space.medianOverConcepts, space.mean, space.fractured, space.clustered,
      ] {
        let interval = try #require(estimate.interval)
        #expect(interval.contains(try #require(estimate.value)))
      }
      for concept in space.ofConcepts {
        guard let own = concept.interval else { continue }
        #expect(own.contains(try #require(concept.skewness)))
      }
      #expect(space.macroMean.interval.map { $0.upperBound - $0.lowerBound > 0.05 } == true)
    }
    #expect(steep.ofConcepts.count { $0.interval != nil } >= 6)
    #expect(space([[1, 2, 3, 3]], resamples: 19).macroMean.interval == nil)
  }

  @Test(
    "a pattern is decided where nearly all resamples have it, those without skewness among them")
  func decisions() throws {
    // One of 26 off: more than a third of the resamples are constant, and as clustered as can be.
    let found = space([
      [20] + [Int](repeating: 26, count: 25), [Int](repeating: 26, count: 26),
      (0..<26).map { $0 < 9 ? 4 : $0 < 20 ? 12 : 26 }, [1, 2, 3, 3],
    ]).ofConcepts
    #expect(found[0].pattern == .clustered && found[0].isDecided && (found[0].support ?? 0) == 1)
    #expect(found[1].skewness == nil && found[1].isDecided && found[1].support == 1)
    #expect(found[2].support.map { $0 > 0.3 && $0 < 0.95 } == true && !found[2].isDecided)
    #expect(!found[3].isDecided)
    for concept in found where concept.support != nil {
      #expect(concept.isDecided == ((concept.support ?? 0) >= 0.95))
    }
    let without = space([[1, 2, 3, 3], [4, 4, 4, 4]], resamples: 0).ofConcepts
    #expect(without[0].support == nil && !without[0].isDecided && without[1].isDecided)
  }

  @Test(
    "a change between spaces of the same images has an interval that what they share cancels from")
  func changes() throws {
    let labels = (0..<200).map { $0 % 4 }
    let x = MadeUp.noise(200, 6, seed: 11)
    let moved = x + MadeUp.noise(200, 6, seed: 12) * 0.05
    let other = MadeUp.noise(200, 6, seed: 13)
    func space(_ x: Tensor) throws -> SpaceStatistics {
      SpaceStatistics(try KStar()(x, labels: labels), resamples: 200, seed: 5)
    }
    let (first, close, far) = (try space(x), try space(moved), try space(other))
    let none = first.change(from: first)
    #expect(none.skewness.value == 0 && none.skewness.interval == 0...0 && none.concepts == 4)
    let (small, large) = (close.change(from: first), far.change(from: first))
    let difference = (far.macroMean.value ?? .nan) - (first.macroMean.value ?? .nan)
    #expect(
      near(large.skewness.value, difference)
        && near(large.mean.value, (far.mean.value ?? .nan) - (first.mean.value ?? .nan)))
    func width(_ estimate: SpaceStatistics.Estimate) -> Double {
      estimate.interval.map { $0.upperBound - $0.lowerBound } ?? .nan
    }
    #expect(width(small.skewness) < 0.7 * width(large.skewness))
    #expect(width(small.mean) < 0.7 * width(large.mean))
    // Concepts without a skewness in one space have no difference of it, but of the mean.
    let perfect = SpaceStatistics(
      try KStar()(
        Tensor(labels.map { Double($0 * 100) }, shape: [200, 1]) + x.sliced(1, 0, 1),
        labels: labels), resamples: 200, seed: 5)
    let change = perfect.change(from: first)
    #expect(change.skewness.value == nil && change.concepts == 0)
    #expect((change.mean.interval?.lowerBound ?? 0) > 0.5)
  }
}
