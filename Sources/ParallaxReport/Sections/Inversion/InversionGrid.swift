import Foundation
import ParallaxResults

/// Pictures found for layers: a row a model and image, the original first, then the layers from the first to the last.
struct InversionGrid {
  let result: InversionResult

  /// Layers in a row; a network of more shows some of them, evenly spread.
  static let columns = 7

  /// Images in the open part; the others fold.
  static let shown = 2

  /// Rows of some images, model after model.
  func html(images: [Int]) -> HTML {
    .group(
      images.flatMap { image in
        result.models.indices.flatMap { model in
          (0..<result.starts).map { row(model, image, $0) }
        }
      })
  }

  /// At most so many, evenly spread, the first and the last among them.
  static func spread(_ layers: [InversionResult.Layer], _ columns: Int = columns)
    -> [InversionResult.Layer]
  {
    guard layers.count > columns, columns > 1 else { return layers }
    return (0..<columns).map {
      layers[($0 * (layers.count - 1) + (columns - 1) / 2) / (columns - 1)]
    }
  }

  private func row(_ index: Int, _ image: Int, _ start: Int) -> HTML {
    let model = result.models[index]
    let place =
      (result.images.count > 1 ? ", image \(image + 1)" : "")
      + (result.starts > 1 ? ", start \(start + 1)" : "")
    let cells = Self.spread(model.layers).compactMap { layer in
      layer.reconstructions.first { $0.image == image && $0.start == start }.map { (layer, $0) }
    }
    return .element(
      "div", ["class": "field-row"],
      [
        .element(
          "div", ["class": "field-name"],
          [
            ModelMark.html(index), .element("strong", [:], model.name),
            .element(
              "span", ["class": "quiet"],
              " \(model.height) × \(model.width) px\(place)"
                + (model.twinOf.map { ", untrained twin of \($0)" } ?? "")
                + (model.place.map { ", at \(Text.number($0, digits: 0)) on the axis" } ?? "")),
          ]),
        .element(
          "div", ["class": "fields"],
          [original(model.originals[image], model.name)]
            + cells.map { cell($0.0, $0.1, model.name) }),
      ])
  }

  private static func image(_ data: Data, _ label: String) -> HTML {
    data.isEmpty
      ? .element("div", ["class": "missing"], "no picture")
      : .void(
        "img",
        [
          "src": "data:image/png;base64,\(data.base64EncodedString())", "alt": label,
          "title": label, "loading": "lazy", "decoding": "async",
        ])
  }

  private func original(_ original: InversionResult.Original, _ model: String) -> HTML {
    .element(
      "div", ["class": "field"],
      [Self.image(original.picture, "The input of \(model)"), .element("span", [:], "input")])
  }

  private func cell(
    _ layer: InversionResult.Layer, _ one: InversionResult.Reconstruction, _ model: String
  ) -> HTML {
    let (near, far) = (Self.times(one.relativeEmbedding), Self.times(one.relativeInput))
    let label =
      "\(model)@\(layer.site): \(one.verdict.rawValue); m_g \(near) m_r, m_i \(far) m_a′, RMSE \(Text.number(one.rmse))"
    let diverged = one.diverged.map {
      [HTML.element("span", ["class": "quiet"], "diverged at step \($0)")]
    }
    return .element(
      "div", ["class": "field"],
      [
        Self.image(one.picture, label), .element("span", [:], layer.site),
        .element(
          "span", ["class": "verdict small \(Self.style(one.verdict))"], Self.short(one.verdict)),
        .element("span", ["class": "quiet"], "m_g \(near) m_r"),
        .element("span", ["class": "quiet"], "m_i \(far) m_a′"),
      ] + (diverged ?? []))
  }

  /// `0.31 ×`.
  static func times(_ value: Double?) -> String {
    guard let value else { return "– ×" }
    return "\(Text.number(value, digits: value < 10 ? 2 : value < 100 ? 1 : 0)) ×"
  }

  static func style(_ verdict: InversionResult.Verdict) -> String {
    switch verdict {
    case .accurate: "yes"
    case .embeddingOnly: "no"
    case .failed, .given: "open"
    }
  }

  static func short(_ verdict: InversionResult.Verdict) -> String {
    switch verdict {
    case .accurate: "accurate"
    case .embeddingOnly: "embedding only"
    case .failed: "failed"
    case .given: "matched"
    }
  }
}
