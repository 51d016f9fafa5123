import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxModels

@Suite("Probes of models whose sites are of several kinds")
struct ProbeWaysTests {
  private func run(
    _ subjects: [Subject], _ images: ImageSet, _ change: (inout ProbeAnalysis.Options) -> Void
  ) throws -> ProbeAnalysis {
    var options = ProbeAnalysis.Options()
    change(&options)
    let analysis = try ProbeAnalysis(
      try subjects.flatMap { try $0.representations() }, of: subjects, images: images,
      options: options)
    try Pass(subjects: subjects, images: images).run([analysis])
    return analysis
  }

  /// Two maps, then a vector, each a block; of dark images the vector is 0.
  private struct Narrowing: Model {
    let tokenLayout: TokenLayout? = nil

    func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
      let x = tap("input", images, as: .map)
      let first = tap.block("features.0", x.averagePooled(to: 4, 4), as: .map)
      let second = tap.block("features.1", first.averagePooled(to: 2, 2), as: .map)
      return tap.block("classifier", second.reshaped(-1, 12).clamped(0, nil), as: .vector)
    }
  }

  @Test("maps and vectors are one model's own way, and an image whose features are 0 is named")
  func mixedWays() throws {
    func found(_ dark: String?) throws -> ProbeResult {
      let folder = try imageFolder(20)
      if let dark {
        let black = [UInt8](repeating: 0, count: 16 * 16 * 3)
        try folder.write(
          [UInt8](try ImageBuffer(width: 16, height: 16, pixels: black).pngData()), dark)
      }
      let subject = try Subject(
        name: "narrowing", family: "VGG", model: Narrowing(),
        preprocessing: .letterbox(16, mean: [0.25, 0.25, 0.25], std: [0.25, 0.25, 0.25]),
        fingerprint: "narrowing \(dark ?? "")")
      return try run([subject], try ImageSet(folder.path)) { $0.tokenSites = 0 }.result()
    }
    let result = try found(nil)
    #expect(result.models[0].views.map(\.tokens) == ["avg", "flat"])
    let own = result.models[0].nativeSites
    #expect(own.map(\.name) == ["features.0", "features.1", "classifier"])
    #expect(own.allSatisfy { $0.logistic.value != nil })
    let last = try #require(
      result.findings.first { $0.sentence.contains("read best from the last") })
    let curve = own.compactMap { $0.scores.last?.accuracy.value }
    let best = try #require(curve.dropLast().max())
    #expect(abs((last.value ?? .nan) - (curve[2] - best)) < 1e-12)
    #expect(last.quantity.contains("at classifier less"))
    let dark = try found("apes/1003.png").refusals.map { "\($0.address): \($0.reason)" }
    #expect(
      dark.contains {
        $0.hasPrefix("narrowing@classifier#flat: ") && $0.contains("apes/1003.png")
      }, "\(dark)")
  }
}
