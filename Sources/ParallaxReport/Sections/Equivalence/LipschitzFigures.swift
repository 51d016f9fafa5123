import ParallaxResults

/// Curves of directional estimates, segments and singular values.
struct LipschitzFigures {
  let result: LipschitzResult

  private static let shown = 6
  private static let columns = 3
  private static let (width, height) = (232.0, 170.0)

  /// A colour each kind of direction, in every figure.
  private static let colours: [(LipschitzResult.Kind, String)] = [
    (.steepest, "#D55E00"), (.matching, "#0072B2"), (.gradient, "#CC79A7"), (.random, "#7F7F7F"),
    (.target, "#E69F00"), (.tangent, "#009E73"),
  ]

  private struct Panel {
    var title: [String]
    var picture: LipschitzResult.Picture
  }

  private var panels: [Panel] {
    result.models.flatMap { model in
      model.places.flatMap { place in
        place.pictures.enumerated().filter { $0.element.problem == nil }.map { index, one in
          Panel(
            title: [
              Text.label(model.name),
              "\(Text.label(place.site))\(place.pictures.count > 1 ? ", pair \(index + 1)" : "")",
            ], picture: one)
        }
      }
    }
  }

  private func small(_ charts: [Chart]) -> Chart {
    Chart(
      concat: charts, columns: min(Self.columns, max(1, charts.count)),
      spacing: Chart.Spacing(row: 80, column: 34), align: "each", bounds: "flush",
      resolve: Chart.Resolve(scale: ["color": "shared"]))
  }

  private func colour() -> Chart.Channel {
    var channel = Chart.Channel.name("direction")
    channel.scale = Chart.Scale()
    channel.scale?.names = Self.colours.map(\.0.rawValue)
    channel.scale?.range = Self.colours.map(\.1)
    channel.legend = .value(
      Chart.Legend(title: "direction", orient: "top", direction: "horizontal", columns: 6))
    return channel
  }

  private func x(_ title: String, log: Bool) -> Chart.Channel {
    .quantity(
      "_x", Chart.Scale(type: log ? "log" : nil, nice: false, zero: log ? nil : false),
      axis: .value(
        Chart.Axis(
          title: .value(title), labelOverlap: true, format: "~g", grid: true, ticks: false,
          domain: false, tickCount: 4)))
  }

  private func y(_ field: String, _ title: String, _ index: Int, log: Bool, domain: [Double]? = nil)
    -> Chart.Channel
  {
    .quantity(
      field, Chart.Scale(type: log ? "log" : nil, domain: domain, nice: domain == nil),
      axis: .value(
        Chart.Axis(
          title: index.isMultiple(of: Self.columns) ? .value(title) : .null, labelOverlap: true,
          format: "~g", grid: true, ticks: false, domain: false, tickCount: 4)))
  }

  /// L over h, or the error of the linear prediction.
  private func lines(
    _ id: String, _ field: String, _ title: String, log: Bool, _ name: String, _ description: String
  ) -> Figure {
    let charts = panels.prefix(Self.shown).enumerated().map { index, panel -> Chart in
      let curves = Chart(
        data: Chart.Data(name: "lipschitz-curves"),
        transform: [
          Chart.Transform(
            filter:
              "datum._panel === \(index) && isValid(datum['\(field)'])\(log ? " && datum['\(field)'] > 0" : "")"
          )
        ],
        mark: Chart.Mark(type: "line", opacity: 0.85, strokeWidth: 1.6),
        encoding: [
          "x": x("h, in pixels of 0 to 1", log: true),
          "y": y(field, title, index, log: log, domain: log ? nil : [0, 1.5]),
          "color": colour(), "detail": .name("_line"),
        ],
        tooltip: [
          .name("direction"), .name("h"), .name("L"), .name("linear error"), .name("‖Jv‖"),
        ])
      var clipped = curves
      clipped.mark?.clip = true
      return Chart(
        width: Self.width, height: Self.height,
        layer: [clipped, .heading(panel.title, limit: Self.width)],
        view: Chart.View(stroke: Setting.null))
    }
    return Figure(
      id: id, title: name, description: description, chart: small(charts),
      data: ["lipschitz-curves"], exported: ["lipschitz-curves"],
      marks: panels.prefix(Self.shown).reduce(0) {
        $0 + $1.picture.curves.count * $1.picture.steps.count
      })
  }

  var curves: Figure {
    lines(
      "lipschitz-curves", "L", "L_v(x, h)", log: true, "Directional Lipschitz estimates",
      "Small multiples, one a picture: how far the embedding moves for a step of a length h along several directions, on two logarithmic axes"
    )
  }

  var errors: Figure {
    lines(
      "lipschitz-linear", "linear error", "error of the linear prediction", log: false,
      "How far the embedding is linear",
      "Small multiples, one a picture: relative error of the linear prediction over the length of the step"
    )
  }

  /// Cosines and steepness along segments.
  func segments() -> Figure? {
    let panels = panels.prefix(Self.shown).flatMap { panel in
      panel.picture.segments.map { (panel, $0) }
    }
    guard !panels.isEmpty else { return nil }
    let charts = panels.enumerated().map { index, one -> Chart in
      let kinds: [(String, String, [Double]?)] = [
        ("source", "#7F7F7F", nil), ("target", "#E69F00", nil),
        ("source's class", "#7F7F7F", [4, 3]), ("target's class", "#E69F00", [4, 3]),
      ]
      let shown = one.1.sourceClass == nil ? Array(kinds.prefix(2)) : kinds
      let lines = shown.map { end, colour, dash -> Chart in
        Chart(
          data: Chart.Data(name: "lipschitz-segments"),
          transform: [
            Chart.Transform(
              filter: "datum._panel === \(index) && datum['cosine with'] === \"\(end)\"")
          ],
          mark: Chart.Mark(type: "line", color: colour, strokeWidth: 2, strokeDash: dash),
          encoding: [
            "x": x("share of the way", log: false),
            "y": y(
              "cosine", one.1.sourceClass == nil ? "cosine" : "cosine, probability", index,
              log: false),
          ], tooltip: [.name("cosine with"), .name("_x", title: "way"), .name("cosine")])
      }
      let title = [
        one.0.title[0], "\(one.0.title[1]), to the \(one.1.to == "matched" ? "match" : "target")",
      ]
      return Chart(
        width: Self.width, height: 130, layer: lines + [.heading(title, limit: Self.width)],
        view: Chart.View(stroke: Setting.null))
    }
    return Figure(
      id: "lipschitz-segments", title: "What the model sees along the segments",
      description:
        "Small multiples, one a segment: cosines of the embedding with that of the source and of the target along the way",
      chart: Chart(
        concat: charts, columns: min(Self.columns, charts.count),
        spacing: Chart.Spacing(row: 80, column: 34), align: "each", bounds: "flush"),
      data: ["lipschitz-segments"], exported: ["lipschitz-segments"], marks: charts.count * 42)
  }

  /// Singular values by their order.
  var values: Figure {
    let charts = panels.prefix(Self.shown).enumerated().map { index, panel -> Chart in
      let line = Chart(
        data: Chart.Data(name: "lipschitz-values"),
        transform: [Chart.Transform(filter: "datum._panel === \(index) && datum.value > 0")],
        mark: Chart.Mark(type: "line", color: "#0072B2", strokeWidth: 1.8),
        encoding: [
          "x": x("i", log: true), "y": y("value", "σ_i", index, log: true),
        ], tooltip: [.name("_x", title: "i"), .name("value", title: "σ_i")])
      return Chart(
        width: Self.width, height: 130, layer: [line, .heading(panel.title, limit: Self.width)],
        view: Chart.View(stroke: Setting.null))
    }
    return Figure(
      id: "lipschitz-values", title: "Singular values of the Jacobian",
      description:
        "Small multiples, one a picture: singular values over their order on logarithmic axes",
      chart: small(charts), data: ["lipschitz-values"], exported: ["lipschitz-values"],
      marks: panels.prefix(Self.shown).reduce(0) { $0 + $1.picture.values.count })
  }

  func data() -> [String: Dataset] {
    var (curves, segments, values): ([[Dataset.Cell]], [[Dataset.Cell]], [[Dataset.Cell]]) = (
      [], [], []
    )
    var place = 0
    for (index, panel) in panels.enumerated() {
      for (number, curve) in panel.picture.curves.enumerated() {
        for (step, length) in panel.picture.steps.enumerated() where step < curve.values.count {
          curves.append([
            .text(panel.title[0]), .text(panel.title[1]), .text(curve.kind.rawValue),
            .number(length), .number(curve.values[step]), .number(curve.errors[step]),
            .number(curve.limit), .number(length), .number(Double(index)), .text("\(number)"),
          ])
        }
      }
      for (order, value) in panel.picture.values.enumerated() {
        values.append([
          .text(panel.title[0]), .text(panel.title[1]), .number(Double(order + 1)), .number(value),
          .number(Double(index)),
        ])
      }
      for segment in panel.picture.segments {
        for (end, cosines) in [
          ("source", segment.toSource), ("target", segment.toTarget),
          ("source's class", segment.sourceClass ?? []),
          ("target's class", segment.targetClass ?? []),
        ] {
          for (step, cosine) in cosines.enumerated() {
            segments.append([
              .text(panel.title[0]), .text(panel.title[1]), .text(segment.to), .text(end),
              .number(Double(step) / Double(max(1, cosines.count - 1))), .number(cosine),
              .number(segment.parts.indices.contains(step) ? segment.parts[step] : nil),
              .number(Double(place)),
            ])
          }
        }
        if index < Self.shown { place += 1 }
      }
    }
    return [
      "lipschitz-curves": .table(
        columns: [
          "model", "site", "direction", "h", "L", "linear error", "‖Jv‖", "_x", "_panel", "_line",
        ], rows: curves),
      "lipschitz-segments": .table(
        columns: [
          "model", "site", "segment", "cosine with", "_x", "cosine", "steepness", "_panel",
        ],
        rows: segments),
      "lipschitz-values": .table(
        columns: ["model", "site", "_x", "value", "_panel"], rows: values),
    ]
  }
}
