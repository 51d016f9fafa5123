import ParallaxResults

/// Effective receptive fields of all layers.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810; Luo et al., 2016, arXiv 1701.04128.
enum ReceptiveFieldSection {
  /// The section; nil where the run has no such result.
  static func make(_ material: Material) throws -> Section? {
    guard let result: ReceptiveFieldResult = try material.run.result(analysis: "receptive-field")
    else { return nil }
    if let problem = FieldCheck(result: result).problem {
      throw ResultsError.damaged(
        path: material.run.url.appending(path: "results/receptive-field.json").path,
        problem: problem)
    }
    let (grid, curves) = (FieldGrid(result: result), FieldCurves(result: result))
    let text = FieldText(result: result)
    let growth = curves.growth
    var figures = [
      growth.figure(
        "How receptive fields grow with depth",
        "Curves over relative depth: radius, Luo's size, the square of half the mass, and the mass in the centre cell"
      )
    ]
    var data = growth.data()
    var body = [
      text.lead, text.switches,
      .element("h3", [:], "What moves the centre of each layer"),
      maps([grid.html(grid.outputs, showsModel: true), grid.legend], text.maps, material),
      everything(grid),
      .element("h3", [:], "How the field grows with depth"),
      figures[0].html(
        caption: [.text(text.growth)],
        after: [Fold.again(material), FieldTable(result: result).html]),
    ]
    if curves.hasBranches {
      let branches = curves.branches
      let figure = branches.figure(
        "Before and after the residual connection",
        "Curves over relative depth of the field after the residual connection and of the branches before it"
      )
      figures.append(figure)
      data.merge(branches.data()) { $1 }
      body.append(.element("h3", [:], "Before and after the residual connection"))
      for rows in grid.parts {
        guard let model = rows.first?.model else { continue }
        body.append(
          .element(
            "div", ["class": "field-name"],
            [ModelMark.html(model), .element("strong", [:], result.models[model].name)]))
        body.append(grid.html(rows, showsModel: false))
      }
      body.append(grid.legend)
      body.append(figure.html(caption: [.text(text.branches)], after: [Fold.again(material)]))
    }
    if !result.refusals.isEmpty { body.append(Fold.refusals(result.refusals)) }
    return Section(
      id: "receptive-field", name: "Receptive fields",
      title: result.models.count == 1
        ? "How far the model's layers look" : "How far the models' layers look",
      body: body, findings: result.findings, figures: figures, data: data)
  }

  private static func maps(_ pieces: [HTML], _ caption: String, _ material: Material) -> HTML {
    .element(
      "figure", ["id": "figure-receptive-field-maps", "class": "figure"],
      pieces + [.element("figcaption", [:], caption), Fold.again(material)])
  }

  /// Every field that the grid leaves out, where there are any.
  private static func everything(_ grid: FieldGrid) -> HTML {
    let models = grid.result.models
    guard models.contains(where: { $0.outputs.count > FieldGrid.columns }) else { return .none }
    let rows = models.indices.flatMap { index in
      let fields = models[index].outputs
      return stride(from: 0, to: fields.count, by: FieldGrid.columns).map { start in
        FieldGrid.Row(
          model: index, name: start == 0 ? models[index].name : "",
          fields: Array(fields[start..<min(start + FieldGrid.columns, fields.count)]))
      }
    }
    let count = models.reduce(0) { $0 + $1.outputs.count }
    return Fold.make(
      "All \(Text.plural(count, "map"))", [grid.html(rows, showsModel: false), grid.legend])
  }
}

/// What the section says beside its figures.
struct FieldText {
  let result: ReceptiveFieldResult

  private var images: String {
    let most = result.models.flatMap(\.fields).map(\.skipped).max() ?? 0
    return "\(Text.plural(result.images, "image"))"
      + (most > 0
        ? ", of which \(most) or fewer were left out at a site for NaN in their gradients" : "")
  }

  private var estimator: String {
    "Channels: \(result.channels); \(images), \(result.dtype), seed \(result.seed)."
  }

  private var intervals: String {
    result.groups > 1
      ? "Bands are 95 % intervals by a jackknife over \(result.groups) groups of images."
      : "No intervals: there are too few images."
  }

  /// What this is, and whose.
  var lead: HTML {
    .element(
      "p", ["class": "lead"],
      """
      A layer could look at all of its theoretical receptive field, but most of its gradient comes from a part of it. After \
      Luo et al. (2016) and Raghu et al. (2021), this section shows how much each pixel moves the centre location of each \
      layer, and how far that reaches.
      """)
  }

  /// Every choice and who made it.
  var switches: HTML { Fold.switches(result.switches) }

  private var isSummed: Bool { result.channels == "summed" }

  var maps: String {
    let twin = result.models.contains { $0.twinOf != nil }
    return
      "Each picture is the input, averaged down to at most 112 pixels a side: light where a pixel moves the centre location of the layer most"
      + (isSummed
        ? " (absolute gradient of the sum of its channels: not the paper's quantity, for channels cancel)"
        : " (absolute gradient, mean over channels, colours and images)")
      + ". Each has a logarithmic scale of its own, so brightness compares places within a picture, not pictures. The number is the radius, the "
      + "mean distance of the mass from its centroid. Layers go from the first to the last; the grid that shows in transformers is their patches. "
      + (twin ? "Untrained twins have the same architecture and made-up weights. " : "")
      + "A field depends on the size of the input. \(estimator) Full size: tensors/receptive-field/ in the run folder."
  }

  var growth: String {
    "Sizes as shares of the input's side. Luo's size: √ of the pixels above 4.55 % of the largest value. Square: the smallest round the location "
      + "that holds half of the mass (RepLKNet's share, centred on the location). Centre cell: the patch of a transformer; of a convolutional network the "
      + "pixels of one location, more of them the deeper the layer. "
      + (result.models.contains { $0.twinOf != nil } ? "Dashed: untrained twins. " : "")
      + "\(intervals) \(estimator)"
  }

  var branches: String {
    "Solid: what leaves the block, after the residual connection. Dashed: what the branch adds to it. The gradient of a branch reaches the pixels through "
      + "all earlier blocks and their residual connections. Where a block has no residual connection both are one. Dashed lines have their intervals in the table above. \(intervals) \(estimator)"
  }
}

/// All sizes in numbers.
struct FieldTable {
  let result: ReceptiveFieldResult

  var html: HTML {
    let shares = result.models[0].fields[0].squares.map(\.share)
    let count = result.models.reduce(0) { $0 + $1.fields.count }
    return Fold.make(
      "Sizes in numbers: \(Text.plural(count, "field"))",
      [
        Fold.table(
          ["model", "site", "depth", "radius, px", "spread, px", "Luo, px"]
            + shares.map { "\(ReceptiveFieldResult.percent($0)) %, px" }
            + ["centre cell", "images"],
          result.models.flatMap { model in model.fields.map { row(model, $0) } })
      ])
  }

  private func row(
    _ model: ReceptiveFieldResult.Model, _ field: ReceptiveFieldResult.Field
  ) -> HTML {
    func cell(_ estimate: IntervalEstimate, _ digits: Int) -> HTML {
      let interval = Text.interval(estimate.low, estimate.high, digits: digits)
      return .element(
        "td", ["class": "number", "title": interval.map { "95 % interval: \($0)" } ?? ""],
        Text.number(estimate.value, digits: digits))
    }
    return .element(
      "tr", [:],
      [
        .element("td", [:], model.name), .element("td", [:], [.element("code", [:], field.site)]),
        .element("td", ["class": "number"], Text.number(field.depth, digits: 2)),
        cell(field.radius, 1), cell(field.spread, 1), cell(field.luo, 1),
      ] + field.squares.map { cell($0.side, 0) } + [
        cell(field.centre, 3),
        .element(
          "td", ["class": "number"],
          "\(field.images)" + (field.skipped > 0 ? " (\(field.skipped) skipped)" : "")),
      ])
  }
}
