import ParallaxResults

/// "Late layers are mostly inference", asked of these models.
///
/// > Source: Badger, 2022, arXiv 2211.06496. Statistics and criteria are ours: a sentence shows where every input agrees with it,
/// > does not show where every one speaks against it. Only reconstructions whose embedding was matched count.
struct ManifoldFindings {
  let result: ManifoldResult

  /// The findings; those that these models cannot answer say so.
  func callAsFunction() -> [Finding] { [pictures(), agreement(), embeddings()] }

  private struct Case {
    var model: ManifoldResult.Model
    var layer: ManifoldResult.Layer
    var entry: ManifoldResult.Entry
  }

  /// Trained models' last layers, inputs whose embedding every start matched; strangers: not of the set.
  private func cases(strangers: Bool) -> (cases: [Case], all: Int) {
    let all = result.models.filter { $0.twinOf == nil }.flatMap { model in
      (model.layers.last.map { layer in
        layer.entries.filter { !strangers || result.inputs[$0.input].kind != .member }.map {
          Case(model: model, layer: layer, entry: $0)
        }
      } ?? [])
    }
    return (
      all.filter { $0.entry.reconstructions.allSatisfy { $0.verdict != .failed } }, all.count
    )
  }

  private func finding(
    _ sentence: String, _ values: [Double], _ quantity: String, of all: Int,
    verdict: ([Double]) -> Finding.Verdict
  ) -> Finding {
    guard let low = values.min(), let high = values.max() else {
      return Finding(
        sentence: sentence, value: nil, low: nil, high: nil,
        quantity: all == 0
          ? "there is no such input"
          : "the embedding was matched from every start for none of \(all) inputs",
        verdict: .cannotTell, analysis: "manifold")
    }
    func number(_ value: Double) -> String { value.formatted3 }
    return Finding(
      sentence: sentence, value: values.reduce(0, +) / Double(values.count), low: nil, high: nil,
      quantity: quantity
        + (values.count > 1
          ? "; from \(number(low)) to \(number(high)) over \(values.count) of \(all) inputs that were matched"
          : "; one input of \(all)"),
      verdict: values.count < 2 ? .cannotTell : verdict(values), analysis: "manifold")
  }

  /// A grey start is nearer to every photograph than noise of high contrast: the reconstruction must come nearer than both.
  private func pictures() -> Finding {
    let (cases, all) = cases(strangers: true)
    let values = cases.compactMap { one -> Double? in
      guard let after = one.entry.mean({ $0.pixels.nearest }),
        one.model.inputs.indices.contains(one.entry.input)
      else { return nil }
      let before = min(
        one.model.inputs[one.entry.input].pixels.nearest, one.model.start.nearest)
      return before > 0 ? after / before : nil
    }
    return finding(
      "What is not of the set is pulled towards its pictures: reconstructions lie nearer to an image of the set than input and start do",
      values,
      "distance of the reconstruction from the nearest image of the set over that of the input or the start, whichever is less, in the last layer",
      of: all
    ) { $0.allSatisfy { $0 < 1 } ? .shows : $0.allSatisfy { $0 >= 1 } ? .doesNotShow : .cannotTell }
  }

  private func agreement() -> Finding {
    let (cases, all) = cases(strangers: false)
    return finding(
      "Reconstructions from different starts agree with each other more than with the input",
      cases.compactMap(\.entry.agreement),
      "difference between starts over difference from the input, in the last layer", of: all
    ) { $0.allSatisfy { $0 < 1 } ? .shows : $0.allSatisfy { $0 >= 1 } ? .doesNotShow : .cannotTell }
  }

  private func embeddings() -> Finding {
    let (cases, all) = cases(strangers: true)
    let values = cases.compactMap { one -> Double? in
      guard let after = one.entry.mean({ $0.latent.distance }), one.entry.latent.distance > 0
      else { return nil }
      return after / one.entry.latent.distance
    }
    // A matched embedding is the input's own but for what is left of the descent: less than a twentieth says nothing.
    return finding(
      "The embedding that the descent reaches lies nearer to the set's than the input's own",
      values,
      "mean distance from the \(result.neighbours) nearest embeddings of the set, of the reconstruction over the input, in the last layer; shows where below 0.95 for every input",
      of: all
    ) {
      $0.allSatisfy { $0 < 0.95 }
        ? .shows : $0.allSatisfy { $0 >= 0.95 } ? .doesNotShow : .cannotTell
    }
  }
}

extension Double {
  /// Three digits after the point.
  var formatted3: String {
    let thousandths = (abs(self) * 1000).rounded()
    guard thousandths < 1e12 else { return "\(self)" }
    let whole = Int(thousandths)
    let digits = String(1000 + whole % 1000).dropFirst()
    return "\(self < 0 && whole > 0 ? "-" : "")\(whole / 1000).\(digits)"
  }
}

/// Every choice that changes the numbers, and whether the paper makes it.
enum ManifoldSwitches {
  /// Them, in the order of the report.
  static func list(_ analysis: ManifoldAnalysis, images: Int) -> [Switch] {
    let options = analysis.options
    let recipe = analysis.layers.first?.recipe ?? .quick
    let isPaper = options.preset == .badger2022
    return [
      Switch(
        "training data",
        options.heldOut.map {
          "the \(images) images of the run that are not of class '\($0)' stand for it: a model's own are not at hand"
        } ?? "the \(images) images of the run stand for it: a model's own are not at hand"
      ),
      Switch(
        "recipe",
        "\(options.preset.rawValue), without blur and total variation, \(recipe.descent.steps) steps",
        origin: isPaper ? "paper" : "reconstruction"),
      Switch(
        "input of the model",
        recipe.isRaw ? "raw pixels in [0, 1], not normalised" : "the model's own preprocessing",
        origin: isPaper ? "paper" : "reconstruction"),
      Switch("noise", "uniform: [0, 1); normal: N(½, ¼²), clamped to [0, 1]"),
      Switch("starts", "\(options.starts), the same for every input and layer"),
      Switch(
        "nearest image",
        "root of the mean squared difference of pixels in [0, 1]; an image of the set does not count among its own neighbours"
      ),
      Switch(
        "spectral slope",
        "log power over log frequency, Hann window, mean of the channels, from 2 cycles a side to half the sampling rate; reconstructions clamped to [0, 1]"
      ),
      Switch(
        "histogram distance",
        "Wasserstein, 64 bins of [0, 1], mean over the channels, to all pixels of the set"),
      Switch(
        "neighbour distance",
        "Euclidean, all numbers of the layer, mean over the \(options.neighbours) nearest"),
      Switch(
        "local PCA",
        "\(options.components) components of those \(options.neighbours), with their mean"),
      Switch(
        "typical numbers",
        "medians over at most \(ManifoldComputed.typicalImages) images of the set against its others"
      ),
      Switch(
        "agreement", "mean difference of two reconstructions over mean difference from the input"),
      Switch(
        "verdict",
        "m_g < m_r and m_i > m_a': embedding only; m_r over \(options.shift.count) shifts of \(options.shift.scale.formatted3)",
        origin: "paper"),
    ]
  }
}
