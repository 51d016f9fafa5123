import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite(
  "parallax checkpoints",
  .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
struct CheckpointsCommandTests {
  private static let base = [
    "checkpoints", "resnet18", "--random-weights", "1", "--images", "photos", "--output", "run",
    "--block-size", "4",
  ]

  @Test("writes a run folder with curves, and says the numbers of each checkpoint")
  func writes() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(8)
    let outcome = try parallax.run(Self.base + ["--untrained", "--seed", "5"])
    outcome.expectSuccess()
    #expect(outcome.output.contains("first less last"))
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: CheckpointsResult = try #require(try run.result(analysis: "checkpoints"))
    #expect(result.checkpoints.map(\.name) == ["resnet18-random", "resnet18-random-random"])
    #expect(result.reference == 0 && result.sites.sites.count == 8)
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("id=\"checkpoints\"") && page.contains("Every two checkpoints"))
    let table = String(decoding: try parallax.folder.bytes("run/results.csv"), as: UTF8.self)
    #expect(table.contains("checkpoints,CKA of the first third,"))
  }

  @Test("wrong options: one line that says what was expected")
  func options() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    func refused(_ more: [String], _ text: String, code: Int32 = 64) throws {
      let outcome = try parallax.run(Self.base + more)
      outcome.expectFailure(code, text)
      #expect(parallax.folder.names("run").isEmpty)
    }
    try refused(["--at", "1,x"], "'x' is no number")
    try refused(["--at", "1,2"], "expected 1 number, one for each checkpoint, found 2")
    try refused(["--at", "5"], "expected checkpoints at two different places at least")
    try refused(["--against", "2"], "expected the number of a checkpoint, from 1 to 1")
    try refused(["--at", "1", "--untrained"], "no --at")
    try refused([], "expected at least 2 checkpoints of one architecture, found 1", code: 64)
  }
}
