import ParallaxResults

/// The structure of representations: all sub-layers.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, section 3.
enum StructureSection {
  /// The section; nil where the run has no such result.
  static func make(_ material: Material) throws -> Section? {
    guard var result: StructureResult = try material.run.result(analysis: "structure") else {
      return nil
    }
    if let problem = problem(result) {
      throw ResultsError.damaged(
        path: material.run.url.appending(path: "results/structure.json").path, problem: problem)
    }
    for index in result.similarity.models.indices {
      result.similarity.models[index].name = Text.label(result.similarity.models[index].name)
    }
    let one = result.models.count == 1
    let maps = SimilarityFigures(result: result.similarity, id: "structure")
    let overview = maps.overview()
    let figures = StructureFigures(result: result)
    let (dots, edges) = (figures.dots, figures.edges)
    let partners = PartnerFigure(result: result.similarity, prefix: "structure-")
    let drawn = [
      overview,
      dots.figure(
        "Structure in numbers", "A dot each model for uniformity, grid, cut and edges of stages"),
      edges.figure(
        "Where a model changes", "Curves over relative depth of the edge between sub-layers"),
      partners.figure(),
    ]
    let pairs: [Figure] =
      one
      ? []
      : result.models.indices.flatMap { a in
        result.models.indices.filter { $0 >= a }.map { maps.pair(a, $0) }
      }
    let larger =
      one
      ? HTML.none
      : Fold.make(
        "Every pair alone, larger",
        pairs.map { figure in
          .group([
            .element("h4", [:], figure.title),
            figure.html(caption: [], after: [Fold.again(material)]),
          ])
        })
    var body = [
      lead, Fold.switches(result.switches),
      drawn[0].html(caption: [.text(caption(result))], after: [Fold.again(material)]),
      larger,
      .element("h3", [:], "How uniform, and in which stages"),
      drawn[1].html(caption: [.text(numbers(result))], after: [Fold.again(material)]),
      drawn[2].html(caption: [.text(edgeText)], after: [Fold.again(material)]),
      .element(
        "h3", [:],
        one ? "The strongest partner of each sub-layer" : "Which layers correspond to which"),
      drawn[3].html(
        caption: [.text(partnerText(one))],
        after: [Fold.again(material)] + (one ? [] : [figures.table()])),
    ]
    if !result.similarity.refusals.isEmpty {
      body.append(Fold.refusals(result.similarity.refusals))
    }
    return Section(
      id: "structure", name: "Structure",
      title: one
        ? "The structure of the model's representations"
        : "The structure of the models' representations",
      body: body, findings: result.findings, figures: drawn + pairs,
      data: maps.data().merging(dots.data()) { $1 }.merging(edges.data()) { $1 }
        .merging(partners.data()) { $1 })
  }

  /// A result that does not fit together is a damaged file, not a trap.
  private static func problem(_ result: StructureResult) -> String? {
    if let problem = SimilarityCheck(result: result.similarity).problem { return problem }
    let sites = result.similarity.models.map(\.sites.count)
    guard result.models.count == sites.count else {
      return "it has numbers of \(result.models.count) models, of \(sites.count)"
    }
    for (index, model) in result.models.enumerated() {
      guard model.kinds.count == sites[index], model.units.count == sites[index],
        model.edges.count == max(0, sites[index] - 1)
      else { return "the numbers of model \(index) are not of its \(sites[index]) sub-layers" }
    }
    for pair in result.correspondences {
      guard sites.indices.contains(pair.a), sites.indices.contains(pair.b),
        pair.partnerDepths.count == 3, pair.strengths.count == 3
      else { return "a correspondence is of models \(pair.a) and \(pair.b), of \(sites.count)" }
    }
    return nil
  }

  private static let lead = HTML.element(
    "p", ["class": "lead"],
    """
    Raghu et al. (2021) found transformers uniform from the first layer to the last, and convolutional networks divided into \
    stages. This section compares all sub-layers, each with every number of its activation, and puts what their heat maps \
    show into numbers.
    """)

  private static func caption(_ result: StructureResult) -> String {
    let similarity = result.similarity
    let layers =
      result.layers == "sparse"
      ? "Sub-layers: the stem; of a transformer's block attention, first sum, perceptron and output; of a convolutional block each convolution, the sum and the output. "
      : "Sub-layers: the stem; of a transformer's block norm, attention, sum, norm, hidden activations and output; of a convolutional block each convolution and norm, the sum and the output. "
    let errors =
      similarity.errorMethod.map {
        "95 % intervals are ± \(Text.number(similarity.intervalFactor, digits: 2)) standard errors (Student's t) by \($0). "
      } ?? "No intervals: one block of images has no spread. "
    return
      "Each cell is the \(similarity.estimator) linear CKA of two sub-layers, from the left to the right and from below upwards in the order in "
      + "which they compute; a model with itself on the diagonal of maps. \(layers)Thin lines part the stages of a network, the white line is the "
      + "best-matching path. \(Text.plural(similarity.images, "image")) in blocks of \(similarity.blockSize), "
      + "\(Text.plural(result.passes, "pass", "passes")), \(similarity.dtype), seed \(similarity.seed). \(errors)"
  }

  private static func numbers(_ result: StructureResult) -> String {
    let window = StructureResult.window
    return
      "Uniformity: mean CKA of two different sub-layers. First and last third: mean CKA between the two thirds of the depth. Grid: CKA of sub-layers of one "
      + "kind less that of two kinds, at equal distance in blocks. Best cut: CKA within both sides less CKA across, at the cut where that is largest "
      + "(chosen on all images, so biased upwards). Edges of stages: the mean edge (\(window) sub-layers on either side) where the architecture begins a "
      + "stage, less the mean of the others; a model of one stage has none. The numbers are our choice, the paper has heat maps. "
      + "Intervals are of 95 %, by a jackknife over groups of blocks."
  }

  private static let edgeText =
    "The edge between neighbouring sub-layers: mean CKA within the \(StructureResult.window) before and the \(StructureResult.window) after, less the mean CKA "
    + "across. A network of stages has peaks."

  private static func partnerText(_ one: Bool) -> String {
    one
      ? "Above: CKA of each sub-layer with the other one that it is most similar to. Below: where that one stands."
      : "Above: CKA of each sub-layer with the one of each other model that it is most similar to. Below: where that partner stands; on the dashed line, at the "
        + "same relative depth. A plateau near the bottom is what the paper describes: many layers of a convolutional network are like few low ones of a transformer."
  }
}
