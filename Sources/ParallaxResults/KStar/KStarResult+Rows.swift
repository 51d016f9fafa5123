extension KStarResult.Space {
  /// `model@site#tokens`.
  public func address(_ model: String) -> String {
    "\(model)@\(site)" + (tokens.isEmpty ? "" : "#\(tokens)")
  }
}

extension KStarResult {
  /// The estimator of the rows of a space.
  public func estimator(_ space: Space) -> String {
    "\(distance), ties \(ties), anchors \(anchoring), seed \(seed)"
      + (space.dtype.map { ", \($0)" } ?? "") + (bank.map { ", bank of \($0)" } ?? "")
  }

  /// Every number as rows of `results.csv`: `b` is the class, `x` the relative depth.
  public func tidyRows() -> [TidyRow] {
    models.flatMap { model in
      model.spaces.flatMap { space -> [TidyRow] in
        let estimator = estimator(space)
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
              + (map.tsne.map { tsne in
                let of = "perplexity=\(tsne.perplexity)"
                let k = "k=\(tsne.neighbours)"
                return [
                  plain("t-SNE divergence \(of)", tsne.divergence, n: tsne.images),
                  plain("t-SNE trustworthiness \(of) \(k)", tsne.trustworthiness, n: tsne.images),
                  plain("t-SNE continuity \(of) \(k)", tsne.continuity, n: tsne.images),
                ]
              } ?? [])
          } ?? [])
          + space.concepts.flatMap { concept -> [TidyRow] in
            let name = classes.indices.contains(concept.label) ? classes[concept.label] : ""
            return [
              row("skewness", concept.skewness, name, n: concept.count),
              plain("adjusted skewness", concept.adjustedSkewness, name, n: concept.count),
              plain("mean", concept.mean, name, n: concept.count),
              plain("standard deviation", concept.deviation, name, n: concept.count),
              row(
                "pattern", IntervalEstimate(concept.pattern.sign), name, n: concept.count,
                unit: "-1 clustered, 0 overlapped, 1 fractured"),
              plain("share of resamples with the pattern", concept.support, name, n: concept.count),
              row("intrinsic dimension", concept.dimension, name, n: concept.count),
            ]
          }
      }
    } + changes.flatMap(rows)
      + outsideClasses.map {
        TidyRow(
          analysis: "kstar", measure: "images left out", a: "", b: $0.name, x: "",
          value: Double($0.count), low: nil, high: nil, n: $0.count,
          estimator: "their class is not in the bank", unit: "images")
      }
  }

  /// Classes that the bank lacks, by name, and how many images are left out for it.
  public var outsideClasses: [(name: String, count: Int)] {
    Dictionary(grouping: outside ?? [], by: \.className).map { ($0.key, $0.value.count) }
      .sorted { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }
  }

  /// `5 images are left out, for the bank has none of their class: cats (3), dogs (2)`; nil where none are.
  ///
  /// - Parameter classes: how many of each class.
  /// - Returns: the sentence, without a full stop.
  public static func leftOut(_ classes: [(name: String, count: Int)]) -> String? {
    let count = classes.reduce(0) { $0 + $1.count }
    guard count > 0 else { return nil }
    let names = classes.prefix(8).map { "\($0.name) (\($0.count))" }.joined(separator: ", ")
    let more = classes.count > 8 ? " and \(classes.count - 8) more" : ""
    return count == 1
      ? "1 image is left out, for the bank has none of its class: \(names)"
      : "\(count) images are left out, for the bank has none of their class: \(names)\(more)"
  }

  private func rows(_ change: Change) -> [TidyRow] {
    [("change of gamma macroMean", change.skewness), ("change of mean k*/n", change.mean)].map {
      TidyRow(
        analysis: "kstar", measure: $0.0, a: change.to, b: change.from, x: "", value: $0.1.value,
        low: $0.1.low, high: $0.1.high, n: images.count,
        estimator: "the same images drawn in both, seed \(seed)")
    }
  }
}

extension KStarResult.Space {
  /// Concepts of three images and more that have a skewness.
  public var withSkewness: Int { aggregates.concepts - aggregates.withoutSkewness }

  /// `over 3 of 20 concepts; of those without skewness 17 clustered`: what Γ is a mean of.
  public var basis: String {
    guard aggregates.withoutSkewness > 0 else {
      return "over \(aggregates.concepts) concept\(aggregates.concepts == 1 ? "" : "s")"
    }
    return "over \(withSkewness) of \(aggregates.concepts) concepts; without skewness \(unskewed)"
  }

  /// `6 clustered of 6`: why there is no Γ.
  public var lack: String {
    aggregates.concepts == 0
      ? "no concept has three images" : "\(unskewed) of \(aggregates.concepts)"
  }

  /// `17 clustered and 1 fractured`: the concepts without a skewness.
  public var unskewed: String {
    let others = concepts.filter { $0.skewness.value == nil && $0.count > 2 }
    return KStarResult.Pattern.allCases.compactMap { pattern in
      let count = others.count { $0.pattern == pattern }
      return count > 0 ? "\(count) \(pattern.rawValue)" : nil
    }.joined(separator: " and ")
  }
}

extension KStarResult {
  /// The models by Γ of their last space, the least fractured first; those without one are ``unranked``.
  public var ranked: [Model] {
    plain.filter { $0.spaces.last?.aggregates.macroMean.value != nil }
      .sorted { (gamma($0), $0.name) < (gamma($1), $1.name) }
  }

  private func gamma(_ model: Model) -> Double {
    model.spaces.last?.aggregates.macroMean.value ?? .infinity
  }

  /// Models of whose last space no concept has a skewness, as where all are clustered as well as can be.
  public var unranked: [Model] {
    plain.filter { $0.spaces.last?.aggregates.macroMean.value == nil }
  }

  /// The models by the mean k\*/n of their last space, that of the most clustered concepts first: every concept of three images and
  /// more has one.
  public var rankedByMean: [Model] {
    func mean(_ model: Model) -> Double { model.spaces.last?.aggregates.mean.value ?? -.infinity }
    return plain.filter { $0.spaces.last?.aggregates.mean.value != nil }
      .sorted { (-mean($0), $0.name) < (-mean($1), $1.name) }
  }
}

extension KStarResult.Pattern {
  /// The side of the threshold on which the skewness lies: 1 fractured, 0 overlapped, −1 clustered; nil undefined.
  var sign: Double? {
    switch self {
    case .fractured: 1
    case .overlapped: 0
    case .clustered: -1
    case .undefined: nil
    }
  }
}
