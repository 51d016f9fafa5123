import ParallaxResults

/// Both directions of every pair of layers against each other: who contains whom.
///
/// > Source: Glielmo et al., 2022, PNAS Nexus 1(2) pgac039, for the plane.
struct InformationPlane {
  let result: StepsResult

  private static let id = "steps-plane"
  private var inRow: Int { min(isLong ? 4 : 3, max(1, result.pairs.count)) }
  private var side: Double { result.pairs.count == 1 ? 380 : isLong ? 212 : 285 }
  /// More pairs than these are folded away.
  var isLong: Bool { result.pairs.count > 8 }

  /// Every so many blocks of both models of a pair, so that all panels together hold some thousands of points.
  private func stride(_ pair: (a: Int, b: Int)) -> Int {
    let room = max(40, 6000 / max(1, result.pairs.count))
    let cells = result.models[pair.a].blocks.count * result.models[pair.b].blocks.count
    var stride = 1
    while cells / (stride * stride) > room { stride += 1 }
    return stride
  }

  /// Whether any pair lacks points.
  var isThinned: Bool { result.pairs.contains { stride($0) > 1 } }

  private var domain: [Double] {
    let known = result.grids.lazy.filter { $0.a != $0.b }.flatMap { $0.values.flatMap { $0 } }
      .compactMap(\.self)
    return [min(0, known.min() ?? 0), max(1, known.max() ?? 1) * 1.02]
  }

  func figure() -> Figure {
    let pairs = result.pairs
    var panels = pairs.indices.map { panel($0) }
    while !panels.count.isMultiple(of: inRow) {
      panels.append(Chart.empty(width: side, height: side))
    }
    return Figure(
      id: Self.id, title: "Which layers contain which",
      description:
        "Scatter plots of both directions of \(result.quantity), one for each pair of models",
      chart: Chart(
        concat: panels, columns: inRow, spacing: Chart.Spacing(row: 66, column: 30), align: "each",
        bounds: "flush",
        resolve: Chart.Resolve(scale: ["color": "shared"])),
      data: [Self.id, "\(Self.id)-corners", "\(Self.id)-untrained", "steps-diagonal"],
      exported: [Self.id], marks: 6000,
      isFolded: isLong)
  }

  func data() -> [String: Dataset] {
    var rows: [[Dataset.Cell]] = []
    for (index, pair) in result.pairs.enumerated() {
      guard let there = result.grid(pair.a, pair.b), let back = result.grid(pair.b, pair.a) else {
        continue
      }
      let (first, second) = (result.models[pair.a], result.models[pair.b])
      let stride = stride(pair)
      let path = Set(result.path(pair.a, pair.b).map { [$0.row, $0.column] })
      for row in Swift.stride(
        from: first.blocks.lowerBound, to: first.blocks.upperBound, by: stride)
      {
        for column in Swift.stride(
          from: second.blocks.lowerBound, to: second.blocks.upperBound, by: stride)
        {
          guard let forward = there.values[row][column], let backward = back.values[column][row]
          else { continue }
          rows.append([
            .text(first.name), .text(first.sites.label(row)), .text(second.name),
            .text(second.sites.label(column)), .number(forward), .number(backward),
            .number((first.sites.sites[row].depth + second.sites.sites[column].depth) / 2),
            .number(Double(index)), .number(path.contains([row, column]) ? 1 : 0),
          ])
        }
      }
    }
    let end = domain[1]
    // Clear of the lines of the floor and of chance.
    let low = max(0.03 * end, (result.floor ?? 0) + 0.03 * end)
    let high = min(0.97 * end, (chance ?? end) - 0.04 * end)
    let corners: [[Dataset.Cell]] = [
      [.number(low), .number(low), .text("equivalent"), .number(0)],
      [.number(high), .number(high), .text("independent"), .number(1)],
      [.number(low), .number(high), .text("A contains B"), .number(0)],
      [.number(high), .number(low), .text("B contains A"), .number(1)],
    ]
    return [
      Self.id: .table(
        columns: ["a", "siteA", "b", "siteB", "forward", "backward", "depth", "_panel", "onPath"],
        rows: rows),
      "steps-diagonal": MatchFigure.diagonal, "\(Self.id)-untrained": untrained,
      "\(Self.id)-corners": .table(columns: ["x", "y", "text", "_right"], rows: corners),
    ]
  }

  /// What shuffled images give, mean over the pairs of models; nil where nothing was shuffled.
  var chance: Double? {
    let known = result.evolutions.compactMap(\.chance)
    return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
  }

  /// Whether any pair has untrained twins.
  var hasUntrained: Bool { !twins.isEmpty }

  /// The curves of untrained twins, by the places of their models' pairs.
  private var twins: [(panel: Int, curve: StepsResult.Evolution, isTurned: Bool)] {
    guard let untrained = result.untrained else { return [] }
    return untrained.evolutions.compactMap { curve in
      guard let a = untrained.twinOf[curve.a], let b = untrained.twinOf[curve.b],
        let panel = result.pairs.firstIndex(where: { $0 == (min(a, b), max(a, b)) })
      else { return nil }
      return (panel, curve, a > b)
    }
  }

  /// Both directions at equal relative depths of the untrained twins of a pair.
  private var untrained: Dataset {
    .table(
      columns: ["depth", "forward", "backward", "_panel"],
      rows: twins.flatMap { twin in
        result.depths.indices.map { place in
          let there = twin.curve.forward[place]
          let back = twin.curve.backward[place]
          return [
            .number(result.depths[place]), .number(twin.isTurned ? back : there),
            .number(twin.isTurned ? there : back), .number(Double(twin.panel)),
          ]
        }
      })
  }

  private func panel(_ index: Int) -> Chart {
    let pair = result.pairs[index]
    let isFirst = index.isMultiple(of: inRow)
    let isLast = index + inRow >= result.pairs.count
    func axis(_ title: String?) -> Setting<Chart.Axis> {
      .value(
        Chart.Axis(
          title: title.map { .value($0) } ?? .null, values: [0, 0.5, 1],
          labelExpr: "format(datum.value, '.1~f')", grid: true, ticks: false, domain: false))
    }
    let scale = Chart.Scale(domain: domain, nice: false)
    let x = Chart.Channel.quantity("forward", scale, axis: axis(isLast ? "A → B" : nil))
    let y = Chart.Channel.quantity("backward", scale, axis: axis(isFirst ? "B → A" : nil))
    var colour = Chart.Channel.quantity(
      "depth", Chart.Scale(domain: [0, 1], range: Palette.depth, nice: false))
    colour.legend = .value(
      Chart.Legend(
        title: "mean relative depth of the two layers", orient: "top", gradientLength: 180,
        gradientThickness: 10, direction: "horizontal", format: ".1f", tickCount: 3))
    let data = Chart.Data(name: Self.id)
    let (first, second) = (result.models[pair.a].name, result.models[pair.b].name)
    let corners = Chart.Data(name: "\(Self.id)-corners")
    var layers: [Chart] = []
    for (level, dash) in [(result.floor, [1.0, 3]), (chance, [3, 3])] {
      guard let level else { continue }
      for channel in ["x", "y"] {
        layers.append(
          Chart(
            data: corners, transform: [Chart.Transform(filter: "datum.text === 'equivalent'")],
            mark: Chart.Mark(type: "rule", strokeWidth: 1, strokeDash: dash, style: "ink"),
            encoding: [
              channel: Chart.Channel(
                datum: level, type: "quantitative", scale: scale,
                axis: channel == "x" ? x.axis : y.axis)
            ]))
      }
    }
    layers.append(
      Chart(
        data: Chart.Data(name: "steps-diagonal"),
        mark: Chart.Mark(type: "line", color: "#8a8a8a", strokeWidth: 1, strokeDash: [3, 3]),
        encoding: [
          "x": .quantity("depth", scale, axis: x.axis),
          "y": .quantity("depth", scale, axis: y.axis),
        ]))
    layers.append(
      Chart(
        data: Chart.Data(name: "\(Self.id)-untrained"),
        transform: [
          Chart.Transform(
            filter:
              "datum._panel === \(index) && isValid(datum.forward) && isValid(datum.backward)")
        ],
        mark: Chart.Mark(type: "point", size: 18, filled: false, opacity: 0.9, style: "quiet"),
        encoding: ["x": x, "y": y],
        tooltip: [
          .name("depth", title: "untrained, relative depth"), .name("forward", title: "A → B"),
          .name("backward", title: "B → A"),
        ]))
    let isDense = [pair.a, pair.b].contains { result.models[$0].blocks.count > 40 }
    for isOnPath in [0, 1] {
      layers.append(
        Chart(
          data: data,
          transform: [
            Chart.Transform(filter: "datum._panel === \(index) && datum.onPath === \(isOnPath)")
          ],
          mark: Chart.Mark(
            type: "circle", size: (isOnPath == 1 ? isDense ? 24 : 42 : 13) * (isLong ? 0.7 : 1),
            opacity: isOnPath == 1 ? 1 : 0.6),
          encoding: ["x": x, "y": y, "color": colour],
          tooltip: [
            .name("siteA", title: first), .name("siteB", title: second),
            .name("forward", title: "A → B"), .name("backward", title: "B → A"),
          ]))
    }
    for isRight in [false, true] {
      layers.append(
        Chart(
          data: corners,
          transform: [Chart.Transform(filter: "datum._right === \(isRight ? 1 : 0)")],
          mark: Chart.Mark(
            type: "text", style: "quiet", align: isRight ? "right" : "left", baseline: "middle",
            fontSize: 10.5),
          encoding: [
            "x": .quantity("x", scale, axis: x.axis), "y": .quantity("y", scale, axis: y.axis),
            "text": .name("text"),
          ]))
    }
    layers.append(Chart.heading(["A: \(first)", "B: \(second)"], limit: side + 20))
    return Chart(
      width: side, height: side,
      layer: layers, view: Chart.View(stroke: Setting.null))
  }
}
