import ParallaxResults

/// How far apart models are along their depth.
struct EvolutionFigure {
  let result: StepsResult

  private static let id = "steps-evolution"
  /// More pairs than these find no room for a name at their ends: then each model has a panel.
  private var isOnOneAxis: Bool { result.evolutions.count <= 15 }
  private var size: (width: Double, height: Double) {
    isOnOneAxis ? (560, max(300, 19 * Double(result.evolutions.count))) : (205, 150)
  }

  func figure() -> Figure {
    let chart: Chart
    if isOnOneAxis {
      chart = panel(of: nil)
    } else {
      var panels = result.models.indices.map { panel(of: $0) }
      while !panels.count.isMultiple(of: 4) {
        panels.append(Chart.empty(width: size.width, height: size.height))
      }
      chart = Chart(
        concat: panels, columns: 4, spacing: Chart.Spacing(row: 50, column: 22), align: "each",
        bounds: "flush",
        resolve: Chart.Resolve(scale: ["color": "shared"]))
    }
    return Figure(
      id: Self.id, title: "Distance over relative depth",
      description: "Curves of \(result.quantity) over relative depth, one for each pair of models",
      chart: chart,
      data: [Self.id, "\(Self.id)-labels", "\(Self.id)-levels", "\(Self.id)-untrained"],
      exported: [Self.id],
      marks: result.evolutions.count * result.depths.count * (isOnOneAxis ? 3 : 6))
  }

  /// Chance over all pairs, for the dashed line.
  var chance: Double? {
    let known = result.evolutions.compactMap(\.chance)
    return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
  }

  /// The mean distance of untrained models from each other at each depth; nothing where there are not two.
  var untrained: [Double?] {
    guard let curves = result.untrained?.evolutions, !curves.isEmpty else { return [] }
    return result.depths.indices.map { place in
      let known = curves.compactMap { $0.mean[place].value }
      return known.count < curves.count ? nil : known.reduce(0, +) / Double(known.count)
    }
  }

  /// From 0 to what is drawn highest.
  var domain: [Double] {
    let drawn = result.evolutions.flatMap { $0.mean.flatMap { [$0.value, $0.low, $0.high] } }
      .compactMap(\.self)
    let high = max(
      drawn.max() ?? 1, chance ?? 0, result.floor ?? 0, untrained.compactMap(\.self).max() ?? 0)
    return [min(0, drawn.min() ?? 0), high > 0 ? high * 1.04 : 1]
  }

  func data() -> [String: Dataset] {
    var rows: [[Dataset.Cell]] = []
    for (index, evolution) in result.evolutions.enumerated() {
      // Where each model has a panel, a pair stands in two.
      let ends = [(evolution.a, evolution.b), (evolution.b, evolution.a)]
      for (own, other) in isOnOneAxis ? Array(ends.prefix(1)) : ends {
        for (point, depth) in result.depths.enumerated() {
          let mean = evolution.mean[point]
          rows.append([
            .text(result.models[own].name), .text(result.models[other].name), .number(depth),
            .number(mean.value), .number(mean.low), .number(mean.high),
            .number(own == evolution.a ? evolution.forward[point] : evolution.backward[point]),
            .number(own == evolution.a ? evolution.backward[point] : evolution.forward[point]),
            .number(Double(index)), .number(Double(own)), .text(mean.shown), .text(mean.interval),
          ])
        }
      }
    }
    var levels: [[Dataset.Cell]] = []
    if let chance { levels.append([.number(chance), .text("shuffled images")]) }
    if let floor = result.floor { levels.append([.number(floor), .text("floor")]) }
    return [
      Self.id: .table(
        columns: [
          "a", "b", "depth", "value", "low", "high", "forward", "backward", "_pair", "_own",
          "_shown", "_interval",
        ], rows: rows),
      "\(Self.id)-labels": .table(columns: ["a", "b", "end", "at", "text"], rows: labels),
      "\(Self.id)-levels": .table(columns: ["level", "text"], rows: levels),
      "\(Self.id)-untrained": .table(
        columns: ["depth", "value"],
        rows: zip(result.depths, untrained).map { [.number($0), .number($1)] }),
    ]
  }

  /// Names at the ends of the curves, moved apart so that none covers another.
  private var labels: [[Dataset.Cell]] {
    guard isOnOneAxis else { return [] }
    let ends = result.evolutions.compactMap { evolution in
      evolution.mean.last { $0.value != nil }?.value.map { (evolution, $0) }
    }
    let gap = 16 * (domain[1] - domain[0]) / size.height
    let places = Labels.spread(ends.map(\.1), gap: gap, within: domain[0]...domain[1])
    return zip(ends, places).map { end, place in
      let (a, b) = (result.models[end.0.a].name, result.models[end.0.b].name)
      return [.text(a), .text(b), .number(end.1), .number(place), .text("\(a) – \(b)")]
    }
  }

  private func panel(of model: Int?) -> Chart {
    let row = model.map { $0 / 4 } ?? 0
    let isLast = model == nil || row == (result.models.count - 1) / 4
    let isFirst = model.map { $0.isMultiple(of: 4) } ?? true
    let isNamed = (model ?? 0) == 0
    let x = Chart.Channel.quantity(
      "depth", Chart.Scale(domain: [0, 1], nice: false),
      axis: .value(
        Chart.Axis(
          title: isLast ? .value("relative depth") : .null, values: [0, 0.25, 0.5, 0.75, 1],
          labelExpr: "format(datum.value, '.2~f')", grid: true, ticks: false, domain: false)))
    let y = Chart.Channel.quantity(
      "value", Chart.Scale(domain: domain, nice: false),
      axis: .value(
        Chart.Axis(
          title: isFirst ? .value(result.quantity) : .null, labels: isFirst, grid: true,
          ticks: false, domain: false, tickCount: 5)))
    let data = Chart.Data(name: Self.id)
    func own(_ field: String) -> [Chart.Transform] {
      [
        Chart.Transform(
          filter: "isValid(datum.\(field))" + (model.map { " && datum._own === \($0)" } ?? ""))
      ]
    }
    // Of two models, the line is dashed in both colours; in a model's own panel it has the other's.
    let legend = model == nil ? nil : "distance from"
    let first = result.colour(model == nil ? "a" : "b", legend: legend)
    let detail = Chart.Channel.name("_pair")
    var layers = levels(x, y, named: isNamed)
    if !untrained.isEmpty {
      layers.append(
        Chart(
          data: Chart.Data(name: "\(Self.id)-untrained"),
          transform: [Chart.Transform(filter: "isValid(datum.value)")],
          mark: Chart.Mark(type: "line", strokeWidth: 1.6, strokeDash: [1, 3], style: "quiet"),
          encoding: ["x": x, "y": y]))
    }
    layers.append(
      Chart(
        data: data, transform: own("low"), mark: Chart.Mark(type: "area", opacity: 0.12),
        encoding: [
          "x": x, "y": .quantity("low", y.scale, axis: y.axis),
          "y2": Chart.Channel(field: "high"), "color": first, "detail": detail,
        ]))
    layers.append(
      Chart(
        data: data, transform: own("value"),
        mark: Chart.Mark(type: "line", strokeWidth: model == nil ? 2.4 : 1.6),
        encoding: ["x": x, "y": y, "color": first, "detail": detail]))
    if model == nil {
      layers.append(
        Chart(
          data: data, transform: own("value"),
          mark: Chart.Mark(type: "line", strokeWidth: 2.4, strokeDash: [9, 9]),
          encoding: ["x": x, "y": y, "color": result.colour("b"), "detail": detail]))
      layers += names(y)
    }
    layers.append(
      Chart(
        data: data, transform: own("value"), mark: Chart.Mark(type: "circle", size: 90, opacity: 0),
        encoding: ["x": x, "y": y, "detail": detail],
        tooltip: [
          .name("a", title: "of"), .name("b", title: "and"),
          .name("depth", title: "relative depth"),
          .name("_shown", title: "mean of both directions"),
          .name("_interval", title: "95 % interval"),
        ]
          + (result.isSymmetric
            ? [] : [.name("forward", title: "of → and"), .name("backward", title: "and → of")])))
    if let model { layers.append(Chart.heading([result.models[model].name], limit: 215)) }
    return Chart(
      width: size.width, height: size.height, layer: layers, view: Chart.View(stroke: Setting.null))
  }

  /// What shuffled images give, and what a representation has with itself.
  private func levels(_ x: Chart.Channel, _ y: Chart.Channel, named: Bool) -> [Chart] {
    let data = Chart.Data(name: "\(Self.id)-levels")
    let level = Chart.Channel.quantity("level", y.scale, axis: y.axis)
    var layers = [("shuffled images", [3.0, 3]), ("floor", [1, 3])].map { name, dash in
      Chart(
        data: data, transform: [Chart.Transform(filter: "datum.text === '\(name)'")],
        mark: Chart.Mark(type: "rule", strokeWidth: 1, strokeDash: dash, style: "ink"),
        encoding: ["y": level])
    }
    // The name of chance stands under its line, that of the floor above.
    for (name, isUnder) in [("shuffled images", true), ("floor", false)] where named {
      layers.append(
        Chart(
          data: data, transform: [Chart.Transform(filter: "datum.text === '\(name)'")],
          mark: Chart.Mark(
            type: "text", style: "quiet", align: "left", baseline: isUnder ? "top" : "bottom",
            fontSize: 11, dx: 4, dy: isUnder ? 4 : -3),
          encoding: ["x": .pixels(0), "y": level, "text": .name("text")]))
    }
    return layers
  }

  /// The pairs' names with both models' markers, at the right of the curves.
  private func names(_ y: Chart.Channel) -> [Chart] {
    let data = Chart.Data(name: "\(Self.id)-labels")
    let at = Chart.Channel.quantity("at", y.scale, axis: y.axis)
    let right = size.width
    func dot(_ field: String, _ x: Double) -> Chart {
      Chart(
        data: data, mark: Chart.Mark(type: "point", size: 48, filled: true, opacity: 1),
        encoding: [
          "x": .pixels(x), "y": at, "color": result.colour(field), "shape": result.marker(field),
        ])
    }
    return [
      Chart(
        data: data, mark: Chart.Mark(type: "rule", opacity: 0.7, strokeWidth: 0.8, style: "quiet"),
        encoding: [
          "x": .pixels(right + 2), "x2": .pixels(right + 18),
          "y": .quantity("end", y.scale, axis: y.axis), "y2": Chart.Channel(field: "at"),
        ]),
      dot("a", right + 26), dot("b", right + 39),
      Chart(
        data: data,
        mark: Chart.Mark(
          type: "text", style: "ink", align: "left", baseline: "middle", fontSize: 11.5, limit: 330),
        encoding: ["x": .pixels(right + 50), "y": at, "text": .name("text")]),
    ]
  }
}
