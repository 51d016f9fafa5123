import Foundation
import ParallaxResults

/// Source, target, matched picture and the amplified difference, a row a pair.
struct MatchingTriptychs {
  let result: MatchingResult

  /// Pairs of a place in the open part; the others fold.
  static let shown = 3

  /// The rows of one place.
  func html(_ model: Int, _ place: Int, pairs: Range<Int>) -> HTML {
    .group(pairs.map { row(model, place, $0) })
  }

  private func cell(_ data: Data, _ name: String, _ lines: [String]) -> PictureCell {
    PictureCell(picture: data, label: name, name: name, lines: lines)
  }

  private func row(_ index: Int, _ place: Int, _ number: Int) -> HTML {
    let model = result.models[index]
    let pair = model.places[place].pairs[number]
    let (source, target) = (result.images[pair.source], result.images[pair.target])
    let cosine = Text.number(pair.saved.cosine, digits: 3)
    return PictureCell.row(
      PictureCell.name(
        index, model.name,
        " \(model.places[place].site), pair \(number + 1): \(source.id) → \(target.id)"),
      [
        cell(
          model.originals[pair.source], "source",
          [Self.kind(source), "cos \(Text.number(pair.before.cosine, digits: 3))"]),
        cell(
          model.originals[pair.target], "target",
          [Self.kind(target)]
            + ((pair.others ?? []).isEmpty
              ? [] : ["after \(Text.plural(pair.others?.count ?? 0, "other target"))"])),
        cell(
          pair.picture, "matched",
          [
            "cos \(cosine), \(Self.word(pair.ending))"
              + (pair.ending == "already" ? "" : " at \(Text.plural(pair.steps, "step"))"),
            pair.change.psnr.map {
              "PSNR \(Text.number($0, digits: 1)) dB, SSIM \(Text.number(pair.change.ssim, digits: 3))"
            } ?? "unchanged",
          ]),
        cell(
          pair.difference, "change × \(Text.number(pair.amplification, digits: 0))",
          [
            "L∞ \(Text.number(255 * pair.change.maximum, digits: 0))/255, L2 \(Text.number(pair.change.euclidean, digits: 2))",
            pair.between > 0 ? "of \(Text.number(pair.between, digits: 1)) to the target" : "",
          ]),
      ], isLarge: true)
  }

  /// An image's class, or that it lies outside the set.
  private static func kind(_ image: MatchingResult.Image) -> String {
    image.className ?? (image.sha256 == nil ? "" : "outside the set")
  }

  /// What an ending is called.
  static func word(_ ending: String) -> String {
    switch ending {
    case "matched": "matched"
    case "already": "the same before"
    case "diverged": "diverged"
    case "stuck": "no nearer"
    default: "not matched"
    }
  }
}
