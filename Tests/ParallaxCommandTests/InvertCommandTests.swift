import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite(
  "parallax invert",
  .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
struct InvertCommandTests {
  private static let base = [
    "invert", "resnet18@layer1.0,layer4.1", "--random-weights", "1", "--images", "photos",
    "--output", "run", "--pictures", "1", "--steps", "2",
  ]

  @Test("writes a run folder with the section, the pictures and the twin, and says the verdicts")
  func writes() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    let outcome = try parallax.run(Self.base + ["--untrained", "7"])
    outcome.expectSuccess()
    #expect(outcome.output.contains("resnet18-random@layer1.0: RMSE 0."))
    #expect(outcome.output.contains("Training sharpens"))
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: InversionResult = try #require(try run.result(analysis: "inversion"))
    #expect(result.images.count == 1 && result.preset == "quick")
    #expect(result.models.map(\.twinOf) == [nil, "resnet18-random"])
    #expect(result.models[0].layers.map(\.site) == ["layer1.0", "layer4.1"])
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("id=\"inversion\"") && page.contains("data:image/png;base64,"))
    #expect(parallax.folder.names("run/tensors/inversion").count == 7)
    let table = String(decoding: try parallax.folder.bytes("run/results.csv"), as: UTF8.self)
    #expect(table.contains("inversion,m_g/m_r,resnet18-random@layer1.0,"))
  }

  @Test("embeddings that were extracted are matched in float64, and the page says both")
  func target() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    let model = ["resnet18@layer3.0", "--random-weights", "1", "--images", "photos"]
    try parallax.run(["extract"] + model + ["--tokens", "flat", "--output", "e"]).expectSuccess()
    let shard = try #require(parallax.folder.names("e").first { $0.hasSuffix(".safetensors") })
    let invert =
      ["invert"] + model + [
        "--output", "run", "--pictures", "1", "--steps", "2", "--preset", "fourier", "--target",
      ]
    let outcome = try parallax.run(invert + ["e/\(shard)", "--dtype", "float64"])
    outcome.expectSuccess()
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: InversionResult = try #require(try run.result(analysis: "inversion"))
    #expect(result.dtype == "float64" && result.target == "e/\(shard)")
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("float64") && page.contains(shard))
    var other = invert + ["e/\(shard)"]
    other[1] = "resnet18@layer4.0"
    try parallax.run(other).expectFailure(65, "expected a tensor 'resnet18-random@layer4.0'")
    try parallax.run(invert + ["nothing.safetensors"]).expectFailure(66, "nothing.safetensors")
  }

  @Test("wrong options and sites: one line that says what was expected")
  func options() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    func refused(_ arguments: [String], _ text: String, code: Int32 = 64) throws {
      let outcome = try parallax.run(arguments)
      outcome.expectFailure(code, text)
      #expect(parallax.folder.names("run").isEmpty)
    }
    try refused(Self.base + ["--pictures", "0"], "a whole number from 1 to 4096")
    try refused(Self.base + ["--steps", "0"], "a whole number from 1")
    try refused(Self.base + ["--shift", "0"], "a number above 0")
    try refused(Self.base + ["--preset", "best"], "badger2022")
    try refused(Self.base + ["--rate", "0"], "a number above 0")
    try refused(Self.base + ["--preset", "lbfgs", "--jitter", "2"], "the same function")
    try refused(Self.base + ["--memory-limit", "0"], "a whole number from 1")
    try refused(Self.base + ["--dtype", "float16"], "expected float32")
    try refused(
      ["compare"] + Self.base.dropFirst().prefix(7) + ["--dtype", "float64"],
      "only invert has float64")
    try refused(Self.base + ["--tokens", "avg"], "there are no tokens to choose")
    var other = Self.base
    other[1] = "resnet18@layer9"
    try refused(other, "layer9")
  }
}
