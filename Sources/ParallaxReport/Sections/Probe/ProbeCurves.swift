import ParallaxResults

/// Probes over relative depth, a line a model.
struct ProbeCurves {
  let result: ProbeResult
  /// The models' places among all models of the run, which colours go by.
  let places: [Int]

  /// The models as curves over depth want them; figures draw no more of it than their names.
  private var drawing: StepsResult {
    // Places before a model's own are filled, so that its colour is that of the whole run.
    var models = (0...(places.max() ?? 0)).map { ("\u{2060}\($0)", "") }
    for (index, place) in places.enumerated() {
      models[place] = (result.models[index].name, result.models[index].design)
    }
    return .drawing(
      models.map { (ModelSites(name: $0.0, family: "", sites: []), $0.1) }, images: result.images,
      dtype: result.dtype, seed: result.seed, groups: result.groups)
  }

  private func percent(_ estimate: IntervalEstimate?) -> IntervalEstimate {
    func share(_ value: Double?) -> Double? { value.map { 100 * $0 } }
    return IntervalEstimate(
      share(estimate?.value), low: share(estimate?.low), high: share(estimate?.high))
  }

  /// From 0 to what is reached, at most 100.
  private func domain(_ lines: [DepthCurves.Line]) -> [Double] {
    let values = lines.flatMap { $0.points.flatMap { [$0.estimate.value, $0.estimate.high] } }
    let most = max(values.compactMap(\.self).max() ?? 100, 120 * result.chance)
    return [0, min(100, (most / 10).rounded(.up) * 10)]
  }

  private func panel(
    _ title: String, quantity: String = "accuracy, %", reference: Double?,
    domain fixed: [Double]? = nil, _ number: (ProbeResult.Site) -> IntervalEstimate
  ) -> DepthCurves.Panel {
    let lines = result.models.indices.compactMap { index -> DepthCurves.Line? in
      let sites = result.models[index].nativeSites
      guard !sites.isEmpty else { return nil }
      return DepthCurves.Line(
        model: places[index],
        points: sites.map {
          DepthCurves.Point(place: $0.depth, site: $0.name, estimate: number($0))
        })
    }
    return DepthCurves.Panel(
      title: title, lines: lines, domain: fixed ?? domain(lines), quantity: quantity,
      reference: reference)
  }

  /// A panel a number of shots, the most first.
  var accuracy: DepthCurves {
    let shots = Array(result.shots.enumerated().reversed())
    var panels = shots.map { place, shots in
      panel("\(shots) shot\(shots == 1 ? "" : "s") a class", reference: 100 * result.chance) {
        percent($0.scores.indices.contains(place) ? $0.scores[place].accuracy : nil)
      }
    }
    if let all = result.all {
      panels.insert(
        panel("all \(Text.count(all.training)) training images", reference: 100 * result.chance) {
          percent($0.all?.accuracy)
        }, at: 0)
    }
    // Panels side by side have one ordinate.
    let most = panels.compactMap { $0.domain?.last }.max() ?? 100
    for index in panels.indices { panels[index].domain = [0, most] }
    return DepthCurves(
      result: drawing, id: "probe-accuracy", panels: panels, inRow: min(3, max(1, panels.count)),
      width: [1: 560, 2: 410][panels.count] ?? 272, height: 230, spacing: 46, legend: "",
      hasLeading: false)
  }

  /// Neighbours, logistic regression, shuffled labels, the penalty.
  var others: DepthCurves {
    let chance = 100 * result.chance
    var panels = [
      panel("20 nearest, weighted", reference: chance) { percent($0.weighted) },
      panel("nearest neighbour", quantity: "", reference: chance) { site in
        percent(site.votes.first { $0.count == 1 }?.accuracy)
      },
    ]
    let hasLogistic = result.models.contains { model in
      model.views.contains { $0.sites.contains { $0.logistic.value != nil } }
    }
    if hasLogistic {
      panels.append(
        panel("logistic regression", quantity: "", reference: chance) { percent($0.logistic) })
    }
    let most = panels.compactMap { $0.domain?.last }.max() ?? 100
    for index in panels.indices { panels[index].domain = [0, most] }
    panels += [
      panel("least squares, labels shuffled", reference: chance, domain: [0, most]) {
        percent($0.scores.last?.shuffled)
      },
      panel("the penalty chosen", quantity: "log₂ λ", reference: 10, domain: [-10.5, 20.5]) {
        IntervalEstimate($0.scores.last?.penalty)
      },
    ]
    return DepthCurves(
      result: drawing, id: "probe-others", panels: panels, inRow: 3, width: 272, height: 150,
      spacing: 46, legend: "", hasLeading: false)
  }

  /// Means of single tokens, and beside them the model's own way on the same images.
  var single: DepthCurves {
    var lines: [DepthCurves.Line] = []
    for (index, model) in result.models.enumerated() where !model.maps.isEmpty {
      func line(
        _ isDashed: Bool, _ number: (ProbeResult.Map) -> IntervalEstimate
      ) -> DepthCurves.Line {
        DepthCurves.Line(
          model: places[index], style: isDashed ? .dashed : .solid,
          points: model.maps.map {
            DepthCurves.Point(place: $0.depth, site: $0.site, estimate: number($0))
          })
      }
      lines.append(line(false) { percent($0.mean) })
      // Two bands of one model would run together.
      lines.append(line(true) { IntervalEstimate(percent($0.native).value) })
    }
    return DepthCurves(
      result: drawing, id: "probe-single",
      panels: [
        DepthCurves.Panel(
          title: "mean of single tokens", lines: lines, domain: domain(lines),
          quantity: "accuracy, %", reference: 100 * result.chance)
      ], inRow: 1, width: 560, height: 230, legend: "", hasLeading: false)
  }
}
