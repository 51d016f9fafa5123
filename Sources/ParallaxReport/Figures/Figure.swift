/// A figure with all that stands round it.
struct Figure {
  /// Unique in the page; also the name of the files that are saved from it.
  var id: String
  /// What is seen, as a sentence.
  var title: String
  /// For who cannot see it.
  var description: String
  var chart: Chart
  /// The names of the data sets that the chart draws.
  var data: [String]
  /// Those of them that are saved as a table.
  var exported: [String]
  /// Canvas for what has many marks, SVG for what has few.
  var marks: Int
  /// Drawn when somebody unfolds it.
  var isFolded = false
  /// What is drawn in its place where the page is narrower than so many pixels.
  var narrow: (chart: Chart, below: Int)?

  /// What the page's script needs of it.
  struct Entry: Encodable {
    var chart: Chart
    var data: [String]
    var exported: [String]
    var renderer: String
    var name: String
    var narrow: Chart?
    var narrowBelow: Int?
  }

  var entry: Entry {
    Entry(
      chart: chart, data: data, exported: exported, renderer: marks > 3000 ? "canvas" : "svg",
      name: id, narrow: narrow?.chart, narrowBelow: narrow?.below)
  }

  /// The figure's element, with its caption and what lies under it.
  func html(caption: [HTML], after: [HTML] = []) -> HTML {
    .element(
      "figure", ["id": "figure-\(id)", "class": "figure"],
      [
        .element(
          "div",
          [
            "class": "drawing", "data-figure": id, "role": "img", "aria-label": description,
            "tabindex": "0",
          ], ""),
        .element("figcaption", [:], caption),
        .element(
          "div", ["class": "actions"],
          [
            button("Save as SVG", "svg"), button("Save as PNG", "png"),
            button("Data as CSV", "csv"), button("Vega-Lite", "json"),
          ]),
      ] + after)
  }

  private func button(_ label: String, _ action: String) -> HTML {
    .element(
      "button",
      ["type": "button", "data-save": action, "data-of": id, "aria-label": "\(label): \(title)"],
      label)
  }
}
