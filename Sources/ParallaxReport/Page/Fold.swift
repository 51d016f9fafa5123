import ParallaxResults

/// What is longer than a screen.
enum Fold {
  /// A line that unfolds.
  static func make(_ summary: String, _ pieces: [HTML]) -> HTML {
    .element("details", [:], [.element("summary", [:], summary)] + pieces)
  }

  /// A table with a head, that scrolls within itself where it is too wide.
  static func table(_ head: [String], _ rows: [HTML]) -> HTML {
    .element(
      "div", ["class": "scroll", "tabindex": "0", "role": "region", "aria-label": "table"],
      [
        .element(
          "table", [:],
          [
            .element(
              "thead", [:],
              [.element("tr", [:], head.map { .element("th", ["scope": "col"], $0) })]),
            .element("tbody", [:], rows),
          ])
      ])
  }

  /// Layers that a measure has no value for, with the reasons.
  static func refusals(_ refusals: [SimilarityResult.Refusal]) -> HTML {
    make(
      "Layers without a value: \(refusals.count)",
      [
        table(
          ["layer", "why"],
          refusals.map { refusal in
            .element(
              "tr", [:],
              [
                .element("td", [:], [.element("code", [:], refusal.address)]),
                .element("td", [:], refusal.reason),
              ])
          })
      ])
  }

  /// A command with a button that copies it.
  static func command(_ command: String) -> HTML {
    .element(
      "div", ["class": "command"],
      [
        .element("code", [:], command),
        .element(
          "button", ["type": "button", "data-copy": command, "aria-label": "Copy the command"],
          "Copy"),
      ])
  }
}
