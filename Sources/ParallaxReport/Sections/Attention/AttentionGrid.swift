import ParallaxResults

/// Attention over images: a table a model and image, layers from left to right, heads from above downwards.
struct AttentionGrid {
  let result: AttentionResult
  /// The models' places among all models of the run, which colours go by.
  let places: [Int]

  /// All tables; those of a model's later images unfold.
  var html: HTML {
    .group(
      [
        .element(
          "p", [:],
          """
          Where one token looks, over the image as the model sees it. Each square is a patch; the brightest is the one with \
          the most weight in that map, so maps compare by shape and not by brightness. The most local and the most global \
          head are those of the figures above. Attention rollout (Abnar and Zuidema, 2020) multiplies ½ (A + I) over the \
          layers, A the mean over heads. \(windows)Whether such maps explain what a model does is disputed; they show where weight lies. \
          The pictures are also in the run's folder attention/.
          """)
      ]
        + result.models.indices.flatMap { model -> [HTML] in
          let images = images(of: model)
          guard let first = images.first else { return [] }
          let rest = images.dropFirst()
          let head: HTML = .element(
            "h4", [:], [ModelMark.html(places[model]), .text(" \(result.models[model].name)")])
          return [head, table(model, first)]
            + (rest.isEmpty
              ? []
              : [
                Fold.make(
                  Text.plural(rest.count, "more image"), rest.map { table(model, $0) })
              ])
        })
  }

  private var windows: String {
    guard result.maps.contains(where: { result.models[$0.model].isWindowed }) else { return "" }
    return
      "Where attention is kept inside windows, one patch's window is drawn where it lies in the whole grid, and what the "
      + "patch cannot see stays grey; in later stages the position looks that the patch has gone into. Windows that shift and "
      + "merge have no rollout. "
  }

  private func images(of model: Int) -> [String] {
    var images: [String] = []
    for map in result.maps where map.model == model && !images.contains(map.image) {
      images.append(map.image)
    }
    return images
  }

  private func table(_ model: Int, _ image: String) -> HTML {
    let maps = result.maps.filter { $0.model == model && $0.image == image }
    let whole = maps.filter { $0.layer == nil }
    let layers = Set(maps.compactMap(\.layer)).sorted()
    let columns = layers.map { layer in maps.filter { $0.layer == layer } }
    let rows = columns.map(\.count).max() ?? 0
    let names = result.models[model].layers
    let body = (0..<rows).map { row -> HTML in
      .element(
        "tr", [:],
        [.element("th", ["scope": "row"], label(row, columns))]
          + columns.map { column in
            .element("td", [:], column.indices.contains(row) ? [cell(column[row])] : [])
          })
    }
    return .element(
      "div",
      ["class": "scroll", "tabindex": "0", "role": "region", "aria-label": "attention maps"],
      [
        .element(
          "div", ["class": "maps"],
          [
            .element("div", ["class": "whole"], whole.map(cell)),
            .element(
              "table", [:],
              [
                .element(
                  "thead", [:],
                  [
                    .element(
                      "tr", [:],
                      [.element("th", [:], "")]
                        + layers.map { .element("th", ["scope": "col"], names[$0].block) })
                  ]), .element("tbody", [:], body),
              ]),
          ])
      ])
  }

  private func label(_ row: Int, _ columns: [[AttentionResult.Map]]) -> String {
    if row == 0 { return "mean over heads" }
    let most = columns.map(\.count).max() ?? 0
    if most == 2 { return "head" }
    return row == 1 ? "most local head" : "most global head"
  }

  private func cell(_ map: AttentionResult.Map) -> HTML {
    let words: String
    switch (map.layer, map.head) {
    case (nil, _): words = map.token == "image" ? "the image" : "rollout, \(map.token)"
    case (_, nil): words = map.token
    case (_, .some(let head)):
      words = "head \(head), \(Text.number(map.distance, digits: 0)) px"
    }
    let place = map.layer.map { result.models[map.model].layers[$0].block } ?? ""
    return .element(
      "div", ["class": "map"],
      [
        .void(
          "img",
          [
            "src": "data:image/png;base64,\(map.picture.base64EncodedString())",
            "alt": "\(map.image): \(words) \(place)", "title": map.image, "loading": "lazy",
            "decoding": "async",
          ]), .element("span", ["class": "quiet"], words),
      ])
  }
}
