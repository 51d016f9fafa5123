import ParallaxResults

/// Clarity over depth.
struct InversionCurves {
  let result: InversionResult

  /// Changed forms have a figure of their own.
  private var models: [InversionResult.Model] { result.models.filter { $0.derivedFrom == nil } }

  var curves: DepthCurves {
    let drawing = StepsResult.drawing(
      models.map { model in
        (
          ModelSites(
            name: Text.label(model.name), family: model.family,
            sites: model.layers.map {
              ModelSites.Site(
                name: $0.site, tokens: "", stage: $0.stage, depth: $0.depth, features: $0.features)
            }), model.design
        )
      }, images: result.images.count, dtype: result.dtype, seed: result.seed, groups: 0)
    return DepthCurves(
      result: drawing, id: "inversion-depth",
      panels: [
        panel("RMSE", startsAtZero: true) { $0.rmse },
        panel("SSIM") { $0.ssim },
        panel("m_i over m_a′", startsAtZero: true) { $0.relativeInput },
        panel("m_g over m_r", startsAtZero: true) { $0.relativeEmbedding },
      ], inRow: 2, width: 440, height: 190, spacing: 44, legend: "", hasLeading: false)
  }

  /// Means over pictures; untrained twins are dashed.
  private func panel(
    _ title: String, startsAtZero: Bool = false,
    _ number: (InversionResult.Reconstruction) -> Double?
  ) -> DepthCurves.Panel {
    let lines = models.enumerated().map { index, model in
      DepthCurves.Line(
        model: index, style: model.twinOf == nil ? .solid : .dashed,
        points: model.layers.map { layer in
          let values = layer.reconstructions.compactMap(number)
          return DepthCurves.Point(
            place: layer.depth, site: Text.label(layer.site),
            estimate: IntervalEstimate(
              values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)))
        })
    }
    // The reference is in view whatever the curves are.
    let isRatio = title.contains(" over ")
    let highest = lines.flatMap { $0.points.compactMap(\.estimate.value) }.max() ?? 0
    return DepthCurves.Panel(
      title: title, lines: lines,
      domain: startsAtZero && highest > 0 ? [0, 1.04 * max(highest, isRatio ? 1 : 0)] : nil,
      reference: isRatio ? 1 : nil)
  }
}

/// Distances over the steps, both on one axis: m_g in units of m_r (solid) and m_i in units of m_a' (dashed).
struct InversionTraces {
  let result: InversionResult

  /// Layers of each model, at most.
  static let layers = 4
  /// Models, at most.
  static let models = 6

  private static let id = "inversion-traces"

  private var panels: [(model: Int, layer: InversionResult.Layer)] {
    result.models.indices.prefix(Self.models).flatMap { index in
      InversionGrid.spread(result.models[index].layers, Self.layers).map { (index, $0) }
    }
  }

  func data() -> [String: Dataset] {
    var rows: [[Dataset.Cell]] = []
    for (place, panel) in panels.enumerated() {
      for one in panel.layer.reconstructions {
        for point in one.trace {
          let values = [
            ("m_g over m_r", one.reference > 0 ? point.embedding / one.reference : nil),
            ("m_i over m_a′", one.inputReference > 0 ? point.input / one.inputReference : nil),
          ]
          for (style, (quantity, value)) in values.enumerated() {
            rows.append([
              .text(Text.label(result.models[panel.model].name)),
              .text(Text.label(panel.layer.site)),
              .text("image \(one.image + 1), start \(one.start + 1)"), .text(quantity),
              .number(Double(point.step)), .number(value), .number(point.loss),
              .number(Double(place)), .number(Double(style)),
            ])
          }
        }
      }
    }
    return [
      Self.id: .table(
        columns: [
          "model", "site", "picture", "quantity", "step", "value", "loss", "_panel", "_style",
        ], rows: rows)
    ]
  }

  func figure() -> Figure {
    let (panels, row) = (panels, Self.layers)
    // A row a model.
    var charts: [Chart] = []
    for (index, one) in panels.enumerated() {
      let isFirst = index == 0 || panels[index - 1].model != one.model
      while isFirst, !charts.count.isMultiple(of: row) {
        charts.append(.empty(width: 205, height: 130))
      }
      charts.append(panel(index, one, isFirst: isFirst))
    }
    while charts.count > row, !charts.count.isMultiple(of: row) {
      charts.append(.empty(width: 205, height: 130))
    }
    let marks = panels.reduce(0) { sum, panel in
      sum + 2 * panel.layer.reconstructions.reduce(0) { $0 + $1.trace.count }
    }
    return Figure(
      id: Self.id, title: "Embedding and input distance over the steps",
      description:
        "Small multiples, one a layer: the distance of the embedding and the distance of the picture over the steps of the descent, on a logarithmic axis",
      chart: Chart(
        concat: charts, columns: min(row, charts.count),
        spacing: Chart.Spacing(row: 76, column: 28),
        align: "each", bounds: "flush"),
      data: [Self.id], exported: [Self.id], marks: marks)
  }

  private func panel(
    _ index: Int, _ panel: (model: Int, layer: InversionResult.Layer), isFirst: Bool
  ) -> Chart {
    let x = Chart.Channel.quantity(
      "step", Chart.Scale(domain: [0, Double(max(1, panel.layer.steps))], nice: false),
      axis: .value(
        Chart.Axis(title: .value("step"), grid: true, ticks: false, domain: false, tickCount: 4)))
    let y = Chart.Channel.quantity(
      "value", Chart.Scale(type: "log", nice: true),
      axis: .value(
        Chart.Axis(
          title: isFirst ? .value("times the reference") : .null, format: "~g", grid: true,
          ticks: false, domain: false, tickCount: 4)))
    let colour = Palette.colour(panel.model)
    let lines = [(0, nil), (1, [5.0, 3.0])].map { style, dash -> Chart in
      Chart(
        data: Chart.Data(name: Self.id),
        transform: [
          Chart.Transform(
            filter:
              "datum._panel === \(index) && datum._style === \(style) && isValid(datum.value) && datum.value > 0"
          )
        ],
        mark: Chart.Mark(
          type: "line", color: colour, opacity: 0.9, strokeWidth: 1.6, strokeDash: dash),
        encoding: ["x": x, "y": y, "detail": .name("picture")],
        tooltip: [
          .name("site"), .name("picture"), .name("quantity"), .name("step"), .name("value"),
        ])
    }
    let reference = Chart(
      data: Chart.Data(values: [["one": 1]]),
      mark: Chart.Mark(type: "rule", strokeWidth: 1, strokeDash: [1, 3], style: "ink"),
      encoding: ["y": .quantity("one", y.scale, axis: y.axis)])
    return Chart(
      width: 205, height: 130,
      layer: lines + [
        reference,
        .heading(
          isFirst
            ? [Text.label(result.models[panel.model].name), Text.label(panel.layer.site)]
            : [Text.label(panel.layer.site)], limit: 228),
      ], view: Chart.View(stroke: Setting.null))
  }
}
