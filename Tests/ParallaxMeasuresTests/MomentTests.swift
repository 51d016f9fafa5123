import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxMeasures

/// Measures by the route of second moments.
enum ByMoments {
  /// Every measure of the laws that follows from moments.
  static let all = Conformer.all.filter { $0.measure.streams }

  static func sums(
    _ features: [Tensor], blocks: [Int]? = nil, groups: Int = 0, orders: Int = 0, seed: UInt64 = 0
  ) throws -> MomentSums {
    let images = features[0].shape[0]
    var options = MomentSums.Options()
    (options.groups, options.orders, options.hasLengths) = (groups, orders, true)
    options.seed = seed
    let sums = try MomentSums(
      widths: features.map { $0.shape[1] }, images: images, options: options)
    var start = 0
    for (block, size) in (blocks ?? [images]).enumerated() {
      try sums.add(block: block, features: features.map { $0.sliced(0, start, start + size) })
      start += size
    }
    return sums
  }

  /// A value; NaN and the reason where it is refused.
  static func value(
    _ measure: any Measure, _ features: [Tensor], _ a: Int = 0, _ b: Int = 1,
    blocks: [Int]? = nil
  ) throws -> (value: Double, refusal: MeasureError?) {
    let matrix = try MeasureMatrix.all([measure], of: sums(features, blocks: blocks))[0]
    let refusal =
      matrix.refusals.first { $0.index == a } ?? matrix.refusals.first { $0.index == b }
    return (matrix.values[a * matrix.size + b], refusal?.error ?? matrix.pairRefusal)
  }
}

@Suite("Measures from second moments")
struct MomentTests {
  /// Features that are hard in one way.
  enum Hard: String, CaseIterable, Sendable {
    case plain, offset, constant, condition, wide, tiny, huge

    var features: [Tensor] {
      let images = self == .wide ? 8 : 160
      let pair = MadeUp.related(images, [12, 7], seed: 61)
      switch self {
      case .plain, .wide: return pair
      case .offset: return pair.map { $0 + 1e4 }
      case .constant:
        return pair.map {
          .concatenated([$0, Tensor.ones([images, 2], .float64) * 3.7], 1)
        }
      case .condition:
        // Columns from 1 down to 0.01, after a rotation of their own.
        return pair.enumerated().map { index, x in
          let width = x.shape[1]
          let sizes = (0..<width).map { pow(10, -2 * Double($0) / Double(width - 1)) }
          return x.times(MadeUp.orthogonal(width, seed: UInt64(index)))
            * Tensor(sizes, shape: [1, width])
        }
      case .tiny: return pair.map { $0 * 1e-20 }
      case .huge: return pair.map { $0 * 1e20 }
      }
    }

    /// Relative to the value. Sums about zero of an offset of 10⁴ have 10⁸ times the size of what varies.
    func tolerance(_ measure: any Measure) -> Double {
      self == .offset && measure is EigenspaceOverlap ? 1e-7 : 1e-10
    }
  }

  @Test(
    "the value is that of the features, to ten digits or with the same refusal",
    arguments: ByMoments.all, Hard.allCases)
  func features(_ conformer: Conformer, _ hard: Hard) throws {
    let (measure, features) = (conformer.measure, hard.features)
    for (a, b) in [(0, 1), (1, 0)] {
      let found = try ByMoments.value(measure, features, a, b)
      do {
        let expected = try measure(features[a], features[b])
        let gap = abs(found.value - expected)
        #expect(
          gap <= hard.tolerance(measure) * max(abs(expected), expected == 0 ? 1e-12 : 0),
          "\(found.value) \(expected) \(String(describing: found.refusal))")
      } catch let error as MeasureError {
        // Of pairs the first one without a value is told, whose sides may be others.
        let isTold =
          if measure is LinearRegression, case .tooFew = found.refusal { true } else {
            found.refusal == error
          }
        #expect(found.value.isNaN && isTold, "\(found) \(error)")
      }
    }
  }

  @Test("float32 features have the value of the same numbers in float64", arguments: ByMoments.all)
  func narrow(_ conformer: Conformer) throws {
    let narrow = conformer.pair.map { ($0 + 3.0).to(.float32) }
    let found = try ByMoments.value(conformer.measure, narrow).value
    let expected = try conformer.measure(narrow[0].to(.float64), narrow[1].to(.float64))
    #expect(agrees(found, expected, within: 1e-9), "\(found) \(expected)")
  }

  @Test(
    "every golden value of a measure that streams comes out of moments too",
    arguments: GoldenTests.pairs.indices.filter { GoldenTests.pairs[$0].measure.streams })
  func golden(_ index: Int) throws {
    let (measure, expected) = GoldenTests.pairs[index]
    let pair = [GoldenFixture.left(.float64), GoldenFixture.right(.float64)]
    let found = try ByMoments.value(measure, pair, blocks: [7, 9, 8]).value
    #expect(agrees(found, expected, within: 1e-11), "\(measure.name): \(found) \(expected)")
  }

  @Test(
    "the oracle's fixtures come out too",
    arguments: ["golden", "sixty", "offset", "wide", "deficient"])
  func oracle(_ name: String) throws {
    let file = try Safetensors(fixtures.appending(path: "similarity/alignment.safetensors").path)
    let all = (0..<3).compactMap { file["\(name)/x\($0)"]?.to(.float64) }
    let sums = try ByMoments.sums(all)
    var compared = 0
    for measure in ByMoments.all.map(\.measure) {
      guard let table = file["\(name)/\(measure.name)"] else { continue }
      let matrix = try MeasureMatrix.all([measure], of: sums)[0]
      for (found, expected) in zip(matrix.values, table.scalars(Double.self)) {
        if expected.isNaN {
          #expect(found.isNaN, "\(measure.name): \(found)")
        } else {
          // Of sides that rotations make the same, moments leave the root of their rounding.
          let isSame = measure.direction == .distance && expected < 1e-9
          #expect(
            abs(found - expected) < (isSame ? 1e-6 : 1e-9 * abs(expected)),
            "\(measure.name): \(found) \(expected)")
          compared += 1
        }
      }
    }
    #expect(compared >= 60, "\(compared)")
  }

  @Test(
    "HSIC and CKA of every pair are NumPy's, from blocks as they come",
    arguments: SimilarityFixture.names)
  func similarity(_ name: String) throws {
    let fixture = try SimilarityFixture(name)
    let blocks = fixture.blocks(.float64)
    var options = MomentSums.Options()
    options.hasLengths = true
    let sums = try MomentSums(
      widths: fixture.representations.map { $0.shape[1] }, images: fixture.facts.rows,
      options: options)
    for (index, block) in blocks.enumerated() { try sums.add(block: index, features: block) }
    let measures: [any Measure] = [
      HSIC(), HSIC(estimator: .biased), CKA(), CKA(estimator: .biased),
    ]
    let keys = ["hsic/unbiased", "hsic/biased", "cka/debiased", "cka/biased"]
    for (matrix, key) in zip(try MeasureMatrix.all(measures, of: sums), keys) {
      let expected = try fixture.numbers(key)
      let size = expected.map(abs).max() ?? 1
      #expect(matrix.values.count == expected.count && !expected.isEmpty)
      for (found, value) in zip(matrix.values, expected) {
        #expect(abs(found - value) < 1e-11 * size, "\(key): \(found) \(value)")
      }
    }
  }

  @Test("a representation with itself has the value that it must have", arguments: ByMoments.all)
  func itself(_ conformer: Conformer) throws {
    let measure = conformer.measure
    let matrix = try MeasureMatrix.all([measure], of: ByMoments.sums(conformer.pair))[0]
    for index in 0..<2 {
      let value = matrix.values[3 * index]
      if let expected = measure.selfValue(images: conformer.images) {
        #expect(abs(value - expected) <= 1e-12 * max(1, abs(expected)), "\(value)")
      } else {
        let own = try measure(conformer.pair[index], conformer.pair[index])
        #expect(agrees(value, own, within: 1e-11))
      }
    }
    #expect(measure.isSymmetric == (matrix.values[1] == matrix.values[2]))
  }

  @Test(
    "a measure ignores exactly what it declares to ignore, by moments as well",
    arguments: ByMoments.all, Change.allCases)
  func invariances(_ conformer: Conformer, _ change: Change) throws {
    let pair = MadeUp.related(max(20, conformer.images), [8, 5], seed: 21)
    let value = try ByMoments.value(conformer.measure, pair).value
    var largest = 0.0
    for seed in 0..<3 as Range<UInt64> {
      let (a, b) = (change(pair[0], seed: seed), change(pair[1], seed: seed + 40))
      for sides in [[a, pair[1]], [pair[0], b], [a, b]] {
        let seen = try ByMoments.value(conformer.measure, sides).value
        largest = max(largest, abs(seen - value) / max(abs(value), 1e-3))
      }
    }
    if conformer.measure.invariances.contains(change.invariance) {
      #expect(largest < 1e-8, "declared, but changes by \(largest)")
    } else {
      #expect(largest > 1e-3, "not declared, but changes only by \(largest)")
    }
  }

  @Test(
    "a metric keeps the triangle inequality", arguments: ByMoments.all.filter(\.measure.isMetric))
  func triangle(_ conformer: Conformer) throws {
    for seed in 0..<10 as Range<UInt64> {
      let points = (0..<3).map { MadeUp.noise(12, 3, seed: 3 * seed + $0) }
      let matrix = try MeasureMatrix.all([conformer.measure], of: ByMoments.sums(points))[0]
      #expect(matrix.values[2] <= matrix.values[1] + matrix.values[5] + 1e-12)
    }
  }

  @Test("descriptions that stream have the features' numbers")
  func descriptions() throws {
    var found = 0
    for hard in [Hard.plain, .offset, .constant, .condition] {
      for x in hard.features {
        let moments = try ByMoments.sums([x], blocks: [100, 60])
        moments.close()
        for description in [
          ParticipationRatio(), EffectiveRank(), EffectiveRank(.eigenvalues),
          SpectralDecay(ranks: 1...5),
        ] as [any MomentDescription] {
          func check(_ description: some MomentDescription) throws {
            let basis = try description.basis(of: moments.sample().moments(0))
            let expected = try description(x).value
            #expect(agrees(try description.estimate(basis).value, expected, within: 1e-9))
            found += 1
          }
          try check(description)
        }
      }
    }
    #expect(found == 32)
    #expect(DescriptionCatalog.descriptions.filter(\.streams).count == 4)
  }

  @Test(
    "canonical correlations lose twice the digits of the condition number, and no more",
    arguments: 1...5)
  func condition(_ power: Int) throws {
    let pair = MadeUp.related(400, [12, 7], seed: 62).enumerated().map { index, x in
      let width = x.shape[1]
      let sizes = (0..<width).map { pow(10, -Double(power * $0) / Double(width - 1)) }
      return x.times(MadeUp.orthogonal(width, seed: UInt64(index)))
        .times(
          MadeUp.orthogonal(width, seed: 7) * Tensor(sizes, shape: [1, width]))
    }
    for measure in [CCA(), PWCCA(), GULP(), LinearRegression()] as [any Measure] {
      let expected = try measure(pair[0], pair[1])
      let found = try ByMoments.value(measure, pair).value
      #expect(
        agrees(found, expected, within: 1e-14 * pow(100, Double(power))),
        "\(measure.name) \(abs(found - expected))")
    }
  }

  @Test("what the moments refuse, they refuse as the features do")
  func refusals() throws {
    let x = MadeUp.noise(20, 4, seed: 1)
    let constant = Tensor.ones([20, 3], .float64) * 2.5
    var bad = x.doubles
    bad[17] = .nan
    let broken = Tensor(bad, shape: [20, 4])
    for measure in ByMoments.all.map(\.measure) where !(measure is MagnitudeDifference) {
      let matrix = try MeasureMatrix.all(
        [measure], of: ByMoments.sums([x, constant, broken], blocks: [13, 7]))[0]
      #expect(matrix[0, 0] != nil && matrix[0, 1] == nil && matrix[0, 2] == nil)
      #expect(
        matrix.refusals == [
          MeasureMatrix.Refusal(index: 1, error: .constant(measure: measure.name)),
          MeasureMatrix.Refusal(index: 2, error: .notFinite(measure: measure.name)),
        ])
      let few = try MeasureMatrix.all([measure], of: ByMoments.sums([x.rows([0]), x.rows([1])]))
      #expect(few[0].values.allSatisfy { $0.isNaN })
    }
    let huge = (x * 1e20).to(.float32)
    #expect(try ByMoments.value(CCA(), [huge, huge]).refusal == .notFinite(measure: "cca"))
    // Summaries of both kinds do not meet.
    let (moments, rows) = (
      try Procrustes().summary(of: Moments(of: x)), try Procrustes().summary(of: x)
    )
    #expect(throws: MeasureError.self) { try Procrustes().similarity(moments, rows) }
    #expect(throws: MeasureError.self) { try Procrustes().similarity(moments, moments) }
    let cross = try CrossMoment(of: x, x * 2.0)
    let scaled = try Procrustes().summary(of: Moments(of: x * 2.0))
    #expect(abs(try Procrustes().similarity(moments, scaled, cross)) < 1e-7)
  }
}
