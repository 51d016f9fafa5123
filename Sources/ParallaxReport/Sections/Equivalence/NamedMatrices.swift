/// Small matrices side by side whose rows and columns have names, their numbers written into the cells where there is room.
struct NamedMatrices {
  /// One matrix.
  struct Panel {
    var title: String
    var rows: [String]
    var columns: [String]
    var values: [[Double?]]
  }

  let id: String
  let panels: [Panel]
  /// What rows, columns and values are, for axes and tables.
  let names: (row: String, column: String, value: String)
  var domain = [0.0, 1.0]
  var inRow = 2

  /// Cells in a row beyond which no numbers are written into them.
  private static let legible = 14

  var data: [String: Dataset] {
    var table: [[Dataset.Cell]] = []
    for (place, panel) in panels.enumerated() {
      for (row, line) in panel.values.enumerated() {
        for (column, value) in line.enumerated() {
          table.append([
            .text(panel.title), .text(Text.label(panel.rows[row])),
            .text(Text.label(panel.columns[column])), .number(value), .number(Double(place)),
            .text(Text.number(value, digits: 2)), .number(Double(row)), .number(Double(row) + 1),
            .number(Double(column)), .number(Double(column) + 1), .number(Double(row) + 0.5),
            .number(Double(column) + 0.5),
          ])
        }
      }
    }
    return [
      id: .table(
        columns: [
          "panel", names.row, names.column, "value", "_panel", "_shown", "_y0", "_y1", "_x0", "_x1",
          "_y", "_x",
        ], rows: table)
    ]
  }

  func figure(_ title: String, _ description: String) -> Figure {
    Figure(
      id: id, title: title, description: description,
      chart: Chart(
        concat: panels.indices.map(panel), columns: min(inRow, max(1, panels.count)),
        spacing: Chart.Spacing(row: 60, column: 40), align: "each", bounds: "full",
        resolve: Chart.Resolve(scale: ["color": "shared"])),
      data: [id], exported: [id],
      marks: panels.reduce(0) { $0 + 2 * $1.rows.count * $1.columns.count })
  }

  /// `a,b,c` as an expression of Vega that names the cell in whose middle a tick stands.
  private static func labels(_ names: [String], limit: Int) -> String {
    let list = names.map { name -> String in
      let short = name.count > limit ? "…" + name.suffix(limit - 1) : name
      let safe = Text.label(short).replacing("\\", with: "\\\\").replacing("'", with: "\\'")
      return "'\(safe)'"
    }
    return "[\(list.joined(separator: ","))][floor(datum.value)]"
  }

  private func axis(_ names: [String], title: String, angle: Double?) -> Setting<Chart.Axis> {
    var axis = Chart.Axis(
      title: .value(title), values: names.indices.map { Double($0) + 0.5 },
      labelExpr: Self.labels(names, limit: 24), grid: false, ticks: false, domain: false)
    axis.labelAngle = angle
    axis.labelAlign = angle == nil ? nil : "right"
    axis.labelLimit = 190
    axis.labelOverlap = false
    return .value(axis)
  }

  private func panel(_ index: Int) -> Chart {
    let panel = panels[index]
    let (rows, columns) = (Double(panel.rows.count), Double(panel.columns.count))
    let widest = panels.map(\.columns.count).max() ?? 1
    let unit = min(46, max(14, (inRow == 1 ? 760.0 : 340.0) / Double(widest)))
    func scale(_ domain: [Double]) -> Chart.Scale {
      Chart.Scale(domain: domain, nice: false, zero: false)
    }
    let (x, y) = (scale([0, columns]), scale([rows, 0]))
    let across = axis(panel.columns, title: names.column, angle: -40)
    let down = axis(panel.rows, title: names.row, angle: nil)
    var colour = Chart.Channel.quantity(
      "value", Chart.Scale(domain: domain, scheme: Palette.similarity, nice: false))
    colour.legend = .value(
      Chart.Legend(
        title: names.value, orient: "top", gradientLength: 200, gradientThickness: 10,
        direction: "horizontal", tickCount: 5))
    let data = Chart.Data(name: id)
    let own = "datum._panel === \(index)"
    let position: [String: Chart.Channel] = [
      "x": .quantity("_x0", x, axis: across), "x2": Chart.Channel(field: "_x1"),
      "y": .quantity("_y0", y, axis: down), "y2": Chart.Channel(field: "_y1"),
    ]
    func cells(_ filter: String, _ grey: String?, _ encoding: [String: Chart.Channel]) -> Chart {
      Chart(
        data: data, transform: [Chart.Transform(filter: "\(own) && \(filter)")],
        mark: Chart.Mark(type: "rect", color: grey), encoding: encoding,
        tooltip: [.name(names.row), .name(names.column), .name("_shown", title: names.value)])
    }
    var layer = [
      cells("isValid(datum.value)", nil, position.merging(["color": colour]) { $1 }),
      cells("!isValid(datum.value)", "#9a9a9a", position),
    ]
    if widest <= Self.legible {
      // Light on the dark half of the map, dark on the light one.
      let middle = (domain[0] + domain[1]) / 2 + 0.1 * (domain[1] - domain[0])
      for (filter, ink) in [
        ("datum.value <= \(middle)", "#ffffff"), ("datum.value > \(middle)", "#111111"),
      ] {
        var text = Chart(
          data: data,
          transform: [Chart.Transform(filter: "\(own) && isValid(datum.value) && \(filter)")],
          mark: Chart.Mark(
            type: "text", color: ink, align: "center", baseline: "middle",
            fontSize: unit < 30 ? 9 : 11),
          encoding: [
            "x": .quantity("_x", x, axis: across), "y": .quantity("_y", y, axis: down),
          ])
        text.encoding?["text"] = Chart.Channel(field: "_shown", type: "nominal")
        layer.append(text)
      }
    }
    return Chart(
      width: unit * columns, height: min(unit, 34) * rows,
      layer: layer + [Chart.heading([panel.title], limit: 360)],
      view: Chart.View(stroke: Setting.null))
  }
}
