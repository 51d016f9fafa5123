import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxReport

@Suite("The sections on manifolds, metamers and generation")
struct MatchingSectionTests {
  private func manifold(_ name: String = "model") -> ManifoldResult {
    var result = ManifoldResult(
      preset: "quick", steps: 100, images: ["photo-0", "photo-1"], classes: ["cats", nil],
      inputs: [
        .init(name: "uniform noise", kind: .uniform),
        .init(name: "photo-0", kind: .member, className: "cats"),
      ], starts: 2, neighbours: 10, components: 5, seed: 3, dtype: "float32")
    result.switches = [Switch("noise", "uniform"), Switch("verdict", "m_g", origin: "paper")]
    let pixels = ManifoldResult.Pixels(nearest: 0.2, image: 1, slope: -2, histogram: 0.1)
    let latent = ManifoldResult.Latent(distance: 4, residual: nil, image: 0)
    var model = ManifoldResult.Model(
      name: name, family: "ViT", height: 224, width: 224, twinOf: nil, typical: pixels,
      start: pixels)
    model.inputs = result.inputs.map { _ in
      .init(picture: MadeUpFields.picture, file: "a.png", pixels: pixels)
    }
    model.neighbours = [.init(image: 0, picture: MadeUpFields.picture)]
    let one = ManifoldResult.Reconstruction(
      embedding: 0.5, reference: 1, rmse: 0.3, verdict: .embeddingOnly, diverged: nil,
      pixels: pixels, latent: latent)
    model.layers = [
      .init(
        site: "blocks.11", depth: 1, features: 768, typicalDistance: 2, typicalResidual: 1,
        entries: result.inputs.indices.map {
          .init(input: $0, latent: latent, reconstructions: [one, one], pairwise: 0.15)
        })
    ]
    result.models = [model]
    return result
  }

  private func metamers(_ name: String = "model") -> MetamersResult {
    var result = MetamersResult(
      preset: "quick", steps: 100, images: ["photo-0"], others: 4, shift: 1.0 / 18, seed: 3,
      dtype: "float32")
    result.switches = [Switch("crop", "the matched model's own")]
    for index in 0..<2 {
      var model = MetamersResult.Model(
        name: "\(name)-\(index)", family: "ViT", design: "transformer", height: 224, width: 224,
        twinOf: nil,
        layers: (0..<3).map {
          .init(
            site: "blocks.\($0)", stage: "blocks", depth: Double($0) / 2, features: 9, shift: [0.5],
            different: $0 == 1 ? 0 : 2)
        })
      for layer in 0..<3 {
        model.layers[layer].chance = [.init(pearson: 0.1, spearman: 0.2, decibels: -1)]
      }
      model.originals = [MadeUpFields.picture]
      result.models.append(model)
    }
    for index in 0..<2 {
      var one = MetamersResult.Metamer(
        image: 0, embedding: 2, reference: 1, rmse: 0.3, verdict: .failed, diverged: 4,
        distances: [[1, 1, 1], [2, 2, 2]])
      one.agreements = (0..<2).map { _ in
        [0.9, 0.1, -0.3].map { .init(pearson: 0.8, spearman: $0, decibels: nil) }
      }
      one.isSameClass = [true, nil]
      result.matches.append(.init(model: index, site: "blocks.2", depth: 1, metamers: [one]))
    }
    return result
  }

  private func generation(_ name: String = "model") -> GenerationResult {
    var result = GenerationResult(
      preset: "dream-directed", steps: 300, starts: 1, beginning: "me.png", seed: 3,
      dtype: "float32")
    result.switches = [Switch("C", "200", origin: "paper")]
    result.beginningPicture = MadeUpFields.picture
    result.models = [
      .init(
        name: name, family: "ResNet", height: 224, width: 224, logits: "fc", classes: 1000,
        twinOf: nil)
    ]
    let before = GenerationResult.Score(
      model: 0, label: "goldfish", value: 0.5, probability: 0.001, rank: 400)
    let after = GenerationResult.Score(
      model: 0, label: "goldfish", value: 40.25, probability: 0.97, rank: 1)
    for kind in [GenerationResult.Kind.classImage, .juxtaposition] {
      var picture = GenerationResult.Picture(
        models: [0], kind: kind, title: "goldfish", site: nil, start: 0, frame: nil,
        before: [before, before], after: [after, after], best: [after],
        trace: [.init(step: 0, loss: 200), .init(step: 300, loss: 160)], diverged: nil)
      picture.picture = MadeUpFields.picture
      result.pictures.append(picture)
    }
    return result
  }

  private func page(_ write: (RunFolder) throws -> Void) throws -> String {
    let made = try MadeUpRun([3, 3])
    try write(made.run)
    return try Report.html(of: made.run, javaScript: "")
  }

  @Test("they show pictures, numbers and figures, and say what was chosen")
  func contents() throws {
    let page = try page {
      try $0.write(manifold(), analysis: "manifold")
      try $0.write(metamers(), analysis: "metamers")
      try $0.write(generation(), analysis: "generation")
    }
    for text in [
      "uniform noise, agreement 0.50", "px 1.00 ×", "latent 2.00 ×", "nearest: latent",
      "no picture", "data-figure=\"manifold-changes\"", "The four measures in numbers: 8 rows",
      "m_g 2.00 × m_r", "0.50 model-0", "data-figure=\"metamers-different\"",
      "data-figure=\"metamers-shift\"", "data-figure=\"metamers-agreement\"",
      "Matched pictures in numbers: 2 rows",
      "what it began with", "0.50 → 40.25, 97 %, rank 1", "sees goldfish, 97 %",
      "juxtapositions: the less active class descends", "data-figure=\"generation-traces\"",
    ] { #expect(page.contains(text), "\(text)") }
  }

  @Test("names from outside are escaped")
  func hostile() throws {
    let name = "<script>alert(1)</script>"
    let page = try page {
      try $0.write(manifold(name), analysis: "manifold")
      try $0.write(metamers(name), analysis: "metamers")
      try $0.write(generation(name), analysis: "generation")
    }
    #expect(!page.contains("<script>alert"))
  }

  @Test("a result whose parts do not fit is a damaged file")
  func damaged() throws {
    func refused(_ text: String, _ write: (RunFolder) throws -> Void) throws {
      let error = #expect(throws: ResultsError.self) { try page(write) }
      #expect(error?.description.contains(text) == true, "\(String(describing: error))")
    }
    func badManifold(_ text: String, _ change: (inout ManifoldResult) -> Void) throws {
      var result = self.manifold()
      change(&result)
      try refused(text) { try $0.write(result, analysis: "manifold") }
    }
    try badManifold("no model, image or input") { $0.inputs = [] }
    try badManifold("1 classes of 2 images") { $0.classes.removeLast() }
    try badManifold("1 of 2 inputs") { $0.models[0].inputs.removeLast() }
    try badManifold("is no PNG") { $0.models[0].inputs[0].picture = Data([1]) }
    try badManifold("none of the set") {
      $0.models[0].layers[0].entries[0].reconstructions[0].latent.image = 2
    }
    try badManifold("of input 7") { $0.models[0].layers[0].entries[0].input = 7 }
    try badManifold("below 0") { $0.models[0].layers[0].entries[0].reconstructions[0].rmse = -1 }
    func badMetamers(_ text: String, _ change: (inout MetamersResult) -> Void) throws {
      var result = self.metamers()
      change(&result)
      try refused(text) { try $0.write(result, analysis: "metamers") }
    }
    try badMetamers("no model or image") { $0.images = [] }
    try badMetamers("do not fit") { $0.models[0].layers[0].shift = [] }
    try badMetamers("of model 5") { $0.matches[0].model = 5 }
    try badMetamers("of image 1") { $0.matches[0].metamers[0].image = 1 }
    try badMetamers("do not fit the models") { $0.matches[0].metamers[0].distances.removeLast() }
    try badMetamers("agreement of a picture") {
      $0.matches[0].metamers[0].agreements[1].removeLast()
    }
    try badMetamers("agreement of a picture") {
      $0.matches[0].metamers[0].agreements[0][0].pearson = 1.5
    }
    func badGeneration(_ text: String, _ change: (inout GenerationResult) -> Void) throws {
      var result = self.generation()
      change(&result)
      try refused(text) { try $0.write(result, analysis: "generation") }
    }
    try badGeneration("no model or picture") { $0.pictures = [] }
    try badGeneration("of models [3]") { $0.pictures[0].models = [3] }
    try badGeneration("1 scores before and 2 after") { $0.pictures[0].before.removeLast() }
    try badGeneration("of no model") { $0.pictures[1].best[0].model = 9 }
    try badGeneration("is no PNG") { $0.beginningPicture = Data([4]) }
  }
}
