import ParallaxResults

/// What the section on attention says beside its figures.
struct AttentionText {
  let result: AttentionResult

  /// What this is, and whose.
  var lead: HTML {
    .element(
      "p", ["class": "lead"],
      """
      A convolution sees its neighbourhood; a head of attention may look anywhere. After Raghu et al. (2021), this section \
      measures how far each head looks: the distance in pixels between a patch and what it attends to, weighted by \
      attention. In their large transformers the lowest layers held local and global heads side by side, and the \
      highest only global ones; without enough training data the lowest layers had no local heads.
      """)
  }

  private var basis: String { "\(Text.plural(result.images, "image")), \(result.dtype)." }

  private var handling: String {
    result.others == "renorm"
      ? "Weight on class, register and distillation tokens is dropped and the rest renormalised. "
      : "Weight on class, register and distillation tokens is dropped and the rest is not renormalised. "
  }

  /// Under the paper's figure.
  var sorted: String {
    let windows =
      result.models.contains(where: \.isWindowed)
      ? "Where attention is kept inside windows, distances are those of the full grid, and uniform attention stays inside too. "
      : ""
    return
      "Each mark is a head: the mean distance over patches and images, heads sorted within their layer. Bars: 95 % "
      + "intervals over images, mostly shorter than the marks. Dashed: attention that is the same everywhere. "
      + "\(handling)\(windows)\(basis)"
  }

  /// Under the dots over depth.
  var depth: String {
    "Each dot is a head; the line is the mean over heads; dashed: uniform attention."
      + (result.hasEntropy
        ? " The entropy is over all keys: low where a head looks at few tokens, wherever these are."
        : "")
      + " Layers are those with attention, from the first (0) to the last (1). \(basis)"
  }

  /// Under the subsets of heads.
  var subsets: String {
    let most = result.subsets.map(\.blocks).max() ?? 0
    return
      "Each mark is a quarter of the first layer's heads, from the most local to the most global: their outputs side by "
      + "side, before the projection, against each of the other model's first blocks. In the paper the more local heads are "
      + "the more like early convolutional layers. Linear CKA, unbiased, over \(Text.plural(most, "block")) of images"
      + (most > 3
        ? "; bars: 95 % jackknife intervals over blocks. "
        : "; no intervals from fewer than four blocks. ")
      + basis
  }

  /// Every layer in numbers.
  var table: HTML {
    func mean(_ values: [Double]) -> Double? {
      values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }
    let rows = result.models.flatMap { model in
      model.layers.map { layer -> HTML in
        let sorted = layer.sorted
        func distance(_ head: Int?) -> String {
          guard let head else { return "–" }
          let estimate = layer.heads[head].distance
          let interval =
            Text.interval(estimate.low, estimate.high, digits: 1).map { " [\($0)]" } ?? ""
          return Text.number(estimate.value, digits: 1) + interval
        }
        let cells = [
          model.name, layer.block, String(layer.heads.count), distance(sorted.first),
          Text.number(mean(layer.heads.compactMap(\.distance.value)), digits: 1),
          distance(sorted.last), Text.number(layer.uniformDistance, digits: 1),
          Text.number(mean(layer.heads.compactMap(\.entropy.value)), digits: 2),
          Text.number(layer.uniformEntropy, digits: 2),
        ]
        return .element("tr", [:], cells.map { .element("td", [:], $0) })
      }
    }
    return Fold.make(
      "Every layer in numbers",
      [
        Fold.table(
          [
            "model", "layer", "heads", "most local, px", "mean, px", "most global, px",
            "uniform, px", "entropy, nat", "uniform, nat",
          ], rows)
      ])
  }

  /// Every choice and who made it.
  var switches: HTML { Fold.switches(result.switches) }

  /// Models that were left out, and layers without a value.
  var refusals: HTML {
    Fold.refusals(result.refusals, title: "Left out", of: "model or layer")
  }
}
