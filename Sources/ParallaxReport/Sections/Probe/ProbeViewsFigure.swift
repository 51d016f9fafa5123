import ParallaxResults

/// The paper's figure 11b: ways of pooling over depth, a panel a model.
struct ProbeViewsFigure {
  let result: ProbeResult
  let id = "probe-views"

  private static let colours: [String: String] = [
    "cls": Palette.depth[1], "first": Palette.depth[0], "avg": Palette.depth[3],
    "all": Palette.depth[5], "patches": Palette.depth[4],
  ]
  private static let markers: [String: String] = [
    "cls": "circle", "first": "square", "avg": "triangle-up", "all": "diamond", "patches": "cross",
  ]

  private var models: [ProbeResult.Model] { result.models.filter { $0.views.count > 1 } }

  /// Whether any model has more than one way.
  var isWorthwhile: Bool { !models.isEmpty }

  private var inRow: Int { min(3, models.count) }
  private var width: Double { [1: 520, 2: 410][models.count] ?? 272 }

  /// Names and labels of all ways, in order.
  private var views: [(tokens: String, label: String)] {
    var found: [(tokens: String, label: String)] = []
    for view in models.flatMap(\.views) where !found.contains(where: { $0.tokens == view.tokens }) {
      found.append((view.tokens, Self.label(view.tokens)))
    }
    return found
  }

  private static func label(_ tokens: String) -> String {
    switch tokens {
    case "cls": "class token"
    case "first": "first token"
    case "avg": "mean of patches or positions"
    case "all": "mean of all tokens"
    case "patches": "patches flattened"
    default: Text.label(tokens)
    }
  }

  private var most: Double {
    let values = models.flatMap(\.views).flatMap(\.sites).flatMap {
      [$0.scores.last?.accuracy.value, $0.scores.last?.accuracy.high]
    }
    let high = 100 * max(values.compactMap(\.self).max() ?? 1, 1.2 * result.chance)
    return min(100, (high / 10).rounded(.up) * 10)
  }

  func figure() -> Figure {
    Figure(
      id: id, title: "Accuracy of class token, pooled tokens and first token over depth",
      description:
        "Curves of few-shot accuracy over relative depth, a panel a model, a line a way of pooling",
      chart: Chart(
        concat: models.indices.map(panel), columns: inRow,
        spacing: Chart.Spacing(row: 50, column: 40), align: "each", bounds: "flush",
        resolve: Chart.Resolve(scale: ["color": "shared", "shape": "shared"])),
      data: [id], exported: [id],
      marks: models.reduce(0) { $0 + $1.views.reduce(0) { $0 + 2 * $1.sites.count } })
  }

  func data() -> [String: Dataset] {
    let rows = models.enumerated().flatMap { index, model in
      model.views.flatMap { view in
        view.sites.map { site -> [Dataset.Cell] in
          let estimate = site.scores.last?.accuracy ?? IntervalEstimate(nil)
          func percent(_ value: Double?) -> Double? { value.map { 100 * $0 } }
          return [
            .text(model.name), .text(Self.label(view.tokens)), .text(site.name),
            .number(site.depth), .number(percent(estimate.value)),
            .number(percent(estimate.low)), .number(percent(estimate.high)),
            .number(Double(index)), .text(Text.number(percent(estimate.value), digits: 1)),
            .text(
              Text.interval(percent(estimate.low), percent(estimate.high), digits: 1)
                ?? "not estimated"),
          ]
        }
      }
    }
    return [
      id: .table(
        columns: [
          "model", "features", "site", "depth", "accuracy", "low", "high", "_panel", "_shown",
          "_interval",
        ], rows: rows)
    ]
  }

  private func panel(_ index: Int) -> Chart {
    let isFirst = index.isMultiple(of: inRow)
    let x = Chart.Channel.quantity(
      "depth", Chart.Scale(domain: [0, 1], nice: false),
      axis: .value(
        Chart.Axis(
          title: index + inRow >= models.count ? .value("relative depth") : .null,
          values: [0, 0.5, 1], grid: true, ticks: false, domain: false)))
    func y(_ field: String) -> Chart.Channel {
      .quantity(
        field, Chart.Scale(domain: [0, most], nice: false),
        axis: .value(
          Chart.Axis(
            title: isFirst ? .value("accuracy, %") : .null, labels: isFirst, grid: true,
            ticks: false, domain: false, tickCount: 5)))
    }
    let names = views
    func scaled(_ values: [String: String], _ fallback: (Int) -> String) -> Chart.Channel {
      var channel = Chart.Channel.name("features", title: "")
      channel.scale = Chart.Scale(
        names: names.map(\.label),
        range: names.enumerated().map { values[$1.tokens] ?? fallback($0) })
      channel.legend = .value(
        Chart.Legend(
          orient: "top", direction: "horizontal", columns: min(4, names.count)))
      return channel
    }
    let colour = scaled(Self.colours, Palette.colour)
    let marker = scaled(Self.markers, Palette.marker)
    let data = Chart.Data(name: id)
    let own = [Chart.Transform(filter: "datum._panel === \(index) && isValid(datum.accuracy)")]
    return Chart(
      width: width, height: 210,
      layer: [
        Chart(
          data: data, transform: own,
          mark: Chart.Mark(type: "area", opacity: 0.1, clip: true),
          encoding: [
            "x": x, "y": y("low"), "y2": Chart.Channel(field: "high"), "color": colour,
          ]),
        Chart(
          data: Chart.Data(values: [[:]]),
          mark: Chart.Mark(type: "rule", strokeWidth: 1, strokeDash: [1, 3], style: "ink"),
          encoding: [
            "y": Chart.Channel(
              datum: 100 * result.chance, type: "quantitative", scale: y("accuracy").scale,
              axis: y("accuracy").axis)
          ]),
        Chart(
          data: data, transform: own,
          mark: Chart.Mark(type: "line", opacity: 0.9, strokeWidth: 1.7, clip: true),
          encoding: ["x": x, "y": y("accuracy"), "color": colour]),
        Chart(
          data: data, transform: own,
          mark: Chart.Mark(type: "point", size: 28, filled: true, opacity: 1, clip: true),
          encoding: ["x": x, "y": y("accuracy"), "color": colour, "shape": marker],
          tooltip: [
            .name("features"), .name("site"), .name("_shown", title: "accuracy, %"),
            .name("_interval", title: "95 % interval"),
          ]),
        Chart.heading([models[index].name], limit: width + 20),
      ], view: Chart.View(stroke: Setting.null))
  }
}
