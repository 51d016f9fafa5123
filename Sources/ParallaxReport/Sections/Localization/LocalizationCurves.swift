import ParallaxResults

/// Numbers of layers over depth.
struct LocalizationCurves {
  let result: LocalizationResult
  /// The names of all models of the run, which colours go by.
  let all: [String]

  private var names: [String] {
    result.models.allSatisfy { all.contains($0.name) } ? all : result.models.map(\.name)
  }

  /// The models as curves over depth want them; figures draw no more of it than their names.
  private var drawing: StepsResult {
    .drawing(
      names.map { (ModelSites(name: $0, family: "", sites: []), "") }, images: result.images,
      dtype: result.dtype, seed: result.seed, groups: result.groups)
  }

  var figure: DepthCurves {
    var panels = [
      panel("most like their own patch, share of tokens", [0, 1]) { $0.hits },
      panel("rank of the own patch, share of all", nil) { layer in
        let count = Double(layer.rows * layer.columns)
        func share(_ value: Double?) -> Double? { value.map { $0 / count } }
        return IntervalEstimate(
          share(layer.rank.value), low: share(layer.rank.low), high: share(layer.rank.high))
      },
      panel("CKA with the own patch over the mean", nil) { $0.contrast },
    ]
    if result.models.contains(where: { $0.layers.contains { $0.decodedImages > 0 } }) {
      panels.append(panel("R² of the own patch, read off a token", nil) { $0.decodedOwn })
    }
    return DepthCurves(
      result: drawing, id: "localize-curves", panels: panels, inRow: 2, width: 430, height: 180,
      spacing: 44, legend: "", hasLeading: false)
  }

  private func panel(
    _ title: String, _ domain: [Double]?,
    _ number: (LocalizationResult.Layer) -> IntervalEstimate
  ) -> DepthCurves.Panel {
    let lines = result.models.compactMap { model -> DepthCurves.Line? in
      let own = model.layers.filter { $0.depth != nil }
      guard !own.isEmpty, let place = names.firstIndex(of: model.name) else { return nil }
      return DepthCurves.Line(
        model: place, style: model.twinOf != nil ? .dashed : .solid,
        points: own.map { layer in
          DepthCurves.Point(
            place: layer.depth ?? 0, site: layer.site, estimate: number(layer))
        })
    }
    return DepthCurves.Panel(title: title, lines: lines, domain: domain)
  }
}
