import Foundation
import ParallaxResults

/// What layers know of their input.
///
/// > Source: Badger, 2022, arXiv 2211.06496.
enum InversionSection {
  /// The section; nil where the run has no such result.
  static func make(_ material: Material) throws -> Section? {
    guard let result: InversionResult = try material.run.result(analysis: "inversion") else {
      return nil
    }
    if let problem = InversionCheck(result: result).problem {
      throw ResultsError.damaged(
        path: material.run.url.appending(path: "results/inversion.json").path, problem: problem)
    }
    let (grid, text) = (InversionGrid(result: result), InversionText(result: result))
    let (curves, traces) = (InversionCurves(result: result).curves, InversionTraces(result: result))
    let depth = curves.figure(
      "Clarity over depth",
      "Curves over relative depth: error and structural similarity of the reconstructions, and both distances over their references"
    )
    let steps = traces.figure()
    let (surgery, axis) = (
      InversionSurgeryFigure(result: result), InversionAxisFigure(result: result)
    )
    // Of one layer there is no curve.
    let hasDepth = result.models.contains { $0.layers.count > 1 }
    let clarity: [HTML] =
      hasDepth
      ? [
        .element("h3", [:], "How clear the reconstructions are, over depth"),
        depth.html(caption: [.text(text.depth)], after: [Fold.again(material)]),
      ] : []
    var figures = hasDepth ? [depth, steps] : [steps]
    var data = hasDepth ? curves.data().merging(traces.data()) { $1 } : traces.data()
    var more: [HTML] = []
    if let drawn = surgery.curves {
      let figure = drawn.figure(
        "Clarity of the changed networks",
        "Curves over relative depth: error of the reconstructions and distance of the embeddings, of each model and its changed forms"
      )
      figures.append(figure)
      data.merge(drawn.data()) { $1 }
      more += [
        .element("h3", [:], "What a part of the network does"),
        figure.html(caption: [.text(surgery.caption)], after: [Fold.again(material)]),
      ]
    }
    if let drawn = axis.drawn {
      figures.append(drawn.figure)
      data.merge(drawn.data) { $1 }
      more += [
        .element("h3", [:], axis.heading),
        drawn.figure.html(caption: [.text(axis.caption)], after: [Fold.again(material)]),
      ]
    }
    let images = Array(result.images.indices)
    let folded = Array(images.dropFirst(InversionGrid.shown))
    return Section(
      id: "inversion", name: "Inversion",
      title: "What the layers know of their input",
      body: [
        text.lead, Fold.switches(result.switches),
        .element("h3", [:], "The input, reconstructed from each layer"),
        .element(
          "figure", ["id": "figure-inversion-grid", "class": "figure"],
          [
            grid.html(images: Array(images.prefix(InversionGrid.shown))),
            .element("figcaption", [:], text.grid), Fold.again(material),
          ]),
        folded.isEmpty
          ? .none
          : Fold.make("\(Text.plural(folded.count, "more image"))", [grid.html(images: folded)]),
      ] + clarity + more + [
        .element("h3", [:], "How the descents went"),
        steps.html(
          caption: [.text(text.traces)],
          after: [Fold.again(material), InversionTable(result: result).html]),
      ], findings: result.findings, figures: figures, data: data)
  }
}

/// What the section says beside its figures.
struct InversionText {
  let result: InversionResult

  private var basis: String {
    "Recipe: \(result.preset); \(Text.plural(result.images.count, "image")), \(Text.plural(result.starts, "start")) each, \(result.dtype), seed \(result.seed)."
      + (result.target.map {
        " The embeddings are not the images' own but those of \($0); m_i and m_r are still the images'."
      } ?? "")
  }

  private var twins: String {
    result.models.contains { $0.twinOf != nil } ? "Dashed: untrained twins. " : ""
  }

  var lead: HTML {
    .element(
      "p", ["class": "lead"],
      """
      A layer's embedding of a picture may be that of many pictures. After Badger (2022), this section starts from noise and \
      descends on the pixels until the embedding is the picture's own: what comes back is what the layer still knows, and what does \
      not is what it has let go, or what the descent could not reach.
      """)
  }

  var grid: String {
    """
    Layers from the first to the last. m_g: distance of the embeddings, as multiples of m_r, by which a visually small shift (N(0, 1) · \
    \(Text.number(result.shift, digits: 4)) on every number, mean of \(result.shifts)) moves the embedding. m_i: distance of the pictures, as multiples of \
    the shift's own, m_a′. Accurate: both below 1. Embedding only: m_g is, m_i is not, so a picture further away than the shift has an embedding that is nearer. \
    Failed: m_g is not below 1, and nothing follows. Pictures are clamped to [0, 1] and shown at most 112 pixels a side; \
    full size: tensors/inversion/ in the run folder. \(basis)
    """
  }

  var depth: String {
    "Means over pictures. RMSE is m_i over the root of the input's numbers; SSIM is of pictures clamped to [0, 1]. Dotted: the references themselves. \(twins)There are no intervals: a few pictures are no sample. \(basis)"
  }

  var traces: String {
    "Both distances on one logarithmic axis, a line each picture. Solid: m_g over m_r. Dashed: m_i over m_a′. Dotted: 1, the references. Where the solid line falls and the dashed one does not, the descent finds another picture with the same embedding. \(basis)"
  }
}

/// All numbers of the reconstructions.
struct InversionTable {
  let result: InversionResult

  var html: HTML {
    let rows = result.models.flatMap { model in
      model.layers.flatMap { layer in layer.reconstructions.map { row(model, layer, $0) } }
    }
    return Fold.make(
      "Distances in numbers: \(Text.plural(rows.count, "reconstruction"))",
      [
        Fold.table(
          [
            "model", "site", "image", "numbers", "over input", "m_g", "m_r", "m_i", "m_a′",
            "of start",
            "PSNR, dB", "SSIM", "high freq.", "step", "verdict",
          ], rows)
      ])
  }

  private func row(
    _ model: InversionResult.Model, _ layer: InversionResult.Layer,
    _ one: InversionResult.Reconstruction
  ) -> HTML {
    func cell(_ value: Double?, _ digits: Int = 3) -> HTML {
      .element("td", ["class": "number"], Text.number(value, digits: digits))
    }
    return .element(
      "tr", [:],
      [
        .element("td", [:], model.name), .element("td", [:], [.element("code", [:], layer.site)]),
        .element(
          "td", ["class": "number"],
          "\(one.image + 1)" + (result.starts > 1 ? ", start \(one.start + 1)" : "")),
        .element("td", ["class": "number"], Text.count(layer.features)),
        cell(Double(layer.features) / Double(model.inputs), 2),
        cell(one.embedding), cell(one.reference), cell(one.input, 2), cell(one.inputReference, 2),
        cell(one.remaining, 2), cell(one.psnr, 1), cell(one.ssim), cell(one.highFrequency, 2),
        .element(
          "td", ["class": "number"],
          "\(one.step)" + (one.diverged.map { " (diverged at \($0))" } ?? "")),
        .element("td", ["class": "nowrap"], one.verdict.rawValue),
      ])
  }
}

/// Whether the parts of a result fit together; what does not is a damaged file, not a trap.
struct InversionCheck {
  let result: InversionResult

  private static let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  /// What is wrong; nil where nothing is.
  var problem: String? {
    guard !result.models.isEmpty, !result.images.isEmpty else {
      return "it names no model or image"
    }
    guard (1...4096).contains(result.starts) else {
      return "it has \(result.starts) starts an image"
    }
    func isPicture(_ data: Data) -> Bool { data.isEmpty || Array(data.prefix(8)) == Self.png }
    for model in result.models {
      guard (1...1_000_000).contains(model.height), (1...1_000_000).contains(model.width) else {
        return "the input of a model is of \(model.height)×\(model.width) pixels"
      }
      guard model.originals.count == result.images.count else {
        return "a model has \(model.originals.count) of \(result.images.count) images"
      }
      guard !model.layers.isEmpty else { return "a model has no layer" }
      guard model.originals.allSatisfy({ isPicture($0.picture) }) else {
        return "the picture of an image is no PNG"
      }
      for layer in model.layers {
        guard (0...1).contains(layer.depth), layer.features > 0 else {
          return "a layer lies at relative depth \(layer.depth) and holds \(layer.features) numbers"
        }
        for one in layer.reconstructions {
          guard result.images.indices.contains(one.image), (0..<result.starts).contains(one.start)
          else { return "a reconstruction is of image \(one.image), start \(one.start)" }
          guard isPicture(one.picture) else { return "the picture of a reconstruction is no PNG" }
          guard one.embedding >= 0, one.reference >= 0, one.input >= 0, one.inputReference >= 0
          else {
            return "a distance is below 0"
          }
        }
      }
    }
    return nil
  }
}
