import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxModels

/// Miniature networks in float64, with the weights of their fixtures.
func doubleNetwork(_ name: String) throws -> (model: any Model, input: Tensor) {
  let oracle = try ModelOracle(name)
  let weights = Weights(oracle.weights, dtype: .float64)
  let model: any Model
  switch name {
  case "vit-timm":
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (24, 8, 24, 2, 3, 10)
    model = try ViT(c, weights)
  case "resnet-basic":
    var c = ResNet.Configuration(.basic, [1, 2, 1, 1])
    (c.channels, c.stem, c.classes) = ([8, 10, 12, 14], 8, 10)
    model = try ResNet(c, weights)
  case "mixer-timm":
    var c = Mixer.Configuration(patch: 8, width: 24, depth: 2)
    (c.imageSize, c.classes) = (24, 10)
    model = try Mixer(c, weights)
  default:
    var c = Swin.Configuration()
    (c.imageSize, c.width, c.depths, c.heads, c.window) = (28, 4, [2, 2, 1], [1, 2, 2], 3)
    (c.mlpRatio, c.classes) = (1.5, 10)
    model = try Swin(c, weights)
  }
  return (model, try oracle.tensor("input").to(.float64))
}

/// What a site holds of each image, `[images, features]`; the output where no site is named.
private func embedding(_ model: any Model, _ site: String? = nil) -> (Tensor) throws -> Tensor {
  { images in
    guard let site else { return try model.run(images, .off) }
    var found: Tensor?
    let tap = Tap([site]) { visit in
      found = visit.value
      return nil
    }
    _ = try model.run(images, tap)
    return try #require(found).reshaped(images.shape[0], -1)
  }
}

@Suite("Jacobians")
struct JacobianTests {
  private static func fixture() throws -> Safetensors {
    try Safetensors(fixtures.appending(path: "jacobian/jacobian.safetensors").path)
  }

  private func relative(_ a: Tensor, _ b: Tensor) -> Double {
    gap(a, b) / b.absolute().maximum().item(Double.self)
  }

  private static let sites = [
    ("vit-timm", "blocks.0"), ("vit-timm", "blocks.1"), ("resnet-basic", "layer2.0"),
    ("resnet-basic", "layer4.0"), ("mixer-timm", "blocks.1"), ("swin-timm", "layers.2.blocks.0"),
  ]

  @Test(
    "products either way are those of torch.func, at the output and at sites",
    arguments: ["vit-timm", "resnet-basic", "mixer-timm", "swin-timm"])
  func products(name: String) throws {
    let fixture = try Self.fixture()
    func tensor(_ key: String) throws -> Tensor { try #require(fixture["\(name)/\(key)"]) }
    let (model, input) = try doubleNetwork(name)
    let direction = try tensor("direction").reshaped(2, -1)
    let jacobian = try LayerJacobian(name, at: input, of: embedding(model))
    #expect(relative(jacobian.values, try tensor("value")) < 1e-10)
    #expect(relative(try jacobian.times(direction), try tensor("jvp")) < 1e-10)
    let back = try jacobian.transposedTimes(try tensor("seed"))
    #expect(relative(back, try tensor("vjp").reshaped(2, -1)) < 1e-10)
    for (_, site) in Self.sites.filter({ $0.0 == name }) {
      let jacobian = try LayerJacobian(site, at: input, of: embedding(model, site))
      #expect(relative(try jacobian.times(direction), try tensor("jvp/\(site)")) < 1e-10, "\(site)")
    }
  }

  @Test(
    "singular values are NumPy's: all of them decomposed, the leading ones by bidiagonalisation",
    arguments: sites)
  func singularValues(name: String, site: String) throws {
    let expected = try #require(try Self.fixture()["\(name)/singular/\(site)"]).scalars(Double.self)
    let (model, input) = try doubleNetwork(name)
    let jacobian = try LayerJacobian(
      site, at: input.sliced(0, 0, 1), batchSize: 64, of: embedding(model, site))
    let whole = try jacobian.singularValues()
    #expect(whole.isComplete && whole.values.count == expected.count)
    for (found, value) in zip(whole.values, expected) {
      #expect(abs(found - value) < 1e-12 * expected[0])
    }
    let squares = expected.reduce(0) { $0 + $1 * $1 }
    #expect(abs(whole.squaredNorm / squares - 1) < 1e-12)
    var options = Bidiagonalisation.Options()
    (options.tolerance, options.stepsEach) = (1e-11, 20)
    let count = 6
    let leading = try jacobian.singularValues(leading: count, whole: 0, options: options)
    for (index, found) in leading.values.prefix(count).enumerated() {
      #expect(abs(found / expected[index] - 1) < 1e-10, "\(index)")
    }
    #expect(leading.converged(within: 1e-9) >= min(count, expected.count))
    #expect(
      abs(leading.squaredNorm - squares) <= 5 * leading.squaredNormError + 1e-9 * squares)
    // The vectors are J's own.
    let rows = leading.right.sliced(0, 0, count)
    let along = try jacobian.times(rows)
    let scale = Tensor(Array(leading.values.prefix(count)), shape: [count, 1])
    #expect(gap(along, leading.left.sliced(0, 0, count) * scale) < 1e-8 * expected[0])
    let identity = rows.times(rows.transposed())
    #expect(gap(identity, .identity(count, .float64)) < 1e-12)
  }

  @Test("where it stops early, every value is a lower bound and lies within its residual")
  func bounds() throws {
    let expected = try #require(try Self.fixture()["mixer-timm/singular/blocks.1"])
      .scalars(Double.self)
    let (model, input) = try doubleNetwork("mixer-timm")
    let jacobian = try LayerJacobian(
      "blocks.1", at: input.sliced(0, 0, 1), of: embedding(model, "blocks.1"))
    var options = Bidiagonalisation.Options()
    (options.stepsEach, options.probes) = (2, 40)
    let leading = try jacobian.singularValues(leading: 8, whole: 0, options: options)
    #expect(leading.method == .bidiagonalisation(steps: 16) && !leading.isComplete)
    for (index, found) in leading.values.enumerated() {
      #expect(found <= expected[index] * (1 + 1e-12))
      let nearest = expected.map { abs($0 - found) }.min() ?? .infinity
      #expect(nearest <= leading.residuals[index] + 1e-12)
    }
    let squares = expected.reduce(0) { $0 + $1 * $1 }
    #expect(abs(leading.squaredNorm / squares - 1) < 0.1)
    #expect(leading.squaredNormError > 0 && leading.squaredNormError < 0.1 * squares)
    // Bounds that hold for the true spectrum.
    let numbers = SpectrumNumbers(
      Array(expected.prefix(20)), missing: expected.count - 20,
      rest: squares - expected.prefix(20).reduce(0) { $0 + $1 * $1 })
    let truth = SpectrumNumbers(expected, missing: 0, rest: 0)
    for threshold in [0.5, 0.1, 1e-2, 1e-3] {
      let (bound, exact) = (numbers.rank(threshold), truth.rank(threshold))
      #expect(exact.isExact && bound.low <= exact.low && bound.high >= exact.low)
    }
    let (bound, exact) = (numbers.effectiveRank, truth.effectiveRank)
    #expect(exact.isExact && bound.low < exact.low && bound.high > exact.low)
    #expect(bound.low > 0.3 * exact.low && bound.high < 2 * exact.low)
    let sum = expected.reduce(0, +)
    let entropy = -expected.reduce(0) { $0 + $1 / sum * log($1 / sum) }
    #expect(abs(exact.low - exp(entropy)) < 1e-9)
    #expect(SpectrumNumbers([3, 3, 3, 0], missing: 0, rest: 0).effectiveRank.low.rounded() == 3)
  }

  @Test("equal singular values are all found, and a rank is found out")
  func multiplicities() throws {
    let random = RandomSource(seed: 4).normal([40, 40]).to(.float64)
    let square = Operator("aten::linalg_qr").all([random, "complete"])[0]
    let orthogonal = try LayerJacobian("orthogonal", at: Tensor.zeros([1, 40], .float64)) {
      $0.linear(square)
    }
    let all = try orthogonal.singularValues(leading: 40, whole: 0)
    #expect(all.isComplete && all.values.count == 40)
    #expect(all.values.allSatisfy { abs($0 - 1) < 1e-12 } && abs(all.squaredNorm - 40) < 1e-10)
    // Rank 7, of 30 × 50.
    let low = RandomSource(seed: 5).normal([30, 7]).to(.float64)
      .times(RandomSource(seed: 6).normal([7, 50]).to(.float64))
    let deficient = try LayerJacobian("deficient", at: Tensor.zeros([1, 50], .float64)) {
      $0.linear(low)
    }
    let found = try deficient.singularValues(leading: 20, whole: 0)
    #expect(found.isComplete && found.values.count == 7)
    let exact = try deficient.singularValues()
    for (a, b) in zip(found.values, exact.values) { #expect(abs(a / b - 1) < 1e-12) }
    #expect(SpectrumNumbers(exact).rank(1e-10).low == 7)
    #expect(throws: AnalysisError.self) {
      try LayerJacobian("constant", at: Tensor.zeros([1, 5], .float64)) { $0 * 0.0 + 1.0 }
        .singularValues()
    }
    #expect(throws: AnalysisError.self) {
      try LayerJacobian("constant", at: Tensor.zeros([1, 5], .float64)) { $0 * 0.0 + 1.0 }
        .singularValues(leading: 2, whole: 0)
    }
  }

  @Test("the Gram route gives the decomposition's values down to its floor, tall and wide")
  func gram() throws {
    for (rows, columns) in [(30, 150_000), (150_000, 30)] {
      let scale = Tensor(
        (0..<30).map { pow(10, -Double($0) / 10) }, shape: rows == 30 ? [30, 1] : [1, 30])
      let matrix = RandomSource(seed: 3).normal([rows, columns]).to(.float64) * scale
      let gram = try LayerJacobian.decomposed(matrix, named: "matrix")
      #expect(gram.method == .gram && gram.values.count == 30)
      let (_, s, _) = try JacobianAlgebra.singular(rows == 30 ? matrix.transposed() : matrix)
      for (a, b) in zip(gram.values, s) { #expect(abs(a - b) < 1e-9 * s[0]) }
      let there = gram.right.times(matrix.transposed())
      #expect(gap(there, gram.left * Tensor(gram.values, shape: [30, 1])) < 1e-9 * s[0])
    }
  }

  private static let golden = Tensor([1.0, 2, 0, 0, 1, -1], shape: [2, 3])

  @Test("the golden values of a linear map: spectrum, null direction, minimum-norm step")
  func goldenValues() throws {
    let (start, target) = (
      Tensor([0.2, -0.5, 0.9], shape: [1, 3]), Tensor([1.0, 0.3, -0.4], shape: [1, 3])
    )
    let jacobian = try LayerJacobian("linear", at: start) { $0.linear(Self.golden) }
    let residual = jacobian.values - target.linear(Self.golden)
    for (value, wanted) in zip(jacobian.values.scalars(Double.self), [-0.8, -1.4]) {
      #expect(abs(value - wanted) < 1e-15)
    }
    let spectrum = try jacobian.singularValues()
    for (value, wanted) in zip(spectrum.values, [sqrt(6), 1]) {
      #expect(abs(value - wanted) < 1e-14)
    }
    let space = try NormalSpace(spectrum)
    #expect(space.rank == 2 && space.isWhole)
    let null = Tensor([-2.0, 1, 1], shape: [1, 3]) / 6.0.squareRoot()
    #expect(gap(space.tangent(null), null) < 1e-14)
    #expect(space.normal(null).absolute().maximum().item(Double.self) < 1e-14)
    let step = try GaussNewton(jacobian).step(for: residual.reshaped(-1))
    for (value, wanted) in zip(step.scalars(Double.self), [0.1, 1.15, -0.95]) {
      #expect(abs(value - wanted) < 1e-13)
    }
    #expect(abs(step.norm(over: [0]).item(Double.self) - 1.4949916387726043) < 1e-13)
    // One step reaches the target of a linear map.
    let reached = (start + step.unsqueezed(0)).linear(Self.golden)
    #expect(gap(reached, target.linear(Self.golden)) < 1e-13)
    let other = try jacobian.minimumNormStep(for: residual.reshaped(-1))
    #expect(gap(other.step, step) < 1e-12 && other.remaining < 1e-10)
    // With damping it is the minimum of ‖JΔ + r‖² + λ‖Δ‖².
    let damped = try GaussNewton(jacobian).step(for: residual.reshaped(-1), damping: 0.7)
    let normal = Self.golden.transposed().times(Self.golden) + Tensor.identity(3, .float64) * 0.7
    let right = Self.golden.transposed().times(residual.reshaped(2, 1))
    #expect(gap(normal.times(damped.reshaped(3, 1)), -right) < 1e-13)
    let iterated = try jacobian.minimumNormStep(for: residual.reshaped(-1), damping: 0.7)
    #expect(gap(iterated.step, damped) < 1e-12)
    // A linear map does not change along the tangent space.
    let along = space.tangent(RandomSource(seed: 2).normal([1, 3]).to(.float64)) * 100.0
    #expect(gap((start + along).linear(Self.golden), jacobian.values) < 1e-12)
  }

  @Test("P_N + P_T = I, both are projections, J·P_T·d = 0; a random direction is mostly tangent")
  func projections() throws {
    let (model, input) = try doubleNetwork("vit-timm")
    let jacobian = try LayerJacobian("head", at: input.sliced(0, 0, 1), of: embedding(model))
    let spectrum = try jacobian.singularValues()
    let space = try NormalSpace(spectrum, threshold: 1e-9)
    #expect(space.rank == 10 && space.isWhole)
    let d = RandomSource(seed: 8).normal([50, 1728]).to(.float64)
    let (normal, tangent) = (space.normal(d), space.tangent(d))
    #expect(gap(normal + tangent, d) < 1e-13)
    #expect(
      gap(space.normal(normal), normal) < 1e-12 && gap(space.tangent(tangent), tangent) < 1e-12)
    let seen = try jacobian.times(tangent, at: Array(repeating: 0, count: 50))
    #expect(seen.absolute().maximum().item(Double.self) < 1e-11)
    let shares = space.share(d)
    let mean = shares.reduce(0, +) / 50
    #expect(abs(mean - (10.0 / 1728).squareRoot()) < 0.2 * (10.0 / 1728).squareRoot())
    let step = try GaussNewton(jacobian).step(for: Tensor((0..<10).map(Double.init), shape: [10]))
    #expect(abs(space.share(step.unsqueezed(0))[0] - 1) < 1e-10)
    // Least squares with J: the same projection.
    let matrix = try jacobian.matrix()
    let solved = try #require(
      try JacobianAlgebra.solved(
        matrix.times(matrix.transposed()), matrix.times(d.transposed())))
    #expect(gap(solved.transposed().times(matrix), normal) < 1e-9)
  }

  @Test("power iteration finds the largest singular value of every image at once")
  func power() throws {
    let (model, input) = try doubleNetwork("resnet-basic")
    let jacobian = try LayerJacobian("output", at: input, of: embedding(model))
    let found = try jacobian.powerIteration(iterations: 2000, tolerance: 1e-15)
    for image in 0..<2 {
      let one = try jacobian.at(image: image)
      let exact = try one.singularValues()
      #expect(abs(found.values[image] / exact.values[0] - 1) < 1e-10)
      let cosine = (found.vectors.selected(0, image) * exact.right.selected(0, 0)).sum()
      #expect(abs(abs(cosine.item(Double.self)) - 1) < 1e-6)
      // Of one image among several, and alone.
      #expect(gap(try jacobian.matrix(of: image), try one.matrix()) < 1e-12)
    }
    let few = try jacobian.powerIteration(iterations: 2)
    #expect(few.iterations == 2 && zip(few.values, found.values).allSatisfy { $0 < $1 })
  }

  @Test("rows are products whatever the batch; one pass leads back for all of them")
  func batches() throws {
    let (model, input) = try doubleNetwork("mixer-timm")
    var calls = 0
    let function = embedding(model, "blocks.0")
    let counting = { (images: Tensor) throws -> Tensor in
      calls += 1
      return try function(images)
    }
    let jacobian = try LayerJacobian(
      "blocks.0", at: input.sliced(0, 0, 1), batchSize: 16, of: counting)
    let matrix = try jacobian.matrix()
    #expect(matrix.shape == [216, 1728] && calls <= 3, "\(calls)")
    let u = RandomSource(seed: 1).normal([11, 216]).to(.float64)
    let v = RandomSource(seed: 2).normal([11, 1728]).to(.float64)
    for size in [1, 4, 16] {
      let other = try LayerJacobian(
        "blocks.0", at: input.sliced(0, 0, 1), batchSize: size, of: function)
      #expect(gap(try other.transposedTimes(u), u.times(matrix)) < 1e-11)
      #expect(gap(try other.times(v), v.times(matrix.transposed())) < 1e-11)
    }
    let both = try LayerJacobian("blocks.0", at: input, batchSize: 3, of: function)
    let mixed = try both.times(v.sliced(0, 0, 4), at: [0, 1, 1, 0])
    for (row, image) in [0, 1, 1, 0].enumerated() {
      let alone = try both.at(image: image).times(v.sliced(0, row, row + 1))
      #expect(gap(mixed.sliced(0, row, row + 1), alone) < 1e-12)
    }
    #expect(gap(LayerJacobian.gram(matrix), matrix.times(matrix.transposed())) < 1e-10)
  }

  @Test(
    "graphs have derivatives either way: one is the other's transpose, and both are what differences say",
    arguments: [
      "onnx/clip-hf.onnx", "onnx/convnext-timm.onnx", "onnx/mixer-timm.onnx",
      "onnx/densenet-torchvision.onnx", "onnx/mobilenetv3-timm.onnx", "onnx/efficientnet-timm.onnx",
      "onnx/deit-distilled-timm.onnx", "exports/vit-timm.pt2",
    ])
  func graphs(file: String) throws {
    let subject = try Subject(Catalog.load(.graph(fixtures.appending(path: file).path)))
    let site = try #require(subject.sites.last { [.vector, .tokens, .map].contains($0.kind) })
    let embedding = LayerEmbedding(subject: subject, site: site, isRaw: true)
    let shape = [1, 3, subject.imageSize.height, subject.imageSize.width]
    let source = RandomSource(seed: 3)
    let point = source.normal(shape)
    let jacobian = try LayerJacobian(
      embedding.name, at: point, batchSize: subject.model.fixedBatch ?? 2
    ) { try embedding($0) }
    let (v, u) = (source.normal([1, jacobian.inputs]), source.normal([1, jacobian.features]))
    let (forward, back) = (try jacobian.times(v), try jacobian.transposedTimes(u))
    func product(_ a: Tensor, _ b: Tensor) -> Double {
      (a.to(.float64) * b.to(.float64)).sum().item(Double.self)
    }
    func norm(_ a: Tensor) -> Double { product(a, a).squareRoot() }
    #expect(norm(forward) > 0)
    #expect(abs(product(forward, u) - product(back, v)) < 1e-4 * norm(forward) * norm(u))
    let step = 0.1 / norm(v)
    let along = v.reshaped(shape) * step
    let difference = (try embedding(point + along) - embedding(point - along)) / (2 * step)
    #expect(norm(difference - forward) < 0.1 * norm(forward), "\(file)")
  }
}
