import Foundation
import ParallaxResults

/// What layers do to small changes of a picture.
///
/// > Source: Badger, 2022, arXiv 2211.06496.
enum SpectrumSection {
  /// The section; nil where the run has no such result.
  static func make(_ material: Material) throws -> Section? {
    guard let result: SpectrumResult = try material.run.result(analysis: "spectrum") else {
      return nil
    }
    if let problem = SpectrumCheck(result: result).problem {
      throw ResultsError.damaged(
        path: material.run.url.appending(path: "results/spectrum.json").path, problem: problem)
    }
    let text = SpectrumText(result: result)
    let (curves, lines) = (SpectrumCurves(result: result).curves, SpectrumLines(result: result))
    let values = lines.figure()
    let depth = curves.figure(
      "Conditioning over depth",
      "Curves over relative depth: condition number, effective rank, stable rank, and numbers of the layer over those of the input"
    )
    return Section(
      id: "spectrum", name: "Spectra",
      title: "In how many directions the layers see a small change of the picture",
      body: [
        text.lead, Fold.switches(result.switches),
        .element("h3", [:], "The singular values of each layer's Jacobian"),
        values.html(caption: [.text(text.values)], after: [Fold.again(material)]),
        .element("h3", [:], "How they change with depth"),
        depth.html(
          caption: [.text(text.depth)],
          after: [Fold.again(material), SpectrumTable(result: result).html]),
      ], findings: result.findings, figures: [values, depth],
      data: curves.data().merging(lines.data()) { $1 })
  }
}

/// What the section says beside its figures.
struct SpectrumText {
  let result: SpectrumResult

  private var basis: String {
    "\(Text.plural(result.images.count, "image")), products in \(result.dtype), seed \(result.seed)."
  }

  private var twins: String {
    result.models.contains { $0.twinOf != nil } ? " Dashed: untrained twins." : ""
  }

  var lead: HTML {
    .element(
      "p", ["class": "lead"],
      """
      J = ∂O/∂a says how the numbers of a layer answer to a small change of the pixels. Its singular values are the gains of the \
      directions that the layer sees, and where they end, or become tiny, are the directions that it does not: there a picture can change and the \
      embedding stays. A layer with fewer numbers than the picture (D < n) cannot be unique, whatever it computes; one with more is \
      not unique in practice where σ₁/σ_i is large, which is what Badger (2022) calls approximate non-invertibility.
      """)
  }

  var values: String {
    """
    σ_i of J at the picture, pixels in [0, 1], largest first, both axes logarithmic, a line each layer and picture.\(twins) All min(D, n) values where J could be \
    formed (D or n up to the limit under "switches"), else the leading ones of at most \(result.count) whose residual is at most 5 % of them. \
    Below 10⁻⁶ of σ₁ float32 rounds, and nothing is drawn. \(basis)
    """
  }

  var depth: String {
    """
    σ₁/σ_\(result.compared): the condition number of the \(result.compared) leading directions, the most that all layers have. Effective rank: exp of the \
    entropy of σ/Σσ; where only leading values are known it is bounded by what ‖J‖² leaves, dotted: at most. Stable rank: ‖J‖²_F/σ₁², the norm exact or by \
    Hutchinson's estimate (its error is in the table). D/n: numbers of the layer over those of the picture; dotted: as many.\(twins) \(basis)
    """
  }
}

/// All numbers of the spectra but the values themselves.
struct SpectrumTable {
  let result: SpectrumResult

  var html: HTML {
    let rows = result.models.flatMap { model in
      model.layers.flatMap { layer in layer.pictures.map { row(model, layer, $0) } }
    }
    let k = result.compared
    return Fold.make(
      "Spectra in numbers: \(Text.plural(rows.count, "layer and picture", "layers and pictures"))",
      [
        Fold.table(
          [
            "model", "site", "image", "D", "D/n", "unique by D?", "values", "σ₁", "σ_\(k)",
            "σ₁/σ_\(k)", "rank_τ", "nullity", "σ₁/σ_rank", "effective rank", "stable rank",
            "‖J‖²_F",
            "method",
          ], rows)
      ])
  }

  private static func bounded(_ number: SpectrumResult.Bounded, digits: Int = 0) -> String {
    number.isExact
      ? Text.number(number.low, digits: digits)
      : "\(Text.number(number.low, digits: digits)) … \(Text.number(number.high, digits: digits))"
  }

  private func row(
    _ model: SpectrumResult.Model, _ layer: SpectrumResult.Layer, _ one: SpectrumResult.Picture
  ) -> HTML {
    let k = result.compared
    func cell(_ text: String) -> HTML { .element("td", ["class": "number nowrap"], text) }
    func number(_ value: Double?) -> HTML { cell(value.map { String(format: "%.3g", $0) } ?? "–") }
    let error = one.squaredNormError > 0 ? String(format: " ± %.1g", one.squaredNormError) : ""
    return .element(
      "tr", [:],
      [
        .element("td", [:], model.name), .element("td", [:], [.element("code", [:], layer.site)]),
        cell("\(one.image + 1)"), cell(Text.count(layer.features)),
        number(Double(layer.features) / Double(max(1, model.inputs))),
        cell(model.isTooSmall(layer) ? "no" : "open"),
        cell("\(one.values.count)\(one.isComplete ? ", all" : "")"),
        number(one.values.first),
        number(one.values.indices.contains(k - 1) ? one.values[k - 1] : nil),
        number(one.condition(at: k)), cell(Self.bounded(one.rank)),
        cell(Self.bounded(model.nullity(one))), number(one.condition),
        cell(Self.bounded(one.effectiveRank, digits: 1)),
        number(one.stableRank), cell(String(format: "%.3g", one.squaredNorm) + error),
        .element(
          "td", ["class": "nowrap"],
          one.method + (one.steps.map { ", \($0) steps" } ?? "")),
      ])
  }
}

/// Whether the parts of a result fit together; what does not is a damaged file, not a trap.
struct SpectrumCheck {
  let result: SpectrumResult

  /// What is wrong; nil where nothing is.
  var problem: String? {
    guard result.images.count < 10_000, result.models.count < 10_000, result.compared >= 1 else {
      return
        "\(result.images.count) images, \(result.models.count) models, \(result.compared) values compared"
    }
    for model in result.models {
      guard (1...100_000).contains(model.height), (1...100_000).contains(model.width) else {
        return "\(model.name) is of \(model.height) × \(model.width) pixels"
      }
      for layer in model.layers {
        guard layer.depth.isFinite, layer.features >= 1, layer.features <= 1 << 40 else {
          return "\(layer.site) lies at depth \(layer.depth) and holds \(layer.features) numbers"
        }
        for one in layer.pictures {
          guard result.images.indices.contains(one.image) else {
            return "a spectrum is of image \(one.image)"
          }
          let bounds = [one.rank, one.effectiveRank].flatMap { [$0.low, $0.high] }
          guard one.values.allSatisfy({ $0 >= 0 && $0.isFinite }),
            bounds.allSatisfy({ $0 >= 0 && $0 < 1e15 }), one.squaredNorm.isFinite,
            one.squaredNorm >= 0
          else { return "a number of \(layer.site) is below 0 or not finite" }
        }
      }
    }
    return nil
  }
}
