import ParallaxResults

/// What the paper says, and what the findings of this run say of it. A claim that nothing tested is not printed.
enum ClaimsSection {
  /// The section; nil where no finding bears on a claim.
  static func make(_ findings: [Finding]) -> Section? {
    let tested = Claim.allCases.compactMap { claim -> HTML? in
      let own = findings.filter { $0.claim == claim && $0.value != nil }
      return own.isEmpty ? nil : row(claim, own)
    }
    guard !tested.isEmpty else { return nil }
    return Section(
      id: "claims", name: "Claims", title: "Do these transformers see like convolutional networks?",
      body: [
        .element(
          "p", ["class": "lead"],
          """
          What Raghu et al., Do Vision Transformers See Like Convolutional Neural Networks? (2021), say, in our words, and what the \
          numbers of these models and images say of it. Only what was tested is listed. Their models were larger and trained on \
          other data; a sentence may hold for them and not here.
          """),
        .element("div", ["class": "claims"], tested),
      ])
  }

  private static func row(_ claim: Claim, _ findings: [Finding]) -> HTML {
    .element(
      "section", ["class": "claim"],
      [
        .element("h3", [:], "\(claim.sentence) (\(claim.place))"),
        .element(
          "ol", ["class": "findings"], findings.map { Introduction.item($0, isLinked: true) }),
      ])
  }
}
