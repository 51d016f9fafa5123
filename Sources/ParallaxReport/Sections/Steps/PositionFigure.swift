import ParallaxResults

/// Whether layers at similar depth match, and what difference remains: three numbers of every ordered pair.
struct PositionFigure {
  let result: StepsResult

  private static let id = "steps-positions"
  private let row = 18.0
  private var width: Double { numbers.count > 3 ? 160 : 220 }

  /// One number of the ordered pairs.
  private struct Number {
    var title: String
    var estimate: (StepsResult.Position) -> StepsResult.Estimate
    /// What chance gives.
    var chance: (StepsResult.Position) -> Double?
  }

  private var numbers: [Number] {
    var numbers = [
      Number(title: "correlation of depths", estimate: \.correlation) { _ in nil },
      Number(title: "gap in relative depth", estimate: \.gap, chance: \.gapByChance),
      Number(title: "residual difference", estimate: \.residual) { _ in nil },
    ]
    if result.positions.contains(where: { $0.aboveSeeds != nil }) {
      numbers.append(
        Number(title: "above two seeds", estimate: { $0.aboveSeeds ?? StepsResult.Estimate(nil) }) {
          _ in nil
        })
    }
    return numbers
  }

  /// More pairs than these are in the table only.
  var isShort: Bool { (1...30).contains(result.positions.count) }

  func figure() -> Figure {
    Figure(
      id: Self.id, title: "Position and what remains",
      description:
        "Dots with intervals for each ordered pair of models: correlation of depths, gap, residual difference",
      chart: Chart(
        concat: numbers.indices.map(panel), columns: numbers.count, spacing: 26, align: "each",
        bounds: "flush", resolve: Chart.Resolve(scale: ["color": "shared", "shape": "shared"])),
      data: [Self.id], exported: [Self.id], marks: result.positions.count * 5 * numbers.count)
  }

  func data() -> [String: Dataset] {
    var rows: [[Dataset.Cell]] = []
    for (index, number) in numbers.enumerated() {
      for (place, position) in result.positions.enumerated() {
        let estimate = number.estimate(position)
        rows.append([
          .text(number.title), .text(result.models[position.a].name),
          .text(result.models[position.b].name), .number(estimate.value), .number(estimate.low),
          .number(estimate.high), .number(number.chance(position)), .number(Double(index)),
          .number(Double(place) + 0.5), .text(estimate.shown), .text(estimate.interval),
        ])
      }
    }
    return [
      Self.id: .table(
        columns: [
          "number", "from", "to", "value", "low", "high", "byChance", "_panel", "_row", "_shown",
          "_interval",
        ], rows: rows)
    ]
  }

  private func panel(_ index: Int) -> Chart {
    let number = numbers[index]
    let count = Double(result.positions.count)
    let labels = result.positions.enumerated().map { place, position in
      let names = [position.a, position.b].map { result.models[$0].name }
      return "\"\(place)\":\(Labels.quoted(names.joined(separator: " → ")))"
    }
    let y = Chart.Channel.quantity(
      "_row", Chart.Scale(domain: [count, 0], nice: false, zero: false),
      axis: .value(
        Chart.Axis(
          title: .null, values: result.positions.indices.map { Double($0) + 0.5 },
          labelExpr: "{\(labels.joined(separator: ","))}[floor(datum.value)]", labels: index == 0,
          labelOverlap: false, labelLimit: 320, labelPadding: 34, grid: false, ticks: false,
          domain: false)))
    let known = result.positions.compactMap { number.estimate($0).value }
    let x = Chart.Channel.quantity(
      "value", Chart.Scale(domain: known.isEmpty ? [0, 1] : nil, nice: !known.isEmpty, zero: true),
      axis: .value(
        Chart.Axis(
          title: .null, labelOverlap: true, labelSeparation: 6, grid: true, ticks: false,
          domain: false, tickCount: 4)))
    let data = Chart.Data(name: Self.id)
    func own(_ field: String = "value") -> [Chart.Transform] {
      [Chart.Transform(filter: "datum._panel === \(index) && isValid(datum.\(field))")]
    }
    var layers = [
      Chart(
        data: Chart.Data(values: [[:]]),
        mark: Chart.Mark(type: "rule", opacity: 0.7, strokeWidth: 1, style: "quiet"),
        encoding: [
          "x": Chart.Channel(datum: 0, type: "quantitative", scale: x.scale, axis: x.axis)
        ])
    ]
    if index == 0 {
      for (field, place) in [("from", -24.0), ("to", -10.0)] {
        layers.append(
          Chart(
            data: data, transform: [Chart.Transform(filter: "datum._panel === 0")],
            mark: Chart.Mark(type: "point", size: 44, filled: true, opacity: 1),
            encoding: [
              "x": .pixels(place), "y": y, "color": result.colour(field),
              "shape": result.marker(field),
            ]))
      }
    }
    if result.positions.contains(where: { number.estimate($0).low != nil }) {
      layers.append(
        Chart(
          data: data, transform: own("low"),
          mark: Chart.Mark(type: "rule", strokeWidth: 2, style: "quiet"),
          encoding: [
            "x": .quantity("low", x.scale, axis: x.axis), "x2": Chart.Channel(field: "high"),
            "y": y,
          ]))
    }
    if result.positions.contains(where: { number.chance($0) != nil }) {
      layers.append(
        Chart(
          data: data, transform: own("byChance"),
          mark: Chart.Mark(type: "tick", size: row * 0.8, style: "quiet", thickness: 1.5),
          encoding: ["x": .quantity("byChance", x.scale, axis: x.axis), "y": y]))
    }
    layers.append(
      Chart(
        data: data, transform: own(),
        mark: Chart.Mark(type: "circle", size: 50, opacity: 1, style: "ink"),
        encoding: ["x": x, "y": y],
        tooltip: [
          .name("from"), .name("to"), .name("_shown", title: number.title),
          .name("_interval", title: "95 % interval"), .name("byChance", title: "by chance"),
        ]))
    layers.append(Chart.heading([number.title], limit: width + 14))
    return Chart(
      width: width, height: row * count, layer: layers, view: Chart.View(stroke: Setting.null))
  }
}
