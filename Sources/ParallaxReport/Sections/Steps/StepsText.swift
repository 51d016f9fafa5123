import ParallaxResults

/// What the section on processing steps says beside its figures.
struct StepsText {
  let result: StepsResult

  private var isOne: Bool { result.models.count == 1 }
  private var floor: String {
    result.floor.map {
      "Dotted: what a representation has with itself (\(Text.number($0, digits: $0 == 0 ? 0 : 4)))\($0 > 0 ? ", the floor, which is not 0" : ""). "
    } ?? ""
  }

  /// What this is, and whose.
  var lead: HTML {
    .element(
      "p", ["class": "lead"],
      """
      Models may end alike and still get there by different steps. After Mahaut and Baroni (2026), this section follows how \
      far models are from each other at every stage, how smoothly each changes, and what each layer still knows of \
      low-level image statistics. The paper's questions and findings are its own; the switches are ours where it is silent.
      """)
  }

  /// Whether the finding that begins so has a number.
  private func isTested(_ beginning: String) -> Bool {
    result.findings.contains { $0.sentence.hasPrefix(beginning) && $0.value != nil }
  }

  /// The paper's findings, and which of the figures here bear on them.
  func claims(_ figures: [Figure]) -> HTML {
    let ids = Set(figures.map(\.id))
    let claims: [(String, [(id: String, name: String)])] = [
      (
        "Layers at similar positions of different models are the most similar, but strong differences remain.",
        isOne
          ? []
          : [
            ("steps-maps", "maps"), ("steps-matches", "nearest layers"),
            ("steps-positions", "what remains"), ("steps-evolution", "distance over depth"),
          ]
      ),
      (
        "Classifiers, unlike other models, discard information about low-level statistics in their final layers.",
        isTested("Classifiers")
          ? [("steps-low-level", "low-level information"), ("steps-rise", "the end of each model")]
          : []
      ),
      (
        "Transformers change representations more smoothly from one layer to the next than convolutional networks.",
        isTested("Transformers")
          ? [("steps-smoothness", "step sizes"), ("steps-statistics", "their statistics")] : []
      ),
    ]
    return .group([
      .element(
        "p", [:], "The paper's three findings, and where this page tests them on these models:"),
      .element(
        "ol", ["class": "caveats"],
        claims.map { claim, places in
          let there = places.filter { ids.contains($0.id) }
          let links = there.enumerated().map { index, place -> HTML in
            .group([
              .text(index == 0 ? "" : index == there.count - 1 ? " and " : ", "),
              .element("a", ["href": "#figure-\(place.id)"], place.name),
            ])
          }
          return .element(
            "li", [:],
            [
              .text(claim + " "),
              .element(
                "span", ["class": "quiet"],
                links.isEmpty
                  ? [.text("Not tested: this run lacks what it takes.")]
                  : [.text("Here: ")] + links + [.text(".")]),
            ])
        }),
    ])
  }

  /// The findings by the driving measure and by others, side by side.
  var alternatives: HTML {
    guard !result.alternatives.isEmpty, !result.findings.isEmpty else { return .none }
    let columns =
      [(result.quantity, result.findings)]
      + result.alternatives.map {
        ($0.quantity, $0.findings)
      }
    return .group([
      .element(
        "h3", [:],
        "The same findings by \(result.alternatives.count == 1 ? "another measure" : "other measures")"
      ),
      Fold.table(
        ["finding"] + columns.map { "by \($0.0)" },
        result.findings.indices.map { row in
          .element(
            "tr", [:],
            [.element("td", [:], result.findings[row].sentence)]
              + columns.map { _, findings in
                .element(
                  "td", ["class": "nowrap"],
                  findings.indices.contains(row) ? cell(findings[row]) : [])
              })
        }),
    ])
  }

  private func cell(_ finding: Finding) -> [HTML] {
    let interval = Text.interval(finding.low, finding.high).map { " [\($0)]" } ?? ""
    return [
      .element("span", ["class": "verdict \(finding.verdict.style)"], finding.verdict.rawValue),
      .element(
        "div", ["class": "quiet", "title": finding.quantity],
        Text.number(finding.value) + interval),
    ]
  }

  /// Every choice and who made it.
  var switches: HTML { Fold.switches(result.switches) }

  func maps(_ maps: DistanceMaps) -> String {
    var text =
      result.isSymmetric
      ? "Each cell is \(result.quantity) of two layers: darker is nearer. "
      : "Each cell is the \(result.quantity) from the row's layer to the column's: about 0 (dark) where the row's layer tells "
        + "the column's neighbourhoods, about 1 where it says nothing of them. The two directions differ\(isOne ? "" : ", so every ordered pair has its map"). "
    text +=
      "Layers run from the left to the right and from below upwards, in the order in which they compute. "
      + (beginnings.isEmpty ? "" : "A gap sets the input and the stem apart. ")
      + "Thin lines part the stages of a network. "
    if !isOne {
      text +=
        "The white line is the matched path through the blocks: forward in both models, nearest on average\(result.isSymmetric ? "" : " of both directions"). "
    }
    if !maps.sharesCells {
      text +=
        "The models differ much in their number of layers, so each has a side of the same length. "
    }
    if result.grids.contains(where: { $0.values.contains { $0.contains(nil) } }) {
      text += "Grey cells have no value. "
    }
    text +=
      result.permutations == 0
      ? "Nothing was shuffled, so chance is not marked. "
      : result.canTell
        ? "A dot: \(result.permutations) orders of shuffled images do not tell the value from chance (p > 0.05, each cell by itself). "
        : "\(Text.plural(result.permutations, "order")) of shuffled images are too few to tell a cell from chance at 5 %: 19 can. "
    if let floor = result.floor, floor > 0 {
      text += "A representation has \(Text.number(floor, digits: 4)) with itself, the floor. "
    }
    return text + "Cells have no intervals. \(rescaled)\(end)"
  }

  /// How values become those of the other normalisation.
  private var rescaled: String {
    guard let other = result.rescaled else { return "" }
    let shift = Text.number(abs(other.shift), digits: 4)
    return
      "By \(other.quantity): value × \(Text.number(other.scale, digits: 4)) \(other.shift < 0 ? "−" : "+") \(shift), all in results.csv. "
  }

  /// Estimator, images, type, seed, source.
  private var end: String {
    "Measure: \(result.measure); \(result.basis) Definition: \(result.source)."
  }

  /// What stands before the blocks, where anything does.
  private var beginnings: String {
    result.models.contains { $0.leading > 0 } ? "Left of 0 stand the input and the stem. " : ""
  }

  var matches: String {
    "For each block of a model, the block of each other model that is nearest (mean of both directions) and where it stands; on "
      + "the dashed line, at the same relative depth. The nearest of several is biased towards near by the choice. \(result.basis)"
  }

  var positions: String {
    "The same in three numbers of every ordered pair. Correlation: Spearman's, of the depths of the blocks and of their nearest blocks. Gap: "
      + "mean distance in relative depth to the nearest block; the upright ticks are the same with the matches dealt out at random among the "
      + "blocks. Intervals of gaps are rough: the nearest of several is no smooth function of the images. "
      + "Residual difference: the mean along the matches minus what a representation has with itself\(floorNote); above 0 models differ even "
      + "where they are nearest. \(seeds)\(result.intervals) \(result.basis)"
  }

  /// Which models are of one architecture, objective and sites.
  private var seeds: String {
    let pairs = result.seedPairs.filter {
      $0.count == 2 && $0.allSatisfy(result.models.indices.contains)
    }
    guard !pairs.isEmpty else {
      return "No two models are of one architecture, objective and sites. "
    }
    let names = pairs.map { "\(result.models[$0[0]].name) and \(result.models[$0[1]].name)" }
    return
      "Above two seeds: the same minus the mean along the matches of \(Text.list(names)), which have one architecture, sites and objective; whether they differ in more than their seed is not known here. "
  }

  private var floorNote: String {
    result.floor.map { " (\(Text.number($0, digits: $0 == 0 ? 0 : 4)))" } ?? ""
  }

  func evolution(_ figure: EvolutionFigure, pairs: Int) -> String {
    let how =
      pairs <= 15
      ? "Each line is a pair of models, in both models' colours"
      : "Each panel is a model, each line its distance from another"
    let chance =
      (figure.chance == nil
        ? "" : "Dashed: shuffled pairs of images, mean over pairs of models. ")
      + (figure.untrained.isEmpty ? "" : "Dotted grey: untrained twins, mean over their pairs. ")
    return
      "\(how): the mean \(result.isSymmetric ? "" : "of both directions ")of \(result.quantity) along the relative diagonal, at "
      + "\(result.depths.count) depths. Below is nearer. \(chance)\(floor)\(result.intervals) \(result.basis)"
  }

  var aggregates: String {
    "The mean over the pairs of a type; in brackets how many pairs. Dotted: all pairs. A type of one pair is that pair. "
      + "\(result.intervals) The intervals are over images, not over models. \(result.basis)"
  }

  var ranking: String {
    "The ten greatest changes of the distance between two neighbouring depths, over all pairs. Right of 0 the models part, left "
      + "they meet. Under the names: the sites between which the step lies, of the first model | of the second. The greatest of "
      + "many are biased outwards by the choice. \(result.intervals) \(result.basis)"
  }

  var smoothness: String {
    let ends =
      result.isSymmetric
      ? ""
      : "Filled: forward, from a block to the next. Hollow: backward; where it lies above, the step discards information. The line "
        + "is their mean. "
    return
      "Step size: the \(result.quantity) of every two blocks that follow one another. \(ends)Dashed uprights: a new stage of "
      + "the network begins. \(floor)\(shuffled)\(twins)A network of fewer blocks takes longer steps; the statistics per depth, less the floor, allow for that. "
      + "\(result.intervals) \(result.basis)"
  }

  var statistics: String {
    "The same steps in single numbers, transformers against convolutional networks. The first row is by \(result.quantity), the others "
      + "by 1 − debiased linear CKA and by 1 − the Jaccard similarity of 10 nearest neighbours: a difference of designs that hangs on "
      + "one measure would show in one row only. Coefficient of variation: standard deviation ÷ mean of the steps less the floor. Per depth: less the floor, times the number of steps. Jumps: steps "
      + "above the mean + 2 standard deviations. Each column and row has its own scale. \(result.intervals) \(result.basis)"
  }

  private var clipped: String {
    result.lowLevel.contains { $0.spaces.first?.clipped.isEmpty == false }
      ? ". Middle: the same with activations cut at the 0.95 quantile of their magnitude, which outliers cannot drive"
      : ""
  }

  var lowLevel: String {
    let classifiers = result.models.indices.filter { result.isClassifier($0) }
    let who =
      classifiers.isEmpty
      ? "No model is a classifier, so all lines are dashed. "
      : classifiers.count == result.models.count
        ? "All models are classifiers. "
        : "Solid: classifiers; dashed: models of other objectives. "
    return
      "Left: \(result.quantity) from each layer to the vector of all statistics; low where the layer knows them\(clipped). Right: mean R² of ridge "
      + "probes of each statistic, out of fold; high where it can be read off linearly. \(who)\(beginnings)"
      + "Shaded: the last fifth, against which the middle three fifths are held. \(floor)\(shuffled)\(twins)\(result.intervals) \(result.basis)"
  }

  private var shuffled: String {
    result.permutations == 0 ? "" : "Shuffled: the mean where the images of one side are. "
  }

  private var twins: String {
    result.untrained == nil
      ? "" : "Dotted in a model's colour: the same architecture with made-up weights. "
  }

  var rise: String {
    let clipped =
      result.lowLevel.contains { $0.riseClipped != nil }
      ? "Clipped: the same with activations cut at the 0.95 quantile of their magnitude. " : ""
    return
      "How much less the last fifth of the blocks knows of all statistics than the middle three fifths: above 0 the model discards "
      + "them at its end. \(clipped)The fall of the mean R² is the linear cross-check; it has no interval. \(result.intervals) "
      + result.basis
  }

  var spaces: String {
    "The same for each group of statistics and for the pixels; in brackets how many numbers an image. All panels share one scale. "
      + "\(floor)\(shuffled)\(twins)\(ties)\(result.intervals) \(result.basis)"
  }

  /// What becomes of pictures with the same statistics.
  private var ties: String {
    let most = result.lowLevel.flatMap { $0.spaces + $0.statistics }.map(\.equalImages).max() ?? 0
    return most == 0
      ? ""
      : "Pictures may share a statistic (up to \(Text.count(most)) do): of equally far ones every order is as likely, and values are expected ones. "
  }

  var singles: String {
    "Each cell is \(result.quantity) from a layer to one number of every picture; dark where the layer tells which pictures are alike in it. Left of 0: the input "
      + "and the stem. Grey cells have no value. \(ties)\(chanceOfSingles)\(repetitions)Intervals and the way back show on hover and in the table's data. \(result.intervals) \(result.basis)"
  }

  private var repetitions: String {
    let all = result.lowLevel.flatMap(\.statistics)
    let kinds =
      (all.contains { !$0.clipped.isEmpty } ? ["with activations clipped"] : [])
      + (all.contains { !$0.strict.isEmpty }
        ? ["by strict ranks (of equally far images all have the lowest)"] : [])
    return kinds.isEmpty
      ? "" : "The same \(kinds.joined(separator: " and ")): on hover and in the table. "
  }

  private var chanceOfSingles: String {
    let known = result.lowLevel.flatMap { $0.statistics.compactMap(\.chance) }
    guard let low = known.min(), let high = known.max() else { return "" }
    return
      "Shuffled images give \(Text.number(low, digits: 2)) to \(Text.number(high, digits: 2)). "
  }

  var probes: String {
    "Out-of-fold R² of a ridge probe of each statistic at each layer; below 0 the probe is worse than the mean, and what lies below −0.5 is cut off. No intervals. \(result.basis)"
  }

  func plane(_ plane: InformationPlane) -> String {
    let thinned =
      plane.isThinned
      ? "Of long networks only every so many blocks are drawn, so that points stay apart. " : ""
    return
      "Each point is a pair of blocks: abscissa from the first model (A) to the second (B), ordinate back. Large: the matched path of the maps. Above the diagonal A's layer tells "
      + "B's neighbourhoods better than the other way round. \(thinned)\(floor)"
      + (plane.chance == nil ? "" : "Dashed: shuffled images. ")
      + (plane.hasUntrained ? "Hollow: the untrained twins at 21 equal depths. " : "")
      + "No intervals. \(result.basis)"
  }

  var geometry: String {
    "Numbers of single layers that this line of research reports beside distances: the intrinsic dimension of the images' arrangement, and "
      + "the share of common neighbours. \(beginnings)No intervals. \(result.basis)"
  }
}
