import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxModels

@Suite("Inversion through networks in miniature")
struct InversionModelsTests {
  private func model(_ name: String, _ dtype: DType) throws -> any Model {
    let weights = Weights(try ModelOracle(name).weights, dtype: dtype)
    switch name {
    case "resnet-basic":
      var c = ResNet.Configuration(.basic, [1, 2, 1, 1])
      (c.channels, c.stem, c.classes) = ([8, 10, 12, 14], 8, 10)
      return try ResNet(c, weights)
    case "vit-timm":
      var c = ViT.Configuration()
      (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (24, 8, 24, 2, 3, 10)
      return try ViT(c, weights)
    default:
      var c = Mixer.Configuration(patch: 8, width: 24, depth: 2)
      (c.imageSize, c.classes) = (24, 10)
      return try Mixer(c, weights)
    }
  }

  private func embedding(_ model: any Model, _ site: String) -> (Tensor) throws -> Tensor {
    { pixels in
      var found: Tensor?
      let tap = Tap([site]) {
        found = $0.value
        return nil
      }
      _ = try model.run(pixels, tap)
      return try #require(found).reshaped(pixels.shape[0], -1)
    }
  }

  private func relative(_ a: Tensor, _ b: Tensor) -> Double {
    gap(a, b) / b.to(.float64).absolute().maximum().item(Double.self)
  }

  @Test(
    "activations, gradients and one, ten and a hundred steps in float64 are timm's",
    arguments: ["resnet-basic", "vit-timm", "mixer-timm"])
  func sideBySide(name: String) throws {
    let fixture = try Safetensors(fixtures.appending(path: "inversion/models.safetensors").path)
    func tensor(_ key: String) throws -> Tensor {
      try #require(fixture["\(name)/\(key)"], "\(key)")
    }
    let model = try model(name, .float64)
    let (target, start) = (try tensor("target").to(.float64), try tensor("start").to(.float64))
    let sites = name == "resnet-basic" ? ["conv1", "maxpool"] : ["blocks.0", "blocks.1"]
    for (place, site) in sites.enumerated() {
      let embedding = embedding(model, site)
      let wanted = try embedding(target)
      #expect(wanted.dtype == .float64)
      if let activation = fixture["\(name)/\(site)/activation"] {
        #expect(relative(wanted, activation) < 1e-6, "\(site)")
      }
      let rate = try tensor("\(site)/rate").item(Double.self)
      var recipe = InversionRecipe(
        name: "l2",
        DescentRecipe([.init(steps: 100, rate: LinearSchedule(rate, 0.1 * rate))]))
      recipe.loss = .l2
      for steps in [1, 10, 100] {
        let inversion = Inversion(site, recipe, embedding: embedding)
        var state = try inversion.begin(from: start)
        let interrupter = Interrupter(after: steps)
        do {
          try inversion.run(
            target, &state, every: 1000, isInterrupted: interrupter.isInterrupted)
        } catch AnalysisError.interrupted {}
        #expect(state.step == steps)
        // The fixture keeps the digits of float32.
        let found = inversion.pictures(state)
        #expect(relative(found, try tensor("\(site)/\(steps)")) < 1e-6, "\(site) \(steps)")
        if steps == 1 {
          let gradient = (start - found) / rate
          #expect(relative(gradient, try tensor("\(site)/gradient")) < 1e-5, "\(site)")
        }
      }
      guard place == 0 else { continue }
      recipe.loss = .l1
      recipe.descent.octaves = [.init(steps: 1, rate: LinearSchedule(1e-4, 1e-5))]
      let inversion = Inversion(site, recipe, embedding: embedding)
      var state = try inversion.begin(from: start)
      try inversion.run(target, &state)
      #expect(relative(inversion.pictures(state), try tensor("\(site)/l1")) < 1e-6)
    }
  }

  @Test(
    "networks compute in float64 where their weights are",
    arguments: [
      "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "convnext_atto", "efficientnet-lite0",
    ])
  func double(name: String) throws {
    let single = try Catalog.load(.name(name), randomWeights: 3)
    let double = try Catalog.load(.name(name), dtype: .float64, randomWeights: 3)
    let side = try Subject(single).imageSize.height
    let images = RandomSource(seed: 2).normal([1, 3, side, side])
    let (a, b) = (single.model(images, .off), double.model(images.to(.float64), .off))
    #expect(b.dtype == .float64)
    #expect(relative(a, b) < 1e-3)
  }

  /// A convolution 7 × 7 with stride 2 from 3 to 64 channels, as torchvision begins a ResNet's: N(0, 2/(64 · 49)).
  private func stem() -> Tensor {
    RandomSource(seed: 4).normal([64, 3, 7, 7]).to(.float64) * (2 / (64 * 49.0)).squareRoot()
  }

  /// What the descent ends at, beside both references.
  private func verdict(
    _ recipe: InversionRecipe, side: Int, dtype: DType, coarse: Int? = nil,
    _ embedding: @escaping (Tensor) throws -> Tensor
  ) throws -> (result: InversionResult.Verdict, embedding: Double, input: Double) {
    // Noise, or noise of few pixels made smooth, as pictures are.
    let target = RandomSource(seed: 7).uniform([1, 3, coarse ?? side, coarse ?? side]).to(dtype)
      .resized(side, side)
    let shift = ReferenceShift().draw([3, side, side], seed: 8).to(dtype).unsqueezed(0)
    func norm(_ tensor: Tensor) -> Double { tensor.squared().sum().item(Double.self).squareRoot() }
    let inversion = Inversion("test", recipe, embedding: embedding)
    var state = try inversion.begin(
      from: recipe.descent.beginning([3, side, side], seed: 9).unsqueezed(0).to(dtype))
    try inversion.run(target, &state, every: 10_000)
    let found = inversion.result(state)
    let reached = norm((try embedding(found) - embedding(target)).to(.float64))
    let input = norm((found - target).to(.float64))
    let verdict = InversionResult.Verdict(
      embedding: reached,
      reference: norm((try embedding(target + shift) - embedding(target)).to(.float64)),
      input: input, inputReference: norm(shift.to(.float64)))
    return (verdict, reached, input)
  }

  @Test(
    "a strided stem gives its input back, with ReLU too; behind max-pooling other pictures share its embedding"
  )
  func poolingTest() throws {
    let weight = stem()
    var recipe = InversionRecipe.badger2022(.convolutional, features: 1)
    recipe.descent.octaves = [.init(steps: 1000, rate: LinearSchedule(0.1, 0.001))]
    func run(_ after: @escaping (Tensor) -> Tensor) throws
      -> (result: InversionResult.Verdict, embedding: Double, input: Double)
    {
      try verdict(recipe, side: 32, dtype: .float64, coarse: 8) { images in
        after(images.convolution(weight, nil, stride: [2, 2], padding: [3, 3]))
          .reshaped(images.shape[0], -1)
      }
    }
    let bare = try run { $0 }
    let rectified = try run { $0.relu() }
    let pooled = try run { $0.relu().maxPooled(3, stride: 2, padding: 1) }
    #expect(bare.result == .accurate && rectified.result == .accurate)
    #expect(pooled.result == .embeddingOnly, "\(pooled)")
    #expect(pooled.input > 100 * max(bare.input, rectified.input))
    #expect(pooled.input > 2 * 3.09 && pooled.embedding > bare.embedding)
  }

  /// Two blocks of a Mixer of random weights, with normalisation or without.
  private func mixer(isNormalised: Bool) -> (Tensor) -> Tensor {
    let (patch, width, count, source) = (8, 256, 16, RandomSource(seed: 12))
    func draw(_ out: Int, _ `in`: Int) -> Tensor {
      let bound = 1 / Double(`in`).squareRoot()
      return source.uniform([out, `in`]) * (2 * bound) - bound
    }
    let stem = draw(width, 3 * patch * patch).reshaped(width, 3, patch, patch)
    let blocks = (0..<2).map { _ in
      (
        tokens: (draw(4 * count, count), draw(count, 4 * count)),
        channels: (draw(width / 2, width), draw(width, width / 2))
      )
    }
    func normed(_ x: Tensor) -> Tensor {
      isNormalised
        ? x.layerNormalized(weight: .ones([width]), bias: .zeros([width]), epsilon: 1e-5) : x
    }
    return { images in
      var x = images.convolution(stem, nil, stride: [patch, patch])
        .reshaped(images.shape[0], width, count).transposed()
      for block in blocks {
        let mixed = normed(x).transposed().linear(block.tokens.0).gelu().linear(block.tokens.1)
        x = x + mixed.transposed()
        x = x + normed(x).linear(block.channels.0).gelu().linear(block.channels.1)
      }
      return x.reshaped(images.shape[0], -1)
    }
  }

  @Test("a Mixer without LayerNorm is reconstructed better, and its embedding reached more nearly")
  func layerNorm() throws {
    var recipe = InversionRecipe.badger2022(.mixer, features: 1)
    recipe.descent.octaves = [.init(steps: 1500, rate: LinearSchedule(0.1, 0.001))]
    let with = try verdict(recipe, side: 32, dtype: .float32, mixer(isNormalised: true))
    let without = try verdict(recipe, side: 32, dtype: .float32, mixer(isNormalised: false))
    #expect(with.input > 2 * without.input, "\(with.input) \(without.input)")
    #expect(with.embedding > without.embedding, "\(with.embedding) \(without.embedding)")
  }
}
