import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxMeasures

/// A description as an argument of a test, which is then called by its name.
struct Describer: Sendable, CustomTestStringConvertible {
  let description: any Description
  var testDescription: String { description.name }

  /// Every description of the catalog, and variants of them that it does not list.
  static let all: [Describer] =
    (DescriptionCatalog.descriptions + [
      GRIDE(1), LevinaBickel(10), TwoNN(.fit(kept: 0.5)), SpectralDecay(ranks: 2...6),
    ]).map(Describer.init)
}

@Suite("Laws of every description")
struct DescriptionTests {
  private static let images = 80
  private static let width = 40

  @Test("exactly the declared changes are ignored", arguments: Describer.all, Change.allCases)
  func exactly(_ describer: Describer, _ change: Change) throws {
    let description = describer.description
    let x = MadeUp.related(Self.images, [Self.width], seed: 31)[0]
    let value = try description(x).value
    let changes = try (0..<3 as Range<UInt64>).map {
      abs(try description(change(x, seed: $0)).value / value - 1)
    }
    let largest = changes.max() ?? .infinity
    if description.invariances.contains(change.invariance) {
      // Forty sums of forty products keep about 1e-14 of a distance or a singular value; log(r₂/r₁) of a
      // hundredth, or an eigenvalue a hundredth of the largest, keeps 1e-12 of that.
      #expect(largest < 1e-11, "declared, but changes by \(largest)")
    } else {
      #expect(largest > 1e-3, "not declared, but changes only by \(largest)")
    }
  }

  @Test("the images' order does not matter", arguments: Describer.all)
  func order(_ describer: Describer) throws {
    let x = MadeUp.related(Self.images, [Self.width], seed: 32)[0]
    let order = RandomSource(seed: 4).permutation(Self.images).scalars(Int64.self).map(Int.init)
    let description = describer.description
    let (value, other) = try (description(x), description(x.rows(order)))
    // The same distances and singular values up to the order of their sums.
    #expect(agrees(other.value, value.value, within: 1e-12))
    #expect(description.range.contains(value.value))
    #expect((value.standardError != nil) == description.hasStandardError)
    if let error = value.standardError {
      #expect(error > 0 && agrees(other.standardError ?? 0, error, within: 1e-12))
    }
  }

  @Test("float32 and half-precision features are described as they are", arguments: Describer.all)
  func precision(_ describer: Describer) throws {
    let x = MadeUp.related(Self.images, [Self.width], seed: 33)[0]
    for dtype in [DType.float32, .bfloat16, .float16] {
      let narrow = try describer.description(x.to(dtype))
      let wide = try describer.description(x.to(dtype).to(.float64))
      // Both are computed in float64, from the same numbers.
      #expect(narrow == wide, "\(dtype)")
    }
  }

  @Test("too few images are refused with the number that is needed", arguments: Describer.all)
  func tooFew(_ describer: Describer) throws {
    let description = describer.description
    let needed = description.fewestImages
    let few = MadeUp.noise(needed - 1, 90, seed: 1)
    #expect(
      throws: MeasureError.tooFew(measure: description.name, images: needed - 1, needed: needed)
    ) { try description(few) }
    #expect(try description(MadeUp.noise(needed, 90, seed: 1)).value.isFinite)
  }

  @Test("NaN, infinity, other shapes and what does not vary are refused", arguments: Describer.all)
  func refusals(_ describer: Describer) throws {
    let description = describer.description
    let good = MadeUp.noise(Self.images, 20, seed: 4).to(.float32)
    for bad in [Float.nan, .infinity, -.infinity, 1e30] {
      var values = good.scalars(Float.self)
      values[10] = bad
      #expect(throws: MeasureError.notFinite(measure: description.name), "\(bad)") {
        try description(Tensor(values, shape: [Self.images, 20]))
      }
    }
    for shape in [[80], [80, 3, 1], [80, 0], []] {
      #expect(
        throws: MeasureError.shape(
          measure: description.name, expected: "[images, width]", found: shape)
      ) { try description(Tensor.zeros(shape)) }
    }
    for level in [0.0, 0.1, 1e6] {
      let x = (MadeUp.noise(1, 7, seed: 3) * level).expanded(Self.images, 7)
      #expect(throws: MeasureError.constant(measure: description.name)) { try description(x) }
    }
  }

  @Test("each is found by its name and says what it is")
  func catalog() {
    let names = DescriptionCatalog.descriptions.map(\.name)
    #expect(Set(names).count == names.count)
    for description in DescriptionCatalog.descriptions {
      #expect(DescriptionCatalog[description.name]?.name == description.name)
      #expect(!description.source.isEmpty && !description.agreesWith.isEmpty)
      #expect(!description.cost.isEmpty && !description.meaning.isEmpty)
    }
    #expect(DescriptionCatalog["two-nn"] is TwoNN && DescriptionCatalog["2nn"] == nil)
  }
}

@Suite("Intrinsic dimensions and spectra")
struct IntrinsicDimensionTests {
  @Test("images with the same features are refused by name, whatever their offset")
  func duplicates() throws {
    let rows = [0, 1, 2, 3, 1, 5, 6, 7, 8, 9, 3, 11]
    for offset in [0.0, 1e6] {
      let x = (MadeUp.noise(12, 6, seed: 8) + offset).rows(rows)
      for dtype in [DType.float64, .float32] {
        for description in [TwoNN(), GRIDE(2), LevinaBickel(5)] as [any Description] {
          #expect(
            throws: MeasureError.duplicates(measure: description.name, rows: [1, 3, 4, 10])
          ) { try description(x.to(dtype)) }
        }
        // Elsewhere a repeated image is an image.
        #expect(try ParticipationRatio()(x.to(dtype)).value > 1)
      }
    }
  }

  @Test("images that are all equally far from one another have no dimension")
  func simplex() throws {
    let x = Tensor.identity(6, .float64)
    for description in [TwoNN(), TwoNN(.fit(kept: 0.9)), GRIDE(2), LevinaBickel(4)]
      as [any Description]
    {
      let error = #expect(throws: MeasureError.self) { try description(x) }
      if case .undefined = error {} else { Issue.record("found \(String(describing: error))") }
    }
  }

  @Test("a plane in forty dimensions has two, at every scale, within its standard errors")
  func plane() throws {
    let square = RandomSource(seed: 7).uniform([1500, 2]).to(.float64)
    let x = square.times(MadeUp.orthogonal(40, seed: 2).sliced(0, 0, 2))
    let estimate = try TwoNN()(x)
    let error = try #require(estimate.standardError)
    #expect(abs(estimate.value - 2) < 3 * error && error < 0.06, "\(estimate)")
    let scales = try GRIDE.scales(x)
    #expect(scales.map(\.near) == [1, 2, 4, 8, 16, 32])
    #expect(agrees(scales[0].estimate.value, estimate.value, within: 1e-12))
    for (finer, coarser) in zip(scales, scales.dropFirst()) {
      #expect(coarser.scale > finer.scale)
      // A ball that a border cuts grows more slowly: by up to 0.35 dimensions, 0.23 on average over the strip
      // as wide as its radius. 64 neighbours have the radius 0.12, and 0.47 of the square is such a strip:
      // 0.11, and two standard errors of 0.02.
      #expect(abs(coarser.estimate.value - 2) < 0.15, "\(coarser)")
    }
    #expect(abs(try LevinaBickel()(x).value - 2) < 0.15)
    // 2(1 − ε²) with ε the relative difference of both variances, whose standard deviation is 0.02.
    #expect(abs(try ParticipationRatio()(x).value - 2) < 0.02)
    #expect(try Spectrum(x).rank == 2)
  }

  @Test("distances keep their digits beside a large offset")
  func offset() throws {
    let x = MadeUp.noise(40, 8, seed: 5).to(.float32)
    // Powers of two: the shift by itself rounds nothing away.
    let coarse = ((x * 1024.0).to(.int64).to(.float64) / 1024.0)
    let value = try TwoNN()(coarse).value
    #expect(try TwoNN()(coarse + 4096.0).value == value)
    #expect(try TwoNN()((coarse + 4096.0).to(.float32)).value == value)
  }

  @Test("equal variances in k directions are k directions; a power law has its exponent")
  func spectra() throws {
    let q = MadeUp.orthogonal(64, seed: 3)
    // Columns that are orthogonal to one another and to the constant vector.
    let centred = q - q.mean(over: [0], keeping: true)
    let basis = Operator("aten::linalg_qr").all([centred.sliced(1, 0, 40), "reduced"])[0]
    // Orthonormal to 1e-15; the smallest scale below is a tenth of the largest, and its square a hundredth.
    let flat = basis.sliced(1, 0, 5)
    #expect(agrees(try ParticipationRatio()(flat).value, 5, within: 1e-12))
    #expect(agrees(try EffectiveRank()(flat).value, 5, within: 1e-12))
    #expect(agrees(try EffectiveRank(.eigenvalues)(flat).value, 5, within: 1e-12))
    let scales = (1...40).map { pow(Double($0), -0.65) }
    let falling = basis * Tensor(scales, shape: [1, 40])
    #expect(agrees(try SpectralDecay()(falling).value, 1.3, within: 1e-12))
    #expect(agrees(try SpectralDecay(ranks: 1...40)(falling).value, 1.3, within: 1e-12))
    let spectrum = try Spectrum(falling)
    #expect(spectrum.rank == 40 && agrees(spectrum.shares.reduce(0, +), 1, within: 1e-14))
    #expect(throws: MeasureError.self) { try SpectralDecay(ranks: 39...60)(falling) }
  }

  @Test("one set of distances serves all; too few neighbours are said")
  func shared() throws {
    let x = MadeUp.related(50, [9], seed: 12)[0]
    let basis = try NeighbourDistances(x, count: 32)
    #expect(try TwoNN().estimate(basis) == TwoNN()(x))
    #expect(try GRIDE(16).estimate(basis) == GRIDE(16)(x))
    #expect(try LevinaBickel().estimate(basis) == LevinaBickel()(x))
    #expect(throws: MeasureError.self) { try GRIDE(32).estimate(basis) }
  }

  @Test("a far image, an offset and crowds of copies leave everybody the nearest")
  func nearest() throws {
    let plain = MadeUp.noise(60, 12, seed: 6)
    // One image far away, twenty copies of another, all of them far from the origin.
    var rows = Array(0..<60)
    for copy in 30..<50 { rows[copy] = 3 }
    let stretch = (0..<60).map { $0 == 7 ? 1e9 : 1 }
    let x = plain.rows(rows) * Tensor(stretch, shape: [60, 1]) + 1e4
    let (distances, indices) = Distances.nearest(x, 4)
    let numbers = x.scalars(Double.self)
    for row in 0..<60 {
      let all = (0..<60).filter { $0 != row }.map { other in
        let squares = (0..<12).map { pow(numbers[row * 12 + $0] - numbers[other * 12 + $0], 2) }
        return (squares.reduce(0, +).squareRoot(), other)
      }.sorted { $0 < $1 }.prefix(4)
      for (place, expected) in all.enumerated() {
        // Twelve squares, summed in another order, are the same to 12 units in the last place.
        #expect(agrees(distances[row * 4 + place], expected.0, within: 12 * Double.ulpOfOne))
        // Copies are equally far exactly, and stand by their numbers.
        #expect(indices[row * 4 + place] == expected.1, "\(row) \(place)")
      }
    }
  }
}
