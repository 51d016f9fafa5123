import ParallaxResults

/// What the section on the residual stream says beside its figures.
struct ResidualText {
  let result: ResidualResult

  /// What this is, and whose.
  var lead: HTML {
    .element(
      "p", ["class": "lead"],
      """
      Most blocks add what they compute to what they were given: z + f(z). After Raghu et al. (2021), this section measures \
      how much the skip connection carries, ‖z‖, against what the branch adds, ‖f(z)‖. In their ViT the class token was \
      carried past the early branches while the spatial tokens were rewritten, and later it was the other way round.
      """)
  }

  /// Every choice and who made it.
  var switches: HTML { Fold.switches(result.switches) }

  private var basis: String {
    let most = result.models.flatMap(\.connections).map(\.undefined).reduce(0, +)
    return "\(Text.plural(result.images, "image")), \(result.dtype), \(result.aggregation)."
      + (most > 0
        ? " \(Text.plural(most, "ratio")) of an image and token left out as undefined." : "")
  }

  private var intervals: String {
    result.groups > 1
      ? "Bands are 95 % intervals by a jackknife over \(result.groups) groups of images. "
      : "No intervals: there are too few images. "
  }

  var curves: String {
    "Solid: mean over spatial tokens or positions. Dashed: the class token. Dotted: both norms alike; above it the skip "
      + "connection carries more than the branch adds. Cosine: of \(result.cosine). Depth counts all blocks of the model; blocks "
      + "without a skip connection have no point. \(intervals)Those of dashed lines stand in the table. \(basis)"
  }

  var tokens: String {
    "A row a block, a column a token; wide, before the gap, the class token and registers. Orange: the skip connection "
      + "carries more than the branch adds; blue: the branch rewrites the token. Grids of more than 16 × 16 patches are drawn as means of cells. \(basis)"
  }

  var maps: String {
    "Each picture is the grid of positions (at most 16 × 16 cells), the number the mean ratio. All pictures have one scale. \(basis)"
  }

  var removals: String {
    "Linear CKA of all layers (of each sum its branch and the sum, flattened), left of the whole model, right with the skips of "
      + "the block between the white lines set to zero while the model runs. The weights were trained with them: this is a lesion, "
      + "not the paper's experiment, in which models are trained without them. Accuracy is not measured. "
      + (result.removals.first.map {
        "Debiased estimator over \(Text.plural($0.blocks, "block")) of images, \(Text.plural($0.images, "image"))."
      } ?? "")
  }

  /// Where class and spatial tokens change roles, in numbers.
  var transitions: HTML {
    .group([
      .element(
        "p", [:],
        """
        D is log₂ of the class token's ratio less log₂ of the spatial tokens', mean over the branches of a block: above 0 the class \
        token is carried past more. A change of roles is D above 0 in the first half of the blocks and below 0 in the second.
        """),
      Fold.table(
        ["model", "D, first half", "D, second half", "change", "depth where D crosses 0"],
        result.models.compactMap { model in
          model.transition.map { found in
            .element(
              "tr", [:],
              [
                .element("td", [:], model.name), cell(found.early), cell(found.late),
                cell(found.change), cell(found.crossing),
              ])
          }
        }),
    ])
  }

  /// Every sum in numbers.
  var table: HTML {
    Fold.make(
      "Every sum in numbers",
      [
        Fold.table(
          [
            "model", "block", "branch", "ratio", "class token", "cosine", "class token", "mean ‖z‖",
            "mean ‖f(z)‖",
          ],
          result.models.flatMap { model in
            model.connections.map { one in
              .element(
                "tr", [:],
                [
                  .element("td", [:], model.name),
                  .element("td", [:], [.element("code", [:], one.block)]),
                  .element("td", [:], ResidualResult.name(one.part)), cell(one.ratio),
                  cell(one.classRatio), cell(one.cosine), cell(one.classCosine),
                  cell(IntervalEstimate(one.skipNorm)), cell(IntervalEstimate(one.branchNorm)),
                ])
            }
          })
      ])
  }

  /// The two squares in numbers.
  var removalTable: HTML {
    Fold.table(
      [
        "model", "without the skips of", "across, whole", "across, without", "one side, whole",
        "one side, without", "growth of the gap",
      ],
      result.removals.map { one in
        .element(
          "tr", [:],
          [
            .element("td", [:], result.models[one.model].name),
            .element("td", [:], [.element("code", [:], one.block)]), cell(one.acrossIntact),
            cell(one.acrossAblated), cell(one.insideIntact), cell(one.insideAblated),
            cell(one.split),
          ])
      })
  }

  private func cell(_ estimate: IntervalEstimate) -> HTML {
    let interval = Text.interval(estimate.low, estimate.high, digits: 2)
    return .element(
      "td", ["class": "number"],
      Text.number(estimate.value, digits: 2) + (interval.map { " [\($0)]" } ?? ""))
  }
}
