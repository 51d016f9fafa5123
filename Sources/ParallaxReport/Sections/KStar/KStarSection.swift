import ParallaxResults

/// How latent spaces hold concepts.
///
/// > Source: Kotyan et al., 2023, arXiv 2312.04024, and 2024, arXiv 2408.09065.
enum KStarSection {
  /// The section; nil where the run has no such result.
  static func make(_ material: Material) throws -> Section? {
    guard let result: KStarResult = try material.run.result(analysis: "kstar") else { return nil }
    if let problem = KStarCheck(result: result).problem {
      throw ResultsError.damaged(
        path: material.run.url.appending(path: "results/kstar.json").path, problem: problem)
    }
    let all = material.provenance.models.map(\.name)
    // A corruption does not change a model's colour.
    let places = result.models.enumerated().map { index, model in
      all.firstIndex(of: model.original ?? model.name) ?? index
    }
    let text = KStarText(result: result)
    var body: [HTML] = [
      .style(KStarScript.style), text.lead, text.outside, Fold.switches(result.switches),
    ]
    if !result.refusals.isEmpty {
      body.append(Fold.refusals(result.refusals, title: "Spaces without a value", of: "space"))
    }
    var figures: [Figure] = []
    var data: [String: Dataset] = [:]
    func add(_ figure: Figure, _ caption: String, _ more: [String: Dataset], _ after: [HTML] = []) {
      figures.append(figure)
      data.merge(more) { $1 }
      body.append(
        figure.html(caption: [.text(caption)], after: [Fold.again(material)] + after))
    }
    if !result.models.isEmpty {
      body.append(.element("h3", [:], "Each concept at the last site"))
    }
    for (index, model) in result.models.enumerated() where model.original == nil {
      guard let space = model.spaces.last else { continue }
      let violins = KStarViolins(
        result: result, model: model, space: space, id: "kstar-violins-\(index)")
      body.append(.element("h4", [:], "\(model.name), \(space.site)"))
      add(violins.figure(), text.violins(space, violins.concepts.count), violins.data())
    }
    let depth = KStarDepth(result: result, places: places)
    if !depth.isEmpty {
      body.append(.element("h3", [:], "Patterns over depth"))
      add(depth.shares(), text.shares, depth.data())
      let curves = depth.gamma(
        "Skewness and accuracy over depth", "Curves of gamma and kNN accuracy over depth")
      add(curves.figure, text.gamma, curves.data)
    }
    let models = KStarModels.all(result, places)
    if result.plain.count > 1 {
      body.append(.element("h3", [:], "Fracturing and accuracy over models"))
      for one in models { add(one.figure(), text.models(one), one.data()) }
      body.append(text.order)
    }
    body.append(text.changes)
    let maps = KStarMaps(result: result)
    if !maps.isEmpty {
      body += [
        .element("h3", [:], "The most fractured concepts, and who breaks them"),
        .element("p", ["class": "quiet"], text.breakers),
        KStarBreakers(result: result).html(),
        .element("h3", [:], "A map to look around in"), try maps.html(),
      ]
    }
    body += maps.reasons.map { .element("p", ["class": "quiet"], $0) }
    body += [text.spaces, text.coincident]
    return Section(
      id: "kstar", name: "Concepts", title: "How the latent spaces hold concepts", body: body,
      findings: result.findings, figures: figures, data: data, scripts: [KStarScript.source])
  }
}

/// What the section says beside its figures.
struct KStarText {
  let result: KStarResult

  private var basis: String {
    "\(Text.plural(result.images.count, "image")) of \(Text.plural(Set(result.labels).count, "class", "classes"))"
      + (result.bank.map { ", counted among a bank of \(Text.count($0))" } ?? "")
      + "; distance: \(result.distance), ties: \(result.ties), anchors: \(result.anchoring == "none" ? "none" : "0 and 1")\(dtype), seed \(result.seed)."
  }

  private var dtype: String {
    let types = Set(result.models.flatMap(\.spaces).compactMap(\.dtype)).sorted()
    return types.isEmpty ? "" : ", features in \(Text.list(types))"
  }

  private var hasIntervals: Bool { result.resamples >= 20 }

  private var intervals: String {
    hasIntervals
      ? "95 % intervals: \(result.resamples) bootstrap resamples of each concept's images, k* as they are"
      : "Without intervals"
  }

  var lead: HTML {
    .element(
      "p", ["class": "lead"],
      """
      Around each image, how many of its own class come before the first of another? That rank, k*, over the images of the class, \
      after Kotyan et al. (2023): values near 1 are of a concept that clusters, values near 0 of one that is fractured into pieces \
      among others.
      """)
  }

  /// Images that are left out for the bank's sake.
  var outside: HTML {
    guard let note = KStarResult.leftOut(result.outsideClasses) else { return .none }
    let all = result.outside ?? []
    return .group([
      .element("p", [:], "\(note). k* is a rank among images of the own class."),
      Fold.make(
        "Images left out: \(Text.count(all.count))",
        [
          Fold.table(
            ["image", "class"],
            all.prefix(500).map {
              .element(
                "tr", [:], [.element("td", [:], $0.image), .element("td", [:], $0.className)])
            }),
          all.count > 500
            ? .element(
              "p", ["class": "quiet"],
              "and \(Text.count(all.count - 500)) more; results/kstar.json has all.") : .none,
        ]),
    ])
  }

  func violins(_ space: KStarResult.Space, _ shown: Int) -> String {
    let left =
      shown < space.concepts.count
      ? "The \(shown / 2) most fractured and the \(shown / 2) most clustered of \(space.concepts.count) concepts. "
      : ""
    let ties =
      space.tied > 0
      ? "For \(Text.plural(space.tied, "image")) the order of equally far ones decides. " : ""
    return
      "\(left)Gaussian kernel density, cut at the data; thick: quartiles; star: mean. Skew: g₁; above 0.5 fractured, below −0.5 clustered\(hasIntervals ? "; a question mark where fewer than 95 % of the resamples have the pattern" : ""). \(intervals). \(ties)\(basis)"
  }

  var shares: String {
    "Concepts of each pattern at each site, by their skewness alone, decided or not. \(basis)"
  }

  var gamma: String {
    "Left: Γ, the mean of the concepts' skewness, lower where concepts hold together. Shade: \(intervals). \(result.models.contains { $0.original != nil } ? "Dashed, without a shade: with the images corrupted as the panel says. " : "")Right: the share of images whose \(result.models.first?.spaces.first?.neighbourhood.neighbours ?? 0) nearest vote for their class. \(basis)"
  }

  func models(_ figure: KStarModels) -> String {
    let isGiven = figure.accuracy.id == "kstar-accuracy"
    let known = result.findings.filter { $0.quantity.hasPrefix("Pearson's r of Γ and ") }
    let finding = known.first {
      $0.quantity.hasPrefix(
        "Pearson's r of Γ and \(isGiven ? result.accuracyName ?? "" : "kNN accuracy") at")
    }
    let said =
      finding.map {
        "Pearson's r \(Text.number($0.value, digits: 2)), \(Text.interval($0.low, $0.high, digits: 2) ?? "no interval")"
      } ?? "Too few models for a correlation"
    return
      "Each model at its last site; lines: 95 % intervals of Γ. \(said).\(isGiven ? " \(figure.accuracy.name): as given, not measured here." : "")\(lacking) The direction is not taken for granted: the two papers' trends point opposite ways. \(basis)"
  }

  /// Models that a figure of Γ cannot show.
  private var lacking: String {
    let names = result.unranked.map(\.name)
    return names.isEmpty
      ? "" : " Not shown, for no concept has a skewness: \(Text.list(names))."
  }

  /// The models in order, by Γ with what it is a mean of, and by the mean k*/n, which all concepts have.
  var order: HTML {
    func one(_ estimate: IntervalEstimate) -> String {
      Text.number(estimate.value, digits: 2)
        + (Text.interval(estimate.low, estimate.high, digits: 2).map { " (\($0))" } ?? "")
    }
    func names(_ models: [KStarResult.Model], _ text: (KStarResult.Space) -> String) -> String {
      models.compactMap { model in model.spaces.last.map { "\(model.name) \(text($0))" } }
        .joined(separator: "; ")
    }
    var lines: [String] = []
    if !result.ranked.isEmpty {
      lines.append(
        "From the least fractured, by Γ: \(names(result.ranked) { "\(one($0.aggregates.macroMean)) \($0.basis)" })."
      )
    }
    if !result.unranked.isEmpty {
      lines.append(
        "Without Γ, for no concept has a skewness: \(names(result.unranked) { "(\($0.lack))" })."
      )
    }
    lines.append(
      "From the most clustered, by mean k*/n over all concepts: \(names(result.rankedByMean) { one($0.aggregates.mean) })."
    )
    return .group(lines.map { .element("p", [:], $0) })
  }

  /// Differences between layers and under corruption.
  var changes: HTML {
    guard !result.changes.isEmpty else { return .none }
    func cell(_ one: IntervalEstimate) -> [HTML] {
      [
        .element("td", ["class": "number"], Text.number(one.value, digits: 3)),
        .element("td", [:], Text.interval(one.low, one.high, digits: 3) ?? "–"),
      ]
    }
    return Fold.make(
      "Changes over depth and under corruption: \(result.changes.count)",
      [
        Fold.table(
          [
            "model", "from", "to", "images", "γ, mean difference", "95 %", "over", "mean k*/n",
            "95 %",
          ],
          result.changes.map { change in
            .element(
              "tr", [:],
              [
                .element("td", [:], change.model),
                .element("td", [:], [.element("code", [:], change.from)]),
                .element("td", [:], [.element("code", [:], change.to)]),
                .element("td", [:], change.corruption ?? "as they are"),
              ] + cell(change.skewness)
                + [.element("td", ["class": "number"], "\(change.concepts) / \(change.all)")]
                + cell(change.mean))
          })
      ])
  }

  var breakers: String {
    "Of each model the concepts with the largest skewness, whatever their pattern. The image, its k*, then its neighbours in order up to the first of another class (dashed); where more than the list holds come before it, it stands after the dots. Two images with the lowest k*, one at the first quartile, one at the median, of those on the map. Broken by: the class of that first other image, over all images of the concept."
  }

  /// All numbers of all spaces.
  var spaces: HTML {
    let rows = result.models.flatMap { model in
      model.spaces.map { space -> HTML in
        let (all, near) = (space.aggregates, space.neighbourhood)
        func cell(_ value: Double?, _ digits: Int = 2) -> HTML {
          .element("td", ["class": "number"], Text.number(value, digits: digits))
        }
        return .element(
          "tr", [:],
          [
            .element("td", [:], model.name),
            .element("td", [:], [.element("code", [:], space.site)]),
            cell(all.macroMean.value),
            .element("td", ["class": "number"], "\(space.withSkewness) / \(all.concepts)"),
            cell(all.sizeWeighted.value), cell(all.pooled.value),
            cell(all.momentSubstituted.value), cell(all.median.value), cell(all.mean.value),
            cell(near.accuracy, 3), cell(near.hit, 3), cell(near.overlap, 3),
            cell(near.silhouette), cell(near.hubness), cell(near.hubs, 3), cell(near.antihubs, 3),
            cell(space.map?.trustworthiness), cell(space.map?.continuity),
            cell(space.map?.tsne?.trustworthiness), cell(space.map?.tsne?.continuity),
            .element("td", ["class": "number"], "\(all.withoutSkewness) / \(all.tooSmall)"),
          ])
      }
    }
    return Fold.make(
      "All spaces in numbers: \(rows.count)",
      [
        Fold.table(
          [
            "model", "site", "Γ", "over", "by size", "Γ′ pooled", "Γ′ moments", "median",
            "mean k*/n",
            "kNN", "hit", "overlap", "silhouette", "hubness", "hubs", "antihubs", "trust. PCA",
            "contin. PCA", "trust. t-SNE", "contin. t-SNE", "no skew / n < 3",
          ], rows)
      ])
  }

  /// Images of different classes at one place.
  var coincident: HTML {
    let groups = result.models.flatMap { model in
      model.spaces.flatMap { space in
        space.coincident.map { (address: space.address(model.name), group: $0) }
      }
    }
    guard !groups.isEmpty else { return .none }
    let pairs = groups.reduce(0) { $0 + $1.group.pairs }
    func names(_ all: [String]) -> String {
      all.prefix(8).joined(separator: ", ")
        + (all.count > 8 ? " and \(Text.count(all.count - 8)) more" : "")
    }
    return Fold.make(
      "Images of different classes that coincide: \(Text.plural(pairs, "pair")) in \(Text.plural(groups.count, "group"))",
      [
        Fold.table(
          ["space", "pairs", "images", "classes", "of the bank"],
          groups.prefix(100).map { one in
            let classes = Set(one.group.images.map { result.labels[$0] }).sorted()
            return .element(
              "tr", [:],
              [
                .element("td", [:], [.element("code", [:], one.address)]),
                .element("td", ["class": "number"], Text.count(one.group.pairs)),
                .element("td", [:], names(one.group.images.map { result.images[$0] })),
                .element("td", [:], names(classes.map { result.classes[$0] })),
                .element("td", [:], one.group.bank.isEmpty ? "–" : names(one.group.bank)),
              ])
          })
      ])
  }
}
