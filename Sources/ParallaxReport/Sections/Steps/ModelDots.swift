import ParallaxResults

/// Small multiples of one number a model: a dot with its interval, models of a kind together.
struct ModelDots {
  /// One model's number.
  struct Dot {
    var model: Int
    var estimate: StepsResult.Estimate
  }

  /// One axis.
  struct Panel {
    var title: String
    var dots: [Dot]
    /// In the data's table: the measure.
    var by: String = ""
  }

  let result: StepsResult
  let id: String
  let panels: [Panel]
  let groups: [(name: String, models: [Int])]
  var inRow = 7
  var width = 108.0
  private let row = 17.0

  /// Groups' names and models from above downwards.
  private var lines: [(label: String, model: Int?)] {
    groups.flatMap { group in
      [(group.name.uppercased(), nil)] + group.models.map { (result.models[$0].name, $0) }
    }
  }

  func figure(_ title: String, _ description: String) -> Figure {
    let charts = panels.indices.map(panel)
    return Figure(
      id: id, title: title, description: description,
      chart: Chart(
        concat: charts, columns: inRow, spacing: Chart.Spacing(row: 48, column: 18), align: "each",
        bounds: "flush",
        resolve: Chart.Resolve(scale: ["color": "shared", "shape": "shared"])),
      data: [id, "\(id)-lines"], exported: [id],
      marks: panels.reduce(0) { $0 + 2 * $1.dots.count })
  }

  func data() -> [String: Dataset] {
    var places: [Int: Double] = [:]
    for (place, line) in lines.enumerated() {
      if let model = line.model { places[model] = Double(place) + 0.5 }
    }
    let rows = panels.enumerated().flatMap { index, panel in
      panel.dots.map { dot -> [Dataset.Cell] in
        [
          .text(panel.title), .text(panel.by), .text(result.models[dot.model].name),
          .number(dot.estimate.value), .number(dot.estimate.low), .number(dot.estimate.high),
          .number(Double(index)), .number(places[dot.model]), .text(dot.estimate.shown),
          .text(dot.estimate.interval),
        ]
      }
    }
    return [
      id: .table(
        columns: [
          "number", "by", "model", "value", "low", "high", "_panel", "_row", "_shown", "_interval",
        ], rows: rows),
      "\(id)-lines": .table(
        columns: ["at"],
        rows: lines.enumerated().compactMap { place, line in
          line.model == nil ? nil : [.number(Double(place) + 0.5)]
        }),
    ]
  }

  private func panel(_ index: Int) -> Chart {
    let panel = panels[index]
    let isFirst = index.isMultiple(of: inRow)
    let isNamed = index < inRow || panels[index - inRow].title != panel.title
    let labels = lines.enumerated().map { place, line in
      "\"\(place)\":\(Labels.quoted(line.label))"
    }
    let height = row * Double(lines.count)
    guard !panel.dots.isEmpty else { return Chart.empty(width: width, height: height) }
    let y = Chart.Channel.quantity(
      "_row", Chart.Scale(domain: [Double(lines.count), 0], nice: false, zero: false),
      axis: .value(
        Chart.Axis(
          title: .null,
          values: lines.indices.map { Double($0) + 0.5 },
          labelExpr: "{\(labels.joined(separator: ","))}[floor(datum.value)]", labels: isFirst,
          labelOverlap: false, labelLimit: 200, labelPadding: 8, grid: false, ticks: false,
          domain: false)))
    let known = panel.dots.flatMap { [$0.estimate.value, $0.estimate.low, $0.estimate.high] }
      .compactMap(\.self)
    let x = Chart.Channel.quantity(
      "value",
      Chart.Scale(
        domain: known.isEmpty ? [0, 1] : nil, nice: !known.isEmpty, zero: true),
      axis: .value(
        Chart.Axis(
          title: .null, labelOverlap: true, labelSeparation: 6, grid: true, ticks: false,
          domain: false, tickCount: 2)))
    let data = Chart.Data(name: id)
    let own = [
      Chart.Transform(filter: "datum._panel === \(index) && isValid(datum.value)")
    ]
    let colour = result.colour("model")
    var layers = [
      Chart(
        data: Chart.Data(name: "\(id)-lines"),
        mark: Chart.Mark(
          type: "rule", opacity: 0.35, strokeWidth: 1, strokeDash: [1, 3], style: "quiet"),
        encoding: ["y": .quantity("at", y.scale, axis: y.axis)])
    ]
    layers.append(
      Chart(
        data: Chart.Data(values: [[:]]),
        mark: Chart.Mark(type: "rule", opacity: 0.7, strokeWidth: 1, style: "quiet"),
        encoding: [
          "x": Chart.Channel(datum: 0, type: "quantitative", scale: x.scale, axis: x.axis)
        ]))
    if panel.dots.contains(where: { $0.estimate.low != nil }) {
      layers.append(
        Chart(
          data: data, transform: own, mark: Chart.Mark(type: "rule", strokeWidth: 2),
          encoding: [
            "x": .quantity("low", x.scale, axis: x.axis), "x2": Chart.Channel(field: "high"),
            "y": y, "color": colour,
          ]))
    }
    layers.append(
      Chart(
        data: data, transform: own,
        mark: Chart.Mark(type: "point", size: 55, filled: true, opacity: 1),
        encoding: ["x": x, "y": y, "color": colour, "shape": result.marker("model")],
        tooltip: [
          .name("model"), .name("_shown", title: panel.title),
          .name("_interval", title: "95 % interval"),
        ]))
    if isFirst, panels.count > inRow {
      layers.append(
        Chart(
          data: Chart.Data(values: [[:]]),
          mark: Chart.Mark(
            type: "text", style: "ink", text: [panel.by], align: "right",
            baseline: "alphabetic", fontSize: 11.5, fontWeight: "600", dx: -8, dy: -9, limit: 190),
          encoding: ["x": .pixels(0), "y": .pixels(0)]))
    }
    if isNamed {
      layers.append(Chart.heading(Labels.lines(panel.title, room: width), limit: width + 14))
    }
    return Chart(
      width: width, height: height, layer: layers, view: Chart.View(stroke: Setting.null))
  }
}
