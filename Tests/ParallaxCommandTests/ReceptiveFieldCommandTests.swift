import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite(
  "parallax receptive-field",
  .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
struct ReceptiveFieldCommandTests {
  private static let base = [
    "receptive-field", "resnet18@*.0", "--random-weights", "1", "--images", "photos",
    "--output", "run", "--images-per-site", "3", "--summed",
  ]

  @Test("writes a run folder with the section, the maps and the twin, and says the sizes")
  func writes() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(5)
    let outcome = try parallax.run(Self.base + ["--untrained", "7", "--before-residual"])
    outcome.expectSuccess()
    #expect(outcome.output.contains("resnet18-random: radius "))
    #expect(outcome.output.contains("Training enlarges"))
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: ReceptiveFieldResult = try #require(
      try run.result(analysis: "receptive-field"))
    #expect(result.images == 3 && result.channels == "summed")
    #expect(result.models.map(\.name) == ["resnet18-random", "resnet18-random-random"])
    #expect(result.models.map(\.twinOf) == [nil, "resnet18-random"])
    #expect(
      result.models[0].fields.map(\.part) == [
        .branch, .output, .branch, .output, .branch, .output, .branch, .output,
      ])
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("id=\"receptive-field\"") && page.contains("data:image/png;base64,"))
    #expect(parallax.folder.names("run/tensors/receptive-field").count == 17)
    let table = String(decoding: try parallax.folder.bytes("run/results.csv"), as: UTF8.self)
    #expect(table.contains("receptive-field,radius,resnet18-random@layer1.0,,0.0,"))
  }

  @Test("filters need no more than a picture, and lie in the run folder")
  func filters() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(2)
    let base = ["filters", "resnet18", "--random-weights", "1", "--images", "photos", "-o", "run"]
    let outcome = try parallax.run(base)
    outcome.expectSuccess()
    #expect(outcome.output.contains("resnet18-random@conv1: 64 filters of 7 × 7, smoothness "))
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("id=\"filters\"") && page.contains("64 filters of 7 × 7"))
    #expect(
      parallax.folder.names("run/tensors/filters") == [
        "1-resnet18-random.png", "filters.safetensors",
      ])
    let table = String(decoding: try parallax.folder.bytes("run/results.csv"), as: UTF8.self)
    #expect(table.contains("filters,smoothness,resnet18-random@conv1,channel 63,"))
    // Another run in the same folder takes them away.
    try parallax.run(Self.base).expectSuccess()
    #expect(parallax.folder.names("run/results") == ["receptive-field.json"])
    #expect(parallax.folder.names("run/tensors/filters").isEmpty)
    try parallax.run(["filters", "resnet18@fc"] + base.dropFirst(2))
      .expectFailure(64, "filters are of maps or tokens")
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
    try refused(Self.base + ["--per-channel"], "expected one of --channels")
    try refused(Self.base + ["--images-per-site", "1"], "a whole number from 2")
    try refused(Self.base + ["--channels", "0"], "a whole number from 1")
    try refused(Self.base + ["--tokens", "avg"], "there are no tokens to choose")
    var other = Self.base
    other[1] = "resnet18@layer1.0#avg"
    try refused(other, "there are no tokens to choose")
    other[1] = "resnet18@fc"
    try refused(other, "resnet18-random@fc: it is one vector an image")
  }
}
