import ParallaxResults

/// Maps of the last spaces to look around in: the page's script draws them and answers to the pointer.
struct KStarMaps {
  let result: KStarResult

  /// Models whose last space has a map.
  private var known: [(model: KStarResult.Model, space: KStarResult.Space, map: KStarResult.Map)] {
    result.models.compactMap { model in
      model.spaces.last.flatMap { space in space.map.map { (model, space, $0) } }
    }
  }

  /// Why models have no map, each reason once.
  var reasons: [String] {
    result.models.compactMap { $0.spaces.last?.mapNote }.reduce(into: []) { found, reason in
      if !found.contains(reason) { found.append(reason) }
    }
  }

  var isEmpty: Bool { known.isEmpty }

  /// What the script reads.
  private struct Content: Encodable {
    struct Space: Encodable {
      var name: String
      var site: String
      var images: [Int]
      var points: [[Double]]
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
        let shares = map.variance.map { Text.number(100 * $0, digits: 1) + " %" }
        let trust =
          (map.trustworthiness.map {
            "; trustworthiness \(Text.number($0, digits: 2)), continuity \(Text.number(map.continuity, digits: 2)) (k = \(map.neighbours))"
          } ?? "") + (map.note.map { "; \($0)" } ?? "")
        let shown =
          map.images.count < result.images.count
          ? "\(Text.count(map.images.count)) of \(Text.plural(result.images.count, "image")), evenly of the classes"
          : Text.plural(map.images.count, "image")
        return Content.Space(
          name: model.name, site: space.site, images: map.images, points: map.points,
          ranks: map.images.map { space.ranks[$0] }, patterns: patterns, sizes: sizes,
          chains: map.chains, breakers: map.images.map { space.breakers?[$0] ?? $0 },
          note:
            "Two principal components with \(Text.list(shares)) of the variance\(trust). \(shown)."
        )
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

/// The most fractured concepts, and the images that break them.
struct KStarBreakers {
  let result: KStarResult
  /// Concepts a model, and images of each.
  private let most = (concepts: 3, images: 4)

  func html() -> HTML {
    .group(result.models.map(model))
  }

  private func model(_ model: KStarResult.Model) -> HTML {
    guard let space = model.spaces.last, let map = space.map else { return .none }
    let concepts = KStarViolins.sorted(space.concepts).filter { $0.pattern != .undefined }
      .prefix(most.concepts)
    guard !concepts.isEmpty else { return .none }
    return .group([
      .element("h4", [:], "\(model.name), \(space.site)"),
      .group(concepts.map { concept($0, space, map) }),
    ])
  }

  private func concept(
    _ concept: KStarResult.Concept, _ space: KStarResult.Space, _ map: KStarResult.Map
  ) -> HTML {
    let own = map.images.indices.filter { result.labels[map.images[$0]] == concept.label }
      .sorted { a, b in
        let (left, right) = (space.ranks[map.images[a]], space.ranks[map.images[b]])
        return (left, a) < (right, b)
      }
    // Of all images of the concept, drawn or not.
    var breakers: [Int: Int] = [:]
    for image in result.labels.indices where result.labels[image] == concept.label {
      if let other = space.breakers?[image] { breakers[result.labels[other], default: 0] += 1 }
    }
    let total = breakers.values.reduce(0, +)
    let named = breakers.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(3).map {
      "\(result.classes[$0.key]) (\(Text.count($0.value)) of \(Text.count(total)))"
    }
    let chosen = Set([0, 1, own.count / 4, own.count / 2].filter { $0 < own.count }).sorted()
      .prefix(most.images)
    return .element(
      "div", ["class": "kstar-concept"],
      [
        .element(
          "p", [:],
          [
            .element("strong", [:], result.classes[concept.label]),
            .element(
              "span", ["class": "quiet"],
              " \(concept.pattern.rawValue)\(concept.isDecided || result.resamples < 20 ? "" : " (undecided)"), skew \(Text.number(concept.skewness.value, digits: 2)), \(Text.plural(concept.count, "image"))"
                + (named.isEmpty ? "" : "; broken by \(Text.list(named))")),
          ]),
        .group(chosen.map { chain(own[$0], space, map) }),
      ])
  }

  private func chain(
    _ place: Int, _ space: KStarResult.Space, _ map: KStarResult.Map
  ) -> HTML {
    let image = map.images[place]
    let label = result.labels[image]
    let chain = map.chains[place]
    // Where the list ends before it, the one that breaks the concept stands alone.
    let breaker = space.breakers.map { $0[image] }.flatMap { chain.contains($0) ? nil : $0 }
    return .element(
      "div", ["class": "kstar-chain"],
      [
        picture(image, "own"),
        .element("span", ["class": "kstar-rank"], "k* \(space.ranks[image])"),
      ]
        + chain.map { picture($0, result.labels[$0] == label ? "same" : "other") }
        + (breaker.map { [.element("span", ["class": "quiet"], "…"), picture($0, "other")] } ?? []))
  }

  /// The page's script puts the picture of the contact sheet in.
  private func picture(_ image: Int, _ kind: String) -> HTML {
    .element(
      "span",
      [
        "class": "kstar-picture \(kind)", "data-picture": result.images[image],
        "title": "\(result.classes[result.labels[image]]): \(result.images[image])",
      ], "")
  }
}
