import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite(
  "parallax residual and localize",
  .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
struct ResidualCommandTests {
  private static let shared = [
    "resnet18", "--random-weights", "1", "--images", "photos", "--output", "run",
  ]

  @Test("residual writes a run folder with the section, and says ratios and findings")
  func residual() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(6)
    let outcome = try parallax.run(["residual"] + Self.shared + ["--remove-skip", "3"])
    outcome.expectSuccess()
    #expect(outcome.output.contains("layer2.1"))
    #expect(outcome.output.contains("taken out at inference"))
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: ResidualResult = try #require(try run.result(analysis: "residual"))
    #expect(result.images == 6 && result.models[0].connections.count == 8)
    #expect(result.removals.map(\.block) == ["layer2.1"] && result.removals[0].layers.count == 16)
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("id=\"residual\"") && page.contains("this is a lesion"))
    let table = String(decoding: try parallax.folder.bytes("run/results.csv"), as: UTF8.self)
    #expect(table.contains("residual,\"norm ratio, branch\",resnet18-random@layer1.0.residual1,"))
  }

  @Test("localize writes a run folder with the section, the maps and a twin")
  func localize() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(12)
    let outcome = try parallax.run(
      ["localize"] + Self.shared + ["--untrained", "7", "--decode-images", "12"])
    outcome.expectSuccess()
    #expect(outcome.output.contains("own first") && outcome.output.contains("layer4.1"))
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: LocalizationResult = try #require(try run.result(analysis: "localize"))
    #expect(result.models.map(\.twinOf) == [nil, "resnet18-random"])
    #expect(parallax.folder.names("run/tensors").contains("localize.safetensors"))
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("id=\"localize\"") && page.contains("read off a token"))
  }

  @Test("wrong options and models: one line that says what was expected")
  func options() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    func refused(_ arguments: [String], _ text: String, code: Int32 = 64) throws {
      let outcome = try parallax.run(arguments)
      outcome.expectFailure(code, text)
      #expect(parallax.folder.names("run").isEmpty)
    }
    let residual = ["residual"] + Self.shared
    try refused(residual + ["--remove-skip", "three"], "expected at most 16 numbers of blocks")
    try refused(residual + ["--remove-skip", "9"], "expected a block from 0 to 7")
    try refused(residual + ["--remove-skip", "0"], "is the first block with a skip connection")
    try refused(residual + ["--tokens", "avg"], "there are no tokens to choose")
    var other = residual
    other[1] = "vgg11"
    try refused(other, "the model has no residual connections")
    let localize = ["localize"] + Self.shared
    try refused(localize + ["--decode-images", "3"], "0, or a whole number from 10")
    other = localize
    other[1] = "resnet18@fc"
    try refused(other, "resnet18-random@fc: it is one vector an image")
  }
}
