import ParallaxResults

/// What the paper says, and what the findings of this run say of it. A claim that nothing tested is not printed.
enum ClaimsSection {
  /// The section; nil where no finding bears on a claim, or a model that is no twin of another has made-up weights: papers
  /// speak of trained ones.
  static func make(_ findings: [Finding], models: [Provenance.Model] = []) -> Section? {
    let names = Set(models.map(\.name))
    let isMadeUp = models.contains { model in
      let base = model.name.hasSuffix("-random") ? String(model.name.dropLast(7)) : model.name
      return model.origin == nil && !(base != model.name && names.contains(base))
    }
    guard !isMadeUp else { return nil }
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
