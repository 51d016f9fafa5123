import ParallaxResults

/// Layer by layer: how far what one layer takes for an image moves every layer, of its own model and of others.
struct MetamersMap {
  let result: MetamersResult
  let reference: MetamersResult.Reference

  private static let row = 22.0

  private var id: String { "metamers-\(reference.rawValue)" }
  private var shown: [Int] { Array(result.models.indices.prefix(6)) }
  private var inRow: Int { min(3, max(1, shown.count)) }
  private var width: Double { [560, 330, 210][inRow - 1] }
  private var height: Double { Self.row * Double(result.matches.count) }

  private var highest: Double {
    result.matches.flatMap { match in
      shown.flatMap { b in
        result.models[b].layers.indices.compactMap { result.ratio(match, b, $0, reference) }
      }
    }.max() ?? 1
  }

  func data() -> [String: Dataset] {
    var rows: [[Dataset.Cell]] = []
    for (place, match) in result.matches.enumerated() {
      for b in shown {
        let count = Double(result.models[b].layers.count)
        for (k, layer) in result.models[b].layers.enumerated() {
          rows.append([
            .text(Text.label("\(result.models[match.model].name)@\(match.site)")),
            .text(Text.label(result.models[b].name)), .text(Text.label(layer.site)),
            .number(result.ratio(match, b, k, reference)), .number(layer.depth),
            .number(Double(k) / count), .number(Double(k + 1) / count), .number(Double(place)),
            .number(Double(place + 1)), .number(Double(b)),
            .number(match.model == b && match.site == layer.site ? 1 : 0),
          ])
        }
      }
    }
    return [
      id: .table(
        columns: [
          "matched", "model", "site", "value", "depth", "_x0", "_x1", "_y0", "_y1", "_panel",
          "_own",
        ], rows: rows),
      "\(id)-groups": .table(
        columns: ["at"],
        rows: result.matches.indices.dropFirst()
          .filter { result.matches[$0].model != result.matches[$0 - 1].model }
          .map { [.number(Double($0))] }),
    ]
  }

  func figure() -> Figure {
    var panels = shown.map(panel)
    while panels.count > inRow, !panels.count.isMultiple(of: inRow) {
      panels.append(Chart.empty(width: width, height: height))
    }
    return Figure(
      id: id,
      title: reference == .different
        ? "Distances over those of different images" : "Distances over those of a small shift",
      description:
        "Heat maps, a row each layer that was matched, a column each layer of each model: the distance of the matched picture from the image, over \(reference == .different ? "that of two different images" : "that of a small shift")",
      chart: Chart(
        concat: panels, columns: inRow, spacing: Chart.Spacing(row: 56, column: 16), align: "each",
        bounds: "flush", resolve: Chart.Resolve(scale: ["color": "shared"])),
      data: [id, "\(id)-groups"], exported: [id],
      marks: 2 * result.matches.count * shown.reduce(0) { $0 + result.models[$1].layers.count },
      isFolded: reference == .shift)
  }

  private func panel(_ b: Int) -> Chart {
    let isFirst = (shown.firstIndex(of: b) ?? 0).isMultiple(of: inRow)
    let x = Chart.Scale(domain: [0, 1], nice: false, zero: false)
    let y = Chart.Scale(domain: [Double(result.matches.count), 0], nice: false, zero: false)
    let xAxis = Setting<Chart.Axis>.value(
      Chart.Axis(
        title: .value("relative depth"), values: [0, 0.5, 1], format: ".1~f", grid: false,
        ticks: false, domain: false))
    let labels = result.matches.enumerated().map { place, match in
      "\"\(place)\":\(Labels.quoted("\(result.models[match.model].name)@\(match.site)"))"
    }
    let yAxis = Setting<Chart.Axis>.value(
      Chart.Axis(
        title: .null, values: result.matches.indices.map { Double($0) + 0.5 },
        labelExpr: "{\(labels.joined(separator: ","))}[floor(datum.value)]", labels: isFirst,
        labelOverlap: false, labelLimit: 250, labelPadding: 6, grid: false, ticks: false,
        domain: false))
    let isDifferent = reference == .different
    var colour = Chart.Channel.quantity(
      "value",
      Chart.Scale(
        type: isDifferent ? nil : "symlog", domain: [0, max(1, highest)],
        scheme: Palette.similarity, nice: false))
    colour.legend = .value(
      Chart.Legend(
        title: isDifferent ? "0: the same, 1: as another image" : "times the shift's (symlog)",
        orient: "top", gradientLength: 220, gradientThickness: 10, direction: "horizontal",
        format: isDifferent ? ".1f" : "~g", tickCount: 5))
    let position: [String: Chart.Channel] = [
      "x": .quantity("_x0", x, axis: xAxis), "x2": Chart.Channel(field: "_x1"),
      "y": .quantity("_y0", y, axis: yAxis), "y2": Chart.Channel(field: "_y1"),
    ]
    let data = Chart.Data(name: id)
    let own = "datum._panel === \(b)"
    var coloured = position
    coloured["color"] = colour
    return Chart(
      width: width, height: height,
      layer: [
        Chart(
          data: data, transform: [Chart.Transform(filter: "\(own) && isValid(datum.value)")],
          mark: Chart.Mark(type: "rect", opacity: 1, x2Offset: 0.6, y2Offset: 0.6),
          encoding: coloured),
        Chart(
          data: data, transform: [Chart.Transform(filter: "\(own) && !isValid(datum.value)")],
          mark: Chart.Mark(type: "rect", color: "#9a9a9a", opacity: 1), encoding: position),
        Chart(
          data: data, transform: [Chart.Transform(filter: "\(own) && datum._own === 1")],
          mark: Chart.Mark(
            type: "rect", color: "#ffffff", filled: false, opacity: 1, strokeWidth: 1.6),
          encoding: position),
        Chart(
          data: Chart.Data(name: "\(id)-groups"),
          mark: Chart.Mark(type: "rule", strokeWidth: 4, style: "paper"),
          encoding: ["y": .quantity("at", y, axis: yAxis)]),
        Chart(
          data: data, transform: [Chart.Transform(filter: own)],
          mark: Chart.Mark(type: "rect", opacity: 0), encoding: position,
          tooltip: [
            .name("matched"), .name("site", title: Text.label(result.models[b].name)),
            .name("value", title: isDifferent ? "over different images" : "over m_r"),
          ]),
        Chart.heading([Text.label(result.models[b].name)], limit: width + 8),
      ], view: Chart.View(stroke: Setting.null))
  }
}
