import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite(
  "parallax invert --spectrum",
  .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
struct SpectrumCommandTests {
  private static let base = [
    "invert", "resnet18@layer4.1", "--random-weights", "1", "--images", "photos",
    "--output", "run", "--pictures", "1", "--steps", "1", "--singular-values", "3",
  ]

  @Test("writes spectra beside the reconstructions, and says ranks and condition numbers")
  func writes() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    let outcome = try parallax.run(
      ["invert", "resnet18@layer4.1.bn2", "--spectrum"] + Self.base.dropFirst(2))
    outcome.expectSuccess()
    #expect(outcome.output.contains("resnet18-random@layer4.1.bn2: D/n 0.167, rank at least"))
    #expect(outcome.output.contains("infinitely many pictures"))
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: SpectrumResult = try #require(try run.result(analysis: "spectrum"))
    #expect(result.models[0].layers[0].pictures[0].method == "bidiagonalisation")
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("id=\"spectrum\"") && page.contains("id=\"inversion\""))
    let table = String(decoding: try parallax.folder.bytes("run/results.csv"), as: UTF8.self)
    #expect(table.contains("spectrum,rank,resnet18-random@layer4.1.bn2,"))
  }

  @Test("wrong options: one line that says what was expected")
  func options() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    for (arguments, text) in [
      (["--spectrum", "--singular-values", "1"], "a whole number from 2 to 4096"),
      (["--spectrum", "--spectrum-pictures", "0"], "a whole number from 1"),
      (["--spectrum", "--rank-threshold", "0"], "expected a number from 1e-6"),
    ] {
      let outcome = try parallax.run(Self.base + arguments)
      outcome.expectFailure(64, text)
      #expect(parallax.folder.names("run").isEmpty)
    }
  }
}
