import ParallaxResults

/// CKA of all layers, whole and without the skips of a block, side by side.
struct ResidualRemovals {
  let result: ResidualResult

  private func id(_ index: Int, _ isAblated: Bool) -> String {
    "residual-removal-\(index)-\(isAblated ? "without" : "whole")"
  }

  func figure() -> Figure {
    let panels = result.removals.indices.flatMap { [panel($0, false), panel($0, true)] }
    let names = result.removals.indices.flatMap { [id($0, false), id($0, true)] }
    return Figure(
      id: "residual-removals", title: "Similarity of all layers with and without skip connections",
      description:
        "Pairs of heat maps of CKA between all layers of a model: whole on the left, without the skip connections of one block on the right",
      chart: Chart(
        concat: panels, columns: 2, spacing: Chart.Spacing(row: 60, column: 40), align: "each",
        bounds: "flush", resolve: Chart.Resolve(scale: ["color": "shared"])),
      data: names + result.removals.indices.map { "residual-cuts-\($0)" }, exported: names,
      marks: result.removals.reduce(0) { $0 + 2 * $1.layers.count * $1.layers.count })
  }

  func data() -> [String: Dataset] {
    var all: [String: Dataset] = [:]
    for (index, removal) in result.removals.enumerated() {
      for (map, isAblated) in [(removal.intact, false), (removal.ablated, true)] {
        all[id(index, isAblated)] = .table(
          columns: ["row", "column", "x0", "x1", "y0", "y1", "value", "shown"],
          rows: map.enumerated().flatMap { row, values in
            values.enumerated().map { column, value in
              [
                .text(removal.layers[row]), .text(removal.layers[column]),
                .number(Double(column)), .number(Double(column + 1)), .number(Double(row)),
                .number(Double(row + 1)), .number(value), .text(Text.number(value)),
              ]
            }
          })
      }
      all["residual-cuts-\(index)"] = .table(
        columns: ["at"],
        rows: [removal.before, removal.before + removal.within].map { [.number(Double($0))] })
    }
    return all
  }

  private func panel(_ index: Int, _ isAblated: Bool) -> Chart {
    let removal = result.removals[index]
    let count = Double(removal.layers.count)
    let side = min(380, max(120, 12 * count))
    let scale = Chart.Scale(domain: [0, count], nice: false, zero: false)
    let middle = Double(removal.before) + Double(removal.within) / 2
    func axis(_ title: String?) -> Setting<Chart.Axis> {
      .value(
        Chart.Axis(
          title: title.map { .value($0) } ?? .null, values: [0.5, middle, count - 0.5],
          labelExpr:
            "{\"0\":\"first\",\"\(Int(middle))\":\(SimilarityFigures.quoted(removal.block)),\"\(Int(count - 0.5))\":\"last\"}[floor(datum.value)]",
          labelAngle: 0, grid: false, ticks: true, domain: false))
    }
    let position: [String: Chart.Channel] = [
      "x": .quantity("x0", scale, axis: axis("layer")), "x2": Chart.Channel(field: "x1"),
      "y": .quantity("y0", scale, axis: axis(nil)), "y2": Chart.Channel(field: "y1"),
    ]
    let known = result.removals.flatMap { ($0.intact + $0.ablated).flatMap { $0 } }
      .compactMap(\.self)
    var colour = Chart.Channel.quantity(
      "value",
      Chart.Scale(
        domain: [min(0, ((known.min() ?? 0) * 10).rounded(.down) / 10), 1],
        scheme: Palette.similarity, nice: false))
    colour.legend = .value(
      Chart.Legend(
        title: "CKA", orient: "top", gradientLength: 180, gradientThickness: 10,
        direction: "horizontal", format: ".1f", tickCount: 6))
    let name = id(index, isAblated)
    var layers = Chart.cells(of: Chart.Data(name: name), position, colour, seam: 0.6)
    for channel in ["x", "y"] {
      layers.append(
        Chart(
          data: Chart.Data(name: "residual-cuts-\(index)"),
          mark: Chart.Mark(type: "rule", color: "#ffffff", opacity: 0.9, strokeWidth: 1),
          encoding: [channel: .quantity("at", scale, axis: position[channel]?.axis)]))
    }
    layers.append(
      Chart(
        data: Chart.Data(name: name), mark: Chart.Mark(type: "rect", opacity: 0),
        encoding: position,
        tooltip: [
          .name("column", title: "layer"), .name("row", title: "and"), .name("shown", title: "CKA"),
        ]))
    let model = result.models[removal.model].name
    return Chart(
      width: side, height: side,
      layer: layers + [
        Chart.heading(
          [isAblated ? "without the skips of \(removal.block)" : "\(model), whole"],
          limit: side + 30)
      ], view: Chart.View(stroke: ParallaxReport.Setting.null))
  }
}
