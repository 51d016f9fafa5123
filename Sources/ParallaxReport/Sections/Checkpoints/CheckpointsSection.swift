import ParallaxResults

/// Checkpoints of one architecture on one axis.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, Figures 12 and G.1.
enum CheckpointsSection {
  /// The section; nil where the run has no such result.
  static func make(_ material: Material) throws -> Section? {
    guard let result: CheckpointsResult = try material.run.result(analysis: "checkpoints") else {
      return nil
    }
    if let problem = problem(result) {
      throw ResultsError.damaged(
        path: material.run.url.appending(path: "results/checkpoints.json").path, problem: problem)
    }
    let figures = CheckpointFigures(result: result)
    let (curves, between) = (figures.curves, figures.between)
    let axis = figures.axis
    var drawn = [
      curves.figure(
        "How far each checkpoint is from the reference",
        "Curves over relative depth: CKA of each layer with the same layer of the reference")
    ]
    var data = curves.data()
    var body = [
      lead(result), Fold.switches(result.switches),
      drawn[0].html(caption: [.text(caption(result))], after: [Fold.again(material)]),
    ]
    if let axis {
      drawn.append(axis.figure)
      data.merge(axis.data) { $1 }
      body.append(.element("h3", [:], "Low and high layers along the axis"))
      body.append(
        axis.figure.html(
          caption: [
            .text(
              "Mean CKA with the same layers of \(Text.label(result.checkpoints[result.reference].name)) over the first, middle and last third of the depth, and the uniformity of each checkpoint by itself. Bars are 95 % intervals."
            )
          ], after: [Fold.again(material)]))
    }
    drawn.append(between.figure)
    data.merge(between.data) { $1 }
    body += [
      .element("h3", [:], "Every two checkpoints"),
      between.figure.html(
        caption: [
          .text("CKA of two checkpoints at the same layer, mean over all layers.")
        ], after: [Fold.again(material), figures.table()]),
    ]
    if !result.refusals.isEmpty { body.append(Fold.refusals(result.refusals)) }
    return Section(
      id: "checkpoints", name: "Checkpoints", title: "Checkpoints of one architecture",
      body: body, findings: result.findings, figures: drawn, data: data)
  }

  /// A result that does not fit together is a damaged file, not a trap.
  private static func problem(_ result: CheckpointsResult) -> String? {
    let (count, sites) = (result.checkpoints.count, result.sites.sites.count)
    guard count > 1, sites > 0 else { return "it has \(count) checkpoints of \(sites) sites" }
    guard result.checkpoints.indices.contains(result.reference) else {
      return "the reference is checkpoint \(result.reference), of \(count)"
    }
    for (index, one) in result.checkpoints.enumerated() {
      guard one.toReference.count == sites, one.thirds.count == 3 else {
        return "checkpoint \(index) has not \(sites) numbers"
      }
      guard one.place?.isFinite ?? true else { return "checkpoint \(index) has no place" }
    }
    guard result.between.count == count, result.between.allSatisfy({ $0.count == count }) else {
      return "the matrix of checkpoints is not \(count) by \(count)"
    }
    return nil
  }

  private static func lead(_ result: CheckpointsResult) -> HTML {
    .element(
      "p", ["class": "lead"],
      """
      Raghu et al. (2021) held checkpoints of one architecture against each other, layer by layer: trained on a share of the data \
      against all of it, and before against after fine-tuning. This section does so for \(result.checkpoints.count) checkpoints\
      \(result.axis.isEmpty ? "" : " along \(Text.label(result.axis))").
      """)
  }

  private static func caption(_ result: CheckpointsResult) -> String {
    let errors =
      result.groups > 1
      ? "Bands are 95 % intervals by a jackknife over \(result.groups) groups of blocks."
      : "No intervals: one block of images has no spread."
    return
      "\(result.estimator == "debiased" ? "Debiased" : "Biased") linear CKA of each layer with the same layer of "
      + "\(Text.label(result.checkpoints[result.reference].name)), by minibatches of \(result.blockSize) images; "
      + "\(Text.plural(result.images, "image")), seed \(result.seed). \(errors)"
  }
}
