import ParallaxResults

/// What reproduces the run.
struct ProvenanceSection {
  let material: Material

  private var provenance: Provenance { material.provenance }

  func section() -> Section {
    Section(
      id: "provenance", name: "Provenance", title: "Where the numbers come from",
      body: [
        .element(
          "p", ["class": "lead"],
          "The command below makes this run again, on the same files with the same bytes."),
        Fold.command(provenance.command),
        .element("h3", [:], "Models"),
        Fold.table(
          ["model", "network", "parameters", "weights from", "licence", "time"],
          provenance.models.enumerated().map(row)),
        .group(caveats),
        .element("h3", [:], "Run"),
        facts,
        Fold.make(
          "Fingerprints and preprocessing",
          [
            Fold.table(
              ["model", "weights and architecture", "preprocessing"],
              provenance.models.map { model in
                .element(
                  "tr", [:],
                  [
                    .element("td", [:], model.name),
                    .element("td", [:], [.element("code", ["class": "long"], model.fingerprint)]),
                    .element("td", [:], [.element("code", ["class": "long"], model.preprocessing)]),
                  ])
              })
          ]),
      ])
  }

  private func row(_ index: Int, _ model: Provenance.Model) -> HTML {
    .element(
      "tr", [:],
      [
        .element("td", ["class": "nowrap"], [ModelMark.html(index), .text(model.name)]),
        .element("td", [:], model.family),
        .element("td", ["class": "number"], Text.count(model.parameters)),
        .element("td", [:], model.origin ?? "–"),
        .element("td", [:], model.licence ?? "–"),
        .element("td", ["class": "number"], model.seconds.map(Text.duration) ?? "–"),
      ])
  }

  private var caveats: [HTML] {
    let notes = provenance.models.compactMap { model in model.caveat.map { (model.name, $0) } }
    guard !notes.isEmpty else { return [] }
    return [
      .element(
        "ul", ["class": "caveats"],
        notes.map { name, note in
          .element("li", [:], [.element("strong", [:], name), .text(": \(note).")])
        })
    ]
  }

  private var facts: HTML {
    var pairs: [(String, String)] = [
      (
        "images",
        "\(provenance.images): \(provenance.imageCount) read, \(provenance.skipped.count) left out"
      ),
      ("images' hash", provenance.imagesHash),
      ("device", "\(provenance.device), \(provenance.dtype), \(provenance.threads) threads"),
      ("seed", String(provenance.seed)), ("begun", provenance.date),
      (
        "versions",
        provenance.versions.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
          .joined(separator: ", ")
      ),
    ]
    // Of features that were there already there were no batches.
    if provenance.batchSize > 0 {
      pairs.insert(("batch", "\(provenance.batchSize) images"), at: 3)
    }
    for source in provenance.sources ?? [] {
      let read = source.count.map { ": \($0) read, \(source.skipped.count) left out" } ?? ""
      pairs += [(source.role, source.path + read), ("\(source.role)'s hash", source.hash)]
      pairs += source.skipped.prefix(20).map { ("left out of it", "\($0.path): \($0.reason)") }
    }
    pairs += provenance.seconds.sorted { $0.key < $1.key }.map {
      ("time, \($0.key)", Text.duration($0.value))
    }
    return .element(
      "dl", ["class": "facts"],
      pairs.flatMap { [HTML.element("dt", [:], $0.0), .element("dd", [:], $0.1)] })
  }
}
