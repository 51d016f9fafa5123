import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxModels

@Suite("Directional Lipschitz estimates")
struct LipschitzTests {
  private func linear(_ matrix: Tensor) throws -> LayerJacobian {
    let start = RandomSource(seed: 1).normal([1, matrix.shape[1]]).to(.float64)
    return try LayerJacobian("linear", at: start) { $0.linear(matrix) }
  }

  @Test("of a linear map every step and direction gives ‖J·v‖, v₁ the top singular value")
  func linearMap() throws {
    let matrix = RandomSource(seed: 2).normal([12, 30]).to(.float64)
    let jacobian = try linear(matrix)
    let spectrum = try jacobian.singularValues()
    let estimates = DirectionalLipschitz(jacobian)
    let directions = Tensor.concatenated(
      [spectrum.right.sliced(0, 0, 1) * 7.0, estimates.randomDirections(16, seed: 3)], 0)
    let limits = try estimates.limits(along: directions)
    let steps = DirectionalLipschitz.grid(to: 5)
    #expect(steps.count == 20 && steps.first == 1e-3 && steps.last == 5)
    let curves = try estimates.curves(along: directions, steps: steps)
    for (limit, curve) in zip(limits, curves) {
      #expect(limit <= spectrum.values[0] * (1 + 1e-12))
      for value in curve { #expect(abs(value / limit - 1) < 1e-9) }
    }
    #expect(abs(limits[0] / spectrum.values[0] - 1) < 1e-12)
    let (bound, centre) = try estimates.localBound(radius: 1, samples: 3, iterations: 3000)
    #expect(abs(bound / spectrum.values[0] - 1) < 1e-2 && centre <= bound)
  }

  @Test(
    "of a small ViT v₁ moves the embedding most, random directions little, tangent ones hardly")
  func ordering() throws {
    let (model, input) = try doubleNetwork("vit-timm")
    let (start, target) = (input.sliced(0, 0, 1), input.sliced(0, 1, 2))
    let jacobian = try LayerJacobian("head", at: start, batchSize: 32) { model($0, .off) }
    let spectrum = try jacobian.singularValues()
    let space = try NormalSpace(spectrum, threshold: 1e-9)
    let estimates = DirectionalLipschitz(jacobian)
    let drawn = estimates.randomDirections(1, seed: 5)
    let step = try GaussNewton(jacobian)
      .step(for: jacobian.values.selected(0, 0) - (try jacobian.values(at: target)).selected(0, 0))
    let directions = Tensor.concatenated(
      [
        spectrum.right.sliced(0, 0, 1), step.unsqueezed(0), drawn,
        (target - start).reshaped(1, -1), space.tangent(drawn),
      ], 0)
    let curves = try estimates.curves(
      along: directions, steps: DirectionalLipschitz.grid(to: 1, count: 5))
    for place in curves[0].indices {
      let (first, matching, chance, toTarget, tangent) = (
        curves[0][place], curves[1][place], curves[2][place], curves[3][place], curves[4][place]
      )
      #expect(first > matching && matching > 2 * chance && toTarget < matching)
      #expect(tangent < 0.5 * chance)
    }
    let limits = try estimates.limits(along: directions)
    #expect(abs(limits[0] / spectrum.values[0] - 1) < 1e-10 && limits[4] < 1e-10)
    for (limit, curve) in zip(limits.prefix(4), curves) {
      #expect(abs(curve[0] / limit - 1) < 1e-2)
    }
    let segment = try estimates.segment(to: target.selected(0, 0), parts: 10)
    #expect(segment.parts.count == 10)
    #expect(segment.largest >= segment.mean && segment.mean >= segment.secant)
    #expect(throws: AnalysisError.self) { try estimates.segment(to: start.selected(0, 0)) }
    let (bound, centre) = try estimates.localBound(radius: 0.5, samples: 4, iterations: 200)
    #expect(centre <= spectrum.values[0] * (1 + 1e-9) && centre > 0.99 * spectrum.values[0])
    #expect(bound >= centre)
    // Rounding in float64 of numbers of about 1; the same function in float32 rounds some 10⁸ times as much.
    let fine = try estimates.rounding()
    #expect(fine > 1e-17 && fine < 1e-13)
  }

  @Test("rounding is that of the element type, and of nothing else")
  func rounding() throws {
    let matrix = RandomSource(seed: 2).normal([12, 300]).to(.float64)
    let start = RandomSource(seed: 1).uniform([1, 300])
    func rounding(_ dtype: DType) throws -> Double {
      let weights = matrix.to(dtype)
      let jacobian = try LayerJacobian("curved", at: start.to(dtype)) { x in
        x.linear(weights).hyperbolicTangent()
      }
      return try DirectionalLipschitz(jacobian).rounding()
    }
    let (single, double) = (try rounding(.float32), try rounding(.float64))
    #expect(single > 1e-8 && single < 1e-5)
    #expect(double > single * 1e-10 && double < single * 1e-7)
  }

  @Test("a power iteration and a walk's projection stop when they are asked to")
  func interrupts() throws {
    let jacobian = try linear(RandomSource(seed: 2).normal([12, 30]).to(.float64))
    #expect(throws: AnalysisError.interrupted) {
      try DirectionalLipschitz(jacobian).localBound(radius: 1, isInterrupted: { true })
    }
    var asked = 0
    #expect(throws: AnalysisError.interrupted) {
      try jacobian.minimumNormStep(
        for: jacobian.values.selected(0, 0),
        isInterrupted: {
          asked += 1
          return asked > 2
        })
    }
    #expect(asked == 3)
  }

  @Test("points of a ball lie in it, and fill it")
  func balls() {
    for norm in BallSampler.Norm.allCases {
      let points = BallSampler(radius: 2, norm: norm).draw(4000, inputs: 3, RandomSource(seed: 1))
      let lengths =
        switch norm {
        case .one: points.absolute().sum(over: [1])
        case .two: points.norm(over: [1])
        case .infinity: Operator("aten::amax")(points.absolute(), [1], false)
        }
      let radii = lengths.scalars(Double.self)
      #expect(radii.allSatisfy { $0 <= 2 })
      // Of a ball in three dimensions an eighth lies within half the radius.
      #expect(abs(Double(radii.count { $0 < 1 }) / 4000 - 0.125) < 0.02, "\(norm)")
      #expect(abs(points.mean().item(Double.self)) < 0.05)
    }
  }

  @Test(
    "the reverse Weibull's parameters come back from draws; its likelihood is SciPy's or better")
  func reverseWeibull() throws {
    let file = try Safetensors(fixtures.appending(path: "jacobian/weibull.safetensors").path)
    for name in ["steep", "flat", "wide"] {
      let draws = try #require(file["\(name)/draws"]).scalars(Double.self)
      // Location, scale, shape, mean log-likelihood of scipy.stats.weibull_max.fit, then the true three.
      let expected = try #require(file["\(name)/fit"]).scalars(Double.self)
      let found = try #require(ReverseWeibull(maxima: draws))
      #expect(found.likelihood > expected[3] - 1e-9, "\(name)")
      #expect(abs(found.location - expected[0]) < 2e-2 * expected[1], "\(name)")
      #expect(abs(found.location - expected[4]) < 0.3 * expected[5], "\(name)")
      #expect(found.p > 0.05)
      let (distance, p) = (expected[7], expected[8])
      #expect(abs(found.distance - distance) < 5e-3 && abs(found.p - p) < 0.06, "\(name)")
    }
    #expect(ReverseWeibull(maxima: [1, 2]) == nil && ReverseWeibull(maxima: [1, .nan, 2]) == nil)
    // The tail of Fréchet's distribution has no end: the likelihood grows as far as one looks.
    let endless = (0..<20).map { pow(-log((Double($0) + 0.5) / 20), -0.5) }
    let tail = try #require(ReverseWeibull(maxima: endless))
    #expect(tail.isUnbounded)
    let ended = (0..<20).map { -pow(-log((Double($0) + 0.5) / 20), 0.5) }
    let bounded = try #require(ReverseWeibull(maxima: ended))
    #expect(!bounded.isUnbounded)
    let equal = try #require(ReverseWeibull(maxima: [2, 2, 2]))
    #expect(equal.location == 2 && equal.p == 1)
  }

  @Test("CLEVER of a linear classifier is the distance to its boundary, in both norms")
  func clever() throws {
    let matrix = RandomSource(seed: 2).normal([3, 10]).to(.float64)
    let jacobian = try linear(matrix)
    let values = jacobian.values.scalars(Double.self)
    let order = values.indices.sorted { values[$0] > values[$1] }
    let difference = (matrix.selected(0, order[0]) - matrix.selected(0, order[1]))
    for isMaximum in [false, true] {
      let norm =
        isMaximum
        ? difference.absolute().sum().item(Double.self)
        : difference.norm(over: [0]).item(Double.self)
      let distance = (values[order[0]] - values[order[1]]) / norm
      let found = try CLEVER(
        jacobian, above: order[0], order[1], radius: 10 * distance, isMaximum: isMaximum,
        batches: 4, samples: 8)
      #expect(abs(found.score / distance - 1) < 1e-9)
      let near = try CLEVER(
        jacobian, above: order[0], order[1], radius: 0.5 * distance, isMaximum: isMaximum,
        batches: 4, samples: 8)
      #expect(near.score == 0.5 * distance)
    }
    #expect(throws: AnalysisError.self) {
      try CLEVER(jacobian, above: order[1], order[0], radius: 1)
    }
    // A quadratic: ‖∇‖ grows to its largest value at the border of the ball, which no sample reaches.
    let start = Tensor.zeros([1, 2], .float64)
    let curved = try LayerJacobian("curved", at: start, batchSize: 256) { x in
      let g = x.squared().sum(over: [1], keeping: true) * 0.5
      return Tensor.concatenated([g * 0.0 + 1.0, g], 1)
    }
    let found = try CLEVER(curved, above: 0, 1, radius: 1, batches: 60, samples: 64)
    #expect(found.largest < 1 && found.fit.location > found.largest)
    #expect(abs(found.fit.location - 1) < 0.05 && found.score < 1.01)
  }
}
