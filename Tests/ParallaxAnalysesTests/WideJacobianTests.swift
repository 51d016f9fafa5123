import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

/// More outputs than a Jacobian is decomposed for as a whole: 1500 of 1728 numbers.
@Suite("Jacobians of more than 1024 outputs")
struct WideJacobianTests {
  private static let (outputs, inputs, side) = (1500, 1728, 24)

  private static func fixture(_ name: String) throws -> Tensor {
    let file = try Safetensors(fixtures.appending(path: "jacobian/wide.safetensors").path)
    return try #require(file[name], "\(name)")
  }

  /// The oracle's matrix: PyTorch's numbers of the same seed, columns that fade.
  private static func matrix() throws -> Tensor {
    let fade = (1...inputs).map { pow(Double($0), -0.6) }
    let matrix =
      RandomSource(seed: 41).normal([outputs, inputs]).to(.float64)
      * Tensor(fade, shape: [1, inputs])
    let corner = matrix.sliced(0, 0, 3).sliced(1, 0, 3)
    #expect(gap(corner, try fixture("corner")) < 1e-15)
    return matrix
  }

  @Test(
    "leading values and bounds hold PyTorch's exact singular values", arguments: ["linear", "tanh"])
  func spectrum(_ name: String) throws {
    let exact = try Self.fixture(name).scalars(Double.self)
    let w = try Self.matrix()
    let start = RandomSource(seed: 42).normal([1, Self.inputs]).to(.float64)
    let jacobian = try LayerJacobian(name, at: start, batchSize: 64) { x in
      name == "linear" ? x.linear(w) : x.linear(w).hyperbolicTangent()
    }
    let found = try jacobian.singularValues(leading: 64)
    #expect(!found.isComplete && found.values.count == 64 && found.count == Self.outputs)
    let reliable = found.converged()
    #expect(reliable >= 32)
    #expect(abs(found.values[0] / exact[0] - 1) < 1e-6)
    for (place, value) in found.values.enumerated() {
      #expect(value <= exact[place] * (1 + 1e-9), "\(place)")
      // A singular value lies within the residual.
      let nearest = exact.map { abs($0 - value) }.min() ?? .infinity
      #expect(nearest <= found.residuals[place] + 1e-9, "\(place)")
      if place < reliable { #expect(value > 0.95 * exact[place], "\(place)") }
    }
    let squares = exact.reduce(0) { $0 + $1 * $1 }
    #expect(abs(found.squaredNorm - squares) < 4 * found.squaredNormError)
    #expect(found.squaredNormError < 0.05 * squares)
    let numbers = SpectrumNumbers(found)
    for threshold in [0.5, 0.1, 1e-2, 1e-3] {
      let rank = Double(exact.count { $0 > threshold * exact[0] })
      let bounds = numbers.rank(threshold)
      #expect(bounds.low <= rank && rank <= bounds.high, "\(threshold)")
    }
    let sum = exact.reduce(0, +)
    let effective = exp(-exact.reduce(0) { $0 + $1 / sum * log($1 / sum) })
    let bounds = numbers.effectiveRank
    #expect(bounds.low <= effective && effective <= bounds.high)
    // The lower bound of the Lipschitz constant: σ₁ itself of a linear map.
    let (bound, centre) = try DirectionalLipschitz(jacobian).localBound(
      radius: 0.1, samples: 1, iterations: 400)
    #expect(centre <= exact[0] * (1 + 1e-9) && centre > 0.999 * exact[0])
    #expect(bound >= centre && (name == "tanh" || bound <= exact[0] * (1 + 1e-9)))
  }

  /// W times the model's input, flat.
  private struct Linear: Model {
    let matrix: Tensor

    func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
      let x = tap("input", images, as: .map)
      return tap("head", x.reshaped(x.shape[0], -1).linear(matrix), as: .vector)
    }
  }

  @Test("the analysis of steepness tells what PyTorch's singular values allow")
  func analysis() throws {
    // In pixels J is W over the standard deviation.
    let exact = try Self.fixture("linear").scalars(Double.self).map { 4 * $0 }
    let folder = try imageFolder(4)
    let subject = try Subject(
      name: "wide", family: "other", model: Linear(matrix: try Self.matrix().to(.float32)),
      preprocessing: .letterbox(Self.side, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]),
      fingerprint: "wide")
    let images = try ImageSet(folder.path)
    let wanted = try subject.representations(at: SitePattern(parsing: "head"))
    var options = LipschitzAnalysis.Options()
    (options.recipe, options.directions, options.tangents) = (.newton, 4, 2)
    (options.steps, options.samples, options.iterations, options.batchSize) = (6, 1, 200, 64)
    let analysis = try LipschitzAnalysis(
      wanted, of: [subject], images: images, among: wanted, options: options)
    let pass = Pass(subjects: [subject], images: images)
    try pass.run([analysis])
    let result = try analysis.result()
    let place = result.models[0].places[0]
    #expect(place.features == Self.outputs)
    let one = place.pictures[0]
    #expect(one.problem == nil && !one.isWhole && one.values.count >= 32)
    for (value, known) in zip(one.values, exact) {
      #expect(value <= known * (1 + 1e-4) && value > 0.95 * known)
    }
    for value in [one.steepest, one.bound] {
      #expect(value <= exact[0] * (1 + 1e-4) && value > 0.999 * exact[0])
    }
    for curve in one.curves {
      #expect(curve.limit <= exact[0] * (1 + 1e-4))
      // Of a linear map L is ‖J·v‖ at every step that rounding leaves.
      for value in curve.values.compactMap(\.self) where curve.kind != .tangent {
        #expect(abs(value / curve.limit - 1) < 0.1, "\(curve.kind)")
      }
    }
    let random = one.curves.filter { $0.kind == .random }.map(\.limit)
    for tangent in one.curves where tangent.kind == .tangent {
      #expect(tangent.limit < 0.1 * (random.min() ?? 0))
    }
    // What is known of the normal space is no whole: nothing is said of shares in it.
    #expect(one.curves.allSatisfy { $0.share == nil })
  }
}
