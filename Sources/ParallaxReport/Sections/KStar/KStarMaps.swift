import ParallaxResults

/// Maps of spaces to look around in: the page's script draws them and answers to the pointer.
struct KStarMaps {
  let result: KStarResult

  /// Spaces that have a map; of each model the last first.
  private var known: [(model: KStarResult.Model, space: KStarResult.Space, map: KStarResult.Map)] {
    result.models.flatMap { model in
      (model.spaces.suffix(1) + model.spaces.dropLast()).compactMap { space in
        space.map.map { (model, space, $0) }
      }
    }
  }

  /// Why models have no map, each reason once.
  var reasons: [String] {
    result.models.flatMap { $0.spaces.compactMap(\.mapNote) }.reduce(into: []) { found, reason in
      if !found.contains(reason) { found.append(reason) }
    }
  }

  var isEmpty: Bool { known.isEmpty }

  /// What the script reads.
  private struct Content: Encodable {
    struct Layout: Encodable {
      var key: String
      var points: [[Double]]
      var note: String
    }
    struct Space: Encodable {
      var name: String
      var site: String
      var images: [Int]
      var layouts: [Layout]
      var lack: String
      var ranks: [Int]
      var patterns: [String]
      var sizes: [Int]
      var chains: [[Int]]
      var breakers: [Int]
      var note: String
    }
    var images: [String]
    var labels: [Int]
    var classes: [String]
    var colours: [String]
    var patternColours: [String: String]
    var spaces: [Space]
  }

  /// The flat maps of a space, and how each was made.
  private func layouts(_ map: KStarResult.Map) -> [Content.Layout] {
    func quality(_ trust: Double?, _ continuity: Double?, _ k: Int) -> String {
      trust.map {
        "; trustworthiness \(Text.number($0, digits: 2)), continuity \(Text.number(continuity, digits: 2)) (k = \(k))"
      } ?? ""
    }
    let shares = map.variance.map { Text.number(100 * $0, digits: 1) + " %" }
    let first = Content.Layout(
      key: "pca", points: map.points,
      note:
        "Two principal components with \(Text.list(shares)) of the variance\(quality(map.trustworthiness, map.continuity, map.neighbours))\(map.note.map { "; \($0)" } ?? "")."
    )
    guard let tsne = map.tsne else { return [first] }
    let isReduced = tsne.perplexity < tsne.askedPerplexity
    let perplexity =
      "perplexity \(Text.number(tsne.perplexity, digits: isReduced ? 1 : 0))"
      + (isReduced
        ? ", for \(Text.plural(tsne.images, "image")) are too few for \(Text.number(tsne.askedPerplexity, digits: 0))"
        : "")
    let crowded =
      tsne.crowded > 0
      ? " Of \(Text.plural(tsne.crowded, "image")) more neighbours than that lie at the least distance; all of them count alike."
      : ""
    let sample =
      tsne.images < result.images.count
      ? " Laid out: \(Text.count(tsne.images)) of \(Text.plural(result.images.count, "image")), evenly of the classes."
      : ""
    return [
      first,
      Content.Layout(
        key: "tsne", points: tsne.points,
        note:
          "t-SNE of Euclidean distances, exact, \(perplexity), \(Text.count(tsne.iterations)) steps from the principal components; divergence \(Text.number(tsne.divergence, digits: 2)) nats\(quality(tsne.trustworthiness, tsne.continuity, tsne.neighbours)). Neighbourhoods are to be read, not sizes of groups or distances between them.\(crowded)\(sample)"
      ),
    ]
  }

  /// The explorer.
  ///
  /// - Throws: never in practice: plain numbers and texts are encoded.
  func html() throws -> HTML {
    let content = Content(
      images: result.images, labels: result.labels, classes: result.classes,
      colours: Palette.colours,
      patternColours: Dictionary(
        uniqueKeysWithValues: zip(KStarViolins.patterns, KStarViolins.colours)),
      spaces: known.map { model, space, map in
        var (patterns, sizes) = (
          [String](repeating: "undefined", count: result.classes.count),
          [Int](repeating: 0, count: result.classes.count)
        )
        for concept in space.concepts {
          patterns[concept.label] = concept.pattern.rawValue
          sizes[concept.label] = concept.size
        }
        let shown =
          map.images.count < result.images.count
          ? "\(Text.count(map.images.count)) of \(Text.plural(result.images.count, "image")), evenly of the classes"
          : Text.plural(map.images.count, "image")
        return Content.Space(
          name: model.name, site: space.site, images: map.images, layouts: layouts(map),
          lack: map.tsneNote.map { "There is no t-SNE: \($0)." } ?? "",
          ranks: map.images.map { space.ranks[$0] }, patterns: patterns, sizes: sizes,
          chains: map.chains, breakers: map.images.map { space.breakers?[$0] ?? $0 },
          note: "Drawn: \(shown).")
      })
    func choice(_ key: String, _ label: String, _ options: [(String, String)]) -> HTML {
      .element(
        "label", [:],
        [
          .text(label + " "),
          .element(
            "select", ["data-kstar": key],
            options.map { .element("option", ["value": $0.0], $0.1) }),
        ])
    }
    return .element(
      "figure", ["id": "figure-kstar-map", "class": "figure"],
      [
        .element(
          "div", ["class": "kstar-map"],
          [
            .element(
              "div", ["class": "kstar-controls"],
              [
                choice(
                  "space", "Space",
                  known.enumerated().map { ("\($0)", "\($1.model.name) · \($1.space.site)") }),
                known.contains { $0.map.tsne != nil }
                  ? choice(
                    "layout", "Map by",
                    [("pca", "principal components"), ("tsne", "t-SNE")]) : .none,
                choice(
                  "colour", "Colour",
                  [("class", "class"), ("pattern", "pattern of the class"), ("rank", "k* over n")]),
                choice(
                  "class", "Show",
                  [("", "every class")] + result.classes.enumerated().map { ("\($0)", $1) }),
              ]),
            .element("div", ["class": "kstar-plane", "data-kstar": "plane"], ""),
            .element(
              "div", ["class": "kstar-side", "data-kstar": "side", "aria-live": "polite"],
              "Point at an image to see it; choose one to see its neighbours in order, up to the first of another class."
            ),
          ]),
        .element("p", ["class": "quiet", "data-kstar": "note"], ""),
        try .data("kstar-content", content),
      ])
  }
}
