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

  /// Every choice of an analysis and who made it; nothing where there is none.
  static func switches(_ switches: [Switch]) -> HTML {
    guard !switches.isEmpty else { return .none }
    let ours = switches.count { $0.origin != "paper" }
    return make(
      "What was chosen: \(Text.plural(switches.count, "switch", "switches")), \(ours) of them reconstruction",
      [
        table(
          ["switch", "value", "whose"],
          switches.map { one in
            .element(
              "tr", [:],
              [one.name, one.value, one.origin == "paper" ? "the paper's" : one.origin].map {
                .element("td", [:], $0)
              })
          })
      ])
  }

  /// What has no value, with the reasons.
  static func refusals(
    _ refusals: [SimilarityResult.Refusal], title: String = "Layers without a value",
    of what: String = "layer"
  ) -> HTML {
    make(
      "\(title): \(refusals.count)",
      [
        table(
          [what, "why"],
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

  /// What made a figure; nothing where the run does not say.
  static func again(_ material: Material) -> HTML {
    let command = material.provenance.command
    return command.isEmpty
      ? .none
      : .element(
        "div", ["class": "again"], [.element("span", [:], "Made by"), Self.command(command)])
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
