import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite(
  "parallax generate, manifold and metamers",
  .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
struct GenerateCommandTests {
  private static let generate = [
    "generate", "mobilenetv3_small_100", "--random-weights", "1", "--images", "photos", "--output",
    "run",
    "--steps", "2",
  ]

  @Test("generate writes class images by name, features and their scores, and the section")
  func generates() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    let outcome = try parallax.run(
      Self.generate + ["--class", "goldfish", "--class", "207", "--channel", "blocks.1.0:3"])
    outcome.expectSuccess()
    #expect(outcome.output.contains("mobilenetv3_small_100-random, class golden retriever: "))
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: GenerationResult = try #require(try run.result(analysis: "generation"))
    #expect(
      result.pictures.map(\.title) == ["goldfish", "golden retriever", "blocks.1.0 channel 3"])
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("id=\"generation\"") && page.contains("data:image/png;base64,"))
    #expect(parallax.folder.names("run/tensors/generation").count == 4)
    let table = String(decoding: try parallax.folder.bytes("run/results.csv"), as: UTF8.self)
    #expect(
      table.contains(
        "generation,score after,mobilenetv3_small_100-random,class: goldfish / goldfish,"))
  }

  @Test("manifold and metamers write their sections and pictures")
  func matches() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(6)
    let base = [
      "--random-weights", "1", "--images", "photos", "--steps", "1", "--untrained", "3",
    ]
    let manifold = try parallax.run(
      [
        "manifold", "mobilenetv3_small_100@blocks.4.1", "--neighbours", "3", "--components", "2",
        "-o", "a",
      ] + base)
    manifold.expectSuccess()
    #expect(
      manifold.output.contains(
        "mobilenetv3_small_100-random-random@blocks.4.1, uniform noise: nearest image "))
    #expect(parallax.folder.names("a/tensors/manifold").count == 2 * 9 + 1)
    let metamers = try parallax.run(
      ["metamers", "mobilenetv3_small_100@blocks.1.0,blocks.4.1", "--pictures", "1", "-o", "b"]
        + base)
    metamers.expectSuccess()
    #expect(metamers.output.contains("mobilenetv3_small_100-random@blocks.4.1 → "))
    #expect(parallax.folder.names("b/tensors/metamers").count == 2 + 4 + 1)
    for (name, id) in [("a", "manifold"), ("b", "metamers")] {
      let page = String(decoding: try parallax.folder.bytes("\(name)/report.html"), as: UTF8.self)
      #expect(page.contains("id=\"\(id)\"") && page.contains("data:image/png;base64,"))
    }
  }

  @Test("a held-out class, and pictures of another size than the model's own")
  func heldOut() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(10)
    let outcome = try parallax.run([
      "manifold", "mobilenetv3_small_100@blocks.4.1", "--neighbours", "3", "--components", "2",
      "--noise", "0", "--members", "0", "--starts", "1", "--held-out", "bees", "--size", "64x96",
      "--random-weights", "1", "--images", "photos", "--steps", "1", "-o", "run",
    ])
    outcome.expectSuccess()
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: ManifoldResult = try #require(try run.result(analysis: "manifold"))
    #expect(result.heldOut == "bees" && result.images.count == 5)
    #expect(result.inputs.map(\.kind) == Array(repeating: .heldOut, count: 4))
    #expect(result.models[0].height == 64 && result.models[0].width == 96)
    #expect(try run.provenance().models[0].preprocessing.contains("crop=96x64"))
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("without class &#39;bees&#39;") || page.contains("without class 'bees'"))
  }

  @Test("wrong options, classes and sites: one line that says what was expected")
  func refusals() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    func refused(_ arguments: [String], _ text: String, code: Int32 = 64) throws {
      let outcome = try parallax.run(arguments)
      outcome.expectFailure(code, text)
      #expect(parallax.folder.names("run").isEmpty)
    }
    try refused(Self.generate + ["--class", "goldfsh"], "did you mean goldfish", code: 65)
    try refused(Self.generate + ["--class", "1000"], "from 0 to 999", code: 65)
    try refused(Self.generate + ["--as", "opposite"], "expected --class")
    try refused(Self.generate + ["--channel", "blocks.1.0"], "expected SITE:INDEX")
    try refused(Self.generate + ["--channel", "blocks.1.0:64"], "expected one from 0 to 23")
    try refused(Self.generate + ["--layer", "blocks.9.0"], "blocks.9.0")
    try refused(Self.generate + ["--preset", "best"], "vit-classes")
    try refused(Self.generate + ["--start", "none.png"], "none.png", code: 66)
    try refused(Self.generate + ["--tokens", "avg"], "there are no tokens to choose")
    let base = [
      "mobilenetv3_small_100", "--random-weights", "1", "--images", "photos", "-o", "run",
    ]
    try refused(
      ["generate"] + ["mobilenetv3_small_100@fc"] + base.dropFirst(), "expected a model alone")
    try refused(["manifold"] + base + ["--components", "10"], "fewer than the 10 of --neighbours")
    try refused(["manifold"] + base, "at least 11 images", code: 65)
    try refused(
      ["manifold"] + base + ["--noise", "0", "--members", "0"], "nothing is to be matched")
    try refused(
      ["manifold"] + base + ["--neighbours", "3", "--components", "2", "--inputs", "none"], "none",
      code: 66)
    try refused(
      ["manifold"] + base + ["--held-out", "cats"], "expected one of ants, bees", code: 65)
    try refused(["metamers"] + base + ["--others", "1"], "from 2 to 1024")
    try refused(["generate"] + base + ["--size", "64x"], "such as 299 or 224x320")
    try refused(["generate"] + base + ["--size", "4096"], "expected sides from 1 to 2048")
    func sized(_ model: String, _ size: String) -> [String] {
      ["metamers", model, "--random-weights", "1", "--images", "photos", "-o", "run"]
        + ["--size", size]
    }
    try refused(
      sized("swin_tiny_patch4_window7_224", "320"), "expected images of 224×224 pixels, found 320")
    try refused(sized("vit_tiny_patch16_224", "100"), "multiples of 16 pixels, found 100×100")
    try refused(sized("vit_tiny_patch16_224", "2048"), "at most 4096 patches of 16 pixels")
    try refused(sized("inception_v3", "64"), "at least 75×75 pixels, found 64×64")
    try refused(["metamers"] + base + ["--shift", "2"], "a number above 0")
  }
}
