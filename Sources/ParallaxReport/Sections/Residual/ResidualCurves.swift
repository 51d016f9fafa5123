import ParallaxResults

/// Ratios and cosines over depth: a column a kind of branch, ratios above, cosines below.
struct ResidualCurves {
  let result: ResidualResult
  /// The names of all models of the run, which colours go by.
  let all: [String]

  /// The models as curves over depth want them; figures draw no more of it than their names.
  private var drawing: StepsResult {
    .drawing(
      names.map { (ModelSites(name: $0, family: "", sites: []), "") }, images: result.images,
      dtype: result.dtype, seed: result.seed, groups: result.groups)
  }

  private var names: [String] {
    result.models.allSatisfy { all.contains($0.name) } ? all : result.models.map(\.name)
  }

  var figure: DepthCurves {
    let parts = ResidualResult.Part.allCases.filter { part in
      result.models.contains { $0.connections.contains { $0.part == part } }
    }
    let highest =
      result.models.flatMap { $0.connections.flatMap { [$0.ratio, $0.classRatio] } }
      .flatMap { [$0.value, $0.high].compactMap(\.self) }.max() ?? 1
    let lowest =
      result.models.flatMap { $0.connections.flatMap { [$0.cosine, $0.classCosine] } }
      .flatMap { [$0.value, $0.low].compactMap(\.self) }.min() ?? 0
    let ratios = parts.map { part in
      panel(
        "‖z‖ / ‖f(z)‖, \(ResidualResult.name(part))", part, [0, 1.05 * max(1, highest)],
        reference: 1, \.ratio, \.classRatio)
    }
    let cosines = parts.map { part in
      panel(
        "cosine of \(result.cosine), \(ResidualResult.name(part))", part, [min(0, lowest), 1],
        reference: nil, \.cosine, \.classCosine)
    }
    return DepthCurves(
      result: drawing, id: "residual-curves", panels: ratios + cosines, inRow: parts.count,
      width: [1: 520.0, 2: 430, 3: 280][parts.count] ?? 205, height: 190, spacing: 40, legend: "",
      hasLeading: false)
  }

  private func panel(
    _ title: String, _ part: ResidualResult.Part, _ domain: [Double], reference: Double?,
    _ spatial: KeyPath<ResidualResult.Connection, IntervalEstimate>,
    _ first: KeyPath<ResidualResult.Connection, IntervalEstimate>
  ) -> DepthCurves.Panel {
    let lines = result.models.flatMap { model -> [DepthCurves.Line] in
      let own = model.connections.filter { $0.part == part }
      guard !own.isEmpty, let place = names.firstIndex(of: model.name) else { return [] }
      func line(_ path: KeyPath<ResidualResult.Connection, IntervalEstimate>, _ isDashed: Bool)
        -> DepthCurves.Line
      {
        DepthCurves.Line(
          model: place, style: isDashed ? .dashed : .solid,
          points: own.map { one in
            DepthCurves.Point(
              place: one.depth,
              site: "\(one.block), \(isDashed ? "class token" : "spatial tokens")",
              // Two bands of one model would run together.
              estimate: isDashed
                ? IntervalEstimate(one[keyPath: path].value) : one[keyPath: path])
          })
      }
      let hasClass = model.hasClassToken && own.contains { $0[keyPath: first].value != nil }
      return [line(spatial, false)] + (hasClass ? [line(first, true)] : [])
    }
    return DepthCurves.Panel(title: title, lines: lines, domain: domain, reference: reference)
  }
}
