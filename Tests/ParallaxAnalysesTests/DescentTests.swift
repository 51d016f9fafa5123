import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

@Suite("Descent")
struct DescentTests {
  private static func fixture() throws -> Safetensors {
    try Safetensors(fixtures.appending(path: "inversion/descent.safetensors").path)
  }

  private func tensor(_ name: String) throws -> Tensor { try #require(Self.fixture()[name]) }

  private func relative(_ a: Tensor, _ b: Tensor) -> Double {
    gap(a, b) / b.absolute().maximum().item(Double.self)
  }

  /// The fixture's network, features `[batch, 4, …]`.
  private func network() throws -> (Tensor) -> Tensor {
    let (first, bias) = (try tensor("net/conv1"), try tensor("net/bias1"))
    let second = try tensor("net/conv2")
    return { images in
      images.convolution(first, bias, stride: [2, 2], padding: [1, 1]).relu()
        .convolution(second, nil, padding: [1, 1])
    }
  }

  private func squares() throws -> (Tensor) -> Tensor {
    let forward = try network()
    let wanted = forward(try tensor("net/target"))
    return { (wanted - forward($0)).squared().sum(over: [1, 2, 3]) }
  }

  private func descent(
    _ recipe: DescentRecipe, _ loss: @escaping (Tensor) -> Tensor
  ) -> Descent { Descent("test", recipe) { seen, _ in Descent.Losses(loss(seen)) } }

  /// After some steps of all.
  private func after(
    _ steps: Int, _ descent: Descent, _ state: Descent.State, seed: UInt64 = 0
  ) throws -> Descent.State {
    var state = state
    let interrupter = Interrupter(after: steps)
    if steps < descent.recipe.steps {
      #expect(throws: AnalysisError.interrupted) {
        try descent.run(&state, seed: seed, isInterrupted: interrupter.isInterrupted)
      }
    } else {
      try descent.run(&state)
    }
    return state
  }

  @Test("spectra and decorrelated colours make lucent's pictures, and pictures give them back")
  func parametrisations() throws {
    #expect(gap(DecorrelatedColours.matrix, try tensor("colours")) < 1e-15)
    for (name, height, width, decay) in [("even", 6, 8, 1.0), ("odd", 7, 9, 1.5)] {
      let z = try tensor("fourier/\(name)/z")
      let made = FourierParametrisation(
        channels: 3, height: height, width: width, decay: decay, isDecorrelated: true)
      #expect([2] + made.shape == z.shape)
      let picture = try tensor("fourier/\(name)/picture")
      #expect(gap(made.pictures(z), picture) < 1e-14)
      let grey = FourierParametrisation(
        channels: 3, height: height, width: width, decay: decay, isDecorrelated: false)
      #expect(gap(grey.pictures(z), try tensor("fourier/\(name)/grey")) < 1e-14)
      let again = try #require(made.parameters(of: picture))
      #expect(gap(made.pictures(again), picture) < 1e-12)
    }
    let colours = ColourParametrisation(height: 4, width: 5)
    let picture = try tensor("colours/picture")
    #expect(gap(colours.pictures(try tensor("colours/z")), picture) < 1e-14)
    #expect(gap(colours.pictures(try #require(colours.parameters(of: picture))), picture) < 1e-12)
    #expect(
      PixelParametrisation(channels: 3, height: 4, width: 5).pictures(picture).shape
        == picture.shape)
  }

  @Test(
    "Adam on spectra and on colours goes step by step as in PyTorch",
    arguments: ["fourier", "colours"])
  func parametrisedDescent(kind: String) throws {
    var recipe = DescentRecipe([.init(steps: 100, rate: LinearSchedule(0.05, 0.005))])
    recipe.optimiser = .adam
    recipe.parametrisation =
      kind == "fourier" ? .fourier(decay: 1, isDecorrelated: true) : .colours
    let descent = descent(recipe, try squares())
    var state = try descent.begin(height: 8, width: 10, seeds: [1, 2], dtype: .float64)
    let start = try tensor("descent/\(kind)/start")
    #expect(state.parameters.shape == start.shape)
    (state.parameters, state.best) = (start, start)
    for steps in [1, 10, 100] {
      let found = try after(steps, descent, state).parameters
      #expect(relative(found, try tensor("descent/\(kind)/\(steps)")) < 1e-9, "\(steps)")
    }
  }

  @Test(
    "octaves, random crops, padding, sign and normalised steps and clipped gradients are the published program's",
    arguments: ["crops", "sign", "clip", "normalised"])
  func octaves(kind: String) throws {
    let forward = try network()
    let goal = forward(try tensor("net/target")).mean(over: [2, 3])
    let still = LinearSchedule(0.5, 0.3)
    var recipe: DescentRecipe
    switch kind {
    case "crops":
      recipe = DescentRecipe([
        .init(
          steps: 5, rate: LinearSchedule(1.5, 1), smoothing: .init(sigma: LinearSchedule(2.4, 0.8)),
          padding: 1),
        .init(
          .side(11), steps: 7, rate: LinearSchedule(1.3, 0.45),
          smoothing: .init(sigma: LinearSchedule(1.5, 0.4)), crop: 9),
      ])
    case "sign":
      recipe = DescentRecipe([
        .init(steps: 10, rate: LinearSchedule(0.01, 0.01)),
        .init(.share(1.5), steps: 3, rate: LinearSchedule(0.01, 0.02), crop: 7),
      ])
      recipe.optimiser = .sign
    case "normalised":
      recipe = DescentRecipe([
        .init(steps: 10, rate: LinearSchedule(1, 1)),
        .init(.share(1.5), steps: 3, rate: LinearSchedule(0.5, 0.5), crop: 7),
      ])
      recipe.optimiser = .normalised
    default:
      recipe = DescentRecipe([
        .init(steps: 10, rate: still), .init(.share(1.5), steps: 3, rate: still, crop: 7),
      ])
      recipe.clipsGradient = true
    }
    var places: Set<[Int]> = []
    let descent = Descent("test", recipe) { seen, moment in
      if !moment.isWhole { places.insert([moment.top, moment.left]) }
      return Descent.Losses((goal - forward(seen).mean(over: [2, 3])).absolute().sum(over: [1]))
    }
    var state = try descent.begin(from: try tensor("octaves/start"))
    // Stopped and taken up in both octaves.
    for steps in [3, 8] {
      state = try after(steps - state.step, descent, state, seed: 5)
      let kept = Dictionary(
        uniqueKeysWithValues: try state.tensors().map { ($0.name, $0.tensor) })
      state = try #require(descent.state(kept, batch: 2, height: 6, width: 8))
    }
    try descent.run(&state, seed: 5)
    #expect(places.count > 1)
    #expect(relative(descent.result(state), try tensor("octaves/\(kind)")) < 1e-12)
  }

  @Test("L-BFGS without a search goes step by step as torch.optim.LBFGS for each picture alone")
  func lbfgsSteps() throws {
    var recipe = DescentRecipe([.init(steps: 30, rate: LinearSchedule(0.3, 0.3))])
    recipe.optimiser = .lbfgs(history: 4, isSearching: false)
    let descent = descent(recipe, try squares())
    let state = try descent.begin(from: try tensor("lbfgs/start"))
    for steps in [1, 2, 10, 30] {
      let found = try after(steps, descent, state)
      #expect(relative(found.parameters, try tensor("lbfgs/\(steps)")) < 1e-9, "\(steps)")
    }
  }

  @Test("L-BFGS with a search goes step by step as torch.optim.LBFGS with strong Wolfe conditions")
  func wolfeSteps() throws {
    var recipe = DescentRecipe([.init(steps: 20, rate: LinearSchedule(1, 1))])
    recipe.optimiser = .lbfgs(history: 4, isSearching: true)
    let descent = descent(recipe, try squares())
    let state = try descent.begin(from: try tensor("lbfgs/start"))
    for steps in [1, 2, 5, 10, 20] {
      let found = try after(steps, descent, state)
      #expect(relative(found.parameters, try tensor("lbfgs/wolfe/\(steps)")) < 1e-8, "\(steps)")
    }
  }

  @Test("a search ends where there is nothing to find, and bisects where a look overflows")
  func searches() {
    for (value, slope) in [(Double.nan, -1.0), (1, 0), (1, 2), (1, .nan)] {
      let search = WolfeSearch(from: 1, value: value, slope: slope, widest: 1)
      #expect(search.hasEnded && search.found == 0)
    }
    // 1/(1 − t) − 3t: infinite from 1 on, flat at 1 − 1/√3.
    var search = WolfeSearch(from: 1.5, value: 1, slope: -2, widest: 1)
    var looks: [Double] = []
    while !search.hasEnded {
      let t = search.length
      looks.append(t)
      let isLower = search.take(
        value: t < 1 ? 1 / (1 - t) - 3 * t : .infinity, slope: t < 1 ? 1 / (1 - t) / (1 - t) - 3 : 0
      )
      #expect(isLower == (search.found == t))
    }
    #expect(looks.count < 6 && looks[1] == 0.75)
    let t = search.found
    #expect(abs(1 / (1 - t) / (1 - t) - 3) <= 0.9 * 2 && 1 / (1 - t) - 3 * t <= 1 - 2e-4 * t)
    // Always downhill: it ends all the same.
    var endless = WolfeSearch(from: 1, value: 0, slope: -1, widest: 1)
    var count = 0
    while !endless.hasEnded {
      count += 1
      _ = endless.take(value: -endless.length, slope: -1)
    }
    #expect(count == WolfeSearch.looks && endless.found > 1e20)
  }

  @Test(
    "L-BFGS with a search reaches the minimum of an ill-conditioned quadratic, each picture by itself, stopped or not"
  )
  func lbfgsMinimum() throws {
    let (matrix, b) = (try tensor("quadratic/matrix"), try tensor("quadratic/b"))
    let minimum = try tensor("quadratic/minimum")
    func loss(_ rows: Tensor) -> (Tensor) -> Tensor {
      { images in
        let x = images.reshaped(images.shape[0], 12)
        // Row by row, so that a batch has the very numbers of a picture alone.
        let product = (x.unsqueezed(1) * matrix).sum(over: [2])
        return (x * product).sum(over: [1]) * 0.5 - (x * rows).sum(over: [1])
      }
    }
    var recipe = DescentRecipe([.init(steps: 280, rate: LinearSchedule(1, 1))])
    recipe.optimiser = .lbfgs(history: 10, isSearching: true)
    let start = Tensor.zeros([2, 3, 2, 2], .float64)
    let both = descent(recipe, loss(b))
    let found = try after(280, both, both.begin(from: start))
    #expect(relative(found.parameters.reshaped(2, 12), minimum) < 1e-4)
    let lowest = loss(b)(minimum).scalars(Double.self)
    for (value, lowest) in zip(found.bestLoss, lowest) {
      #expect(abs(try #require(value) / lowest - 1) < 1e-8)
    }
    let losses = found.trace[0].map(\.loss)
    #expect(zip(losses, losses.dropFirst()).allSatisfy { $0 >= $1 }, "a search never climbs")
    for image in 0..<2 {
      let alone = descent(recipe, loss(b.sliced(0, image, image + 1)))
      let one = try after(280, alone, alone.begin(from: start.sliced(0, 0, 1)))
      #expect(
        gap(
          one.parameters.reshaped(1, 12),
          found.parameters.reshaped(2, 12).sliced(0, image, image + 1))
          < 1e-9)
    }
    let half = try after(41, both, both.begin(from: start))
    let kept = Dictionary(uniqueKeysWithValues: try half.tensors().map { ($0.name, $0.tensor) })
    var restored = try #require(both.state(kept, batch: 2, height: 2, width: 2))
    try both.run(&restored)
    #expect(gap(restored.parameters, found.parameters) == 0 && restored.trace == found.trace)
    var damaged = kept
    damaged["memory.steps"] = Tensor.zeros([2, 9, 12], .float64)
    #expect(both.state(damaged, batch: 2, height: 2, width: 2) == nil)
  }

  @Test("the prior network and Adam on its weights are PyTorch's; its noise stays as it is")
  func prior() throws {
    let network = DeepImagePrior.Configuration(noise: 2, widths: [3, 4], skip: 2)
    let (start, target) = (try tensor("prior/start"), try tensor("prior/target"))
    let made = DeepImagePrior(network, channels: 3, height: 12, width: 10)
    #expect([2] + made.shape == start.shape && made.weights == start.shape[1] - 240)
    #expect(gap(made.pictures(start), try tensor("prior/picture")) < 1e-12)
    var recipe = DescentRecipe([.init(steps: 20, rate: LinearSchedule(0.01, 0.01))])
    (recipe.optimiser, recipe.parametrisation) = (.adam, .prior(network))
    recipe.start = .parameters(deviation: 0)
    let descent = descent(recipe) { (target - $0).squared().sum(over: [1, 2, 3]) }
    var state = try descent.begin(height: 12, width: 10, seeds: [1, 2], dtype: .float64)
    #expect(state.parameters.shape == start.shape && state.parameters.isFinite())
    #expect(gap(state.parameters.selected(0, 0), state.parameters.selected(0, 1)) > 0.1)
    (state.parameters, state.best) = (start, start)
    for steps in [1, 20] {
      let found = try after(steps, descent, state).parameters
      #expect(relative(found, try tensor("prior/\(steps)")) < 1e-7, "\(steps)")
      #expect(gap(found.sliced(1, 0, 240), start.sliced(1, 0, 240)) == 0)
    }
  }

  @Test("total variation of a power and the soft bound are autograd's")
  func variation() throws {
    var recipe = DescentRecipe([.init(steps: 1, rate: LinearSchedule(1, 1))])
    (recipe.variation, recipe.variationExponent, recipe.amplitude) = (3, 2, 0.7)
    let picture = try tensor("variation/picture")
    #expect(gap(recipe.prior(picture), try tensor("variation/value")) < 1e-12)
    let descent = descent(recipe) { $0.sum(over: [1, 2, 3]) * 0.0 }
    let state = try after(1, descent, descent.begin(from: picture))
    #expect(gap(picture - descent.result(state), try tensor("variation/gradient")) < 1e-12)
  }

  @Test("recipes whose parts do not go together, and pictures that do not fit, are refused")
  func refusals() throws {
    func refused(_ text: String, side: Int = 16, _ change: (inout DescentRecipe) -> Void) {
      var recipe = DescentRecipe([.init(steps: 2, rate: LinearSchedule(0.1, 0.1))])
      change(&recipe)
      let error = #expect(throws: AnalysisError.self) {
        try descent(recipe) { $0.sum(over: [1, 2, 3]) }
          .begin(height: side, width: side, seeds: [1])
      }
      #expect(error?.description.contains(text) == true, "\(String(describing: error))")
    }
    refused("needs pixels to act on") { ($0.parametrisation, $0.clamps) = (.colours, true) }
    refused("not with Adam") { ($0.optimiser, $0.octaves[0].crop) = (.adam, 8) }
    refused("no crop, padding or jitter") {
      ($0.optimiser, $0.octaves[0].jitter) = (.lbfgs(history: 5, isSearching: true), 3)
    }
    refused("history of at least 1") { $0.optimiser = .lbfgs(history: 0, isSearching: true) }
    refused("does not fit into 16 × 16") { $0.octaves[0].crop = 17 }
    refused("needs sides above 8", side: 8) {
      $0.octaves[0].smoothing = .init(size: 17, sigma: LinearSchedule(1, 1))
    }
    refused("begins with fresh weights only") { $0.parametrisation = .prior(.init()) }
    refused("sides of at least 16 pixels", side: 15) {
      ($0.parametrisation, $0.start) = (.prior(.init()), .parameters(deviation: 0))
    }
    refused("without an octave") { $0.octaves = [] }
    refused("is below 0") { $0.octaves[0].padding = -1 }
  }

  @Test("fewer steps are shared out in proportion, what is left over to those that lost most")
  func spreads() {
    func steps(_ octaves: [Int], _ all: Int) -> [Int] {
      var recipe = DescentRecipe(
        octaves.map { .init(steps: $0, rate: LinearSchedule(1, 1)) })
      recipe.spread(all)
      return recipe.octaves.map(\.steps)
    }
    #expect(steps([3000, 3000, 3000, 3000], 3) == [1, 1, 1, 0])
    #expect(steps([20, 25, 25, 30], 50) == [10, 13, 12, 15])
    #expect(steps([20, 25, 25, 30], 3) == [0, 1, 1, 1])
    #expect(steps([220, 500], 36) == [11, 25] && steps([100, 100, 200], 400) == [100, 100, 200])
  }

  @Test("where all have diverged the octaves that are left are not run, and the size is the last's")
  func diverges() throws {
    var recipe = DescentRecipe([
      .init(steps: 3, rate: LinearSchedule(1, 1), padding: 1),
      .init(.share(2), steps: 50, rate: LinearSchedule(1, 1)),
    ])
    recipe.kept = .best
    var looks = 0
    let descent = Descent("test", recipe) { seen, _ in
      looks += 1
      return Descent.Losses(seen.sum(over: [1, 2, 3]) * (looks > 1 ? Double.nan : 1))
    }
    var state = try descent.begin(from: Tensor.ones([1, 3, 4, 5], .float64))
    try descent.run(&state)
    #expect(state.stopped == [1] && state.step == 53 && looks < 5)
    #expect(descent.result(state).shape == [1, 3, 8, 10] && descent.result(state).isFinite())
  }
}
