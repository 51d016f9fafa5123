import ParallaxResults

/// Measures of the catalog: a map of all pairs of sites each.
enum MeasuresSection {
  /// The section; nil where the run has no such result.
  static func make(_ material: Material) throws -> Section? {
    guard var result: MeasuresResult = try material.run.result(analysis: "measures") else {
      return nil
    }
    let count = result.addresses.count
    let isWhole = result.measures.allSatisfy { entry in
      [entry.values, entry.errors, entry.pValues, entry.bounds].compactMap(\.self).allSatisfy {
        $0.count == count && $0.allSatisfy { $0.count == count }
      }
    }
    guard isWhole, count > 0, !result.measures.isEmpty else {
      throw ResultsError.damaged(
        path: material.run.url.appending(path: "results/measures.json").path,
        problem: "its tables are not \(count) by \(count)")
    }
    for index in result.models.indices {
      result.models[index].name = Text.label(result.models[index].name)
    }
    let figures = result.measures.map { MeasureFigure(result: result, entry: $0) }
    var body: [HTML] = [
      .element(
        "p", ["class": "lead"],
        """
        Measures differ in what they ignore and in what they call alike; where several agree, the finding does not hang \
        on the choice of one. Each map holds all pairs of layers; of an asymmetric measure the first side is the row.
        """)
    ]
    body += result.warnings.filter { $0.measure == nil }.map(warning)
    for (figure, entry) in zip(figures, result.measures) {
      body.append(.element("h3", [:], entry.name))
      body += result.warnings.filter { $0.measure == entry.name }.map(warning)
      body.append(
        figure.figure.html(
          caption: [.text(caption(entry, result))],
          after: entry.refusals.isEmpty ? [] : [Fold.refusals(entry.refusals)]))
    }
    if !result.dominance.isEmpty { body.append(dominance(result)) }
    return Section(
      id: "measures", name: "Measures",
      title: "\(Text.plural(result.measures.count, "measure")) between all pairs of layers",
      body: body, findings: result.findings, figures: figures.map(\.figure),
      data: figures.reduce(into: [:]) { $0.merge($1.data) { first, _ in first } })
  }

  private static func caption(
    _ entry: MeasuresResult.Entry, _ result: MeasuresResult
  ) -> String {
    let kind =
      entry.direction == "distance"
      ? "A distance: darker is more alike." : "A similarity: brighter is more alike."
    let dots =
      result.permutations == 0
      ? "No images were shuffled: there is no baseline of chance. "
      : entry.pValues == nil
        ? "It does not care which image is which, so nothing was shuffled. "
        : MeasureFigure.canTell(result)
          ? "A dot: \(result.permutations) orders of shuffled images do not tell the value from chance (p > 0.05, each cell by itself). "
          : "\(Text.plural(result.permutations, "order")) of shuffled images are too few to tell a value from chance at 5 %: 19 can. "
    let errors =
      entry.errors == nil
      ? "No intervals: no groups of images were left out. "
      : "95 % intervals by a jackknife over \(result.groups) groups of images. "
    let grey = entry.pairRefusal.map { "Grey cells have no value: \($0). " } ?? ""
    let treatment = result.preprocessing.map { "The features were \($0) first. " } ?? ""
    let counts =
      entry.dependsOnImages
      ? "Its values depend on the number of images: compare at equal numbers only. " : ""
    return
      "\(kind) \(treatment)\(counts)It ignores \(words(entry.invariances)). \(dots)\(grey)\(errors)\(Text.plural(result.images, "image")), "
      + "\(result.dtype), the whole set at once\(route(entry, result)), seed \(result.seed). Definition: \(entry.source). "
      + "Agrees with \(entry.agreesWith)."
  }

  /// What may make values say less than they seem to, with the layers that it concerns.
  /// Where the values come from, and why.
  private static func route(
    _ entry: MeasuresResult.Entry, _ result: MeasuresResult
  ) -> String {
    guard let route = entry.route else { return "" }
    let why = result.routeReason.map { " (\($0))" } ?? ""
    return route == "moments"
      ? ", by second moments accumulated in one pass in float64\(why)"
      : ", from the features of all images\(why)"
  }

  private static func warning(_ warning: MeasuresResult.Warning) -> HTML {
    .group([
      .element(
        "p", ["class": "warning"],
        [
          .element("strong", [:], "Careful: "), .text("\(warning.text) (\(warning.source))."),
        ]),
      Fold.make(
        "Layers that it concerns: \(warning.addresses.count)",
        [
          .element(
            "ul", [:],
            warning.addresses.map { .element("li", [:], [.element("code", [:], $0)]) })
        ]),
    ])
  }

  /// The images that each layer's Gram matrix is mostly made of.
  private static func dominance(_ result: MeasuresResult) -> HTML {
    Fold.make(
      "The images that dominate each layer",
      [
        .element(
          "p", [:],
          """
          The share of the squared linear Gram matrix, centred, that belongs to each image; with \(result.images) images \
          an equal share is \(Text.number(1 / Double(max(1, result.images)), digits: 4)). The first component's share is that \
          of the variance. Where one image or a few hold most of it, measures compare these (Nguyen et al., 2022, arXiv \
          2202.07184; the share is our choice).
          """),
        Fold.table(
          ["layer", "images with the largest shares", "images that hold half", "first component"],
          result.dominance.map { site in
            let largest = site.largest.map { "\($0.id) \(Text.number($0.share))" }
            return .element(
              "tr", [:],
              [
                .element("td", [:], [.element("code", [:], site.address)]),
                .element("td", [:], largest.joined(separator: ", ")),
                .element("td", [:], Text.count(site.holdingHalf)),
                .element("td", [:], Text.number(site.firstComponent)),
              ])
          }),
      ])
  }

  /// What the letters of the invariances say.
  private static func words(_ letters: String) -> String {
    let known = [
      "T": "a shift of all rows", "S": "scale", "P": "the order of the neurons",
      "O": "rotations and reflections", "L": "any invertible linear map",
    ]
    return Text.list(letters.split(separator: " ").map { known[String($0)] ?? String($0) })
  }
}
