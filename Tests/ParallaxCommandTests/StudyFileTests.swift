import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite("Study files")
struct StudyFileTests {
  private static let base = "models: [mobilenetv2_100]\nrandom_weights: 1\nimages: photos\n"
  private static let hasJavaScript = CommandRunner.hasJavaScript

  private func study(_ yaml: String, _ more: String...) throws -> CommandRunner.Outcome {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(8)
    try parallax.folder.write(Array(yaml.utf8), "study.yaml")
    let outcome = try parallax.run(["study", "study.yaml"] + more)
    if outcome.code != 0 {
      #expect(!parallax.folder.names().contains("runs"), "\(yaml.prefix(80))")
    }
    return outcome
  }

  @Test(
    "a file that is no study is bad data, 65, and says where",
    arguments: [
      ("", "expected keys such as models"), ("# nothing but a comment\n", "expected keys"),
      ("- models\n- images\n", "expected keys"), ("just a sentence", "expected keys"),
      ("title: without models\n", "'models' is missing"), ("models: []\n", "'models' is missing"),
      ("models: {a: b}\n", "'models': expected a list"),
      ("models: [[a], [b]]\n", "expected a list of texts"),
      ("models: [a\n", "not valid YAML"), ("title: \"open\n", "not valid YAML"),
      ("models: [a]\nmodels: [b]\n", "not valid YAML"), ("a: \u{1}\n", "not valid YAML"),
      ("models: &a [*a]\n", "not valid YAML"), ("? {a: b}\n: c\n", "no key is called ''"),
      ("--- {models: [a]}\n--- {models: [b]}\n", "not valid YAML"),
    ])
  func noStudy(yaml: String, part: String) throws {
    try study(yaml).expectFailure(65, "study.yaml: ", part)
  }

  @Test(
    "a key that is unknown, or of the wrong kind, is named",
    arguments: [
      ("modles: [a]", "no key is called 'modles'; expected one of title, models"),
      ("limit: many", "'limit': expected a whole number"),
      ("limit: [3]", "'limit': expected a whole number"),
      ("limit: 0", "'limit' is 0, expected a whole number from 1"),
      ("limit: -3", "'limit'"), ("limit: 1.5", "'limit'"),
      ("seed: 99999999999999999999999", "'seed': expected a whole number"),
      ("batch_size: 0", "'batch_size' is 0"),
      ("block_size: 3", "'block_size' is 3, expected a whole number from 4 to 65536"),
      ("minimum_class_size: 0", "'minimum_class_size' is 0"),
      ("strict: perhaps", "'strict': expected true or false"),
      ("alpha: green", "'alpha' is 'green', expected white or drop"),
      ("sites: [blocks.0]", "'sites': expected a text"), ("title: {a: b}", "'title'"),
      ("analyses: [astrology]", "no analysis is called 'astrology'; expected similarity"),
      ("analyses: {a: b}", "'analyses': expected a list"),
      ("measures: [ckaa]", "'measures': no measure is called 'ckaa'; did you mean cka"),
      ("measures: {a: b}", "'measures': expected a list"),
      ("route: moments", "'route' belongs to 'measures', which names none"),
      ("measures: [cca]\nroute: exact", "'route' is 'exact', expected auto, features, moments"),
      ("measures: [cca]\ngroups: 2000", "'groups' is 2000, expected at most 1000"),
      ("measures: [cca]\npermutations: few", "'permutations': expected a whole number"),
    ])
  func badKey(line: String, part: String) throws {
    try study(Self.base + line + "\n").expectFailure(65, "study.yaml: ", part)
  }

  @Test("a file nested a hundred thousand deep, and one that swells, are refused and not followed")
  func hostile() throws {
    let deep = String(repeating: "[", count: 100_000)
    try study("models: " + deep).expectFailure(65, "not valid YAML")
    let closed = deep + String(repeating: "]", count: 100_000)
    try study("models: " + closed).expectFailure(65, "not valid YAML")
    let maps = String(repeating: "{a: ", count: 50_000) + String(repeating: "}", count: 50_000)
    try study("models: " + maps).expectFailure(65, "not valid YAML")
    var bomb = "models: &b0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in 1..<12 {
      let parts = [String](repeating: "*b\(level - 1)", count: 10).joined(separator: ", ")
      bomb += "more\(level): &b\(level) [\(parts)]\n"
    }
    try study(bomb).expectFailure(65, "no key is called 'more1'")
  }

  @Test("a study, or what it names, that is not there is missing input, 66")
  func missing() throws {
    let parallax = try CommandRunner()
    try parallax("study", "absent.yaml").expectFailure(66, "absent.yaml: there is no such study")
    try study("models: [resnet18=absent.pth]\nimages: photos\n").expectFailure(66, "absent.pth")
    try study(Self.base.replacing("photos", with: "absent")).expectFailure(66, "absent")
  }

  @Test(
    "a study runs as its file says, and what the command line says goes before",
    .enabled(if: hasJavaScript, "the JavaScript is not in the cache; run make setup"))
  func runs() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(12, in: "here/photos")
    try parallax.folder.write(
      Array(
        (Self.base
          + "title: Small\nlimit: 8\nseed: 5\nblock_size: 4\nsites: blocks.*.*\nalpha: drop\n").utf8
      ),
      "here/small.yaml")
    let first = try parallax("study", "here/small.yaml", "--json", "--quiet")
    first.expectSuccess()
    #expect(first.errors == "")
    let summary = try first.json(Job.Summary.self)
    #expect(summary.images == 8 && summary.skipped == 0)
    #expect(summary.models == ["mobilenetv2_100-random"])
    let run = RunFolder(parallax.folder.url.appending(path: "runs/small"))
    #expect(URL(filePath: summary.run).standardizedFileURL == run.url.standardizedFileURL)
    let provenance = try run.provenance()
    #expect(provenance.title == "Small" && provenance.seed == 5)
    #expect(provenance.classes == ["ants": 4, "bees": 4])
    #expect(provenance.command == "parallax study here/small.yaml --json --quiet")
    let second = try parallax(
      "study", "here/small.yaml", "--limit", "10", "--seed=6", "--output", "other", "--json")
    second.expectSuccess()
    #expect(try second.json(Job.Summary.self).images == 10)
    let other = RunFolder(parallax.folder.url.appending(path: "other"))
    #expect(try other.provenance().seed == 6)
  }

  @Test(
    "measures stand beside the analyses, by the route that the file says",
    .enabled(if: hasJavaScript, "the JavaScript is not in the cache; run make setup"))
  func measures() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(24)
    let yaml =
      Self.base
      + "sites: blocks.*.0\nanalyses: []\nmeasures: [procrustes, 'cka-biased,procrustes']\n"
      + "route: moments\npermutations: 3\ngroups: 4\n"
    try parallax.folder.write(Array(yaml.utf8), "small.yaml")
    try parallax("study", "small.yaml", "--quiet").expectSuccess()
    let run = RunFolder(parallax.folder.url.appending(path: "runs/small"))
    let result: MeasuresResult = try #require(try run.result(analysis: "measures"))
    #expect(result.measures.map(\.name) == ["procrustes", "cka-biased"])
    #expect(result.measures.allSatisfy { $0.route == "moments" && $0.pValues != nil })
    #expect(result.permutations == 3 && result.groups == 4)
  }

  @Test(
    "a model's folder is looked for beside the study, as its images are",
    .enabled(if: hasJavaScript, "the JavaScript is not in the cache; run make setup"))
  func beside() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(8, in: "here/photos")
    try parallax.folder.write(
      Array("{\"architecture\": \"mobilenetv2_100\"}".utf8), "here/mine/config.json")
    try parallax.folder.write(
      Array("models: [mine@blocks.0.0]\nrandom_weights: 1\nimages: photos\n".utf8),
      "here/study.yaml")
    let outcome = try parallax("study", "here/study.yaml", "--json")
    outcome.expectSuccess()
    #expect(try outcome.json(Job.Summary.self).models == ["mine-random"])
    // One site has no steps: nobody asked for them by name, so the others are done.
    #expect(
      outcome.errors.contains("an analysis is left out: mine-random: steps lie between layers"))
  }
}
