import ParallaxResults

/// Layer by layer: how far what one layer takes for an image moves every layer, of its own model and of others.
struct MetamersMap {
  /// What is drawn.
  enum Quantity: String {
    /// Distances over those of a small shift, or of two different images.
    case shift, different
    /// Spearman's correlation of the embeddings.
    case agreement
  }

  let result: MetamersResult
  let quantity: Quantity

  private static let row = 22.0

  private var id: String { "metamers-\(quantity.rawValue)" }
  private var shown: [Int] { Array(result.models.indices.prefix(6)) }
  private var inRow: Int { min(3, max(1, shown.count)) }
  private var width: Double { [560, 330, 210][inRow - 1] }
  private var height: Double { Self.row * Double(result.matches.count) }

  private var highest: Double {
    result.matches.flatMap { match in
      shown.flatMap { b in
        result.models[b].layers.indices.compactMap { value(match, b, $0) }
      }
    }.max() ?? 1
  }

  private func value(_ match: MetamersResult.Match, _ model: Int, _ layer: Int) -> Double? {
    switch quantity {
    case .shift: result.ratio(match, model, layer, .shift)
    case .different: result.ratio(match, model, layer, .different)
    case .agreement: result.agreement(match, model, layer, \.spearman)
    }
  }

  private var words: (title: String, description: String, legend: String, tooltip: String) {
    switch quantity {
    case .different:
      (
        "Distances over those of different images",
        "the distance of the matched picture from the image, over that of two different images",
        "0: the same, 1: as another image", "over different images"
      )
    case .shift:
      (
        "Distances over those of a small shift",
        "the distance of the matched picture from the image, over that of a small shift",
        "times the shift's (symlog)", "over m_r"
      )
    case .agreement:
      (
        "Spearman’s correlation with the image’s embedding",
        "the rank correlation of the matched picture's embedding with the image's; a dot where two different images agree as well",
        "1: the same order", "Spearman"
      )
    }
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
            .number(value(match, b, k)), .number(layer.depth),
            .number(Double(k) / count), .number(Double(k + 1) / count), .number(Double(place)),
            .number(Double(place + 1)), .number(Double(b)),
            .number(match.model == b && match.site == layer.site ? 1 : 0),
            .number(result.agreement(match, b, k, \.pearson)),
            .number(result.agreement(match, b, k, \.decibels)),
            .number(result.chance(b, k, \.spearman)),
            .number(value(match, b, k).map { max(0, $0) }),
            .number((Double(k) + 0.5) / count), .number(Double(place) + 0.5),
          ])
        }
      }
    }
    return [
      id: .table(
        columns: [
          "matched", "model", "site", "value", "depth", "_x0", "_x1", "_y0", "_y1", "_panel",
          "_own", "pearson", "dB", "chance", "_drawn", "_x", "_y",
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
      title: words.title,
      description:
        "Heat maps, a row each layer that was matched, a column each layer of each model: \(words.description)",
      chart: Chart(
        concat: panels, columns: inRow, spacing: Chart.Spacing(row: 56, column: 16), align: "each",
        bounds: "flush", resolve: Chart.Resolve(scale: ["color": "shared"])),
      data: [id, "\(id)-groups"], exported: [id],
      marks: 3 * result.matches.count * shown.reduce(0) { $0 + result.models[$1].layers.count },
      isFolded: quantity != .different)
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
    var colour = Chart.Channel.quantity(
      "_drawn",
      Chart.Scale(
        type: quantity == .shift ? "symlog" : nil,
        domain: [0, quantity == .agreement ? 1 : max(1, highest)],
        scheme: Palette.similarity, nice: false))
    colour.legend = .value(
      Chart.Legend(
        title: words.legend,
        orient: "top", gradientLength: 220, gradientThickness: 10, direction: "horizontal",
        format: quantity == .shift ? "~g" : ".1f", tickCount: 5))
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
          data: data,
          transform: [
            Chart.Transform(
              filter:
                "\(own) && \(quantity == .agreement) && isValid(datum.value) && isValid(datum.chance) && datum.value <= datum.chance"
            )
          ],
          mark: Chart.Mark(type: "circle", color: "#ffffff", size: 14, opacity: 1),
          encoding: [
            "x": .quantity("_x", x, axis: xAxis), "y": .quantity("_y", y, axis: yAxis),
          ]),
        Chart(
          data: Chart.Data(name: "\(id)-groups"),
          mark: Chart.Mark(type: "rule", strokeWidth: 4, style: "paper"),
          encoding: ["y": .quantity("at", y, axis: yAxis)]),
        Chart(
          data: data, transform: [Chart.Transform(filter: own)],
          mark: Chart.Mark(type: "rect", opacity: 0), encoding: position,
          tooltip: [
            .name("matched"), .name("site", title: Text.label(result.models[b].name)),
            .name("value", title: words.tooltip),
          ]
            + (quantity == .agreement
              ? [
                .name("chance", title: "best of two different images"),
                .name("pearson", title: "Pearson"), .name("dB", title: "signal to noise, dB"),
              ] : [])),
        Chart.heading([Text.label(result.models[b].name)], limit: width + 8),
      ], view: Chart.View(stroke: Setting.null))
  }
}
