import Foundation
import ParallaxResults

/// What one model takes for an image, and what others make of it.
enum MetamersSection {
  /// The section; nil where the run has no such result.
  static func make(_ material: Material) throws -> Section? {
    guard let result: MetamersResult = try material.run.result(analysis: "metamers") else {
      return nil
    }
    if let problem = MetamersCheck(result: result).problem {
      throw ResultsError.damaged(
        path: material.run.url.appending(path: "results/metamers.json").path, problem: problem)
    }
    let text = MetamersText(result: result)
    let different = MetamersMap(result: result, quantity: .different)
    let shift = MetamersMap(result: result, quantity: .shift)
    let agreement = MetamersMap(result: result, quantity: .agreement)
    let (grid, images) = (MetamersGrid(result: result), Array(result.images.indices))
    let folded = Array(images.dropFirst(InversionGrid.shown))
    let (first, second, third) = (different.figure(), shift.figure(), agreement.figure())
    return Section(
      id: "metamers", name: "Metamers",
      title: result.models.count == 1
        ? "What a layer takes for an image, seen by the other layers"
        : "What one model takes for an image, seen by the others",
      body: [
        text.lead, Fold.switches(result.switches),
        .element("h3", [:], "Pictures that a layer takes for the image"),
        .element(
          "figure", ["id": "figure-metamers-grid", "class": "figure"],
          [
            grid.html(images: Array(images.prefix(InversionGrid.shown))),
            .element("figcaption", [:], text.grid), Fold.again(material),
          ]),
        folded.isEmpty
          ? .none
          : Fold.make("\(Text.plural(folded.count, "more image"))", [grid.html(images: folded)]),
        .element("h3", [:], "How far they move every layer"),
        first.html(caption: [.text(text.different)], after: [Fold.again(material)]),
        Fold.make(
          "In units of a small shift",
          [second.html(caption: [.text(text.shift)], after: [Fold.again(material)])]),
        Fold.make(
          "As correlations",
          [third.html(caption: [.text(text.agreement)], after: [Fold.again(material)])]),
        MetamersTable(result: result).html,
      ], findings: result.findings, figures: [first, second, third],
      data: different.data().merging(shift.data()) { $1 }.merging(agreement.data()) { $1 })
  }
}

/// What the section says beside its figures.
struct MetamersText {
  let result: MetamersResult

  private var basis: String {
    "Recipe: \(result.preset), \(result.steps) steps; means over \(Text.plural(result.images.count, "image")), \(result.dtype), seed \(result.seed)."
  }

  var lead: HTML {
    .element(
      "p", ["class": "lead"],
      """
      A picture is made from noise that one layer takes for a given image: its embedding there is the image's own. Then every \
      layer of every model looks at it. Where they see the image, they share what it takes to be that image; where they see \
      something else, that layer lets go what they keep.
      """)
  }

  var grid: String {
    """
    A row each model and image: the image, then what was matched at its layers. m_g: distance of the embeddings where it was matched, as a multiple of that of a small shift, m_r. \
    Under it the distance at the last layer of each model, over that of two different images (0: the same, 1: as another image). Verdicts as in inversion. Pictures are clamped to [0, 1]; full size: tensors/metamers/. \(basis)
    """
  }

  var different: String {
    """
    A row each layer that was matched, a column each layer that looks, model by model. The colour is the distance of the matched picture from the image, over the mean distance of two different images \
    (of \(result.others)) at that layer: 0 where the layer sees the image, 1 where it sees one that is as far as any other. White frames: the layer that was matched. \(basis)
    """
  }

  var agreement: String {
    """
    Spearman's correlation of all numbers of a layer for the matched picture with those for the image (negative ones drawn as 0). A dot: two different images agree as well, at best of \(result.models.first?.layers.first?.chance.count ?? 0) pairs. \
    Hover for Pearson's and for the ratio of signal to noise, 10 · log10(‖s‖/‖s − ŝ‖) dB (Feather et al., 2023: of norms, not of powers). \(basis)
    """
  }

  var shift: String {
    "The same distances over m_r, by which a small shift (N(0, 1) · \(Text.number(result.shift, digits: 4))) moves the layer. \(basis)"
  }
}

/// The pictures.
struct MetamersGrid {
  let result: MetamersResult

  func html(images: [Int]) -> HTML {
    .group(
      result.models.indices.flatMap { index -> [HTML] in
        let matches = result.matches.filter { $0.model == index }
        guard !matches.isEmpty else { return [] }
        return images.map { row(index, matches, $0) }
      })
  }

  private func row(_ index: Int, _ matches: [MetamersResult.Match], _ image: Int) -> HTML {
    let model = result.models[index]
    let cells = Self.spread(matches).compactMap { match -> PictureCell? in
      guard let one = match.metamers.first(where: { $0.image == image }) else { return nil }
      let lasts = result.models.indices.prefix(4).map { b in
        let last = result.models[b].layers.count - 1
        return
          "\(Text.number(result.ratio(one, b, last, .different), digits: 2)) \(result.models[b].name)"
      }
      let relative = one.reference > 0 ? one.embedding / one.reference : nil
      return PictureCell(
        picture: one.picture,
        label: "What \(model.name)@\(match.site) takes for image \(image + 1)", name: match.site,
        lines: ["m_g \(InversionGrid.times(relative)) m_r"] + lasts, verdict: one.verdict)
    }
    return PictureCell.row(
      PictureCell.name(
        index, model.name,
        " \(model.height) × \(model.width) px"
          + (result.images.count > 1 ? ", image \(image + 1)" : "")
          + (model.twinOf.map { ", untrained twin of \($0)" } ?? "")),
      [
        PictureCell(
          picture: model.originals[image], label: "Image \(image + 1) as \(model.name) sees it",
          name: "image")
      ] + cells)
  }

  /// At most seven, the first and the last among them.
  private static func spread(_ matches: [MetamersResult.Match]) -> [MetamersResult.Match] {
    guard matches.count > 7 else { return matches }
    return (0..<7).map { matches[($0 * (matches.count - 1) + 3) / 6] }
  }
}

/// All pictures in numbers.
struct MetamersTable {
  let result: MetamersResult

  var html: HTML {
    let rows = result.matches.flatMap { match in
      match.metamers.map { one -> HTML in
        let lasts = result.models.indices.map { b in
          Text.number(
            result.ratio(one, b, result.models[b].layers.count - 1, .different), digits: 2)
        }
        return .element(
          "tr", [:],
          [
            .element("td", [:], result.models[match.model].name),
            .element("td", [:], [.element("code", [:], match.site)]),
            .element("td", [:], result.images[one.image]),
          ]
            + ([Text.number(one.embedding), Text.number(one.reference), Text.number(one.rmse)]
            + lasts).map { .element("td", ["class": "number"], $0) }
            + [
              .element("td", [:], Self.classes(one, result)),
              .element("td", ["class": "nowrap"], one.verdict.rawValue),
            ])
      }
    }
    return Fold.make(
      "Matched pictures in numbers: \(Text.plural(rows.count, "row"))",
      [
        Fold.table(
          ["model", "site", "image", "m_g", "m_r", "RMSE"]
            + result.models.map { "last of \($0.name)" } + ["same class to", "verdict"], rows)
      ])
  }

  /// Who has the same largest logit for both, of those with logits.
  private static func classes(_ one: MetamersResult.Metamer, _ result: MetamersResult) -> String {
    let known = zip(result.models, one.isSameClass).filter { $0.1 != nil }
    guard !known.isEmpty else { return "–" }
    let same = known.filter { $0.1 == true }.map(\.0.name)
    return same.isEmpty ? "none" : same.joined(separator: ", ")
  }
}

/// Whether the parts of a result fit together; what does not is a damaged file, not a trap.
struct MetamersCheck {
  let result: MetamersResult

  private static func isCorrelation(_ one: MetamersResult.Agreement) -> Bool {
    [one.pearson, one.spearman].allSatisfy { $0.map { abs($0) <= 1 } ?? true }
  }

  /// What is wrong; nil where nothing is.
  var problem: String? {
    guard !result.models.isEmpty, !result.images.isEmpty else {
      return "it names no model or image"
    }
    for model in result.models {
      guard !model.layers.isEmpty else { return "a model has no layer" }
      guard model.originals.count == result.images.count,
        model.originals.allSatisfy(PictureCell.isPicture)
      else { return "a model has not the picture of each image" }
      for layer in model.layers {
        guard layer.shift.count == result.images.count, layer.shift.allSatisfy({ $0 >= 0 }),
          layer.different >= 0, (0...1).contains(layer.depth),
          layer.chance.allSatisfy(Self.isCorrelation)
        else { return "the references of \(layer.site) do not fit" }
      }
    }
    for match in result.matches {
      guard result.models.indices.contains(match.model) else {
        return "a layer is of model \(match.model)"
      }
      for one in match.metamers {
        guard result.images.indices.contains(one.image) else {
          return "a picture is of image \(one.image)"
        }
        guard PictureCell.isPicture(one.picture) else { return "a picture is no PNG" }
        guard one.distances.map(\.count) == result.models.map(\.layers.count),
          one.distances.allSatisfy({ $0.allSatisfy { $0 >= 0 } }), one.embedding >= 0,
          one.reference >= 0, one.rmse >= 0
        else { return "the distances of a picture do not fit the models" }
        guard one.agreements.map(\.count) == result.models.map(\.layers.count),
          one.agreements.allSatisfy({ $0.allSatisfy(Self.isCorrelation) }),
          one.isSameClass.count == result.models.count
        else { return "the agreement of a picture does not fit the models" }
      }
    }
    return nil
  }
}
