import Foundation
import ParallaxResults

/// Matrices of matching: readers, scores, transfer.
struct MatchingReaders {
  let result: MatchingResult

  private var places: [(address: String, place: MatchingResult.Place)] {
    result.models.flatMap { model in
      model.places.map {
        (result.models.count > 1 ? "\(model.name) \($0.site)" : $0.site, $0)
      }
    }
  }

  /// Shares of the readers; nil where images have no classes.
  var matrices: NamedMatrices? {
    let panels = places.filter { !$0.place.readouts.isEmpty }.prefix(8).map { one in
      NamedMatrices.Panel(
        title: one.address, rows: one.place.readouts.map(\.name),
        columns: ["own class before", "own class after", "target's class after"],
        values: one.place.readouts.map { [$0.before, $0.after, $0.fooled] })
    }
    return panels.isEmpty
      ? nil
      : NamedMatrices(
        id: "matching-readers", panels: Array(panels),
        names: ("reader", "read as", "share of sources"))
  }

  /// Softmax over classes, of the first places; nil where images have no classes.
  var scores: NamedMatrices? {
    let panels = places.prefix(3).flatMap { one -> [NamedMatrices.Panel] in
      guard let scores = one.place.scores else { return [] }
      let rows = scores.pairs.prefix(10).map { pair -> String in
        let own = one.place.pairs.indices.contains(pair) ? one.place.pairs[pair] : nil
        let name = own.flatMap { result.images[$0.source].className } ?? ""
        return "\(pair + 1) \(name)"
      }
      return [("before", scores.before), ("after", scores.after)].map { when, table in
        NamedMatrices.Panel(
          title: "\(one.address), \(when)", rows: Array(rows), columns: scores.classes,
          values: table.prefix(rows.count).map { $0.map { Optional($0) } })
      }
    }
    return panels.isEmpty
      ? nil
      : NamedMatrices(
        id: "matching-scores", panels: panels, names: ("source", "class", "softmax"))
  }

  /// From place to place; nil where there is one.
  var transfer: NamedMatrices? {
    guard let transfer = result.transfer else { return nil }
    let names = places.map(\.address)
    func clipped(_ table: [[Double?]]) -> [[Double?]] {
      table.map { $0.map { $0.map { min(1, max(0, $0)) } } }
    }
    return NamedMatrices(
      id: "matching-transfer",
      panels: [
        NamedMatrices.Panel(
          title: "Share of the way", rows: names, columns: names, values: clipped(transfer.way)),
        NamedMatrices.Panel(
          title: "Nearest image is the target", rows: names, columns: names,
          values: transfer.nearest),
      ], names: ("matched at", "seen at", "share"), inRow: names.count > 8 ? 1 : 2)
  }
}

/// All numbers of the pairs.
struct MatchingTable {
  let result: MatchingResult

  var html: HTML {
    let rows = result.models.flatMap { model in
      model.places.flatMap { place in
        place.pairs.map { row(model.name, place, $0) }
      }
    }
    return Fold.make(
      "Matches in numbers: \(Text.plural(rows.count, "pair"))",
      [
        Fold.table(
          [
            "model", "site", "source", "target", "cos before", "cos", "cos saved", "d", "d saved",
            "‖t‖", "PSNR, dB", "SSIM", "L2", "L∞", "L2 to target", "steps", "end",
          ], rows)
      ])
  }

  private func row(
    _ model: String, _ place: MatchingResult.Place, _ pair: MatchingResult.Pair
  ) -> HTML {
    func cell(_ value: Double?, _ digits: Int = 3) -> HTML {
      .element("td", ["class": "number"], Text.number(value, digits: digits))
    }
    return .element(
      "tr", [:],
      [
        .element("td", [:], model), .element("td", [:], [.element("code", [:], place.site)]),
        .element("td", [:], result.images[pair.source].id),
        .element("td", [:], result.images[pair.target].id),
        cell(pair.before.cosine), cell(pair.after.cosine, 4), cell(pair.saved.cosine, 4),
        cell(pair.after.distance, 4), cell(pair.saved.distance, 4), cell(pair.targetNorm, 2),
        cell(pair.change.psnr, 1), cell(pair.change.ssim), cell(pair.change.euclidean, 2),
        cell(pair.change.maximum), cell(pair.between, 1),
        .element("td", ["class": "number"], "\(pair.steps)"),
        .element("td", ["class": "nowrap"], MatchingTriptychs.word(pair.ending)),
      ])
  }
}

/// Whether the parts of a result fit together; what does not is a damaged file, not a trap.
struct MatchingCheck {
  let result: MatchingResult

  /// What is wrong; nil where nothing is.
  var problem: String? {
    guard !result.models.isEmpty, result.images.count >= 2 else {
      return "it names no model, or fewer than two images"
    }
    let places = result.models.reduce(0) { $0 + $1.places.count }
    for model in result.models {
      guard model.originals.count == result.images.count else {
        return "a model has \(model.originals.count) of \(result.images.count) images"
      }
      guard model.originals.allSatisfy(PictureCell.isPicture) else {
        return "the picture of an image is no PNG"
      }
      guard !model.places.isEmpty else { return "a model has no site" }
      for place in model.places {
        if let problem = problem(place) { return problem }
      }
    }
    if let transfer = result.transfer {
      for table in [transfer.way, transfer.nearest] {
        guard table.count == places, table.allSatisfy({ $0.count == places }) else {
          return "a matrix of transfer is not of \(places) × \(places)"
        }
      }
    }
    return nil
  }

  private func problem(_ place: MatchingResult.Place) -> String? {
    guard (0...1).contains(place.depth), place.features > 0 else {
      return "a site lies at relative depth \(place.depth) and holds \(place.features) numbers"
    }
    for pair in place.pairs {
      guard result.images.indices.contains(pair.source), result.images.indices.contains(pair.target)
      else { return "a pair is of images \(pair.source) and \(pair.target)" }
      guard PictureCell.isPicture(pair.picture), PictureCell.isPicture(pair.difference) else {
        return "the picture of a pair is no PNG"
      }
      guard pair.before.distance >= 0, pair.after.distance >= 0, pair.saved.distance >= 0,
        pair.amplification > 0
      else { return "a distance is below 0" }
    }
    if let scores = place.scores {
      guard scores.pairs.allSatisfy(place.pairs.indices.contains),
        [scores.before, scores.after].allSatisfy({ table in
          table.count == scores.pairs.count
            && table.allSatisfy { $0.count == scores.classes.count }
        })
      else { return "scores do not fit their pairs and classes" }
    }
    if let all = place.coordinates {
      guard
        [all.sources, all.targets, all.matched].allSatisfy({ $0.count == place.pairs.count })
      else { return "principal coordinates do not fit the pairs" }
    }
    return nil
  }
}
