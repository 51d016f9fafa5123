import ParallaxResults

/// What each layer knows of every statistic by itself: statistics down, depth across, a map for each model.
struct StatisticMap {
  let result: StepsResult

  private static let id = "steps-single-statistics"
  private let row = 15.0

  /// Models that have them.
  private var levels: [StepsResult.LowLevel] { result.lowLevel.filter { !$0.statistics.isEmpty } }

  /// The statistics in order, of any model.
  private var names: [String] {
    levels.flatMap { $0.statistics.map(\.name) }.reduce(into: []) { found, name in
      if !found.contains(name) { found.append(name) }
    }
  }

  var isEmpty: Bool { names.isEmpty }

  private var inRow: Int { min(4, max(1, levels.count)) }
  private var width: Double { [560, 330, 222, 166][inRow - 1] }

  func figure() -> Figure {
    var panels = levels.indices.map(panel)
    while !panels.count.isMultiple(of: inRow) {
      panels.append(Chart.empty(width: width, height: row * Double(names.count)))
    }
    return Figure(
      id: Self.id, title: "Every statistic by itself",
      description:
        "Heat maps of \(result.quantity) from each layer to each low-level statistic, one map for each model",
      chart: Chart(
        concat: panels, columns: inRow, spacing: Chart.Spacing(row: 50, column: 14), align: "each",
        bounds: "flush", resolve: Chart.Resolve(scale: ["color": "shared"])),
      data: [Self.id, "\(Self.id)-groups"], exported: [Self.id],
      marks: 2 * levels.reduce(0) { $0 + $1.statistics.count * count($1.model) })
  }

  private func count(_ model: Int) -> Int { result.models[model].sites.sites.count }

  /// Where a site's cell begins and ends: leading sites left of 0, the others share the way from 0 to 1.
  private func span(_ model: Int, _ site: Int) -> (from: Double, to: Double) {
    let (leading, blocks) = (result.models[model].leading, result.models[model].blocks.count)
    guard site < leading else {
      let width = 1 / Double(max(1, blocks))
      return (Double(site - leading) * width, Double(site - leading + 1) * width)
    }
    let width = 0.16 / Double(max(2, leading))
    let first = -0.02 - width * Double(leading)
    return (first + width * Double(site), first + width * Double(site + 1))
  }

  func data() -> [String: Dataset] {
    var rows: [[Dataset.Cell]] = []
    let places = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
    for (panel, level) in levels.enumerated() {
      let model = result.models[level.model]
      for space in level.statistics {
        let place = Double(places[space.name] ?? 0)
        for (site, known) in space.known.enumerated() {
          let span = span(level.model, site)
          rows.append([
            .text(model.name), .text(model.sites.label(site)), .text(space.name),
            .number(known.value), .number(known.low), .number(known.high),
            .number(space.back[site]),
            .number(space.clipped.indices.contains(site) ? space.clipped[site] : nil),
            .number(space.strict.indices.contains(site) ? space.strict[site] : nil),
            .number(span.from), .number(span.to), .number(place),
            .number(place + 1), .number(Double(panel)),
          ])
        }
      }
    }
    return [
      Self.id: .table(
        columns: [
          "model", "site", "statistic", "value", "low", "high", "back", "clipped", "strict", "_x0",
          "_x1", "_y0", "_y1",
          "_panel",
        ], rows: rows),
      "\(Self.id)-groups": .table(
        columns: ["at"], rows: boundaries.map { [.number(Double($0))] }),
    ]
  }

  /// Rows at which another group begins.
  private var boundaries: [Int] {
    let groups = names.map { $0.prefix { $0 != "." } }
    return groups.indices.dropFirst().filter { groups[$0] != groups[$0 - 1] }
  }

  private func panel(_ index: Int) -> Chart {
    let isFirst = index.isMultiple(of: inRow)
    let isLast = index + inRow >= levels.count
    let model = result.models[levels[index].model]
    let x = Chart.Scale(domain: [model.leading > 0 ? -0.18 : 0, 1], nice: false, zero: false)
    let y = Chart.Scale(domain: [Double(names.count), 0], nice: false, zero: false)
    let xAxis = Setting<Chart.Axis>.value(
      Chart.Axis(
        title: isLast ? .value("relative depth") : .null,
        values: model.leading > 0 ? [-0.1, 0, 0.5, 1] : [0, 0.5, 1],
        labelExpr: "datum.value < 0 ? 'in' : format(datum.value, '.1~f')", grid: false,
        ticks: false, domain: false))
    let labels = names.enumerated().map { "\"\($0)\":\(Labels.quoted($1))" }
    let yAxis = Setting<Chart.Axis>.value(
      Chart.Axis(
        title: .null, values: names.indices.map { Double($0) + 0.5 },
        labelExpr: "{\(labels.joined(separator: ","))}[floor(datum.value)]", labels: isFirst,
        labelOverlap: false, labelLimit: 170, labelPadding: 6, grid: false, ticks: false,
        domain: false))
    let known = levels.flatMap { $0.statistics.flatMap { $0.known.compactMap(\.value) } }
    let high = known.max() ?? 1
    var colour = Chart.Channel.quantity(
      "value",
      Chart.Scale(
        domain: [min(0, known.min() ?? 0), high > 0.5 ? max(1, high) : high > 0 ? high : 1],
        scheme: Palette.similarity, nice: false))
    colour.legend = .value(
      Chart.Legend(
        title: "\(result.quantity) (dark: known)", orient: "top", gradientLength: 220,
        gradientThickness: 10, direction: "horizontal", format: ".1f", tickCount: 5))
    let position: [String: Chart.Channel] = [
      "x": .quantity("_x0", x, axis: xAxis), "x2": Chart.Channel(field: "_x1"),
      "y": .quantity("_y0", y, axis: yAxis), "y2": Chart.Channel(field: "_y1"),
    ]
    let data = Chart.Data(name: Self.id)
    let own = [Chart.Transform(filter: "datum._panel === \(index)")]
    var coloured = position
    coloured["color"] = colour
    return Chart(
      width: width, height: row * Double(names.count),
      layer: [
        Chart(
          data: data,
          transform: [Chart.Transform(filter: "datum._panel === \(index) && isValid(datum.value)")],
          mark: Chart.Mark(type: "rect", opacity: 1, x2Offset: 0.6, y2Offset: 0.6),
          encoding: coloured),
        Chart(
          data: data,
          transform: [
            Chart.Transform(filter: "datum._panel === \(index) && !isValid(datum.value)")
          ], mark: Chart.Mark(type: "rect", color: "#9a9a9a", opacity: 1), encoding: position),
        Chart(
          data: Chart.Data(name: "\(Self.id)-groups"),
          mark: Chart.Mark(type: "rule", strokeWidth: 3, style: "paper"),
          encoding: ["y": .quantity("at", y, axis: yAxis)]),
        Chart(
          data: data, transform: own, mark: Chart.Mark(type: "rect", opacity: 0),
          encoding: position,
          tooltip: [
            .name("statistic"), .name("site", title: model.name),
            .name("value", title: result.quantity), .name("low", title: "95 % from"),
            .name("high", title: "to"), .name("back", title: "the other way round"),
            .name("clipped", title: "activations clipped"),
            .name("strict", title: "strict ranks"),
          ]),
        Chart.heading([model.name], limit: width + 8),
      ], view: Chart.View(stroke: Setting.null))
  }

  /// The end of each model against its middle, statistic by statistic.
  func table() -> HTML {
    let rows = levels.flatMap { level in
      level.statistics.map { space -> HTML in
        let model = result.models[level.model]
        func part(_ curve: [Double?], _ isIn: (Double) -> Bool) -> Double? {
          let values = model.blocks.filter { isIn(model.sites.sites[$0].depth) }
            .map { curve.indices.contains($0) ? curve[$0] : nil }
          let known = values.compactMap(\.self)
          return known.isEmpty || known.count < values.count
            ? nil : known.reduce(0, +) / Double(known.count)
        }
        func ends(_ curve: [Double?]) -> (middle: Double?, end: Double?) {
          (part(curve) { $0 >= 0.2 && $0 < 0.8 }, part(curve) { $0 >= 0.8 })
        }
        func rise(_ curve: [Double?]) -> Double? {
          let (middle, end) = ends(curve)
          return middle.flatMap { a in end.map { $0 - a } }
        }
        let (middle, end) = ends(space.known.map(\.value))
        let probe = level.probes.first { $0.statistic == space.name }?.scores
        let best = probe.flatMap { $0.compactMap(\.self).max() }
        let numbers = [
          middle, end, rise(space.known.map(\.value)), rise(space.clipped), rise(space.strict),
          space.chance, best,
        ]
        return .element(
          "tr", [:],
          [.element("td", [:], model.name), .element("td", [:], space.name)]
            + numbers.map { .element("td", ["class": "number"], Text.number($0)) }
            + [.element("td", ["class": "number"], Text.count(space.equalImages))])
      }
    }
    return Fold.make(
      "Every statistic as a table: \(Text.plural(rows.count, "row"))",
      [
        Fold.table(
          [
            "model", "statistic", "middle three fifths", "last fifth", "rise", "rise, clipped",
            "rise, strict ranks", "shuffled",
            "best R² of a probe", "images that share a value",
          ], rows)
      ])
  }
}
