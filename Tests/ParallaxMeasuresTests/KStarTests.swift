import Parallax
import Testing

@testable import ParallaxMeasures

/// Worked by hand or by SciPy, ten digits and more.
@Suite("k*")
struct KStarTests {
  private func column(_ values: [Double]) -> Tensor { Tensor(values, shape: [values.count, 1]) }

  private func near(_ value: Double?, _ expected: Double, _ tolerance: Double = 1e-12) -> Bool {
    value.map { abs($0 - expected) < tolerance } ?? false
  }

  @Test("a line with two classes, one of them in two groups")
  func line() throws {
    let x = column([0, 1, 2.5, 6, 7.1, 9.5, 14, 15.2])
    let values = try KStar()(x, labels: [0, 0, 0, 1, 1, 1, 0, 0])
    #expect(values.ranks == [3, 3, 3, 2, 3, 3, 2, 2])
    // 2.5 and 9.5 are equally far from 6.
    #expect(values.tied == 1 && values.sizes == [5, 3])
    let space = SpaceStatistics(values, resamples: 0)
    let (a, b) = (space.ofConcepts[0], space.ofConcepts[1])
    #expect(near(a.mean, 0.52) && near(a.deviation, 0.0979795897113271))
    #expect(near(a.skewness, -0.408248290463860) && near(a.adjustedSkewness, -0.608580619450181))
    #expect(a.pattern == .overlapped && a.count == 5)
    #expect(near(b.mean, 0.888888888888889) && near(b.deviation, 0.157134840263677))
    #expect(near(b.skewness, -0.707106781186547) && near(b.adjustedSkewness, -1.73205080756888))
    #expect(b.pattern == .clustered)
    #expect(near(space.macroMean.value, -0.557677535825204))
    #expect(near(space.sizeWeighted.value, -0.520320224484868))
    #expect(near(space.pooled.value, 0.545635518262188))
    #expect(near(space.momentSubstituted.value, -0.498220490644151))
    #expect(near(space.mean.value, (0.52 + 0.888888888888889) / 2))
    #expect(space.fractured.value == 0 && space.clustered.value == 0.5)
    let anchored = SpaceStatistics(values, anchoring: .unitInterval, resamples: 0).ofConcepts
    #expect(near(anchored[0].skewness, -0.146714229385450))
    #expect(near(anchored[1].skewness, -1.15004933566153))
  }

  @Test("two tight clusters are clustered without a skewness")
  func clusters() throws {
    let values = try KStar()(column([0, 0.1, 0.2, 100, 100.1, 100.2]), labels: [0, 0, 0, 1, 1, 1])
    #expect(values.ranks == [3, 3, 3, 3, 3, 3] && values.normalised.allSatisfy { $0 == 1 })
    let space = SpaceStatistics(values)
    for concept in space.ofConcepts {
      #expect(concept.skewness == nil && concept.pattern == .clustered && concept.isDecided)
      #expect(concept.note == "every image has its whole class before others")
    }
    #expect(space.macroMean.value == nil && space.withoutSkewness == 2)
    #expect(space.clustered.value == 1)
    for concept in SpaceStatistics(values, anchoring: .unitInterval).ofConcepts {
      #expect(near(concept.skewness, -1.5) && concept.pattern == .clustered)
    }
  }

  @Test("alternating classes are fractured without a skewness")
  func alternating() throws {
    let values = try KStar()(column([0, 1, 2.1, 3.3, 4.6, 6.0]), labels: [0, 1, 0, 1, 0, 1])
    #expect(values.ranks == [1, 1, 1, 1, 1, 1])
    let space = SpaceStatistics(values)
    #expect(space.ofConcepts.allSatisfy { $0.skewness == nil && $0.pattern == .fractured })
    #expect(space.fractured.value == 1)
    for concept in SpaceStatistics(values, anchoring: .unitInterval).ofConcepts {
      #expect(near(concept.skewness, 0.867527617235709))
    }
  }

  @Test("concepts of fewer than three images have no pattern")
  func small() throws {
    let values = try KStar()(
      Tensor([0.0, 0, 1, 0, 5, 0], shape: [3, 2]), labels: [0, 0, 1])
    #expect(values.ranks == [2, 2, 1])
    let space = SpaceStatistics(values)
    for concept in space.ofConcepts {
      #expect(concept.pattern == .undefined && concept.skewness == nil && !concept.isDecided)
      #expect(concept.note == "undefined (n < 3)" && concept.mean == 1)
    }
    #expect(space.tooSmall == 2 && space.concepts == 0 && space.macroMean.value == nil)
    let anchored = SpaceStatistics(values, anchoring: .unitInterval).ofConcepts
    #expect(near(anchored[0].skewness, -1.15470053837925))
    #expect(near(anchored[1].skewness, -0.707106781186548))
    #expect(anchored.allSatisfy { $0.pattern == .undefined })
  }

  @Test("of equally far images the index decides, or one side is taken", arguments: [1.0, 0.1])
  func ties(_ scale: Double) throws {
    let x = column([0, 1, -1, 3]) * scale
    let expected: [(KStar.Ties, Int)] = [(.index, 2), (.pessimistic, 1), (.optimistic, 2)]
    for dtype in [DType.float64, .float32] {
      for (ties, rank) in expected {
        let found = try KStar(ties: ties)(x.to(dtype), labels: [0, 0, 1, 1])
        #expect(found.ranks[0] == rank, "\(ties) \(dtype)")
        #expect(found.tied >= 1)
      }
    }
  }

  @Test("images of different classes that coincide have k* = 1 at worst")
  func duplicates() throws {
    let x = Tensor([1.0, 2, 1, 2, 1, 2, 7, 7, 7, 8], shape: [5, 2])
    let labels = [0, 0, 1, 1, 1]
    let worst = try KStar(ties: .pessimistic)(x, labels: labels)
    #expect(Array(worst.ranks.prefix(3)) == [1, 1, 1])
    #expect(Array(try KStar(ties: .optimistic)(x, labels: labels).ranks.prefix(3)) == [2, 2, 1])
    #expect(Array(try KStar()(x, labels: labels).ranks.prefix(3)) == [2, 2, 1])
    // The last two are as far from the third as from the first.
    #expect(worst.tied == 4 && worst.coincident.isEmpty)
    #expect(try KStar(neighbours: 2)(x, labels: labels).coincident == [[0, 2], [1, 2]])
  }

  /// Statistics of given k*, as if there had been distances.
  private func statistics(
    _ ranks: [Int], size: Int, _ anchoring: ConceptStatistics.Anchoring = .none
  ) -> ConceptStatistics {
    var sums = ConceptSums(size: size, most: size)
    for rank in ranks { sums.add(Double(rank)) }
    return ConceptStatistics(0, sums, anchoring, interval: nil)
  }

  @Test("skewness is that of SciPy, with anchors and without")
  func skewness() {
    let few = statistics([1, 2, 3, 10, 40], size: 80)
    #expect(near(few.skewness, 1.34151515263175) && near(few.adjustedSkewness, 1.99981271608707))
    #expect(
      near(statistics([1, 2, 3, 10, 40], size: 80, .unitInterval).skewness, 1.35165839667569))
    let high = statistics([2, 5, 9, 10, 10, 10], size: 10)
    #expect(near(high.skewness, -0.905293747126541))
    #expect(near(high.adjustedSkewness, -1.23962451617396))
    #expect(
      near(statistics([2, 5, 9, 10, 10, 10], size: 10, .unitInterval).skewness, -0.794373016154179))
    #expect(near(statistics(Array(1...80), size: 80).skewness, 0))
    #expect(
      near(statistics(Array(1...80), size: 80, .unitInterval).skewness, -0.00287899713486443))
    let all = [Int](repeating: 80, count: 80)
    #expect(statistics(all, size: 80).skewness == nil)
    #expect(near(statistics(all, size: 80, .unitInterval).skewness, -8.88888888888889))
    let none = [Int](repeating: 1, count: 80)
    #expect(near(statistics(none, size: 80, .unitInterval).skewness, 8.88668251935764))
    #expect(statistics(none, size: 80).pattern == .fractured)
    let same = statistics([2, 2, 2, 2], size: 4)
    #expect(same.pattern == .undefined && same.note?.contains("same k*") == true)
  }

  @Test("translation, rotation, scaling, the order of images and the block size change nothing")
  func invariances() throws {
    let x = MadeUp.noise(90, 6, seed: 5)
    let labels = (0..<90).map { ($0 * 7) % 4 }
    let found = try KStar()(x, labels: labels)
    #expect(try KStar()(x + 3.7, labels: labels).ranks == found.ranks)
    #expect(try KStar()(x * 0.01, labels: labels).ranks == found.ranks)
    let turned = x.times(MadeUp.orthogonal(6, seed: 9))
    #expect(try KStar()(turned, labels: labels).ranks == found.ranks)
    let order = (0..<90).map { ($0 * 37) % 90 }
    let moved = try KStar()(x.gathered(0, order), labels: order.map { labels[$0] })
    #expect(moved.ranks == order.map { found.ranks[$0] })
    #expect(try KStar()(x.to(.float32), labels: labels).ranks == found.ranks)
    for rows in [1, 7, 40] {
      var measure = KStar(neighbours: 4, hasSilhouettes: true)
      let whole = try measure(x.to(.float32), labels: labels)
      measure.blockBytes = 4 * 90 * rows
      let parts = try measure(x.to(.float32), labels: labels)
      #expect(parts.ranks == found.ranks && parts.neighbours == whole.neighbours)
      #expect(
        zip(parts.silhouettes, whole.silhouettes).allSatisfy { abs($0 - $1) < 1e-5 })
    }
    let rows = ConceptOrder(labels, classes: 4)
    #expect(rows.restored(rows.order.map { labels[$0] }) == labels)
  }

  @Test("an image far from all others, and an offset, cost the others no order")
  func offsets() throws {
    let x = MadeUp.noise(60, 5, seed: 6)
    let labels = (0..<60).map { $0 % 3 }
    let found = try KStar()(x, labels: labels).ranks
    let far = Tensor.concatenated([x + 1000, Tensor.zeros([1, 5], .float64)], 0).to(.float32)
    let exact = try KStar()(far.to(.float64), labels: labels + [0]).ranks
    #expect(try KStar()(far, labels: labels + [0]).ranks == exact)
    #expect(zip(exact, found).count { $0 != $1 } < 6)
  }

  @Test("what has no k* is refused in a sentence")
  func refusals() throws {
    let x = MadeUp.noise(6, 3, seed: 1)
    #expect(throws: MeasureError.self) { try KStar()(x, labels: [0, 0, 0, 0, 0, 0]) }
    #expect(throws: MeasureError.unequalCounts(measure: "k-star", left: 6, right: 5)) {
      try KStar()(x, labels: [0, 0, 0, 1, 1])
    }
    #expect(throws: MeasureError.notFinite(measure: "k-star")) {
      try KStar()(x / 0.0, labels: [0, 0, 0, 1, 1, 1])
    }
    #expect(throws: MeasureError.self) {
      try KStar(metric: .precomputed)(x, labels: [0, 0, 0, 1, 1, 1])
    }
    #expect(throws: MeasureError.self) {
      try KStar()(x, labels: [2, 2, 2, 2, 2, 2], bank: x, bankLabels: [0, 0, 0, 1, 1, 1])
    }
    #expect(throws: MeasureError.self) { try KStar()(x, labels: [0, 0, 0, -1, 1, 1]) }
    // The third image, though the first of its class.
    let zero = Tensor.concatenated([x.sliced(0, 0, 2), x.sliced(0, 2, 3) * 0, x.sliced(0, 3)], 0)
    #expect(
      throws: MeasureError.row(
        measure: "k-star", row: 2, problem: "is zero and has no angle")
    ) { try KStar(metric: .cosine)(zero, labels: [1, 1, 0, 1, 0, 0]) }
    #expect(throws: MeasureError.tooFew(measure: "k-star", images: 6, needed: 7)) {
      try KStar(neighbours: 6)(x, labels: [0, 0, 0, 1, 1, 1])
    }
  }

  @Test(
    "intervals hold the value, are the same for a seed, and leave what crosses a threshold undecided"
  )
  func intervals() throws {
    let labels = (0..<120).map { $0 % 3 }
    let values = try KStar()(MadeUp.noise(120, 4, seed: 3), labels: labels)
    let space = SpaceStatistics(values, seed: 7)
    let again = SpaceStatistics(values, seed: 7)
    #expect(space == again)
    #expect(space != SpaceStatistics(values, seed: 8))
    let interval = try #require(space.macroMean.interval)
    #expect(interval.contains(try #require(space.macroMean.value)))
    #expect(interval.upperBound - interval.lowerBound > 0.05)
    for concept in space.ofConcepts {
      let own = try #require(concept.interval)
      let low = ConceptStatistics.pattern(own.lowerBound)
      #expect(concept.isDecided == (low == ConceptStatistics.pattern(own.upperBound)))
    }
  }
}
