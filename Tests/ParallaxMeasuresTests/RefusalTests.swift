import Parallax
import Testing

@Suite("Refusals of every measure")
struct RefusalTests {
  /// The width of features that come with no more images than are needed.
  private func width(_ measure: any Measure) -> Int {
    switch measure {
    // One direction of the two that three images have.
    case is CCA, is SVCCA, is PWCCA, is LinearRegression, is EigenspaceOverlap: 1
    case let measure as GULP: measure.penalty == 0 ? 1 : 5
    case let measure as ShapeMetric: measure.alpha == 0 ? 1 : 5
    default: 5
    }
  }

  @Test("too few images are refused with the number that is needed", arguments: Conformer.all)
  func tooFew(_ conformer: Conformer) throws {
    let measure = conformer.measure
    let (needed, width) = (measure.fewestImages, width(measure))
    let x = MadeUp.noise(needed - 1, width, seed: 1)
    #expect(
      throws: MeasureError.tooFew(measure: measure.name, images: needed - 1, needed: needed)
    ) { try measure(x, x) }
    let enough = MadeUp.noise(needed, width, seed: 1)
    #expect(try measure(enough, enough).isFinite)
  }

  @Test(
    "what does not vary is refused, whatever its size",
    arguments: Conformer.all.filter { !$0.takesConstants })
  func constant(_ conformer: Conformer) throws {
    let measure = conformer.measure
    let other = MadeUp.noise(conformer.images, 4, seed: 2)
    let row = MadeUp.noise(1, 7, seed: 3)
    for level in [0.0, 1e-6, 0.1, 1, 1e3, 1e6] {
      for dtype in [DType.float64, .float32] {
        let x = (row * level).expanded(conformer.images, 7).to(dtype)
        #expect(throws: MeasureError.constant(measure: measure.name), "\(level) \(dtype)") {
          try measure(x, other.to(dtype))
        }
        #expect(throws: MeasureError.constant(measure: measure.name)) {
          try measure(other.to(dtype), x)
        }
      }
    }
  }

  @Test(
    "where what does not vary has a value, it is given",
    arguments: Conformer.all.filter(\.takesConstants))
  func takesConstants(_ conformer: Conformer) throws {
    let other = MadeUp.noise(12, 4, seed: 2)
    let row = MadeUp.noise(1, 7, seed: 3)
    for level in [1e-6, 0.1, 1, 1e3, 1e6] {
      for dtype in [DType.float64, .float32] {
        let x = (row * level).expanded(12, 7).to(dtype)
        #expect(try conformer.measure(x, other.to(dtype)).isFinite)
      }
    }
  }

  @Test("a single image that differs is not enough for the debiased estimator")
  func oneOutlier() throws {
    let x = Tensor.concatenated([Tensor.zeros([11, 3]), Tensor.ones([1, 3])], 0)
    for measure in [CKA(), CKA(kernel: .linear)] {
      #expect(throws: MeasureError.constant(measure: "cka")) { try measure(x, x) }
    }
    #expect(try CKA(estimator: .biased)(x, x) == 1)
  }

  @Test("NaN, infinity and overflow are refused, on either side", arguments: Conformer.all)
  func notFinite(_ conformer: Conformer) throws {
    let measure = conformer.measure
    let good = MadeUp.noise(conformer.images, 3, seed: 4).to(.float32)
    for bad in [Float.nan, .infinity, -.infinity, 1e30] {
      var values = good.scalars(Float.self)
      values[10] = bad
      let x = Tensor(values, shape: good.shape)
      for (a, b) in [(x, good), (good, x)] {
        #expect(throws: MeasureError.notFinite(measure: measure.name), "\(bad)") {
          try measure(a, b)
        }
      }
    }
  }

  @Test("sides of other images, shapes or element types do not meet", arguments: Conformer.all)
  func mismatch(_ conformer: Conformer) throws {
    let measure = conformer.measure
    let images = conformer.images
    let x = MadeUp.noise(images, 3, seed: 5)
    let more = MadeUp.noise(images + 1, 3, seed: 6)
    if measure.needsPairing {
      let error = #expect(throws: MeasureError.self) { try measure(x, more) }
      #expect(error == .unequalCounts(measure: measure.name, left: images, right: images + 1))
    } else {
      #expect(try measure(x, more).isFinite)
    }
    let types = #expect(throws: MeasureError.self) { try measure(x, x.to(.float32)) }
    if case .summaries = types {} else { Issue.record("found \(String(describing: types))") }
    for shape in [[8], [8, 3, 1], [8, 0], []] {
      let odd = Tensor.zeros(shape, .float64)
      #expect(
        throws: MeasureError.shape(
          measure: measure.name, expected: "[images, width]", found: shape)
      ) { try measure(odd, x) }
    }
  }

  @Test("an error is one sentence that names the measure")
  func sentences() {
    let errors: [MeasureError] = [
      .tooFew(measure: "cka", images: 3, needed: 4),
      .unequalCounts(measure: "cka", left: 1, right: 2), .notFinite(measure: "cka"),
      .constant(measure: "cka"), .shape(measure: "cka", expected: "[8, width]", found: [7]),
      .summaries(measure: "cka", left: "a", right: "b"), .blockOrder(measure: "cka", problem: "p"),
      .merge(measure: "cka", problem: "p"), .duplicates(measure: "cka", rows: [1, 4]),
      .row(measure: "cka", row: 3, problem: "is zero"),
      .memory(measure: "cka", needed: 3 << 20, limit: 1 << 20),
      .undefined(measure: "cka", problem: "p"),
    ]
    for error in errors {
      #expect(error.description.hasPrefix("cka") && !error.description.contains("\n"))
    }
    #expect(errors[0].description == "cka needs at least 4 images, found 3")
    #expect(errors[10].description == "cka would need 3 MiB, the limit is 1 MiB")
    let many = MeasureError.duplicates(measure: "two-nn", rows: Array(0..<12)).description
    #expect(many.hasPrefix("two-nn: the rows 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more are equal"))
  }
}
