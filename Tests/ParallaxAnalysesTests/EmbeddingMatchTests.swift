import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

@Suite("Matching of embeddings")
struct EmbeddingMatchTests {
  private struct Fixture {
    let file: Safetensors

    func tensor(_ name: String) throws -> Tensor { try #require(file[name], "\(name)") }
  }

  private static func fixture() throws -> Fixture {
    Fixture(
      file: try Safetensors(fixtures.appending(path: "equivalence/matching.safetensors").path))
  }

  private func relative(_ a: Tensor, _ b: Tensor) -> Double {
    gap(a, b) / b.absolute().maximum().item(Double.self)
  }

  /// f(x) = Wx of the reference, on pictures of one pixel.
  private static let matrix = Tensor([1.0, 2, 0, 0, 1, -1], shape: [2, 3])
  private static let source = Tensor([0.2, -0.5, 0.9], shape: [1, 3, 1, 1])
  private static let target = Tensor([1, 0.3, -0.4], shape: [1, 3, 1, 1])

  private static func linear(_ x: Tensor) -> Tensor {
    x.reshaped(x.shape[0], 3).linear(matrix)
  }

  private func network(_ file: Fixture) throws -> (Tensor) -> Tensor {
    let (first, bias) = (try file.tensor("match/conv1"), try file.tensor("match/bias1"))
    let second = try file.tensor("match/conv2")
    return { x in
      x.convolution(first, bias, stride: [2, 2], padding: [1, 1]).hyperbolicTangent()
        .convolution(second, stride: [2, 2]).reshaped(x.shape[0], -1)
    }
  }

  @Test("the golden trajectory of the published loop")
  func golden() throws {
    var recipe = MatchRecipe.salman2024
    (recipe.rate, recipe.steps, recipe.cosine) = (LinearSchedule(0.09, 0.09), 3, 1)
    let match = EmbeddingMatch("linear", recipe) { Self.linear($0) }
    var state = EmbeddingMatch.State(Self.source)
    try match.run(Self.source, to: Self.linear(Self.target), &state)
    let trace = state.trace[0]
    let wanted = [
      (5.085, 2.551464, 0.41452526486367514, 1.026),
      (1.275732, 0.8707091076, 0.8500643432486866, 1.51254),
      (0.4353545538, 0.45819353036628, 0.9218401343788557, 1.7496162),
    ]
    #expect(trace.map(\.step) == [0, 1, 2, 3])
    for (point, golden) in zip(trace.dropFirst(), wanted) {
      #expect(abs(point.loss - golden.0) < 1e-10)
      #expect(abs(point.distance - golden.1) < 1e-10)
      #expect(abs(point.cosine - golden.2) < 1e-12)
      #expect(abs(point.change - golden.3) < 1e-10)
    }
    let last = Tensor([0.526511, 0.5380636, 0.5149584], shape: [1, 3, 1, 1])
    #expect(gap(state.pictures, last) < 1e-10)
    #expect(state.endings == [.steps])
  }

  @Test("the shortest step reaches a linear target at once")
  func minimumNorm() throws {
    var recipe = MatchRecipe(name: "newton")
    (recipe.method, recipe.clamp, recipe.damping, recipe.steps) = (.gaussNewton, .none, 1e-14, 5)
    (recipe.tolerance, recipe.cosine) = (1e-10, 0.9999)
    let match = EmbeddingMatch("linear", recipe) { Self.linear($0) }
    var state = EmbeddingMatch.State(Self.source)
    try match.run(Self.source, to: Self.linear(Self.target), &state)
    #expect(state.endings == [.matched] && state.steps == [1])
    let step = state.pictures - Self.source
    #expect(gap(step, Tensor([0.1, 1.15, -0.95], shape: [1, 3, 1, 1])) < 1e-10)
    #expect(abs(step.squared().sum().squareRoot().item(Double.self) - 1.4949916387726043) < 1e-10)
    // Nothing of it lies in the null space.
    let null = Tensor([-2.0, 1, 1], shape: [1, 3, 1, 1])
    #expect(abs((step * null).sum().item(Double.self)) < 1e-10)
  }

  @Test("descent and Adam are PyTorch's, the batch image by image", arguments: [1, 10, 100])
  func steps(_ count: Int) throws {
    let file = try Self.fixture()
    let f = try network(file)
    let (sources, wanted) = (try file.tensor("match/sources"), try file.tensor("match/wanted"))
    func run(_ recipe: MatchRecipe) throws -> EmbeddingMatch.State {
      var state = EmbeddingMatch.State(sources)
      try EmbeddingMatch("network", recipe) { f($0) }.run(sources, to: wanted, &state)
      return state
    }
    var recipe = MatchRecipe.salman2024
    (recipe.rate, recipe.steps, recipe.tolerance) = (LinearSchedule(0.9, 0.9), count, 0)
    let state = try run(recipe)
    #expect(relative(state.pictures, try file.tensor("match/published/\(count)")) < 1e-12)
    if count == 100 {
      let rows = try file.tensor("match/published/trace").scalars(Double.self)
      let own = state.trace.flatMap { trace in
        trace.dropFirst().flatMap { [$0.loss, $0.distance, $0.cosine, $0.change] }
      }
      #expect(own.count == rows.count)
      for (a, b) in zip(own, rows) { #expect(abs(a - b) <= 1e-11 * max(1, abs(b))) }
    }
    // Of a hundred steps the rate goes from 0.01 to 0.001.
    var adam = MatchRecipe.quick
    (adam.steps, adam.tolerance, adam.rate) = (100, 0, LinearSchedule(0.01, 0.001))
    if count == 100 {
      #expect(relative(try run(adam).pictures, try file.tensor("match/adam/100")) < 1e-9)
    }
  }

  @Test("PGD's steps and projections in both norms", arguments: [1, 20])
  func projected(_ count: Int) throws {
    let file = try Self.fixture()
    let f = try network(file)
    let (sources, wanted) = (try file.tensor("match/sources"), try file.tensor("match/wanted"))
    for (ball, rate, name) in [
      (MatchRecipe.Ball.maximum(8.0 / 255), 2.0 / 255, "maximum"),
      (.euclidean(1), 0.2, "euclidean"),
    ] {
      var recipe = MatchRecipe.pgd
      (recipe.ball, recipe.steps, recipe.tolerance) = (ball, count, 0)
      recipe.rate = LinearSchedule(rate, rate)
      var state = EmbeddingMatch.State(sources)
      try EmbeddingMatch("network", recipe) { f($0) }.run(sources, to: wanted, &state)
      #expect(
        relative(state.pictures, try file.tensor("match/pgd/\(name)/\(count)")) < 1e-9, "\(name)")
    }
  }

  @Test("in the model's own numbers a ball and a clamp mean the same pixels")
  func units() throws {
    let file = try Self.fixture()
    let f = try network(file)
    let (sources, wanted) = (try file.tensor("match/sources"), try file.tensor("match/wanted"))
    let (mean, std) = ([0.5, 0.4, 0.3], [0.25, 0.2, 0.3])
    func row(_ values: [Double]) -> Tensor { Tensor(values, shape: [1, 3, 1, 1]) }
    for ball in [MatchRecipe.Ball.maximum(0.03), .euclidean(0.7)] {
      var recipe = MatchRecipe.pgd
      (recipe.ball, recipe.steps, recipe.tolerance) = (ball, 15, 0)
      var plain = EmbeddingMatch.State(sources)
      try EmbeddingMatch("pixels", recipe) { f($0) }.run(sources, to: wanted, &plain)
      recipe.unit = .normalised
      let input = (sources - row(mean)) / row(std)
      var state = EmbeddingMatch.State(input)
      try EmbeddingMatch(
        "normalised", recipe, scale: std.map { 1 / $0 }, offset: zip(mean, std).map { -$0 / $1 }
      ) { f($0 * row(std) + row(mean)) }.run(input, to: wanted, &state)
      #expect(gap(state.pictures * row(std) + row(mean), plain.pictures) < 1e-9)
    }
  }

  @Test("Gauss–Newton steps are those of the whole Jacobian", arguments: [1, 5])
  func gaussNewton(_ count: Int) throws {
    let file = try Self.fixture()
    let f = try network(file)
    let (sources, wanted) = (try file.tensor("match/sources"), try file.tensor("match/wanted"))
    var recipe = MatchRecipe(name: "newton")
    (recipe.method, recipe.clamp, recipe.steps) = (.gaussNewton, .none, count)
    (recipe.tolerance, recipe.products) = (0, 200)
    var state = EmbeddingMatch.State(sources)
    try EmbeddingMatch("network", recipe) { f($0) }.run(sources, to: wanted, &state)
    #expect(relative(state.pictures, try file.tensor("match/gauss-newton/\(count)")) < 1e-4)
  }

  @Test("several targets pull as in the published form, and the last decides")
  func several() throws {
    let file = try Self.fixture()
    let f = try network(file)
    let (sources, wanted) = (try file.tensor("match/sources"), try file.tensor("match/wanted"))
    let start = f(sources)
    let last = EmbeddingMatch.rescaled(wanted, to: start)
    let other = EmbeddingMatch.rescaled(f(try file.tensor("match/others")), to: start)
    var recipe = MatchRecipe.salman2024Several
    (recipe.rate, recipe.steps, recipe.tolerance) = (LinearSchedule(0.9, 0.9), 40, 0)
    var state = EmbeddingMatch.State(sources)
    let match = EmbeddingMatch("network", recipe) { f($0) }
    try match.run(sources, to: last, after: [other], &state)
    #expect(relative(state.pictures, try file.tensor("match/several/pictures")) < 1e-11)
    let rows = try file.tensor("match/several/trace").scalars(Double.self)
    let own = state.trace.flatMap { trace in
      trace.dropFirst().flatMap { [$0.loss, $0.distance, $0.cosine, $0.change] }
    }
    #expect(own.count == rows.count)
    for (a, b) in zip(own, rows) { #expect(abs(a - b) <= 1e-11 * max(1, abs(b))) }
    recipe.method = .gaussNewton
    #expect {
      try EmbeddingMatch("network", recipe) { f($0) }.run(sources, to: last, after: [other], &state)
    } throws: { "\($0)".contains("have one target") }
  }

  @Test("a picture's second-order steps do not depend on the others of its batch")
  func alone() throws {
    let file = try Self.fixture()
    let f = try network(file)
    let (sources, wanted) = (try file.tensor("match/sources"), try file.tensor("match/wanted"))
    // The first residual lies along one singular vector, but for a little: its system is solved before the second's.
    let first = sources.sliced(0, 0, 1)
    let spectrum = try LayerJacobian("network", at: first) { f($0) }.singularValues()
    let weights = Tensor(
      (0..<spectrum.values.count).map { pow(0.05, Double($0)) }, shape: [1, spectrum.values.count])
    let near = f(first) - weights.times(spectrum.left) * 0.3
    let targets = Tensor.concatenated([near, wanted.sliced(0, 1, 2)], 0)
    var recipe = MatchRecipe(name: "newton")
    (recipe.method, recipe.clamp, recipe.steps) = (.gaussNewton, .none, 1)
    (recipe.tolerance, recipe.cosine, recipe.products) = (0, 1, 40)
    func run(_ rows: Range<Int>) throws -> Tensor {
      let own = sources.sliced(0, rows.lowerBound, rows.upperBound)
      var state = EmbeddingMatch.State(own)
      try EmbeddingMatch("network", recipe) { f($0) }.run(
        own, to: targets.sliced(0, rows.lowerBound, rows.upperBound), &state)
      return state.pictures
    }
    let both = try run(0..<2)
    #expect(gap(both.sliced(0, 0, 1), try run(0..<1)) < 1e-10)
    #expect(gap(both.sliced(0, 1, 2), try run(1..<2)) < 1e-10)
  }

  @Test("a second-order step stops within itself, and the state is that before it")
  func interrupts() throws {
    let file = try Self.fixture()
    let f = try network(file)
    let (sources, wanted) = (try file.tensor("match/sources"), try file.tensor("match/wanted"))
    var recipe = MatchRecipe.newton
    recipe.tolerance = 0
    var state = EmbeddingMatch.State(sources)
    var asked = 0
    #expect(throws: AnalysisError.interrupted) {
      try EmbeddingMatch("network", recipe) { f($0) }.run(
        sources, to: wanted, &state,
        isInterrupted: {
          asked += 1
          return asked > 5
        })
    }
    // Once before the step, then before each product.
    #expect(state.step == 0 && gap(state.pictures, sources) == 0)
  }

  @Test("with 8 bits a picture stays in its ball, and is the nearest without one")
  func quantised() throws {
    let sources = PictureShelf.quantised(RandomSource(seed: 5).uniform([4, 3, 9, 7]))
    let moved = (sources + (RandomSource(seed: 6).uniform([4, 3, 9, 7]) - 0.5) * 0.4).clamped(0, 1)
    let free = MatchBounds.quantised(moved, from: sources, in: nil)
    #expect(gap(free, PictureShelf.quantised(moved)) == 0)
    func isEightBit(_ x: Tensor) -> Bool { gap(x, PictureShelf.quantised(x)) == 0 }
    for radius in [0.03, 8.0 / 255, 0.002] {
      let near = sources + (moved - sources).clamped(-radius, radius)
      let kept = MatchBounds.quantised(near, from: sources, in: .maximum(radius))
      let most = (kept - sources).absolute().maximum().item(Float.self)
      #expect(Double(most) <= radius + 1e-6 && isEightBit(kept), "\(radius)")
      // As near to the edge as steps of 1/255 come.
      #expect(Double(most) > radius - 1.0 / 255 - 1e-6)
    }
    for radius in [0.5, 0.05] {
      let change = moved - sources
      let length = change.squared().sum(over: [1, 2, 3], keeping: true).squareRoot()
      let near = sources + change / length * radius
      let kept = MatchBounds.quantised(near, from: sources, in: .euclidean(radius))
      let lengths = (kept - sources).to(.float64).squared().sum(over: [1, 2, 3]).squareRoot()
        .scalars(Double.self)
      #expect(lengths.allSatisfy { $0 <= radius + 1e-6 } && isEightBit(kept), "\(radius)")
    }
  }

  @Test("Levenberg–Marquardt comes nearer with every step that it takes, and arrives")
  func levenbergMarquardt() throws {
    let file = try Self.fixture()
    let f = try network(file)
    let (sources, wanted) = (try file.tensor("match/sources"), try file.tensor("match/wanted"))
    var state = EmbeddingMatch.State(sources)
    var recipe = MatchRecipe.newton
    (recipe.steps, recipe.tolerance, recipe.isRelative) = (60, 1e-4, false)
    try EmbeddingMatch("network", recipe) { f($0) }.run(sources, to: wanted, &state)
    #expect(state.endings == [.matched, .matched], "\(state.endings) \(state.distances)")
    for trace in state.trace {
      #expect(zip(trace, trace.dropFirst()).allSatisfy { $1.distance <= $0.distance })
    }
    let pixels = state.pictures.scalars(Double.self)
    #expect(pixels.allSatisfy { $0 >= 0 && $0 <= 1 })
    // A picture that has arrived is no longer moved: alone it takes the same way.
    var alone = EmbeddingMatch.State(sources.sliced(0, 0, 1))
    try EmbeddingMatch("network", recipe) { f($0) }.run(
      sources.sliced(0, 0, 1), to: wanted.sliced(0, 0, 1), &alone)
    #expect(alone.steps[0] == state.steps[0])
    #expect(gap(alone.pictures, state.pictures.sliced(0, 0, 1)) < 1e-9)
  }

  @Test("equal pictures take no step; unreachable targets say how near they came")
  func endings() throws {
    let recipe = MatchRecipe.quick
    let match = EmbeddingMatch("linear", recipe) { Self.linear($0) }
    var state = EmbeddingMatch.State(Self.source)
    try match.run(Self.source, to: Self.linear(Self.source), &state)
    #expect(state.endings == [.already] && state.steps == [0])
    #expect(gap(state.pictures, Self.source) == 0)
    var bounded = MatchRecipe.pgd
    (bounded.ball, bounded.clamp) = (.maximum(0.01), .none)
    var near = EmbeddingMatch.State(Self.source)
    try EmbeddingMatch("linear", bounded) { Self.linear($0) }.run(
      Self.source, to: Self.linear(Self.target), &near)
    #expect(near.endings == [.steps] && near.distances[0] > 1)
    #expect((near.pictures - Self.source).absolute().maximum().item(Double.self) < 0.01 + 1e-12)
  }

  @Test("what is not finite stops at the picture before, and only there")
  func divergence() throws {
    var recipe = MatchRecipe.salman2024
    (recipe.rate, recipe.clamp, recipe.steps) = (LinearSchedule(1e200, 1e200), .none, 10)
    recipe.tolerance = 1e-9
    let sources = Tensor.concatenated([Self.source, Self.target], 0)
    // The second is all but matched; the first is thrown far away.
    let targets = Self.linear(Tensor.concatenated([Self.target, Self.target], 0))
    var state = EmbeddingMatch.State(sources)
    try EmbeddingMatch("linear", recipe) { Self.linear($0) }.run(sources, to: targets, &state)
    #expect(state.endings == [.diverged, .already])
    #expect(state.pictures.isFinite())
    #expect(state.distances[0].isFinite)
    // NaN from the first look on.
    var lost = EmbeddingMatch.State(Self.source)
    try EmbeddingMatch("NaN", recipe) { Self.linear($0) * Double.nan }.run(
      Self.source, to: Self.linear(Self.target), &lost)
    #expect(lost.endings == [.diverged] && lost.steps == [0])
  }

  @Test("targets of another width and functions without gradient are refused in words")
  func refusals() throws {
    var state = EmbeddingMatch.State(Self.source)
    #expect {
      try EmbeddingMatch("here", .quick) { Self.linear($0) }.run(
        Self.source, to: Tensor.zeros([1, 5], .float64), &state)
    } throws: {
      "\($0)".contains("here: expected targets of 2 numbers") && "\($0)".contains("1 × 5")
    }
    #expect {
      try EmbeddingMatch("here", .salman2024) { Self.linear($0.detached()) }.run(
        Self.source, to: Self.linear(Self.target), &state)
    } throws: { "\($0)".contains("no gradient reaches the pixels") }
  }

  @Test("a stopped match goes on to the same numbers", arguments: MatchingAnalysis.Preset.allCases)
  func resumes(_ preset: MatchingAnalysis.Preset) throws {
    let file = try Self.fixture()
    let f = try network(file)
    let (sources, wanted) = (try file.tensor("match/sources"), try file.tensor("match/wanted"))
    var recipe = preset.recipe
    (recipe.steps, recipe.tolerance) = (8, 0)
    let match = EmbeddingMatch("network", recipe) { f($0) }
    var whole = EmbeddingMatch.State(sources)
    try match.run(sources, to: wanted, &whole)
    var part = EmbeddingMatch.State(sources)
    // Steps of the second order ask before each product too.
    let stop = recipe.method.isSecondOrder ? 30 : 3
    var asked = 0
    #expect(throws: AnalysisError.interrupted) {
      try match.run(
        sources, to: wanted, &part,
        isInterrupted: {
          asked += 1
          return asked > stop
        })
    }
    let kept = Dictionary(uniqueKeysWithValues: try part.tensors().map { ($0.name, $0.tensor) })
    var resumed = try #require(EmbeddingMatch.State(kept, shape: sources.shape))
    #expect(recipe.method.isSecondOrder ? (1..<8).contains(resumed.step) : resumed.step == 3)
    try match.run(sources, to: wanted, &resumed)
    #expect(gap(resumed.pictures, whole.pictures) == 0)
    #expect(resumed.trace == whole.trace && resumed.endings == whole.endings)
    #expect(EmbeddingMatch.State(kept, shape: [3, 3, 8, 10]) == nil)
    #expect(EmbeddingMatch.State(kept.filter { $0.key != "numbers" }, shape: sources.shape) == nil)
  }
}
