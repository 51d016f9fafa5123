import ParallaxResults

/// The steps on which two models part or meet most.
struct StepRanking {
  let result: StepsResult

  private static let id = "steps-ranking"
  private let row = 36.0
  private let width = 430.0

  /// A step and whose it is.
  private struct Entry {
    var a: Int
    var b: Int
    var step: StepsResult.Step
    var size: Double
  }

  /// All steps with a value, the greatest change first.
  private var ranked: [Entry] {
    result.evolutions.flatMap { evolution in
      evolution.steps.compactMap { step in
        step.change.value.map { Entry(a: evolution.a, b: evolution.b, step: step, size: abs($0)) }
      }
    }.sorted { $0.size > $1.size }
  }

  var isEmpty: Bool { ranked.isEmpty }
  private var top: [Entry] { Array(ranked.prefix(10)) }

  func figure() -> Figure {
    let count = Double(top.count)
    let labels = top.enumerated().map { place, entry in "\"\(place)\":\(label(entry))" }
    let y = Chart.Channel.quantity(
      "_row", Chart.Scale(domain: [count, 0], nice: false, zero: false),
      axis: .value(
        Chart.Axis(
          title: .null, values: top.indices.map { Double($0) + 0.5 },
          labelExpr: "{\(labels.joined(separator: ","))}[floor(datum.value)]",
          labelBaseline: "middle", labelOverlap: false, labelLimit: 460, labelPadding: 36,
          labelLineHeight: 14, grid: false, ticks: false, domain: false)))
    let reach =
      top.flatMap { [$0.step.change.value, $0.step.change.low, $0.step.change.high] }
      .compactMap { $0.map(abs) }.max() ?? 0
    let x = Chart.Channel.quantity(
      "change",
      Chart.Scale(domain: [-(reach > 0 ? reach : 1), reach > 0 ? reach : 1], nice: true),
      axis: .value(
        Chart.Axis(
          title: .value("← models meet · change of \(result.quantity) · models part →"),
          titleLimit: 460, grid: true, ticks: false, domain: false, tickCount: 7)))
    let data = Chart.Data(name: Self.id)
    let own = [Chart.Transform(filter: "datum._row < \(top.count)")]
    func dot(_ field: String, _ place: Double) -> Chart {
      Chart(
        data: data, transform: own,
        mark: Chart.Mark(type: "point", size: 48, filled: true, opacity: 1),
        encoding: [
          "x": .pixels(place), "y": y, "color": result.colour(field), "shape": result.marker(field),
        ])
    }
    return Figure(
      id: Self.id, title: "The steps on which two models part or meet most",
      description:
        "Dots with intervals: the ten greatest changes of distance, labelled by models and sites",
      chart: Chart(
        width: width, height: row * count,
        layer: [
          Chart(
            data: data, transform: [Chart.Transform(filter: "datum._row < 1")],
            mark: Chart.Mark(type: "rule", strokeWidth: 1, style: "quiet"),
            encoding: [
              "x": Chart.Channel(datum: 0, type: "quantitative", scale: x.scale, axis: x.axis)
            ]),
          dot("a", -25), dot("b", -11),
          Chart(
            data: data, transform: own,
            mark: Chart.Mark(type: "rule", strokeWidth: 2, style: "quiet"),
            encoding: [
              "x": .quantity("low", x.scale, axis: x.axis), "x2": Chart.Channel(field: "high"),
              "y": y,
            ]),
          Chart(
            data: data, transform: own,
            mark: Chart.Mark(type: "circle", size: 80, opacity: 1, style: "ink"),
            encoding: ["x": x, "y": y],
            tooltip: [
              .name("a", title: "of"), .name("sitesA", title: "between"), .name("b", title: "and"),
              .name("sitesB", title: "between"), .name("_depths", title: "relative depth"),
              .name("_shown", title: "change"), .name("_interval", title: "95 % interval"),
            ]),
        ], view: Chart.View(stroke: Setting.null)),
      data: [Self.id], exported: [Self.id], marks: top.count * 5)
  }

  func data() -> [String: Dataset] {
    let rows = ranked.enumerated().map { place, entry -> [Dataset.Cell] in
      let step = entry.step
      return [
        .text(result.models[entry.a].name), .text(result.models[entry.b].name),
        .number(step.from), .number(step.to), .text(step.sitesA.joined(separator: " → ")),
        .text(step.sitesB.joined(separator: " → ")), .number(step.change.value),
        .number(step.change.low), .number(step.change.high), .number(Double(place) + 0.5),
        .text(Self.depths(step)), .text(step.change.shown), .text(step.change.interval),
      ]
    }
    return [
      Self.id: .table(
        columns: [
          "a", "b", "from", "to", "sitesA", "sitesB", "change", "low", "high", "_row", "_depths",
          "_shown", "_interval",
        ], rows: rows)
    ]
  }

  /// All steps, the greatest first.
  func table() -> HTML {
    let shown = ranked.prefix(200)
    let what =
      shown.count < ranked.count
      ? "The \(shown.count) greatest of \(Text.count(ranked.count)) steps as a table"
      : "All \(Text.plural(ranked.count, "step")) as a table"
    return Fold.make(
      what,
      [
        Fold.table(
          [
            "models", "relative depth", "sites of the first", "of the second", "change",
            "95 % interval",
          ],
          shown.map { entry in
            .element(
              "tr", [:],
              [
                .element(
                  "td", [:], "\(result.models[entry.a].name) – \(result.models[entry.b].name)"),
                .element("td", ["class": "number"], Self.depths(entry.step)),
                .element("td", [:], [.element("code", [:], Self.between(entry.step.sitesA))]),
                .element("td", [:], [.element("code", [:], Self.between(entry.step.sitesB))]),
                .element("td", ["class": "number"], entry.step.change.shown),
                .element("td", ["class": "number"], entry.step.change.interval),
              ])
          })
      ])
  }

  private static func depths(_ step: StepsResult.Step) -> String {
    "\(Text.number(step.from, digits: 2)) to \(Text.number(step.to, digits: 2))"
  }

  /// `blocks.2 → blocks.3`, `within blocks.2`.
  private static func between(_ sites: [String]) -> String {
    Set(sites).count == 1 ? "within \(sites[0])" : sites.joined(separator: " → ")
  }

  /// Two lines of an axis' label, as an expression of Vega's.
  private func label(_ entry: Entry) -> String {
    func sites(_ sites: [String]) -> String {
      Set(sites).count == 1 ? "in \(sites[0])" : sites.joined(separator: "→")
    }
    let lines = [
      "\(result.models[entry.a].name) – \(result.models[entry.b].name)",
      "\(sites(entry.step.sitesA)) | \(sites(entry.step.sitesB))",
    ]
    return "[\(lines.map(Labels.quoted).joined(separator: ","))]"
  }
}
