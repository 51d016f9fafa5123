import ParallaxResults

/// CKA of subsets of heads with another model's early layers, against the subsets' mean distance.
struct AttentionSubsets {
  let result: AttentionResult
  let id = "attention-subsets"

  private var count: Int { result.subsets.count }
  private var inRow: Int { min(3, count) }
  private var width: Double { [1: 460, 2: 340][count] ?? 250 }
  private var names: [String] { ["first block", "second", "third", "fourth", "fifth"] }
  private static let colours = [
    Palette.depth[0], Palette.depth[1], Palette.depth[2], Palette.depth[4], Palette.depth[5],
  ]
  private static let markers = ["circle", "square", "triangle-up", "diamond", "cross"]

  func figure() -> Figure {
    Figure(
      id: id, title: "CKA of subsets of heads with early layers, against their distance",
      description:
        "Lines of linear CKA over mean attention distance of subsets of the first layer's heads, a line a layer of the other model, a panel a pair of models",
      chart: Chart(
        concat: result.subsets.indices.map(panel), columns: inRow,
        spacing: Chart.Spacing(row: 56, column: 26), align: "each", bounds: "flush",
        resolve: Chart.Resolve(scale: ["color": "shared", "shape": "shared"])),
      data: [id], exported: [id],
      marks: result.subsets.reduce(0) { $0 + 2 * $1.points.count * $1.layers.count })
  }

  func data() -> [String: Dataset] {
    let rows = result.subsets.enumerated().flatMap { index, subsets in
      subsets.points.flatMap { point in
        zip(subsets.layers.indices, point.values).map { place, value -> [Dataset.Cell] in
          [
            .text(result.models[subsets.model].name), .text(subsets.other),
            .text(Text.label(subsets.layers[place])),
            .text(names[place % names.count]),
            .text(point.heads.map(String.init).joined(separator: " ")), .number(point.distance),
            .number(value.value), .number(value.low), .number(value.high), .number(Double(index)),
            .text(Text.number(value.value)),
            .text(Text.interval(value.low, value.high) ?? "not estimated"),
          ]
        }
      }
    }
    return [
      id: .table(
        columns: [
          "model", "other", "layer", "line", "heads", "distance", "cka", "low", "high", "_panel",
          "_shown", "_interval",
        ], rows: rows)
    ]
  }

  private func panel(_ index: Int) -> Chart {
    let subsets = result.subsets[index]
    let isFirst = index.isMultiple(of: inRow)
    let all = result.subsets.flatMap { $0.points.flatMap { $0.values.compactMap(\.value) } }
    let x = Chart.Channel.quantity(
      "distance", Chart.Scale(nice: true, zero: false),
      axis: .value(
        Chart.Axis(
          title: .value("mean attention distance of the subset (px)"), labelOverlap: true,
          grid: false,
          ticks: false,
          domain: false, tickCount: 5)))
    func y(_ field: String) -> Chart.Channel {
      .quantity(
        field,
        Chart.Scale(domain: [min(0, all.min() ?? 0), max(all.max() ?? 1, 0.1) * 1.08], nice: true),
        axis: .value(
          Chart.Axis(
            title: isFirst ? .value("linear CKA") : .null, labels: isFirst, grid: true,
            ticks: false, domain: false, tickCount: 5)))
    }
    var colour = Chart.Channel.name("line", title: "layer of the other model")
    colour.scale = Chart.Scale(names: names, range: Self.colours)
    colour.legend = .value(Chart.Legend(orient: "top", direction: "horizontal", columns: 5))
    var marker = Chart.Channel.name("line", title: "layer of the other model")
    marker.scale = Chart.Scale(names: names, range: Self.markers)
    marker.legend = colour.legend
    let data = Chart.Data(name: id)
    let own = [Chart.Transform(filter: "datum._panel === \(index) && isValid(datum.cka)")]
    return Chart(
      width: width, height: 180,
      layer: [
        Chart(
          data: data, transform: own,
          mark: Chart.Mark(type: "rule", opacity: 0.35, strokeWidth: 1.5),
          encoding: [
            "x": x, "y": y("low"), "y2": Chart.Channel(field: "high"), "color": colour,
          ]),
        Chart(
          data: data, transform: own,
          mark: Chart.Mark(type: "line", opacity: 0.9, strokeWidth: 1.6),
          encoding: ["x": x, "y": y("cka"), "color": colour]),
        Chart(
          data: data, transform: own,
          mark: Chart.Mark(type: "point", size: 34, filled: true, opacity: 1),
          encoding: ["x": x, "y": y("cka"), "color": colour, "shape": marker],
          tooltip: [
            .name("layer"), .name("heads"), .name("distance", title: "distance (px)"),
            .name("_shown", title: "CKA"), .name("_interval", title: "95 % interval"),
          ]),
        Chart.heading(
          [result.models[subsets.model].name, "and \(Text.label(subsets.other))"],
          limit: width + 20),
      ], view: Chart.View(stroke: Setting.null))
  }
}
