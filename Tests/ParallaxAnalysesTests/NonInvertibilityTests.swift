import Foundation
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

@Suite("Non-invertibility as numbers")
struct NonInvertibilityTests {
  @Test("a kernel ½[1, 1] without padding: (2 + t, 3 − t) all give 5/2, and J says so")
  func stride() throws {
    let kernel = Tensor([0.5, 0.5], shape: [1, 1, 1, 2])
    let jacobian = try LayerJacobian("toy", at: Tensor([2.0, 3], shape: [1, 1, 1, 2])) {
      $0.convolution(kernel, stride: [1, 2]).reshaped($0.shape[0], -1)
    }
    #expect(jacobian.values.scalars(Double.self) == [2.5] && jacobian.features < jacobian.inputs)
    let space = try NormalSpace(try jacobian.singularValues())
    #expect(space.rank == 1 && abs(space.values[0] - 0.5.squareRoot()) < 1e-15)
    for t in [-1.0, 0.25, 7] {
      let other = Tensor([2.0 + t, 3 - t], shape: [1, 1, 1, 2]).convolution(kernel, stride: [1, 2])
      #expect(other.scalars(Double.self) == [2.5])
    }
    let along = Tensor([1.0, -1], shape: [1, 2])
    #expect(gap(space.tangent(along), along) < 1e-15)
  }

  @Test("of diag(1/1000, 1) the nearer output belongs to the farther input")
  func conditioned() throws {
    let map = Tensor([0.001, 0, 0, 1], shape: [2, 2])
    let jacobian = try LayerJacobian("diagonal", at: Tensor.zeros([1, 2], .float64)) {
      $0.linear(map)
    }
    let spectrum = try jacobian.singularValues()
    #expect(abs(spectrum.values[0] / spectrum.values[1] - 1000) < 1e-9)
    #expect(SpectrumNumbers(spectrum).condition(at: 2).map { abs($0 - 1000) < 1e-9 } == true)
    func length(_ x: Tensor) -> Double { x.absolute().sum().item(Double.self) }
    let (small, large) = (Tensor([1.0, 1], shape: [1, 2]), Tensor([1000.0, 0], shape: [1, 2]))
    #expect(abs(length(large.linear(map)) - 1) < 1e-15)
    #expect(abs(length(small.linear(map)) - 1.001) < 1e-15)
    #expect(length(large) == 1000 && length(small) == 2)
  }

  @Test("LayerNorm's Jacobian has the two null directions of shifts and scales")
  func layerNorm() throws {
    let x = Tensor([0.0, 2, 5, 3], shape: [1, 4])
    let ones = Tensor.ones([4], .float64)
    let jacobian = try LayerJacobian("norm", at: x) {
      $0.layerNormalized(weight: ones, bias: ones, epsilon: 1e-12)
    }
    let spectrum = try jacobian.singularValues()
    #expect(SpectrumNumbers(spectrum).rank(1e-6).low == 2)
    let space = try NormalSpace(spectrum, threshold: 1e-6)
    let centred = x - x.mean(over: [1], keeping: true)
    for direction in [ones.unsqueezed(0), centred] { #expect(space.share(direction)[0] < 1e-9) }
  }

  @Test(
    "of a linear map descent on any loss, without a blur, leaves the tangent part of the picture as it was",
    arguments: EmbeddingLoss.allCases)
  func nullSpace(loss: EmbeddingLoss) throws {
    let matrix = RandomSource(seed: 1).normal([20, 48]).to(.float64) / 48.0.squareRoot()
    let target = RandomSource(seed: 2).uniform([1, 48, 1, 1]).to(.float64)
    let map = { (images: Tensor) in images.reshaped(images.shape[0], -1).linear(matrix) }
    let space = try NormalSpace(try LayerJacobian("map", at: target, of: map).singularValues())
    #expect(space.rank == 20)
    var recipe = InversionRecipe.badger2022(.perceptron, features: 20)
    (recipe.loss, recipe.steps, recipe.rate) = (loss, 400, LinearSchedule(0.1, 1e-3))
    let start = recipe.beginning([48, 1, 1], seed: 3).unsqueezed(0).to(.float64)
    var state = Inversion.State(start)
    let inversion = Inversion("map", recipe) { map($0) }
    try inversion.run(target, &state, every: 400)
    let found = inversion.result(state)
    let (before, after) = ((start - target).reshaped(1, 48), (found - target).reshaped(1, 48))
    #expect(gap(space.tangent(after), space.tangent(before)) < 1e-12)
    #expect(gap(space.normal(after), space.normal(before)) > 1e-3)
    let least = space.tangent(before).norm(over: [1]).item(Double.self)
    #expect(after.norm(over: [1]).item(Double.self) >= least - 1e-12)
    // A blur mixes what the map sees with what it does not.
    recipe.smoothing = InversionRecipe.Smoothing(sigma: LinearSchedule(0.8, 0.8))
    let picture = target.reshaped(1, 3, 4, 4)
    var blurred = Inversion.State(start.reshaped(1, 3, 4, 4))
    try Inversion("map", recipe) { map($0) }.run(picture, &blurred, every: 400)
    let mixed = (blurred.pixels - picture).reshaped(1, 48)
    #expect(gap(space.tangent(mixed), space.tangent(before)) > 1e-3)
  }

  /// Square layers as `torch.nn.Linear` draws them.
  private func layers(_ width: Int, _ count: Int) -> [(weight: Tensor, bias: Tensor?)] {
    let source = RandomSource(seed: 12)
    let bound = 1 / Double(width).squareRoot()
    return (0..<count).map { _ in
      (
        source.uniform([width, width]).to(.float64) * (2 * bound) - bound,
        source.uniform([width]).to(.float64) * (2 * bound) - bound
      )
    }
  }

  @Test("the exact inverse of a square linear net is exact; of a perturbed output it is far away")
  func exactInverse() throws {
    let width = 192
    let layers = layers(width, 4)
    let net = try ExactLinearInverse(layers)
    let image = RandomSource(seed: 3).uniform([1, width]).to(.float64)
    let output = net(image)
    let product = layers.reduce(Tensor.identity(width, .float64)) { $1.weight.times($0) }
    let bias = net(Tensor.zeros([1, width], .float64))
    let closed = try #require(
      try JacobianAlgebra.solved(product, (output - bias).transposed())
    ).transposed()
    let condition = try LayerJacobian("net", at: image) { net($0) }.singularValues()
    let kappa = try #require(SpectrumNumbers(condition).condition(at: width))
    #expect(gap(try net.inverse(output), image) < 1e-15 * kappa && kappa > 1e5)
    #expect(gap(try net.inverse(output), closed) < 1e-14 * kappa)
    #expect(gap(net(try net.inverse(output)), output) < 1e-12)
    func length(_ x: Tensor) -> Double { x.squared().sum().item(Double.self).squareRoot() }
    let noise = RandomSource(seed: 9).normal([1, width]).to(.float64) / 1000.0
    let exact = try net.inverse(output + noise)
    let shift = ReferenceShift().distance(width)
    let away = length(exact - image)
    #expect(away > 20 * shift, "\(away) against \(shift)")
    // Exactly what the closed form says: ‖W⁻¹ · noise‖.
    let moved = try #require(try JacobianAlgebra.solved(product, noise.transposed()))
    #expect(abs(away / length(moved) - 1) < 1e-6)
    // Descent from among the pictures stays among them, with an embedding nearly as near.
    var recipe = InversionRecipe.badger2022(.perceptron, features: width)
    (recipe.steps, recipe.rate) = (220, LinearSchedule(0.1, 1e-3))
    let target = image.reshaped(1, width, 1, 1)
    let start = recipe.beginning([width, 1, 1], seed: 2).unsqueezed(0).to(.float64)
    var state = Inversion.State(start)
    try Inversion("net", recipe) { net($0.reshaped(1, width)) }.run(target, &state)
    let last = try #require(state.trace[0].last)
    #expect(last.input < 0.2 * away && last.embedding < 0.5)
  }

  @Test("what is not square, or singular, has no inverse")
  func refusals() throws {
    let square = Tensor.identity(3, .float64)
    #expect(throws: AnalysisError.self) {
      try ExactLinearInverse([(square, nil), (Tensor.zeros([3, 4], .float64), nil)])
    }
    #expect(throws: AnalysisError.self) {
      try ExactLinearInverse([(square, Tensor.zeros([4], .float64))])
    }
    let singular = try ExactLinearInverse([(Tensor.zeros([3, 3], .float64), nil)])
    #expect(throws: AnalysisError.self) { try singular.inverse(Tensor.ones([1, 3], .float64)) }
  }
}
