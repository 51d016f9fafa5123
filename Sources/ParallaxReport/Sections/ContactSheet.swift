import Foundation
import ParallaxResults

/// The images that were looked at, by class.
struct ContactSheet {
  let material: Material

  func html() -> HTML {
    let rows = material.samples.rows
    guard !rows.isEmpty else { return .element("p", [:], "The run holds no table of its images.") }
    let shown = rows.filter { $0.thumbnail != nil }.count
    let classes = Dictionary(grouping: rows) { $0.className ?? "" }.sorted { $0.key < $1.key }
    let strip =
      classes.count > 1
      ? classes.compactMap { $0.value.first { $0.thumbnail != nil } }
      : Array(rows.filter { $0.thumbnail != nil }.prefix(14))
    let all =
      shown < rows.count
      ? "\(shown) of \(rows.count) images, every class" : "All \(rows.count) images"
    return .group([
      .element("div", ["class": "strip"], strip.prefix(24).map { picture($0, named: true) }),
      Fold.make(
        classes.count > 1 ? all + ", by class" : all,
        classes.map { name, rows in
          .element(
            "div", ["class": "class"],
            [
              .element(
                "h4", [:],
                [
                  .text(name.isEmpty ? "images" : name),
                  .element("span", ["class": "quiet"], " \(rows.count)"),
                ]),
              .element(
                "div", ["class": "sheet"],
                rows.filter { $0.thumbnail != nil }.map { picture($0, named: false) }),
            ])
        }),
      skipped,
    ])
  }

  private func picture(_ row: SampleTable.Row, named: Bool) -> HTML {
    guard let data = row.thumbnail else { return .none }
    let image = HTML.void(
      "img",
      [
        "src": "data:image/jpeg;base64,\(data.base64EncodedString())", "alt": row.id,
        "title": row.id, "loading": "lazy", "decoding": "async",
      ])
    guard named, let name = row.className else { return image }
    return .element(
      "div", ["class": "named"], [image, .element("span", ["class": "quiet"], name)])
  }

  private var skipped: HTML {
    let skipped = material.provenance.skipped
    guard !skipped.isEmpty else { return .none }
    return Fold.make(
      "\(Text.plural(skipped.count, "file")) left out",
      [
        Fold.table(
          ["file", "why"],
          skipped.map {
            .element(
              "tr", [:],
              [
                .element("td", [:], [.element("code", [:], $0.path)]),
                .element("td", [:], $0.reason),
              ])
          })
      ])
  }
}
