import ParallaxResults

/// Dots and curves of the numbers of structure.
struct StructureFigures {
  let result: StructureResult

  private var drawing: StepsResult {
    .drawing(
      zip(result.similarity.models, result.models).map { ($0, $1.design) },
      images: result.similarity.images, dtype: result.similarity.dtype,
      seed: result.similarity.seed, groups: result.similarity.errorGroups)
  }

  /// A dot a model for each number.
  var dots: ModelDots {
    func panel(_ title: String, _ number: (StructureResult.Model) -> IntervalEstimate)
      -> ModelDots.Panel
    {
      ModelDots.Panel(
        title: title,
        dots: result.models.indices.compactMap { index in
          let estimate = number(result.models[index])
          return estimate.value == nil ? nil : ModelDots.Dot(model: index, estimate: estimate)
        })
    }
    let drawing = drawing
    return ModelDots(
      result: drawing, id: "structure-numbers",
      panels: [
        panel("uniformity", \.uniformity), panel("first and last third", \.lowToHigh),
        panel("grid", \.grid), panel("best cut", \.cut), panel("edges of stages", \.stageEdges),
      ], groups: drawing.groups { $0.design }, inRow: 5, width: 140)
  }

  /// The edge between neighbouring sub-layers over depth, a panel each model.
  var edges: DepthCurves {
    let models = result.similarity.models
    return DepthCurves(
      result: drawing, id: "structure-edges",
      panels: models.indices.map { index in
        let sites = models[index].sites
        return DepthCurves.Panel(
          title: models[index].name,
          lines: [
            DepthCurves.Line(
              model: index,
              points: result.models[index].edges.enumerated().compactMap { place, edge in
                guard let edge else { return nil }
                return DepthCurves.Point(
                  place: (sites[place].depth + sites[place + 1].depth) / 2,
                  site: "\(sites[place].name) | \(sites[place + 1].name)",
                  estimate: IntervalEstimate(edge))
              })
          ], domain: domain)
      }, inRow: min(4, models.count), isShared: true, hasLeading: false)
  }

  /// From the smallest edge, or 0, to the largest.
  private var domain: [Double] {
    let known = result.models.flatMap { $0.edges.compactMap(\.self) }
    let (low, high) = (min(0, known.min() ?? 0), max(0.01, known.max() ?? 1))
    return [low - 0.04 * (high - low), high + 0.04 * (high - low)]
  }

  /// Correspondences in words and numbers.
  func table() -> HTML {
    func cell(_ estimate: IntervalEstimate) -> HTML {
      .element(
        "td", ["class": "number"],
        Text.number(estimate.value, digits: 2)
          + (Text.interval(estimate.low, estimate.high, digits: 2).map { " (\($0))" } ?? ""))
    }
    return Fold.make(
      "Correspondences in numbers: \(Text.plural(result.correspondences.count, "ordered pair"))",
      [
        Fold.table(
          [
            "layers of", "find partners in", "path at half", "depth of partners: first third",
            "middle", "last", "their CKA: first third", "middle", "last", "monotonicity",
          ],
          result.correspondences.map { pair in
            .element(
              "tr", [:],
              [
                .element("td", [:], result.similarity.models[pair.a].name),
                .element("td", [:], result.similarity.models[pair.b].name), cell(pair.half),
              ] + pair.partnerDepths.map(cell) + pair.strengths.map(cell)
                + [cell(pair.monotonicity)])
          })
      ])
  }
}
