import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxReport

@Suite("The section on spectra")
struct SpectrumSectionTests {
  private func result(layers: Int = 4, name: String = "model") -> SpectrumResult {
    var result = SpectrumResult(
      images: ["photo"], threshold: 1e-3, count: 64, compared: 16, seed: 0, dtype: "float32")
    result.switches = [Switch("rank", "τ"), Switch("dimension test", "D < n", origin: "paper")]
    for index in 0..<2 {
      var model = SpectrumResult.Model(
        name: index == 0 ? name : "\(name)-random", family: "ViT", design: "transformer",
        height: 224, width: 224, twinOf: index == 0 ? nil : name)
      model.layers = (0..<layers).map { place in
        let isLast = place == layers - 1
        let count = isLast ? 512 : 64
        let values = (0..<count).map { 40 * Foundation.exp(-0.01 * Double($0 * (place + 1))) }
        return SpectrumResult.Layer(
          site: "blocks.\(place)", stage: "blocks",
          depth: Double(place) / Double(max(1, layers - 1)), features: isLast ? 512 : 151_296,
          pictures: [
            SpectrumResult.Picture(
              image: 0, method: isLast ? "gram" : "bidiagonalisation", steps: isLast ? nil : 128,
              values: values, residual: 0.003, isComplete: isLast, squaredNorm: 90_000,
              squaredNormError: isLast ? 0 : 120,
              rank: isLast ? .init(512, 512) : .init(64, 80_000),
              effectiveRank: isLast ? .init(301, 301) : .init(800, 40_000))
          ])
      }
      result.models.append(model)
    }
    return result
  }

  private func page(_ result: SpectrumResult) throws -> String {
    let made = try MadeUpRun([3, 3])
    try made.run.write(result, analysis: "spectrum")
    return try Report.html(of: made.run, javaScript: "")
  }

  @Test("it shows spectra and numbers over depth, and tells what is exact from what is bounded")
  func contents() throws {
    let page = try page(result())
    for text in [
      "id=\"spectrum\"", "data-figure=\"spectrum-values\"", "data-figure=\"spectrum-depth\"",
      "2 switches, 1 of them reconstruction", "8 layers and pictures", "64 … 80000", "512, all",
      "Dashed: untrained twins", "Badger (2022)", "dotted: at most",
    ] { #expect(page.contains(text), "\(text)") }
  }

  @Test(
    "long spectra are drawn at places that are even on a logarithmic axis, both ends among them")
  func places() {
    let places = SpectrumLines.places(1024)
    #expect(places.first == 0 && places.last == 1023 && places.count <= SpectrumLines.points)
    #expect(places == places.sorted() && Set(places).count == places.count)
    #expect(SpectrumLines.places(7) == Array(0..<7))
  }

  @Test("names from outside are escaped; one layer is drawn")
  func edges() throws {
    let hostile = try page(result(layers: 1, name: "<script>alert(1)</script>"))
    #expect(!hostile.contains("<script>alert"))
  }

  @Test("a result whose parts do not fit is a damaged file")
  func damaged() throws {
    var broken = result()
    broken.models[0].layers[0].pictures[0].values[3] = -1
    #expect(throws: ResultsError.self) { try page(broken) }
    broken = result()
    broken.models[0].layers[0].pictures[0].image = 9
    #expect(throws: ResultsError.self) { try page(broken) }
    broken = result()
    broken.models[0].height = 0
    #expect(throws: ResultsError.self) { try page(broken) }
  }
}
