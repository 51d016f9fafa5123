import ParallaxResults

/// How distances between models evolve over their processing steps.
///
/// > Source: Mahaut and Baroni, 2026, arXiv 2601.21621; the information imbalance: Glielmo et al., 2022.
enum StepsSection {
  /// The section; nil where the run has no such result.
  static func make(_ material: Material) throws -> Section? {
    guard let found: StepsResult = try material.run.result(analysis: "steps") else { return nil }
    let file = material.run.url.appending(path: "results/steps.json")
    if let problem = StepsCheck(result: found).problem ?? StepsCheck.hugeNumber(in: file) {
      throw ResultsError.damaged(
        path: material.run.url.appending(path: "results/steps.json").path, problem: problem)
    }
    let result = found.drawable
    var parts = Parts(material: material, text: StepsText(result: result))
    maps(result, &parts)
    distances(result, &parts)
    smoothness(result, &parts)
    lowLevel(result, &parts)
    companions(result, &parts)
    if !result.refusals.isEmpty { parts.body.append(Fold.refusals(result.refusals)) }
    return Section(
      id: "steps", name: "Steps",
      title: result.models.count == 1
        ? "The steps by which the model processes an image"
        : "How the models' processing steps differ",
      body: [
        parts.text.lead, parts.text.claims(parts.figures), parts.text.alternatives,
        parts.text.switches,
      ] + parts.body,
      findings: result.findings, figures: parts.figures, data: parts.data)
  }

  /// What has been put together so far.
  private struct Parts {
    let material: Material
    let text: StepsText
    var body: [HTML] = []
    var figures: [Figure] = []
    var data: [String: Dataset] = [:]

    mutating func heading(_ title: String) { body.append(.element("h3", [:], title)) }

    /// A figure as it stands on the page.
    mutating func drawing(
      _ figure: Figure, _ data: [String: Dataset], _ caption: String, _ after: [HTML] = []
    ) -> HTML {
      figures.append(figure)
      self.data.merge(data) { $1 }
      let command = material.provenance.command
      let again: HTML =
        command.isEmpty
        ? .none
        : .element(
          "div", ["class": "again"], [.element("span", [:], "Made by"), Fold.command(command)])
      return figure.html(caption: [.text(caption)], after: [again] + after)
    }

    mutating func add(
      _ figure: Figure, _ data: [String: Dataset], _ caption: String, _ after: [HTML] = []
    ) {
      body.append(drawing(figure, data, caption, after))
    }
  }

  private static func maps(_ result: StepsResult, _ parts: inout Parts) {
    let maps = DistanceMaps(result: result)
    parts.heading(
      result.models.count == 1
        ? "How far the layers are from each other" : "How far each layer is from every other")
    parts.add(maps.overview(), maps.data(), parts.text.maps(maps))
    let pairs = maps.allPairs()
    if !pairs.isEmpty {
      let drawings = pairs.map { figure in
        HTML.group([
          .element("h4", [:], figure.title),
          parts.drawing(figure, [:], "Read as above. \(result.basis)"),
        ])
      }
      parts.body.append(Fold.make("Every pair alone, larger", drawings))
    }
    guard !result.positions.isEmpty else { return }
    let matches = MatchFigure(result: result)
    parts.heading("Whether layers at similar depth are nearest")
    let positions = PositionFigure(result: result)
    parts.add(
      matches.figure(), matches.data(), parts.text.matches,
      positions.isShort ? [] : [matches.table()])
    guard positions.isShort else { return }
    parts.add(positions.figure(), positions.data(), parts.text.positions, [matches.table()])
  }

  private static func distances(_ result: StepsResult, _ parts: inout Parts) {
    guard !result.evolutions.isEmpty, !result.depths.isEmpty else { return }
    let evolution = EvolutionFigure(result: result)
    parts.heading("How distances evolve over depth")
    parts.add(
      evolution.figure(), evolution.data(),
      parts.text.evolution(evolution, pairs: result.evolutions.count))
    let aggregates = AggregateFigure(result: result, domain: evolution.domain)
    if aggregates.isWorthDrawing {
      parts.heading("By type of pair")
      parts.add(aggregates.figure(), aggregates.data(), parts.text.aggregates, [aggregates.table()])
    }
    let ranking = StepRanking(result: result)
    guard !ranking.isEmpty else { return }
    parts.heading("The steps on which models part or meet most")
    parts.add(ranking.figure(), ranking.data(), parts.text.ranking, [ranking.table()])
  }

  private static func smoothness(_ result: StepsResult, _ parts: inout Parts) {
    guard !result.smoothness.isEmpty else { return }
    let figure = SmoothnessFigure(result: result)
    parts.heading("How smoothly each model changes")
    parts.add(figure.figure(), figure.data(), parts.text.smoothness)
    let dots = figure.statistics()
    guard !dots.panels.isEmpty else { return }
    parts.heading("The steps in single numbers")
    parts.add(
      dots.figure(
        "Statistics of the steps",
        "Dots with intervals: statistics of the step sizes, by three measures, for each model"),
      dots.data(), parts.text.statistics, [figure.table()])
  }

  private static func lowLevel(_ result: StepsResult, _ parts: inout Parts) {
    guard !result.lowLevel.isEmpty else { return }
    let figures = LowLevelFigures(result: result)
    parts.heading("What each layer knows of low-level image statistics")
    parts.add(
      figures.whole.figure(
        "Low-level information over depth",
        "Curves over relative depth: distance from all low-level statistics, and mean R² of probes"),
      figures.whole.data(), parts.text.lowLevel)
    parts.add(
      figures.rise.figure(
        "The last fifth against the middle",
        "Dots with intervals: the rise at the end of each model"),
      figures.rise.data(), parts.text.rise)
    let (spaces, probes) = (figures.spaces, figures.probes)
    if !spaces.panels.isEmpty {
      parts.heading("Each kind of statistic by itself")
      parts.add(
        spaces.figure(
          "Each kind of low-level statistic",
          "Small multiples of curves over relative depth, one for each kind of statistic"),
        spaces.data(), parts.text.spaces)
    }
    let single = StatisticMap(result: result)
    if !single.isEmpty {
      parts.heading("Every statistic by itself")
      parts.add(single.figure(), single.data(), parts.text.singles, [single.table()])
    }
    if !probes.panels.isEmpty {
      let drawing = parts.drawing(
        probes.figure(
          "Probes of each statistic",
          "Small multiples of R² over relative depth, one for each statistic", isFolded: true),
        probes.data(), parts.text.probes)
      parts.body.append(
        Fold.make("Probes of \(Text.plural(probes.panels.count, "statistic"))", [drawing]))
    }
  }

  private static func companions(_ result: StepsResult, _ parts: inout Parts) {
    if !result.isSymmetric, result.models.count > 1 {
      let plane = InformationPlane(result: result)
      parts.heading("Which layers contain which")
      let drawing = parts.drawing(plane.figure(), plane.data(), parts.text.plane(plane))
      parts.body.append(
        plane.isLong
          ? Fold.make("All \(Text.plural(result.pairs.count, "pair"))", [drawing]) : drawing)
    }
    let curves = GeometryFigure(result: result).curves
    guard !curves.panels.isEmpty else { return }
    parts.heading("The geometry of each layer")
    parts.add(
      curves.figure(
        "Companions of each layer",
        "Small multiples of curves over relative depth: intrinsic dimension and overlaps"),
      curves.data(), parts.text.geometry)
  }
}
