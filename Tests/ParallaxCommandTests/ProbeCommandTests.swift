import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite(
  "parallax probe",
  .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
struct ProbeCommandTests {
  private static let base = [
    "probe", "resnet18@*.0", "--random-weights", "1", "--images", "photos", "--output", "run",
  ]

  @Test("writes a run folder with the section and the table, and says the best layers")
  func writes() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(16)
    let outcome = try parallax.run(
      Self.base + ["--shots", "1,2", "--draws", "2", "--penalties", "1,1024", "--flatten-patches"])
    outcome.expectSuccess()
    #expect(outcome.output.contains("mean of positions"))
    #expect(outcome.output.contains("classes are read best from the last layer"))
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: ProbeResult = try #require(try run.result(analysis: "probe"))
    #expect(result.images == 16 && result.shots == [1, 2] && result.draws == 2)
    #expect(result.classes.map(\.name) == ["ants", "bees"] && result.test == 6)
    #expect(result.penalties == [1, 1024])
    #expect(result.models[0].views.map(\.tokens) == ["avg", "patches"])
    #expect(result.models[0].views[1].sites.map(\.features) == [256, 512, 256, 512])
    #expect(result.models[0].maps.count == 3 && result.models[0].maps[0].values.count == 49)
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("id=\"probe\"") && page.contains("data-figure=\"probe-maps\""))
    let table = String(decoding: try parallax.folder.bytes("run/results.csv"), as: UTF8.self)
    #expect(table.contains("probe,accuracy,resnet18-random@layer1.0#avg,"))
  }

  @Test("all training images beside a few shots, in the table, the results and the page")
  func allImages() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(16)
    let outcome = try parallax.run(
      Self.base + ["--shots", "1,all", "--draws", "1", "--token-sites", "0"])
    outcome.expectSuccess()
    #expect(outcome.output.contains("last, all images %"))
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: ProbeResult = try #require(try run.result(analysis: "probe"))
    // Of five training images a class one tunes.
    #expect(result.shots == [1] && result.all?.training == 8 && result.all?.validation == 2)
    #expect(result.models[0].views[0].sites.allSatisfy { $0.all?.accuracy.value != nil })
    let table = String(decoding: try parallax.folder.bytes("run/results.csv"), as: UTF8.self)
    #expect(table.contains("\"least squares, all 8 training images\""))
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("all 8 training images") && page.contains("all images, %"))
  }

  @Test("wrong options, classes and tokens: one line that says what was expected")
  func options() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(8)
    func refused(_ arguments: [String], _ text: String, code: Int32 = 64) throws {
      let outcome = try parallax.run(arguments)
      outcome.expectFailure(code, text)
      #expect(parallax.folder.names("run").isEmpty)
    }
    try refused(
      Self.base + ["--shots", "1,10"],
      "class 'ants' has 2 training images beside 2 for testing, fewer than 10 shots", code: 65)
    try refused(Self.base + ["--shots", "0"], "--shots 0: expected different positive numbers")
    try refused(Self.base + ["--penalties", "1,x"], "--penalties 1,x")
    try refused(Self.base + ["--token-sites", "some"], "expected a whole number from 0, or all")
    try refused(Self.base + ["--split", "1.5"], "expected a share between 0 and 1")
    try refused(Self.base + ["--split", "none.txt"], "there is no such list", code: 66)
    try refused(
      Self.base + ["--split", "folders"], "lies in no train/CLASS", code: 65)
    try refused(Self.base + ["--memory-limit", "0"], "expected GiB")
    var other = Self.base
    other[1] = "resnet18@layer1.0#token:900"
    try refused(other, "the site is a feature map without tokens")
    other[1] = "vit_tiny_patch16_224@blocks.0#token:900"
    try refused(other, "there are 197 tokens, counted from 0")
    let flat = try CommandRunner()
    try flat.folder.write(try picture(1), "photos/1.png")
    try flat.run(Self.base).expectFailure(65, "have no classes; expected a folder a class")
  }
}
