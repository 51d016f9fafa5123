import Foundation
import ParallaxResults

/// Pictures that look alike with embeddings that do not, and the reverse.
///
/// > Source: Salman, Shams and Liu, 2024, arXiv 2401.15568.
enum MatchingSection {
  /// The section; nil where the run has no such result.
  static func make(_ material: Material) throws -> Section? {
    guard let result: MatchingResult = try material.run.result(analysis: "matching") else {
      return nil
    }
    if let problem = MatchingCheck(result: result).problem {
      throw ResultsError.damaged(
        path: material.run.url.appending(path: "results/matching.json").path, problem: problem)
    }
    let (text, figures) = (MatchingText(result: result), MatchingFigures(result: result))
    let triptychs = MatchingTriptychs(result: result)
    let traces = figures.traces()
    var drawn = [traces]
    var data = figures.data()
    var body: [HTML] = [
      text.lead, Fold.switches(result.switches),
    ]
    if let left = result.left, !left.isEmpty {
      body.append(
        .element(
          "p", ["class": "quiet"],
          "Left out: \(left.prefix(5).joined(separator: "; "))\(left.count > 5 ? "; and \(left.count - 5) more" : "")."
        ))
    }
    body += [
      .element("h3", [:], "Source, target, and the matched picture"),
      .element(
        "figure", ["id": "figure-matching-pictures", "class": "figure"],
        pictures(triptychs) + [
          .element("figcaption", [:], text.pictures), Fold.again(material),
        ]),
      .element("h3", [:], "The way to the target"),
      traces.html(
        caption: [.text(text.traces)],
        after: [Fold.again(material), MatchingTable(result: result).html]),
    ]
    func add(_ title: String, _ figure: Figure?, _ caption: String, _ after: [HTML] = []) {
      guard let figure else { return }
      body += [
        .element("h3", [:], title),
        figure.html(caption: [.text(caption)], after: [Fold.again(material)] + after),
      ]
      drawn.append(figure)
    }
    if let readers = MatchingReaders(result: result).matrices {
      add(
        "What readers of the embedding make of it",
        readers.figure(
          "Readers before and after",
          "Table of shares: own class before, own class after, the target's class after, a row a reader"
        ),
        text.readers)
      data.merge(readers.data) { $1 }
    }
    if let scores = MatchingReaders(result: result).scores {
      add(
        "Scores of classes, before and after",
        scores.figure(
          "Scores of classes before and after",
          "Heat maps of the softmax over classes for each source, before and after matching"),
        text.scores)
      data.merge(scores.data) { $1 }
    }
    add("Where they lie", figures.coordinates(), text.coordinates)
    if let transfer = MatchingReaders(result: result).transfer {
      add(
        "Does a picture matched in one place fool another?",
        transfer.figure(
          "Transfer from place to place",
          "Heat maps: the row is where pictures were matched, the column where they are looked at"),
        text.transfer)
      data.merge(transfer.data) { $1 }
    }
    add("Does noise tell matched pictures apart?", figures.noise(), text.noise)
    return Section(
      id: "matching", name: "Matching", title: "Embeddings that can be had at will", body: body,
      findings: result.findings, figures: drawn, data: data)
  }

  private static func pictures(_ triptychs: MatchingTriptychs) -> [HTML] {
    triptychs.result.models.indices.flatMap { model in
      triptychs.result.models[model].places.indices.flatMap { place -> [HTML] in
        let count = triptychs.result.models[model].places[place].pairs.count
        let open = min(count, MatchingTriptychs.shown)
        return [triptychs.html(model, place, pairs: 0..<open)]
          + (count > open
            ? [
              Fold.make(
                "\(Text.plural(count - open, "more pair"))",
                [triptychs.html(model, place, pairs: open..<count)])
            ] : [])
      }
    }
  }
}

/// What the section says beside its figures.
struct MatchingText {
  let result: MatchingResult

  private var basis: String {
    "Recipe: \(result.preset), in \(result.unit == "pixels" ? "pixels of 0 to 1" : "the model's own normalised numbers"); a bank of \(Text.plural(result.bank, "image")), seed \(result.seed)."
  }

  var lead: HTML {
    .element(
      "p", ["class": "lead"],
      """
      An embedding space holds more than the pictures that it was made for. After Salman, Shams and Liu (2024), this section changes \
      pictures until their embeddings are those of other pictures. If that succeeds while the pictures do not change to the eye, then \
      pictures that look the same have different embeddings, and pictures that look different share one; whatever reads the embedding \
      inherits both.
      """)
  }

  var pictures: String {
    """
    Cosines are between raw embeddings of source and target, before, and of the saved picture and target, after. A match has \(result.criterion). PSNR, SSIM, L∞ and L2 compare the saved picture (8 bits a channel) with its source, in pixels of 0 to 1. \
    Pictures are shown at most 112 pixels a side; full size: tensors/matching/ in the run folder. \(basis)
    """
  }

  var traces: String {
    "‖f(x) − t‖ over its first value, a line each pair, on a logarithmic axis\(MatchingFigures(result: result).hasAll ? "; beside it the cosine with the target and ‖x − x₀‖₁ in the unit of the recipe" : ""). \(basis)"
  }

  var readers: String {
    "Shares of sources. Each reader stands on the embeddings of the whole set without the picture it is asked for: the class of the nearest image (Euclidean), the class whose mean is nearest (cosine), and a few-shot probe. Before: the source's own class. After: of the saved matched picture.\(outside) \(basis)"
  }

  private var outside: String {
    result.images.contains { $0.sha256 != nil }
      ? " A source outside the set has no class and does not count; a target outside it stands for the class that the reader gives to its own embedding."
      : ""
  }

  var scores: String {
    "Softmax over the classes that take part of \(Int(100)) times the cosine between embedding and class mean, of the sources and of the saved matched pictures. The published matrices are over texts; ours stand on the images' own classes. \(basis)"
  }

  var coordinates: String {
    "The first six principal coordinates of the whole set's embeddings. Grey: source. Orange: target. Blue: the saved matched picture. Where the match holds, blue stands beside orange. \(basis)"
  }

  var transfer: String {
    "Left: how much of the way from source to target a picture has gone in the column's embedding, 1 − ‖f(x_m) − t‖/‖f(x₀) − t‖; 0: it has not moved, 1: it is there; below 0 it has moved away and is drawn as 0. Right: share of pictures whose nearest image of the set is the target. Pictures for another model are resized to its input. \(basis)"
  }

  var noise: String {
    "Normal noise of the deviation on every number. Lines: how far it moves the embedding, over the distance of source and matched picture; thin lines: √(σ²‖J‖²_F), what linearisation expects. Solid: sources; dashed: matched pictures; pairs that were alike before are left out. Detection, in the tips and the data: the chance that a matched picture's embedding moves further than a source's. \(basis)"
  }
}
