import Foundation
import ParallaxResults

/// Maps of tokens over the patches of the image: a table a model, layers downwards, tokens from left to right.
struct LocalizationGrids {
  let result: LocalizationResult
  /// The names of all models of the run, which colours go by.
  let all: [String]

  /// One kind of maps of all models.
  func html(_ picture: KeyPath<LocalizationResult.Token, Data>) -> HTML {
    .group(
      result.models.enumerated().flatMap { index, model -> [HTML] in
        let layers = model.layers.filter { layer in
          layer.tokens.contains { !$0[keyPath: picture].isEmpty }
        }
        guard !layers.isEmpty else { return [] }
        let head: HTML = .element(
          "div", ["class": "field-name"],
          [
            ModelMark.html(all.firstIndex(of: model.name) ?? index),
            .element("strong", [:], model.name),
            .element("span", ["class": "quiet"], note(model)),
          ])
        return [head, table(model, layers, picture)]
      } + [legend(picture == \.decodedPicture)])
  }

  private func note(_ model: LocalizationResult.Model) -> String {
    let head =
      switch model.readout {
      case "class token": "the head reads the class token"
      case "pooled": "the head reads what is pooled"
      default: "what the head reads is not known"
      }
    return "\(model.height) × \(model.width) px, \(head)"
      + (model.twinOf.map { ", untrained twin of \($0)" } ?? "")
  }

  private func table(
    _ model: LocalizationResult.Model, _ layers: [LocalizationResult.Layer],
    _ picture: KeyPath<LocalizationResult.Token, Data>
  ) -> HTML {
    let isDecoded = picture == \.decodedPicture
    let columns = layers.map(\.tokens.count).max() ?? 0
    let rows = layers.reversed().map { layer -> HTML in
      .element(
        "tr", [:],
        [
          .element(
            "th", ["scope": "row"],
            [
              .element("code", [:], layer.site),
              .element("span", ["class": "quiet block"], "grid \(layer.rows) × \(layer.columns)"),
              .element(
                "span", ["class": "quiet block"],
                isDecoded
                  ? "R² 0 to \(Text.number(layer.decodedHigh, digits: 2))"
                  : "CKA \(Text.number(layer.low, digits: 2)) to \(Text.number(layer.high, digits: 2))"
              ),
            ])
        ]
          + (0..<columns).map { place in
            .element(
              "td", [:],
              layer.tokens.indices.contains(place)
                ? [cell(layer.tokens[place], layer, model, picture)] : [])
          })
    }
    return .element(
      "div",
      ["class": "scroll tall", "tabindex": "0", "role": "region", "aria-label": "maps of tokens"],
      [
        .element(
          "div", ["class": "maps"],
          [.element("table", [:], [.element("tbody", [:], rows)])])
      ])
  }

  private func cell(
    _ token: LocalizationResult.Token, _ layer: LocalizationResult.Layer,
    _ model: LocalizationResult.Model, _ picture: KeyPath<LocalizationResult.Token, Data>
  ) -> HTML {
    let place = token.row * layer.columns + token.column
    let isDecoded = picture == \.decodedPicture
    let own =
      isDecoded
      ? "own R² \(Text.number(token.decoded.indices.contains(place) ? token.decoded[place] : nil, digits: 2))"
      : "own \(Text.number(token.own.value, digits: 2)), rank \(Text.number(token.rank, digits: 0))"
    let name = "token at row \(token.row), column \(token.column)"
    return .element(
      "div", ["class": "map"],
      [
        .void(
          "img",
          [
            "src": "data:image/png;base64,\(token[keyPath: picture].base64EncodedString())",
            "alt": "\(model.name), \(layer.site), \(name): \(own)",
            "title": "\(model.name), \(layer.site), \(name)", "loading": "lazy",
            "decoding": "async",
          ]), .element("span", [:], "(\(token.row), \(token.column))"),
        .element("span", ["class": "quiet"], own),
      ])
  }

  private func legend(_ isDecoded: Bool) -> HTML {
    .element(
      "div", ["class": "field-scale"],
      [
        .element("span", [:], isDecoded ? "R² of 0 or less" : "the layer's smallest CKA, or 0"),
        .element(
          "span",
          [
            "class": "ramp similarity", "role": "img",
            "aria-label": "from violet over green to yellow",
          ],
          ""),
        .element(
          "span", [:],
          (isDecoded ? "the layer's largest R²" : "the layer's largest CKA")
            + "; framed: the token's own patch"),
      ])
  }
}
