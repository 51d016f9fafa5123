import ParallaxResults

/// How similar the layers of the models are.
///
/// > Source: Kornblith et al., 2019, arXiv 1905.00414; Nguyen et al., 2021, arXiv 2010.15327; Raghu et al., 2021,
/// > arXiv 2108.08810.
enum SimilaritySection {
  /// The section; nil where the run compared nothing.
  static func make(_ material: Material) throws -> Section? {
    guard var result: SimilarityResult = try material.run.result(analysis: "similarity") else {
      return nil
    }
    if let problem = SimilarityCheck(result: result).problem {
      throw ResultsError.damaged(
        path: material.run.url.appending(path: "results/similarity.json").path, problem: problem)
    }
    for index in result.models.indices {
      result.models[index].name = Text.label(result.models[index].name)
    }
    let figures = SimilarityFigures(result: result)
    let overview = figures.overview()
    let partners = PartnerFigure(result: result)
    let partnerFigure = partners.figure()
    let one = result.models.count == 1
    let pairs: [Figure] =
      one
      ? []
      : result.models.indices.flatMap { a in
        result.models.indices.filter { $0 >= a }.map { figures.pair(a, $0) }
      }
    var body: [HTML] = [
      .element(
        "p", ["class": "lead"],
        """
        \(result.measure) compares what two layers make of the same images, whatever the number of their features and \
        however these are rotated or scaled: 1 where the images lie in the same arrangement, about 0 where the two \
        arrangements have nothing in common.
        """),
      overview.html(caption: caption(result, figures, material), after: [Fold.again(material)]),
    ]
    if !pairs.isEmpty {
      body.append(
        Fold.make(
          "Every pair alone, larger",
          pairs.map { figure in
            .group([
              .element("h4", [:], figure.title),
              figure.html(caption: [.text(basis(result))], after: [Fold.again(material)]),
            ])
          }))
    }
    body += [
      .element("h3", [:], "The strongest partner of each layer"),
      partnerFigure.html(
        caption: [
          .text(
            one
              ? "Above: the similarity of each layer with the other layer of the model that it is most similar to. "
                + "Below: where that one stands; on the dashed line, at the same depth."
              : "Above: the similarity of each layer with the layer of each other model that it is most similar to. "
                + "Below: where that partner stands; on the dashed line, at the same relative depth."
          ),
          .text(
            " The strongest of several is biased upwards by the choice. \(basis(result))"),
        ], after: [Fold.again(material), partners.table()]),
    ]
    if !result.refusals.isEmpty { body.append(Fold.refusals(result.refusals)) }
    return Section(
      id: "similarity", name: "Similarity",
      title: one
        ? "How similar the layers are among themselves"
        : "How similar the models are, layer by layer",
      body: body, findings: result.findings, figures: [overview, partnerFigure] + pairs,
      data: figures.data().merging(partners.data()) { $1 })
  }

  private static func caption(
    _ result: SimilarityResult, _ figures: SimilarityFigures, _ material: Material
  ) -> [HTML] {
    let one = result.models.count == 1
    var text =
      "Each cell is the \(result.estimator) linear \(result.measure) of two layers; layers run from the left to the "
      + "right and from below upwards, in the order in which they compute. Thin lines part the stages of a network. "
    if !one {
      text +=
        "The white line is the best-matching path: forward in both models, with the largest mean similarity. "
    }
    if !figures.sharesCells {
      text +=
        "The models differ much in their number of layers, so each has a side of the same length; cells of a model "
        + "with itself are square. "
    }
    if result.matrices.contains(where: { $0.values.contains { $0.contains(nil) } }) {
      text += "Grey cells are undefined; the reasons stand below. "
    }
    let level = result.matrices.compactMap { $0.shuffled?.quantile95 }.max()
    if let level {
      text +=
        "Between models, 95 % of cells of shuffled pairs of images stay below \(Text.number(level, digits: 2)). "
    }
    let left =
      result.imagesLeftOut > 0
      ? " (\(Text.plural(result.imagesLeftOut, "image")) of incomplete blocks left out)" : ""
    let errors =
      if let method = result.errorMethod {
        "95 % intervals are ± \(Text.number(result.intervalFactor, digits: 2)) standard errors (Student's t) by \(method). "
      } else if result.route == "exact" {
        "The exact route has neither intervals nor a baseline of shuffled pairs; --route minibatch has. "
      } else { "No intervals: one block of images has no spread. " }
    text +=
      "\(Text.plural(result.images, "image"))\(left), \(result.dtype), \(result.route) route in blocks of "
      + "\(result.blockSize) mixed images, each of the same weight (\(result.routeReason)), seed \(result.seed). \(errors)"
    if let pass = material.provenance.seconds["pass"] {
      text += "The pass over the images, all models included, took \(Text.duration(pass))."
    }
    return [.text(text)]
  }

  /// Estimator, number of images, type and seed in a line.
  private static func basis(_ result: SimilarityResult) -> String {
    "\(result.estimator) linear \(result.measure), \(Text.plural(result.images, "image")), \(result.dtype), "
      + "\(result.route) route, seed \(result.seed)."
  }
}
