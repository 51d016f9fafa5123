import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite(
  "parallax structure",
  .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
struct StructureCommandTests {
  private static let base = [
    "structure", "resnet18", "vit_tiny_patch16_224", "--random-weights", "1", "--images", "photos",
    "--output", "run", "--block-size", "4",
  ]

  @Test("writes a run folder with the section, and says the numbers of structure")
  func writes() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(8)
    let outcome = try parallax.run(Self.base + ["--layers", "sparse", "--passes", "2"])
    outcome.expectSuccess()
    #expect(outcome.output.contains("uniformity"))
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: StructureResult = try #require(try run.result(analysis: "structure"))
    #expect(result.layers == "sparse" && result.passes == 2)
    #expect(result.similarity.blocks == 4)
    #expect(result.models.map(\.design) == ["convolutional", "transformer"])
    #expect(result.correspondences.map { [$0.a, $0.b] } == [[0, 1], [1, 0]])
    #expect(result.findings.count == 6)
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("id=\"structure\"") && page.contains("Which layers correspond"))
    let table = String(decoding: try parallax.folder.bytes("run/results.csv"), as: UTF8.self)
    #expect(table.contains("structure,uniformity,resnet18-random,,"))
  }

  @Test("wrong options, sites and images: one line that says what was expected")
  func options() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    func refused(_ arguments: [String], _ text: String, code: Int32 = 64) throws {
      let outcome = try parallax.run(arguments)
      outcome.expectFailure(code, text)
      #expect(parallax.folder.names("run").isEmpty)
    }
    try refused(Self.base + ["--passes", "0"], "--passes 0: expected a whole number from 1")
    try refused(Self.base + ["--sites", "layer1.*"], "the structure is of all sub-layers")
    try refused(Self.base + ["--layers", "some"], "full")
    var other = Self.base
    other[1] = "resnet18@layer1.0"
    try refused(other, "expected models without sites and tokens")
  }
}
