import Foundation
import ParallaxResults

/// A picture with lines under it, one cell of a grid.
struct PictureCell {
  var picture: Data
  /// What it shows, for who cannot see it.
  var label: String
  /// The line under it.
  var name: String
  /// Quiet lines under that.
  var lines: [String] = []
  var verdict: InversionResult.Verdict?

  var html: HTML {
    .element(
      "div", ["class": "field"],
      [
        picture.isEmpty
          ? .element("div", ["class": "missing"], "no picture")
          : .void(
            "img",
            [
              "src": "data:image/png;base64,\(picture.base64EncodedString())", "alt": label,
              "title": label, "loading": "lazy", "decoding": "async",
            ]),
        .element("span", ["title": name], name),
      ]
        + (verdict.map {
          [
            .element(
              "span", ["class": "verdict small \(InversionGrid.style($0))"],
              InversionGrid.short($0))
          ]
        } ?? [])
        + lines.map { .element("span", ["class": "quiet", "title": $0], $0) })
  }

  /// Cells side by side under a line that names them.
  static func row(_ name: [HTML], _ cells: [PictureCell], isLarge: Bool = false) -> HTML {
    .element(
      "div", ["class": "field-row"],
      [
        .element("div", ["class": "field-name"], name),
        .element("div", ["class": isLarge ? "fields large" : "fields"], cells.map(\.html)),
      ])
  }

  /// A model's marker, its name, and what else the line says.
  static func name(_ index: Int, _ model: String, _ rest: String) -> [HTML] {
    [
      ModelMark.html(index), .element("strong", [:], model),
      .element("span", ["class": "quiet"], rest),
    ]
  }

  private static let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  /// Whether bytes are a PNG, or none.
  static func isPicture(_ data: Data) -> Bool { data.isEmpty || Array(data.prefix(8)) == png }
}
