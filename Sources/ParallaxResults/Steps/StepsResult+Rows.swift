extension StepsResult {
  /// Every number as rows of `results.csv`; their `measure` says what they are.
  public func tidyRows() -> [TidyRow] {
    let rows = gridRows + curveRows + positionRows + smoothnessRows + lowLevelRows
    return rows + rescaledRows(rows) + untrainedRows + clippingRows + geometryRows
  }

  /// Values and differences of values by the other normalisation.
  private func rescaledRows(_ rows: [TidyRow]) -> [TidyRow] {
    guard let rescaled else { return [] }
    let differences = [
      "change along depth", "residual of matches", "above seeds", "rise at the end",
    ]
    let values = [
      quantity, "along depth", "step", "step forward", "step backward", "step by chance", "known",
      "known back", "known by chance", "mean step", "largest step",
    ]
    return rows.filter { $0.estimator == quantity }.compactMap { row in
      guard values.contains(row.measure) || differences.contains(row.measure) else { return nil }
      var other = row
      func scaled(_ value: Double?) -> Double? {
        value.map { rescaled($0, isDifference: differences.contains(row.measure)) }
      }
      (other.value, other.low, other.high) = (scaled(row.value), scaled(row.low), scaled(row.high))
      other.estimator = rescaled.quantity
      if other.measure == quantity { other.measure = rescaled.quantity }
      return other
    }
  }

  /// The baselines' curves: by their names.
  private var untrainedRows: [TidyRow] {
    guard let untrained else { return [] }
    var other = self
    (other.models, other.evolutions) = (untrained.models, untrained.evolutions)
    (other.smoothness, other.lowLevel) = (untrained.smoothness, untrained.lowLevel)
    other.aggregates = []
    return other.curveRows + other.smoothnessRows + other.lowLevelRows
  }

  private var clippingRows: [TidyRow] {
    clipping.flatMap { clipping in
      clipping.limits.enumerated().flatMap { site, limits in
        [("clip low", limits?.low), ("clip high", limits?.high)].map { name, value in
          row(
            name, Estimate(value), models[clipping.model].sites.address(site),
            estimator: clipping.how)
        }
      }
    }
  }

  private func row(
    _ measure: String, _ estimate: Estimate, _ a: String, _ b: String = "", x: Double? = nil,
    estimator: String? = nil
  ) -> TidyRow {
    TidyRow(
      analysis: "steps", measure: measure, a: a, b: b, x: x.map { "\($0)" } ?? "",
      value: estimate.value, low: estimate.low, high: estimate.high, n: images,
      estimator: estimator ?? quantity)
  }

  private var gridRows: [TidyRow] {
    grids.flatMap { grid in
      grid.values.indices.flatMap { i in
        grid.values[i].indices.map { j in
          row(
            quantity, Estimate(grid.values[i][j]), models[grid.a].sites.address(i),
            models[grid.b].sites.address(j))
        }
      }
    }
  }

  private var curveRows: [TidyRow] {
    func rows(
      _ mean: [Estimate], _ changes: [Estimate], _ a: String, _ b: String = ""
    ) -> [TidyRow] {
      zip(depths, mean).map { row("along depth", $1, a, b, x: $0) }
        + zip(depths.dropFirst(), changes).map { row("change along depth", $1, a, b, x: $0) }
    }
    let curves = evolutions.flatMap { curve in
      rows(curve.mean, curve.steps.map(\.change), models[curve.a].name, models[curve.b].name)
    }
    return curves + aggregates.flatMap { rows($0.mean, $0.changes, $0.name) }
  }

  private var positionRows: [TidyRow] {
    positions.flatMap { position in
      let (a, b) = (models[position.a].name, models[position.b].name)
      return [
        row("depth correlation of matches", position.correlation, a, b),
        row("depth gap of matches", position.gap, a, b),
        row("depth gap by chance", Estimate(position.gapByChance), a, b),
        row("p of the depth gap", Estimate(position.pValue), a, b),
        row("near over far", position.ratio, a, b),
        row("residual of matches", position.residual, a, b),
      ] + (position.aboveSeeds.map { [row("above seeds", $0, a, b)] } ?? [])
    }
  }

  private var smoothnessRows: [TidyRow] {
    smoothness.flatMap { profile in
      let model = models[profile.model]
      let changes = profile.changes.flatMap { change in
        let (a, b) = (model.sites.address(change.from), model.sites.address(change.to))
        return [
          row("step", change.mean, a, b), row("step forward", change.forward, a, b),
          row("step backward", change.backward, a, b),
          row("step", Estimate(change.cka), a, b, estimator: "1 − cka"),
          row("step", Estimate(change.jaccard), a, b, estimator: "1 − jaccard"),
        ]
      }
      let statistics = profile.statistics.flatMap { statistic in
        [
          row(statistic.name, statistic.value, model.name),
          row(statistic.name, Estimate(statistic.cka), model.name, estimator: "1 − cka"),
          row(statistic.name, Estimate(statistic.jaccard), model.name, estimator: "1 − jaccard"),
        ]
      }
      let chance = profile.chance.map { [row("step by chance", Estimate($0), model.name)] } ?? []
      return changes + statistics + chance
    }
  }

  private var lowLevelRows: [TidyRow] { lowLevel.flatMap(rows) }

  private func rows(_ curves: LowLevel) -> [TidyRow] {
    let model = models[curves.model]
    let clipped = "\(quantity), clipped"
    let probe = "ridge, out of fold"
    var rows: [TidyRow] = []
    for space in curves.spaces + curves.statistics {
      if let chance = space.chance {
        rows.append(row("known by chance", Estimate(chance), model.name, space.name))
      }
      for (site, value) in space.known.enumerated() {
        rows.append(row("known", value, model.sites.address(site), space.name))
      }
      for (site, value) in space.back.enumerated() {
        rows.append(row("known back", Estimate(value), space.name, model.sites.address(site)))
      }
      for (site, value) in space.clipped.enumerated() {
        rows.append(
          row("known", Estimate(value), model.sites.address(site), space.name, estimator: clipped))
      }
      for (site, value) in space.strict.enumerated() {
        rows.append(
          row(
            "known", Estimate(value), model.sites.address(site), space.name,
            estimator: "\(quantity), strict ranks"))
      }
    }
    for statistic in curves.probes {
      for (site, score) in statistic.scores.enumerated() {
        rows.append(
          row(
            "R²", Estimate(score), model.sites.address(site), statistic.statistic,
            estimator: probe))
      }
    }
    rows.append(row("rise at the end", curves.rise, model.name))
    rows.append(
      row("rise at the end", Estimate(curves.riseClipped), model.name, estimator: clipped))
    rows.append(row("fall of R² at the end", Estimate(curves.fall), model.name, estimator: probe))
    return rows
  }

  private var geometryRows: [TidyRow] {
    geometry.flatMap { geometry in
      geometry.curves.flatMap { curve in
        curve.values.indices.map { site in
          row(
            curve.name, Estimate(curve.values[site]), models[geometry.model].sites.address(site),
            estimator: "one layer")
        }
      }
    }
  }
}
