import Parallax
import Testing

/// A change of the neurons that a measure either ignores or does not.
enum Change: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case translation, scaling, permutation, orthogonal, linear

  var testDescription: String { rawValue }

  var invariance: Invariance {
    switch self {
    case .translation: .translation
    case .scaling: .scaling
    case .permutation: .permutation
    case .orthogonal: .orthogonal
    case .linear: .linear
    }
  }

  func callAsFunction(_ x: Tensor, seed: UInt64) -> Tensor {
    let width = x.shape[1]
    switch self {
    case .translation: return x + MadeUp.noise(1, width, seed: seed) * 3.0
    case .scaling: return x * (1.5 + Double(seed % 7))
    case .permutation:
      let order = RandomSource(seed: seed).permutation(width).scalars(Int64.self)
      return x.gathered(1, order.map(Int.init))
    case .orthogonal: return x.times(MadeUp.orthogonal(width, seed: seed))
    case .linear: return x.times(MadeUp.invertible(width, seed: seed))
    }
  }
}

@Suite("Invariances of every measure")
struct InvarianceTests {
  @Test(
    "a measure ignores exactly what it declares to ignore", arguments: Conformer.all,
    Change.allCases)
  func exactly(_ conformer: Conformer, _ change: Change) throws {
    let measure = conformer.measure
    let pair = MadeUp.related(max(20, conformer.images), [8, 5], seed: 21).map {
      $0 * conformer.size
    }
    let value = try measure(pair[0], pair[1])
    let size = max(abs(value), 1e-3)
    var seen: [Double] = []
    for seed in 0..<3 as Range<UInt64> {
      let (a, b) = (change(pair[0], seed: seed), change(pair[1], seed: seed + 40))
      // On either side, and by different changes on both.
      for (x, y) in [(a, pair[1]), (pair[0], b), (a, b)] {
        seen.append(abs(try measure(x, y) - value) / size)
      }
    }
    let largest = seen.max() ?? .infinity
    if measure.invariances.contains(change.invariance) {
      #expect(largest < 1e-9, "declared, but changes by \(largest)")
    } else {
      #expect(largest > 1e-3, "not declared, but changes only by \(largest)")
    }
  }

  @Test("what is declared implies what it contains, and is written in the literature's letters")
  func letters() {
    for measure in MeasureCatalog.measures {
      // A permutation is orthogonal, an orthogonal map is linear.
      if measure.invariances.contains(.linear) {
        #expect(measure.invariances.contains(.orthogonal))
      }
      if measure.invariances.contains(.orthogonal) {
        #expect(measure.invariances.contains(.permutation))
      }
    }
    #expect(CKA().invariances.letters == "T S P O")
    #expect(HSIC().invariances.letters == "T P O")
    #expect(Invariance([.linear, .translation]).letters == "T L")
    #expect(Invariance().letters == "")
  }

  @Test("identical features at other widths, mirrored, scaled and shifted are one representation")
  func paddedWidths() throws {
    let x = MadeUp.related(16, [6], seed: 5)[0]
    let wider =
      Tensor.concatenated([x, Tensor.zeros([16, 4], .float64)], 1)
      .times(MadeUp.orthogonal(10, seed: 2)) * -2.5 + 7.0
    #expect(abs(try CKA()(x, wider) - 1) < 1e-12)
    #expect(abs(try CKA(estimator: .biased)(x, wider) - 1) < 1e-12)
    #expect(try AngularCKA()(x, wider) < 1e-7)
  }
}
