import ParallaxResults

/// Mean curves by type of pair: pairs of one design against mixed ones, pairs of one objective against mixed ones.
struct AggregateFigure {
  let result: StepsResult
  let domain: [Double]

  private static let id = "steps-aggregates"
  private let size = (width: 330.0, height: 200.0)

  /// The names in each panel, those that are there.
  private var panels: [[StepsResult.Aggregate]] {
    [["same design", "different design"], ["same objective", "different objective"]].compactMap {
      names in
      let shown = result.aggregates.filter { names.contains($0.name) }
      return shown.isEmpty
        ? nil : result.aggregates.filter { $0.name == "all pairs" }.prefix(1) + shown
    }
  }

  /// Whether there is anything beside one pair.
  var isWorthDrawing: Bool { result.evolutions.count > 1 && !panels.isEmpty }

  func figure() -> Figure {
    let charts = panels.indices.map(panel)
    return Figure(
      id: Self.id, title: "Mean distance by type of pair",
      description: "Mean curves of \(result.quantity) over relative depth by type of pair",
      chart: Chart(
        concat: charts, columns: 2, spacing: 150, align: "each", bounds: "flush"),
      data: [Self.id, "\(Self.id)-labels"], exported: [Self.id],
      marks: result.aggregates.count * result.depths.count * 3)
  }

  func data() -> [String: Dataset] {
    var rows: [[Dataset.Cell]] = []
    var labels: [[Dataset.Cell]] = []
    let gap = 15 * (domain[1] - domain[0]) / size.height
    for (index, panel) in panels.enumerated() {
      var ends: [(text: String, end: Double)] = []
      for (line, aggregate) in panel.enumerated() {
        for (depth, mean) in zip(result.depths, aggregate.mean) {
          rows.append([
            .text(aggregate.name), .number(Double(aggregate.pairs)), .number(depth),
            .number(mean.value), .number(mean.low), .number(mean.high), .number(Double(index)),
            .number(Double(line)), .text(mean.shown), .text(mean.interval),
          ])
        }
        if let end = aggregate.mean.last(where: { $0.value != nil })?.value {
          ends.append(("\(aggregate.name) (\(aggregate.pairs))", end))
        }
      }
      let places = Labels.spread(ends.map(\.end), gap: gap, within: domain[0]...domain[1])
      for (end, place) in zip(ends, places) {
        labels.append([.number(Double(index)), .text(end.text), .number(place)])
      }
    }
    return [
      Self.id: .table(
        columns: [
          "pairs", "count", "depth", "value", "low", "high", "_panel", "_line", "_shown",
          "_interval",
        ], rows: rows),
      "\(Self.id)-labels": .table(columns: ["_panel", "text", "at"], rows: labels),
    ]
  }

  /// The changes of the mean curves, the greatest of each type first.
  func table() -> HTML {
    var rows: [HTML] = []
    for aggregate in result.aggregates {
      let steps = min(aggregate.changes.count, result.depths.count - 1)
      let order = (0..<max(0, steps)).sorted {
        abs(aggregate.changes[$0].value ?? 0) > abs(aggregate.changes[$1].value ?? 0)
      }
      for step in order.prefix(5) {
        rows.append(row(aggregate, result.depths[step], result.depths[step + 1], step))
      }
    }
    return Fold.make(
      "Where the mean curves change most: \(Text.plural(rows.count, "step"))",
      [Fold.table(["pairs", "how many", "relative depth", "change", "95 % interval"], rows)])
  }

  private func row(
    _ aggregate: StepsResult.Aggregate, _ from: Double, _ to: Double, _ step: Int
  ) -> HTML {
    let change = aggregate.changes[step]
    let depths = "\(Text.number(from, digits: 2)) to \(Text.number(to, digits: 2))"
    return .element(
      "tr", [:],
      [
        .element("td", [:], aggregate.name),
        .element("td", ["class": "number"], String(aggregate.pairs)),
        .element("td", ["class": "number"], depths),
        .element("td", ["class": "number"], change.shown),
        .element("td", ["class": "number"], change.interval),
      ])
  }

  private func panel(_ index: Int) -> Chart {
    let x = Chart.Channel.quantity(
      "depth", Chart.Scale(domain: [0, 1], nice: false),
      axis: .value(
        Chart.Axis(
          title: .value("relative depth"), values: [0, 0.5, 1],
          labelExpr: "format(datum.value, '.1~f')", grid: true, ticks: false, domain: false)))
    let y = Chart.Channel.quantity(
      "value", Chart.Scale(domain: domain, nice: false),
      axis: .value(
        Chart.Axis(
          title: index == 0 ? .value(result.quantity) : .null, grid: true, ticks: false,
          domain: false, tickCount: 5)))
    let data = Chart.Data(name: Self.id)
    func own(_ line: Int?, _ field: String = "value") -> [Chart.Transform] {
      [
        Chart.Transform(
          filter: "datum._panel === \(index) && isValid(datum.\(field))"
            + (line.map { " && datum._line === \($0)" } ?? ""))
      ]
    }
    var layers: [Chart] = []
    for (line, aggregate) in panels[index].enumerated() {
      let isAll = aggregate.name == "all pairs"
      let isMixed = aggregate.name.hasPrefix("different")
      if !isAll {
        layers.append(
          Chart(
            data: data, transform: own(line, "low"),
            mark: Chart.Mark(type: "area", opacity: 0.12, style: isMixed ? "quiet" : "ink"),
            encoding: [
              "x": x, "y": .quantity("low", y.scale, axis: y.axis),
              "y2": Chart.Channel(field: "high"),
            ]))
      }
      layers.append(
        Chart(
          data: data, transform: own(line),
          mark: Chart.Mark(
            type: "line", opacity: isAll ? 0.6 : 1, strokeWidth: isAll ? 1 : 1.9,
            strokeDash: isMixed ? [6, 3] : isAll ? [1, 2] : nil, style: isMixed ? "quiet" : "ink"),
          encoding: ["x": x, "y": y]))
    }
    layers.append(
      Chart(
        data: Chart.Data(name: "\(Self.id)-labels"),
        transform: [Chart.Transform(filter: "datum._panel === \(index)")],
        mark: Chart.Mark(
          type: "text", style: "ink", align: "left", baseline: "middle", fontSize: 11.5),
        encoding: [
          "x": .pixels(size.width + 8), "y": .quantity("at", y.scale, axis: y.axis),
          "text": .name("text"),
        ]))
    layers.append(
      Chart(
        data: data, transform: own(nil), mark: Chart.Mark(type: "circle", size: 90, opacity: 0),
        encoding: ["x": x, "y": y],
        tooltip: [
          .name("pairs"), .name("count", title: "number of pairs"),
          .name("depth", title: "relative depth"), .name("_shown", title: result.quantity),
          .name("_interval", title: "95 % interval"),
        ]))
    return Chart(
      width: size.width, height: size.height, layer: layers, view: Chart.View(stroke: Setting.null))
  }
}
