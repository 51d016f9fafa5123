import ParallaxResults

/// The paper's figure: of the two lowest and the two highest layers the heads' distances, sorted.
struct AttentionSorted {
  let result: AttentionResult
  let id = "attention-sorted"

  private static let names = ["first layer", "second", "last but one", "last layer"]
  private static let colours = [
    Palette.depth[0], "#a95ccf", Palette.depth[4], Palette.depth[5],
  ]
  private static let markers = ["circle", "triangle-up", "diamond", "square"]

  private var inRow: Int { min(4, result.models.count) }
  private var width: Double { [1: 460, 2: 380, 3: 270][result.models.count] ?? 205 }
  private let height = 200.0

  /// Of a model with so many layers: which line shows which layer.
  private func lines(_ layers: Int) -> [(line: Int, layer: Int)] {
    switch layers {
    case 1: [(0, 0)]
    case 2: [(0, 0), (3, 1)]
    case 3: [(0, 0), (1, 1), (3, 2)]
    default: [(0, 0), (1, 1), (2, layers - 2), (3, layers - 1)]
    }
  }

  func figure() -> Figure {
    Figure(
      id: id, title: "Attention distance of the lowest and the highest layers",
      description:
        "Lines of mean attention distance over heads sorted by it, a panel a model: the two lowest and the two highest layers, with uniform attention dashed",
      chart: Chart(
        concat: result.models.indices.map(panel), columns: inRow,
        spacing: Chart.Spacing(row: 48, column: 26), align: "each", bounds: "flush",
        resolve: Chart.Resolve(scale: ["color": "shared", "shape": "shared"])),
      data: [id, "\(id)-uniform"], exported: [id], marks: result.models.count * 120)
  }

  func data() -> [String: Dataset] {
    var rows: [[Dataset.Cell]] = []
    var uniform: [[Dataset.Cell]] = []
    for (index, model) in result.models.enumerated() {
      var levels: [Double] = []
      for (line, place) in lines(model.layers.count) {
        let layer = model.layers[place]
        if !levels.contains(where: { abs($0 - layer.uniformDistance) < 0.05 }) {
          levels.append(layer.uniformDistance)
        }
        for (rank, head) in layer.sorted.enumerated() {
          let numbers = layer.heads[head].distance
          rows.append([
            .text(model.name), .text(layer.block), .text(Self.names[line]),
            .number(Double(rank + 1)), .number(Double(head)), .number(numbers.value),
            .number(numbers.low), .number(numbers.high), .number(Double(index)),
            .text(Text.number(numbers.value, digits: 1)),
            .text(Text.interval(numbers.low, numbers.high, digits: 1) ?? "not estimated"),
          ])
        }
      }
      uniform += levels.map { [.number(Double(index)), .number($0)] }
    }
    return [
      id: .table(
        columns: [
          "model", "layer", "line", "rank", "head", "distance", "low", "high", "_panel", "_shown",
          "_interval",
        ], rows: rows),
      "\(id)-uniform": .table(columns: ["_panel", "uniform"], rows: uniform),
    ]
  }

  private func panel(_ index: Int) -> Chart {
    let model = result.models[index]
    let heads = model.layers.map(\.heads.count).max() ?? 1
    let isFirst = index.isMultiple(of: inRow)
    let x = Chart.Channel.quantity(
      "rank", Chart.Scale(domain: [0.5, Double(heads) + 0.5], nice: false, zero: false),
      axis: .value(
        Chart.Axis(
          title: .value("heads, sorted"),
          values: heads > 8
            ? [1, Double((heads + 1) / 2), Double(heads)] : (1...heads).map(Double.init),
          format: "d", grid: false, ticks: false, domain: false)))
    let y = Chart.Channel.quantity(
      "distance", Chart.Scale(domain: [0, result.farthest], nice: false),
      axis: .value(
        Chart.Axis(
          title: isFirst ? .value("attention distance (px)") : .null, labels: isFirst, grid: true,
          ticks: false, domain: false, tickCount: 5)))
    var colour = Chart.Channel.name("line", title: "layer")
    colour.scale = Chart.Scale(names: Self.names, range: Self.colours)
    colour.legend = .value(Chart.Legend(orient: "top", direction: "horizontal", columns: 4))
    var marker = Chart.Channel.name("line", title: "layer")
    marker.scale = Chart.Scale(names: Self.names, range: Self.markers)
    marker.legend = colour.legend
    let own = [Chart.Transform(filter: "datum._panel === \(index) && isValid(datum.distance)")]
    let data = Chart.Data(name: id)
    let uniform = Chart.Data(name: "\(id)-uniform")
    let level = Chart.Channel.quantity("uniform", y.scale, axis: y.axis)
    let layers = [
      Chart(
        data: uniform, transform: [Chart.Transform(filter: "datum._panel === \(index)")],
        mark: Chart.Mark(type: "rule", strokeWidth: 1.2, strokeDash: [4, 3], style: "quiet"),
        encoding: ["y": level]),
      Chart(
        data: uniform, transform: [Chart.Transform(filter: "datum._panel === \(index)")],
        mark: Chart.Mark(
          type: "text", style: "quiet", text: ["uniform"], align: "left", baseline: "alphabetic",
          fontSize: 10.5, dx: 4, dy: 12),
        encoding: ["x": .pixels(0), "y": level]),
      Chart(
        data: data, transform: own, mark: Chart.Mark(type: "rule", opacity: 0.5, strokeWidth: 2.5),
        encoding: [
          "x": x, "y": .quantity("low", y.scale, axis: y.axis),
          "y2": Chart.Channel(field: "high"), "color": colour,
        ]),
      Chart(
        data: data, transform: own, mark: Chart.Mark(type: "line", opacity: 0.9, strokeWidth: 1.7),
        encoding: ["x": x, "y": y, "color": colour]),
      Chart(
        data: data, transform: own,
        mark: Chart.Mark(type: "point", size: 38, filled: true, opacity: 1),
        encoding: ["x": x, "y": y, "color": colour, "shape": marker],
        tooltip: [
          .name("model"), .name("layer"), .name("head"), .name("_shown", title: "distance (px)"),
          .name("_interval", title: "95 % interval"),
        ]),
      Chart.heading([model.name], limit: width + 20),
    ]
    return Chart(
      width: width, height: height, layer: layers, view: Chart.View(stroke: Setting.null))
  }
}
