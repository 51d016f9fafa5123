import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@Suite("The page")
struct PageTests {
  @Test(
    "nothing of a run can leave its place: names are escaped in markup, in attributes and in data")
  func escaping() throws {
    let made = try MadeUpRun([3, 4], name: { "\(MadeUpRun.hostile)\($0)" })
    let page = try Report.html(of: made.run, javaScript: "var a = 1;")
    // The figures, the data, the bundle and the page's own script.
    #expect(page.ranges(of: "<script").count == 4)
    #expect(page.ranges(of: "</script").count == 4)
    #expect(!page.contains("<b>&\""))
    #expect(page.contains("&lt;/script&gt;&lt;script&gt;alert(&#39;x&#39;)"))
    #expect(page.contains("\\u003c/script\\u003e"))
  }

  @Test("a bundle that holds the end of a script does not end it")
  func bundle() throws {
    let made = try MadeUpRun([3])
    let page = try Report.html(of: made.run, javaScript: "let s = '</script><p>out</p>';")
    #expect(page.ranges(of: "</script").count == 4)
  }

  @Test("it tells what was asked, what was found, on what, and how to do it again")
  func contents() throws {
    let made = try MadeUpRun([3, 4])
    let page = try Report.html(of: made.run, javaScript: "")
    for text in [
      "2 models looked at 2 images of 2 classes, 2 January 2026", "model-0", "model-1",
      "debiased linear CKA",
      "500 images, float32, minibatch route in blocks of 64 mixed images, each of the same weight (made up), seed 7",
      "delete-group jackknife over 8 groups", "1 file left out", "it is empty",
      "Grey cells are undefined",
      "Layers without a value: 1", "1 min 1 s", "data:image/jpeg;base64,",
      "Content-Security-Policy",
      "made up", "parallax compare",
    ] {
      let isThere = page.contains(text)
      #expect(isThere, "\(text) is missing")
    }
    for finding in try #require(try made.run.result(SimilarityResult.self, analysis: "similarity"))
      .findings
    {
      let isThere = page.contains(finding.quantity.replacing("'", with: "&#39;"))
      #expect(isThere, "\(finding.quantity)")
    }
  }

  @Test("four models of 150 sites stay under 8 MB, the bundle's megabyte included")
  func size() throws {
    let made = try MadeUpRun([150, 150, 150, 150])
    let bundle = String(repeating: "x", count: 900_000)
    #expect(try Report.html(of: made.run, javaScript: bundle).utf8.count < 8_000_000)
  }

  @Test("a run without results still says what it is")
  func empty() throws {
    let made = try MadeUpRun([3])
    try FileManager.default.removeItem(atPath: made.folder.file("results/similarity.json"))
    try FileManager.default.removeItem(atPath: made.folder.file("samples.json"))
    let page = try Report.html(of: made.run, javaScript: "")
    #expect(page.contains("holds no result"))
    #expect(page.contains("holds no table of its images"))
  }

  @Test("a folder that is no run is refused")
  func noRun() throws {
    let folder = try TemporaryFolder()
    #expect(throws: ResultsError.self) {
      try Report.html(of: RunFolder(folder.url), javaScript: "")
    }
  }

  @Test("a result whose parts do not fit is a damaged file, not a trap", arguments: 0..<6)
  func damaged(kind: Int) throws {
    let made = try MadeUpRun([3, 4])
    var result = MadeUpRun.similarity([3, 4])
    switch kind {
    case 0: result.matrices.removeLast()
    case 1: result.matrices[1].values[0].removeLast()
    case 2: result.matrices[1].values.removeLast()
    case 3: result.matrices[0].errors = [[nil]]
    case 4: result.models[0].sites = []
    default: result.models = []
    }
    try made.run.write(result, analysis: "similarity")
    let error = #expect(throws: ResultsError.self) {
      try Report.html(of: made.run, javaScript: "")
    }
    #expect(error?.description.contains("similarity.json") == true)
  }
}
