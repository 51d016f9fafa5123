import ParallaxResults

/// Numbers of single layers: how many dimensions their images fill, and what their neighbourhoods share.
struct GeometryFigure {
  let result: StepsResult

  var curves: DepthCurves {
    let names = result.geometry.flatMap { $0.curves.map(\.name) }.reduce(into: [String]()) {
      if !$0.contains($1) { $0.append($1) }
    }
    return DepthCurves(
      result: result, id: "steps-geometry",
      panels: names.map { name in
        let lines = result.geometry.compactMap { geometry -> DepthCurves.Line? in
          geometry.curves.first { $0.name == name }.map { curve in
            DepthCurves.Line(
              model: geometry.model,
              points: curve.values.enumerated().map { site, value in
                DepthCurves.Point(
                  place: result.place(geometry.model, site),
                  site: result.models[geometry.model].sites.label(site),
                  estimate: StepsResult.Estimate(value))
              })
          }
        }
        let values = lines.flatMap { $0.points.compactMap(\.estimate.value) }
        let isShare = name.contains("overlap") && values.allSatisfy { (0...1).contains($0) }
        return DepthCurves.Panel(title: name, lines: lines, domain: isShare ? [0, 1] : nil)
      }, inRow: 3, width: 270, spacing: 46)
  }
}
