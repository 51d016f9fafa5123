import Parallax
import Testing

@Suite("Laws of every measure")
struct MeasureLawTests {
  @Test("a representation is as like itself as can be: 1, or 0 apart", arguments: Conformer.all)
  func itself(_ conformer: Conformer) throws {
    let (measure, pair) = (conformer.measure, conformer.pair)
    let expected = measure.selfValue(images: conformer.images)
    for x in pair + pair.map({ $0.to(.float32) }) {
      let value = try measure(x, x)
      if let expected {
        // Exact but for the rounding of a decomposition, where there is one.
        #expect(abs(value - expected) <= 1e-12 * max(1, abs(expected)), "\(value)")
      } else {
        #expect(measure.range.contains(value) && value > 0, "\(value)")
      }
    }
    // Unbounded similarities keep to Cauchy and Schwarz.
    let (own, other) = (try measure(pair[0], pair[0]), try measure(pair[1], pair[1]))
    if expected == nil, measure.range.upperBound == .infinity {
      let value = try measure(pair[0], pair[1])
      #expect(value * value < own * other)
    }
  }

  @Test("the order of the sides matters where a measure says so", arguments: Conformer.all)
  func symmetry(_ conformer: Conformer) throws {
    let (measure, pair) = (conformer.measure, conformer.pair)
    let (there, back) = (try measure(pair[0], pair[1]), try measure(pair[1], pair[0]))
    if measure.isSymmetric {
      #expect(abs(there - back) <= 1e-13 * max(1, abs(there)), "\(there) \(back)")
    } else {
      #expect(abs(there - back) > 1e-6)
    }
  }

  @Test("values lie in the range, and the related are more alike", arguments: Conformer.all)
  func direction(_ conformer: Conformer) throws {
    let (measure, pair) = (conformer.measure, conformer.pair)
    let stranger = MadeUp.noise(conformer.images, 6, seed: 99)
    let scale = (pair[1].norm(over: [0, 1]) / stranger.norm(over: [0, 1])).item(Double.self)
    let related = try measure(pair[0], pair[1])
    let unrelated = try measure(pair[0], stranger * scale)
    #expect(measure.range.contains(related) && measure.range.contains(unrelated))
    if conformer.tellsRelated {
      switch measure.direction {
      case .similarity: #expect(related > unrelated)
      case .distance: #expect(related < unrelated)
      }
    }
    let few = max(6, measure.fewestImages)
    for seed in 0..<10 as Range<UInt64> {
      let (a, b) = (MadeUp.noise(few, 4, seed: seed), MadeUp.noise(few, 3, seed: seed + 1000))
      let value = try measure(a, b)
      #expect(measure.range.contains(value), "\(value)")
    }
  }

  @Test(
    "a metric keeps the triangle inequality", arguments: Conformer.all.filter(\.measure.isMetric))
  func triangle(_ conformer: Conformer) throws {
    for seed in 0..<20 as Range<UInt64> {
      let few = max(6, 2 * conformer.measure.fewestImages)
      let points = (0..<3).map { MadeUp.noise(few, 3, seed: 3 * seed + $0) }
      let sides = try [(0, 1), (1, 2), (0, 2)].map {
        try conformer.measure(points[$0.0], points[$0.1])
      }
      #expect(sides[2] <= sides[0] + sides[1] + 1e-12)
      #expect(sides[0] > 0)
    }
  }

  @Test(
    "the images' order does not matter, their pairing does",
    arguments: Conformer.all.filter { !$0.measure.isRandom })
  func pairing(_ conformer: Conformer) throws {
    let (measure, pair) = (conformer.measure, conformer.pair)
    let order = RandomSource(seed: 4).permutation(conformer.images).scalars(Int64.self).map(
      Int.init)
    let value = try measure(pair[0], pair[1])
    let both = try measure(pair[0].rows(order), pair[1].rows(order))
    #expect(abs(both - value) <= 1e-9 * max(1, abs(value)))
    let one = try measure(pair[0].rows(order), pair[1])
    #expect((abs(one - value) > 1e-3 * max(1, abs(value))) == measure.needsPairing)
  }

  @Test(
    "a summary serves any number of pairs and gives the pair's own value", arguments: Conformer.all)
  func summaries(_ conformer: Conformer) throws {
    func check(_ measure: some Measure) throws {
      let all = MadeUp.related(conformer.images, [9, 6, 13], seed: 3)
      let summaries = try all.map { try measure.summary(of: $0) }
      for a in all.indices {
        for b in all.indices {
          let together = try measure.similarity(summaries[a], summaries[b])
          #expect(together == (try measure(all[a], all[b])))
        }
      }
    }
    try check(conformer.measure)
  }

  @Test("float32 agrees with float64, also for half-precision features", arguments: Conformer.all)
  func precision(_ conformer: Conformer) throws {
    let (measure, pair) = (conformer.measure, conformer.pair)
    for dtype in [DType.float32, .bfloat16, .float16] {
      let narrow = pair.map { $0.to(dtype) }
      let value = try measure(narrow[0], narrow[1])
      // The reference sees the same rounded features.
      let wide = narrow.map { $0.to(.float64) }
      let reference = try measure(wide[0], wide[1])
      #expect(abs(value - reference) < 2e-5 * max(1, abs(reference)), "\(dtype)")
    }
  }

  @Test("the catalog finds each measure by its name, and each says what it is")
  func catalog() {
    let names = MeasureCatalog.measures.map(\.name)
    #expect(Set(names).count == names.count)
    for measure in MeasureCatalog.measures {
      #expect(MeasureCatalog[measure.name]?.name == measure.name)
      #expect(!measure.source.isEmpty && !measure.agreesWith.isEmpty && !measure.cost.isEmpty)
    }
    #expect(MeasureCatalog["cka"] is CKA && MeasureCatalog["ckA"] == nil)
    #expect(MeasureCatalog.measures.first?.name == "cka", "a biased estimator is not the default")
  }
}
