import ParallaxResults

/// What the section on localisation says beside its figures.
struct LocalizationText {
  let result: LocalizationResult

  /// What this is, and whose.
  var lead: HTML {
    .element(
      "p", ["class": "lead"],
      """
      A token begins as one patch of the image and is mixed with others in every layer. After Raghu et al. (2021), this section asks \
      which patches of the input a token at the end is still like. In their ViT with a class token the tokens of the last layers \
      stood for their own place; in ResNets, and in a ViT that pools its tokens, much less so.
      """)
  }

  /// Every choice and who made it.
  var switches: HTML { Fold.switches(result.switches) }

  private var basis: String {
    "\(Text.plural(result.images, "image")) in \(Text.plural(result.blocks, "block")), \(result.dtype), seed \(result.seed)."
      + (result.imagesLeftOut > 0
        ? " \(Text.plural(result.imagesLeftOut, "image")) of blocks too small left out." : "")
  }

  var maps: String {
    "Each picture is the grid of patches of the input: CKA, over images, between one token and each patch. Rows are layers, the last "
      + "above; columns are tokens, (row, column) from 0. Each layer has its own scale, said beside it. The rank is that of the own patch, 1 being the most "
      + "similar. Linear CKA, debiased, summed over blocks of images. \(basis) All tokens: tensors/localize.safetensors in the run folder."
  }

  var curves: String {
    "Over all tokens of a layer. Rank: mean rank of the own patch over the number of patches; chance is a half. "
      + (result.models.contains { $0.twinOf != nil } ? "Dashed: untrained twins. " : "")
      + (result.groups > 0
        ? "Bands are 95 % intervals by a jackknife over \(result.groups) groups of blocks of images (of R² over folds). "
        : "No intervals over images: fewer than four blocks. ") + basis
  }

  var decoding: String {
    let most = result.models.flatMap(\.layers).map(\.decodedImages).max() ?? 0
    return
      "R² of ridge regressions from one token to the pixels of every patch, over all pixels of a patch together, on images that they were not fitted to "
      + "(\(Text.plural(most, "image")), five folds; λ by leave-one-out for each fold and patch). Below 0 the mean image would have been the better guess. Each "
      + "layer has its own scale."
  }

  /// Every layer in numbers.
  var table: HTML {
    Fold.make(
      "Every layer in numbers",
      [
        Fold.table(
          [
            "model", "layer", "grid", "own first", "inner tokens", "mean rank", "own CKA",
            "over mean", "edge less inner", "R² own", "R² all",
          ],
          result.models.flatMap { model in
            model.layers.map { layer in
              .element(
                "tr", [:],
                [
                  .element("td", [:], model.name),
                  .element("td", [:], [.element("code", [:], layer.site)]),
                  .element("td", ["class": "nowrap"], "\(layer.rows) × \(layer.columns)"),
                  cell(layer.hits), cell(layer.innerHits), cell(layer.rank, 1), cell(layer.own),
                  cell(layer.contrast), cell(layer.edge), cell(layer.decodedOwn),
                  cell(layer.decodedAll),
                ])
            }
          })
      ])
  }

  private func cell(_ estimate: IntervalEstimate, _ digits: Int = 2) -> HTML {
    let interval = Text.interval(estimate.low, estimate.high, digits: digits)
    return .element(
      "td", ["class": "number"],
      Text.number(estimate.value, digits: digits) + (interval.map { " [\($0)]" } ?? ""))
  }
}
