import Foundation
import Parallax
import ParallaxTestSupport
import Testing

/// The page in headless Chromium.
@Suite("The page in a browser", .serialized)
struct BrowserTests {
  static let browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
    .first { FileManager.default.isExecutableFile(atPath: $0) }
  static let bundle = CacheFolder.url.appending(path: "vega/vega-bundle.js")
  static var reason: Comment? {
    if browser == nil { return "there is no Chromium" }
    return FileManager.default.fileExists(atPath: bundle.path) ? nil : "there is no Vega bundle"
  }

  /// What the browser made of a page.
  private struct Visit {
    var dom: String
    var console: [String]
    var isDrawn: Bool
    /// What the page asked for beside itself, as the browser's resource timing lists it.
    var resources: String
    var screenshot: Data
  }

  private func visit(
    _ run: RunFolder, width: Int = 1280, dark: Bool = false, adding addition: String = ""
  ) throws -> Visit {
    let scratch = try TemporaryFolder()
    let page = try Report.html(
      of: run, javaScript: String(contentsOf: Self.bundle, encoding: .utf8))
    let watcher = """
      <script>setInterval(() => {
        document.body.dataset.resources = performance.getEntriesByType("resource").map(e => e.name).join(" ") || "none";
      }, 500);</script>\(addition)</body>
      """
    try run.write(html: String(page.dropLast("</body>\n</html>\n".count)) + watcher + "</html>")
    var visit = Visit(dom: "", console: [], isDrawn: false, resources: "", screenshot: Data())
    // One run each for the page's final state and for its picture.
    for what in ["--dump-dom", "--screenshot=\(scratch.file("page.png"))"] {
      let process = Process()
      process.executableURL = Self.browser.map { URL(filePath: $0) }
      process.arguments =
        [
          "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
          "--user-data-dir=\(scratch.file("profile"))", "--virtual-time-budget=30000",
          "--disable-background-networking", "--disable-component-update", "--no-first-run",
          "--enable-logging=stderr", "--window-size=\(width),3000",
          what,
        ] + (dark ? ["--blink-settings=preferredColorScheme=0"] : []) + [run.report.absoluteString]
      // Files, not pipes: a page of a megabyte fills a pipe.
      for name in ["out", "err"] {
        _ = FileManager.default.createFile(atPath: scratch.file(name), contents: nil)
      }
      process.standardOutput = FileHandle(forWritingAtPath: scratch.file("out"))
      process.standardError = FileHandle(forWritingAtPath: scratch.file("err"))
      try process.run()
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
      let text = String(decoding: try scratch.bytes("err"), as: UTF8.self)
      visit.console += text.split(separator: "\n").filter { $0.contains("CONSOLE") }.map(
        String.init)
      if what == "--dump-dom" {
        visit.dom = String(decoding: try scratch.bytes("out"), as: UTF8.self)
      }
    }
    visit.isDrawn = visit.dom.contains("data-state=\"drawn\"")
    visit.resources =
      visit.dom.firstMatch(of: /data-resources="([^"]*)"/).map { String($0.1) } ?? ""
    visit.screenshot = Data(try scratch.bytes("page.png"))
    return visit
  }

  @Test(
    "it draws every figure, says nothing on the console and asks the network for nothing",
    .disabled(if: BrowserTests.reason != nil, BrowserTests.reason))
  func draws() throws {
    let made = try MadeUpRun([12, 16, 12], name: { "\(MadeUpRun.hostile)\($0)" })
    let visit = try visit(made.run)
    #expect(visit.isDrawn)
    #expect(visit.console.isEmpty, "\(visit.console)")
    #expect(visit.resources == "none")
    // The overview and the partners; the pairs are folded.
    #expect(visit.dom.ranges(of: "data-drawn=\"yes\"").count == 2)
    #expect(visit.dom.ranges(of: "<svg").count > 2)
    let isLabelled = visit.dom.contains(">relative depth<")
    #expect(isLabelled)
    #expect(visit.screenshot.starts(with: [0x89, 0x50, 0x4E, 0x47]))
    let picture = try ImageBuffer(decoding: visit.screenshot)
    #expect(picture.width == 1280)
    #expect(colours(picture) > 40)
  }

  @Test(
    "it draws on canvas what has many cells, narrow and dark too",
    .disabled(if: BrowserTests.reason != nil, BrowserTests.reason))
  func large() throws {
    let made = try MadeUpRun([150, 12])
    let visit = try visit(made.run, width: 500, dark: true)
    #expect(visit.isDrawn)
    #expect(visit.console.isEmpty, "\(visit.console)")
    #expect(visit.resources == "none")
    let hasCanvas = visit.dom.contains("<canvas")
    #expect(hasCanvas)
  }

  @Test(
    "it draws the processing steps, folded figures too",
    .disabled(if: BrowserTests.reason != nil, BrowserTests.reason),
    arguments: [[6], [6, 8], [5, 6, 4, 7]], [false, true])
  func steps(blocks: [Int], isWhole: Bool) throws {
    let made = try MadeUpRun(blocks, name: { "\(MadeUpRun.hostile)\($0)" })
    var result = MadeUpSteps(
      blocks: blocks, name: { "\(MadeUpRun.hostile)\($0)" }, isSymmetric: !isWhole,
      permutations: isWhole ? 19 : 0, hasIntervals: isWhole
    ).result
    result.quantity += MadeUpRun.hostile
    try made.run.write(result, analysis: "steps")
    let visit = try visit(
      made.run,
      adding: "<script>document.querySelectorAll('details').forEach(d => d.open = true)</script>")
    #expect(visit.isDrawn)
    #expect(visit.console.isEmpty, "\(visit.console)")
    #expect(visit.resources == "none")
    // Every figure of the page, whether it was folded or not.
    #expect(
      visit.dom.ranges(of: "data-drawn=\"yes\"").count
        == visit.dom.ranges(of: "data-figure=").count)
    let isLabelled = visit.dom.contains(">step size<")
    #expect(isLabelled)
  }

  @Test(
    "it draws the attention of heads, few layers and many",
    .disabled(if: BrowserTests.reason != nil, BrowserTests.reason),
    arguments: [[12], [1, 4, 24], [12, 12, 6, 4, 12]])
  func attention(layers: [Int]) throws {
    let made = try MadeUpRun([3])
    var result = MadeUpAttention(layers: layers).result
    for index in result.models.indices { result.models[index].name += MadeUpRun.hostile }
    try made.run.write(result, analysis: "attention")
    let visit = try visit(made.run)
    #expect(visit.isDrawn)
    #expect(visit.console.isEmpty, "\(visit.console)")
    let isLabelled = visit.dom.contains(">heads, sorted<")
    #expect(isLabelled)
  }

  @Test(
    "it draws concepts, and a map that answers to the keyboard",
    .disabled(if: BrowserTests.reason != nil, BrowserTests.reason), arguments: [1, 3])
  func concepts(models: Int) throws {
    let made = try MadeUpRun([3])
    try made.run.write(
      MadeUpConcepts.result(
        models: models, spaces: models, classes: 3 + 10 * models, name: MadeUpRun.hostile),
      analysis: "kstar")
    let visit = try visit(
      made.run,
      adding: """
        <script>document.querySelector(".kstar-plane svg").dispatchEvent(
          new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true}));</script>
        """)
    let cleared = try self.visit(
      made.run,
      adding: """
        <script>document.querySelector(".kstar-plane svg").dispatchEvent(
          new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true}));
          document.querySelector("[data-kstar=class]").value = "1";
          document.querySelector("[data-kstar=class]").dispatchEvent(new Event("change"));</script>
        """)
    let (isStale, isInvited) = (
      cleared.dom.contains("k* 1 of 6; the class is"), cleared.dom.contains("Point at an image")
    )
    #expect(!isStale && isInvited)
    #expect(visit.isDrawn)
    #expect(visit.console.isEmpty, "\(visit.console)")
    #expect(visit.resources == "none")
    let (isChosen, isTold, isNamed) = (
      visit.dom.contains("class=\"chosen\""), visit.dom.contains("k* 1 of 6; the class is"),
      visit.dom.contains("Skew = ")
    )
    #expect(isChosen && isTold && isNamed)
  }

  @Test(
    "the browser refuses what the page might ask the network for, and says so",
    .disabled(if: BrowserTests.reason != nil, BrowserTests.reason))
  func policy() throws {
    let made = try MadeUpRun([3])
    let visit = try visit(made.run, adding: "<img src='https://example.invalid/a.png'>")
    let refused = visit.console.contains { $0.contains("Content Security Policy") }
    #expect(refused)
  }

  @Test(
    "a bundle that does not draw is said on the page",
    .disabled(if: BrowserTests.browser == nil, "there is no Chromium"))
  func failing() throws {
    let made = try MadeUpRun([3])
    try made.run.write(
      html: Report.html(
        of: made.run, javaScript: "window.vegaEmbed = () => { throw new Error('no such mark'); };"))
    let scratch = try TemporaryFolder()
    let process = Process()
    process.executableURL = Self.browser.map { URL(filePath: $0) }
    process.arguments = [
      "--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000",
      "--user-data-dir=\(scratch.file("profile"))", "--dump-dom", made.run.report.absoluteString,
    ]
    _ = FileManager.default.createFile(atPath: scratch.file("out"), contents: nil)
    process.standardOutput = FileHandle(forWritingAtPath: scratch.file("out"))
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    let dom = String(decoding: try scratch.bytes("out"), as: UTF8.self)
    let (failed, told) = (
      dom.contains("data-state=\"failed\""), dom.contains("could not be drawn: no such mark")
    )
    #expect(failed && told)
  }

  /// Different colours in a picture, sampled: a page that drew nothing has few.
  private func colours(_ image: ImageBuffer) -> Int {
    var seen: Set<[UInt8]> = []
    let bytes = image.pixels
    for start in stride(from: 0, to: bytes.count - 2, by: 3 * 37) {
      seen.insert(Array(bytes[start..<start + 3]))
    }
    return seen.count
  }
}
