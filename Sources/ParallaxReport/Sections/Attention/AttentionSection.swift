import ParallaxResults

/// How far the heads of transformers look.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, figures 3 and 4.
enum AttentionSection {
  /// The section; nil where the run has no such result.
  static func make(_ material: Material) throws -> Section? {
    guard let found: AttentionResult = try material.run.result(analysis: "attention") else {
      return nil
    }
    if let problem = AttentionCheck(result: found).problem {
      throw ResultsError.damaged(
        path: material.run.url.appending(path: "results/attention.json").path, problem: problem)
    }
    let result = found.drawable
    // A model's colour is that of its place among all models of the run.
    let all = material.provenance.models.map(\.name)
    let places = found.models.enumerated().map { all.firstIndex(of: $1.name) ?? $0 }
    let text = AttentionText(result: result)
    let sorted = AttentionSorted(result: result)
    let depth = AttentionDepth(result: result, places: places)
    let again = Fold.again(material)
    var body: [HTML] = [
      text.lead, text.switches,
      .element("h3", [:], "The lowest and the highest layers, heads sorted"),
      sorted.figure().html(caption: [.text(text.sorted)], after: [again]),
      .element("h3", [:], "Every head over depth"),
      depth.figure().html(caption: [.text(text.depth)], after: [again, text.table]),
    ]
    let subsets = AttentionSubsets(result: result)
    if !result.subsets.isEmpty {
      body += [
        .element("h3", [:], "Local heads, global heads and early convolutions"),
        subsets.figure().html(caption: [.text(text.subsets)], after: [again]),
      ]
    }
    if !result.maps.isEmpty {
      body.append(.element("h3", [:], "Attention over images"))
      body.append(AttentionGrid(result: result, places: places).html)
    }
    if !result.refusals.isEmpty { body.append(text.refusals) }
    return Section(
      id: "attention", name: "Attention",
      title: result.models.count == 1
        ? "How far the model's heads look" : "How far the models' heads look",
      body: body, findings: result.findings,
      figures: [sorted.figure(), depth.figure()]
        + (result.subsets.isEmpty ? [] : [subsets.figure()]),
      data: sorted.data().merging(depth.data()) { $1 }
        .merging(result.subsets.isEmpty ? [:] : subsets.data()) { $1 })
  }
}

extension AttentionResult {
  /// The same with names that figures can bear.
  var drawable: AttentionResult {
    var copy = self
    for index in models.indices {
      copy.models[index].name = Text.label(models[index].name)
      for layer in models[index].layers.indices {
        copy.models[index].layers[layer].site = Text.label(models[index].layers[layer].site)
      }
    }
    return copy
  }

  /// Distances as far as any head or uniform attention reaches, to the next ten pixels.
  var farthest: Double {
    let all = models.flatMap { model in
      model.layers.flatMap { layer in
        [layer.uniformDistance]
          + layer.heads.flatMap { [$0.distance.value, $0.distance.high].compactMap(\.self) }
      }
    }
    return max(10, ((all.max() ?? 0) * 1.04 / 10).rounded(.up) * 10)
  }

  /// Whether entropies were computed.
  var hasEntropy: Bool {
    models.contains { $0.layers.contains { $0.heads.contains { $0.entropy.value != nil } } }
  }
}

/// Whether the parts of a result fit together; what does not is a damaged file, not a trap.
struct AttentionCheck {
  let result: AttentionResult

  /// What is wrong; nil where nothing is.
  var problem: String? {
    guard !result.models.isEmpty else { return "it names no model" }
    for (index, model) in result.models.enumerated() {
      guard !model.layers.isEmpty else { return "model \(index) has no layers" }
      for (place, layer) in model.layers.enumerated() {
        guard !layer.heads.isEmpty else { return "layer \(place) of model \(index) has no heads" }
        guard layer.rows > 0, layer.columns > 0, layer.windows > 0 else {
          return
            "layer \(place) of model \(index) has \(layer.rows)×\(layer.columns) positions in \(layer.windows) windows"
        }
      }
    }
    for subsets in result.subsets {
      guard result.models.indices.contains(subsets.model) else {
        return "subsets of heads are of model \(subsets.model), of \(result.models.count)"
      }
      guard subsets.points.allSatisfy({ $0.values.count == subsets.layers.count }) else {
        return "a subset of heads has not \(subsets.layers.count) values"
      }
    }
    for map in result.maps {
      guard result.models.indices.contains(map.model) else {
        return "a map is of model \(map.model), of \(result.models.count)"
      }
      guard let layer = map.layer else { continue }
      let layers = result.models[map.model].layers
      guard layers.indices.contains(layer),
        map.head.map({ layers[layer].heads.indices.contains($0) }) ?? true
      else {
        return "a map is of layer \(layer) of model \(map.model), which it lacks, or of a head"
      }
    }
    return nil
  }
}
