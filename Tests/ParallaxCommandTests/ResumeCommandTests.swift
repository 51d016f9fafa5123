import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite("A command that is stopped", .serialized)
struct ResumeCommandTests {
  private static let compare = [
    "compare", "vit_tiny_patch16_224", "--random-weights", "1", "--images", "photos",
    "--block-size", "4", "--route", "minibatch",
  ]
  private static let extract = [
    "extract", "vit_tiny_patch16_224@blocks.*,norm", "--random-weights", "1", "--images", "photos",
    "--block-size", "4", "--npy",
  ]
  private static let count = 48

  /// The bytes that must not depend on where a run was stopped.
  private func bytes(_ names: [String], in parallax: CommandRunner) throws -> [[UInt8]] {
    try names.map { try parallax.folder.bytes($0) }
  }

  @Test(
    "^C exits 130 and says that the same command resumes; the results are those of an undisturbed run",
    .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
  func interrupted() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(Self.count, broken: [2, 30])
    try parallax.run(Self.compare + ["--output", "whole"]).expectSuccess()
    let arguments = Self.compare + ["--output", "run"]
    let (stopped, _) = try parallax.run(arguments, sending: SIGINT, after: 8)
    #expect(stopped.code == 130)
    #expect(stopped.errors.contains("the same command resumes"))
    #expect(stopped.errors.count(of: "error: ") == 1, "\(stopped.errors)")
    #expect(stopped.output == "")
    #expect(parallax.states.count == 1)
    #expect(!FileManager.default.fileExists(atPath: parallax.folder.file("run/run.json")))
    // A kill after that leaves what was saved.
    let (killed, resumed) = try parallax.run(arguments, sending: SIGKILL, after: 16)
    #expect(killed.code == 128 + SIGKILL)
    #expect((resumed ?? 0) >= 8, "the second run began anew")
    #expect(parallax.states.filter { !$0.contains("partial") }.count == 1)
    let (last, first) = try parallax.run(arguments, sending: SIGKILL, after: .max)
    #expect(last.code == 0, "\(last.errors)")
    #expect((first ?? 0) >= 8, "the third run began anew")
    #expect(parallax.states.filter { !$0.contains("partial") }.isEmpty)
    let names = ["results/similarity.json", "results.csv"]
    #expect(
      try bytes(names.map { "run/\($0)" }, in: parallax)
        == bytes(names.map { "whole/\($0)" }, in: parallax))
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    #expect(try run.provenance().imageCount == Self.count - 2)
    #expect(try run.provenance().skipped.count == 2)
  }

  @Test("a kill of extract leaves whole shards only, and the same command ends with the same bytes")
  func killed() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(Self.count)
    try parallax.run(Self.extract + ["--output", "whole"]).expectSuccess()
    let arguments = Self.extract + ["--output", "part"]
    let (stopped, _) = try parallax.run(arguments, sending: SIGTERM, after: 8)
    #expect(stopped.code == 130)
    let (killed, resumed) = try parallax.run(arguments, sending: SIGKILL, after: 24)
    #expect(killed.code == 128 + SIGKILL)
    #expect((resumed ?? 0) >= 8, "the second run began anew")
    for name in parallax.folder.names("part") where name.hasSuffix(".safetensors") {
      let (part, whole) = try (
        parallax.folder.bytes("part/\(name)"), parallax.folder.bytes("whole/\(name)")
      )
      #expect(part == whole, "\(name)")
    }
    #expect(!parallax.folder.names("part").contains("index.json"))
    try parallax.run(arguments).expectSuccess()
    let names = parallax.folder.names("whole")
    #expect(parallax.folder.names("part").filter { !$0.hasSuffix(".partial") } == names)
    for name in names {
      let (part, whole) = try (
        parallax.folder.bytes("part/\(name)"), parallax.folder.bytes("whole/\(name)")
      )
      #expect(part == whole, "\(name)")
    }
  }

  @Test("--no-resume begins anew, and so does a command that asks for something else")
  func anew() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(Self.count)
    let (stopped, _) = try parallax.run(Self.extract, sending: SIGINT, after: 8)
    #expect(stopped.code == 130)
    #expect(parallax.states.count == 1)
    let other = Self.extract + ["--sites", "blocks.0", "--output", "other"]
    let (_, first) = try parallax.run(other, sending: SIGINT, after: 4)
    #expect((first ?? 9) < 8)
    let (done, second) = try parallax.run(
      Self.extract + ["--no-resume"], sending: SIGKILL, after: .max)
    #expect(done.code == 0)
    #expect((second ?? 9) < 8)
  }

  @Test("the progress on a terminal ends with all images, and with --quiet there is none")
  func progress() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(8)
    let (loud, _) = try parallax.run(Self.extract, sending: SIGKILL, after: .max)
    #expect(loud.code == 0)
    #expect(Terminal.counts(in: loud.errors).last == 8)
    #expect(loud.errors.contains("8 of 8 images") && loud.errors.hasSuffix("\n"))
    let (quiet, _) = try parallax.run(Self.extract + ["--quiet"], sending: SIGKILL, after: .max)
    #expect(quiet.code == 0 && quiet.errors == "")
  }
}

extension String {
  fileprivate func count(of part: String) -> Int { components(separatedBy: part).count - 1 }
}
