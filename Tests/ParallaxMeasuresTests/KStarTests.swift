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

  @Test("hundreds of images within the rounding of float64 products are counted by differences")
  func withinRounding() throws {
    let (count, width) = (810, 3)
    let noise = RandomSource(seed: 5).normal([count, width]).to(.float64)
    let centre = Tensor(
      (0..<count).map { $0 < 400 ? 1e3 : $0 < 800 ? -1e3 : 0 }, shape: [count, 1])
    let x = centre + noise * 1e-7
    let labels = (0..<count).map { ($0 * $0 + 1) % 7 % 2 }
    let found = try KStar(neighbours: 6, hasBreakers: true)(x, labels: labels)
    let flat = x.scalars(Double.self)
    for p in stride(from: 0, to: count, by: 17) {
      let order = (0..<count).filter { $0 != p }.map { q -> (d: Double, q: Int) in
        (
          (0..<width).reduce(0.0) { sum, i in
            let difference = flat[p * width + i] - flat[q * width + i]
            return sum + difference * difference
          }, q
        )
      }.sorted { ($0.d, $0.q) < ($1.d, $1.q) }
      let first = try #require(order.firstIndex { labels[$0.q] != labels[p] })
      #expect(found.ranks[p] == first + 1 && found.breakers[p] == order[first].q)
      #expect(found.neighbours[p] == order.prefix(6).map(\.q))
    }
    // Each of 400 is settled against all of them: more pairs than are held at once.
    #expect(found.recomputed >= 800)
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
    let found = try KStar(neighbours: 2)(x, labels: labels).coincident
    #expect(found == [KStar.Coincidence(images: [0, 1, 2], bank: [])])
  }

  @Test(
    "many images at one place are one group, however few neighbours are kept; what is only near is none"
  )
  func coincident() throws {
    var numbers = MadeUp.noise(80, 6, seed: 2).scalars(Double.self).map { Float($0) }
    for row in 0..<40 {
      for place in 0..<6 { numbers[row * 6 + place] = numbers[place] }
    }
    // 0 and −0 are the same.
    numbers[60 * 6] = 0
    for place in 0..<6 { numbers[61 * 6 + place] = numbers[60 * 6 + place] }
    numbers[61 * 6] = -0.0
    let labels = (0..<80).map { ($0 / 20) % 2 }  // The second forty alike in nothing.
    let x = Tensor(numbers, shape: [80, 6])
    let found = try KStar(neighbours: 1)(x, labels: labels).coincident
    #expect(found == [KStar.Coincidence(images: Array(0..<40), bank: [])])
    var others = labels
    others[61] = 0
    #expect(
      try KStar(hasBreakers: true)(x, labels: others).coincident.last
        == KStar.Coincidence(images: [60, 61], bank: []))
    // Six rows near 0 under a median of 5, all different.
    let near = MadeUp.noise(6, 3, seed: 3) * 1e-9
    let far = MadeUp.noise(54, 3, seed: 4) + 5.0
    let apart = Tensor.concatenated([near, far], 0).to(.float32)
    let alternating = (0..<60).map { $0 % 2 }
    #expect(try KStar(neighbours: 3)(apart, labels: alternating).coincident.isEmpty)
    // A given matrix: distance 0.
    let matrix = Tensor([0.0, 0, 2, 0, 0, 2, 2, 2, 0], shape: [3, 3])
    #expect(
      try KStar(metric: .precomputed, neighbours: 1)(matrix, labels: [0, 1, 1]).coincident
        == [KStar.Coincidence(images: [0, 1], bank: [])])
  }

  @Test("a query that lies where an image of the bank of another class lies is found")
  func coincidentInBank() throws {
    let bank = MadeUp.noise(12, 4, seed: 6)
    let queries = Tensor.concatenated(
      [MadeUp.noise(2, 4, seed: 7), bank.sliced(0, 5, 6), bank.sliced(0, 8, 9)], 0)
    let bankLabels = (0..<12).map { $0 % 2 }
    let found = try KStar(neighbours: 1)(
      queries, labels: [0, 1, 0, 0], bank: bank, bankLabels: bankLabels)
    #expect(found.coincident == [KStar.Coincidence(images: [2], bank: [5])])
    #expect(found.ranks[2] == 1)
  }

  @Test("half the rows the same, and clusters within rounding, are counted as by float64")
  func collapsed() throws {
    let x = Tensor.concatenated(
      [Tensor.zeros([150, 8], .float32), MadeUp.noise(150, 8, seed: 8).to(.float32)], 0)
    let labels = (0..<300).map { ($0 * 7) % 5 }
    for ties in KStar.Ties.allCases {
      let measure = KStar(ties: ties, neighbours: 5, hasSilhouettes: true, hasBreakers: true)
      let (narrow, wide) = (
        try measure(x, labels: labels), try measure(x.to(.float64), labels: labels)
      )
      #expect(narrow.ranks == wide.ranks && narrow.neighbours == wide.neighbours)
      #expect(narrow.breakers == wide.breakers && narrow.tied == wide.tied)
      #expect(
        zip(narrow.silhouettes, wide.silhouettes).allSatisfy { abs($0 - $1) < 1e-5 })
    }
    let zeros = try KStar(ties: .pessimistic)(x, labels: labels).ranks.prefix(150)
    #expect(zeros.allSatisfy { $0 == 1 })
  }

  @Test("features of any finite size have k*: 1e19 and 1e-24 in float32", arguments: [1e19, 1e-24])
  func sizes(_ scale: Double) throws {
    let x = MadeUp.noise(40, 3, seed: 9)
    let labels = (0..<40).map { $0 % 3 }
    for metric in [KStar.Metric.euclidean, .cosine, .manhattan] {
      let small = x.to(.float32).to(.float64)
      let found = try KStar(metric: metric)((small * scale).to(.float32), labels: labels)
      let expected = try KStar(metric: metric)(
        (small * scale).to(.float32).to(.float64) / scale, labels: labels)
      #expect(found.ranks == expected.ranks)
    }
  }

  @Test("sums of many equal roundings put nobody on the wrong side", arguments: [1000, 20000])
  func systematicRounding(_ width: Int) throws {
    for (gap, value) in [(3e-6, 0.1), (1e-4, 0.3), (-3e-6, 0.7), (3e-5, 1.0 / 3)] {
      for metric in [KStar.Metric.manhattan, .euclidean] {
        // The first has one of another class at as many equal differences, one of its own at one.
        let constant = [Float](repeating: Float(value), count: width)
        var single = [Float](repeating: 0, count: width)
        let total =
          metric == .manhattan
          ? Double(width) * Double(Float(value))
          : (Double(width) * Double(Float(value)) * Double(Float(value))).squareRoot()
        single[0] = Float(total * (1 + gap))
        let far = [50, 51, -50, -49].flatMap { [Float](repeating: $0, count: width) }
        let x = Tensor(
          [Float](repeating: 0, count: width) + constant + single + far, shape: [7, width])
        let labels = [0, 1, 0, 0, 1, 1, 0]
        #expect(
          try KStar(metric: metric)(x, labels: labels).ranks
            == KStar(metric: metric)(x.to(.float64), labels: labels).ranks)
      }
    }
  }

  @Test("a computation is stopped between blocks, and told how far it is")
  func interruption() throws {
    struct Stopped: Error {}
    let x = MadeUp.noise(60, 4, seed: 1)
    var measure = KStar()
    measure.blockBytes = 4 * 60 * 10
    var told: [Double] = []
    #expect(throws: Stopped.self) {
      try measure(x, labels: (0..<60).map { $0 % 2 }) { share in
        told.append(share)
        if share > 0.4 { throw Stopped() }
      }
    }
    #expect(told.first == 0 && told.count == 4 && told.allSatisfy { $0 <= 0.5 })
  }

  /// Statistics of given k*, as if there had been distances.
  private func statistics(
    _ ranks: [Int], size: Int, _ anchoring: ConceptStatistics.Anchoring = .none
  ) -> ConceptStatistics {
    let numbers = ranks.map(Double.init)
    var sums = ConceptSums(
      size: size, most: size, origin: ConceptSums.origin(of: numbers))
    for rank in numbers { sums.add(rank) }
    return ConceptStatistics(0, sums, anchoring, interval: nil)
  }

  @Test("skewness is that of SciPy, with anchors and without")
  func skewness() {
    // G₁ is sometimes quoted as 1.99981271606507: g₁·√20/3 and SciPy have …08707.
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
}
