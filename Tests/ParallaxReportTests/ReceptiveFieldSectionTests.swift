import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxReport

/// Receptive fields of made-up models: even ones are transformers, odd ones convolutional.
struct MadeUpFields {
  /// How many blocks each model has.
  var blocks: [Int]
  var hasBranches = false
  var isTwin: (Int) -> Bool = { _ in false }
  var name: (Int) -> String = { "model-\($0)" }

  /// A PNG of one pixel.
  static let picture: Data = {
    let image = ImageBuffer(width: 1, height: 1, colour: RGB(10, 20, 30))
    return (try? image.pngData()) ?? Data()
  }()

  var result: ReceptiveFieldResult {
    var result = ReceptiveFieldResult(
      channels: "2 channels an image", images: 32, groups: 16, seed: 3, dtype: "float32",
      decades: 3, models: blocks.indices.map(model))
    result.switches = [
      Switch("images", "32", origin: "paper"),
      Switch("channels", "2 of each image"),
    ]
    result.refusals = [
      SimilarityResult.Refusal(address: "\(name(0))@blocks.1", reason: "every gradient is 0")
    ]
    result.findings = [
      Finding(
        sentence: "Transformers have larger receptive fields", value: 0.2, low: 0.1, high: 0.3,
        quantity: "mean radius", verdict: .shows, analysis: "receptive-field")
    ]
    return result
  }

  private func model(_ index: Int) -> ReceptiveFieldResult.Model {
    let isTransformer = index % 2 == 0
    let parts: [ReceptiveFieldResult.Part] =
      !hasBranches ? [.output] : isTransformer ? [.attention, .mlp, .output] : [.branch, .output]
    let fields = (0..<blocks[index]).flatMap { place in
      parts.map { part in
        let depth = blocks[index] > 1 ? Double(place) / Double(blocks[index] - 1) : 0
        let suffix = part == .output ? "" : ".\(part.rawValue)"
        var field = ReceptiveFieldResult.Field(
          site: "blocks.\(place)\(suffix)", part: part, stage: "blocks", depth: depth, rows: 14,
          columns: 14, channels: 64, passes: 2, images: 31, skipped: 1, peak: 0.01)
        let radius = isTransformer ? 50 + 30 * depth : 5 + 60 * depth
        func estimate(_ value: Double) -> IntervalEstimate {
          IntervalEstimate(value, low: 0.9 * value, high: 1.1 * value)
        }
        field.radius = estimate(part == .output ? radius : 1.2 * radius)
        field.spread = estimate(0.8 * radius)
        field.luo = estimate(1.5 * radius)
        field.squares = [0.2, 0.3, 0.5, 0.99].map {
          ReceptiveFieldResult.Square(share: $0, side: estimate(2 * $0 * radius))
        }
        field.centre = estimate(0.4 - 0.2 * depth)
        field.picture = Self.picture
        return field
      }
    }
    return ReceptiveFieldResult.Model(
      name: name(index), family: isTransformer ? "ViT" : "ResNet",
      design: isTransformer ? "transformer" : "convolutional", height: 224, width: 224,
      twinOf: isTwin(index) ? name(0) : nil, fields: fields)
  }
}

@Suite("The section on receptive fields")
struct ReceptiveFieldSectionTests {
  private func page(_ result: ReceptiveFieldResult) throws -> String {
    let made = try MadeUpRun([3, 3])
    try made.run.write(result, analysis: "receptive-field")
    return try Report.html(of: made.run, javaScript: "")
  }

  @Test("it shows maps, growth and branches, and says what was chosen")
  func contents() throws {
    var made = MadeUpFields(blocks: [12, 16, 3], hasBranches: true)
    made.isTwin = { $0 == 2 }
    let page = try page(made.result)
    for text in [
      "Luo et al. (2016)", "2 switches, 1 of them reconstruction", "224 × 224 px",
      "untrained twin of model-0", "1/1000 of the map", "All 31 maps",
      "attention, before the residual connection", "long branch, before the residual connection",
      "Sizes in numbers: 77 fields", "31 (1 skipped)", "every gradient is 0", "16 groups of images",
      "data-figure=\"receptive-field-growth\"", "data-figure=\"receptive-field-branches\"",
      "Transformers have larger receptive fields.", "alt=\"Receptive field of model-1, blocks.15",
      "32 images, of which 1 or fewer were left out at a site",
    ] {
      let isThere = page.contains(text)
      #expect(isThere, "\(text) is missing")
    }
  }

  @Test("every number of models and of sites has its page", arguments: [[1], [8], [12, 50, 9, 1]])
  func sizes(blocks: [Int]) throws {
    let page = try page(MadeUpFields(blocks: blocks).result)
    let hasBranches = page.contains("receptive-field-branches")
    #expect(!hasBranches)
    let shown = FieldGrid(result: MadeUpFields(blocks: blocks).result).outputs
    #expect(shown.map(\.fields.count) == blocks.map { min($0, 8) })
    for (row, count) in zip(shown, blocks) {
      #expect(
        row.fields.first?.site == "blocks.0" && row.fields.last?.site == "blocks.\(count - 1)")
      #expect(Set(row.fields.map(\.site)).count == row.fields.count)
    }
  }

  @Test("values that are missing are drawn as missing")
  func undefined() throws {
    var result = MadeUpFields(blocks: [3]).result
    for index in result.models[0].fields.indices {
      result.models[0].fields[index].radius = IntervalEstimate(nil)
      result.models[0].fields[index].picture = Data()
      result.models[0].fields[index].squares = []
    }
    (result.groups, result.findings) = (0, [])
    let page = try page(result)
    for text in ["no picture", "No intervals: there are too few images"] {
      let isThere = page.contains(text)
      #expect(isThere, "\(text) is missing")
    }
  }

  @Test("no name can leave its place, whatever part of the result it stands in")
  func hostile() throws {
    var result = MadeUpFields(blocks: [4, 5], name: { "\(MadeUpRun.hostile)\($0)" }).result
    result.channels = MadeUpRun.hostile
    result.dtype = MadeUpRun.hostile
    result.switches.append(Switch(MadeUpRun.hostile, MadeUpRun.hostile))
    result.models[0].design = MadeUpRun.hostile
    result.models[1].twinOf = MadeUpRun.hostile
    result.models[0].fields[0].site = MadeUpRun.hostile
    let page = try page(result)
    #expect(page.ranges(of: "<script").count == 4)
    let leaks = page.contains("<b>&\"")
    #expect(!leaks)
  }

  @Test("a result whose parts do not fit is a damaged file, not a trap", arguments: 0..<8)
  func damaged(kind: Int) throws {
    var result = MadeUpFields(blocks: [4, 5]).result
    switch kind {
    case 0: result.models = []
    case 1: result.models[0].height = 0
    case 2: result.models[1].fields = []
    case 3: result.models[0].fields[1].depth = -0.5
    case 4: result.models[0].fields[1].picture = Data("no picture".utf8)
    case 5: result.models[0].fields[2].squares.removeLast()
    case 6: result.decades = 1e9
    default:
      result.models[0].fields = result.models[0].fields.map {
        var field = $0
        field.part = .mlp
        return field
      }
    }
    let error = #expect(throws: ResultsError.self) { try page(result) }
    #expect(error?.description.contains("receptive-field.json") == true)
  }

  @Test("widest and deepest numbers are written, not a trap")
  func extremes() throws {
    var result = MadeUpFields(blocks: [2]).result
    result.models[0].fields[0].skipped = Int.max
    result.models[0].fields[0].images = Int.min
    result.models[0].fields[0].radius = IntervalEstimate(1e300, low: -1e300, high: 1e300)
    result.models[0].fields[0].squares = [
      ReceptiveFieldResult.Square(share: 1e300, side: IntervalEstimate(1e300))
    ]
    result.models[0].fields[1].squares = result.models[0].fields[0].squares
    _ = try page(result)
  }
}
