import ParallaxResults

/// Sizes of fields over depth.
struct FieldCurves {
  let result: ReceptiveFieldResult

  /// The models as curves over depth want them; figures draw no more of it than their names.
  private var drawing: StepsResult {
    .drawing(
      result.models.map { model in
        (
          ModelSites(
            name: Text.label(model.name), family: model.family,
            sites: model.outputs.map {
              ModelSites.Site(
                name: $0.site, tokens: "", stage: $0.stage, depth: $0.depth, features: $0.channels)
            }), model.design
        )
      }, images: result.images, dtype: result.dtype, seed: result.seed, groups: result.groups)
  }

  /// Of what leaves the sites.
  var growth: DepthCurves {
    let half = result.models[0].fields.first?.squares.firstIndex { $0.share == 0.5 }
    let squares =
      half.map { place in
        [
          panel("square of half the mass, % of the side", [.output]) { field, side in
            place < field.squares.count ? percent(field.squares[place].side, of: side) : .init(nil)
          }
        ]
      } ?? []
    return DepthCurves(
      result: drawing, id: "receptive-field-growth",
      panels: [
        panel("radius, % of the side", [.output]) { percent($0.radius, of: $1) },
        panel("Luo's size, % of the side", [.output]) { percent($0.luo, of: $1) },
      ] + squares + [
        panel("mass in the centre cell, %", [.output]) { field, _ in percent(field.centre, of: 1) }
      ], inRow: 2, width: 440, height: 190, spacing: 44, legend: "", hasLeading: false)
  }

  /// Whether any branch was looked at.
  var hasBranches: Bool {
    result.models.contains { $0.fields.contains { $0.part != .output } }
  }

  /// After the residual connection (solid) and before it (dashed): a panel each model.
  var branches: DepthCurves {
    let shown = result.models.indices.filter { index in
      result.models[index].fields.contains { $0.part != .output }
    }
    let parts = ReceptiveFieldResult.Part.allCases
    let panels = parts.dropFirst().filter { part in
      result.models.contains { $0.fields.contains { $0.part == part } }
    }.flatMap { part in
      [
        panel("radius, % of the side: \(Self.short(part))", [.output, part], shown) {
          percent($0.radius, of: $1)
        },
        panel("mass in the centre cell, %: \(Self.short(part))", [.output, part], shown) {
          field, _ in percent(field.centre, of: 1)
        },
      ]
    }
    return DepthCurves(
      result: drawing, id: "receptive-field-branches", panels: panels, inRow: 2, width: 440,
      height: 170, spacing: 44, legend: "", hasLeading: false)
  }

  private static func short(_ part: ReceptiveFieldResult.Part) -> String {
    switch part {
    case .output: "output"
    case .attention: "attention dashed"
    case .mlp: "perceptron dashed"
    case .branch: "long branch dashed"
    }
  }

  private func percent(_ estimate: IntervalEstimate, of side: Double) -> IntervalEstimate {
    func share(_ value: Double?) -> Double? { value.map { 100 * $0 / side } }
    return IntervalEstimate(
      share(estimate.value), low: share(estimate.low), high: share(estimate.high))
  }

  /// Untrained twins are dashed, and so is whatever comes before the residual connection.
  private func panel(
    _ title: String, _ parts: [ReceptiveFieldResult.Part], _ models: [Int]? = nil,
    _ number: (ReceptiveFieldResult.Field, Double) -> IntervalEstimate
  ) -> DepthCurves.Panel {
    let lines = (models ?? Array(result.models.indices)).flatMap { index in
      parts.compactMap { part -> DepthCurves.Line? in
        let model = result.models[index]
        // Only where there is something to hold against it.
        guard parts.allSatisfy({ part in model.fields.contains { $0.part == part } }) else {
          return nil
        }
        return DepthCurves.Line(
          model: index,
          style: part != .output || (parts.count == 1 && model.twinOf != nil) ? .dashed : .solid,
          points: model.fields.filter { $0.part == part }.map { field in
            DepthCurves.Point(
              place: field.depth, site: Text.label(field.site),
              // Two bands of one model would run together.
              estimate: part == .output
                ? number(field, model.side)
                : IntervalEstimate(number(field, model.side).value))
          })
      }
    }
    // No size is below 0, whatever an interval says.
    let highest =
      lines.flatMap { $0.points.flatMap { [$0.estimate.value, $0.estimate.high] } }
      .compactMap(\.self).max() ?? 0
    return DepthCurves.Panel(
      title: title, lines: lines, domain: highest > 0 ? [0, 1.04 * highest] : nil)
  }
}
