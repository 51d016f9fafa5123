import ParallaxResults

/// What the section on probes says beside its figures.
struct ProbeText {
  let result: ProbeResult

  /// What this is, and whose.
  var lead: HTML {
    .element(
      "p", ["class": "lead"],
      """
      A linear probe asks how well the images' classes can be read off a layer without training the model any further. \
      After Raghu et al. (2021), few-shot regularised least squares is fitted to every layer: to the class token, to pooled \
      tokens, and to single tokens. In their models intermediate layers of larger transformers were stronger than those of \
      residual networks, and single patches of models with a class token stayed poor to the end.
      """)
  }

  private var basis: String {
    "\(Text.plural(result.classes.count, "class", "classes")), \(Text.plural(result.test, "test image")), "
      + "\(Text.plural(result.draws, "draw")) of the shots, \(result.dtype), seed \(result.seed). Images split \(result.split)."
  }

  private var intervals: String {
    result.groups > 1
      ? "Bands: 95 % intervals over draws of the shots and groups of test images."
      : result.draws > 1
        ? "Bands: 95 % intervals over draws of the shots alone; there are too few test images for more."
        : "No intervals: one draw, and too few test images."
  }

  /// Under the accuracy over depth.
  var accuracy: String {
    let ways = result.models.compactMap { model in
      model.native.map { "\(model.name): \($0.label)" }
    }.joined(separator: "; ")
    return
      "Share of test images whose class the probe finds, of each model's own way of taking features (\(ways)). Dotted: chance, "
      + "\(Text.number(100 * result.chance, digits: 1)) %. \(intervals) λ is tuned on training images that are not among the shots. \(ofAll)\(basis)"
  }

  private var ofAll: String {
    result.all.map {
      "With all training images: one fit to \(Text.count($0.training)), λ tuned on \(Text.count($0.validation)) others, "
        + "as the paper does on CIFAR; its band is over groups of test images alone. "
    } ?? ""
  }

  /// Under the ways of pooling.
  var views: String {
    let isShown = result.models.contains { $0.hasClassToken }
    return "\(most), as above, for each way of taking features."
      + (isShown
        ? " In the paper's class-token model pooled patches equal the class token until the last layers and then fall behind."
        : "") + " Dotted: chance. \(intervals) \(basis)"
  }

  private var most: String {
    "Accuracy with \(Text.plural(result.shots.last ?? 0, "shot")) a class"
  }

  /// Under the maps.
  var maps: String {
    let pooled = result.models.contains { $0.maps.contains(where: \.isPooled) }
    return
      "Each cell is a probe of its own, fitted to one token at its place in the image, with \(Text.plural(result.tokenShots, "shot")) a class and "
      + "\(Text.plural(result.tokenTest, "test image")). Tokens that are no patches stand above the grid, the class token first."
      + (pooled
        ? " Positions of convolutional networks are averaged to the size of the last map." : "")
      + " All maps have one scale."
  }

  /// Under the means of single tokens.
  var single: String {
    "Solid: the mean over the cells above. Dashed: the model's own way on the same images. Dotted: chance. In the paper single tokens "
      + "of the class-token model stay low, those of pooled models and of ResNets rise steeply at the end. Bands: 95 % intervals."
  }

  /// Under the other probes.
  var others: String {
    let most = Text.plural(result.shots.last ?? 0, "shot")
    return
      "Neighbours by the cosine vote from the whole pool of training images, not from the shots alone: weighted by exp(cos/0.07) as in DINO, or "
      + "the nearest by itself. Logistic regression, shuffled labels and the penalty are with \(most) a class; 2¹⁰ (dotted) is taken where nothing "
      + "is left to tune with. Dotted elsewhere: chance. \(basis)"
  }

  /// Every layer in numbers.
  var table: HTML {
    func shown(_ estimate: IntervalEstimate?) -> String {
      func percent(_ value: Double?) -> Double? { value.map { 100 * $0 } }
      let interval =
        Text.interval(percent(estimate?.low), percent(estimate?.high), digits: 1).map { " [\($0)]" }
        ?? ""
      return Text.number(percent(estimate?.value), digits: 1) + interval
    }
    let rows = result.models.flatMap { model in
      model.views.flatMap { view in
        view.sites.map { site -> HTML in
          let cells =
            [model.name, site.name, view.label]
            + result.shots.indices.map { place in
              shown(site.scores.indices.contains(place) ? site.scores[place].accuracy : nil)
            } + (result.all == nil ? [] : [shown(site.all?.accuracy)]) + [
              shown(site.scores.last?.shuffled),
              Text.number(site.scores.last?.penalty, digits: 1), shown(site.weighted),
              shown(site.logistic),
            ]
          return .element("tr", [:], cells.map { .element("td", [:], $0) })
        }
      }
    }
    return Fold.make(
      "Every layer in numbers",
      [
        Fold.table(
          ["model", "layer", "features"] + result.shots.map { "\($0) shots, %" }
            + (result.all == nil ? [] : ["all images, %"]) + [
              "shuffled, %", "log₂ λ", "neighbours, %", "logistic, %",
            ], rows)
      ])
  }

  /// Every choice and who made it.
  var switches: HTML { Fold.switches(result.switches) }
}
