import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxReport

@Suite("The sections on residual streams and localisation")
struct ResidualSectionTests {
  private static let png = Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])

  private func connection(
    _ block: Int, _ part: ResidualResult.Part, others: Int, side: Int
  ) -> ResidualResult.Connection {
    var one = ResidualResult.Connection(
      site: "blocks.\(block).residual1", block: "blocks.\(block)", part: part,
      depth: Double(block) / 3, rows: side, columns: side, others: others)
    let value = 1 + Double(block)
    one.ratio = IntervalEstimate(value, low: value - 0.1, high: value + 0.1)
    one.cosine = IntervalEstimate(0.8, low: 0.7, high: 0.9)
    if others > 0 {
      (one.classRatio, one.classCosine) = (IntervalEstimate(3), IntervalEstimate(0.9))
    }
    one.tokens = (0..<(others + side * side)).map { $0 == 1 ? nil : value + 0.01 * Double($0) }
    one.cosines = one.tokens.map { _ in 0.5 }
    (one.shownRows, one.shownColumns) = (side, side)
    one.picture = Self.png
    return one
  }

  private func residual() -> ResidualResult {
    var vit = ResidualResult.Model(
      name: "model-0", family: "ViT", design: "transformer", hasClassToken: true, registers: 1,
      connections: (0..<4).flatMap { block in
        [ResidualResult.Part.attention, .mlp].map {
          connection(block, $0, others: 2, side: 4)
        }
      })
    vit.transition = ResidualResult.Transition(
      early: IntervalEstimate(1, low: 0.9, high: 1.1), late: IntervalEstimate(-1),
      change: IntervalEstimate(2), crossing: IntervalEstimate(0.5))
    let network = ResidualResult.Model(
      name: "model-1", family: "ResNet", design: "convolutional", hasClassToken: false,
      registers: 0, connections: (0..<3).map { connection($0, .branch, others: 0, side: 5 - $0) })
    var result = ResidualResult(
      images: 64, groups: 10, seed: 7, dtype: "float32", aggregation: "mean of ratios",
      cosine: "z and z + f(z)", models: [vit, network])
    result.span = 2
    result.switches = [Switch("quantity", "‖z‖/‖f(z)‖", origin: "paper"), Switch("cosine", "ours")]
    result.refusals = [
      SimilarityResult.Refusal(address: "vgg", reason: "the model has no residual connections")
    ]
    var removal = ResidualResult.Removal(
      model: 0, block: "blocks.1", layers: (0..<6).map { "layer \($0)" }, before: 2, within: 2)
    removal.intact = (0..<6).map { row in (0..<6).map { row == $0 ? 1 : 0.5 } }
    removal.ablated = (0..<6).map { row in (0..<6).map { row == 5 || $0 == 5 ? nil : 0.2 } }
    (removal.images, removal.blocks) = (64, 4)
    result.removals = [removal]
    result.findings = [
      Finding(
        sentence: "model-0: class and spatial tokens change roles along depth", value: 2, low: 1,
        high: 3, quantity: "log₂", verdict: .shows, analysis: "residual")
    ]
    return result
  }

  private func localization() -> LocalizationResult {
    func layer(_ place: Int) -> LocalizationResult.Layer {
      var layer = LocalizationResult.Layer(
        site: "blocks.\(place)", depth: Double(place) / 3, rows: 2, columns: 3, mapRows: 2,
        mapColumns: 3, channels: 12)
      layer.hits = IntervalEstimate(0.75, low: 0.7, high: 0.8)
      (layer.rank, layer.contrast) = (IntervalEstimate(1.5), IntervalEstimate(3))
      (layer.low, layer.high, layer.decodedHigh) = (0, 0.8, 0.5)
      layer.decodedOwn = IntervalEstimate(0.4)
      layer.decodedImages = 40
      layer.tokens = (0..<3).map { column in
        var token = LocalizationResult.Token(
          row: 1, column: column, own: IntervalEstimate(0.6), rank: 2,
          values: (0..<6).map { 0.1 * Double($0) })
        token.decoded = (0..<6).map { $0 == 0 ? nil : 0.3 }
        (token.picture, token.decodedPicture) = (Self.png, Self.png)
        return token
      }
      return layer
    }
    var result = LocalizationResult(
      images: 64, imagesLeftOut: 2, blocks: 4, groups: 4, seed: 7, dtype: "float32",
      models: ["model-0", "model-1"].map { name in
        LocalizationResult.Model(
          name: name, family: "ViT", design: "transformer",
          readout: name == "model-0" ? "class token" : "pooled", height: 32, width: 48,
          twinOf: nil, layers: (0..<4).map(layer))
      })
    result.switches = [Switch("quantity", "CKA", origin: "paper")]
    return result
  }

  private func page(_ result: some Encodable, _ name: String) throws -> String {
    let made = try MadeUpRun([3, 3])
    try made.run.write(result, analysis: name)
    return try Report.html(of: made.run, javaScript: "")
  }

  @Test("residual streams: whose question it is, what was measured on what, and what was left out")
  func residualContents() throws {
    let page = try page(residual(), "residual")
    for text in [
      "id=\"residual\"", "Raghu et al. (2021)", "2 switches, 1 of them reconstruction",
      "data-figure=\"residual-curves\"", "data-figure=\"residual-tokens\"",
      "data-figure=\"residual-removals\"", "figure-residual-maps", "this is a lesion",
      "Accuracy is not measured", "1.00 [0.90 to 1.10]", "Every sum in numbers",
      "the model has no residual connections", "64 images, float32, mean of ratios",
      "change roles along depth",
    ] {
      let isThere = page.contains(text)
      #expect(isThere, "\(text) is missing")
    }
  }

  @Test("localisation: maps with their scale, curves, regressions and numbers")
  func localizationContents() throws {
    let page = try page(localization(), "localize")
    for text in [
      "id=\"localize\"", "Raghu et al. (2021)", "the head reads the class token",
      "the head reads what is pooled", "CKA 0.00 to 0.80", "own 0.60, rank 2", "R² 0 to 0.50",
      "data-figure=\"localize-curves\"", "64 images in 4 blocks", "2 images of blocks too small",
      "Every layer in numbers",
    ] {
      let isThere = page.contains(text)
      #expect(isThere, "\(text) is missing")
    }
  }

  @Test("results whose parts do not fit together are damaged files, said in a sentence")
  func damaged() throws {
    func refused(_ change: (inout ResidualResult) -> Void) throws -> String {
      var result = residual()
      change(&result)
      let error = #expect(throws: ResultsError.self) { try page(result, "residual") }
      return error?.description ?? ""
    }
    #expect(try refused { $0.models = [] }.contains("residual.json: it names no model"))
    #expect(try refused { $0.models[1].connections = [] }.contains("model 1 has no sums"))
    #expect(
      try refused { $0.models[0].connections[1].tokens = [1] }
        .contains("sum 1 of model 0 has 1 tokens"))
    #expect(
      try refused { $0.models[0].connections[2].depth = 7 }.contains("lies at relative depth 7.0"))
    #expect(try refused { $0.removals[0].model = 9 }.contains("is of model 9, of 2"))
    #expect(try refused { $0.removals[0].intact = [[1]] }.contains("maps that are not of 6 layers"))
    func other(_ change: (inout LocalizationResult) -> Void) throws -> String {
      var result = localization()
      change(&result)
      let error = #expect(throws: ResultsError.self) { try page(result, "localize") }
      return error?.description ?? ""
    }
    #expect(try other { $0.models = [] }.contains("localize.json: it names no model"))
    #expect(try other { $0.models[0].layers[1].rows = 0 }.contains("has a grid of 0×3"))
    #expect(
      try other { $0.models[1].layers[0].tokens[0].values = [] }
        .contains("a token of layer 0 of model 1 has not 2×3 values"))
  }
}
