import ParallaxResults

/// Lines of matching: distances over steps, noise, principal coordinates.
struct MatchingFigures {
  let result: MatchingResult

  private static let (width, height) = (230.0, 150.0)
  private static let columns = 3

  /// A place and how figures call it.
  private var places: [(model: Int, place: MatchingResult.Place, title: [String])] {
    result.models.enumerated().flatMap { index, model in
      model.places.map { (index, $0, [Text.label(model.name), Text.label($0.site)]) }
    }
  }

  /// Places that small multiples show, at most.
  private static let shown = 9

  // MARK: The way there

  /// What is drawn over the steps: a field, its title, and whether on a logarithmic axis.
  private static let quantities = [
    ("value", "distance left, of the first", true), ("cosine", "cosine with the target", false),
    ("change", "‖x − x₀‖₁", false),
  ]

  /// Whether cosines and changes are drawn beside distances.
  var hasAll: Bool { places.count <= 3 }

  func traces() -> Figure {
    let id = "matching-traces"
    let quantities = hasAll ? Self.quantities : Array(Self.quantities.prefix(1))
    let charts = places.prefix(Self.shown).enumerated().flatMap { index, one in
      quantities.map { trace(id, index, one, $0) }
    }
    return Figure(
      id: id, title: "The distance to the target over the steps",
      description:
        "Small multiples, a row or a panel each representation: distance of the embedding to the target's over the steps, a line each pair, logarithmic, and where there is room cosine and change",
      chart: Chart(
        concat: charts, columns: min(Self.columns, max(1, charts.count)),
        spacing: Chart.Spacing(row: 76, column: hasAll ? 72 : 30), align: "each", bounds: "flush"),
      data: [id], exported: [id],
      marks: places.reduce(0) {
        $0 + $1.place.pairs.reduce(0) { $0 + $1.trace.count } * quantities.count
      })
  }

  private func trace(
    _ id: String, _ index: Int,
    _ one: (model: Int, place: MatchingResult.Place, title: [String]),
    _ quantity: (field: String, title: String, isLogarithmic: Bool)
  ) -> Chart {
    let last = one.place.pairs.flatMap(\.trace).map(\.step).max() ?? 1
    let x = Chart.Channel.quantity(
      "step", Chart.Scale(domain: [0, Double(max(1, last))], nice: false),
      axis: .value(
        Chart.Axis(
          title: .value("step"), format: "d", grid: true, ticks: false, domain: false,
          tickCount: min(4, max(1, last)))))
    let y = Chart.Channel.quantity(
      quantity.field,
      quantity.isLogarithmic
        ? Chart.Scale(type: "log", nice: false) : Chart.Scale(nice: true, zero: false),
      axis: .value(
        Chart.Axis(
          title: hasAll || index.isMultiple(of: Self.columns) ? .value(quantity.title) : .null,
          format: ".4~g", grid: true, ticks: false, domain: false, tickCount: 4)))
    let lines = Chart(
      data: Chart.Data(name: id),
      transform: [
        Chart.Transform(
          filter: "datum._panel === \(index) && isValid(datum.\(quantity.field))"
            + (quantity.isLogarithmic ? " && datum.\(quantity.field) > 0" : ""))
      ],
      mark: Chart.Mark(
        type: "line", color: Palette.colour(one.model), opacity: 0.75, strokeWidth: 1.4),
      encoding: ["x": x, "y": y, "detail": .name("pair")],
      tooltip: [.name("pair"), .name("step"), .name("value"), .name("cosine"), .name("change")])
    return Chart(
      width: Self.width, height: Self.height,
      layer: [lines, .heading(one.title, limit: Self.width)],
      view: Chart.View(stroke: Setting.null))
  }

  // MARK: Noise

  func noise() -> Figure? {
    guard places.contains(where: { !$0.place.noise.isEmpty }) else { return nil }
    let id = "matching-noise"
    let charts = places.prefix(Self.shown).enumerated().map { index, one -> Chart in
      let x = Chart.Channel.quantity(
        "deviation", Chart.Scale(type: "log", nice: false),
        axis: .value(
          Chart.Axis(
            title: .value("σ of the noise"), values: one.place.noise.map(\.deviation),
            format: "~g", grid: true, ticks: false, domain: false)))
      let y = Chart.Channel.quantity(
        "value", Chart.Scale(nice: true, zero: true),
        axis: .value(
          Chart.Axis(
            title: index.isMultiple(of: Self.columns) ? .value("shift, of source to match") : .null,
            grid: true, ticks: false, domain: false, tickCount: 4)))
      let kinds: [(String, [Double]?, Double)] = [
        ("source", nil, 2), ("matched", [5, 3], 2), ("source, linear", nil, 0.8),
        ("matched, linear", [5, 3], 0.8),
      ]
      let lines = kinds.map { picture, dash, stroke -> Chart in
        Chart(
          data: Chart.Data(name: id),
          transform: [
            Chart.Transform(filter: "datum._panel === \(index) && datum.picture === '\(picture)'")
          ],
          mark: Chart.Mark(
            type: "line", color: Palette.colour(one.model), strokeWidth: stroke, strokeDash: dash),
          encoding: ["x": x, "y": y],
          tooltip: [
            .name("picture"), .name("deviation"), .name("value"), .name("class kept"),
            .name("detection"),
          ])
      }
      return Chart(
        width: Self.width, height: Self.height,
        layer: lines + [.heading(one.title, limit: Self.width)],
        view: Chart.View(stroke: Setting.null))
    }
    return Figure(
      id: id, title: "What noise does to sources and matched pictures",
      description:
        "Small multiples, one a representation: how far noise moves the embeddings of sources and of matched pictures over its deviation",
      chart: Chart(
        concat: charts, columns: min(Self.columns, max(1, charts.count)),
        spacing: Chart.Spacing(row: 76, column: 30), align: "each", bounds: "flush"),
      data: [id], exported: [id], marks: 100)
  }

  // MARK: Principal coordinates

  /// Pairs that bars are drawn of, at most.
  private static let bars = 3

  private var barred: [(model: Int, place: MatchingResult.Place, pair: Int)] {
    places.prefix(Self.shown / Self.bars).flatMap { one in
      one.place.coordinates == nil
        ? [] : one.place.pairs.indices.prefix(Self.bars).map { (one.model, one.place, $0) }
    }
  }

  func coordinates() -> Figure? {
    let barred = barred
    guard !barred.isEmpty else { return nil }
    let id = "matching-coordinates"
    let kinds = ["source", "target", "matched"]
    let charts = barred.enumerated().map { index, one -> Chart in
      let x = Chart.Channel.quantity(
        "_x", Chart.Scale(domain: [0.4, 6.6], nice: false),
        axis: .value(
          Chart.Axis(
            title: .value("principal coordinate"), values: [1, 2, 3, 4, 5, 6], format: "d",
            grid: false, ticks: false, domain: false)))
      let y = Chart.Channel.quantity(
        "value", Chart.Scale(nice: true, zero: true),
        axis: .value(
          Chart.Axis(
            title: .null, grid: true, ticks: false, domain: false, tickCount: 4)))
      let layers = kinds.indices.map { kind -> Chart in
        Chart(
          data: Chart.Data(name: id),
          transform: [
            Chart.Transform(
              filter: "datum._panel === \(index) && datum.picture === '\(kinds[kind])'")
          ],
          mark: Chart.Mark(
            type: "bar", color: ["#7F7F7F", "#E69F00", "#0072B2"][kind], size: 9),
          encoding: ["x": x, "y": y],
          tooltip: [.name("picture"), .name("coordinate"), .name("value")])
      }
      let lines = [
        Text.label(result.models[one.model].name),
        "\(Text.label(one.place.site)), pair \(one.pair + 1)",
      ]
      return Chart(
        width: Self.width, height: 120,
        layer: layers + [.heading(lines, limit: Self.width)],
        view: Chart.View(stroke: Setting.null))
    }
    return Figure(
      id: id, title: "Principal coordinates of sources, targets and matched pictures",
      description:
        "Bars of the first six principal coordinates, source, target and matched picture beside one another, a panel each pair",
      chart: Chart(
        concat: charts, columns: Self.bars, spacing: Chart.Spacing(row: 70, column: 30),
        align: "each", bounds: "flush"),
      data: [id], exported: [id], marks: barred.count * 18)
  }

  // MARK: Rows

  func data() -> [String: Dataset] {
    var (traces, noise, bars): ([[Dataset.Cell]], [[Dataset.Cell]], [[Dataset.Cell]]) = ([], [], [])
    for (index, one) in places.enumerated() {
      for (number, pair) in one.place.pairs.enumerated() {
        for point in pair.trace {
          let left = pair.before.distance > 0 ? (point.distance / pair.before.distance) : nil
          traces.append([
            .text(one.title[0]), .text(one.title[1]), .text("pair \(number + 1)"),
            .number(Double(point.step)), .number(left.map { $0.squareRoot() }),
            .number(point.cosine), .number(point.loss), .number(point.change),
            .number(Double(index)),
          ])
        }
      }
      for row in one.place.noise {
        for (picture, shift, kept) in [
          ("source", row.sourceShift, row.sources), ("matched", row.matchedShift, row.matched),
        ] {
          noise.append([
            .text(one.title[0]), .text(one.title[1]), .text(picture), .number(row.deviation),
            .number(shift), .number(kept), .number(row.detection), .number(Double(index)),
          ])
        }
        for (picture, shift) in [
          ("source, linear", row.sourceExpected), ("matched, linear", row.matchedExpected),
        ] {
          guard let shift else { continue }
          noise.append([
            .text(one.title[0]), .text(one.title[1]), .text(picture), .number(row.deviation),
            .number(shift), .number(nil), .number(nil), .number(Double(index)),
          ])
        }
      }
    }
    for (index, one) in barred.enumerated() {
      guard let all = one.place.coordinates else { continue }
      for (kind, (name, table)) in [
        ("source", all.sources), ("target", all.targets), ("matched", all.matched),
      ].enumerated() where table.indices.contains(one.pair) {
        for (number, value) in table[one.pair].enumerated() {
          bars.append([
            .text(Text.label(result.models[one.model].name)), .text(Text.label(one.place.site)),
            .text("pair \(one.pair + 1)"), .text(name), .number(Double(number + 1)),
            .number(value), .number(Double(number) + 1 + 0.27 * Double(kind - 1)),
            .number(Double(index)),
          ])
        }
      }
    }
    return [
      "matching-traces": .table(
        columns: ["model", "site", "pair", "step", "value", "cosine", "loss", "change", "_panel"],
        rows: traces),
      "matching-noise": .table(
        columns: [
          "model", "site", "picture", "deviation", "value", "class kept", "detection", "_panel",
        ], rows: noise),
      "matching-coordinates": .table(
        columns: ["model", "site", "pair", "picture", "coordinate", "value", "_x", "_panel"],
        rows: bars),
    ]
  }
}
