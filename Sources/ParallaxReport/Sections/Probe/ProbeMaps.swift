import ParallaxResults

/// The paper's figure D.4: the accuracy of a probe of every single token, a row a model, its layers from left to right.
struct ProbeMaps {
  let result: ProbeResult
  let id = "probe-maps"

  /// Layers beside one another; a model of more shows some of them, evenly spread.
  static let columns = 5

  private struct Panel {
    var model: Int
    var map: ProbeResult.Map?
  }

  /// Whether there is a map.
  var isWorthwhile: Bool { result.models.contains { !$0.maps.isEmpty } }

  private var inRow: Int {
    min(Self.columns, result.models.map(\.maps.count).max() ?? 1)
  }
  private var side: Double { [1: 260, 2: 260, 3: 230, 4: 190][inRow] ?? 150 }

  private var panels: [Panel] {
    result.models.enumerated().flatMap { index, model -> [Panel] in
      guard !model.maps.isEmpty else { return [] }
      let shown =
        model.maps.count <= inRow
        ? model.maps
        : (0..<inRow).map { place in
          model.maps[inRow == 1 ? 0 : place * (model.maps.count - 1) / (inRow - 1)]
        }
      return (0..<inRow).map { Panel(model: index, map: $0 < shown.count ? shown[$0] : nil) }
    }
  }

  /// One domain for all maps.
  private var domain: [Double] {
    let all = panels.compactMap(\.map).flatMap { $0.values + $0.others.map(\.accuracy) }
    let (low, high) = (all.min() ?? 0, all.max() ?? 1)
    return [(10 * low).rounded(.down) * 10, max((10 * high).rounded(.up) * 10, 10)]
  }

  func figure() -> Figure {
    let panels = panels
    return Figure(
      id: id, title: "Accuracy of a probe of every token",
      description:
        "Heat maps of the accuracy of one probe a token over the image's grid, a row a model, layers from left to right; tokens that are no patches above",
      chart: Chart(
        concat: panels.indices.map { panel($0, panels[$0]) }, columns: inRow,
        spacing: Chart.Spacing(row: 48, column: 18), align: "each", bounds: "flush",
        resolve: Chart.Resolve(scale: ["color": "shared"])),
      data: [id], exported: [id],
      marks: panels.compactMap(\.map).reduce(0) { $0 + $1.values.count + $1.others.count })
  }

  func data() -> [String: Dataset] {
    var rows: [[Dataset.Cell]] = []
    for (index, panel) in panels.enumerated() {
      guard let map = panel.map else { continue }
      func row(_ token: String, _ x: Double, _ y: Double, _ value: Double) -> [Dataset.Cell] {
        [
          .text(result.models[panel.model].name), .text(map.site), .text(token),
          .number(100 * value), .number(x), .number(x + 1), .number(y), .number(y + 1),
          .number(Double(index)), .text(Text.number(100 * value, digits: 1)),
        ]
      }
      for (place, value) in map.values.enumerated() {
        let (y, x) = (place / map.columns, place % map.columns)
        rows.append(row("(\(y), \(x))", Double(x), Double(y), value))
      }
      for (place, token) in map.others.enumerated() {
        rows.append(
          row(Text.label(token.name), Double(place), -1.6, token.accuracy))
      }
    }
    return [
      id: .table(
        columns: [
          "model", "site", "token", "value", "_x0", "_x1", "_y0", "_y1", "_panel", "_shown",
        ], rows: rows)
    ]
  }

  private func panel(_ index: Int, _ panel: Panel) -> Chart {
    guard let map = panel.map else { return Chart.empty(width: side, height: side) }
    let wide = Double(max(map.columns, map.others.count))
    let above = map.others.isEmpty ? 0 : 1.6
    let unit = side / max(wide, Double(map.rows) + above)
    func scale(_ domain: [Double]) -> Chart.Scale {
      Chart.Scale(domain: domain, nice: false, zero: false)
    }
    let x = scale([0, wide])
    let y = scale([Double(map.rows), -above])
    var colour = Chart.Channel.quantity(
      "value", Chart.Scale(domain: domain, scheme: Palette.similarity, nice: false))
    colour.legend = .value(
      Chart.Legend(
        title: "accuracy, %", orient: "top", gradientLength: 220, gradientThickness: 10,
        direction: "horizontal", format: "d", tickCount: 5))
    var cells = Chart(
      data: Chart.Data(name: id), transform: [Chart.Transform(filter: "datum._panel === \(index)")],
      mark: Chart.Mark(type: "rect", x2Offset: 0.5, y2Offset: 0.5),
      encoding: [
        "x": .quantity("_x0", x, axis: .null), "x2": Chart.Channel(field: "_x1"),
        "y": .quantity("_y0", y, axis: .null), "y2": Chart.Channel(field: "_y1"),
        "color": colour,
      ])
    cells.tooltip = [
      .name("model"), .name("site"), .name("token"), .name("_shown", title: "accuracy, %"),
    ]
    let isFirst = index.isMultiple(of: inRow)
    let name = result.models[panel.model].name
    let lines =
      isFirst && inRow > 1 ? [name, map.site] : inRow == 1 ? [name, map.site] : [map.site]
    return Chart(
      width: unit * wide, height: unit * (Double(map.rows) + above),
      layer: [cells, Chart.heading(lines, limit: side + (isFirst ? 120 : 10))],
      view: Chart.View(stroke: Setting.null))
  }
}
