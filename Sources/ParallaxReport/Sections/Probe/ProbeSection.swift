import ParallaxResults

/// How well classes can be read off each layer and each token.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, figures 11, 13 and D.4.
enum ProbeSection {
  /// The section; nil where the run has no such result.
  static func make(_ material: Material) throws -> Section? {
    guard let found: ProbeResult = try material.run.result(analysis: "probe") else { return nil }
    if let problem = ProbeCheck(result: found).problem {
      throw ResultsError.damaged(
        path: material.run.url.appending(path: "results/probe.json").path, problem: problem)
    }
    let result = found.drawable
    // A model's colour is that of its place among all models of the run.
    let all = material.provenance.models.map(\.name)
    let places = found.models.enumerated().map { all.firstIndex(of: $1.name) ?? $0 }
    let text = ProbeText(result: result)
    let curves = ProbeCurves(result: result, places: places)
    let again = Fold.again(material)
    let (accuracy, others) = (curves.accuracy, curves.others)
    var figures = [
      accuracy.figure(
        "Accuracy of few-shot probes over depth",
        "Curves of accuracy over relative depth, a panel a number of shots, a line a model, with chance"
      ),
      others.figure(
        "Other probes over depth, shuffled labels, and the penalty chosen",
        "Curves over relative depth: neighbours, logistic regression, shuffled labels, log2 of the penalty"
      ),
    ]
    var data = accuracy.data().merging(others.data()) { $1 }
    var body: [HTML] = [
      text.lead, text.switches, .element("h3", [:], "Accuracy over depth"),
      figures[0].html(caption: [.text(text.accuracy)], after: [again, text.table]),
    ]
    let views = ProbeViewsFigure(result: result)
    if views.isWorthwhile {
      figures.append(views.figure())
      data.merge(views.data()) { $1 }
      body += [
        .element("h3", [:], "Class token, pooled tokens, first token"),
        views.figure().html(caption: [.text(text.views)], after: [again]),
      ]
    }
    let maps = ProbeMaps(result: result)
    if maps.isWorthwhile {
      let single = curves.single
      figures += [
        maps.figure(),
        single.figure(
          "Single tokens over depth",
          "Curves of mean accuracy of single tokens over relative depth, and of the model's own way on the same images, dashed"
        ),
      ]
      data.merge(maps.data()) { $1 }
      data.merge(single.data()) { $1 }
      body += [
        .element("h3", [:], "One probe a token"),
        maps.figure().html(caption: [.text(text.maps)], after: [again]),
        figures[figures.count - 1].html(caption: [.text(text.single)], after: [again]),
      ]
    }
    body += [
      .element("h3", [:], "Other probes, chance, and the penalty"),
      figures[1].html(caption: [.text(text.others)], after: [again]),
    ]
    if !result.refusals.isEmpty {
      body.append(Fold.refusals(result.refusals, title: "Without a value"))
    }
    return Section(
      id: "probe", name: "Probes",
      title: result.models.count == 1
        ? "What a linear probe reads off the model's layers"
        : "What a linear probe reads off the models' layers",
      body: body, findings: result.findings, figures: figures, data: data)
  }
}

extension ProbeResult {
  /// The same with names that figures can bear.
  var drawable: ProbeResult {
    var copy = self
    for index in models.indices {
      copy.models[index].name = Text.label(models[index].name)
      for view in models[index].views.indices {
        copy.models[index].views[view].label = Text.label(models[index].views[view].label)
        for site in models[index].views[view].sites.indices {
          copy.models[index].views[view].sites[site].name = Text.label(
            models[index].views[view].sites[site].name)
        }
      }
      for map in models[index].maps.indices {
        copy.models[index].maps[map].site = Text.label(models[index].maps[map].site)
      }
    }
    return copy
  }
}

/// Whether the parts of a result fit together; what does not is a damaged file, not a trap.
struct ProbeCheck {
  let result: ProbeResult

  /// What is wrong; nil where nothing is.
  var problem: String? {
    guard !result.models.isEmpty else { return "it names no model" }
    guard !result.shots.isEmpty, result.shots.allSatisfy({ $0 > 0 }) else {
      return "it names no number of shots"
    }
    guard result.classes.count > 1 else { return "it names \(result.classes.count) classes" }
    for (index, model) in result.models.enumerated() {
      guard let first = model.views.first, !first.sites.isEmpty else {
        return "model \(index) has no sites"
      }
      for site in model.views.flatMap(\.sites) {
        guard (0...1).contains(site.depth) else {
          return "a site of model \(index) lies at relative depth \(site.depth)"
        }
        guard [0, result.shots.count].contains(site.scores.count) else {
          return
            "a site of model \(index) has \(site.scores.count) scores for \(result.shots.count) numbers of shots"
        }
        guard site.scores.allSatisfy({ [0, result.penalties.count].contains($0.byPenalty.count) })
        else { return "a site of model \(index) has not \(result.penalties.count) penalties" }
        guard site.all == nil || result.all != nil else {
          return
            "a site of model \(index) has a probe of all training images, of which there are none"
        }
      }
      for map in model.maps {
        guard (1...4096).contains(map.rows), (1...4096).contains(map.columns),
          map.values.count == map.rows * map.columns
        else {
          return
            "a map of model \(index) has \(map.values.count) values for \(map.rows)×\(map.columns) tokens"
        }
        guard (0...1).contains(map.depth) else {
          return "a map of model \(index) lies at relative depth \(map.depth)"
        }
      }
    }
    return nil
  }
}
