import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite(
  "parallax steps",
  .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
struct StepsCommandTests {
  private static let base = [
    "steps", "mobilenetv2_100@blocks.*.0", "resnet18@*.0", "--random-weights", "1", "--images",
    "photos", "--output", "run", "--also", "none", "--no-probes", "--permutations", "1",
  ]

  @Test("writes a run folder with the section, and says what the findings are")
  func writes() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(24)
    let outcome = try parallax.run(
      Self.base + [
        "--objective", "mobilenetv2_100-random=classification", "--objective",
        "resnet18-random=other",
      ])
    outcome.expectSuccess()
    #expect(outcome.output.contains("Layers at similar relative depth in different models"))
    #expect(outcome.output.contains("no transformer here"))
    #expect(parallax.folder.names("run/results") == ["steps.json"])
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: StepsResult = try #require(try run.result(analysis: "steps"))
    #expect(result.images == 24 && result.models.map(\.leading) == [0, 0])
    #expect(result.models.map(\.objective) == ["classification", "other"])
    #expect(result.models.map(\.design) == ["convolutional", "convolutional"])
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("id=\"steps\"") && page.contains("Mahaut"))
    let table = String(decoding: try parallax.folder.bytes("run/results.csv"), as: UTF8.self)
    #expect(table.contains("steps,along depth,"))
  }

  @Test("wrong options: one line that says what was expected")
  func options() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    func refused(_ more: [String], _ text: String, code: Int32 = 64) throws {
      let outcome = try parallax.run(Self.base + more)
      #expect(outcome.code == code, "\(more): \(outcome.errors)")
      #expect(outcome.errors.contains(text), "\(outcome.errors)")
      #expect(parallax.folder.names("run").isEmpty)
    }
    try refused(["--measure", "ckaa"], "no measure is called 'ckaa'; did you mean cka")
    try refused(["--objective", "resnet18-random"], "expected MODEL=OBJECTIVE")
    try refused(["--objective", "vgg=other"], "--objective names 'vgg', expected one of")
    try refused(["--permutations=-1"], "0 to 100000")
    try refused(["--measure", "mutual-knn"], "at least 12 images", code: 65)
  }
}
