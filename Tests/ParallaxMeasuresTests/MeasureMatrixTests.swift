import Foundation
import Parallax
import Testing

@Suite("All pairs of a measure, with errors and chance")
struct MeasureMatrixTests {
  private func few(_ permutations: Int = 19, groups: Int = 5, seed: UInt64 = 0)
    -> MeasureMatrix.Options
  {
    var options = MeasureMatrix.Options()
    (options.permutations, options.groups, options.seed) = (permutations, groups, seed)
    return options
  }

  @Test("every measure's values are those of its pairs, in both orders", arguments: Conformer.all)
  func pairs(of conformer: Conformer) throws {
    let features = MadeUp.related(40, [6, 5, 4], seed: 3)
    let measure = conformer.measure
    let matrix = try MeasureMatrix(measure, of: features, options: few(2, groups: 2))
    for a in features.indices {
      for b in features.indices {
        let alone = try? measure(features[a], features[b])
        #expect(matrix[a, b] == alone, "\(measure.name) \(a) \(b)")
      }
    }
    #expect(matrix.shuffled.count == (measure.needsPairing ? 2 : 0))
  }

  @Test("what is shared is beyond chance, what is not is within it")
  func chance() throws {
    let related = MadeUp.related(60, [8, 8], seed: 5)
    let stranger = MadeUp.noise(60, 8, seed: 77)
    for measure in [CKA(), AngularCKA(), Procrustes()] as [any Measure] {
      let matrix = try MeasureMatrix(measure, of: related + [stranger], options: few(99))
      #expect(matrix.pValue(0, 1) == 0.01, "\(measure.name)")
      #expect(try #require(matrix.pValue(0, 2)) > 0.02, "\(measure.name)")
      let (mean, bound) = try #require(matrix.chance(0, 1))
      let value = try #require(matrix[0, 1])
      #expect(
        measure.direction == .similarity
          ? value > bound && bound > mean : value < bound && bound < mean)
    }
  }

  @Test("p-values of unrelated representations are uniform")
  func uniform() throws {
    var small = 0
    for trial in 0..<60 {
      let pair = [0, 1].map { MadeUp.noise(24, 4, seed: UInt64(1000 + 2 * trial + $0)) }
      let matrix = try MeasureMatrix(CKA(), of: pair, options: few(19, groups: 0))
      if try #require(matrix.pValue(0, 1)) <= 0.2 { small += 1 }
    }
    // A fifth of 60 is 12; the binomial's 99.9 % interval is 3 to 23.
    #expect((3...23).contains(small), "\(small)")
  }

  @Test("the jackknife's error is the spread over samples")
  func errors() throws {
    var values: [Double] = []
    var errors: [Double] = []
    for trial in 0..<40 {
      let latent = MadeUp.noise(120, 3, seed: UInt64(5000 + trial))
      let pair = [0, 1].map {
        latent + MadeUp.noise(120, 3, seed: UInt64(9000 + 2 * trial + $0)) * 0.8
      }
      let matrix = try MeasureMatrix(CKA(), of: pair, options: few(0, groups: 10))
      values.append(try #require(matrix[0, 1]))
      errors.append(try #require(matrix.standardError(0, 1)))
    }
    let mean = values.reduce(0, +) / 40
    let spread = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 39).squareRoot()
    let error = (errors.reduce(0) { $0 + $1 * $1 } / 40).squareRoot()
    #expect((0.7...1.4).contains(error / spread), "\(error) against \(spread)")
  }

  @Test("the seed decides, and nothing else")
  func seeds() throws {
    let features = MadeUp.related(30, [5, 4], seed: 8)
    let (a, b) = (
      try MeasureMatrix(CKA(), of: features, options: few(seed: 1)),
      try MeasureMatrix(CKA(), of: features, options: few(seed: 1))
    )
    #expect(a.shuffled == b.shuffled && a.leftOut == b.leftOut)
    let c = try MeasureMatrix(CKA(), of: features, options: few(seed: 2))
    #expect(a.values == c.values && a.shuffled != c.shuffled && a.leftOut != c.leftOut)
  }

  @Test("a constant representation is refused and named, the others keep their values")
  func refusals() throws {
    let features = MadeUp.related(30, [5, 4], seed: 8) + [Tensor.ones([30, 3], .float64)]
    let matrix = try MeasureMatrix(CKA(), of: features, options: few())
    #expect(matrix.refusals.map(\.index) == [2])
    #expect(matrix.refusals.first?.error == .constant(measure: "cka"))
    #expect(matrix[0, 2] == nil && matrix[2, 2] == nil && matrix.standardError(0, 2) == nil)
    #expect(matrix[0, 1] != nil && matrix.standardError(0, 1) != nil)
    #expect(matrix.pValue(1, 2) == nil)
  }

  @Test("sides with other numbers of images are an error, and a stop stops")
  func failures() throws {
    #expect(throws: MeasureError.unequalCounts(measure: "cka", left: 30, right: 20)) {
      try MeasureMatrix(CKA(), of: [MadeUp.noise(30, 3, seed: 1), MadeUp.noise(20, 3, seed: 2)])
    }
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      try MeasureMatrix(CKA(), of: MadeUp.related(30, [5, 4], seed: 8)) { done, all in
        #expect(all == 2 * 110)
        if done == 3 { throw Stop() }
      }
    }
  }
}
