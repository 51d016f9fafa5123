import ParallaxResults

/// Fields as pictures: a row a model, or a part of its blocks; the columns go down the network.
struct FieldGrid {
  let result: ReceptiveFieldResult

  /// Columns; a network of more sites shows some of them, evenly spread.
  static let columns = 8

  /// A row of pictures under a line that names it.
  struct Row {
    var model: Int
    var name: String
    var fields: [ReceptiveFieldResult.Field]
  }

  /// A row each model: what leaves its sites.
  var outputs: [Row] {
    result.models.indices.map { index in
      Row(model: index, name: "", fields: Self.spread(result.models[index].outputs))
    }
  }

  /// Of each model with branches a row each part, at the same blocks.
  var parts: [[Row]] {
    result.models.indices.compactMap { index in
      let fields = result.models[index].fields
      let branches = fields.filter { $0.part != .output }
      guard !branches.isEmpty else { return nil }
      let depths = Set(branches.map(\.depth))
      let shown = Self.spread(fields.filter { $0.part == .output && depths.contains($0.depth) })
      return ReceptiveFieldResult.Part.allCases.compactMap { part in
        let own = shown.compactMap { field in
          fields.first { $0.part == part && $0.depth == field.depth }
        }
        return own.isEmpty ? nil : Row(model: index, name: Self.name(part), fields: own)
      }
    }
  }

  /// At most so many, evenly spread, the first and the last among them.
  static func spread(_ fields: [ReceptiveFieldResult.Field]) -> [ReceptiveFieldResult.Field] {
    guard fields.count > columns else { return fields }
    return (0..<columns).map { place in
      fields[(place * (fields.count - 1) + (columns - 1) / 2) / (columns - 1)]
    }
  }

  static func name(_ part: ReceptiveFieldResult.Part) -> String {
    switch part {
    case .output: "after the residual connection"
    case .attention: "attention, before the residual connection"
    case .mlp: "perceptron, before the residual connection"
    case .branch: "long branch, before the residual connection"
    }
  }

  /// Rows one under another.
  func html(_ rows: [Row], showsModel: Bool) -> HTML {
    .group(
      rows.map { row in
        let model = result.models[row.model]
        let heading: [HTML] =
          showsModel
          ? [
            ModelMark.html(row.model), .element("strong", [:], model.name),
            .element(
              "span", ["class": "quiet"],
              " \(model.height) × \(model.width) px"
                + (model.twinOf.map { ", untrained twin of \($0)" } ?? "")),
          ] : [.element("span", ["class": "quiet"], row.name)]
        return .element(
          "div", ["class": "field-row"],
          [
            .element("div", ["class": "field-name"], heading),
            .element("div", ["class": "fields"], row.fields.map { picture($0, row.model) }),
          ])
      })
  }

  private func picture(_ field: ReceptiveFieldResult.Field, _ model: Int) -> HTML {
    let radius = "\(Text.number(field.radius.value, digits: field.radius.isLarge ? 0 : 1)) px"
    let name = "\(result.models[model].name), \(field.site), \(FieldGrid.name(field.part))"
    let image: HTML =
      field.picture.isEmpty
      ? .element("div", ["class": "missing"], "no picture")
      : .void(
        "img",
        [
          "src": "data:image/png;base64,\(field.picture.base64EncodedString())",
          "alt": "Receptive field of \(name): radius \(radius)", "title": "\(name): \(radius)",
          "loading": "lazy", "decoding": "async",
        ])
    return .element(
      "div", ["class": "field"],
      [
        image, .element("span", [:], field.site),
        .element("span", ["class": "quiet"], radius),
      ])
  }

  /// What the colours mean.
  var legend: HTML {
    .element(
      "div", ["class": "field-scale"],
      [
        .element(
          "span", [:],
          "\(result.decades == result.decades.rounded() ? Self.power(Int(result.decades)) : Text.number(result.decades)) of the map's largest value or less"
        ),
        .element("span", ["class": "ramp", "role": "img", "aria-label": "from dark to light"], ""),
        .element("span", [:], "its largest value"),
      ])
  }

  /// `1/1000` of 3.
  private static func power(_ decades: Int) -> String {
    "1/1" + String(repeating: "0", count: min(decades, 20))
  }
}

extension IntervalEstimate {
  /// Whether a length needs no digit behind the point.
  var isLarge: Bool { (value ?? 0) >= 100 }
}
