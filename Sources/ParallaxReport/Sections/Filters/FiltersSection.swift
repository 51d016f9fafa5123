import ParallaxResults

/// The filters of the first layers.
enum FiltersSection {
  /// The section; nil where the run has no such result.
  static func make(_ material: Material) throws -> Section? {
    guard let result: FiltersResult = try material.run.result(analysis: "filters") else {
      return nil
    }
    if let problem = problem(result) {
      throw ResultsError.damaged(
        path: material.run.url.appending(path: "results/filters.json").path, problem: problem)
    }
    return Section(
      id: "filters", name: "Filters",
      title: result.models.count == 1
        ? "The filters of the model’s first layer" : "The filters of the models’ first layers",
      body: [
        .element(
          "p", ["class": "lead"],
          """
          What each pixel changes at the centre of a channel of the first layer: its weights, where the layer is linear. Filters that \
          training has found are waves and patches of colour; those of an untrained network are noise.
          """),
        Fold.switches(result.switches),
        .element(
          "figure", ["id": "figure-filters", "class": "figure"],
          [
            PictureCell.row(
              [], result.models.enumerated().map { cell($0, $1) }, isLarge: true),
            .element(
              "figcaption", [:],
              """
              Up to 64 filters of each model in the order of its channels, eight in a row, each scaled from its least to its largest number. Smoothness: \
              correlation of neighbouring pixels, mean over all filters; 1 is flat, 0 noise. All filters: tensors/filters/.
              """), Fold.again(material),
          ]),
      ], findings: result.findings, figures: [], data: [:])
  }

  private static func cell(_ index: Int, _ model: FiltersResult.Model) -> PictureCell {
    PictureCell(
      picture: model.picture, label: "The first filters of \(model.name)@\(model.site)",
      name: model.name,
      lines: [
        model.site, "\(model.channels) filters of \(model.rows) × \(model.columns)",
        "smoothness \(Text.number(model.meanSmoothness, digits: 2))",
      ] + (model.twinOf.map { ["untrained twin of \($0)"] } ?? [])
        + (model.isLinear ? [] : ["not linear: at a grey picture"]))
  }

  private static func problem(_ result: FiltersResult) -> String? {
    guard !result.models.isEmpty else { return "it names no model" }
    for model in result.models {
      guard model.channels > 0, model.rows > 0, model.columns > 0 else {
        return "\(model.name) has no filters"
      }
      guard model.smoothness.count == model.channels,
        model.smoothness.allSatisfy({ $0.map { abs($0) <= 1.000001 } ?? true })
      else { return "the smoothness of \(model.name)'s filters does not fit" }
      guard PictureCell.isPicture(model.picture) else { return "a picture is no PNG" }
    }
    return nil
  }
}
