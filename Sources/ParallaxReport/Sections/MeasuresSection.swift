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
    for (figure, entry) in zip(figures, result.measures) {
      body.append(.element("h3", [:], entry.name))
      body.append(
        figure.figure.html(
          caption: [.text(caption(entry, result))],
          after: entry.refusals.isEmpty ? [] : [Fold.refusals(entry.refusals)]))
    }
    return Section(
      id: "measures", name: "Measures",
      title: "\(Text.plural(result.measures.count, "measure")) between all pairs of layers",
      body: body, figures: figures.map(\.figure),
      data: figures.reduce(into: [:]) { $0.merge($1.data) { first, _ in first } })
  }

  private static func caption(
    _ entry: MeasuresResult.Entry, _ result: MeasuresResult
  ) -> String {
    let kind =
      entry.direction == "distance"
      ? "A distance: darker is more alike." : "A similarity: brighter is more alike."
    let dots =
      entry.pValues == nil
      ? "It does not care which image is which, so nothing was shuffled. "
      : MeasureFigure.canTell(result)
        ? "A dot: \(result.permutations) orders of shuffled images do not tell the value from chance (p > 0.05, each cell by itself). "
        : "\(Text.plural(result.permutations, "order")) of shuffled images are too few to tell a value from chance at 5 %: 19 can. "
    let errors =
      entry.errors == nil
      ? "No intervals: too few images to leave groups out. "
      : "95 % intervals by a jackknife over \(result.groups) groups of images. "
    let grey = entry.pairRefusal.map { "Grey cells have no value: \($0). " } ?? ""
    let treatment = result.preprocessing.map { "The features were \($0) first. " } ?? ""
    return
      "\(kind) \(treatment)It ignores \(words(entry.invariances)). \(dots)\(grey)\(errors)\(Text.plural(result.images, "image")), "
      + "\(result.dtype), the whole set at once, seed \(result.seed). Definition: \(entry.source). "
      + "Agrees with \(entry.agreesWith)."
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
