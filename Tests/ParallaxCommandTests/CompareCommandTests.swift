import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite(
  "parallax compare",
  .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
struct CompareCommandTests {
  private static let base = [
    "compare", "mobilenetv2_100@blocks.*.0", "--random-weights", "1", "--images", "photos",
    "--block-size", "4", "--output", "run",
  ]

  private func run(in parallax: CommandRunner, _ name: String = "run") -> RunFolder {
    RunFolder(parallax.folder.url.appending(path: name))
  }

  @Test("writes a run folder: a page, a table, a result, and what reproduces it")
  func writes() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(12)
    let outcome = try parallax.run(Self.base + ["--json", "--seed", "3"])
    outcome.expectSuccess()
    let summary = try outcome.json(Job.Summary.self)
    #expect(summary.images == 12 && summary.skipped == 0 && summary.seconds > 0)
    #expect(FileManager.default.fileExists(atPath: summary.report))
    let run = run(in: parallax)
    #expect(parallax.folder.names("run/results") == ["similarity.json"])
    let result: SimilarityResult = try #require(try run.result(analysis: "similarity"))
    #expect(result.images == 12 && result.models.map(\.name) == ["mobilenetv2_100-random"])
    let values = try #require(result.matrix(0, 0)?.values)
    #expect(values.count == 7 && values.allSatisfy { $0.count == 7 })
    for place in values.indices {
      #expect(abs((values[place][place] ?? 0) - 1) < 1e-9)
    }
    let provenance = try run.provenance()
    #expect(provenance.seed == 3 && provenance.imageCount == 12 && provenance.skipped.isEmpty)
    #expect(provenance.classes == ["ants": 6, "bees": 6])
    #expect(provenance.command.hasPrefix("parallax compare 'mobilenetv2_100@blocks.*.0'"))
    let table = String(decoding: try parallax.folder.bytes("run/results.csv"), as: UTF8.self)
    #expect(try #require(cells(table)).count > 7)
    #expect(parallax.states.isEmpty)
  }

  @Test("two models give a matrix each, and one between them")
  func several() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(8)
    let outcome = try parallax.run([
      "compare", "mobilenetv2_100@blocks.*.0", "resnet18@*.0",
      "--random-weights", "2", "--images", "photos", "--json", "--quiet",
    ])
    outcome.expectSuccess()
    #expect(outcome.errors == "")
    let summary = try outcome.json(Job.Summary.self)
    #expect(summary.models == ["mobilenetv2_100-random", "resnet18-random"])
    let folder = RunFolder(URL(filePath: summary.run))
    #expect(try folder.provenance().title == "How similar are 2 models?")
    #expect(summary.run.contains("runs/compare-mobilenetv2_100"))
    let result: SimilarityResult = try #require(
      try folder.result(analysis: "similarity"))
    #expect(result.matrices.count == 3)
    #expect(result.matrix(0, 1)?.values.count == 7)
    #expect(result.matrix(0, 1)?.values.first?.count == 4)
  }

  @Test("two addresses of one model are one model, in the title too")
  func once() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(8)
    let outcome = try parallax.run([
      "compare", "resnet18@layer1.0", "resnet18@layer2.0", "--random-weights", "1", "--images",
      "photos", "--output", "run", "--json",
    ])
    outcome.expectSuccess()
    #expect(try outcome.json(Job.Summary.self).models == ["resnet18-random"])
    #expect(
      try run(in: parallax).provenance().title == "How similar are the layers of one model?")
  }

  @Test("two checkpoints of one architecture have a run folder each")
  func folders() throws {
    let texts = ["resnet50=old/a.pth", "resnet50=new/b.tar.gz@fc", "mobilenetv2#avg"]
    let names = try ModelOptions.checked(texts)
    #expect(names == ["resnet50-a", "resnet50-b.tar", "mobilenetv2"])
    #expect(Runs.name("compare", Array(names[...0])) == "runs/compare-resnet50-a")
    #expect(Runs.name("compare", names) == "runs/compare-resnet50-a-resnet50-b.tar-mobilenetv2")
  }

  @Test(
    "with --format csv the numbers go to standard output, and with --quiet nothing to the other")
  func table() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(8)
    let outcome = try parallax.run(Self.base + ["--format", "csv", "--quiet"])
    outcome.expectSuccess()
    #expect(outcome.errors == "")
    #expect(try parallax.folder.bytes("run/results.csv") == Array(outcome.output.utf8))
    let quiet = try parallax.run(Self.base + ["-q"])
    #expect(quiet.code == 0 && quiet.errors == "")
    #expect(quiet.output.split(separator: "\n").count == 2)
  }

  @Test("broken images among good ones are left out, counted and named; --strict refuses them")
  func broken() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(12, broken: [0, 8])
    let outcome = try parallax.run(Self.base + ["--json"])
    outcome.expectSuccess()
    let summary = try outcome.json(Job.Summary.self)
    #expect(summary.images == 10 && summary.skipped == 2)
    for name in ["ants/100.png", "bees/102.png"] {
      #expect(outcome.errors.contains("left out \(name): "), "\(outcome.errors)")
    }
    let provenance = try run(in: parallax).provenance()
    #expect(provenance.skipped.map(\.path) == ["ants/100.png", "bees/102.png"])
    #expect(provenance.classes == ["ants": 5, "bees": 5])
    try parallax.run(Self.base + ["--strict"]).expectFailure(65, ".png: is neither")
  }

  @Test("too few images, or none that can be read, are bad data and say how many there are")
  func tooFew() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(1, in: "one")
    try parallax.folder.pictures(8, in: "broken", broken: Set(0..<8))
    func images(_ name: String) -> [String] { Self.base.map { $0 == "photos" ? name : $0 } }
    try parallax.run(images("one")).expectFailure(65, "at least 4", "found 1")
    try parallax.run(images("broken")).expectFailure(65, "at least 4", "found 0")
    try FileManager.default.createDirectory(
      atPath: parallax.folder.file("empty"), withIntermediateDirectories: true)
    try parallax.run(images("empty")).expectFailure(66, "empty: holds no usable image")
    try parallax.run(images("absent")).expectFailure(66, "absent")
    #expect(!FileManager.default.fileExists(atPath: parallax.folder.file("run/run.json")))
  }

  @Test("a report can be drawn again, and a run into the same folder replaces the earlier one")
  func again() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(8)
    try parallax.run(Self.base).expectSuccess()
    let page = try parallax.folder.bytes("run/report.html")
    try FileManager.default.removeItem(atPath: parallax.folder.file("run/report.html"))
    let outcome = try parallax("report", "run")
    outcome.expectSuccess()
    #expect(outcome.output.contains("run/report.html"))
    #expect(try parallax.folder.bytes("run/report.html") == page)
    try parallax.run(Self.base + ["--limit", "6"]).expectSuccess()
    #expect(try run(in: parallax).provenance().imageCount == 6)
  }
}
