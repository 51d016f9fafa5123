import Parallax
import Testing

@testable import ParallaxMeasures

@Suite("Summaries of some images, or of all in another order")
struct SelectionTests {
  /// What is asked of a measure: an order, and two thirds of the images in theirs.
  private func selections(_ images: Int) -> [ImageSelection] {
    let order = RandomSource(seed: 6).permutation(images).scalars(Int64.self).map(Int.init)
    let kept = order.filter { $0 % 8 != 3 }.sorted()
    return [
      ImageSelection(order, of: images), ImageSelection(kept, of: images),
      ImageSelection(kept.reversed(), of: images),
    ]
  }

  @Test(
    "a measure's value is the same from derived summaries as from new ones",
    arguments: Conformer.all)
  func derived(_ conformer: Conformer) throws {
    func check(_ measure: some Measure) throws {
      let images = conformer.images + 10
      let features = MadeUp.related(images, [9, 6], seed: 21)
      let parts = features.map { x in SharedParts(measure.sharedPart) { x } }
      let all = try parts.map { try measure.summary(from: $0) }
      for images in selections(images) {
        let rows = features.map { $0.rows(images.indices) }
        guard let left = try measure.selected(all[0], images),
          let right = try measure.selected(all[1], images)
        else {
          let isKept = measure.sharedPart?.name.hasPrefix("distances") == true
          let isDerived = measure.sharedPart != nil || measure is RTDLite
          #expect(!isKept && !(images.isWhole && isDerived), "\(measure.name) cannot select")
          continue
        }
        let made = try rows.map { try measure.summary(of: $0) }
        let there = try measure.similarity(left, right)
        let expected = try measure.similarity(made[0], made[1])
        #expect(abs(there - expected) <= 1e-12 * max(1, abs(expected)))
        // One side derived, the other not: they are summaries of the same kind.
        let mixed = try measure.similarity(left, made[1])
        #expect(abs(mixed - expected) <= 1e-12 * max(1, abs(expected)))
      }
    }
    try check(conformer.measure)
  }

  @Test("neighbours and ranks are those of the rows, bit for bit", arguments: Distance.allCases)
  func neighbours(_ distance: Distance) throws {
    let x = MadeUp.noise(90, 5, seed: 31)
    for dtype in [DType.float64, .float32] {
      let x = x.to(dtype)
      let parts = SharedParts(.ranks(distance, 6)) { x }
      let all = try parts.ranks(4, distance, measure: "ranks")
      for images in selections(90) {
        let derived = try #require(all.selected(images))
        let alone = SharedParts(x.rows(images.indices))
        let made = try alone.ranks(4, distance, measure: "ranks")
        #expect(derived.neighbours.sorted == made.neighbours.sorted)
        #expect(derived.neighbours.ties == made.neighbours.ties)
        for image in images.indices.indices {
          #expect(derived.neighbours.nearest(to: image) == made.neighbours.nearest(to: image))
          for other in images.indices.indices {
            #expect(derived.rank(of: other, from: image) == made.rank(of: other, from: image))
          }
        }
        // And once more of what was derived.
        let again = ImageSelection(Array((0..<images.count).reversed()), of: images.count)
        let twice = try #require(derived.selected(again))
        #expect(
          twice.rank(of: 3, from: 7)
            == made.rank(of: images.count - 4, from: images.count - 8))
      }
    }
  }

  @Test("equal distances are in the order of the new indices, or are left to the features")
  func ties() throws {
    // Points of a grid: almost every distance is there more than once.
    let grid = (0..<49).flatMap { [Double($0 / 7), Double($0 % 7)] }
    let x = Tensor(grid, shape: [49, 2])
    var derivedOnes = 0
    for count in 1...8 {
      let parts = SharedParts(.neighbours(.euclidean, count)) { x }
      let all = try parts.neighbours(count, .euclidean, measure: "kNN")
      for images in selections(49) {
        guard let derived = all.selected(images) else { continue }
        derivedOnes += 1
        let rows = x.rows(images.indices)
        let made = try Neighbours(of: rows, count: count, distance: .euclidean)
        for image in images.indices.indices {
          #expect(derived.nearest(to: image) == made.nearest(to: image), "\(count) \(image)")
        }
        #expect(derived.ties == made.ties && derived.ties > 0)
      }
    }
    #expect(derivedOnes > 8)
    // Without more than the k nearest, the last place is a matter of what is not kept.
    let few = try Neighbours(of: x, count: 1, distance: .euclidean)
    #expect(few.selected(selections(49)[0]) == nil)
  }

  @Test("a measure beside others has the value that it has alone")
  func together() throws {
    let features = MadeUp.related(60, [9, 6, 5], seed: 8)
    var options = MeasureMatrix.Options()
    (options.permutations, options.groups) = (3, 4)
    let measures = MeasureCatalog.measures
    var names: Set<[String]> = []
    let matrices = try MeasureMatrix.all(measures, of: features, options: options) { who, _, _ in
      names.insert(who)
    }
    #expect(matrices.map(\.measure) == measures.map(\.name))
    #expect(names.count < measures.count / 2)
    for (measure, together) in zip(measures, matrices) {
      let alone = try MeasureMatrix(measure, of: features, options: options)
      #expect(same(together.values, alone.values), "\(measure.name)")
      for (a, b) in zip(together.leftOut + together.shuffled, alone.leftOut + alone.shuffled) {
        #expect(same(a, b), "\(measure.name)")
      }
    }
  }

  private func same(_ a: [Double], _ b: [Double]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN }
  }

  @Test("resampled values are those of the rows themselves", arguments: Conformer.all)
  func resampled(_ conformer: Conformer) throws {
    let images = conformer.images + 20
    let features = MadeUp.related(images, [7, 5], seed: 13)
    var options = MeasureMatrix.Options()
    (options.permutations, options.groups, options.seed) = (1, 10, 5)
    let measure = conformer.measure
    let matrix = try MeasureMatrix(measure, of: features, options: options)
    let source = RandomSource(seed: 5)
    func permutation() -> [Int] { source.permutation(images).scalars(Int64.self).map(Int.init) }
    let dealt = permutation()
    for (group, values) in matrix.leftOut.enumerated() where group < 2 {
      let kept = dealt.enumerated().filter { $0.offset % 10 != group }.map(\.element).sorted()
      let expected = try measure(features[0].rows(kept), features[1].rows(kept))
      #expect(abs(values[1] - expected) <= 1e-12 * max(1, abs(expected)), "\(group)")
    }
    guard measure.needsPairing else { return }
    let expected = try measure(features[0], features[1].rows(permutation()))
    #expect(abs(matrix.shuffled[0][1] - expected) <= 1e-12 * max(1, abs(expected)))
  }
}
