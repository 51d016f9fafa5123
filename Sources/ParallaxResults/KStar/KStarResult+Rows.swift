extension KStarResult.Space {
  /// `model@site#tokens`.
  public func address(_ model: String) -> String {
    "\(model)@\(site)" + (tokens.isEmpty ? "" : "#\(tokens)")
  }
}

extension KStarResult {
  /// The estimator of all rows.
  public var estimator: String {
    "\(distance), ties \(ties), anchors \(anchoring)" + (bank.map { ", bank of \($0)" } ?? "")
  }

  /// Every number as rows of `results.csv`: `b` is the class, `x` the relative depth.
  public func tidyRows() -> [TidyRow] {
    models.flatMap { model in
      model.spaces.flatMap { space -> [TidyRow] in
        func row(
          _ measure: String, _ estimate: IntervalEstimate, _ b: String = "",
          n: Int? = nil, unit: String = ""
        ) -> TidyRow {
          TidyRow(
            analysis: "kstar", measure: measure, a: space.address(model.name), b: b,
            x: "\(space.depth)", value: estimate.value, low: estimate.low, high: estimate.high,
            n: n ?? space.ranks.count, estimator: estimator, unit: unit)
        }
        func plain(_ measure: String, _ value: Double?, _ b: String = "", n: Int? = nil) -> TidyRow
        {
          row(measure, IntervalEstimate(value), b, n: n)
        }
        let (all, near) = (space.aggregates, space.neighbourhood)
        let k = near.neighbours
        return [
          row("gamma macroMean", all.macroMean), row("gamma sizeWeighted", all.sizeWeighted),
          row("gamma' pooled", all.pooled),
          row("gamma' momentSubstituted", all.momentSubstituted),
          row("gamma median", all.median), row("mean k*/n", all.mean),
          row("fractured", all.fractured, unit: "share"),
          row("overlapped", all.overlapped, unit: "share"),
          row("clustered", all.clustered, unit: "share"),
          plain("images with ties", Double(space.tied)),
          plain("kNN accuracy k=\(k)", near.accuracy),
          plain("neighbourhood hit k=\(k)", near.hit), plain("label overlap k=\(k)", near.overlap),
          plain("silhouette", near.silhouette), plain("hubness skewness k=\(k)", near.hubness),
          plain("hubness Robin Hood k=\(k)", near.robinHood),
          plain("hubness Gini k=\(k)", near.gini), plain("hubs k=\(k)", near.hubs),
          plain("antihubs k=\(k)", near.antihubs),
        ]
          + (space.map.map { map in
            [
              plain(
                "PCA trustworthiness k=\(map.neighbours)", map.trustworthiness, n: map.images.count),
              plain("PCA continuity k=\(map.neighbours)", map.continuity, n: map.images.count),
            ]
          } ?? [])
          + space.concepts.flatMap { concept -> [TidyRow] in
            let name = classes.indices.contains(concept.label) ? classes[concept.label] : ""
            return [
              row("skewness", concept.skewness, name, n: concept.count),
              plain("adjusted skewness", concept.adjustedSkewness, name, n: concept.count),
              plain("mean", concept.mean, name, n: concept.count),
              plain("standard deviation", concept.deviation, name, n: concept.count),
              plain(
                "pattern: \(concept.pattern.rawValue)\(concept.isDecided ? "" : ", undecided")", 1,
                name, n: concept.count),
              row("intrinsic dimension", concept.dimension, name, n: concept.count),
            ]
          }
      }
    }
  }
}

extension KStarResult {
  /// The models by Γ of their last space, the least fractured first; those without one are left out.
  public var ranked: [(name: String, gamma: Double)] {
    plain.compactMap { model in
      model.spaces.last?.aggregates.macroMean.value.map { (name: model.name, gamma: $0) }
    }.sorted { ($0.gamma, $0.name) < ($1.gamma, $1.name) }
  }
}
