import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite(
  "parallax attention",
  .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
struct AttentionCommandTests {
  private static let base = [
    "attention", "deit_tiny_distilled_patch16_224@blocks.0...3", "--random-weights", "1",
    "--images", "photos",
    "--output", "run",
  ]

  @Test("writes a run folder with the section and the maps, and prints layers and findings")
  func writes() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    let outcome = try parallax.run(
      Self.base + ["resnet18", "--maps", "1", "--map-token", "7,7", "--keep-cls", "renorm"])
    outcome.expectSuccess()
    #expect(outcome.output.contains("blocks.3") && outcome.output.contains("uniform px"))
    #expect(outcome.output.contains("the heads of the highest layers are all global"))
    #expect(
      outcome.errors.contains("is left out of the attention analysis: the model has no attention"))
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: AttentionResult = try #require(try run.result(analysis: "attention"))
    #expect(result.images == 4 && result.others == "renorm")
    #expect(result.models.map(\.layers.count) == [4] && result.models[0].otherTokens == 2)
    // Renormalised, uniform attention is that of patches alone.
    #expect(abs(result.models[0].layers[0].uniformDistance - 116.492227091766) < 1e-9)
    #expect(result.maps.count == 14 && result.maps[1].token == "patch (7, 7)")
    #expect(parallax.folder.names("run/attention").count == 14)
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("id=\"attention\"") && page.contains("Raghu"))
    let table = String(decoding: try parallax.folder.bytes("run/results.csv"), as: UTF8.self)
    #expect(table.contains("attention,attention distance,"))
  }

  @Test("wrong options: one line that says what was expected")
  func options() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    func refused(_ more: [String], _ text: String) throws {
      let outcome = try parallax.run(Self.base + more)
      #expect(outcome.code == 64, "\(more): \(outcome.errors)")
      #expect(outcome.errors.contains(text), "\(outcome.errors)")
      #expect(parallax.folder.names("run").isEmpty)
    }
    try refused(["--maps=-1"], "0 to 64")
    try refused(["--map-token", "7"], "expected cls or ROW,COLUMN")
    try refused(["--map-token", "14,0"], "expected a patch within 14×14, found (14, 0)")
    try refused(["--map-head", "3"], "expected a head from 0 to 2, found 3")
    try refused(["--keep-cls", "keep"], "keep")
    let alone = try parallax.run([
      "attention", "resnet18", "--random-weights", "1", "--images", "photos", "--output", "run",
    ])
    #expect(alone.code == 64 && alone.errors.contains("the model has no attention"))
  }
}
