import ParallaxResults

/// Every head of every layer over depth: distances above, entropies below.
struct AttentionDepth {
  let result: AttentionResult
  /// The models' places among all models of the run, which colours go by.
  let places: [Int]
  let id = "attention-depth"

  private enum Quantity: Int {
    case distance = 0
    case entropy = 1
  }

  private var inRow: Int { min(4, result.models.count) }
  private var width: Double { [1: 520, 2: 380, 3: 270][result.models.count] ?? 205 }
  private let height = 150.0

  func figure() -> Figure {
    var charts: [Chart] = []
    for start in stride(from: 0, to: result.models.count, by: inRow) {
      for quantity in result.hasEntropy ? [Quantity.distance, .entropy] : [.distance] {
        for index in start..<(start + inRow) {
          charts.append(
            index < result.models.count
              ? panel(index, quantity) : Chart.empty(width: width, height: height))
        }
      }
    }
    let heads = result.models.reduce(0) { $0 + $1.layers.reduce(0) { $0 + $1.heads.count } }
    return Figure(
      id: id, title: "Attention distance and entropy of every head over depth",
      description:
        "Dots, one a head, over relative depth: mean attention distance above and entropy below, a column a model, with the mean over heads and uniform attention",
      chart: Chart(
        concat: charts, columns: inRow, spacing: Chart.Spacing(row: 30, column: 26), align: "each",
        bounds: "flush"),
      data: [id, "\(id)-layers"], exported: [id], marks: 2 * heads)
  }

  func data() -> [String: Dataset] {
    var rows: [[Dataset.Cell]] = []
    var layers: [[Dataset.Cell]] = []
    func shown(_ estimate: AttentionResult.Estimate, _ digits: Int) -> [Dataset.Cell] {
      [
        .text(Text.number(estimate.value, digits: digits)),
        .text(Text.interval(estimate.low, estimate.high, digits: digits) ?? "not estimated"),
      ]
    }
    for (index, model) in result.models.enumerated() {
      for layer in model.layers {
        for (head, numbers) in layer.heads.enumerated() {
          let (distance, entropy) = (numbers.distance, numbers.entropy)
          rows.append(
            [
              .text(model.name), .text(layer.block), .number(layer.depth), .number(Double(head)),
              .number(distance.value), .number(distance.low), .number(distance.high),
              .number(numbers.distanceDeviation), .number(entropy.value), .number(entropy.low),
              .number(entropy.high), .number(Double(index)),
            ] + shown(distance, 1) + shown(entropy, 2))
        }
        func mean(_ values: [Double]) -> Double? {
          values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
        }
        layers.append([
          .number(Double(index)), .number(layer.depth), .number(layer.uniformDistance),
          .number(layer.uniformEntropy), .number(mean(layer.heads.compactMap(\.distance.value))),
          .number(mean(layer.heads.compactMap(\.entropy.value))),
        ])
      }
    }
    return [
      id: .table(
        columns: [
          "model", "layer", "depth", "head", "distance", "low", "high", "deviation", "entropy",
          "entropy low", "entropy high", "_panel", "_shown", "_interval", "_nats", "_natsInterval",
        ], rows: rows),
      "\(id)-layers": .table(
        columns: ["_panel", "depth", "uniform0", "uniform1", "mean0", "mean1"], rows: layers),
    ]
  }

  private func panel(_ index: Int, _ quantity: Quantity) -> Chart {
    let isFirst = index.isMultiple(of: inRow)
    let isLast = quantity == .entropy || !result.hasEntropy
    let x = Chart.Channel.quantity(
      "depth", Chart.Scale(domain: [-0.03, 1.03], nice: false, zero: false),
      axis: .value(
        Chart.Axis(
          title: isLast ? .value("relative depth") : .null, labels: isLast, grid: true,
          ticks: false, domain: false, tickCount: 3)))
    let most =
      quantity == .distance
      ? result.farthest
      : (result.models.flatMap { $0.layers.map(\.uniformEntropy) }.max() ?? 1) * 1.06
    let title = quantity == .distance ? "distance (px)" : "entropy (nat)"
    func y(_ field: String) -> Chart.Channel {
      Chart.Channel.quantity(
        field, Chart.Scale(domain: [0, most], nice: false),
        axis: .value(
          Chart.Axis(
            title: isFirst ? .value(title) : .null, labels: isFirst, grid: true, ticks: false,
            domain: false, tickCount: 4)))
    }
    let field = quantity == .distance ? "distance" : "entropy"
    let own = [Chart.Transform(filter: "datum._panel === \(index)")]
    let layers = Chart.Data(name: "\(id)-layers")
    let colour = Palette.colour(places[index])
    var marks = [
      Chart(
        data: layers, transform: own,
        mark: Chart.Mark(type: "line", strokeWidth: 1.2, strokeDash: [4, 3], style: "quiet"),
        encoding: ["x": x, "y": y("uniform\(quantity.rawValue)")]),
      Chart(
        data: layers, transform: own,
        mark: Chart.Mark(type: "line", color: colour, opacity: 0.9, strokeWidth: 1.6),
        encoding: ["x": x, "y": y("mean\(quantity.rawValue)")]),
      Chart(
        data: Chart.Data(name: id),
        transform: [
          Chart.Transform(filter: "datum._panel === \(index) && isValid(datum.\(field))")
        ],
        mark: Chart.Mark(type: "point", color: colour, size: 24, filled: true, opacity: 0.55),
        encoding: ["x": x, "y": y(field)],
        tooltip: [
          .name("layer"), .name("head"),
          .name(quantity == .distance ? "_shown" : "_nats", title: title),
          .name(
            quantity == .distance ? "_interval" : "_natsInterval", title: "95 % interval"),
        ]),
    ]
    if quantity == .distance {
      marks.append(Chart.heading([result.models[index].name], limit: width + 20))
    }
    return Chart(
      width: width, height: height, layer: marks, view: Chart.View(stroke: Setting.null))
  }
}
