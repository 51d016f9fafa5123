import ParallaxResults

/// Maps of all distances between the layers of the models.
struct DistanceMaps {
  let result: StepsResult

  private var models: [Int] { Array(result.models.indices) }
  private var isOne: Bool { result.models.count == 1 }

  /// The one domain of colours in all maps: from 0 to 1, or to the largest value; less far where all values lie near.
  private var domain: [Double] {
    let known = result.grids.flatMap { $0.values.flatMap { $0.compactMap(\.self) } }
    let high = known.max() ?? 1
    return [min(0, known.min() ?? 0), high > 0.5 ? max(1, high) : high > 0 ? high : 1]
  }

  /// Whether all maps can have cells of one size; else each model has the same side.
  var sharesCells: Bool {
    let counts = result.models.map(\.sites.sites.count)
    return (counts.max() ?? 1) <= 3 * (counts.min() ?? 1)
  }

  /// Pixels of one site on each model's axis, for maps that together are `total` pixels wide.
  private func cells(_ shown: [Int], total: Double, largest: Double) -> [Int: Double] {
    let counts = shown.map { Double(result.models[$0].sites.sites.count) }
    let sum = counts.reduce(0, +)
    return Dictionary(
      zip(shown, counts).map { model, count in
        let side = sharesCells ? total / max(1, sum) : total / Double(shown.count) / max(1, count)
        return (model, min(largest, side >= 3 ? side.rounded(.down) : side))
      }, uniquingKeysWith: { first, _ in first })
  }

  /// All models with themselves and with each other: from the row's model to the column's.
  func overview() -> Figure {
    let size = cells(models, total: isOne ? 420 : 860, largest: 30)
    let panels = models.flatMap { a in
      models.map { b in
        result.isSymmetric && b > a
          ? Chart.empty(width: side(b, size), height: side(a, size))
          : map(
            a, b, size, namesRows: b == 0, namesColumns: a == models.last,
            isSmall: models.count > 6, isDirected: true)
      }
    }
    let drawn = models.flatMap { a in
      models.filter { !result.isSymmetric || $0 <= a }.map { (a, $0) }
    }
    return Figure(
      id: "steps-maps", title: "Distances of all pairs of layers",
      description:
        "Heat maps of \(result.quantity) between all layers of \(Text.list(result.models.map(\.name)))",
      chart: isOne
        ? panels[0]
        : Chart(
          concat: panels, columns: models.count, spacing: models.count > 6 ? 8 : 14, align: "each",
          bounds: "flush", resolve: Chart.Resolve(scale: ["color": "shared"])),
      data: drawn.flatMap(names), exported: drawn.map { "steps-map-\($0.0)-\($0.1)" },
      marks: 2 * drawn.reduce(0) { $0 + count($1.0) * count($1.1) })
  }

  /// One pair alone, large; of an asymmetric measure both directions on the same axes.
  func pair(_ a: Int, _ b: Int) -> Figure {
    let isTwo = !result.isSymmetric && a != b
    let size =
      isTwo
      ? cells([a, b], total: 800, largest: 24)
      : cells(a == b ? [a] : [a, b], total: a == b ? 600 : 900, largest: 28)
    var there = map(a, b, size, namesRows: true, namesColumns: true, isSmall: false)
    var back = map(
      b, a, size, namesRows: false, namesColumns: true, isSmall: false, isTurned: true)
    let (first, second) = (result.models[a].name, result.models[b].name)
    if isTwo {
      let width = side(b, size) + 10
      there.title = Chart.Title(text: "\(first) → \(second)", limit: width)
      back.title = Chart.Title(text: "\(second) → \(first)", limit: width)
    }
    let exported = isTwo ? [(a, b), (b, a)] : [(a, b)]
    return Figure(
      id: "steps-map-\(a + 1)-\(b + 1)",
      title: a == b ? "\(first) with itself" : "\(first) and \(second)",
      description: "Heat maps of \(result.quantity) between the layers of \(first) and \(second)",
      chart: isTwo
        ? Chart(
          concat: [there, back], columns: 2, spacing: 24, align: "each", bounds: "flush",
          resolve: Chart.Resolve(scale: ["color": "shared"])) : there,
      data: exported.flatMap(names), exported: exported.map { "steps-map-\($0.0)-\($0.1)" },
      marks: 2 * exported.count * count(a) * count(b), isFolded: true)
  }

  /// Every pair of models once, models with themselves among them.
  func allPairs() -> [Figure] {
    isOne ? [] : models.flatMap { a in models.filter { $0 >= a }.map { pair(a, $0) } }
  }

  func data() -> [String: Dataset] {
    var all: [String: Dataset] = [:]
    for grid in result.grids {
      all["steps-map-\(grid.a)-\(grid.b)"] = .grid(
        grid, rows: names(of: grid.a), columns: names(of: grid.b))
      all["steps-path-\(grid.a)-\(grid.b)"] = .table(
        columns: ["step", "x", "y"],
        rows: grid.a == grid.b
          ? []
          : result.path(grid.a, grid.b).enumerated().map { step, cell in
            [
              .number(Double(step)), .number(Double(cell.column) + 0.5),
              .number(Double(cell.row) + 0.5),
            ]
          })
    }
    for (index, model) in result.models.enumerated() {
      let leading = model.blocks.lowerBound
      all["steps-stages-\(index)"] = .table(
        columns: ["at", "_lead"],
        rows: SimilarityFigures.boundaries(model.sites).dropFirst().filter { $0 >= leading }.map {
          [.number(Double($0)), .number($0 == leading ? 1 : 0)]
        })
    }
    return all
  }

  private func count(_ model: Int) -> Int { result.models[model].sites.sites.count }

  private func side(_ model: Int, _ size: [Int: Double]) -> Double {
    Double(count(model)) * (size[model] ?? 1)
  }

  private func names(_ a: Int, _ b: Int) -> [String] {
    ["steps-map-\(a)-\(b)", "steps-path-\(a)-\(b)", "steps-stages-\(a)", "steps-stages-\(b)"]
  }

  private func names(of model: Int) -> Dataset.Side {
    Dataset.Side(
      model: result.models[model].name,
      sites: result.models[model].sites.sites.map { "\($0.name)#\($0.tokens)" })
  }

  /// The map from `a` to `b`; `isTurned` puts `a` along the abscissa.
  private func map(
    _ a: Int, _ b: Int, _ size: [Int: Double], namesRows: Bool, namesColumns: Bool, isSmall: Bool,
    isTurned: Bool = false, isDirected: Bool = false
  ) -> Chart {
    let (rows, columns) = isTurned ? (b, a) : (a, b)
    let (across, up) = isTurned ? ("y", "x") : ("x", "y")
    let x = scale(columns)
    let y = scale(rows)
    let xAxis = axis(
      columns, size, horizontal: true, names: namesColumns, isSmall: isSmall, isDirected: isDirected
    )
    let yAxis = axis(
      rows, size, horizontal: false, names: namesRows, isSmall: isSmall, isDirected: isDirected)
    var colour = Chart.Channel.quantity(
      "value", Chart.Scale(domain: domain, scheme: Palette.similarity, nice: false))
    colour.legend = .value(
      Chart.Legend(
        title: "\(result.quantity) (dark: near)", orient: "top", gradientLength: 220,
        gradientThickness: 10, direction: "horizontal", format: ".1f", tickCount: 5))
    let position: [String: Chart.Channel] = [
      "x": .quantity("\(across)0", x, axis: xAxis), "x2": Chart.Channel(field: "\(across)1"),
      "y": .quantity("\(up)0", y, axis: yAxis), "y2": Chart.Channel(field: "\(up)1"),
    ]
    let cell = min(size[columns] ?? 1, size[rows] ?? 1)
    let map = Chart.Data(name: "steps-map-\(a)-\(b)")
    var layers = Chart.cells(of: map, position, colour, seam: cell < 6 ? 0.7 : 0)
    // Stages by a thin line; the input and the stem by a gap.
    for (model, channel) in [(columns, "x"), (rows, "y")] {
      let scale = channel == "x" ? x : y
      for isGap in [false, true] {
        layers.append(
          Chart(
            data: Chart.Data(name: "steps-stages-\(model)"),
            transform: [Chart.Transform(filter: "datum._lead === \(isGap ? 1 : 0)")],
            mark: isGap
              ? Chart.Mark(type: "rule", strokeWidth: max(1.2, min(4, cell * 0.4)), style: "paper")
              : Chart.Mark(type: "rule", color: "#ffffff", opacity: 0.75, strokeWidth: 0.8),
            encoding: [channel: .quantity("at", scale, axis: channel == "x" ? xAxis : yAxis)]))
      }
    }
    // Chance: a dot in the middle of the cell.
    for (colour, share) in [("#000000", 0.42), ("#ffffff", 0.26)] where result.canTell {
      layers.append(
        Chart(
          data: map, transform: [Chart.Transform(filter: "isValid(datum.p) && datum.p > 0.05")],
          mark: Chart.Mark(
            type: "circle", color: colour, size: max(1.5, cell * cell * share * share), opacity: 1),
          encoding: [
            "x": .quantity("\(across)m", x, axis: xAxis), "y": .quantity("\(up)m", y, axis: yAxis),
          ]))
    }
    for (colour, width) in [("#000000", 3.4), ("#ffffff", 1.6)] where a != b {
      layers.append(
        Chart(
          data: Chart.Data(name: "steps-path-\(a)-\(b)"),
          mark: Chart.Mark(type: "line", color: colour, strokeWidth: isSmall ? width * 0.7 : width),
          encoding: [
            "x": .quantity(across, x, axis: xAxis), "y": .quantity(up, y, axis: yAxis),
            "order": .quantity("step"),
          ]))
    }
    // Drawn last and seen by nobody: it catches the pointer everywhere, on the path too.
    let from = result.isSymmetric ? result.models[a].name : "from \(result.models[a].name)"
    let to = result.isSymmetric ? result.models[b].name : "to \(result.models[b].name)"
    layers.append(
      Chart(
        data: map, mark: Chart.Mark(type: "rect", opacity: 0), encoding: position,
        tooltip: [
          .name("row", title: from), .name("column", title: from == to ? "and" : to),
          .name("shown", title: result.quantity), .name("chance", title: "p of chance"),
        ]))
    return Chart(
      width: side(columns, size), height: side(rows, size), layer: layers,
      view: Chart.View(stroke: Setting.null))
  }

  private func scale(_ model: Int) -> Chart.Scale {
    Chart.Scale(domain: [0, Double(count(model))], nice: false, zero: false)
  }

  /// Names where stages begin, as many as find room; the model's name as the title.
  private func axis(
    _ index: Int, _ size: [Int: Double], horizontal: Bool, names: Bool, isSmall: Bool,
    isDirected: Bool
  ) -> Setting<Chart.Axis> {
    guard names else { return .null }
    let model = result.models[index]
    var blocks = model.sites
    blocks.sites.removeFirst(model.blocks.lowerBound)
    let cell = size[index] ?? 1
    let first = model.blocks.lowerBound
    var places = SimilarityFigures.labelled(blocks, cell: cell).map {
      (place: $0.place + first, name: $0.name)
    }
    if first > 0, first < model.sites.sites.count, Double(first) * cell >= 15 {
      places.insert((0, model.sites.sites[0].name), at: 0)
    }
    // Of many models there is room for the name alone.
    if isSmall { places = [(model.sites.sites.count / 2, model.name)] }
    let pairs = places.map { "\"\($0.place)\":\(SimilarityFigures.quoted($0.name))" }
    let prefix = !isDirected || result.isSymmetric || isOne ? "" : horizontal ? "to " : "from "
    return .value(
      Chart.Axis(
        title: isSmall ? .null : .value(prefix + model.name), titleFontWeight: "bold",
        titlePadding: 8,
        titleLimit: max(150, side(index, size) + 10),
        values: places.map { Double($0.place) + 0.5 },
        labelExpr: "{\(pairs.joined(separator: ","))}[floor(datum.value)]",
        labelAngle: horizontal ? -50 : 0, labelAlign: "right", labelBaseline: "middle",
        labelOverlap: false, labelLimit: 150, grid: false, ticks: !isSmall, domain: false))
  }
}
