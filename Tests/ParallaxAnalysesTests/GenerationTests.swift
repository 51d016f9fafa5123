import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

/// conv, ReLU, conv, ReLU, mean over positions, linear.
private struct Net: Sendable {
  let first, second, linear, bias: Tensor

  init(_ fixture: Safetensors, _ name: String) throws {
    func tensor(_ key: String) throws -> Tensor { try #require(fixture["\(name)/\(key)"]) }
    (first, second) = (try tensor("conv1"), try tensor("conv2"))
    (linear, bias) = (try tensor("fc"), try tensor("bias"))
  }

  func features(_ x: Tensor) -> Tensor {
    x.convolution(first, nil, stride: [2, 2], padding: [1, 1]).relu()
      .convolution(second, nil, padding: [1, 1]).relu()
  }

  func logits(_ x: Tensor) -> Tensor { features(x).mean(over: [2, 3]).linear(linear, bias) }
}

@Suite("Generation of inputs")
struct GenerationTests {
  private static func fixture() throws -> Safetensors {
    try Safetensors(fixtures.appending(path: "inversion/generation.safetensors").path)
  }

  private func relative(_ a: Tensor, _ b: Tensor) -> Double {
    gap(a, b) / max(1e-300, b.absolute().maximum().item(Double.self))
  }

  /// The loss of an objective on the fixture's networks.
  private func loss(_ objective: GenerationObjective, _ one: Net, _ two: Net) -> (Tensor) throws
    -> Tensor
  {
    { x in
      guard objective.site != nil else {
        return objective.loss(logits: [one.logits(x), two.logits(x)], targets: [200, 400])
      }
      return try objective.loss(
        activation: one.features(x), .map, target: 200, prefix: 0, name: "net@features")
    }
  }

  @Test("losses and their gradients are PyTorch's")
  func losses() throws {
    let fixture = try Self.fixture()
    let (one, two) = (try Net(fixture, "one"), try Net(fixture, "two"))
    let input = try #require(fixture["input"])
    let cases: [(String, GenerationObjective)] = [
      ("class", .classImage(2)), ("opposite", .opposite(2)), ("sum", .sum([1, 4])),
      ("juxtaposition", .juxtaposition([1, 4])),
      ("interpolation", .interpolation(from: 1, to: 4, frame: 1, of: 4)), ("joint", .joint(3)),
      ("channel", .channel(site: "f", index: 1)),
      ("neuron", .neuron(site: "f", index: 3, place: [2, 5])),
      ("middle", .neuron(site: "f", index: 3, place: nil)), ("layer", .layer(site: "f")),
    ]
    for (name, objective) in cases {
      let loss = loss(objective, one, two)
      let (expected, gradient) = (
        try #require(fixture["loss/\(name)"]), try #require(fixture["gradient/\(name)"])
      )
      #expect(relative(try loss(input), expected) < 1e-12, "\(name)")
      let (_, found) = try Tensor.valueWithGradient(at: [input]) { try loss($0[0]).sum() }
      #expect(relative(found[0], gradient) < 1e-10, "\(name)")
    }
  }

  @Test(
    "a direction is the channels' product with a unit vector; a site of tokens leaves prefixes out")
  func directions() throws {
    let z = RandomSource(seed: 3).normal([2, 5, 4]).to(.float64)
    let objective = GenerationObjective.direction(site: "b", seed: 8)
    let raw = RandomSource(seed: 8).normal([4]).to(.float64)
    let unit = raw / raw.norm(over: [0]).item(Double.self)
    let by = (z.sliced(1, 1) * unit).sum(over: [2])
    let found = try objective.loss(activation: z, .tokens, target: 7, prefix: 1, name: "m@b")
    #expect(gap(found, (by * -1.0 + 7.0).sum(over: [1])) < 1e-6)
    let score = try objective.score(activation: z, .tokens, prefix: 1, name: "m@b")
    #expect(gap(score, by.mean(over: [1])) < 1e-6)
    for (objective, kind, text) in [
      (GenerationObjective.channel(site: "b", index: 4), SiteKind.tokens, "from 0 to 3"),
      (.neuron(site: "b", index: 0, place: [2, 0]), .tokens, "no place 2, 0 among 2 × 2"),
      (.layer(site: "b"), .pattern, "not of pattern"),
    ] {
      let error = #expect(throws: AnalysisError.self) {
        try objective.loss(activation: z, kind, target: 0, prefix: 1, name: "m@b")
      }
      #expect(error?.description.contains(text) == true, "\(String(describing: error))")
    }
  }

  /// A preset with sides and steps of the fixture.
  private func shrunk(_ preset: GenerationRecipe.Preset, _ sides: [(Int?, Int)], crop: Int? = nil)
    -> DescentRecipe
  {
    var descent = GenerationRecipe(preset).descent
    descent.octaves = zip(descent.octaves, sides).map { octave, size in
      var octave = octave
      if let side = size.0 { octave.size = .side(side) }
      octave.steps = size.1
      if octave.crop != nil { octave.crop = crop }
      return octave
    }
    return descent
  }

  @Test("steps of every recipe are PyTorch's, with the same starts and crops")
  func recipes() throws {
    let fixture = try Self.fixture()
    let (one, two) = (try Net(fixture, "one"), try Net(fixture, "two"))
    let (start, picture) = (try #require(fixture["start"]), try #require(fixture["picture"]))
    let image = loss(.classImage(2), one, two)
    var aux = shrunk(.inceptionv3Aux, [(11, 3), (13, 3)])
    aux.octaves[1].crop = nil
    aux.octaves[0].smoothing?.sigma.end = 2.2 - 3.0 / 80
    aux.octaves[1].smoothing?.sigma.end = 1.8 - 3.0 / 100
    var plain = GenerationRecipe(.inceptionv3Plain).descent
    plain.octaves = [(0, 11), (1, 9), (2, 7), (75, 8)].map { place, side in
      var octave = plain.octaves[place]
      octave.size = .side(side)
      return octave
    }
    var clipped = shrunk(.googlenetClasses, [(11, 4)])
    clipped.octaves[0].smoothing = nil
    clipped.clipsGradient = true
    let cases = [
      ("classes", shrunk(.googlenetClasses, [(11, 4), (18, 4)], crop: 15), start, image),
      ("padded", shrunk(.googlenetPadded, [(11, 4)]), start, image), ("aux", aux, start, image),
      ("plain", plain, start, image),
      ("dream", shrunk(.dreamDirected, [(12, 2), (14, 2)]), picture, image),
      (
        "layer", shrunk(.dreamLayer, [(12, 3), (14, 3)]), picture,
        loss(.layer(site: "f"), one, two)
      ),
      ("sign", shrunk(.signTransfiguration, [(nil, 5)]), picture, image),
      ("clipped", clipped, start, image),
    ]
    let offsets = try #require(fixture["offsets"]).scalars(Int64.self).map(Int.init)
    var seen: [Int] = []
    for (name, recipe, begins, loss) in cases {
      let descent = Descent(name, recipe) { pixels, moment in
        if name == "classes", !moment.isWhole { seen += [moment.top, moment.left] }
        return Descent.Losses(try loss(pixels))
      }
      var state = try descent.begin(from: begins)
      try descent.run(&state, seed: 9)
      let expected = try #require(fixture["recipe/\(name)"])
      #expect(relative(descent.pictures(state), expected) < 1e-9, "\(name)")
      #expect(state.stopped == [nil, nil])
    }
    #expect(seen == offsets, "the crops are those that the fixture was made with")
  }

  @Test("presets have the numbers of the paper's table")
  func presets() {
    for preset in GenerationRecipe.Preset.allCases {
      let recipe = GenerationRecipe(preset)
      #expect(recipe.name == preset.rawValue && recipe.descent.problem == nil)
      #expect(recipe.isRaw == (preset != .quick))
    }
    let classes = GenerationRecipe(.googlenetClasses).descent
    #expect(classes.octaves.map(\.steps) == [220, 500])
    #expect(classes.octaves.map(\.crop) == [nil, 470])
    #expect(classes.start == .normal(mean: 0.7, deviation: 0.05))
    let aux = GenerationRecipe(.inceptionv3Aux)
    // σ = 2.2 − i/80 at step i.
    let sigma = aux.descent.octaves[0].smoothing?.sigma
    #expect(abs((sigma?(40, of: 150) ?? 0) - 1.7) < 1e-12)
    #expect(aux.descent.octaves.map(\.crop) == [nil, 300, 320, nil])
    let start = aux.beginning([3, 8, 8], seed: 1)
    #expect((start?.minimum().item(Float.self) ?? 0) >= 0.5)
    #expect((start?.maximum().item(Float.self) ?? 1) <= 0.54)
    let plain = GenerationRecipe(.inceptionv3Plain).descent
    #expect(plain.octaves.count == 100 && plain.octaves.count { $0.smoothing != nil } == 75)
    #expect(GenerationRecipe(.signTransfiguration).descent.optimiser == .sign)
    var fewer = GenerationRecipe(.googlenetClasses)
    fewer.take(steps: 36)
    #expect(fewer.descent.octaves.map(\.steps) == [11, 25])
    var cycling = GenerationRecipe(.inceptionv3Plain)
    cycling.take(steps: 7)
    #expect(cycling.descent.octaves.count == 7)
  }
}
