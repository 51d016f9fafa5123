import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite(
  "parallax lipschitz",
  .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
struct LipschitzCommandTests {
  private static let base = [
    "lipschitz", "resnet18@layer1.0", "--random-weights", "1", "--images", "photos", "--output",
    "run", "--directions", "1", "--tangents", "1", "--lengths", "3", "--samples", "0",
  ]

  @Test("writes a run folder with the section, and says how steep each direction is")
  func writes() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    let outcome = try parallax.run(Self.base)
    outcome.expectSuccess()
    #expect(outcome.output.contains("resnet18-random@layer1.0#avg: ‖Jv‖ v₁ "))
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: LipschitzResult = try #require(try run.result(analysis: "lipschitz"))
    let one = result.models[0].places[0].pictures[0]
    #expect(one.steps.count == 3 && result.dtype == "float32" && one.rounding != nil)
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("id=\"lipschitz\"") && page.contains("times its rounding"))
    // σ_i below 5·10⁻⁵ stand on the page too.
    let table = String(decoding: try parallax.folder.bytes("run/results.csv"), as: UTF8.self)
    #expect(table.contains("lipschitz,σ₁,resnet18-random@layer1.0#avg,"))
    #expect(table.contains("lipschitz,segment: steepness,"))
  }

  @Test("walks along eigenvectors stand in the result, the table and the page")
  func walks() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    for (preset, title) in [
      ("simec", "Pictures that share one embedding"),
      ("simexp", "Pictures along what the embedding answers to"),
    ] {
      let outcome = try parallax.run(
        Self.base + [
          "--walk", "2", "--walk-preset", preset, "--walk-multiplier", "100",
          "--walk-threshold", "1e-4",
        ])
      outcome.expectSuccess()
      let run = RunFolder(parallax.folder.url.appending(path: "run"))
      let result: LipschitzResult = try #require(try run.result(analysis: "lipschitz"))
      let walk = result.models[0].places[0].pictures[0].walk
      #expect(walk.map(\.step) == [0, 1, 2] && walk[0].length == nil)
      for stop in walk.dropFirst() {
        let (length, value) = (try #require(stop.length), try #require(stop.eigenvalue))
        #expect(length > 0 && (preset == "simexp" ? value > 1e-4 : value < 1e-4))
      }
      #expect(result.switches.contains { $0.name == "walk: space" && $0.origin != "paper" })
      let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
      #expect(page.contains(title) && page.contains("δ "))
      let table = String(decoding: try parallax.folder.bytes("run/results.csv"), as: UTF8.self)
      #expect(table.contains("lipschitz,walk: λ,"))
    }
  }

  @Test("wrong options and sites: one line that says what was expected")
  func options() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    func refused(_ arguments: [String], _ text: String, code: Int32 = 64) throws {
      let outcome = try parallax.run(Self.base + arguments)
      outcome.expectFailure(code, text)
      #expect(parallax.folder.names("run").isEmpty)
    }
    try refused(["--clever", "5"], "at least 20 batches")
    try refused(
      ["--level-set", "5"], "found resnet18-random@layer1.0#avg; expected resnet18-random@fc")
    try refused(["--widths"], "expected --level-set")
    try refused(["--shortest", "0"], "a number above 0")
    try refused(["--preset", "salman2024-several"], "one target")
    try refused(["--lengths", "1"], "a whole number from 2")
    try refused(["--walk-preset", "simec"], "expected --walk with it")
    try refused(["--walk", "1", "--walk-threshold", "2"], "--walk-preset simec or simexp")
    try refused(
      ["--walk", "1", "--walk-preset", "simec", "--walk-multiplier", "0"], "a number above 0")
    try refused(["--source", "nobody.png"], "there is no such file", code: 66)
  }
}
