import ParallaxResults

/// The map of one measure over all pairs of sites.
struct MeasureFigure {
  let result: MeasuresResult
  let entry: MeasuresResult.Entry

  /// Whether there are orders enough for a p-value of 0.05.
  static func canTell(_ result: MeasuresResult) -> Bool { result.permutations >= 19 }

  private var id: String { "measure-\(entry.name)" }
  private var count: Int { result.addresses.count }
  /// Pixels of a cell.
  private var cell: Double { max(2, min(30, (560 / Double(max(1, count))).rounded(.down))) }

  var figure: Figure {
    Figure(
      id: id, title: "\(entry.name) between all pairs of layers",
      description:
        "Heat map of \(entry.name) between all layers of \(Text.list(result.models.map(\.name)))",
      chart: chart, data: [id, "\(id)-models"], exported: [id], marks: count * count)
  }

  var data: [String: Dataset] {
    let names = result.addresses
    var rows: [[Dataset.Cell]] = []
    for a in names.indices {
      for b in names.indices {
        let ends = result.interval(entry, a, b)
        let p = entry.pValues?[a][b] ?? nil
        rows.append([
          .number(Double(b)), .number(Double(b + 1)), .number(Double(a)), .number(Double(a + 1)),
          .number(Double(b) + 0.5), .number(Double(a) + 0.5),
          .number(entry.values[a][b]), .text(names[a]), .text(names[b]),
          .text(Text.number(entry.values[a][b])),
          .text(Text.interval(ends?.low, ends?.high) ?? "–"), .number(p),
          .text(p.map { Text.number($0, digits: 2) } ?? "–"),
        ])
      }
    }
    let starts = result.models.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1.sites.count) }
    return [
      id: .table(
        columns: [
          "x0", "x1", "y0", "y1", "xm", "ym", "value", "row", "column", "shown", "interval", "p",
          "chance",
        ], rows: rows),
      "\(id)-models": .table(
        columns: ["at"], rows: starts.dropFirst().dropLast().map { [.number(Double($0))] }),
    ]
  }

  private var chart: Chart {
    let scale = Chart.Scale(domain: [0, Double(count)], nice: false, zero: false)
    var colour = Chart.Channel.quantity(
      "value", Chart.Scale(domain: domain, scheme: Palette.similarity, nice: false))
    colour.legend = .value(
      Chart.Legend(
        title: entry.name, orient: "top", gradientLength: 220, gradientThickness: 10,
        direction: "horizontal", format: ".1f", tickCount: 4))
    let position: [String: Chart.Channel] = [
      "x": .quantity("x0", scale, axis: axis(horizontal: true)),
      "x2": Chart.Channel(field: "x1"),
      "y": .quantity("y0", scale, axis: axis(horizontal: false)),
      "y2": Chart.Channel(field: "y1"),
    ]
    let seam = cell < 6 ? 0.7 : 0
    let map = Chart.Data(name: id)
    var layers = Chart.cells(of: map, position, colour, seam: seam)
    for channel in ["x", "y"] {
      layers.append(
        Chart(
          data: Chart.Data(name: "\(id)-models"),
          mark: Chart.Mark(type: "rule", color: "#ffffff", opacity: 0.9, strokeWidth: 1.6),
          encoding: [channel: .quantity("at", scale, axis: position[channel]?.axis)]))
    }
    // Chance: a dot in the middle of the cell.
    for (colour, size) in [("#000000", 0.42), ("#ffffff", 0.26)] where Self.canTell(result) {
      layers.append(
        Chart(
          data: map, transform: [Chart.Transform(filter: "isValid(datum.p) && datum.p > 0.05")],
          mark: Chart.Mark(
            type: "circle", color: colour, size: max(3, cell * cell * size * size), opacity: 1),
          encoding: [
            "x": .quantity("xm", scale, axis: position["x"]?.axis),
            "y": .quantity("ym", scale, axis: position["y"]?.axis),
          ]))
    }
    layers.append(
      Chart(
        data: map, mark: Chart.Mark(type: "rect", opacity: 0), encoding: position,
        tooltip: [
          Chart.Channel.name("row", title: "first"), Chart.Channel.name("column", title: "second"),
          Chart.Channel.name("shown", title: entry.name),
          Chart.Channel.name("interval", title: "95 % interval"),
          Chart.Channel.name("chance", title: "p of chance"),
        ]))
    return Chart(
      width: cell * Double(count), height: cell * Double(count), layer: layers,
      view: Chart.View(stroke: Setting.null))
  }

  /// From the least value to the largest, or from 0 and to 1 where the values lie there.
  private var domain: [Double] {
    let known = entry.values.flatMap { $0.compactMap(\.self) }
    let (low, high) = (known.min() ?? 0, known.max() ?? 1)
    let isShare = entry.direction == "similarity" && high <= 1 + 1e-9
    return [min(0, low), isShare ? 1 : high > 0 ? high : 1]
  }

  /// Sites where there is room; of several models, the name at its first site.
  private func axis(horizontal: Bool) -> Setting<Chart.Axis> {
    var places: [(place: Int, name: String)] = []
    var start = 0
    for model in result.models {
      let labels = SimilarityFigures.labelled(model, cell: cell)
      let isOne = result.models.count == 1
      places += labels.map {
        (start + $0.place, !isOne && $0.place == 0 ? model.name : $0.name)
      }
      start += model.sites.count
    }
    let pairs = places.map { "\"\($0.place)\":\(SimilarityFigures.quoted($0.name))" }
    return .value(
      Chart.Axis(
        title: Setting.null, values: places.map { Double($0.place) + 0.5 },
        labelExpr: "{\(pairs.joined(separator: ","))}[floor(datum.value)]",
        labelAngle: horizontal ? -50 : 0, labelAlign: "right", labelBaseline: "middle",
        labelOverlap: false, grid: false, ticks: true, domain: false))
  }
}
