import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxReport

@Suite("The section on inversion")
struct InversionSectionTests {
  private func result(images: Int = 3, layers: Int = 9, name: String = "model") -> InversionResult {
    var result = InversionResult(
      preset: "quick", images: (0..<images).map { "photo-\($0)" }, starts: 1, shift: 1.0 / 18,
      shifts: 4, seed: 3, dtype: "float32")
    result.switches = [Switch("loss", "rss"), Switch("verdict", "m_g < m_r", origin: "paper")]
    for index in 0..<2 {
      var model = InversionResult.Model(
        name: index == 0 ? name : "\(name)-random", family: "ViT", design: "transformer",
        height: 224, width: 224, twinOf: index == 0 ? nil : name)
      model.originals = (0..<images).map { _ in .init(picture: MadeUpFields.picture, file: "a.png")
      }
      model.layers = (0..<layers).map { place in
        let depth = Double(place) / Double(max(1, layers - 1))
        return InversionResult.Layer(
          site: "blocks.\(place)", stage: "blocks", depth: depth, features: 1000, scale: 1,
          steps: 100,
          reconstructions: (0..<images).map { image in
            var one = InversionResult.Reconstruction(
              image: image, start: 0, embedding: place == 8 ? 2 : 0.3, reference: 1,
              input: 40 * depth + 2, inputReference: 21.5, beginning: 90, rmse: 0.1 * depth + 0.01,
              step: 90, diverged: place == 8 ? 95 : nil,
              trace: [
                .init(step: 0, loss: 3, embedding: 3, input: 90),
                .init(step: 100, loss: 0, embedding: 0, input: 50),
              ])
            (one.psnr, one.ssim, one.picture) = (20, 1 - depth / 2, MadeUpFields.picture)
            return one
          })
      }
      result.models.append(model)
    }
    return result
  }

  private func page(_ result: InversionResult) throws -> String {
    let made = try MadeUpRun([3, 3])
    try made.run.write(result, analysis: "inversion")
    return try Report.html(of: made.run, javaScript: "")
  }

  @Test(
    "it shows pictures with verdicts and distances, curves and traces, and says what was chosen")
  func contents() throws {
    let page = try page(result())
    for text in [
      "Badger (2022)", "2 switches, 1 of them reconstruction", "224 × 224 px, image 1",
      "untrained twin of model", "1 more image", "embedding only", "accurate", "failed",
      "diverged at step 95", "m_g 0.30 × m_r", "m_i 1.95 × m_a′", "Dashed: untrained twins",
      "54 reconstructions", "data-figure=\"inversion-traces\"", "data-figure=\"inversion-depth\"",
    ] { #expect(page.contains(text), "\(text)") }
  }

  @Test("changed forms and an axis have figures of their own, and none where there are none")
  func sweeps() throws {
    var changed = result(layers: 4)
    for (index, change) in ["without norm", "without attention"].enumerated() {
      for base in changed.models[0..<2] {
        var form = base
        form.name = "\(base.name)-\(change.replacing(" ", with: "-"))"
        form.twinOf = base.twinOf.map { "\($0)-\(change.replacing(" ", with: "-"))" }
        (form.derivedFrom, form.change) = (base.name, change)
        for layer in form.layers.indices {
          for one in form.layers[layer].reconstructions.indices {
            form.layers[layer].reconstructions[one].rmse += 0.02 * Double(index + 1)
          }
        }
        changed.models.append(form)
      }
    }
    let figure = try #require(InversionSurgeryFigure(result: changed).curves)
    #expect(figure.panels.map(\.title) == ["model: RMSE", "model: m_g over m_r"])
    let lines = figure.panels[0].lines
    #expect(lines.map(\.model) == [0, 0, 1, 1, 2, 2])
    #expect(lines.map(\.style) == [.solid, .dashed, .solid, .dashed, .solid, .dashed])
    #expect(InversionCurves(result: changed).curves.panels[0].lines.count == 2)
    for (index, place) in [(0, 10.0), (1, 1000)] {
      changed.models[index].place = place
      changed.models[index].twinOf = nil
    }
    changed.axis = "training step"
    let axis = try #require(InversionAxisFigure(result: changed).drawn)
    #expect(axis.figure.marks == 2 * 3 * 2 * 4)
    let page = try page(changed)
    for text in [
      "data-figure=\"inversion-surgery\"", "data-figure=\"inversion-axis\"",
      "Clarity along training step", "What a part of the network does",
    ] { #expect(page.contains(text), "\(text)") }
    let plain = try self.page(result())
    #expect(!plain.contains("inversion-surgery") && !plain.contains("inversion-axis"))
  }

  @Test("names from outside are escaped; one image, one layer, no picture are drawn")
  func edges() throws {
    let hostile = try page(result(images: 1, layers: 1, name: "<script>alert(1)</script>"))
    #expect(!hostile.contains("<script>alert"))
    var bare = result(images: 1, layers: 2)
    bare.models[0].originals[0].picture = Data()
    #expect(try page(bare).contains("no picture"))
  }

  @Test("verdicts follow the two inequalities")
  func verdicts() {
    func verdict(_ embedding: Double, _ input: Double) -> InversionResult.Verdict {
      InversionResult.Verdict(embedding: embedding, reference: 1, input: input, inputReference: 5)
    }
    #expect(verdict(0.9, 5) == .accurate && verdict(0.9, 5.1) == .embeddingOnly)
    #expect(verdict(1, 0) == .failed && verdict(2, 9) == .failed)
  }

  @Test("a result whose parts do not fit is a damaged file")
  func damaged() throws {
    func refused(_ text: String, _ change: (inout InversionResult) -> Void) throws {
      var result = result()
      change(&result)
      let error = #expect(throws: ResultsError.self) { try page(result) }
      #expect(error?.description.contains(text) == true, "\(String(describing: error))")
    }
    try refused("names no model") { $0.models = [] }
    try refused("2 of 3 images") { $0.models[0].originals.removeLast() }
    try refused("no layer") { $0.models[1].layers = [] }
    try refused("relative depth 1.5") { $0.models[0].layers[0].depth = 1.5 }
    try refused("is no PNG") { $0.models[0].originals[0].picture = Data([1, 2, 3]) }
    try refused("of image 7") { $0.models[0].layers[0].reconstructions[0].image = 7 }
    try refused("below 0") { $0.models[0].layers[0].reconstructions[0].input = -1 }
    try refused("starts an image") { $0.starts = 0 }
  }
}
