import ParallaxResults

/// What each layer knows of the images' low-level statistics.
struct LowLevelFigures {
  let result: StepsResult

  private func line(
    _ model: Int, _ values: [StepsResult.Estimate], back: [Double?] = []
  ) -> DepthCurves.Line {
    DepthCurves.Line(
      model: model, style: result.isClassifier(model) ? .solid : .dashed,
      points: values.enumerated().map { site, value in
        DepthCurves.Point(
          place: result.place(model, site), site: result.models[model].sites.label(site),
          estimate: value, back: back.indices.contains(site) ? back[site] : nil)
      })
  }

  /// The names of spaces, or of probed statistics, of any model, in order.
  private static func names(_ names: [String]) -> [String] {
    names.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  private func space(
    _ name: String, title: String, quantity: String?, domain: [Double]
  ) -> DepthCurves.Panel {
    let lines = result.lowLevel.compactMap { level in
      level.spaces.first { $0.name == name }.map {
        line(level.model, $0.known, back: result.isSymmetric ? [] : $0.back)
      }
    }
    let chances = result.lowLevel.compactMap { level in
      level.spaces.first { $0.name == name }?.chance
    }
    return DepthCurves.Panel(
      title: title, lines: lines + untrained(name), domain: domain, quantity: quantity,
      reference: result.floor,
      chance: chances.isEmpty ? nil : chances.reduce(0, +) / Double(chances.count))
  }

  /// What untrained twins know of a space, in their models' colours.
  private func untrained(_ name: String) -> [DepthCurves.Line] {
    guard let untrained = result.untrained else { return [] }
    return untrained.lowLevel.compactMap { level in
      guard let twin = untrained.twinOf[level.model],
        let space = level.spaces.first(where: { $0.name == name })
      else { return nil }
      let model = untrained.models[level.model]
      return DepthCurves.Line(
        model: twin, style: .dotted,
        points: space.known.enumerated().map { site, value in
          DepthCurves.Point(
            place: StepsResult.place(model, site), site: model.sites.label(site), estimate: value,
            back: result.isSymmetric || !space.back.indices.contains(site) ? nil : space.back[site])
        }, name: model.name)
    }
  }

  /// From 0 to the highest value that is drawn of some spaces, so that they can be held against each other.
  private func domain(_ isOf: (String) -> Bool) -> [Double] {
    let spaces = result.lowLevel.flatMap(\.spaces).filter { isOf($0.name) }
    let twins = result.untrained?.lowLevel.flatMap(\.spaces).filter { isOf($0.name) } ?? []
    let known = (spaces + twins).flatMap { space in
      space.known.flatMap { [$0.value, $0.high] } + space.clipped
    }.compactMap(\.self)
    let drawn = known.max() ?? 1
    // Chance is drawn in where the curves come anywhere near it.
    let chance = spaces.compactMap(\.chance).max() ?? 0
    let high = chance <= 1.7 * drawn ? max(drawn, chance) : drawn
    return [min(0, known.min() ?? 0), high > 0 ? high * 1.04 : 1]
  }

  /// From the lowest R², at most 0 and at least −0.5, to 1.
  private func shares(_ scores: (StepsResult.LowLevel) -> [Double?]) -> [Double] {
    [max(-0.5, min(0, result.lowLevel.flatMap(scores).compactMap(\.self).min() ?? 0)), 1]
  }

  private func scores(
    _ title: String, _ domain: [Double], _ of: (StepsResult.LowLevel) -> [Double?]?
  )
    -> DepthCurves.Panel
  {
    let lines = result.lowLevel.compactMap { level in
      of(level).map { line(level.model, $0.map { StepsResult.Estimate($0) }) }
    }
    return DepthCurves.Panel(
      title: title, lines: lines, domain: domain)
  }

  /// All statistics together, with clipped activations too, and how well they can be read off linearly.
  var whole: DepthCurves {
    var panels: [DepthCurves.Panel] = []
    if let first = result.lowLevel.lazy.compactMap({ $0.spaces.first?.name }).first {
      let domain = domain { $0 == first }
      panels.append(
        space(
          first, title: "Distance from \(first)", quantity: result.quantity, domain: domain))
      let clipped = result.lowLevel.compactMap { level in
        level.spaces.first { $0.name == first && !$0.clipped.isEmpty }.map {
          line(level.model, $0.clipped.map { StepsResult.Estimate($0) })
        }
      }
      if !clipped.isEmpty {
        panels.append(
          DepthCurves.Panel(
            title: "The same, activations clipped", lines: clipped, domain: domain,
            reference: result.floor))
      }
    }
    var probes = scores("Linear probes of them", shares(\.meanScore)) { $0.meanScore }
    probes.quantity = "mean R², out of fold"
    panels.append(probes)
    return DepthCurves(
      result: result, id: "steps-low-level", panels: panels, inRow: panels.count,
      width: panels.count > 2 ? 270 : 430, height: 220, spacing: 66, shaded: 0.8...1)
  }

  /// Each space by itself.
  var spaces: DepthCurves {
    let names = Self.names(result.lowLevel.flatMap { $0.spaces.dropFirst().map(\.name) })
    let domain = domain { names.contains($0) }
    return DepthCurves(
      result: result, id: "steps-spaces",
      panels: names.enumerated().map { place, name in
        let width = result.lowLevel.lazy.flatMap(\.spaces).first { $0.name == name }?.width ?? 0
        return space(
          name, title: "\(name) (\(Text.count(width)))",
          quantity: place.isMultiple(of: 4) ? result.quantity : nil, domain: domain)
      }, isShared: true, shaded: 0.8...1)
  }

  /// Each statistic's probe by itself.
  var probes: DepthCurves {
    let names = Self.names(result.lowLevel.flatMap { $0.probes.map(\.statistic) })
    let domain = shares { $0.probes.flatMap(\.scores) }
    return DepthCurves(
      result: result, id: "steps-probes",
      panels: names.map { name in
        scores(name, domain) { level in level.probes.first { $0.statistic == name }?.scores }
      }, inRow: 5, width: 172, height: 84, isShared: true, shaded: 0.8...1)
  }

  /// The end against the middle, a dot a model.
  var rise: ModelDots {
    var panels = [
      ModelDots.Panel(
        title: "rise at the end",
        dots: result.lowLevel.map { ModelDots.Dot(model: $0.model, estimate: $0.rise) },
        by: result.quantity)
    ]
    if result.lowLevel.contains(where: { $0.riseClipped != nil }) {
      panels.append(
        ModelDots.Panel(
          title: "the same, clipped",
          dots: result.lowLevel.map {
            ModelDots.Dot(model: $0.model, estimate: StepsResult.Estimate($0.riseClipped))
          }, by: result.quantity))
    }
    panels.append(
      ModelDots.Panel(
        title: "fall of the mean R²",
        dots: result.lowLevel.map {
          ModelDots.Dot(model: $0.model, estimate: StepsResult.Estimate($0.fall))
        }, by: "R²"))
    return ModelDots(
      result: result, id: "steps-rise", panels: panels, groups: result.groups { $0.objective },
      inRow: 3, width: 210)
  }
}
