import ParallaxResults

/// The figures of similarities.
struct SimilarityFigures {
  let result: SimilarityResult
  /// The figures' name, also of their files: `similarity`.
  var id = "similarity"
  /// Before the names of data, where a page has such figures twice.
  private var prefix: String { id == "similarity" ? "" : "\(id)-" }

  /// The one domain of colours in all heat maps: from 0, or from the tenth below the smallest value, to 1.
  var domain: [Double] {
    let known = result.matrices.flatMap { $0.values.flatMap { $0.compactMap(\.self) } }
    let low = min(0, ((known.min() ?? 0) * 10).rounded(.down) / 10)
    let high = max(1, ((known.max() ?? 1) * 10 - 1e-6).rounded(.up) / 10)
    return [low, high]
  }

  /// Whether all maps can have cells of one size; else each model has the same side.
  var sharesCells: Bool {
    let counts = result.models.map(\.sites.count)
    return (counts.max() ?? 1) <= 3 * (counts.min() ?? 1)
  }

  /// Pixels of one site on each model's axis, for maps that together are `total` pixels wide.
  private func cells(_ shown: [Int], total: Double, largest: Double) -> [Int: Double] {
    let counts = shown.map { Double(result.models[$0].sites.count) }
    let sum = counts.reduce(0, +)
    return Dictionary(
      uniqueKeysWithValues: zip(shown, counts).map { model, count in
        let side =
          sharesCells ? total / max(1, sum) : total / Double(shown.count) / max(1, count)
        return (model, min(largest, side >= 3 ? side.rounded(.down) : side))
      })
  }

  /// All models with themselves and with each other, as the lower triangle of a square.
  func overview() -> Figure {
    let models = Array(result.models.indices)
    let size = cells(models, total: models.count == 1 ? 420 : 780, largest: 30)
    let panels = models.flatMap { b in
      models.map { a in
        a <= b
          ? map(
            rows: b, columns: a, size, namesRows: a == 0, namesColumns: b == models.last)
          : Chart.empty(width: side(a, size), height: side(b, size))
      }
    }
    let chart =
      models.count == 1
      ? panels[0]
      : Chart(
        concat: panels, columns: models.count, spacing: 14, align: "each", bounds: "flush",
        resolve: Chart.Resolve(scale: ["color": "shared"]))
    return Figure(
      id: id, title: "Similarity of all pairs of layers",
      description:
        "Heat maps of \(result.measure) between all layers of \(Text.list(result.models.map(\.name)))",
      chart: chart,
      data: models.flatMap { b in models.filter { $0 <= b }.flatMap { names($0, b) } },
      exported: models.flatMap { b in models.filter { $0 <= b }.map { "\(prefix)map-\($0)-\(b)" } },
      marks: result.matrices.reduce(0) { $0 + $1.values.count * ($1.values.first?.count ?? 0) })
  }

  /// One pair alone, large.
  func pair(_ a: Int, _ b: Int) -> Figure {
    let size = cells(a == b ? [a] : [a, b], total: a == b ? 640 : 1000, largest: 30)
    return Figure(
      id: "\(id)-\(a + 1)-\(b + 1)",
      title: a == b
        ? "\(result.models[a].name) with itself"
        : "\(result.models[a].name) and \(result.models[b].name)",
      description:
        "Heat map of \(result.measure) between the layers of \(result.models[a].name) and \(result.models[b].name)",
      chart: map(
        rows: b, columns: a, size, namesRows: true, namesColumns: true),
      data: names(a, b), exported: ["\(prefix)map-\(a)-\(b)"],
      marks: result.models[a].sites.count * result.models[b].sites.count, isFolded: true)
  }

  private func side(_ model: Int, _ size: [Int: Double]) -> Double {
    Double(result.models[model].sites.count) * (size[model] ?? 1)
  }

  private func names(_ a: Int, _ b: Int) -> [String] {
    [
      "\(prefix)map-\(a)-\(b)", "\(prefix)path-\(a)-\(b)", "\(prefix)stages-\(a)",
      "\(prefix)stages-\(b)",
    ]
  }

  /// The model's name, and `site#tokens` of its sites.
  private func names(of model: Int) -> Dataset.Side {
    Dataset.Side(
      model: result.models[model].name,
      sites: result.models[model].sites.map { "\($0.name)#\($0.tokens)" })
  }

  /// What the heat maps draw.
  func data() -> [String: Dataset] {
    var all: [String: Dataset] = [:]
    for matrix in result.matrices {
      // The page's rows are the later model, as the lower triangle has it.
      all["\(prefix)map-\(matrix.a)-\(matrix.b)"] = .matrix(
        matrix.transposed, rows: names(of: matrix.b), columns: names(of: matrix.a),
        factor: result.intervalFactor)
      all["\(prefix)path-\(matrix.a)-\(matrix.b)"] = .table(
        columns: ["step", "x", "y"],
        rows: matrix.a == matrix.b
          ? []
          : result.path(matrix.a, matrix.b).enumerated().map { step, cell in
            [
              .number(Double(step)), .number(Double(cell.row) + 0.5),
              .number(Double(cell.column) + 0.5),
            ]
          })
    }
    for (index, model) in result.models.enumerated() {
      all["\(prefix)stages-\(index)"] = .table(
        columns: ["at"], rows: Self.boundaries(model).dropFirst().map { [.number(Double($0))] })
    }
    return all
  }

  /// The places where a stage begins, the first included.
  static func boundaries(_ model: ModelSites) -> [Int] {
    model.sites.indices.filter { $0 == 0 || model.sites[$0].stage != model.sites[$0 - 1].stage }
  }

  private func map(
    rows: Int, columns: Int, _ size: [Int: Double], namesRows: Bool, namesColumns: Bool
  ) -> Chart {
    let x = scale(columns)
    let y = scale(rows)
    var colour = Chart.Channel.quantity(
      "value",
      Chart.Scale(domain: domain, scheme: Palette.similarity, nice: false))
    colour.legend = .value(
      Chart.Legend(
        title: result.measure, orient: "top", gradientLength: 180, gradientThickness: 10,
        direction: "horizontal", format: ".1f", tickCount: 6))
    let position: [String: Chart.Channel] = [
      "x": .quantity("x0", x, axis: axis(columns, size, horizontal: true, names: namesColumns)),
      "x2": Chart.Channel(field: "x1"),
      "y": .quantity("y0", y, axis: axis(rows, size, horizontal: false, names: namesRows)),
      "y2": Chart.Channel(field: "y1"),
    ]
    let seam = min(size[columns] ?? 1, size[rows] ?? 1) < 6 ? 0.7 : 0
    let map = Chart.Data(name: "\(prefix)map-\(columns)-\(rows)")
    var layers = Chart.cells(of: map, position, colour, seam: seam)
    for (model, channel) in [(columns, "x"), (rows, "y")] {
      layers.append(
        Chart(
          data: Chart.Data(name: "\(prefix)stages-\(model)"),
          mark: Chart.Mark(type: "rule", color: "#ffffff", opacity: 0.75, strokeWidth: 0.8),
          encoding: [
            channel: .quantity(
              "at", channel == "x" ? x : y, axis: position[channel]?.axis)
          ]))
    }
    for (colour, width) in [("#000000", 3.4), ("#ffffff", 1.6)] where rows != columns {
      layers.append(
        Chart(
          data: Chart.Data(name: "\(prefix)path-\(columns)-\(rows)"),
          mark: Chart.Mark(type: "line", color: colour, strokeWidth: width),
          encoding: [
            "x": .quantity("x", x, axis: position["x"]?.axis),
            "y": .quantity("y", y, axis: position["y"]?.axis), "order": .quantity("step"),
          ]))
    }
    // Drawn last and seen by nobody: it catches the pointer everywhere, on the path too.
    layers.append(
      Chart(
        data: map, mark: Chart.Mark(type: "rect", opacity: 0),
        encoding: position,
        tooltip: [
          Chart.Channel.name("column", title: result.models[columns].name),
          Chart.Channel.name("row", title: rows == columns ? "and" : result.models[rows].name),
          Chart.Channel.name("shown", title: result.measure),
          Chart.Channel.name("interval", title: "95 % interval"),
        ]))
    return Chart(
      width: side(columns, size), height: side(rows, size), layer: layers,
      view: Chart.View(stroke: Setting.null))
  }

  private func scale(_ model: Int) -> Chart.Scale {
    Chart.Scale(
      domain: [0, Double(result.models[model].sites.count)], nice: false, zero: false)
  }

  /// Names where stages begin, as many as find room; the model's name as the title, in its colour.
  private func axis(
    _ index: Int, _ size: [Int: Double], horizontal: Bool, names: Bool
  ) -> Setting<Chart.Axis> {
    guard names else { return .null }
    let model = result.models[index]
    let places = Self.labelled(model, cell: size[index] ?? 1)
    let pairs = places.map { "\"\($0.place)\":\(Self.quoted($0.name))" }
    return .value(
      Chart.Axis(
        title: .value(model.name), titleFontWeight: "bold",
        titlePadding: 8, titleLimit: max(150, side(index, size) + 10),
        values: places.map { Double($0.place) + 0.5 },
        labelExpr: "{\(pairs.joined(separator: ","))}[floor(datum.value)]",
        labelAngle: horizontal ? -50 : 0, labelAlign: "right",
        labelBaseline: "middle", labelOverlap: false, grid: false, ticks: true,
        domain: false))
  }

  /// Sites whose names find room at some pixels a site: beginnings of stages, or every so many of a model that has
  /// one stage; always the first and the last.
  static func labelled(_ model: ModelSites, cell: Double) -> [(place: Int, name: String)] {
    let room = max(1, Int((19 / max(cell, 0.01)).rounded(.up)))
    let starts = boundaries(model)
    let last = model.sites.count - 1
    guard last >= 0 else { return [] }
    let few =
      starts.count > 1 ? starts : Array(stride(from: 0, through: last, by: max(1, (last + 5) / 6)))
    var chosen: [Int] = []
    for place in few where chosen.last.map({ place - $0 >= room }) ?? true { chosen.append(place) }
    if let end = chosen.last, end != last {
      if last - end < room, chosen.count > 1 { chosen.removeLast() }
      if last - (chosen.last ?? 0) >= room { chosen.append(last) }
    }
    return chosen.map { ($0, model.sites[$0].name) }
  }

  /// A name within an expression of Vega's.
  static func quoted(_ text: String) -> String {
    let plain = text.filter { $0.isLetter || $0.isNumber || "._-+:/ #".contains($0) }
    return "\"\(plain)\""
  }
}
