import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite("parallax measures")
struct MeasuresCommandTests {
  private struct Listing: Decodable {
    struct Measure: Decodable {
      var name, direction, range, invariances, source, agreesWith: String
      var isSymmetric, isRandom, streams: Bool
    }
    struct Description: Decodable, Equatable {
      var name, meaning, range, unit, cost, source, agreesWith: String
      var hasStandardError: Bool
      var fewestImages: Int
    }
    var measures: [Measure]
    var descriptions: [Description]
  }

  @Test("lists every measure and every description, for people, as csv and as json")
  func list() throws {
    let parallax = try CommandRunner()
    let names = MeasureCatalog.measures.map(\.name)
    let descriptions = DescriptionCatalog.descriptions.map(\.name)
    let text = try parallax("measures")
    text.expectSuccess()
    for name in names + descriptions {
      #expect(text.output.split(separator: "\n").contains { $0.hasPrefix(name + " ") }, "\(name)")
    }
    let csv = try parallax("measures", "--format", "csv").output.split(separator: "\n")
    #expect(csv.count == names.count + descriptions.count + 1)
    #expect(csv.first == "name,kind,range,unit,ignores,cost,streams,meaning,source")
    #expect(
      csv.contains { $0.hasPrefix("two-nn,description,0 to ∞,dimensions,T S P O,N²D,false,") })
    let listing = try parallax("measures", "--json").json(Listing.self)
    #expect(listing.measures.map(\.name) == names)
    #expect(listing.descriptions.map(\.name) == descriptions)
    let cka = try #require(listing.measures.first { $0.name == "cka" })
    #expect(cka.direction == "similarity" && cka.invariances == "T S P O" && cka.isSymmetric)
    #expect(cka.streams && listing.measures.count(where: \.streams) == 27)
    #expect(!listing.measures.contains { $0.streams && $0.name.contains("rbf") })
    #expect(text.output.contains("a pair; streams") && text.output.contains("--route moments"))
    #expect(try parallax("measures", "jaccard").output.contains("needs the images themselves"))
    #expect(listing.measures.filter(\.isRandom).map(\.name) == ["imd-lanczos-10-100"])
  }

  @Test("tells of one where it is defined and who agrees")
  func one() throws {
    let parallax = try CommandRunner()
    for (name, parts) in [
      ("cka-angular", ["0 to π/2", "a metric", "arXiv 2110.14739", "netrep"]),
      ("imd-lanczos-10-100", ["with a fixed seed", "arXiv 1905.11141"]),
      ("two-nn", ["description of one representation", "0 to ∞ dimensions", "arXiv 1803.06992"]),
      ("spectral-decay", ["as a power", "Stringer et al., 2019", "polyfit"]),
    ] {
      let found = try parallax("measures", name)
      found.expectSuccess()
      for part in parts { #expect(found.output.contains(part), "\(found.output)") }
    }
    let gride = try parallax("measures", "gride-4", "--json").json(Listing.Description.self)
    #expect(gride.hasStandardError && gride.fewestImages == 9 && gride.unit == "dimensions")
    let csv = try parallax("measures", "gride-4", "--format", "csv").output
    #expect(csv.hasPrefix("key,value\nname,gride-4\n"))
  }

  @Test(
    "compare takes any of them, with intervals and chance, into the table and the page",
    .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
  func compare() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(24)
    let outcome = try parallax(
      "compare", "mobilenetv2_100@blocks.*.0", "--random-weights", "1", "--images", "photos",
      "--measure", "procrustes, cka,procrustes", "--permutations", "19", "--output", "run")
    outcome.expectSuccess()
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: MeasuresResult = try #require(try run.result(analysis: "measures"))
    #expect(result.measures.map(\.name) == ["procrustes", "cka"] && result.images == 24)
    #expect(result.measures.allSatisfy { $0.pValues?[0][1] != nil && $0.errors?[0][1] != nil })
    #expect(result.permutations == 19 && result.groups == 10)
    let report = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    for part in [
      "figure-measure-procrustes", "figure-measure-cka", "Ding et al., 2021", "p &gt; 0.05",
    ] {
      #expect(report.contains(part), "\(part)")
    }
    let again = try parallax("report", "run")
    again.expectSuccess()
  }

  @Test(
    "by moments the values are those of the features, some measures one way and some the other",
    .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
  func moments() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(24)
    let common = [
      "compare", "mobilenetv2_100@blocks.*.0", "--random-weights", "1", "--images", "photos",
      "--measure", "procrustes,mutual-knn,correlation-match-soft", "--groups", "4",
      "--permutations", "19", "--output", "run",
    ]
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let results = try ["features", "moments"].map { route in
      let outcome = try parallax.run(common + ["--route", route])
      outcome.expectSuccess()
      #expect(outcome.errors.contains("by second moments: asked for") == (route == "moments"))
      return try #require(try run.result(analysis: "measures") as MeasuresResult?)
    }
    for (a, b) in zip(results[0].measures, results[1].measures) {
      #expect(b.route == (a.name.hasPrefix("mutual") ? "features" : "moments"))
      for (x, y) in zip(a.values.joined(), b.values.joined()) {
        #expect(abs(try #require(x) - (try #require(y))) < 1e-6, "\(a.name)")
      }
      #expect(b.pValues != nil && b.errors != nil)
    }
    let report = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(report.contains("by second moments accumulated in one pass in float64 (asked for"))
    #expect(report.contains("from the features of all images (asked for"))
  }

  @Test(
    "a measure that is none, and a number of orders that is none, are mistakes of the command line")
  func mistakes() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    for (option, value, word) in [
      ("--measure", "ckaa", "did you mean cka"), ("--measure", ",", "names none"),
      ("--measure", "two-nn", "describes one representation"),
      ("--permutations", "-1", "expected 0 to 100000"),
      ("--groups", "1001", "expected 0 to 1000"), ("--route", "exact", "auto, features, moments"),
    ] {
      let measure = option == "--measure" ? [] : ["--measure", "cka"]
      let outcome = try parallax.run(
        ["compare", "mobilenetv2_100", "\(option)=\(value)", "--images", "photos"] + measure)
      #expect(outcome.code == 64 && outcome.errors.contains(word), "\(outcome.errors)")
    }
    let both = try parallax(
      "compare", "mobilenetv2_100", "--measure", "cka", "--estimator", "biased", "--images",
      "photos")
    #expect(both.code == 64 && both.errors.contains("cka-biased"), "\(both.errors)")
    for (options, word) in [
      (["--route", "moments"], "belongs to --measure"),
      (["--groups", "3"], "belongs to --measure"),
    ] {
      let outcome = try parallax.run(
        ["compare", "mobilenetv2_100", "--images", "photos"] + options)
      #expect(outcome.code == 64 && outcome.errors.contains(word), "\(outcome.errors)")
    }
    for (options, word) in [
      (["--measure", "cka", "--clip", "abs:0.9"], "needs all images at once"),
      (["--measure", "rsa,uniformity-difference"], "need the images themselves"),
    ] {
      let outcome = try parallax.run(
        [
          "compare", "mobilenetv2_100", "--random-weights", "1", "--images", "photos", "--route",
          "moments",
        ]
          + options)
      #expect(outcome.code == 64 || outcome.code == 65, "\(outcome.code)")
      #expect(outcome.errors.contains(word), "\(outcome.errors)")
    }
    let limit = try parallax(
      "compare", "mobilenetv2_100", "--measure", "cka", "--memory-limit", "0", "--images", "photos")
    #expect(limit.code == 64 && limit.errors.contains("--memory-limit"), "\(limit.errors)")
    let few = try parallax(
      "compare", "mobilenetv2_100", "--random-weights", "1", "--measure", "cka,mutual-knn",
      "--images", "photos")
    #expect(
      few.code == 65 && few.errors.contains("mutual-knn: expected at least 12 images"),
      "\(few.errors)")
  }

  @Test(
    "features are prepared as asked, or as a preset has it, and the report says so",
    .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
  func preparation() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(24)
    let common = [
      "compare", "mobilenetv2_100@blocks.*.0", "--random-weights", "1", "--images", "photos",
      "--permutations", "2", "--output", "run",
    ]
    let asked = try parallax.run(
      common + ["--measure", "cka", "--clip", "two-sided:0.1", "--centre", "--l2"])
    asked.expectSuccess()
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: MeasuresResult = try #require(try run.result(analysis: "measures"))
    let words =
      "clipped at the 0.1 and 0.9 quantiles of each layer, centred by columns, scaled to rows of length one"
    #expect(result.preprocessing == words)
    let report = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(report.contains("The features were \(words) first."))
    #expect(result.dominance.count == result.addresses.count)
    #expect(result.dominance.allSatisfy { $0.largest.count == 3 })
    let shown = try #require(result.dominance.first?.largest.first)
    #expect(shown.id.hasSuffix(".png") || shown.id.hasSuffix(".jpg"), "\(shown.id)")
    #expect(result.findings.contains { $0.sentence.hasPrefix("Most pairs of layers") })
    #expect(report.contains("The images that dominate each layer") && report.contains(shown.id))
    let preset = try parallax.run(common + ["--preset", "platonic2024"])
    preset.expectSuccess()
    let second: MeasuresResult = try #require(try run.result(analysis: "measures"))
    #expect(second.measures.map(\.name) == ["mutual-knn"])
    let warning = "mutual-knn: 10 neighbours of 24 images are not near any more"
    #expect(preset.errors.contains("warning: \(warning)"), "\(preset.errors)")
    #expect(second.warnings.contains { "\($0.measure ?? ""): \($0.text)".hasPrefix(warning) })
    #expect(second.preprocessing == FeaturePreprocessing.platonic.description)
    for (options, word) in [
      (["--clip", "abs:0.95"], "belong to --measure"),
      (["--measure", "cka", "--clip", "two-sided:0.6"], "two-sided:0.6"),
      (["--preset", "platonic2024", "--l2"], "says itself"),
    ] {
      let outcome = try parallax.run(common + options)
      #expect(outcome.code == 64 && outcome.errors.contains(word), "\(outcome.errors)")
    }
  }

  @Test("a name that is none is one line with the nearest")
  func unknown() throws {
    let parallax = try CommandRunner()
    let outcome = try parallax("measures", "ckaa")
    #expect(outcome.code == 64)
    #expect(outcome.errors.contains("no measure is called 'ckaa'; did you mean cka"))
    let description = try parallax("measures", "two-n")
    #expect(description.code == 64 && description.errors.contains("did you mean two-nn"))
  }
}
