import ParallaxResults

/// How much each model changes from block to block.
struct SmoothnessFigure {
  let result: StepsResult

  private static let id = "steps-smoothness"
  private var inRow: Int { min(4, max(1, result.smoothness.count)) }
  private var size: (width: Double, height: Double) {
    let count = result.smoothness.count
    return count == 1 ? (520, 200) : count < 4 ? (930 / Double(count) - 30, 170) : (222, 150)
  }

  func figure() -> Figure {
    var panels = result.smoothness.indices.map(panel)
    while !panels.count.isMultiple(of: inRow) {
      panels.append(Chart.empty(width: size.width, height: size.height))
    }
    return Figure(
      id: Self.id, title: "How far each block is from the one before",
      description: "Curves of the step size over relative depth, one panel for each model",
      chart: Chart(
        concat: panels, columns: inRow, spacing: Chart.Spacing(row: 50, column: 24), align: "each",
        bounds: "flush"),
      data: [Self.id, "\(Self.id)-stages", "\(Self.id)-untrained"], exported: [Self.id],
      marks: result.smoothness.reduce(0) { $0 + 5 * $1.changes.count })
  }

  /// The mean steps of untrained twins, in the panels of their models.
  private var untrained: Dataset {
    var rows: [[Dataset.Cell]] = []
    for profile in result.untrained?.smoothness ?? [] {
      guard let untrained = result.untrained, let twin = untrained.twinOf[profile.model],
        let panel = result.smoothness.firstIndex(where: { $0.model == twin })
      else { continue }
      let sites = untrained.models[profile.model].sites
      for change in profile.changes {
        let depth = (sites.sites[change.from].depth + sites.sites[change.to].depth) / 2
        rows.append([
          .text(sites.name), .number(depth), .number(change.mean.value), .number(Double(panel)),
        ])
      }
    }
    return .table(columns: ["model", "depth", "mean", "_panel"], rows: rows)
  }

  private var domain: [Double] {
    let profiles = result.smoothness + (result.untrained?.smoothness ?? [])
    let known = profiles.flatMap {
      $0.changes.flatMap { [$0.forward.value, $0.backward.value, $0.mean.value, $0.mean.high] }
    }.compactMap(\.self)
    let high = max(known.max() ?? 1, result.floor ?? 0)
    return [min(0, known.min() ?? 0), high > 0 ? high * 1.14 : 1]
  }

  func data() -> [String: Dataset] {
    var rows: [[Dataset.Cell]] = []
    var stages: [[Dataset.Cell]] = []
    for (index, profile) in result.smoothness.enumerated() {
      let model = result.models[profile.model]
      for change in profile.changes {
        let (from, to) = (model.sites.sites[change.from], model.sites.sites[change.to])
        rows.append([
          .text(model.name), .text(model.sites.label(change.from)),
          .text(model.sites.label(change.to)), .number((from.depth + to.depth) / 2),
          .number(change.mean.value), .number(change.mean.low), .number(change.mean.high),
          .number(change.forward.value), .number(change.backward.value), .number(change.cka),
          .number(change.jaccard), .text(change.isBoundary ? "yes" : "no"), .number(Double(index)),
          .text("\(model.sites.label(change.from)) → \(model.sites.label(change.to))"),
          .text(
            change.mean.shown
              + (Text.interval(change.mean.low, change.mean.high).map { " [\($0)]" } ?? "")),
          .text(change.forward.shown), .text(change.backward.shown), .text(Text.number(change.cka)),
          .text(Text.number(change.jaccard)),
        ])
      }
      for (depth, stage) in result.stageDepths(profile.model) {
        stages.append([.number(Double(index)), .number(depth), .text(stage)])
      }
    }
    return [
      "\(Self.id)-untrained": untrained,
      Self.id: .table(
        columns: [
          "model", "from", "to", "depth", "mean", "low", "high", "forward", "backward",
          "oneMinusCKA", "oneMinusJaccard", "newStage", "_panel", "_step", "_mean", "_forward",
          "_backward", "_cka", "_jaccard",
        ], rows: rows),
      "\(Self.id)-stages": .table(columns: ["_panel", "depth", "stage"], rows: stages),
    ]
  }

  private func panel(_ index: Int) -> Chart {
    let model = result.smoothness[index].model
    let isFirst = index.isMultiple(of: inRow)
    let isLast = index + inRow >= result.smoothness.count
    let colour = Palette.colour(model)
    let x = Chart.Channel.quantity(
      "depth", Chart.Scale(domain: [0, 1], nice: false),
      axis: .value(
        Chart.Axis(
          title: isLast ? .value("relative depth") : .null, values: [0, 0.5, 1], grid: false,
          ticks: false, domain: false)))
    let y = Chart.Channel.quantity(
      "mean", Chart.Scale(domain: domain, nice: false),
      axis: .value(
        Chart.Axis(
          title: isFirst ? .value("step size") : .null, labels: isFirst,
          grid: true, ticks: false, domain: false, tickCount: 5)))
    let data = Chart.Data(name: Self.id)
    func own(_ fields: String...) -> [Chart.Transform] {
      let known = fields.map { " && isValid(datum.\($0))" }.joined()
      return [Chart.Transform(filter: "datum._panel === \(index)\(known)")]
    }
    let stages = Chart.Data(name: "\(Self.id)-stages")
    var layers = [
      Chart(
        data: stages, transform: own(),
        mark: Chart.Mark(
          type: "rule", opacity: 0.6, strokeWidth: 1, strokeDash: [2, 2], style: "quiet"),
        encoding: ["x": x]),
      Chart(
        data: data, transform: own("low", "high"),
        mark: Chart.Mark(type: "area", color: colour, opacity: 0.14),
        encoding: [
          "x": x, "y": .quantity("low", y.scale, axis: y.axis), "y2": Chart.Channel(field: "high"),
        ]),
    ]
    if result.stageDepths(model).count < 6 {
      layers.append(
        Chart(
          data: stages, transform: own(),
          mark: Chart.Mark(
            type: "text", style: "quiet", align: "left", baseline: "top", fontSize: 9.5, dx: 3),
          encoding: ["x": x, "y": .pixels(0), "text": .name("stage")]))
    }
    if let floor = result.floor {
      layers.append(
        Chart(
          data: data, transform: own(),
          mark: Chart.Mark(type: "rule", strokeWidth: 1, strokeDash: [1, 3], style: "ink"),
          encoding: [
            "y": Chart.Channel(datum: floor, type: "quantitative", scale: y.scale, axis: y.axis)
          ]))
    }
    layers.append(
      Chart(
        data: Chart.Data(name: "\(Self.id)-untrained"), transform: own("mean"),
        mark: Chart.Mark(type: "line", color: colour, strokeWidth: 1.5, strokeDash: [1, 3]),
        encoding: ["x": x, "y": y]))
    if let chance = result.smoothness[index].chance { layers += shuffled(chance, y, isFirst) }
    let isLong = result.smoothness[index].changes.count > 40
    if !result.isSymmetric {
      layers.append(
        Chart(
          data: data, transform: own("forward", "backward"),
          mark: Chart.Mark(
            type: "rule", color: colour, opacity: 0.5, strokeWidth: isLong ? 0.8 : 1.2),
          encoding: [
            "x": x, "y": .quantity("forward", y.scale, axis: y.axis),
            "y2": Chart.Channel(field: "backward"),
          ]))
    }
    layers.append(
      Chart(
        data: data, transform: own("mean"),
        mark: Chart.Mark(type: "line", color: colour, strokeWidth: 1.8), encoding: ["x": x, "y": y])
    )
    let ends = result.isSymmetric ? ["mean"] : ["forward", "backward"]
    for end in ends {
      layers.append(
        Chart(
          data: data, transform: own(end),
          mark: Chart.Mark(
            type: "point", color: colour, size: isLong ? 12 : 26, filled: end != "backward",
            opacity: 1, strokeWidth: 1.3),
          encoding: ["x": x, "y": .quantity(end, y.scale, axis: y.axis)]))
    }
    layers.append(
      Chart(
        data: data, transform: own("mean"),
        mark: Chart.Mark(type: "bar", size: isLong ? 4 : 12, opacity: 0),
        encoding: ["x": x, "y": .quantity("mean", y.scale, axis: y.axis)],
        tooltip: [
          .name("_step", title: result.models[model].name),
          .name("_forward", title: "forward"), .name("_backward", title: "backward"),
          .name("_mean", title: "mean"), .name("newStage", title: "new stage"),
          .name("_cka", title: "1 − CKA"), .name("_jaccard", title: "1 − Jaccard"),
        ]))
    layers.append(Chart.heading([result.models[model].name], limit: size.width + 10))
    return Chart(
      width: size.width, height: size.height, layer: layers, view: Chart.View(stroke: Setting.null))
  }

  /// What shuffled images give: a line where the steps come near it, else a word in the corner.
  private func shuffled(_ chance: Double, _ y: Chart.Channel, _ isNamed: Bool) -> [Chart] {
    let data = Chart.Data(values: [[:]])
    let isInside = (domain[0]...domain[1]).contains(chance)
    let level = Chart.Channel(
      datum: chance, type: "quantitative", scale: y.scale, axis: y.axis)
    let word = Chart(
      data: data,
      mark: Chart.Mark(
        type: "text", style: "quiet",
        text: [isInside ? "shuffled" : "shuffled \(Text.number(chance, digits: 2)) ↑"],
        align: "right", baseline: isInside ? "bottom" : "top", fontSize: 9.5, dx: -3,
        dy: isInside ? -2 : 13),
      encoding: ["x": .pixels(size.width), "y": isInside ? level : .pixels(0)])
    let line = Chart(
      data: data, mark: Chart.Mark(type: "rule", strokeWidth: 1, strokeDash: [3, 3], style: "ink"),
      encoding: ["y": level])
    return (isInside ? [line] : []) + (isNamed || !isInside ? [word] : [])
  }

  /// A dot for each model and statistic: by the driving measure, and by two others.
  func statistics() -> ModelDots {
    var names: [String] = []
    for statistic in result.smoothness.flatMap(\.statistics) where !names.contains(statistic.name) {
      names.append(statistic.name)
    }
    // The companions have the same columns; what they lack leaves an empty place.
    let measures: [(String, KeyPath<StepsResult.Smoothness.Statistic, Double?>?)] = [
      (result.quantity, nil), ("1 − CKA", \.cka), ("1 − Jaccard", \.jaccard),
    ]
    var panels: [ModelDots.Panel] = []
    for (measure, path) in measures {
      for name in names {
        let dots = result.smoothness.compactMap { profile -> ModelDots.Dot? in
          guard let statistic = profile.statistic(name) else { return nil }
          let estimate =
            path.map { StepsResult.Estimate(statistic[keyPath: $0]) } ?? statistic.value
          return estimate.value == nil
            ? nil : ModelDots.Dot(model: profile.model, estimate: estimate)
        }
        panels.append(ModelDots.Panel(title: name, dots: dots, by: measure))
      }
    }
    return ModelDots(
      result: result, id: "steps-statistics",
      panels: panels.count { !$0.dots.isEmpty } == 0 ? [] : panels,
      groups: result.groups { $0.design }, inRow: max(1, names.count),
      width: max(70, min(108, 900 / Double(max(1, names.count)) - 18)))
  }

  /// The same as a table.
  func table() -> HTML {
    let rows = result.smoothness.flatMap { profile in
      profile.statistics.map { statistic -> HTML in
        .element(
          "tr", [:],
          [
            .element("td", [:], result.models[profile.model].name),
            .element("td", [:], result.models[profile.model].design),
            .element("td", [:], statistic.name),
            .element("td", ["class": "number"], statistic.value.shown),
            .element(
              "td", ["class": "number"],
              Text.interval(statistic.value.low, statistic.value.high) ?? "–"),
            .element("td", ["class": "number"], Text.number(statistic.cka)),
            .element("td", ["class": "number"], Text.number(statistic.jaccard)),
          ])
      }
    }
    return Fold.make(
      "The statistics as a table: \(Text.plural(rows.count, "row"))",
      [
        Fold.table(
          [
            "model", "design", "statistic", result.quantity, "95 % interval", "by 1 − CKA",
            "by 1 − Jaccard",
          ],
          rows)
      ])
  }
}
