import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

/// Matrices one after the other, with ReLU between them or without.
private struct Perceptron: Sendable {
  var matrices: [Tensor]

  init(_ widths: [Int], seed: UInt64) {
    let source = RandomSource(seed: seed)
    matrices = zip(widths, widths.dropFirst()).map { from, to in
      source.uniform([to, from]).to(.float64) * (2 / Double(from).squareRoot())
        - 1 / Double(from).squareRoot()
    }
  }

  func callAsFunction(_ images: Tensor) -> Tensor {
    matrices.reduce(images.reshaped(images.shape[0], -1)) { $0.linear($1) }
  }

  /// All matrices as one.
  var whole: Tensor { matrices.dropFirst().reduce(matrices[0]) { $1.times($0) } }
}

@Suite("Inversion")
struct InversionTests {
  private static func fixture() throws -> Safetensors {
    try Safetensors(fixtures.appending(path: "inversion/inversion.safetensors").path)
  }

  private func relative(_ a: Tensor, _ b: Tensor) -> Double {
    gap(a, b) / b.absolute().maximum().item(Double.self)
  }

  @Test("blurs have the golden weights, and are torchvision's with reflected borders")
  func blurs() throws {
    for (sigma, side, centre) in [
      (2.4, 0.323552913154755, 0.35289417369049), (1.5, 0.30780132912347, 0.38439734175306),
      (1.1, 0.284763800625287, 0.430472398749426), (0.8, 0.23899426562299, 0.522011468754019),
      (0.4, 0.0403878932532893, 0.919224213493421),
    ] {
      let weights = Blur(sigma: sigma).weights
      #expect(abs(weights[0] - side) < 1e-14 && abs(weights[1] - centre) < 1e-14)
      #expect(weights[0] == weights[2])
    }
    let ramp = Tensor((0..<16).map { Double($0) / 15 }, shape: [1, 1, 4, 4])
    let golden = [
      0.2157019421031699, 0.2392282203492026, 0.3058948870158692, 0.329421165261902,
      0.3098070550873007, 0.3333333333333333, 0.4, 0.4235262782460326, 0.5764737217539673, 0.6,
      0.6666666666666666, 0.6901929449126992, 0.6705788347380981, 0.6941051129841307,
      0.7607717796507972, 0.7842980578968299,
    ]
    #expect(gap(Blur(sigma: 2.4)(ramp), Tensor(golden, shape: [1, 1, 4, 4])) < 1e-14)
    var impulse = [Double](repeating: 0, count: 16)
    impulse[0] = 1
    let corner = Blur(sigma: 0.8)(Tensor(impulse, shape: [1, 1, 4, 4])).scalars(Double.self)
    for (place, value) in [
      (0, 0.2724959735107281), (1, 0.1247577476216454), (4, 0.1247577476216454),
      (5, 0.0571182590006725),
    ] { #expect(abs(corner[place] - value) < 1e-14) }
    let fixture = try Self.fixture()
    let noise = try #require(fixture["blur/noise"])
    for sigma in [2.4, 1.5, 1.1, 0.8, 0.4] {
      let expected = try #require(fixture["blur/noise/\(sigma)"])
      #expect(gap(Blur(sigma: sigma)(noise), expected) < 1e-14)
    }
    let large = try #require(fixture["blur/large"])
    let expected = try #require(fixture["blur/noise/11x11"])
    #expect(gap(Blur(size: 11, sigma: 2.2)(large), expected) < 1e-14)
  }

  @Test("schedules approach their end; the shift's distance is s·√n")
  func schedules() {
    let schedule = LinearSchedule(2.4, 0.4)
    for (step, value) in [(0, 2.4), (1, 2.396), (250, 1.4), (499, 0.404)] {
      #expect(abs(schedule(step, of: 500) - value) < 1e-12)
    }
    var shift = ReferenceShift()
    for (side, value) in [
      (299, 28.7712884146164), (224, 21.554410049746), (29, 2.79052630108319),
      (32, 3.079201435678),
    ] { #expect(abs(shift.distance(3 * side * side) - value) < 1e-12) }
    shift.scale = 1.0 / 25
    #expect(abs(shift.distance(3 * 299 * 299) - 20.7153276585238) < 1e-12)
    let drawn = shift.draw([3, 64, 64], seed: 5).to(.float64).squared().sum().item(Double.self)
    #expect(abs(drawn.squareRoot() / shift.distance(3 * 64 * 64) - 1) < 0.02)
  }

  @Test("LayerNorm maps shifted and scaled vectors to nearly the same one")
  func layerNorm() throws {
    let rows = Tensor([0, 2, 4, -1, 0, 1, 2.1, 2.2, 2.3], shape: [3, 3])
    let found = rows.layerNormalized(
      weight: .ones([3], .float64), bias: .zeros([3], .float64), epsilon: 1e-5)
    let expected = try #require(Self.fixture()["norm"])
    #expect(gap(found, expected) < 1e-13)
    let golden = [1.2247425750014138, 1.2247356859083902, 1.22382734482]
    for (row, value) in golden.enumerated() {
      #expect(abs(found.selected(0, row).scalars(Double.self)[2] - value) < 1e-11)
    }
  }

  private func network(_ fixture: Safetensors) throws -> (Tensor) -> Tensor {
    let first = try #require(fixture["descent/conv1"])
    let bias = try #require(fixture["descent/bias1"])
    let second = try #require(fixture["descent/conv2"])
    return { images in
      let hidden = images.convolution(first, bias, stride: [2, 2], padding: [1, 1]).relu()
      return hidden.convolution(second, nil, padding: [1, 1]).reshaped(images.shape[0], -1)
    }
  }

  @Test(
    "one, ten and a hundred steps from a given start are PyTorch's, with the blur and with Adam",
    arguments: ["l1", "l2", "rss", "adam"])
  func descent(kind: String) throws {
    let fixture = try Self.fixture()
    let forward = try network(fixture)
    let target = try #require(fixture["descent/target"])
    let start = try #require(fixture["descent/start"])
    var recipe = InversionRecipe.badger2022(.convolutional, features: 1)
    #expect(recipe.loss == .l1 && recipe.scale == 0.15 && recipe.descent.steps == 500)
    switch kind {
    case "l2":
      (recipe.loss, recipe.scale) = (.l2, 0.3)
      recipe.descent.octaves[0].rate = LinearSchedule(0.1, 0.01)
      recipe.descent.octaves[0].smoothing = nil
    case "rss":
      (recipe.loss, recipe.scale, recipe.descent.octaves[0].smoothing) = (.rss, 0.3, nil)
    case "adam":
      recipe = Self.recipe(.rss, 100, LinearSchedule(0.05, 0.005))
      recipe.descent.optimiser = .adam
    default: break
    }
    for steps in [1, 10, 100] {
      let expected = try #require(fixture["descent/\(kind)/\(steps)"])
      let inversion = Inversion("network", recipe) { forward($0) }
      var state = try inversion.begin(from: start)
      let interrupter = Interrupter(after: steps)
      if steps < recipe.descent.steps {
        #expect(throws: AnalysisError.interrupted) {
          try inversion.run(target, &state, isInterrupted: interrupter.isInterrupted)
        }
      } else {
        try inversion.run(target, &state)
      }
      #expect(state.step == steps)
      #expect(
        relative(inversion.pictures(state), expected) < (steps == 100 ? 1e-3 : 1e-9), "\(steps)")
      if kind != "l1" { #expect(relative(inversion.pictures(state), expected) < 1e-8, "\(steps)") }
    }
  }

  private func settle(
    _ perceptron: Perceptron, _ recipe: InversionRecipe, inputs: Int, seed: UInt64 = 3
  ) throws -> (target: Tensor, start: Tensor, found: Tensor, state: Inversion.State) {
    let shape = [1, inputs, 1, 1]
    let target = RandomSource(seed: seed).uniform(shape).to(.float64)
    let start = recipe.descent.beginning([inputs, 1, 1], seed: seed + 1).unsqueezed(0).to(.float64)
    let inversion = Inversion("perceptron", recipe) { perceptron($0) }
    var state = try inversion.begin(from: start)
    try inversion.run(target, &state, every: 100)
    return (target, start, inversion.result(state), state)
  }

  private func recipe(_ steps: Int) -> InversionRecipe {
    var recipe = InversionRecipe.badger2022(.perceptron, features: 1)
    recipe.descent.octaves[0] = .init(steps: steps, rate: LinearSchedule(0.1, 1e-4))
    return recipe
  }

  private static func recipe(
    _ loss: EmbeddingLoss, _ steps: Int, _ rate: LinearSchedule
  ) -> InversionRecipe {
    var recipe = InversionRecipe(name: "test", DescentRecipe([.init(steps: steps, rate: rate)]))
    (recipe.loss, recipe.descent.kept) = (loss, .best)
    return recipe
  }

  @Test("of a linear map the descent leaves what the map does not see exactly as it was")
  func nullSpace() throws {
    let perceptron = Perceptron([48, 20], seed: 1)
    let (target, start, found, _) = try settle(perceptron, recipe(1000), inputs: 48)
    // I − Wᵀ (W Wᵀ)⁻¹ W.
    let matrix = perceptron.whole
    let inverse = Operator("aten::linalg_inv")(matrix.times(matrix.transposed()))
    let null =
      Tensor.identity(48, .float64) - matrix.transposed().times(inverse).times(matrix)
    func projected(_ image: Tensor) -> Tensor { null.times((image - target).reshaped(48, 1)) }
    #expect(gap(projected(found), projected(start)) < 1e-12)
    let bound = projected(start).squared().sum().item(Double.self).squareRoot()
    let distance = (found - target).squared().sum().item(Double.self).squareRoot()
    #expect(bound > 0.5 && distance >= bound - 1e-12 && distance < 1.1 * bound)
  }

  @Test("the inversion of an orthogonal map is its transpose")
  func orthogonal() throws {
    let random = RandomSource(seed: 9).normal([30, 30]).to(.float64)
    let matrix = Operator("aten::linalg_qr").all([random, "complete"])[0]
    let recipe = Self.recipe(.rss, 200, LinearSchedule(0.3, 0.3))
    let target = RandomSource(seed: 2).uniform([1, 30, 1, 1]).to(.float64)
    let inversion = Inversion("orthogonal", recipe) { $0.reshaped(1, 30).linear(matrix) }
    var state = try inversion.begin(from: target.zerosLike())
    try inversion.run(target, &state)
    let closed = target.reshaped(1, 30).linear(matrix).times(matrix)
    #expect(gap(inversion.result(state).reshaped(1, 30), closed) < 1e-12)
    #expect(gap(inversion.result(state), target) < 1e-12)
  }

  @Test(
    "the wider a linear network the better the input comes back; below the input's width it never does"
  )
  func widths() throws {
    func run(_ width: Int, _ depth: Int) throws -> (embedding: Double, input: Double) {
      let perceptron = Perceptron([192] + Array(repeating: width, count: depth), seed: 5)
      let (target, _, _, state) = try settle(perceptron, recipe(2000), inputs: 192)
      let last = try #require(state.trace[0].last)
      let shift = ReferenceShift().draw([192, 1, 1], seed: 8).to(.float64).unsqueezed(0)
      let moved = (perceptron(target + shift) - perceptron(target)).norm(over: [1])
      let reached = try #require(last.embedding)
      #expect(reached < moved.scalars(Double.self)[0], "m_g < m_r at \(width) × \(depth)")
      return (reached, try #require(last.input))
    }
    let (narrow, square, wide) = (try run(96, 1), try run(192, 1), try run(384, 1))
    let deep = (narrow: try run(96, 3), square: try run(192, 3), wide: try run(384, 3))
    #expect(narrow.input > 3 && narrow.embedding < 0.05)
    #expect(narrow.input > square.input && square.input > wide.input)
    #expect(wide.input < 0.1)
    #expect(deep.narrow.input > deep.square.input && deep.square.input > deep.wide.input)
    #expect(deep.square.input > square.input, "the condition number grows with depth")
    let widest = (try run(768, 1), try run(768, 3))
    #expect(widest.0.input < 0.05 && widest.1.input < deep.wide.input)
  }

  @Test("more steps make up for depth, and wider late layers for their own")
  func stepsAndLateWidths() throws {
    func input(_ widths: [Int], _ steps: Int) throws -> Double {
      let (_, _, _, state) = try settle(
        Perceptron([64] + widths, seed: 5), recipe(steps), inputs: 64)
      return try #require(state.trace[0].last?.input)
    }
    let shallow = try input([128], 300)
    let deep = try input([128, 128, 128, 128], 300)
    #expect(deep > 2 * shallow, "\(deep) \(shallow)")
    #expect(try input([128, 128, 128, 128], 6000) < deep / 2)
    #expect(try input([128, 128, 512], 300) < input([128, 128, 96], 300))
  }

  @Test("a ReLU that closes half the units needs twice as many as inputs, and so for each layer")
  func rectified() throws {
    func rank(_ widths: [Int]) throws -> Int {
      let source = RandomSource(seed: 6)
      let matrices = zip([48] + widths, widths).map {
        source.normal([$1, $0]).to(.float64) / Double($0).squareRoot()
      }
      let jacobian = try LayerJacobian(
        "relu", at: RandomSource(seed: 2).normal([1, 48]).to(.float64)
      ) { x in matrices.reduce(x) { $0.linear($1).relu() } }
      let values = Operator("aten::linalg_svdvals")(try jacobian.matrix()).scalars(Double.self)
      return values.count { $0 > 1e-9 * values[0] }
    }
    // About half of the units are open.
    #expect((16...32).contains(try rank([48])))
    #expect(try rank([96]) < 56 && rank([96]) > 40)
    #expect(try rank([160]) == 48)
    // The second layer's closed half leaves as many as it has left.
    #expect(try rank([160, 60]) < 40)
    #expect(try rank([160, 160]) == 48)
  }

  @Test("a loss a hundred times the first is a divergence, finite or not")
  func grows() throws {
    var recipe = InversionRecipe(
      name: "test", DescentRecipe([.init(steps: 60, rate: LinearSchedule(0.6, 0.6))]))
    recipe.loss = .rss
    let target = Tensor.ones([1, 3, 2, 2], .float64)
    let inversion = Inversion("test", recipe) { $0.reshaped($0.shape[0], -1) * 1.5 }
    var state = try inversion.begin(from: target.zerosLike())
    try inversion.run(target, &state)
    let step = try #require(state.stopped[0])
    #expect(step > 1 && step < 20)
    // The best was the first, and it is what is kept.
    #expect(gap(inversion.result(state), target.zerosLike()) == 0)
    recipe.descent.divergence = nil
    let without = Inversion("test", recipe) { $0.reshaped($0.shape[0], -1) * 1.5 }
    var other = try without.begin(from: target.zerosLike())
    try without.run(target, &other)
    #expect(other.stopped[0] == nil)
  }

  @Test("a descent that diverges stops at a named step and keeps its best; the others go on")
  func diverges() throws {
    var recipe = Self.recipe(.rss, 400, LinearSchedule(0.4, 0.4))
    recipe.descent.divergence = nil
    // The second image's numbers are multiplied with 30, for which the rate is far too large.
    let gains = Tensor([1.0, 30.0], shape: [2, 1])
    let target = RandomSource(seed: 1).uniform([2, 3, 2, 4]).to(.float64)
    let inversion = Inversion("steep", recipe) { $0.reshaped(2, -1) * gains }
    var state = try inversion.begin(from: target.zerosLike())
    try inversion.run(target, &state)
    #expect(state.stopped[0] == nil)
    let step = try #require(state.stopped[1])
    #expect(step > 10 && step < 400)
    let found = inversion.result(state)
    #expect(found.isFinite())
    #expect(gap(found.selected(0, 0), target.selected(0, 0)) < 1e-9)
    #expect(gap(found.selected(0, 1), target.selected(0, 1).zerosLike()) == 0)
    #expect(state.bestStep[1] == 0 && state.trace[0].last?.step == 400)
  }

  @Test(
    "images of a batch descend as they would alone, and a stopped descent goes on to the same picture"
  )
  func batches() throws {
    let fixture = try Self.fixture()
    let forward = try network(fixture)
    let target = try #require(fixture["descent/target"])
    let start = try #require(fixture["descent/start"])
    var recipe = InversionRecipe.quick
    recipe.descent.octaves = [.init(steps: 40, rate: LinearSchedule(0.05, 0.005), jitter: 2)]
    let inversion = Inversion("network", recipe) { forward($0) }
    var whole = try inversion.begin(from: start)
    try inversion.run(target, &whole)
    for image in 0..<2 {
      var alone = try inversion.begin(from: start.sliced(0, image, image + 1))
      try inversion.run(target.sliced(0, image, image + 1), &alone)
      #expect(
        gap(inversion.result(alone).selected(0, 0), inversion.result(whole).selected(0, image))
          < 1e-9)
      #expect(alone.bestStep == [whole.bestStep[image]])
    }
    var state = try inversion.begin(from: start)
    let interrupter = Interrupter(after: 17)
    #expect(throws: AnalysisError.interrupted) {
      try inversion.run(target, &state, isInterrupted: interrupter.isInterrupted)
    }
    let kept = Dictionary(
      uniqueKeysWithValues: try state.tensors().map { ($0.name, $0.tensor) })
    #expect(inversion.bare.state(kept, batch: 2, height: 8, width: 9) == nil)
    var restored = try #require(inversion.bare.state(kept, batch: 2, height: 8, width: 10))
    #expect(restored.step == 17)
    try inversion.run(target, &restored)
    #expect(gap(inversion.result(restored), inversion.result(whole)) == 0)
    #expect(restored.trace == whole.trace && restored.trace[0].count == 41)
  }

  @Test("losses by their definitions; a relative one is 1 for an embedding of zeros")
  func losses() {
    let (a, b) = (
      Tensor([3.0, 4, 1, 0], shape: [2, 2]), Tensor([0.0, 0, 0, 2], shape: [2, 2])
    )
    func values(_ loss: EmbeddingLoss) -> [Double] { loss(a, b).scalars(Double.self) }
    #expect(values(.l1) == [7, 3])
    #expect(values(.l2)[0] == 5 && abs(values(.l2)[1] - 5.0.squareRoot()) < 1e-15)
    #expect(values(.rss) == [25, 5])
    #expect(EmbeddingLoss.cosine(a, a * 2.0).scalars(Double.self).allSatisfy { abs($0) < 1e-15 })
    #expect(values(.cosine)[1] == 1)
    for loss in EmbeddingLoss.allCases where loss != .cosine {
      let scaled = loss(a, a.zerosLike()) / loss.scale(a)
      #expect(scaled.scalars(Double.self) == [1, 1])
    }
  }

  @Test("PSNR and SSIM are scikit-image's; high frequencies NumPy's", arguments: ["near", "far"])
  func comparison(name: String) throws {
    let fixture = try Self.fixture()
    let original = try #require(fixture["compare/\(name)/original"])
    let picture = try #require(fixture["compare/\(name)/picture"])
    let values = try #require(fixture["compare/\(name)/values"]).scalars(Double.self)
    let found = PictureComparison(picture, original)
    #expect(abs(try #require(found.psnr) - values[0]) < 1e-9)
    #expect(abs(try #require(found.ssim) - values[1]) < 1e-9)
    #expect(abs(try #require(found.highFrequency) - values[2]) < 1e-9)
    let same = PictureComparison(original, original)
    #expect(same.psnr == nil)
    #expect(abs(try #require(same.ssim) - 1) < 1e-12)
    #expect(abs(try #require(same.highFrequency) - 1) < 1e-12)
    let small = original.sliced(1, 0, 6)
    #expect(PictureComparison(small, small).ssim == nil)
  }
}
