import Foundation
import ParallaxResults

/// What was asked, of which models, on which images, and what came of it.
struct Introduction {
  let material: Material
  let findings: [Finding]
  /// How many more stand with the claims that they bear on.
  var claimed = 0

  private var provenance: Provenance { material.provenance }

  func html() -> HTML {
    let classes = provenance.classes.count
    let images =
      Text.plural(provenance.imageCount, "image")
      + (classes > 0 ? " of \(Text.plural(classes, "class", "classes"))" : "")
    return .element(
      "section", ["id": "top", "aria-labelledby": "title"],
      [
        .element("p", ["class": "brand"], "Parallax"),
        .element("h1", ["id": "title"], provenance.title),
        .element(
          "p", ["class": "lead"],
          provenance.models.isEmpty
            ? "Features of \(images), \(day)."
            : "\(Text.plural(provenance.models.count, "model")) looked at \(images), \(day)."),
        .element("ul", ["class": "models"], provenance.models.enumerated().map(model)),
        .element("h2", ["id": "findings"], "What the numbers say"),
        list,
        .element("h2", ["id": "images"], "The images"),
        ContactSheet(material: material).html(),
      ])
  }

  private var day: String {
    guard let date = try? Date(provenance.date, strategy: .iso8601) else { return provenance.date }
    return date.formatted(
      Date.FormatStyle(
        date: .long, time: .omitted, locale: Locale(identifier: "en_GB"),
        timeZone: TimeZone(secondsFromGMT: 0) ?? .current))
  }

  private func model(_ index: Int, _ model: Provenance.Model) -> HTML {
    .element(
      "li", [:],
      [
        ModelMark.html(index),
        .element(
          "span", [:],
          [
            .element("strong", [:], model.name),
            .element("span", ["class": "quiet"], model.summary),
          ]),
      ])
  }

  private var list: HTML {
    guard !findings.isEmpty else {
      return .element("p", [:], "This run holds no result that a sentence could be made of.")
    }
    let list = HTML.element("ol", ["class": "findings"], findings.map { Self.item($0) })
    guard claimed > 0 else { return list }
    let more = "\(Text.plural(claimed, "finding")) on what a paper claims"
    return .group([
      list,
      .element(
        "p", ["class": "quiet"],
        [.text("Below: "), .element("a", ["href": "#claims"], more), .text(".")]),
    ])
  }

  /// A finding with its verdict and number.
  ///
  /// - Parameters:
  ///   - finding: it.
  ///   - isLinked: whether a link leads to its analysis.
  /// - Returns: an item of a list.
  static func item(_ finding: Finding, isLinked: Bool = false) -> HTML {
    let numbers =
      finding.value.map { value in
        Text.number(value)
          + (Text.interval(finding.low, finding.high).map { " [\($0)]" } ?? " (no interval)")
      } ?? "–"
    return .element(
      "li", [:],
      [
        .element("span", ["class": "verdict \(finding.verdict.style)"], finding.verdict.rawValue),
        .element(
          "span", [:],
          [
            .element("span", ["class": "sentence"], finding.sentence + "."),
            .element("span", ["class": "numbers"], numbers),
            .element("span", ["class": "quiet"], finding.quantity),
            isLinked
              ? .element("a", ["href": "#\(finding.analysis)"], "The figures")
              : .none,
          ]),
      ])
  }
}

extension Finding.Verdict {
  /// The class of its word in the page.
  var style: String {
    switch self {
    case .shows: "yes"
    case .doesNotShow: "no"
    case .cannotTell: "open"
    }
  }
}
