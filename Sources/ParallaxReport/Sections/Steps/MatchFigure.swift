import ParallaxResults

/// At which depth of the others each block finds its nearest layer.
struct MatchFigure {
  let result: StepsResult

  private static let id = "steps-matches"
  private var inRow: Int { min(4, result.models.count) }

  func figure() -> Figure {
    var panels = result.models.indices.map(panel)
    while !panels.count.isMultiple(of: inRow) {
      panels.append(Chart.empty(width: 205, height: 160))
    }
    return Figure(
      id: Self.id, title: "The depth of each block's nearest layer",
      description:
        "Points of relative depth: each model's blocks, and where the nearest layer of each other model stands",
      chart: Chart(
        concat: panels, columns: inRow, spacing: Chart.Spacing(row: 50, column: 22), align: "each",
        bounds: "flush",
        resolve: Chart.Resolve(scale: ["color": "shared", "shape": "shared"])),
      data: [Self.id, "steps-diagonal"], exported: [Self.id],
      marks: result.positions.reduce(0) { $0 + 2 * $1.matches.count })
  }

  func data() -> [String: Dataset] {
    var rows: [[Dataset.Cell]] = []
    for position in result.positions {
      let (from, to) = (result.models[position.a], result.models[position.b])
      for (site, match) in zip(from.blocks, position.matches) {
        guard let match else { continue }
        rows.append([
          .text(from.name), .text(from.sites.label(site)), .number(from.sites.sites[site].depth),
          .text(to.name), .text(to.sites.label(match)),
          .number(result.place(position.b, match)), .number(Double(position.a)),
        ])
      }
    }
    return [
      Self.id: .table(
        columns: ["model", "site", "depth", "matchModel", "match", "matchDepth", "_model"],
        rows: rows),
      "steps-diagonal": Self.diagonal,
    ]
  }

  /// The line of equal sides.
  static let diagonal = Dataset.table(columns: ["depth"], rows: [[.number(0)], [.number(1)]])

  private func panel(_ model: Int) -> Chart {
    let isFirst = model.isMultiple(of: inRow)
    let isLast = model + inRow >= result.models.count
    let axis: (String?, Bool) -> Setting<Chart.Axis> = { title, labels in
      .value(
        Chart.Axis(
          title: title.map { .value($0) } ?? .null, values: [0, 0.5, 1], labels: labels, grid: true,
          ticks: false, domain: false))
    }
    let x = Chart.Channel.quantity(
      "depth", Chart.Scale(domain: [0, 1], nice: false),
      axis: axis(isLast ? "relative depth" : nil, true))
    let y = Chart.Channel.quantity(
      "matchDepth", Chart.Scale(domain: [0, 1], nice: false),
      axis: axis(isFirst ? "nearest layer's depth" : nil, isFirst))
    let data = Chart.Data(name: Self.id)
    let own = [Chart.Transform(filter: "datum._model === \(model)")]
    let colour = result.colour("matchModel", legend: "nearest layer in")
    return Chart(
      width: 205, height: 160,
      layer: [
        Chart(
          data: Chart.Data(name: "steps-diagonal"),
          mark: Chart.Mark(type: "line", color: "#8a8a8a", strokeWidth: 1, strokeDash: [3, 3]),
          encoding: [
            "x": .quantity("depth", x.scale, axis: x.axis),
            "y": .quantity("depth", y.scale, axis: y.axis),
          ]),
        Chart(
          data: data, transform: own,
          mark: Chart.Mark(type: "line", opacity: 0.6, strokeWidth: 1.3),
          encoding: ["x": x, "y": y, "color": colour]),
        Chart(
          data: data, transform: own,
          mark: Chart.Mark(
            type: "point", size: result.models[model].blocks.count > 40 ? 12 : 34, filled: true),
          encoding: [
            "x": x, "y": y, "color": colour,
            "shape": result.marker("matchModel", legend: "nearest layer in"),
          ],
          tooltip: [
            .name("site", title: result.models[model].name), .name("match", title: "nearest"),
            .name("matchModel", title: "in"),
          ]),
        Chart.heading([result.models[model].name], limit: 215),
      ], view: Chart.View(stroke: Setting.null))
  }

  private var hasSeeds: Bool { result.positions.contains { $0.aboveSeeds != nil } }

  /// The numbers of every ordered pair.
  func table() -> HTML {
    Fold.make(
      "Matches in numbers: \(Text.plural(result.positions.count, "ordered pair"))",
      [
        Fold.table(
          [
            "from", "to", "Spearman of depths", "gap in depth", "by chance", "p", "near ÷ far",
            "residual",
          ] + (hasSeeds ? ["above two seeds"] : []),
          result.positions.map { position in
            .element(
              "tr", [:],
              [
                .element("td", [:], result.models[position.a].name),
                .element("td", [:], result.models[position.b].name),
                cell(position.correlation), cell(position.gap),
                .element("td", ["class": "number"], Text.number(position.gapByChance)),
                .element("td", ["class": "number"], Text.number(position.pValue)),
                cell(position.ratio), cell(position.residual),
              ] + (hasSeeds ? [cell(position.aboveSeeds ?? StepsResult.Estimate(nil))] : []))
          })
      ])
  }

  private func cell(_ estimate: StepsResult.Estimate) -> HTML {
    .element(
      "td", ["class": "number"],
      estimate.shown + (Text.interval(estimate.low, estimate.high).map { " [\($0)]" } ?? ""))
  }
}
