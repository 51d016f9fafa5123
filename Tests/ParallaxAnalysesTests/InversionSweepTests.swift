import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxModels

@Suite("Sweeps of inversion")
struct InversionSweepTests {
  /// Models of three layers whose RMSE over depth is given, all embeddings matched but where it is nil.
  private func result(_ models: [(name: String, rmse: [Double?])]) -> InversionResult {
    var result = InversionResult(
      preset: "quick", images: ["a", "b"], starts: 1, shift: 1.0 / 18, shifts: 4, seed: 3,
      dtype: "float32")
    for (name, errors) in models {
      var model = InversionResult.Model(
        name: name, family: "ViT", design: "transformer", height: 8, width: 8, twinOf: nil)
      model.layers = errors.enumerated().map { place, rmse in
        InversionResult.Layer(
          site: "blocks.\(place)", stage: "blocks", depth: Double(place) / 2, features: 4, scale: 1,
          steps: 3,
          reconstructions: (0..<2).map { image in
            InversionResult.Reconstruction(
              image: image, start: 0, embedding: rmse == nil ? 2 : 0.5, reference: 1, input: 1,
              inputReference: 1, beginning: 2, rmse: (rmse ?? 9) * Double(image + 1), step: 3,
              diverged: nil, trace: [])
          })
      }
      result.models.append(model)
    }
    return result
  }

  @Test("a change of a network is held against the whole one, layer by layer where both matched")
  func surgeries() {
    var result = result([
      ("net", [0.1, 0.2, 0.4]), ("net-without-norm", [0.05, nil, 0.1]),
      ("net-without-residual", [0.2, 0.3, 0.5]), ("net-untrained-stem", [0.1, 0.3, 0.2]),
    ])
    for (index, change) in ["without norm", "without residual", "untrained stem"].enumerated() {
      (result.models[index + 1].derivedFrom, result.models[index + 1].change) = ("net", change)
    }
    let found = InversionFindings(result: result).surgeries()
    #expect(
      found.map(\.sentence) == [
        "net without norm: its layers reconstruct more clearly",
        "net without residual: its layers reconstruct less clearly",
        "net with untrained stem: its layers reconstruct less clearly",
      ])
    // Two pictures, the second with twice the error.
    let gain = 1.5 * (0.05 + 0.3) / 2
    #expect(abs((found[0].value ?? .nan) - gain) < 1e-12 && found[0].verdict == .shows)
    #expect(abs((found[1].value ?? .nan) - 1.5 * 0.1) < 1e-12 && found[1].verdict == .shows)
    #expect(found[2].verdict == .doesNotShow)
    // Changed forms are no models of their own in the other findings.
    let depth = InversionFindings(result: result)().first { $0.sentence.hasPrefix("Early") }
    #expect(depth?.quantity.contains("one model") == true)
  }

  @Test("an axis orders its models; twins and changed forms stand nowhere on it")
  func axis() {
    var result = result([
      ("late", [0.1, 0.1, 0.2]), ("early", [0.3, 0.3, 0.4]), ("late-random", [0.5, 0.5, 0.5]),
      ("late-without-mlp", [0.1, 0.1, 0.1]),
    ])
    result.models[2].twinOf = "late"
    (result.models[3].derivedFrom, result.models[3].change) = ("late", "without mlp")
    InversionAxis("training step", places: [900, 10]).place(&result)
    #expect(result.models.map(\.place) == [900, 10, nil, nil])
    let found = InversionFindings(result: result).sweep()
    #expect(
      found?.sentence == "Reconstructions become clearer along training step, from early to late")
    #expect(found?.verdict == .shows && abs((found?.value ?? .nan) - 1.5 * 0.2) < 1e-12)
    result.models[1].place = 900
    #expect(InversionFindings(result: result).sweep() == nil)
  }

  @Test("forms of a model are inverted beside it, each by its own network")
  func forms() throws {
    let folder = try imageFolder(4)
    let images = try ImageSet(folder.path)
    let base = try smallSubject("net")
    var without = try Subject(
      name: "net-without-norm", family: base.family,
      model: WithoutParts(base.model, Surgery([.norm]), height: 16, width: 16),
      preprocessing: base.preprocessing, fingerprint: "without norm")
    without.derivation = LoadedModel.Derivation(base: "net", change: "without norm")
    #expect(without.design == .transformer && without.sites == base.sites)
    var options = InversionAnalysis.Options()
    (options.images, options.steps) = (1, 40)
    let subjects = [base, without]
    let analysis = try InversionAnalysis(
      subjects.flatMap { try $0.representations() }, of: subjects, images: images, options: options)
    var pass = Pass(subjects: subjects, images: images)
    pass.blockSize = 4
    try pass.run([analysis])
    let result = try analysis.result()
    #expect(result.models.map(\.derivedFrom) == [nil, "net"])
    #expect(result.models.map(\.twinOf) == [nil, nil])
    // m_r is the network's own: without normalisation a shift moves the embedding by another distance.
    let references = result.models.map { $0.layers[2].reconstructions[0].reference }
    #expect(abs(references[0] / references[1] - 1) > 1e-5)
    #expect(result.findings.contains { $0.sentence.hasPrefix("net without norm") })
  }
}
