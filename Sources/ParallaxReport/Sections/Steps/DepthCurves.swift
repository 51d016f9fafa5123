import ParallaxResults

/// Small multiples of curves over relative depth, a line for each model.
struct DepthCurves {
  /// One number at one place.
  struct Point {
    var place: Double
    var site: String
    var estimate: StepsResult.Estimate
    /// The same the other way round, for who points at it and for the table.
    var back: Double?
  }

  /// One model's curve.
  struct Line {
    /// Whose colour it has.
    var model: Int
    var style = Style.solid
    var points: [Point]
    /// What it is of, where that is not the model whose colour it has.
    var name: String?

    /// Untrained twins are dotted, without points.
    enum Style: Int { case solid, dashed, dotted }
  }

  /// One pair of axes.
  struct Panel {
    var title: String
    var lines: [Line]
    /// Of the ordinate; nil for as far as the panel's values reach.
    var domain: [Double]?
    /// What the ordinate says.
    var quantity: String?
    /// A dashed line across, for what a representation has with itself.
    var reference: Double?
    /// Another, for shuffled images; where it lies beyond the domain it is written in the corner.
    var chance: Double?
  }

  let result: StepsResult
  let id: String
  let panels: [Panel]
  var inRow = 4
  var width = 222.0
  var height = 120.0
  /// Pixels between the columns.
  var spacing = 24.0
  /// Whether all panels have one ordinate: then only the first of a row says its numbers.
  var isShared = false
  /// The legend's title.
  var legend = ""
  /// Whether leading sites stand before depth 0.
  var hasLeading = true
  /// Where a shade says "the end of the network".
  var shaded: ClosedRange<Double>?

  private static let columns = [
    "panel", "model", "_of", "site", "depth", "value", "low", "high", "_panel", "_shown",
    "_interval",
    "_style",
  ]
  private var hasBack: Bool {
    panels.contains { $0.lines.contains { $0.points.contains { $0.back != nil } } }
  }

  func figure(_ title: String, _ description: String, isFolded: Bool = false) -> Figure {
    let row = min(inRow, max(1, panels.count))
    var charts = panels.indices.map(panel)
    while !charts.count.isMultiple(of: row) {
      charts.append(Chart.empty(width: width, height: height))
    }
    return Figure(
      id: id, title: title, description: description,
      chart: Chart(
        concat: charts, columns: row, spacing: Chart.Spacing(row: 50, column: spacing),
        align: "each", bounds: "flush",
        resolve: Chart.Resolve(scale: ["color": "shared", "shape": "shared"])),
      data: [id, "\(id)-marks"], exported: [id],
      marks: panels.reduce(0) { $0 + $1.lines.reduce(0) { $0 + 2 * $1.points.count } },
      isFolded: isFolded)
  }

  func data() -> [String: Dataset] {
    let hasBack = hasBack
    var rows: [[Dataset.Cell]] = []
    for (index, panel) in panels.enumerated() {
      for line in panel.lines {
        for point in line.points {
          let estimate = point.estimate
          rows.append(
            [
              .text(panel.title), .text(line.name ?? result.models[line.model].name),
              .text(result.models[line.model].name), .text(point.site),
              .number(point.place), .number(estimate.value), .number(estimate.low),
              .number(estimate.high), .number(Double(index)), .text(estimate.shown),
              .text(estimate.interval), .number(Double(line.style.rawValue)),
            ] + (hasBack ? [.number(point.back)] : []))
        }
      }
    }
    let marks = panels.enumerated().map { index, panel in
      [Dataset.Cell.number(Double(index)), .number(panel.reference), .number(panel.chance)]
    }
    return [
      id: .table(columns: Self.columns + (hasBack ? ["back"] : []), rows: rows),
      "\(id)-marks": .table(columns: ["_panel", "reference", "chance"], rows: marks),
    ]
  }

  private func panel(_ index: Int) -> Chart {
    let panel = panels[index]
    let isLast = index + min(inRow, panels.count) >= panels.count
    let lowest = hasLeading ? -0.18 : 0
    let x = Chart.Channel.quantity(
      "depth", Chart.Scale(domain: [lowest, 1], nice: false),
      axis: .value(
        Chart.Axis(
          title: isLast ? .value("relative depth") : .null,
          values: hasLeading ? [-0.12, 0, 0.5, 1] : [0, 0.5, 1],
          labelExpr: hasLeading ? "datum.value < 0 ? 'in' : format(datum.value, '.1~f')" : nil,
          grid: true, ticks: false, domain: false)))
    let values = panel.lines.flatMap { $0.points.compactMap(\.estimate.value) }
    let y = Chart.Channel.quantity(
      "value",
      Chart.Scale(
        domain: panel.domain ?? (values.isEmpty ? [0, 1] : nil), nice: panel.domain == nil,
        zero: panel.domain == nil ? false : nil),
      axis: .value(
        Chart.Axis(
          title: panel.quantity.map { .value($0) } ?? .null,
          labels: !isShared || index.isMultiple(of: min(inRow, panels.count)), grid: true,
          ticks: false,
          domain: false, tickCount: 4)))
    let data = Chart.Data(name: id)
    func own(_ more: String = "") -> [Chart.Transform] {
      [Chart.Transform(filter: "datum._panel === \(index) && isValid(datum.value)\(more)")]
    }
    let colour = result.colour("_of", legend: legend)
    var layers: [Chart] = []
    if let shaded {
      layers.append(
        Chart(
          data: Chart.Data(values: [[:]]),
          mark: Chart.Mark(type: "rect", opacity: 0.07, style: "ink"),
          encoding: [
            "x": Chart.Channel(
              datum: shaded.lowerBound, type: "quantitative", scale: x.scale, axis: x.axis),
            "x2": Chart.Channel(datum: shaded.upperBound),
          ]))
    }
    if panel.lines.contains(where: { $0.points.contains { $0.estimate.low != nil } }) {
      layers.append(
        Chart(
          data: data,
          transform: own(" && isValid(datum.low) && datum.depth >= 0 && datum._style < 2"),
          mark: Chart.Mark(type: "area", opacity: 0.13, clip: true),
          encoding: [
            "x": x, "y": .quantity("low", y.scale, axis: y.axis),
            "y2": Chart.Channel(field: "high"), "color": colour,
          ]))
    }
    if panel.reference != nil {
      layers.append(
        Chart(
          data: Chart.Data(name: "\(id)-marks"),
          transform: [Chart.Transform(filter: "datum._panel === \(index)")],
          mark: Chart.Mark(type: "rule", strokeWidth: 1, strokeDash: [1, 3], style: "ink"),
          encoding: ["y": .quantity("reference", y.scale, axis: y.axis)]))
    }
    layers += chance(panel, index, y)
    let dashes: [(Line.Style, [Double]?)] = [(.solid, nil), (.dashed, [5, 3]), (.dotted, [1, 3])]
    for (style, dash) in dashes where panel.lines.contains(where: { $0.style == style }) {
      layers.append(
        Chart(
          data: data,
          transform: own(" && datum._style === \(style.rawValue) && datum.depth >= 0"),
          mark: Chart.Mark(
            type: "line", opacity: 0.9, strokeWidth: style == .dotted ? 1.5 : 1.7,
            strokeDash: dash, clip: true),
          encoding: ["x": x, "y": y, "color": colour, "detail": .name("model")]))
    }
    let count = panel.lines.map(\.points.count).max() ?? 0
    layers.append(
      Chart(
        data: data, transform: own(" && datum._style < 2"),
        mark: Chart.Mark(type: "point", size: count > 40 ? 10 : 26, filled: true, clip: true),
        encoding: [
          "x": x, "y": y, "color": colour, "shape": result.marker("_of", legend: legend),
        ],
        tooltip: [
          .name("model"), .name("site"), .name("_shown", title: panel.quantity ?? panel.title),
          .name("_interval", title: "95 % interval"),
        ] + (hasBack ? [.name("back", title: "the other way round")] : [])))
    if values.isEmpty {
      layers.append(
        Chart(
          data: Chart.Data(values: [[:]]),
          mark: Chart.Mark(
            type: "text", style: "quiet", text: ["no value"], align: "center", fontSize: 11),
          encoding: ["x": .pixels(width / 2), "y": .pixels(height / 2)]))
    }
    return Chart(
      width: width, height: height,
      layer: layers + [Chart.heading([panel.title], limit: width + spacing - 6)],
      view: Chart.View(stroke: Setting.null))
  }

  /// What shuffled images give: a line with its name in the first panel, or a word where it lies too high.
  private func chance(_ panel: Panel, _ index: Int, _ y: Chart.Channel) -> [Chart] {
    guard let chance = panel.chance else { return [] }
    let data = Chart.Data(name: "\(id)-marks")
    let own = [Chart.Transform(filter: "datum._panel === \(index)")]
    let level = Chart.Channel.quantity("chance", y.scale, axis: y.axis)
    let isInside = panel.domain.map { $0[0] <= chance && chance <= $0[1] } ?? false
    let word = Chart.Mark(
      type: "text", style: "quiet",
      text: [isInside ? "shuffled" : "shuffled \(Text.number(chance, digits: 2)) ↑"],
      align: "right", baseline: isInside ? "bottom" : "top", fontSize: 10, dx: -3,
      dy: isInside ? -2 : 3)
    let name = Chart(
      data: data, transform: own, mark: word,
      encoding: ["x": .pixels(width), "y": isInside ? level : .pixels(0)])
    guard isInside else { return index == 0 ? [name] : [] }
    let line = Chart(
      data: data, transform: own,
      mark: Chart.Mark(type: "rule", strokeWidth: 1, strokeDash: [3, 3], style: "ink"),
      encoding: ["y": level])
    return index == 0 ? [line, name] : [line]
  }
}
