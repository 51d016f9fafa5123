import ParallaxResults

/// The figures of checkpoints: over depth, along the axis, each with each.
struct CheckpointFigures {
  let result: CheckpointsResult

  /// A figure and what it draws.
  struct Drawn {
    var figure: Figure
    var data: [String: Dataset]
  }

  private var names: [String] { result.checkpoints.map { Text.label($0.name) } }

  private var drawing: StepsResult {
    .drawing(
      names.map { name in
        var sites = result.sites
        sites.name = name
        return (sites, "")
      }, images: result.images, dtype: "float32", seed: result.seed, groups: result.groups)
  }

  /// From 0, or below the smallest value, to 1.
  private var domain: [Double] {
    let known = result.checkpoints.flatMap { $0.toReference.compactMap(\.value) }
    return [min(0, known.min() ?? 0), 1.02]
  }

  /// CKA with the reference over depth, a line each checkpoint.
  var curves: DepthCurves {
    DepthCurves(
      result: drawing, id: "checkpoints",
      panels: [
        DepthCurves.Panel(
          title: "CKA with the same layer of \(names[result.reference])",
          lines: result.checkpoints.indices.filter { $0 != result.reference }.map { index in
            DepthCurves.Line(
              model: index,
              points: result.checkpoints[index].toReference.enumerated().map { site, estimate in
                DepthCurves.Point(
                  place: result.sites.sites[site].depth, site: result.sites.label(site),
                  estimate: estimate)
              })
          }, domain: domain)
      ], inRow: 1, width: 640, height: 260, hasLeading: false)
  }

  private static let series = ["first third", "middle third", "last third", "uniformity"]

  /// Thirds of the depth along the axis; nil where there is none.
  var axis: Drawn? {
    let places = result.checkpoints.compactMap(\.place)
    guard places.count == result.checkpoints.count, let low = places.min(),
      let high = places.max(), low < high
    else { return nil }
    // Shares of data and training steps span powers of ten.
    let isLogarithmic = low > 0 && high / low >= 10
    let x = Chart.Channel.quantity(
      "place",
      Chart.Scale(
        type: isLogarithmic ? "log" : nil, domain: [low, high], nice: false, zero: false),
      axis: .value(
        Chart.Axis(
          title: .value(result.axis.isEmpty ? "axis" : Text.label(result.axis)), values: places,
          labelOverlap: true, format: "~g", grid: true, ticks: false, domain: false)))
    let y = Chart.Channel.quantity(
      "value", Chart.Scale(domain: domain, nice: false),
      axis: .value(
        Chart.Axis(
          title: .value("mean CKA"), grid: true, ticks: false, domain: false, tickCount: 5)))
    var colour = Chart.Channel.name("of")
    colour.scale = Chart.Scale(
      names: Self.series, range: Self.series.indices.map { Palette.colour($0) })
    colour.legend = .value(Chart.Legend(orient: "top", direction: "horizontal"))
    var shape = colour
    shape.scale = Chart.Scale(
      names: Self.series, range: Self.series.indices.map { Palette.marker($0) })
    let data = Chart.Data(name: "checkpoints-axis")
    func own(_ more: String) -> [Chart.Transform] {
      [Chart.Transform(filter: "isValid(datum.value)\(more)")]
    }
    let layers = [
      Chart(
        data: data, transform: own(" && isValid(datum.low)"),
        mark: Chart.Mark(type: "rule", opacity: 0.6, strokeWidth: 2),
        encoding: [
          "x": x, "y": .quantity("low", y.scale, axis: y.axis), "y2": Chart.Channel(field: "high"),
          "color": colour,
        ]),
      Chart(
        data: data, transform: own(""),
        mark: Chart.Mark(type: "line", opacity: 0.9, strokeWidth: 1.7),
        encoding: ["x": x, "y": y, "color": colour]),
      Chart(
        data: data, transform: own(""),
        mark: Chart.Mark(type: "point", size: 45, filled: true, opacity: 1),
        encoding: ["x": x, "y": y, "color": colour, "shape": shape],
        tooltip: [
          .name("checkpoint"), .name("of"), .name("shown", title: "mean CKA"),
          .name("interval", title: "95 % interval"),
        ]),
    ]
    let rows = result.checkpoints.enumerated().flatMap { index, one in
      zip(Self.series, one.thirds + [one.uniformity]).map { name, estimate -> [Dataset.Cell] in
        [
          .text(name), .text(names[index]), .number(one.place), .number(estimate.value),
          .number(estimate.low), .number(estimate.high), .text(Text.number(estimate.value)),
          .text(Text.interval(estimate.low, estimate.high) ?? "not estimated"),
        ]
      }
    }
    return Drawn(
      figure: Figure(
        id: "checkpoints-axis", title: "Low and high layers along the axis",
        description: "Curves of mean CKA with the reference for three thirds of the depth",
        chart: Chart(
          width: 640, height: 240, layer: layers, view: Chart.View(stroke: Setting.null)),
        data: ["checkpoints-axis"], exported: ["checkpoints-axis"], marks: 3 * rows.count),
      data: [
        "checkpoints-axis": .table(
          columns: ["of", "checkpoint", "place", "value", "low", "high", "shown", "interval"],
          rows: rows)
      ])
  }

  /// A heat map of every two checkpoints.
  var between: Drawn {
    let count = names.count
    let cell = max(14, min(64, (420 / Double(count)).rounded(.down)))
    let scale = Chart.Scale(domain: [0, Double(count)], nice: false, zero: false)
    let labels = names.enumerated().map { "\"\($0)\":\(Labels.quoted($1))" }
    func axis(_ isHorizontal: Bool) -> Setting<Chart.Axis> {
      .value(
        Chart.Axis(
          title: Setting.null, values: names.indices.map { Double($0) + 0.5 },
          labelExpr: "{\(labels.joined(separator: ","))}[floor(datum.value)]",
          labelAngle: isHorizontal ? -40 : 0, labelAlign: "right", labelBaseline: "middle",
          labelOverlap: false, labelLimit: 220, grid: false, ticks: false, domain: false))
    }
    var colour = Chart.Channel.quantity(
      "value",
      Chart.Scale(domain: domain.first.map { [$0, 1] }, scheme: Palette.similarity, nice: false))
    colour.legend = .value(
      Chart.Legend(
        title: "mean CKA at the same layer", orient: "top", gradientLength: 180,
        gradientThickness: 10, direction: "horizontal", format: ".1f", tickCount: 6))
    let position: [String: Chart.Channel] = [
      "x": .quantity("x0", scale, axis: axis(true)), "x2": Chart.Channel(field: "x1"),
      "y": .quantity("y0", scale, axis: axis(false)), "y2": Chart.Channel(field: "y1"),
    ]
    let map = Chart.Data(name: "checkpoints-between")
    let layers =
      Chart.cells(of: map, position, colour, seam: 0) + [
        Chart(
          data: map, mark: Chart.Mark(type: "rect", opacity: 0), encoding: position,
          tooltip: [
            .name("row", title: "first"), .name("column", title: "second"),
            .name("shown", title: "mean CKA"),
          ])
      ]
    let rows = names.indices.flatMap { a in
      names.indices.map { b -> [Dataset.Cell] in
        let value = result.between[a][b]
        return [
          .number(Double(b)), .number(Double(b + 1)), .number(Double(a)), .number(Double(a + 1)),
          .number(value), .text(names[a]), .text(names[b]), .text(Text.number(value)),
        ]
      }
    }
    return Drawn(
      figure: Figure(
        id: "checkpoints-between", title: "Every two checkpoints",
        description: "Heat map of the mean CKA at the same layer of every two checkpoints",
        chart: Chart(
          width: cell * Double(count), height: cell * Double(count), layer: layers,
          view: Chart.View(stroke: Setting.null)),
        data: ["checkpoints-between"], exported: ["checkpoints-between"], marks: rows.count),
      data: [
        "checkpoints-between": .table(
          columns: ["x0", "x1", "y0", "y1", "value", "row", "column", "shown"], rows: rows)
      ])
  }

  /// Every checkpoint in numbers.
  func table() -> HTML {
    func cell(_ estimate: IntervalEstimate) -> HTML {
      .element(
        "td", ["class": "number"],
        Text.number(estimate.value, digits: 3)
          + (Text.interval(estimate.low, estimate.high, digits: 3).map { " (\($0))" } ?? ""))
    }
    return Fold.make(
      "Every checkpoint in numbers",
      [
        Fold.table(
          [
            "checkpoint", "place", "CKA: first third", "middle", "last", "first less last",
            "uniformity", "first with last third",
          ],
          result.checkpoints.enumerated().map { index, one in
            .element(
              "tr", [:],
              [
                .element("td", [:], names[index]),
                .element("td", ["class": "number"], one.place.map { "\($0)" } ?? "–"),
              ] + (one.thirds + [one.fall, one.uniformity, one.lowToHigh]).map(cell))
          })
      ])
  }
}
