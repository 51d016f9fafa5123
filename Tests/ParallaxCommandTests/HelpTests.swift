import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

/// Every subcommand that the command itself names.
private let subcommands = ParallaxCommand.configuration.subcommands.map {
  $0.configuration.commandName ?? ""
}

@Suite("The command's help")
struct HelpTests {
  /// The words after `Example:`, which help may have broken into lines.
  private func example(in help: String) throws -> [String] {
    let start = try #require(help.range(of: "Example:"), "\(help)")
    let paragraph = help[start.upperBound...].components(separatedBy: "\n\n")[0]
    let words = paragraph.split { $0.isWhitespace }.map { $0.filter { $0 != "'" && $0 != "\"" } }
    try #require(words.first == "parallax", "\(paragraph)")
    return Array(words.dropFirst())
  }

  @Test("asking for help is no error, and shows the subcommands and where to begin")
  func top() throws {
    let parallax = try CommandRunner()
    for arguments in [["--help"], ["-h"], ["help"], []] {
      let outcome = try parallax.run(arguments)
      outcome.expectSuccess()
      #expect(outcome.errors == "")
      #expect(outcome.output.contains("Begin with:  parallax study"))
      for name in subcommands { #expect(outcome.output.contains("  \(name) "), "\(name)") }
    }
    let version = try parallax("--version")
    version.expectSuccess()
    #expect(version.output == "0.1.0\n")
  }

  @Test(
    "every subcommand has a help with an example that parses, its sites and tokens too",
    arguments: subcommands)
  func examples(name: String) throws {
    let outcome = try CommandRunner()(name, "--help")
    outcome.expectSuccess()
    #expect(outcome.errors == "")
    let words = try example(in: outcome.output)
    #expect(words.first == name)
    switch try ParallaxCommand.parseAsRoot(words) {
    case let command as ModelsCommand: #expect(command.name != nil)
    case let command as MeasuresCommand:
      #expect(MeasureCatalog[try #require(command.name)] != nil)
    case let command as LayersCommand:
      _ = try Catalog.entry(named: Address(parsing: command.model).model)
      _ = try command.sites.map { try SitePattern(parsing: $0) }
    case let command as CheckpointsCommand:
      for text in command.addresses {
        guard case .file(let name, _) = try ModelReference(parsing: text) else {
          Issue.record("\(text): expected weights of an architecture")
          continue
        }
        _ = try Catalog.entry(named: name)
      }
    case let command as any ModelsTaking:
      #expect(!command.addresses.isEmpty)
      for text in command.addresses {
        _ = try Catalog.entry(named: Address(parsing: text).model)
      }
    case is StudyCommand, is ReportCommand: break
    case let other: Issue.record("no check for the example of \(other)")
    }
  }

  @Test("the study file that help shows can be read")
  func study() throws {
    let help = StudyCommand.configuration.discussion
    let lines = help.split(separator: "\n").filter { $0.hasPrefix("  ") && $0.contains(": ") }
    #expect(lines.count >= 4, "\(help)")
    let folder = try TemporaryFolder()
    try folder.write(Array(lines.joined(separator: "\n").utf8), "study.yaml")
    let study = try StudyFile(path: folder.file("study.yaml"))
    #expect(study.models.count == 2)
    #expect(try study.makers().count == study.analyses.count)
  }

  @Test("every key of a study file stands in the help")
  func keys() {
    let help = StudyCommand.configuration.discussion
    for key in StudyFile.known { #expect(help.contains(key), "\(key)") }
  }

  @Test(
    "the examples of models and layers work as typed in a shell",
    .enabled(
      if: (try? Catalog.entry(named: "efficientnet-lite0"))?.weightsAreInstalled == true,
      "the weights of efficientnet-lite0 are not in the cache; run make setup"),
    arguments: ["models", "layers"])
  func works(name: String) throws {
    let parallax = try CommandRunner()
    let outcome = try parallax.run(example(in: parallax(name, "--help").output))
    outcome.expectSuccess()
    #expect(outcome.output.split(separator: "\n").count > 5)
  }
}
