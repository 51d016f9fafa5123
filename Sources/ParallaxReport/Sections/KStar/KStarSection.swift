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
    // Noise does not change a model's colour.
    let places = result.models.enumerated().map { index, model in
      all.firstIndex(of: model.noisy ?? model.name) ?? index
    }
    let text = KStarText(result: result)
    var body: [HTML] = [.style(KStarScript.style), text.lead, Fold.switches(result.switches)]
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
    for (index, model) in result.models.enumerated() where model.noisy == nil {
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
      let curves = depth.gamma
      add(
        curves.figure(
          "Skewness and accuracy over depth", "Curves of gamma and kNN accuracy over depth"),
        text.gamma, curves.data())
    }
    let models = KStarModels(result: result, places: places)
    if !models.isEmpty {
      body.append(.element("h3", [:], "Fracturing and accuracy over models"))
      add(models.figure(), text.models, models.data())
    }
    let maps = KStarMaps(result: result)
    if !maps.isEmpty {
      body += [
        .element("h3", [:], "The most fractured concepts, and who breaks them"),
        .element("p", ["class": "quiet"], text.breakers),
        KStarBreakers(result: result).html(),
        .element("h3", [:], "A map to look around in"), try maps.html(),
      ]
    }
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
    "\(Text.plural(result.images.count, "image")) of \(Text.plural(result.classes.count, "class", "classes"))"
      + (result.bank.map { ", counted among a bank of \(Text.count($0))" } ?? "")
      + "; distance: \(result.distance), ties: \(result.ties), anchors: \(result.anchoring == "none" ? "none" : "0 and 1"), seed \(result.seed)."
  }

  private var intervals: String {
    result.resamples > 0
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

  func violins(_ space: KStarResult.Space, _ shown: Int) -> String {
    let left =
      shown < space.concepts.count
      ? "The \(shown / 2) most fractured and the \(shown / 2) most clustered of \(space.concepts.count) concepts. "
      : ""
    let ties =
      space.tied > 0
      ? "For \(Text.plural(space.tied, "image")) the order of equally far ones decides. " : ""
    return
      "\(left)Gaussian kernel density, cut at the data; thick: quartiles; star: mean. Skew: g₁; above 0.5 fractured, below −0.5 clustered; a question mark where the interval crosses a threshold. \(intervals). \(ties)\(basis)"
  }

  var shares: String {
    "Concepts of each pattern at each site, by their skewness alone, decided or not. \(basis)"
  }

  var gamma: String {
    "Left: Γ, the mean of the concepts' skewness, lower where concepts hold together. Shade: \(intervals). \(result.models.contains { $0.noisy != nil } ? "Dashed: with noise on the images. " : "")Right: the share of images whose \(result.models.first?.spaces.first?.neighbourhood.neighbours ?? 0) nearest vote for their class. \(basis)"
  }

  var models: String {
    let r = result.findings.last { $0.quantity.hasPrefix("Pearson") }
    let said =
      r.map {
        "Pearson's r \(Text.number($0.value, digits: 2)), \(Text.interval($0.low, $0.high, digits: 2) ?? "no interval")"
      } ?? "Too few models for a correlation"
    let ranked = result.ranked.map(\.name)
    return
      "Each model at its last site. \(said). From the least fractured: \(Text.list(ranked)). The direction is not taken for granted: the two papers' trends point opposite ways. \(basis)"
  }

  var breakers: String {
    "The image, its k*, then its neighbours in order up to the first of another class (dashed). Two images with the lowest k*, one at the first quartile, one at the median."
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
            cell(all.macroMean.value), cell(all.sizeWeighted.value), cell(all.pooled.value),
            cell(all.momentSubstituted.value), cell(all.median.value), cell(all.mean.value),
            cell(near.accuracy, 3), cell(near.hit, 3), cell(near.overlap, 3),
            cell(near.silhouette), cell(near.hubness), cell(near.hubs, 3), cell(near.antihubs, 3),
            cell(space.map?.trustworthiness), cell(space.map?.continuity),
            .element("td", ["class": "number"], "\(all.withoutSkewness) / \(all.tooSmall)"),
          ])
      }
    }
    return Fold.make(
      "All spaces in numbers: \(rows.count)",
      [
        Fold.table(
          [
            "model", "site", "Γ", "by size", "Γ′ pooled", "Γ′ moments", "median", "mean k*/n",
            "kNN", "hit", "overlap", "silhouette", "hubness", "hubs", "antihubs", "trust.",
            "contin.", "no skew / n < 3",
          ], rows)
      ])
  }

  /// Images of different classes at one place.
  var coincident: HTML {
    let pairs = result.models.flatMap { model in
      model.spaces.flatMap { space in
        space.coincident.map { (address: space.address(model.name), pair: $0) }
      }
    }
    guard !pairs.isEmpty else { return .none }
    let shown = pairs.prefix(100)
    return Fold.make(
      "Images of different classes that coincide: \(Text.plural(pairs.count, "pair"))",
      [
        Fold.table(
          ["space", "image", "class", "image", "class"],
          shown.map { one in
            .element(
              "tr", [:],
              [.element("td", [:], [.element("code", [:], one.address)])]
                + one.pair.flatMap { image -> [HTML] in
                  [
                    .element("td", [:], result.images[image]),
                    .element("td", [:], result.classes[result.labels[image]]),
                  ]
                })
          })
      ])
  }
}

/// Whether the parts of a result fit together; what does not is a damaged file, not a trap.
struct KStarCheck {
  let result: KStarResult

  /// What is wrong; nil where nothing is.
  var problem: String? {
    let (images, classes) = (result.images.indices, result.classes.indices)
    guard result.labels.count == images.count, result.labels.allSatisfy(classes.contains) else {
      return "its labels are no classes of its images"
    }
    for model in result.models {
      guard !model.spaces.isEmpty else { return "a model has no space" }
      for space in model.spaces {
        guard space.ranks.count == images.count else {
          return "a space has k* of \(space.ranks.count) of \(images.count) images"
        }
        guard (0...1).contains(space.depth) else { return "a space lies at depth \(space.depth)" }
        guard space.concepts.allSatisfy({ classes.contains($0.label) && $0.size > 0 }) else {
          return "a concept is no class, or has no image"
        }
        guard Set(space.concepts.map(\.label)).count == space.concepts.count else {
          return "a concept stands twice"
        }
        guard space.coincident.allSatisfy({ $0.count == 2 && $0.allSatisfy(images.contains) })
        else { return "a pair of images is none" }
        guard let map = space.map else { continue }
        guard map.points.count == map.images.count, map.chains.count == map.images.count,
          map.images.allSatisfy(images.contains), map.points.allSatisfy({ $0.count == 2 }),
          map.chains.allSatisfy({ $0.allSatisfy(images.contains) })
        else { return "a map does not fit its images" }
      }
    }
    return nil
  }
}
