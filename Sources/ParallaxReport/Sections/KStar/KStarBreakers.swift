import ParallaxResults

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
