extension LipschitzResult {
  /// Every number as rows of `results.csv`: `b` is the pair and the direction, those of one kind numbered, `x` the step, the place in
  /// order or the share of the way.
  public func tidyRows() -> [TidyRow] {
    models.flatMap { model in
      model.places.flatMap { place in
        place.pictures.flatMap { rows("\(model.name)@\(place.site)#\(place.tokens)", $0) }
      }
    }
  }

  private func rows(_ address: String, _ one: Picture) -> [TidyRow] {
    func id(_ image: Int) -> String { images.indices.contains(image) ? images[image].id : "" }
    let pair = "\(id(one.source)) → \(id(one.target))"
    func row(_ measure: String, _ value: Double?, _ detail: String = "", _ x: String = "")
      -> TidyRow
    {
      TidyRow(
        analysis: "lipschitz", measure: measure, a: address,
        b: detail.isEmpty ? pair : "\(pair), \(detail)", x: x, value: value, n: 1,
        estimator: "directional")
    }
    guard one.problem == nil else { return [row("left out: \(one.problem ?? "")", nil)] }
    var rows = [
      row("rounding", one.rounding), row("σ₁", one.steepest),
      row("lower bound in the ball", one.bound),
      row("rank of the normal space", Double(one.rank)), row("‖Δx‖", one.change),
    ]
    for (index, value) in one.values.enumerated() {
      rows.append(row("σ", value, "", "\(index + 1)"))
    }
    var seen: [Kind: Int] = [:]
    for curve in one.curves {
      seen[curve.kind, default: 0] += 1
      let isOne = one.curves.count { $0.kind == curve.kind } == 1
      let name =
        isOne ? curve.kind.rawValue : "\(curve.kind.rawValue) \(seen[curve.kind] ?? 1)"
      rows.append(row("‖Jv‖", curve.limit, name))
      rows.append(row("share in the normal space", curve.share, name))
      for (place, step) in one.steps.enumerated() where place < curve.values.count {
        rows.append(row("L", curve.values[place], name, "\(step)"))
        rows.append(row("linear error", curve.errors[place], name, "\(step)"))
      }
    }
    for segment in one.segments {
      rows += [
        row("segment: max", segment.largest, "to \(segment.to)"),
        row("segment: mean", segment.mean, "to \(segment.to)"),
        row("segment: secant", segment.secant, "to \(segment.to)"),
      ]
      for (measure, values) in [
        ("segment: steepness", segment.parts),
        ("segment: cosine with the source", segment.toSource),
        ("segment: cosine with the target", segment.toTarget),
        ("segment: source's class", segment.sourceClass ?? []),
        ("segment: target's class", segment.targetClass ?? []),
      ] {
        // Parts lie between the places of the cosines.
        let isPart = measure == "segment: steepness"
        let last = Double(max(1, values.count - (isPart ? 0 : 1)))
        for (place, value) in values.enumerated() {
          let share = (Double(place) + (isPart ? 0.5 : 0)) / last
          rows.append(row(measure, value, "to \(segment.to)", "\(share)"))
        }
      }
    }
    for stop in one.walk {
      rows.append(row("walk: drift", stop.drift, "", "\(stop.way)"))
      if let length = stop.length { rows.append(row("walk: δ", length, "", "\(stop.step)")) }
      if let value = stop.eigenvalue { rows.append(row("walk: λ", value, "", "\(stop.step)")) }
    }
    if let path = one.levelSet {
      for (step, value) in path.confidences.enumerated() {
        rows.append(row("level set: confidence", value, "", "\(step)"))
      }
      for (step, value) in path.left.enumerated() {
        rows.append(row("level set: distance left", value, "", "\(step)"))
      }
      rows += [
        row("level set: L2 to the target", path.euclidean),
        row("level set: L∞ to the target", path.maximum),
        row("level set: SSIM with the target", path.ssim),
      ]
      for width in path.widths ?? [] {
        let place = width.isEnd ? "around the last picture" : "around the source"
        rows += [
          row("level set: 5th percentile", width.low, place, "\(width.radius)"),
          row("level set: 95th percentile", width.high, place, "\(width.radius)"),
        ]
      }
    }
    if let clever = one.clever {
      rows += [
        row("CLEVER", clever.radius), row("CLEVER: location", clever.location),
        row("CLEVER: largest gradient", clever.largest), row("CLEVER: p", clever.p),
      ]
    }
    return rows
  }
}
