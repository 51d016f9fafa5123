import ParallaxResults

/// The strongest partner of each site: how strong it is, and how deep it lies.
struct PartnerFigure {
  let result: SimilarityResult
  /// Before the names of figure and data, where a page has such a figure twice.
  var prefix = ""

  private static let columns = [
    "model", "site", "depth", "partnerModel", "partner", "partnerDepth", "value", "low", "high",
    "shown", "interval",
  ]

  /// Whom each model is compared with: the others; itself where it is alone.
  private func others(_ model: Int) -> [Int] {
    result.models.count == 1 ? [0] : result.models.indices.filter { $0 != model }
  }

  /// The panels: a column for each model, above the similarity, below the partner's depth.
  func figure() -> Figure {
    let models = Array(result.models.indices)
    let inRow = min(4, models.count)
    let panels = stride(from: 0, to: models.count, by: max(1, inRow)).flatMap { start in
      [true, false].flatMap { above in
        (start..<start + inRow).map { model in
          model < models.count ? panel(model, above: above) : Chart.empty(width: 205, height: 130)
        }
      }
    }
    return Figure(
      id: "\(prefix)partners", title: "The strongest partner of each layer",
      description:
        "Curves over relative depth: similarity with the most similar layer of each other model, and where it lies",
      chart: Chart(
        concat: panels, columns: inRow, spacing: 22, align: "each", bounds: "flush",
        resolve: Chart.Resolve(scale: ["color": "shared", "shape": "shared"])),
      data: ["\(prefix)partners", "\(prefix)diagonal"], exported: ["\(prefix)partners"],
      marks: result.models.indices.reduce(0) { count, model in
        count + 4 * others(model).count * result.models[model].sites.count
      })
  }

  private func panel(_ model: Int, above: Bool) -> Chart {
    let first = model % 4 == 0
    guard above else {
      let ends = result.models.count == 1 ? "partner's depth" : "partner's relative depth"
      return part(model, "partnerDepth", [0, 1], title: first ? ends : nil, above: false)
    }
    let domain = SimilarityFigures(result: result).domain
    var chart = part(
      model, "value", domain, title: first ? "\(result.measure) with partner" : nil, above: true)
    chart.title = Chart.Title(
      text: result.models[model].name, limit: 215)
    return chart
  }

  private func part(
    _ model: Int, _ field: String, _ domain: [Double], title: String?, above: Bool
  ) -> Chart {
    let own = [Chart.Transform(filter: "datum.modelIndex === \(model) && isValid(datum.value)")]
    let data = Chart.Data(name: "\(prefix)partners")
    let x = Chart.Channel.quantity(
      "depth", Chart.Scale(domain: [0, 1], nice: false),
      axis: .value(
        Chart.Axis(
          title: above ? Setting.null : .value("relative depth"), values: [0, 0.5, 1],
          labels: !above, grid: true, ticks: false, domain: false)))
    let y = Chart.Channel.quantity(
      field, Chart.Scale(domain: domain, nice: false),
      axis: .value(
        Chart.Axis(
          title: title.map { .value($0) } ?? Setting.null, labels: model % 4 == 0, grid: true,
          ticks: false, domain: false, tickCount: 5)))
    var colour = Chart.Channel.name("partnerModel")
    colour.scale = names { Palette.colour($0) }
    colour.legend =
      result.models.count == 1
      ? Setting.null
      : .value(Chart.Legend(title: "partner in", orient: "top", direction: "horizontal"))
    var shape = colour
    shape.scale = names { Palette.marker($0) }
    var layers: [Chart] = []
    if !above {
      layers.append(
        Chart(
          data: Chart.Data(name: "\(prefix)diagonal"),
          mark: Chart.Mark(type: "line", color: "#8a8a8a", strokeWidth: 1, strokeDash: [3, 3]),
          encoding: [
            "x": .quantity("depth", x.scale, axis: x.axis),
            "y": .quantity("depth", y.scale, axis: y.axis),
          ]))
    }
    layers.append(
      Chart(
        data: data, transform: own,
        mark: Chart.Mark(type: "line", opacity: 0.75, strokeWidth: 1.5),
        encoding: ["x": x, "y": y, "color": colour]))
    layers.append(
      Chart(
        data: data, transform: own,
        mark: Chart.Mark(
          type: "point", size: result.models[model].sites.count > 40 ? 12 : 34, filled: true),
        encoding: ["x": x, "y": y, "color": colour, "shape": shape],
        tooltip: [
          .name("site", title: result.models[model].name),
          .name("partner", title: "partner"), .name("partnerModel", title: "in"),
          .name("shown", title: result.measure), .name("interval", title: "95 % interval"),
        ]))
    return Chart(
      width: result.models.count == 1 ? 420 : 205, height: 130, layer: layers,
      view: Chart.View(stroke: Setting.null))
  }

  private func names(_ value: (Int) -> String) -> Chart.Scale {
    Chart.Scale(
      names: result.models.map(\.name), range: result.models.indices.map(value))
  }

  /// What the panels draw.
  func data() -> [String: Dataset] {
    var rows: [[Dataset.Cell]] = []
    for (a, model) in result.models.enumerated() {
      for b in others(a) {
        for match in result.partners(a, b) {
          let partner = match.partner.map { result.models[b].label($0) }
          let partnerDepth = match.partner.map { result.models[b].sites[$0].depth }
          rows.append([
            .number(Double(a)), .text(model.name), .text(model.label(match.site)),
            .number(model.sites[match.site].depth),
            .text(result.models[b].name), .text(partner ?? "none"),
            .number(partnerDepth), .number(match.value), .number(match.low), .number(match.high),
            .text(Text.number(match.value)),
            .text(Text.interval(match.low, match.high) ?? "not estimated"),
          ])
        }
      }
    }
    return [
      "\(prefix)partners": .table(columns: ["modelIndex"] + Self.columns, rows: rows),
      "\(prefix)diagonal": .table(
        columns: ["depth"], rows: [[.number(0)], [.number(1)]]),
    ]
  }

  /// The same as a table.
  func table() -> HTML {
    var rows: [HTML] = []
    for (a, model) in result.models.enumerated() {
      for b in others(a) {
        for match in result.partners(a, b) {
          let partner = match.partner.map { result.models[b].label($0) }
          rows.append(
            .element(
              "tr", [:],
              [
                .element("td", [:], model.name),
                .element("td", [:], [.element("code", [:], model.label(match.site))]),
                .element("td", [:], result.models[b].name),
                .element("td", [:], [.element("code", [:], partner ?? "–")]),
                .element("td", ["class": "number"], Text.number(match.value)),
                .element("td", ["class": "number"], Text.interval(match.low, match.high) ?? "–"),
              ]))
        }
      }
    }
    return Fold.make(
      "The same as a table: \(Text.plural(rows.count, "row"))",
      [
        Fold.table(
          ["model", "layer", "partner in", "partner", result.measure, "95 % interval"], rows)
      ])
  }
}
