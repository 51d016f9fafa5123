import ParallaxResults

/// From input to reconstruction, one panel each measure.
struct ManifoldChanges {
  let result: ManifoldResult

  private static let id = "manifold-changes"
  private static let starts = "manifold-starts"

  private struct Measure {
    var title: String
    var before: (ManifoldResult.Model, ManifoldResult.Layer, ManifoldResult.Entry) -> Double?
    var after: (ManifoldResult.Model, ManifoldResult.Layer, ManifoldResult.Entry) -> Double?
    var start: (ManifoldResult.Model) -> Double?
    var reference: (ManifoldResult.Model) -> Double
    var isRatio = true
  }

  private static func over(_ value: Double?, _ typical: Double?) -> Double? {
    guard let value, let typical, typical > 0 else { return nil }
    return value / typical
  }

  private var measures: [Measure] {
    [
      Measure(
        title: "nearest image, pixels",
        before: { Self.over($0.inputs[$2.input].pixels.nearest, $0.typical.nearest) },
        after: { model, _, entry in
          Self.over(entry.mean { $0.pixels.nearest }, model.typical.nearest)
        }, start: { Self.over($0.start.nearest, $0.typical.nearest) }, reference: { _ in 1 }),
      Measure(
        title: "pixel histogram",
        before: { Self.over($0.inputs[$2.input].pixels.histogram, $0.typical.histogram) },
        after: { model, _, entry in
          Self.over(entry.mean { $0.pixels.histogram }, model.typical.histogram)
        }, start: { Self.over($0.start.histogram, $0.typical.histogram) }, reference: { _ in 1 }),
      Measure(
        title: "spectral slope",
        before: { model, _, entry in model.inputs[entry.input].pixels.slope },
        after: { _, _, entry in entry.mean { $0.pixels.slope } }, start: { $0.start.slope },
        reference: { $0.typical.slope ?? 0 }, isRatio: false),
      Measure(
        title: "nearest embeddings", before: { Self.over($2.latent.distance, $1.typicalDistance) },
        after: { _, layer, entry in
          Self.over(entry.mean { $0.latent.distance }, layer.typicalDistance)
        }, start: { _ in nil }, reference: { _ in 1 }),
      Measure(
        title: "local PCA residual",
        before: { Self.over($2.latent.residual, $1.typicalResidual) },
        after: { _, layer, entry in
          Self.over(entry.mean { $0.latent.residual }, layer.typicalResidual)
        }, start: { _ in nil }, reference: { _ in 1 }),
    ]
  }

  func data() -> [String: Dataset] {
    var (rows, starts): ([[Dataset.Cell]], [[Dataset.Cell]]) = ([], [])
    for (panel, measure) in measures.enumerated() {
      for (index, model) in result.models.enumerated() {
        starts.append([
          .text(Text.label(model.name)), .text(measure.title), .number(measure.start(model)),
          .number(measure.reference(model)), .number(Double(panel)), .number(Double(index)),
        ])
        for layer in model.layers {
          for entry in layer.entries {
            for (x, value) in [
              measure.before(model, layer, entry), measure.after(model, layer, entry),
            ].enumerated() {
              rows.append([
                .text(Text.label(model.name)), .text(Text.label(layer.site)),
                .text(Text.label(result.inputs[entry.input].name)), .text(measure.title),
                .text(x == 0 ? "input" : "reconstruction"), .number(value), .number(Double(x)),
                .number(Double(panel)), .number(Double(index)),
                .text("\(layer.site) \(entry.input)"),
              ])
            }
          }
        }
      }
    }
    return [
      Self.id: .table(
        columns: [
          "model", "site", "input", "measure", "when", "value", "_x", "_panel", "_model",
          "_line",
        ], rows: rows),
      Self.starts: .table(
        columns: ["model", "measure", "value", "reference", "_panel", "_model"], rows: starts),
    ]
  }

  func figure() -> Figure {
    var charts = measures.enumerated().map { panel($0, $1) }
    while !charts.count.isMultiple(of: 3) { charts.append(.empty(width: 270, height: 170)) }
    return Figure(
      id: Self.id, title: "From input to reconstruction",
      description:
        "Lines from each input to its reconstructions: distance from the nearest image, histogram, spectral slope, distance from the nearest embeddings and residual to the local PCA",
      chart: Chart(
        concat: charts, columns: 3, spacing: Chart.Spacing(row: 56, column: 44), align: "each",
        bounds: "flush"), data: [Self.id, Self.starts], exported: [Self.id, Self.starts],
      marks: 400)
  }

  private func panel(_ place: Int, _ measure: Measure) -> Chart {
    let x = Chart.Channel.quantity(
      "_x", Chart.Scale(domain: [-0.15, 1.15], nice: false),
      axis: .value(
        Chart.Axis(
          title: .null, values: [0, 1],
          labelExpr: "datum.value === 0 ? 'input' : 'reconstruction'", grid: false, ticks: false,
          domain: false)))
    let y = Chart.Channel.quantity(
      "value", Chart.Scale(nice: true, zero: measure.isRatio),
      axis: .value(
        Chart.Axis(
          title: place.isMultiple(of: 3) && measure.isRatio ? .value("times the set's own") : .null,
          grid: true, ticks: false, domain: false, tickCount: 4)))
    let tooltip: [Chart.Channel] = ["model", "site", "input", "when", "value"].map { .name($0) }
    let layers = result.models.indices.flatMap { index -> [Chart] in
      let filter = "datum._panel === \(place) && datum._model === \(index)"
      let dash: [Double]? = result.models[index].twinOf == nil ? nil : [5, 3]
      return [
        Chart(
          data: Chart.Data(name: Self.id),
          transform: [Chart.Transform(filter: "\(filter) && isValid(datum.value)")],
          mark: Chart.Mark(
            type: "line", color: Palette.colour(index), opacity: 0.85, strokeWidth: 1.6,
            strokeDash: dash),
          encoding: ["x": x, "y": y, "detail": .name("_line")],
          tooltip: tooltip),
        Chart(
          data: Chart.Data(name: Self.id),
          transform: [Chart.Transform(filter: "\(filter) && isValid(datum.value)")],
          mark: Chart.Mark(type: "point", color: Palette.colour(index), size: 34, filled: true),
          encoding: ["x": x, "y": y], tooltip: tooltip),
        Chart(
          data: Chart.Data(name: Self.starts),
          transform: [Chart.Transform(filter: filter)],
          mark: Chart.Mark(
            type: "rule", color: measure.isRatio ? nil : Palette.colour(index), strokeWidth: 1,
            strokeDash: [1, 3], style: measure.isRatio ? "ink" : nil),
          encoding: ["y": .quantity("reference", y.scale, axis: y.axis)]),
        Chart(
          data: Chart.Data(name: Self.starts),
          transform: [Chart.Transform(filter: "\(filter) && isValid(datum.value)")],
          mark: Chart.Mark(
            type: "text", color: Palette.colour(index), text: ["▸"], align: "left",
            baseline: "middle", fontSize: 13),
          encoding: ["x": .pixels(0), "y": y],
          tooltip: [.name("model"), .name("value", title: "start")]),
      ]
    }
    return Chart(
      width: 270, height: 170, layer: layers + [.heading([measure.title], limit: 280)],
      view: Chart.View(stroke: Setting.null))
  }
}
