import ParallaxResults

/// A run folder as one page that needs no network.
public enum Report {
  /// The page of a run: what was asked and found, a section an analysis, and what reproduces it.
  ///
  /// Everything that comes from the run is escaped. A content security policy in the page forbids every request.
  ///
  /// - Parameters:
  ///   - run: the folder that `Study` wrote.
  ///   - javaScript: the bundle that draws the figures; it defines `vega`, `vegaLite` and `vegaEmbed`.
  /// - Returns: HTML. Its body's `data-state` becomes `drawn` when all visible figures are there, `failed` where one
  ///   could not be drawn.
  /// - Throws: `ResultsError.missing` where the folder is no run, `ResultsError.damaged`.
  public static func html(of run: RunFolder, javaScript: String) throws -> String {
    let material = Material(
      run: run, provenance: try run.provenance(), samples: try run.samples())
    let analyses = try SectionCatalog.all.compactMap { try $0(material) }
    let findings = analyses.flatMap(\.findings)
    let claims =
      ClaimsSection.make(
        findings, models: material.provenance.models
      ).map { [$0] } ?? []
    // Of many findings those on claims stand with the claims alone.
    let moved =
      claims.isEmpty || findings.count <= 12
      ? [] : findings.filter { $0.claim != nil && $0.value != nil }
    let sections = claims + analyses + [ProvenanceSection(material: material).section()]
    var entries: [String: Figure.Entry] = [:]
    var data: [String: Dataset] = [:]
    for section in sections {
      for figure in section.figures { entries[figure.id] = figure.entry }
      data.merge(section.data) { $1 }
    }
    return HTML.document(
      head: [
        .void("meta", ["charset": "utf-8"]),
        .void("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"]),
        .void(
          "meta",
          [
            "http-equiv": "Content-Security-Policy",
            "content":
              "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:",
          ]),
        .element("title", [:], "\(material.provenance.title) · Parallax"),
        .style(Style.sheet),
      ],
      body: [
        .element("a", ["class": "skip", "href": "#top"], "Skip to the report"),
        contents(sections),
        .element(
          "main", [:],
          [
            Introduction(
              material: material, findings: findings.filter { !moved.contains($0) },
              claimed: moved.count
            ).html()
          ] + sections.map(element)),
        .element(
          "noscript", [:],
          "The figures need JavaScript; all numbers are in results.csv beside this page."),
        try .data("figures", entries),
        try .data("data", data),
        .script(javaScript),
        .script("\(PageScript.source)"),
      ] + sections.flatMap(\.scripts).map { .script("\($0)") })
  }

  private static func contents(_ sections: [Section]) -> HTML {
    let links =
      [("#findings", "Findings"), ("#images", "Images")]
      + sections.map { ("#\($0.id)", $0.name) }
    return .element(
      "nav", ["aria-label": "Contents"],
      [
        .element(
          "ul", [:],
          links.map { .element("li", [:], [.element("a", ["href": $0.0], $0.1)]) }),
        .element(
          "button",
          ["type": "button", "id": "theme", "aria-label": "Change between light and dark"],
          "Light or dark"),
      ])
  }

  private static func element(_ section: Section) -> HTML {
    .element(
      "section", ["id": section.id, "aria-labelledby": "\(section.id)-title"],
      [.element("h2", ["id": "\(section.id)-title"], section.title)] + section.body)
  }
}
