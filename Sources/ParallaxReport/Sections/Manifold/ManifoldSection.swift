import Foundation
import ParallaxResults

/// What any input becomes when a late layer is matched.
///
/// > Source: Badger, 2022, arXiv 2211.06496.
enum ManifoldSection {
  /// The section; nil where the run has no such result.
  static func make(_ material: Material) throws -> Section? {
    guard let result: ManifoldResult = try material.run.result(analysis: "manifold") else {
      return nil
    }
    if let problem = ManifoldCheck(result: result).problem {
      throw ResultsError.damaged(
        path: material.run.url.appending(path: "results/manifold.json").path, problem: problem)
    }
    let (grid, text) = (ManifoldGrid(result: result), ManifoldText(result: result))
    let changes = ManifoldChanges(result: result)
    let figure = changes.figure()
    return Section(
      id: "manifold", name: "Manifold",
      title: "What any input becomes when a late layer is matched",
      body: [
        text.lead, Fold.switches(result.switches),
        .element("h3", [:], "Inputs, and what they become"),
        .element(
          "figure", ["id": "figure-manifold-grid", "class": "figure"],
          [grid.html, .element("figcaption", [:], text.grid), Fold.again(material)]),
        .element("h3", [:], "Nearer to the set, or further away"),
        figure.html(
          caption: [.text(text.changes)],
          after: [Fold.again(material), ManifoldTable(result: result).html]),
      ], findings: result.findings, figures: [figure], data: changes.data())
  }
}

/// What the section says beside its figures.
struct ManifoldText {
  let result: ManifoldResult

  private var heldOut: String {
    result.heldOut.map { " without class '\(Text.label($0))', which is held out" } ?? ""
  }

  private var basis: String {
    "Recipe: \(result.preset) without blur or total variation, \(result.steps) steps; \(Text.plural(result.images.count, "image")) of the set\(heldOut), \(Text.plural(result.starts, "start")), k \(result.neighbours), \(result.components) components, \(result.dtype), seed \(result.seed)."
  }

  var lead: HTML {
    .element(
      "p", ["class": "lead"],
      """
      Badger (2022) says that late layers mostly infer: whatever goes in, what they hold of it is a picture from their training. \
      Here noise, an image and others are matched at a late layer by descent from noise, without blur. If the layer infers, what comes \
      back lies nearer to training images than what went in, and different starts agree on it. The images of this run stand for the training data.
      """)
  }

  var grid: String {
    """
    A row each input. From the left: the input; the image of the set that is nearest to it in pixels, and in the layer's embedding; then what each start became, and the \
    images that are nearest to start 1, in pixels and in the embedding. px: root of the mean squared difference from the nearest image, as a multiple of what images of the set have to each other (the median). \
    Latent: mean distance from the \(result.neighbours) nearest embeddings, likewise. Agreement: difference between the starts over difference from the input; below 1 they agree with each other more. \
    Verdicts as in inversion: where it says failed, the embedding was not reached and nothing follows. Pictures are clamped to [0, 1]; full size: tensors/manifold/ in the run folder. \(basis)
    """
  }

  var changes: String {
    """
    Each line goes from the input (left) to its reconstructions (right, mean over the starts). Distances are multiples of what images of the set have to each other, dotted at 1; \
    of spectral slopes the dotted line is the set's median, and ▸ marks the noise that descents start from. A grey start of low contrast is near to every photograph by itself: only \
    what falls below input and start has moved towards the set. There are no intervals: a few inputs are no sample. \(basis)
    """
  }
}

/// Inputs and reconstructions as pictures.
struct ManifoldGrid {
  let result: ManifoldResult

  var html: HTML {
    .group(
      result.models.indices.flatMap { model in
        result.models[model].layers.map { layer in
          .group(layer.entries.map { row(model, layer, $0) })
        }
      })
  }

  private func row(_ index: Int, _ layer: ManifoldResult.Layer, _ entry: ManifoldResult.Entry)
    -> HTML
  {
    let (model, input) = (result.models[index], result.inputs[entry.input])
    let shown = model.inputs[entry.input]
    let agreement = entry.agreement.map { ", agreement \(Text.number($0, digits: 2))" } ?? ""
    let twin = model.twinOf.map { ", untrained twin of \($0)" } ?? ""
    var cells = [
      PictureCell(
        picture: shown.picture, label: "\(input.name) as \(model.name) sees it", name: "input",
        lines: [
          "px \(times(shown.pixels.nearest, model.typical.nearest))",
          "latent \(times(entry.latent.distance, layer.typicalDistance))",
        ]),
      neighbour(model, shown.pixels.image, "nearest: px"),
      neighbour(model, entry.latent.image, "nearest: latent"),
    ]
    for (start, one) in entry.reconstructions.enumerated().prefix(3) {
      cells.append(
        PictureCell(
          picture: one.picture,
          label:
            "What \(input.name) becomes from start \(start + 1) at \(model.name)@\(layer.site)",
          name: "start \(start + 1)",
          lines: [
            "px \(times(one.pixels.nearest, model.typical.nearest))",
            "latent \(times(one.latent.distance, layer.typicalDistance))",
          ], verdict: one.verdict))
    }
    if let first = entry.reconstructions.first {
      // Short, so that a cell's width holds them.
      cells.append(neighbour(model, first.pixels.image, "start 1: px"))
      cells.append(neighbour(model, first.latent.image, "start 1: latent"))
    }
    return PictureCell.row(
      PictureCell.name(
        index, "\(model.name)@\(layer.site)",
        " \(input.kind.rawValue)\([.uniform, .normal].contains(input.kind) ? "" : " \(input.name)")\(agreement)\(twin)"
      ),
      cells)
  }

  private func neighbour(_ model: ManifoldResult.Model, _ image: Int, _ name: String) -> PictureCell
  {
    PictureCell(
      picture: model.neighbours.first { $0.image == image }?.picture ?? Data(),
      label: "\(name.hasPrefix("nearest") ? name : "nearest to \(name)"): \(result.images[image])",
      name: name,
      lines: [result.classes[image] ?? result.images[image]])
  }

  private func times(_ value: Double, _ typical: Double) -> String {
    InversionGrid.times(typical > 0 ? value / typical : nil)
  }
}

/// All numbers.
struct ManifoldTable {
  let result: ManifoldResult

  var html: HTML {
    let rows = result.models.flatMap { model in
      [
        row([model.name, "", "set, median"], model.typical, nil, []),
        row([model.name, "", "start"], model.start, nil, []),
      ]
        + model.layers.flatMap { layer in
          layer.entries.flatMap { entry in
            [
              row(
                [model.name, layer.site, result.inputs[entry.input].name],
                model.inputs[entry.input].pixels, entry.latent, [nil, entry.agreement])
            ]
              + entry.reconstructions.enumerated().map { start, one in
                row(
                  [
                    model.name, layer.site,
                    "\(result.inputs[entry.input].name), start \(start + 1)",
                  ], one.pixels, one.latent,
                  [one.reference > 0 ? one.embedding / one.reference : nil, nil, one.rmse])
              }
          }
        }
    }
    return Fold.make(
      "The four measures in numbers: \(Text.plural(rows.count, "row"))",
      [
        Fold.table(
          [
            "model", "site", "picture", "nearest image", "slope", "histogram", "neighbours",
            "local PCA", "m_g / m_r", "agreement", "from input",
          ], rows)
      ])
  }

  private func row(
    _ names: [String], _ pixels: ManifoldResult.Pixels, _ latent: ManifoldResult.Latent?,
    _ rest: [Double?]
  ) -> HTML {
    let padded = rest + Array(repeating: nil, count: 3 - rest.count)
    let numbers =
      [pixels.nearest, pixels.slope, pixels.histogram, latent?.distance, latent?.residual] + padded
    return .element(
      "tr", [:],
      names.map { .element("td", [:], $0) }
        + numbers.map { .element("td", ["class": "number"], Text.number($0)) })
  }
}

/// Whether the parts of a result fit together; what does not is a damaged file, not a trap.
struct ManifoldCheck {
  let result: ManifoldResult

  /// What is wrong; nil where nothing is.
  var problem: String? {
    guard !result.models.isEmpty, !result.images.isEmpty, !result.inputs.isEmpty else {
      return "it names no model, image or input"
    }
    guard result.classes.count == result.images.count else {
      return "it has \(result.classes.count) classes of \(result.images.count) images"
    }
    let images = result.images.indices
    for model in result.models {
      guard model.inputs.count == result.inputs.count else {
        return "a model has \(model.inputs.count) of \(result.inputs.count) inputs"
      }
      guard model.inputs.allSatisfy({ PictureCell.isPicture($0.picture) }),
        model.neighbours.allSatisfy({ PictureCell.isPicture($0.picture) })
      else { return "a picture is no PNG" }
      guard model.inputs.allSatisfy({ images.contains($0.pixels.image) }) else {
        return "the nearest image of an input is none of the set"
      }
      for layer in model.layers {
        guard (0...1).contains(layer.depth) else {
          return "a layer lies at relative depth \(layer.depth)"
        }
        for entry in layer.entries {
          guard result.inputs.indices.contains(entry.input), images.contains(entry.latent.image)
          else { return "an entry is of input \(entry.input)" }
          for one in entry.reconstructions {
            guard images.contains(one.pixels.image), images.contains(one.latent.image) else {
              return "the nearest image of a reconstruction is none of the set"
            }
            guard PictureCell.isPicture(one.picture) else {
              return "the picture of a reconstruction is no PNG"
            }
            guard one.embedding >= 0, one.reference >= 0, one.rmse >= 0 else {
              return "a distance is below 0"
            }
          }
        }
      }
    }
    return nil
  }
}
