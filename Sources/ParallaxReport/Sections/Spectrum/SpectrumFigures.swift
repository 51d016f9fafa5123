import Foundation
import ParallaxResults

/// Numbers of the spectra over depth.
struct SpectrumCurves {
  let result: SpectrumResult

  var curves: DepthCurves {
    let drawing = StepsResult.drawing(
      result.models.map { model in
        (
          ModelSites(
            name: Text.label(model.name), family: model.family,
            sites: model.layers.map {
              ModelSites.Site(
                name: $0.site, tokens: "", stage: $0.stage, depth: $0.depth, features: $0.features)
            }), model.design
        )
      }, images: result.images.count, dtype: result.dtype, seed: result.seed, groups: 0)
    let k = result.compared
    return DepthCurves(
      result: drawing, id: "spectrum-depth",
      panels: [
        panel("log₁₀ σ₁/σ_\(k)") { _, one in one.condition(at: k).map { log10($0) } },
        panel("log₁₀ effective rank, at least and at most") { _, one in
          Self.logarithm(one.effectiveRank.low)
        } most: {
          Self.logarithm($0.effectiveRank.high)
        },
        panel("log₁₀ stable rank ‖J‖²/σ₁²") { _, one in one.stableRank.flatMap(Self.logarithm) },
        panel("log₁₀ D/n", reference: 0) { ratio, _ in log10(ratio) },
      ], inRow: 2, width: 440, height: 190, spacing: 44, legend: "", hasLeading: false)
  }

  private static func logarithm(_ value: Double) -> Double? { value > 0 ? log10(value) : nil }

  /// Means over pictures; untrained twins are dashed.
  private func panel(
    _ title: String, reference: Double? = nil,
    _ number: (Double, SpectrumResult.Picture) -> Double?,
    most: ((SpectrumResult.Picture) -> Double?)? = nil
  ) -> DepthCurves.Panel {
    func line(
      _ index: Int, _ style: DepthCurves.Line.Style,
      _ number: (Double, SpectrumResult.Picture) -> Double?
    ) -> DepthCurves.Line {
      let model = result.models[index]
      return DepthCurves.Line(
        model: index, style: style,
        points: model.layers.map { layer in
          let ratio = Double(layer.features) / Double(max(1, model.inputs))
          let values = layer.pictures.compactMap { number(ratio, $0) }.filter(\.isFinite)
          return DepthCurves.Point(
            place: layer.depth, site: Text.label(layer.site),
            estimate: IntervalEstimate(
              values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)))
        }, name: style == .dotted ? "\(Text.label(model.name)), at most" : nil)
    }
    let lines = result.models.indices.flatMap { index -> [DepthCurves.Line] in
      let own = line(index, result.models[index].twinOf == nil ? .solid : .dashed, number)
      return most.map { most in [own, line(index, .dotted) { most($1) }] } ?? [own]
    }
    return DepthCurves.Panel(title: title, lines: lines, reference: reference)
  }
}

/// Singular values by their order on two logarithmic axes, a line each layer and picture, coloured by depth.
struct SpectrumLines {
  let result: SpectrumResult

  /// Models, at most.
  static let models = 6
  /// Points of a line, at most.
  static let points = 120
  /// Below this share of σ₁ nothing is drawn: float32 rounds there.
  static let floor = 1e-6

  private static let id = "spectrum-values"

  /// Trained models, each with its twin; twins alone where their model is not there.
  private var panels: [[Int]] {
    let models = result.models
    return models.indices.filter { index in
      !models.contains { $0.name == models[index].twinOf }
    }.prefix(Self.models).map { index in
      [index] + models.indices.filter { models[$0].twinOf == models[index].name }
    }
  }

  /// At most so many places, evenly spread over the logarithm, the first and the last among them.
  static func places(_ count: Int) -> [Int] {
    guard count > points else { return Array(0..<count) }
    var seen: Set<Int> = []
    return (0..<points).map { index in
      Int(pow(Double(count), Double(index) / Double(points - 1)).rounded()) - 1
    }.filter { seen.insert($0).inserted }
  }

  func data() -> [String: Dataset] {
    var rows: [[Dataset.Cell]] = []
    for (place, panel) in panels.enumerated() {
      for index in panel {
        let model = result.models[index]
        for layer in model.layers {
          for one in layer.pictures {
            let first = one.values.first ?? 0
            for order in Self.places(one.values.count)
            where one.values[order] > Self.floor * first {
              rows.append([
                .text(Text.label(model.name)), .text(Text.label(layer.site)),
                .text("image \(one.image + 1)"), .number(layer.depth),
                .number(Double(order + 1)), .number(one.values[order]),
                .number(one.values[order] / first), .number(Double(place)),
                .number(model.twinOf == nil ? 0 : 1),
                .text("\(index) \(Text.label(layer.site)) \(one.image)"),
                .number(one.values.count == 1 ? 1 : 0),
              ])
            }
          }
        }
      }
    }
    return [
      Self.id: .table(
        columns: [
          "model", "site", "picture", "depth", "index", "value", "relative", "_panel", "_style",
          "_line", "_alone",
        ], rows: rows)
    ]
  }

  func figure() -> Figure {
    let panels = panels
    let row = min(2, max(1, panels.count))
    var charts = panels.indices.map { panel($0, panels[$0]) }
    while !charts.count.isMultiple(of: row) { charts.append(.empty(width: 430, height: 250)) }
    let marks = result.models.reduce(0) { sum, model in
      sum
        + model.layers.reduce(0) {
          $0 + $1.pictures.reduce(0) { $0 + min($1.values.count, Self.points) }
        }
    }
    return Figure(
      id: Self.id, title: "Singular values of the layers' Jacobians",
      description:
        "Small multiples, one a model: singular values over their order on logarithmic axes, a line each layer, coloured by relative depth",
      chart: Chart(
        concat: charts, columns: row, spacing: Chart.Spacing(row: 60, column: 44), align: "each",
        bounds: "flush", resolve: Chart.Resolve(scale: ["color": "shared"])),
      data: [Self.id], exported: [Self.id], marks: marks)
  }

  private func panel(_ index: Int, _ models: [Int]) -> Chart {
    let x = Chart.Channel.quantity(
      "index", Chart.Scale(type: "log", nice: false),
      axis: .value(
        Chart.Axis(
          title: .value("i"), labelOverlap: true, format: "~s", grid: true, ticks: false,
          domain: false, tickCount: 4)))
    let y = Chart.Channel.quantity(
      "value", Chart.Scale(type: "log", nice: true),
      axis: .value(
        Chart.Axis(
          title: index.isMultiple(of: 2) ? .value("σ_i") : .null, labelOverlap: true,
          format: "~g", grid: true, ticks: false, domain: false, tickCount: 5)))
    var colour = Chart.Channel.quantity(
      "depth", Chart.Scale(domain: [0, 1], range: Palette.depth, nice: false))
    colour.legend = .value(
      Chart.Legend(
        title: "relative depth", orient: "top", gradientLength: 160, gradientThickness: 8,
        direction: "horizontal", tickCount: 3))
    let lines = [(0, nil), (1, [5.0, 3.0])].map { style, dash -> Chart in
      Chart(
        data: Chart.Data(name: Self.id),
        transform: [
          Chart.Transform(filter: "datum._panel === \(index) && datum._style === \(style)")
        ],
        mark: Chart.Mark(
          type: "line", opacity: 0.9, strokeWidth: style == 0 ? 1.9 : 1.4, strokeDash: dash),
        encoding: ["x": x, "y": y, "color": colour, "detail": .name("_line")],
        tooltip: [
          .name("model"), .name("site"), .name("picture"), .name("index", title: "i"),
          .name("value", title: "σ_i"), .name("relative", title: "σ_i/σ₁"),
        ])
    }
    // A line of one value would not be seen.
    let points = Chart(
      data: Chart.Data(name: Self.id),
      transform: [Chart.Transform(filter: "datum._panel === \(index) && datum._alone === 1")],
      mark: Chart.Mark(type: "circle", size: 40, opacity: 1),
      encoding: ["x": x, "y": y, "color": colour])
    return Chart(
      width: 430, height: 250,
      layer: lines + [
        points,
        .heading(models.prefix(1).map { Text.label(result.models[$0].name) }, limit: 460),
      ], view: Chart.View(stroke: Setting.null))
  }
}
