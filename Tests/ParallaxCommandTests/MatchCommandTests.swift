import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite(
  "parallax match",
  .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
struct MatchCommandTests {
  private static let base = [
    "match", "resnet18@layer1.0,layer4.1", "--random-weights", "1", "--images", "photos",
    "--output", "run", "--pairs", "2", "--steps", "2", "--tolerance", "1e-9",
  ]

  @Test("writes a run folder with the section and the pictures, and says how near they came")
  func writes() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    let outcome = try parallax.run(Self.base)
    outcome.expectSuccess()
    #expect(
      outcome.output.contains("resnet18-random@layer4.1#avg: 0 of 2 matched after 2 to 2 steps"))
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: MatchingResult = try #require(try run.result(analysis: "matching"))
    #expect(result.preset == "quick, changed" && result.models[0].places.count == 2)
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("id=\"matching\"") && page.contains("data:image/png;base64,"))
    #expect(parallax.folder.names("run/tensors/matching").count == 5)
    let table = String(decoding: try parallax.folder.bytes("run/results.csv"), as: UTF8.self)
    #expect(table.contains("matching,PSNR,resnet18-random@layer1.0#avg,"))
    #expect(table.contains("matching,trace: cosine,resnet18-random@layer1.0#avg,"))
  }

  @Test("wrong options, ids and sites: one line that says what was expected")
  func options() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    func refused(_ arguments: [String], _ text: String, code: Int32 = 64) throws {
      let outcome = try parallax.run(Self.base + arguments)
      outcome.expectFailure(code, text)
      #expect(parallax.folder.names("run").isEmpty)
    }
    try refused(["--pairs", "0"], "a whole number from 1")
    try refused(["--steps", "0"], "a whole number from 1")
    try refused(["--rate=-1"], "a number above 0")
    try refused(["--linf", "0.1", "--l2", "1"], "expected one of them")
    try refused(["--cosine", "1"], "below 1")
    try refused(["--method", "newton"], "gauss-newton")
    let id = try ImageSet(parallax.folder.url.appending(path: "photos").path).samples[0].id
    try refused(["--source", id, "--target", id], "are the same picture")
    try refused(["--source", "nobody.png"], "nobody.png: no image of the set", code: 66)
    try refused(["--source", "photos"], "photos: is a folder, expected an image file", code: 65)
    try parallax.folder.write(Array("no image".utf8), "broken.png")
    try refused(["--target", "broken.png"], "broken.png: is neither JPEG", code: 65)
    try refused(["--method", "l-bfgs-b", "--l2", "1"], "l-bfgs-b has none")
    try refused(["--preset", "sabour2016", "--rate", "1"], "l-bfgs-b has none")
    try refused(["--preset", "newton", "--rate", "5"], "levenberg-marquardt has none")
    try refused(["--damping", "5"], "adam has none")
    try refused(["--noise", "0.1,x"], "expected numbers above 0")
    try refused(["--target", id, "--target-embedding", "t.npy"], "expected one of them")
    try refused(["--target-embedding", "none.npy"], "none.npy", code: 66)
    try refused(["--dtype", "float64"], "only invert and lipschitz have float64")
  }

  @Test("a source outside the set is read, recorded with path and hash, and matched")
  func outside() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    let other = try TemporaryFolder()
    try other.pictures(5, in: "more")
    let path = try #require(
      ImageSet(other.url.appending(path: "more").path).samples.last?.path)
    let outcome = try parallax.run(Self.base + ["--source", path, "-b", "1"])
    outcome.expectSuccess()
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: MatchingResult = try #require(try run.result(analysis: "matching"))
    let hash = try ContentHash.sha256(ofFile: path)
    #expect(result.images.contains { $0.id == path && $0.sha256 == hash })
    let record = String(decoding: try parallax.folder.bytes("run/run.json"), as: UTF8.self)
    #expect(record.contains(hash))
  }

  private func recipe(_ arguments: [String]) throws -> MatchRecipe {
    try MatchOptions.parse(arguments).recipe()
  }

  @Test("a method brings its own numbers, and a recipe that is changed says so")
  func recipes() throws {
    #expect(try recipe([]) == .quick && recipe(["--preset", "pgd"]) == .pgd)
    // Descent with Adam's rate in pixels moves nothing.
    let descent = try recipe(["--method", "descent"])
    #expect(descent.rate == MatchRecipe.salman2024.rate && descent.unit == .normalised)
    #expect(descent.name == "descent")
    let mixed = try recipe(["--preset", "salman2024", "--method", "pgd", "--linf", "0.03"])
    #expect(mixed.name == "salman2024, changed" && mixed.rate == MatchRecipe.pgd.rate)
    #expect(mixed.unit == .pixels && mixed.ball == .maximum(0.03) && mixed.tolerance == 1e-4)
    #expect(try recipe(["--preset", "newton", "--method", "gauss-newton"]).products == 12)
    #expect(try recipe(["--preset", "sabour2016"]) == .sabour2016)
    #expect(try recipe(["--method", "l-bfgs-b"]).ball == .maximum(10.0 / 255))
    let changed = try recipe([
      "--loss", "half", "--unit", "normalised", "--clamp", "source", "--preset", "quick",
    ])
    #expect(changed.name == "quick, changed" && changed.loss == .half && changed.clamp == .source)
    #expect(try recipe(["--preset", "salman2024-several", "--targets", "4"]).targets == 4)
    // Given as it is, it is not changed.
    #expect(try recipe(["--preset", "quick", "--steps", "100"]).name == "quick")
  }

  @Test("with a target every other image of the set is changed, unless pairs are counted")
  func targets() throws {
    func pairs(_ arguments: [String]) throws -> MatchPairs {
      try MatchOptions.parse(arguments).options(batchSize: 8).pairs
    }
    #expect(try pairs(["--target", "a"]) == .to("a", .max))
    #expect(try pairs(["--target", "a", "--pairs", "3"]) == .to("a", 3))
    #expect(try pairs([]) == .random(8) && pairs(["--source", "a"]) == .from("a", 8))
    // Pairs at once: as many as are asked for, or what the memory allows.
    #expect(try MatchOptions.parse([]).options(batchSize: nil).batchSize == nil)
    #expect(try MatchOptions.parse([]).options(batchSize: 20).batchSize == 20)
  }
}
