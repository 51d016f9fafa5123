import ParallaxResults

/// How much of its own place each token holds.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, figures 9, 10 and D.1 to D.3.
enum LocalizationSection {
  /// The section; nil where the run has no such result.
  static func make(_ material: Material) throws -> Section? {
    guard let found: LocalizationResult = try material.run.result(analysis: "localize") else {
      return nil
    }
    if let problem = LocalizationCheck(result: found).problem {
      throw ResultsError.damaged(
        path: material.run.url.appending(path: "results/localize.json").path, problem: problem)
    }
    let result = found.drawable
    let all = material.provenance.models.map { Text.label($0.name) }
    let (text, grid) = (
      LocalizationText(result: result), LocalizationGrids(result: result, all: all)
    )
    let curves = LocalizationCurves(result: result, all: all).figure
    let figure = curves.figure(
      "How well layers hold places",
      "Curves over relative depth: the share of tokens most like their own patch, the rank of it, how much it stands out, and R² of regressions"
    )
    let again = Fold.again(material)
    var body: [HTML] = [
      text.lead, text.switches,
      .element("h3", [:], "Which patches a token is like"),
      .element(
        "figure", ["id": "figure-localize-maps", "class": "figure"],
        [grid.html(\.picture), .element("figcaption", [:], text.maps), again]),
      .element("h3", [:], "How well layers hold places"),
      figure.html(caption: [.text(text.curves)], after: [again, text.table]),
    ]
    if result.models.contains(where: { $0.layers.contains { $0.decodedImages > 0 } }) {
      body += [
        .element("h3", [:], "Which patches can be read off a token"),
        .element(
          "figure", ["id": "figure-localize-decoding", "class": "figure"],
          [grid.html(\.decodedPicture), .element("figcaption", [:], text.decoding), again]),
      ]
    }
    if !result.refusals.isEmpty {
      body.append(Fold.refusals(result.refusals, title: "Left out", of: "model or layer"))
    }
    return Section(
      id: "localize", name: "Localisation", title: "Where in the image tokens stay", body: body,
      findings: result.findings, figures: [figure], data: curves.data())
  }
}

extension LocalizationResult {
  /// The same with names that figures can bear.
  var drawable: LocalizationResult {
    var copy = self
    for index in models.indices {
      copy.models[index].name = Text.label(models[index].name)
      for place in models[index].layers.indices {
        copy.models[index].layers[place].site = Text.label(models[index].layers[place].site)
      }
    }
    return copy
  }
}

/// Whether the parts of a result fit together; what does not is a damaged file, not a trap.
struct LocalizationCheck {
  let result: LocalizationResult

  /// What is wrong; nil where nothing is.
  var problem: String? {
    guard !result.models.isEmpty else { return "it names no model" }
    for (index, model) in result.models.enumerated() {
      guard !model.layers.isEmpty else { return "model \(index) has no layers" }
      for (place, layer) in model.layers.enumerated() {
        guard (1...65535).contains(layer.rows), (1...65535).contains(layer.columns) else {
          return
            "layer \(place) of model \(index) has a grid of \(layer.rows)×\(layer.columns)"
        }
        if let depth = layer.depth, !(0...1).contains(depth) {
          return "layer \(place) of model \(index) lies at relative depth \(depth)"
        }
        guard
          layer.tokens.allSatisfy({ token in
            token.values.count == layer.rows * layer.columns
              && (token.decoded.isEmpty || token.decoded.count == token.values.count)
          })
        else {
          return
            "a token of layer \(place) of model \(index) has not \(layer.rows)×\(layer.columns) values"
        }
      }
    }
    return nil
  }
}
