import ParallaxResults

/// Ratios over the image, of networks whose maps change size: pictures, a row a model.
struct ResidualGrid {
  let result: ResidualResult
  let all: [String]

  /// Columns; a network of more sums shows some of them, evenly spread.
  static let columns = 8

  private var models: [Int] {
    result.models.indices.filter { index in
      let own = result.models[index].connections
      return own.contains { !$0.picture.isEmpty }
        && (result.models[index].design == "convolutional"
          || Set(own.map(\.tokens.count)).count > 1)
    }
  }

  var hasRows: Bool { !models.isEmpty }

  var html: HTML {
    .group(
      models.map { index in
        let model = result.models[index]
        let own = model.connections.filter { !$0.picture.isEmpty }
        let shown =
          own.count <= Self.columns
          ? own
          : (0..<Self.columns).map {
            own[($0 * (own.count - 1) + (Self.columns - 1) / 2) / (Self.columns - 1)]
          }
        return .element(
          "div", ["class": "field-row"],
          [
            .element(
              "div", ["class": "field-name"],
              [
                ModelMark.html(all.firstIndex(of: model.name) ?? index),
                .element("strong", [:], model.name),
              ]),
            .element("div", ["class": "fields"], shown.map { picture($0, model) }),
          ])
      } + [legend])
  }

  private func picture(
    _ one: ResidualResult.Connection, _ model: ResidualResult.Model
  ) -> HTML {
    let ratio = Text.number(one.ratio.value, digits: 2)
    let name = "\(model.name), \(one.block), \(ResidualResult.name(one.part))"
    return .element(
      "div", ["class": "field"],
      [
        .void(
          "img",
          [
            "src": "data:image/png;base64,\(one.picture.base64EncodedString())",
            "alt": "Norm ratios of \(name): mean \(ratio)", "title": "\(name): \(ratio)",
            "loading": "lazy", "decoding": "async",
          ]),
        .element("span", [:], one.block),
        .element(
          "span", ["class": "quiet"],
          (one.part == .branch ? "" : "\(ResidualResult.name(one.part)), ") + ratio),
      ])
  }

  private var legend: HTML {
    let end = Text.number(result.span, digits: result.span == result.span.rounded() ? 0 : 1)
    return .element(
      "div", ["class": "field-scale"],
      [
        .element("span", [:], "log₂ ‖z‖/‖f(z)‖ of −\(end): rewritten"),
        .element(
          "span",
          [
            "class": "ramp diverging", "role": "img", "aria-label": "from blue over grey to orange",
          ],
          ""),
        .element("span", [:], "\(end): carried past"),
      ])
  }
}
