import ParallaxResults

/// How much the skip connections carry.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, figures 7, 8, E.1 and E.2.
enum ResidualSection {
  /// The section; nil where the run has no such result.
  static func make(_ material: Material) throws -> Section? {
    guard let found: ResidualResult = try material.run.result(analysis: "residual") else {
      return nil
    }
    if let problem = ResidualCheck(result: found).problem {
      throw ResultsError.damaged(
        path: material.run.url.appending(path: "results/residual.json").path, problem: problem)
    }
    let result = found.drawable
    let text = ResidualText(result: result)
    let all = material.provenance.models.map { Text.label($0.name) }
    let curves = ResidualCurves(result: result, all: all)
    let tokens = ResidualTokens(result: result)
    let removals = ResidualRemovals(result: result)
    let again = Fold.again(material)
    let lines = curves.figure
    var body: [HTML] = [
      text.lead, text.switches,
      .element("h3", [:], "What goes past each branch, over depth"),
      lines.figure(
        "Norm ratios and cosines over depth",
        "Curves over relative depth of the ratio of norms of skip and branch, and of their cosine, for spatial tokens and the class token"
      ).html(caption: [.text(text.curves)], after: [again, text.table]),
    ]
    var figures = [
      lines.figure(
        "Norm ratios and cosines over depth",
        "Curves over relative depth of the ratio of norms of skip and branch, and of their cosine, for spatial tokens and the class token"
      )
    ]
    var data = lines.data()
    if result.models.contains(where: { $0.transition != nil }) {
      body += [.element("h3", [:], "Class and spatial tokens change roles"), text.transitions]
    }
    if tokens.hasPanels {
      let figure = tokens.figure()
      figures.append(figure)
      data.merge(tokens.data()) { $1 }
      body += [
        .element("h3", [:], "Every token of every block"),
        figure.html(caption: [.text(text.tokens)], after: [again]),
      ]
    }
    let grids = ResidualGrid(result: result, all: all)
    if grids.hasRows {
      body += [
        .element("h3", [:], "Where in the image"),
        .element(
          "figure", ["id": "figure-residual-maps", "class": "figure"],
          [grids.html, .element("figcaption", [:], text.maps), again]),
      ]
    }
    if !result.removals.isEmpty {
      let figure = removals.figure()
      figures.append(figure)
      data.merge(removals.data()) { $1 }
      body += [
        .element("h3", [:], "Without the skip connections of a block"),
        figure.html(caption: [.text(text.removals)], after: [again, text.removalTable]),
      ]
    }
    if !result.refusals.isEmpty {
      body.append(Fold.refusals(result.refusals, title: "Left out", of: "model or sum"))
    }
    return Section(
      id: "residual", name: "Residual stream",
      title: "What goes past the branches, and what they add", body: body,
      findings: result.findings, figures: figures, data: data)
  }
}

extension ResidualResult {
  /// The same with names that figures can bear.
  var drawable: ResidualResult {
    var copy = self
    for index in models.indices {
      copy.models[index].name = Text.label(models[index].name)
      for place in models[index].connections.indices {
        copy.models[index].connections[place].site = Text.label(
          models[index].connections[place].site)
        copy.models[index].connections[place].block = Text.label(
          models[index].connections[place].block)
      }
    }
    for index in removals.indices {
      copy.removals[index].block = Text.label(removals[index].block)
      copy.removals[index].layers = removals[index].layers.map(Text.label)
    }
    return copy
  }

  /// What figures call a part.
  static func name(_ part: Part) -> String {
    switch part {
    case .attention: "attention"
    case .mlp: "perceptron"
    case .mixing: "mixing of tokens"
    case .branch: "long branch"
    }
  }
}

/// Whether the parts of a result fit together; what does not is a damaged file, not a trap.
struct ResidualCheck {
  let result: ResidualResult

  /// What is wrong; nil where nothing is.
  var problem: String? {
    guard !result.models.isEmpty else { return "it names no model" }
    guard result.span.isFinite, (0...64).contains(result.span) else {
      return "its colours span \(result.span) powers of two"
    }
    for (index, model) in result.models.enumerated() {
      guard !model.connections.isEmpty else { return "model \(index) has no sums" }
      for (place, one) in model.connections.enumerated() {
        guard (0...1).contains(one.depth) else {
          return "sum \(place) of model \(index) lies at relative depth \(one.depth)"
        }
        guard one.others >= 0, one.shownRows >= 0, one.shownColumns >= 0,
          one.shownRows < 65536, one.shownColumns < 65536, one.tokens.count >= one.others,
          one.shownRows == 0 || one.tokens.count == one.others + one.shownRows * one.shownColumns,
          one.cosines.count == one.tokens.count
        else {
          return
            "sum \(place) of model \(index) has \(one.tokens.count) tokens, not those of its grid"
        }
      }
    }
    for (index, removal) in result.removals.enumerated() {
      let count = removal.layers.count
      guard result.models.indices.contains(removal.model) else {
        return "removal \(index) is of model \(removal.model), of \(result.models.count)"
      }
      guard removal.before >= 0, removal.within >= 0, removal.before + removal.within <= count,
        [removal.intact, removal.ablated].allSatisfy({ map in
          map.count == count && map.allSatisfy { $0.count == count }
        })
      else { return "removal \(index) has maps that are not of \(count) layers" }
    }
    return nil
  }
}
