import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@Suite("Run folders")
struct RunFolderTests {
  private let scratch: TemporaryFolder
  private let run: RunFolder

  init() throws {
    scratch = try TemporaryFolder()
    run = RunFolder(scratch.url.appending(path: "run"))
    try run.create()
  }

  private var similarity: SimilarityResult {
    SimilarityResult(
      measure: "CKA", estimator: "debiased", route: "minibatch", routeReason: "asked for",
      blockSize: 8, images: 50, blocks: 6, imagesLeftOut: 2, dtype: "float32", seed: .max,
      errorMethod: "jackknife", errorGroups: 41,
      models: [
        ModelSites(
          name: "a, \"b\"", family: "ViT",
          sites: ["x.0", "x.1"].map {
            ModelSites.Site(name: $0, tokens: "cls", stage: "x", depth: 0.1, features: 7)
          })
      ],
      matrices: [
        SimilarityResult.Matrix(
          a: 0, b: 0, values: [[1, 0.1 + 0.2], [0.1 + 0.2, nil]],
          errors: [[0, 1.0 / 3], [1.0 / 3, nil]],
          shuffled: SimilarityResult.Baseline(mean: -1e-17, quantile95: 0.1, shuffles: 2))
      ],
      refusals: [SimilarityResult.Refusal(address: "a@x.1#cls", reason: "does not vary")])
  }

  private var provenance: Provenance {
    Provenance(
      title: "Ünïcode ↔ \"quotes\"\n", command: "parallax compare 'a b'",
      versions: ["parallax": "1", "libtorch": "2.13.0"],
      models: [
        Provenance.Model(
          name: "a", family: "ViT", summary: "s", fingerprint: "f", preprocessing: "p",
          origin: nil, licence: "MIT", caveat: nil, parameters: 12, seconds: 1.5)
      ], images: "/images", imagesHash: "h", imageCount: 50, classes: ["x": 20, "y": 30],
      skipped: [Provenance.Skipped(path: "x/1.png", reason: "has zero bytes")], seed: .max,
      device: "cpu", dtype: "float32", batchSize: 32, threads: 2, date: "2026-01-01T00:00:00Z",
      seconds: ["pass": 2.5])
  }

  @Test("a later run in the same folder takes away what it has not written, and nothing else")
  func leftovers() throws {
    try run.write(provenance)
    for path in [
      "results/old.json", "results/kept.json", "tensors/old/a.png", "tensors/kept/a.png",
      "tensors/kept/b.png", "tensors/mine/a.png", "kept/x.csv", "old/x.csv", "mine/notes.txt",
      "results/notes.txt",
    ] { try run.write(Data("{}".utf8), at: path) }
    #expect(run.exists)
    let start = Date()
    Thread.sleep(forTimeInterval: 0.02)
    try run.write(Data("{}".utf8), at: "results/kept.json")
    try run.write(Data("{}".utf8), at: "tensors/kept/b.png")
    run.removeLeftovers(of: ["kept"], before: start)
    #expect(scratch.names("run/results").sorted() == ["kept.json", "notes.txt"])
    #expect(scratch.names("run/tensors/kept") == ["b.png"])
    #expect(scratch.names("run/tensors/old").isEmpty && scratch.names("run/old").isEmpty)
    #expect(scratch.names("run/tensors/mine") == ["a.png"])
    #expect(scratch.names("run/mine") == ["notes.txt"] && scratch.names("run/kept").isEmpty)
  }

  @Test("what is written is read again, to the last bit")
  func roundTrip() throws {
    try run.write(provenance)
    try run.write(similarity, analysis: "similarity")
    let samples = SampleTable(rows: [
      SampleTable.Row(id: "x/1", className: nil, sha256: "0", thumbnail: Data([0, 255, 3])),
      SampleTable.Row(id: "x/2", className: "x", sha256: "1", thumbnail: nil),
    ])
    try run.write(samples)
    #expect(try run.provenance() == provenance)
    #expect(try run.result(analysis: "similarity") == similarity)
    #expect(try run.samples() == samples)
    try run.write(html: "<p>ü</p>")
    #expect(try String(contentsOf: run.report, encoding: .utf8) == "<p>ü</p>")
    #expect(
      scratch.names("run") == ["report.html", "results", "run.json", "samples.json", "tensors"])
    #expect(scratch.names("run/results") == ["similarity.json"], "no temporary file stays")
    let before = try scratch.bytes("run/results/similarity.json")
    try run.write(similarity, analysis: "similarity")
    #expect(try scratch.bytes("run/results/similarity.json") == before)
  }

  @Test("what was not written is missing: a run, a table, a result")
  func missing() throws {
    #expect(
      throws: ResultsError.missing(
        path: run.url.path, what: "is no run folder (it has no run.json)")
    ) { try run.provenance() }
    #expect(try run.samples().rows.isEmpty)
    let nothing: SimilarityResult? = try run.result(analysis: "similarity")
    #expect(nothing == nil)
    let nowhere = RunFolder(scratch.url.appending(path: "nowhere"))
    #expect(throws: ResultsError.self) { try nowhere.provenance() }
    #expect(throws: ResultsError.self) { try nowhere.write(provenance) }
  }

  @Test(
    "a damaged file is named with what is wrong",
    arguments: [
      ("", "not valid JSON"), ("{", "not valid JSON"), ("[]", "expected kind"),
      ("{}", "is missing"), ("{\"measure\": 3}", "expected kind"), ("\u{0}\u{1}", "not valid JSON"),
      (String(repeating: "[", count: 100_000), "not valid JSON"),
    ])
  func damaged(text: String, problem: String) throws {
    try scratch.write(Array(text.utf8), "run/results/similarity.json")
    try scratch.write(Array(text.utf8), "run/run.json")
    let error = #expect(throws: ResultsError.self) {
      try run.result(SimilarityResult.self, analysis: "similarity")
    }
    let sentence = error?.description ?? ""
    #expect(
      sentence.contains("results/similarity.json") && sentence.contains(problem), "\(sentence)")
    #expect(!sentence.contains("\n"))
    if case .damaged = error {} else { Issue.record("\(sentence)") }
    #expect(throws: ResultsError.self) { try run.provenance() }
  }

  @Test("a name that a newer version may have made is no broken JSON, and its place is said")
  func unknownName() throws {
    struct Holder: Decodable { var findings: [Finding] }
    let finding = Finding(
      sentence: "s", value: 1, low: nil, high: nil, quantity: "q", verdict: .shows, analysis: "a"
    ).bearing(on: .skips)
    try run.write(["findings": [finding]], analysis: "probe")
    #expect(try run.result(Holder.self, analysis: "probe")?.findings == [finding])
    let text = String(decoding: try scratch.bytes("run/results/probe.json"), as: UTF8.self)
    let later = text.replacing("raghu2021/skips", with: "later2027/skips")
    try scratch.write(Array(later.utf8), "run/results/probe.json")
    let error = #expect(throws: ResultsError.self) {
      try run.result(Holder.self, analysis: "probe")
    }
    let sentence = error?.description ?? ""
    #expect(sentence.contains("later2027/skips") && sentence.contains("newer version"))
    #expect(sentence.contains("findings.0.claim") && !sentence.contains("not valid JSON"))
    #expect(!sentence.contains("\n"))
  }

  @Test("a run of another format is refused with a sentence, a newer one as such")
  func formats() throws {
    var other = provenance
    for format in [4, 99, 2, 1, -1] {
      other.format = format
      try run.write(other)
      let error = #expect(throws: ResultsError.self) { try run.provenance() }
      let sentence = error?.description ?? ""
      #expect(sentence.contains("format \(format)") && sentence.contains("reads format 3"))
      #expect(sentence.contains("newer") == (format > 3))
    }
    // A newer one need not have the keys of this one.
    try scratch.write(Array("{\"format\": 4}".utf8), "run/run.json")
    let error = #expect(throws: ResultsError.self) { try run.provenance() }
    #expect(error?.description.contains("newer version") == true)
    try scratch.write(Array("{\"format\": 3}".utf8), "run/run.json")
    let damaged = #expect(throws: ResultsError.self) { try run.provenance() }
    #expect(damaged?.description.contains("is missing") == true)
    try run.write(provenance)
    #expect(try run.provenance() == provenance)
    #expect(scratch.names("run/tensors").isEmpty && scratch.names("run").contains("tensors"))
  }

  @Test("a folder where a file should be, and a file where the run should be, are errors")
  func kinds() throws {
    try FileManager.default.createDirectory(
      at: run.url.appending(path: "run.json"), withIntermediateDirectories: true)
    #expect(throws: ResultsError.self) { try run.provenance() }
    #expect(throws: ResultsError.self) { try run.write(provenance) }
    try scratch.write([1], "file")
    let error = #expect(throws: ResultsError.self) {
      try RunFolder(scratch.url.appending(path: "file/run")).create()
    }
    if case .unwritable = error {} else { Issue.record("\(String(describing: error))") }
  }

  @Test("a number that is not finite is refused, not written as something else")
  func notFinite() throws {
    var result = similarity
    result.matrices[0].values[0][0] = .nan
    #expect(throws: ResultsError.self) { try run.write(result, analysis: "similarity") }
    #expect(scratch.names("run/results").isEmpty)
  }

  @Test(
    "cells of the tidy table are quoted where they must be",
    arguments: [
      "plain", "a,b", "a\"b", "a\nb", "a\r\nb", "a\rb", "", "ü↔", ",\u{301}", "\"\u{308}",
    ])
  func quoting(_ text: String) throws {
    let row = TidyRow(
      analysis: "similarity", measure: "CKA", a: text, b: text + "x", x: "0.5", value: -0.25,
      low: nil, high: 1e-9, n: 50, estimator: "debiased, exact", unit: text)
    let table = TidyRow.table([row, row])
    let rows = try #require(cells(table))
    #expect(
      rows[0]
        == ["analysis", "measure", "a", "b", "x", "value", "low", "high", "n", "estimator", "unit"])
    let expected = [
      "similarity", "CKA", text, text + "x", "0.5", "-0.25", "", "1e-09", "50", "debiased, exact",
      text,
    ]
    #expect(rows.count == 3)
    for found in rows.dropFirst() {
      #expect(found.count == 11)
      for (a, b) in zip(found, expected) { #expect(a.utf8.elementsEqual(b.utf8), "\(a) \(b)") }
    }
    #expect(text != "plain" || !table.contains("\"plain\""))
  }

  @Test("a similarity's rows are each pair once, with intervals where there are errors")
  func tidy() throws {
    let rows = similarity.tidyRows()
    #expect(rows.count == 3)
    #expect(rows.map(\.a) == ["x.0", "x.0", "x.1"].map { "a, \"b\"@\($0)#cls" })
    #expect(rows[1].value == 0.1 + 0.2 && rows[2].value == nil && rows[2].low == nil)
    let margin = 1.96 / 3
    #expect(abs(try #require(rows[1].low) - (0.3 - margin)) < 1e-12)
    #expect(abs(try #require(rows[1].high) - (0.3 + margin)) < 1e-12)
    #expect(rows.allSatisfy { $0.n == 50 && $0.estimator == "debiased, minibatch" })
    try run.write(rows)
    let text = String(decoding: try scratch.bytes("run/results.csv"), as: UTF8.self)
    #expect(cells(text)?.count == 4)
  }
}
