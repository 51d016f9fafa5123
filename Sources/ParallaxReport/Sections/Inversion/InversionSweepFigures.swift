import ParallaxResults

/// A model and its changed forms over depth: a colour a change, dashed where untrained.
struct InversionSurgeryFigure {
  let result: InversionResult

  /// The changes in order, the whole network first.
  private var forms: [String] {
    result.models.compactMap(\.change).reduce(into: ["the whole network"]) { found, next in
      if !found.contains(next) { found.append(next) }
    }
  }

  private func isUntrained(_ model: InversionResult.Model) -> Bool {
    model.twinOf != nil
      || result.models.contains { $0.name == model.derivedFrom && $0.twinOf != nil }
  }

  /// The curves; nil where nothing was changed.
  var curves: DepthCurves? {
    let forms = forms
    guard forms.count > 1 else { return nil }
    let drawing = StepsResult.drawing(
      forms.map { form in (ModelSites(name: Text.label(form), family: "", sites: []), "") },
      images: result.images.count, dtype: result.dtype, seed: result.seed, groups: 0)
    let bases = result.models.filter { $0.derivedFrom == nil && $0.twinOf == nil }
    let panels = bases.flatMap { base -> [DepthCurves.Panel] in
      let twin = result.models.first { $0.twinOf == base.name && $0.derivedFrom == nil }
      let names = [base.name] + (twin.map { [$0.name] } ?? [])
      let own = result.models.filter {
        names.contains($0.name) || names.contains($0.derivedFrom ?? "")
      }
      return [
        panel("\(Text.label(base.name)): RMSE", own, forms, nil) { $0.rmse },
        panel("\(Text.label(base.name)): m_g over m_r", own, forms, 1) { $0.relativeEmbedding },
      ]
    }
    return DepthCurves(
      result: drawing, id: "inversion-surgery", panels: panels, inRow: 2, width: 440, height: 210,
      spacing: 44, legend: "form of the network", hasLeading: false)
  }

  private func panel(
    _ title: String, _ models: [InversionResult.Model], _ forms: [String], _ reference: Double?,
    _ number: (InversionResult.Reconstruction) -> Double?
  ) -> DepthCurves.Panel {
    let lines = models.map { model in
      DepthCurves.Line(
        model: model.change.flatMap { forms.firstIndex(of: $0) } ?? 0,
        style: isUntrained(model) ? .dashed : .solid,
        points: model.layers.map { layer in
          DepthCurves.Point(
            place: layer.depth, site: Text.label(layer.site),
            estimate: IntervalEstimate(layer.mean(number)))
        }, name: Text.label(model.name))
    }
    let highest = lines.flatMap { $0.points.compactMap(\.estimate.value) }.max() ?? 0
    return DepthCurves.Panel(
      title: title, lines: lines, domain: highest > 0 ? [0, 1.04 * highest] : nil,
      reference: reference)
  }

  /// Under the figure.
  var caption: String {
    "Each model beside its changed forms, mean over pictures; parts are taken out while the network runs, with the weights as they were. "
      + (result.models.contains(where: isUntrained) ? "Dashed: untrained. " : "")
      + "Below the dotted line the embedding was matched; above it nothing follows from the error. Recipe: \(result.preset); \(Text.plural(result.images.count, "image")), seed \(result.seed)."
  }
}

extension InversionResult.Layer {
  /// The mean over pictures of a number that all, or some, have.
  func mean(_ number: (InversionResult.Reconstruction) -> Double?) -> Double? {
    let values = reconstructions.compactMap(number)
    return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }
}

/// Clarity along an axis such as training steps: a line a layer.
struct InversionAxisFigure {
  let result: InversionResult

  /// Layers at most.
  static let layers = 6

  /// A figure and what it draws.
  struct Drawn {
    var figure: Figure
    var data: [String: Dataset]
  }

  private static let id = "inversion-axis"

  private var models: [InversionResult.Model] {
    result.models.filter { $0.place?.isFinite == true }.sorted { ($0.place ?? 0) < ($1.place ?? 0) }
  }

  private var name: String {
    result.axis.map { $0.isEmpty ? "the axis" : Text.label($0) } ?? "the axis"
  }

  var heading: String { "Clarity along \(name)" }

  var caption: String {
    "Means over pictures of \(Text.plural(models.count, "model")), a line each layer. RMSE is m_i over the root of the input's numbers, and 1 − SSIM says the same of structure: lower is clearer. m_g over m_r below the dotted line: the embedding was matched. Recipe: \(result.preset); \(Text.plural(result.images.count, "image")), seed \(result.seed)."
  }

  /// The figure; nil where models stand on no axis.
  var drawn: Drawn? {
    let models = models
    guard models.count > 1, let low = models.first?.place, let high = models.last?.place,
      low < high
    else { return nil }
    // Layers are matched by their places, since widths may go with other names.
    let depths = models[0].layers.map(\.depth)
    let chosen = InversionGrid.spread(models[0].layers, Self.layers)
    let series = chosen.map { Text.label($0.site) }
    let quantities: [(String, (InversionResult.Reconstruction) -> Double?, Bool)] = [
      ("RMSE", { $0.rmse }, false), ("1 − SSIM", { $0.ssim.map { 1 - $0 } }, false),
      ("m_g over m_r", { $0.relativeEmbedding }, true),
    ]
    var rows: [[Dataset.Cell]] = []
    for (panel, quantity) in quantities.enumerated() {
      for model in models {
        for (place, layer) in chosen.enumerated() {
          let own = model.layers.first { $0.depth == layer.depth }
          let value = own?.mean(quantity.1)
          rows.append([
            .text(series[place]), .text(Text.label(model.name)), .number(model.place),
            .number(value), .text(Text.number(value)), .number(Double(panel)),
          ])
        }
      }
    }
    // Steps of training span powers of ten.
    let isLogarithmic = low > 0 && high / low >= 10
    let charts = quantities.indices.map { panel in
      chart(panel, quantities[panel].0, quantities[panel].2, series, low, high, isLogarithmic)
    }
    return depths.isEmpty
      ? nil
      : Drawn(
        figure: Figure(
          id: Self.id, title: heading,
          description:
            "Curves of the error, the structural similarity and the embedding's distance along \(name), a line each layer",
          chart: Chart(
            concat: charts, columns: 3, spacing: Chart.Spacing(row: 50, column: 44), align: "each",
            bounds: "flush",
            resolve: Chart.Resolve(scale: ["color": "shared", "shape": "shared"])),
          data: [Self.id], exported: [Self.id], marks: 2 * rows.count),
        data: [
          Self.id: .table(
            columns: ["layer", "model", "place", "value", "shown", "_panel"], rows: rows)
        ])
  }

  private func chart(
    _ panel: Int, _ title: String, _ hasReference: Bool, _ series: [String], _ low: Double,
    _ high: Double, _ isLogarithmic: Bool
  ) -> Chart {
    let x = Chart.Channel.quantity(
      "place",
      Chart.Scale(
        type: isLogarithmic ? "log" : nil, domain: [low, high], nice: false, zero: false),
      axis: .value(
        Chart.Axis(
          title: .value(name), values: models.compactMap(\.place), labelOverlap: true, format: "~s",
          grid: true, ticks: false, domain: false)))
    let y = Chart.Channel.quantity(
      "value", Chart.Scale(nice: true, zero: true),
      axis: .value(
        Chart.Axis(title: Setting.null, grid: true, ticks: false, domain: false, tickCount: 4)))
    var colour = Chart.Channel.name("layer")
    colour.scale = Chart.Scale(names: series, range: series.indices.map { Palette.colour($0) })
    colour.legend = .value(Chart.Legend(orient: "top", direction: "horizontal"))
    var shape = colour
    shape.scale = Chart.Scale(names: series, range: series.indices.map { Palette.marker($0) })
    let data = Chart.Data(name: Self.id)
    let own = [Chart.Transform(filter: "datum._panel === \(panel) && isValid(datum.value)")]
    var layers = [
      Chart(
        data: data, transform: own,
        mark: Chart.Mark(type: "line", opacity: 0.9, strokeWidth: 1.7),
        encoding: ["x": x, "y": y, "color": colour]),
      Chart(
        data: data, transform: own,
        mark: Chart.Mark(type: "point", size: 40, filled: true, opacity: 1),
        encoding: ["x": x, "y": y, "color": colour, "shape": shape],
        tooltip: [.name("model"), .name("layer"), .name("shown", title: title)]),
    ]
    if hasReference {
      layers.append(
        Chart(
          data: Chart.Data(values: [["one": 1]]),
          mark: Chart.Mark(type: "rule", strokeWidth: 1, strokeDash: [1, 3], style: "ink"),
          encoding: ["y": .quantity("one", y.scale, axis: y.axis)]))
    }
    return Chart(
      width: 270, height: 200, layer: layers + [.heading([title], limit: 300)],
      view: Chart.View(stroke: Setting.null))
  }
}
