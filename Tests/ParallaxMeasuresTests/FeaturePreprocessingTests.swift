import Parallax
import Testing

@testable import ParallaxMeasures

@Suite("What is done to features before they are measured")
struct FeaturePreprocessingTests {
  @Test("quantiles are NumPy's")
  func quantiles() {
    // numpy.quantile of NumPy 2.4.6, the default method.
    let x = Tensor([0.1, -3.25, 7.5, 2.0, 2.0, -0.7, 11.125], shape: [7, 1])
    let shares = [0.0, 0.05, 0.25, 0.4, 0.5, 0.77, 0.95, 1.0]
    let expected = [
      -3.25, -2.485, -0.29999999999999993, 0.8600000000000007, 2.0, 5.41, 10.037499999999998,
      11.125,
    ]
    let found = FeaturePreprocessing.quantiles(x, shares)
    for (share, pair) in zip(shares, zip(found, expected)) {
      #expect(pair.0 == pair.1, "\(share)")
    }
  }

  @Test("outliers are cut off, then columns centred, then rows scaled")
  func steps() throws {
    let x = MadeUp.noise(40, 5, seed: 3) + 1.0
    let numbers = x.scalars(Double.self).sorted()
    let two = try FeaturePreprocessing(clip: .twoSided(0.05))(x).scalars(Double.self)
    // 199 · 0.05 = 9.95.
    let low = numbers[10] - (numbers[10] - numbers[9]) * 0.05
    #expect(abs((two.min() ?? 0) - low) < 1e-14)
    #expect(two.filter { $0 == two.min() }.count == 10)
    let sizes = try FeaturePreprocessing(clip: .magnitude(0.9))(x).absolute()
    #expect(sizes.maximum().item(Double.self) < x.absolute().maximum().item(Double.self))
    let all = FeaturePreprocessing(clip: .twoSided(0.1), centred: true, normalized: true)
    let found = try all(x)
    for length in found.norm(over: [1]).scalars(Double.self) { #expect(abs(length - 1) < 1e-14) }
    let centred = try FeaturePreprocessing(clip: .twoSided(0.1), centred: true)(x)
    for mean in centred.mean(over: [0]).scalars(Double.self) { #expect(abs(mean) < 1e-14) }
    let by = centred / centred.norm(over: [1], keeping: true)
    #expect((by - found).absolute().maximum().item(Double.self) < 1e-15)
    #expect(
      "\(all)"
        == "clipped at the 0.1 and 0.9 quantiles of each layer, centred by columns, scaled to rows of length one"
    )
    #expect(FeaturePreprocessing().isNone && "\(FeaturePreprocessing())" == "as they are")
    #expect(try all(x.to(.bfloat16)).dtype == .float32)
  }

  @Test("NaN and rows without a direction are refused")
  func refusals() throws {
    let zero = Tensor([1.0, 2, 0, 0, 3, 4], shape: [3, 2])
    #expect(
      throws: MeasureError.row(
        measure: "preprocessing", row: 1, problem: "is zero and has no direction")
    ) { try FeaturePreprocessing(normalized: true)(zero) }
    let bad = Tensor([1.0, .nan, 0, 0, 3, 4], shape: [3, 2])
    #expect(throws: MeasureError.notFinite(measure: "preprocessing")) {
      try FeaturePreprocessing(clip: .magnitude(0.9))(bad)
    }
  }
}
