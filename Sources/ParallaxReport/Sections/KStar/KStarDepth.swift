import ParallaxResults

/// Shares of patterns at each space, and Γ over depth.
struct KStarDepth {
  let result: KStarResult
  /// The models' places among all models of the run, which colours go by.
  let places: [Int]
  private let height = 130.0

  /// Models with more than one space.
  private var deep: [Int] { result.models.indices.filter { result.models[$0].spaces.count > 1 } }

  var isEmpty: Bool { deep.isEmpty }

  /// Γ and accuracy over depth.
  func gamma(_ title: String, _ description: String) -> (figure: Figure, data: [String: Dataset]) {
    let (wide, narrow) = (curves(inRow: 2, width: 410), curves(inRow: 1, width: 350))
    var figure = wide.figure(title, description)
    figure.narrow = (narrow.figure(title, description).chart, 1000)
    return (figure, wide.data())
  }

  /// Γ, a line a model.
  private func curves(inRow: Int, width: Double) -> DepthCurves {
    var models = (0...(places.max() ?? 0)).map { ("\u{2060}\($0)", "") }
    for (index, place) in places.enumerated() where result.models[index].original == nil {
      models[place] = (result.models[index].name, "")
    }
    func line(_ index: Int, _ number: (KStarResult.Space) -> IntervalEstimate) -> DepthCurves.Line {
      let model = result.models[index]
      return DepthCurves.Line(
        model: places[index], style: model.original == nil ? .solid : .dashed,
        points: model.spaces.map {
          // One shade a model: that of its images as they are.
          DepthCurves.Point(
            place: $0.depth, site: $0.site,
            estimate: model.original == nil ? number($0) : IntervalEstimate(number($0).value))
        }, name: model.original == nil ? nil : model.name)
    }
    return DepthCurves(
      result: .drawing(
        models.map { (ModelSites(name: $0.0, family: "", sites: []), $0.1) },
        images: result.images.count, dtype: "", seed: result.seed, groups: 0),
      id: "kstar-gamma",
      panels: panels(line), inRow: inRow, width: width, height: 210, spacing: 46, legend: "",
      hasLeading: false)
  }

  /// Models as they are; then, of each corruption, them and dashed the same with corrupted images.
  private func panels(
    _ line: (Int, (KStarResult.Space) -> IntervalEstimate) -> DepthCurves.Line
  ) -> [DepthCurves.Panel] {
    let corruptions = deep.compactMap { result.models[$0].corruption }.reduce(into: [String]()) {
      if !$0.contains($1) { $0.append($1) }
    }
    return ([nil] + corruptions.map(Optional.some)).flatMap { corruption -> [DepthCurves.Panel] in
      let shown = deep.filter {
        result.models[$0].corruption == nil || result.models[$0].corruption == corruption
      }
      let more = corruption.map { ", \($0) dashed" } ?? ""
      return [
        DepthCurves.Panel(
          title: "Γ, mean skewness" + more, lines: shown.map { line($0, \.aggregates.macroMean) },
          quantity: "Γ", reference: 0),
        DepthCurves.Panel(
          title: "kNN accuracy, %" + more,
          lines: shown.map { index in
            line(index) { IntervalEstimate($0.neighbourhood.accuracy.map { 100 * $0 }) }
          }, domain: [0, 100], quantity: "%"),
      ]
    }
  }

  /// Stacked shares, a panel a model.
  func shares() -> Figure {
    Figure(
      id: "kstar-shares", title: "Shares of patterns over depth",
      description: "Stacked shares of fractured, overlapped and clustered concepts at each site",
      chart: panels(inRow: 3, width: 240), data: ["kstar-shares"], exported: ["kstar-shares"],
      marks: deep.reduce(0) { $0 + 4 * result.models[$1].spaces.count },
      narrow: (panels(inRow: 1, width: 330), deep.count > 2 ? 1000 : deep.count > 1 ? 680 : 0))
  }

  private func panels(inRow: Int, width: Double) -> Chart {
    Chart(
      concat: deep.map { panel($0, width) }, columns: inRow,
      spacing: Chart.Spacing(row: 50, column: 60),
      resolve: Chart.Resolve(scale: ["color": "shared"]))
  }

  func data() -> [String: Dataset] {
    let rows = deep.flatMap { index -> [[Dataset.Cell]] in
      let model = result.models[index]
      return model.spaces.enumerated().flatMap { place, space -> [[Dataset.Cell]] in
        let total = Double(max(1, space.concepts.count))
        var at = 0.0
        return [KStarResult.Pattern.clustered, .overlapped, .fractured, .undefined].compactMap {
          pattern in
          let count = space.concepts.count { $0.pattern == pattern }
          guard count > 0 else { return nil }
          let from = at
          at += Double(count) / total
          return [
            .text(model.name), .text(space.site), .text(pattern.rawValue), .number(Double(count)),
            .number(Double(count) / total), .number(Double(index)), .number(Double(place) + 0.06),
            .number(Double(place) + 0.94), .number(from), .number(at),
          ]
        }
      }
    }
    return [
      "kstar-shares": .table(
        columns: [
          "model", "site", "pattern", "concepts", "share", "_model", "_x0", "_x1", "_y0", "_y1",
        ], rows: rows)
    ]
  }

  private func panel(_ index: Int, _ width: Double) -> Chart {
    let model = result.models[index]
    let count = Double(model.spaces.count)
    let names = model.spaces.enumerated().map { place, space in
      "\"\(place)\":\(KStarViolins.quoted(space.site))"
    }
    let x = Chart.Channel.quantity(
      "_x0", Chart.Scale(domain: [0, count], nice: false, zero: false),
      axis: .value(
        Chart.Axis(
          title: .null, values: model.spaces.indices.map { Double($0) + 0.5 },
          labelExpr: "{\(names.joined(separator: ","))}[floor(datum.value)]", labelAngle: -35,
          labelAlign: "right", labelLimit: 90, grid: false, ticks: false)))
    let y = Chart.Channel.quantity(
      "_y0", Chart.Scale(domain: [0, 1], nice: false),
      axis: .value(
        Chart.Axis(title: .value("share of concepts"), format: ".0%", grid: false, tickCount: 3)))
    return Chart(
      title: Chart.Title(
        text: Text.label(
          model.corruption.map { "\($0): \(model.original ?? model.name)" } ?? model.name),
        limit: width),
      data: Chart.Data(name: "kstar-shares"),
      transform: [Chart.Transform(filter: "datum._model === \(index)")], width: width,
      height: height, mark: Chart.Mark(type: "rect"),
      encoding: [
        "x": x, "x2": Chart.Channel(field: "_x1"), "y": y, "y2": Chart.Channel(field: "_y1"),
        "color": Chart.Channel(
          field: "pattern", type: "nominal",
          scale: Chart.Scale(names: KStarViolins.patterns, range: KStarViolins.colours),
          legend: .value(Chart.Legend(title: "", orient: "top"))),
      ],
      tooltip: [
        .name("site"), .name("pattern"), .quantity("concepts"), .quantity("share"),
      ])
  }
}

/// Γ against an accuracy, a point a model at its last space: of neighbours, or what somebody else measured.
struct KStarModels {
  let result: KStarResult
  let places: [Int]
  /// What the ordinate is called, and its number of each model.
  let accuracy: (id: String, name: String, value: (KStarResult.Model) -> Double?)

  /// The accuracy of neighbours, and the one that was given.
  static func all(_ result: KStarResult, _ places: [Int]) -> [KStarModels] {
    let voters = result.plain.last?.spaces.last?.neighbourhood.neighbours ?? 0
    var found = [
      KStarModels(
        result: result, places: places,
        accuracy: (
          "kstar-models", "accuracy of \(voters) neighbours, %",
          { $0.spaces.last?.neighbourhood.accuracy.map { 100 * $0 } }
        ))
    ]
    if let name = result.accuracyName {
      found.append(
        KStarModels(
          result: result, places: places,
          accuracy: ("kstar-accuracy", name, { result.accuracies?[$0.name] })))
    }
    return found.filter { $0.known.count > 1 }
  }

  // One point is no relation.
  private var known: [Int] {
    result.models.indices.filter {
      result.models[$0].original == nil
        && result.models[$0].spaces.last?.aggregates.macroMean.value != nil
        && accuracy.value(result.models[$0]) != nil
    }
  }

  func figure() -> Figure {
    Figure(
      id: accuracy.id, title: "Fracturing and \(accuracy.name)",
      description: "A point for each model: gamma against \(accuracy.name)",
      chart: chart(460), data: [accuracy.id], exported: [accuracy.id], marks: 3 * known.count,
      narrow: (chart(330), 560))
  }

  private func chart(_ width: Double) -> Chart {
    let data = Chart.Data(name: accuracy.id)
    let x = Chart.Channel.quantity(
      "gamma", Chart.Scale(nice: true, zero: false),
      axis: .value(Chart.Axis(title: .value("Γ, mean skewness (lower: less fractured)"))))
    let y = Chart.Channel.quantity(
      "accuracy", Chart.Scale(nice: true, zero: false),
      axis: .value(Chart.Axis(title: .value(Text.label(accuracy.name)))))
    let colour = Chart.Channel(
      field: "model", type: "nominal",
      scale: Chart.Scale(
        names: known.map { result.models[$0].name }, range: known.map { Palette.colour(places[$0]) }
      ), legend: .null)
    let shape = Chart.Channel(
      field: "model", type: "nominal",
      scale: Chart.Scale(
        names: known.map { result.models[$0].name }, range: known.map { Palette.marker(places[$0]) }
      ), legend: .null)
    let tooltip = [
      Chart.Channel.name("model"), .name("site"), .quantity("gamma", title: "Γ"),
      .name("_interval", title: "95 %"), .quantity("accuracy"), .name("basis", title: "Γ"),
    ]
    return Chart(
      width: width, height: 260,
      layer: [
        Chart(
          data: data, mark: Chart.Mark(type: "rule", strokeWidth: 1.5),
          encoding: [
            "x": .quantity("low", Chart.Scale(nice: true, zero: false)),
            "x2": Chart.Channel(field: "high"), "y": y, "color": colour,
          ]),
        Chart(
          data: data, mark: Chart.Mark(type: "point", size: 90, filled: true, opacity: 1),
          encoding: ["x": x, "y": y, "color": colour, "shape": shape], tooltip: tooltip),
        Chart(
          data: data,
          mark: Chart.Mark(
            type: "text", style: "ink", align: "left", baseline: "bottom", fontSize: 11, dx: 8,
            dy: -4, limit: 200),
          encoding: ["x": x, "y": y, "text": .name("model")]),
      ])
  }

  func data() -> [String: Dataset] {
    [
      accuracy.id: .table(
        columns: ["model", "site", "gamma", "low", "high", "accuracy", "basis", "_interval"],
        rows: known.compactMap { index in
          let model = result.models[index]
          guard let space = model.spaces.last else { return nil }
          let gamma = space.aggregates.macroMean
          return [
            .text(model.name), .text(space.site), .number(gamma.value), .number(gamma.low),
            .number(gamma.high), .number(accuracy.value(model)), .text(space.basis),
            .text(Text.interval(gamma.low, gamma.high, digits: 2) ?? "none"),
          ]
        })
    ]
  }
}
