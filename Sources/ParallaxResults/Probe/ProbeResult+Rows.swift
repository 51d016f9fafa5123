import Foundation

extension ProbeResult {
  /// Every number as rows of `results.csv`: `a` the representation, `b` what of it or which λ, `x` the relative depth.
  public func tidyRows() -> [TidyRow] {
    models.flatMap { model in
      model.views.flatMap { view in view.sites.flatMap { rows(model, view, $0) } }
        + model.maps.flatMap { rows(model, $0) }
    }
  }

  private static func words(_ shots: Int) -> String {
    "\(shots) shot\(shots == 1 ? "" : "s") a class"
  }

  private func row(
    _ measure: String, _ value: Estimate, _ a: String, _ b: String, _ depth: Double,
    _ estimator: String, n: Int, unit: String = ""
  ) -> TidyRow {
    TidyRow(
      analysis: "probe", measure: measure, a: a, b: b, x: "\(depth)", value: value.value,
      low: value.low, high: value.high, n: n, estimator: estimator, unit: unit)
  }

  private func rows(_ model: Model, _ view: View, _ site: Site) -> [TidyRow] {
    let address = "\(model.name)@\(site.name)#\(view.tokens)"
    func row(
      _ measure: String, _ value: Estimate, _ b: String, _ estimator: String, unit: String = ""
    ) -> TidyRow {
      self.row(measure, value, address, b, site.depth, estimator, n: test, unit: unit)
    }
    var rows: [TidyRow] = []
    for (shots, score) in zip(shots, site.scores) {
      let estimator = "least squares, \(Self.words(shots)), mean of \(draws) draws"
      let how = score.tuned == draws ? "λ tuned" : score.tuned == 0 ? "λ = 2^10" : "λ tuned in part"
      rows.append(row("accuracy", score.accuracy, how, estimator))
      rows.append(row("accuracy, labels shuffled", score.shuffled, how, estimator))
      rows.append(row("log2 λ", Estimate(score.penalty), "", estimator))
      for (penalty, value) in zip(penalties, score.byPenalty) {
        rows.append(
          row("accuracy at λ", Estimate(value), "λ = 2^\(Int(log2(penalty).rounded()))", estimator))
      }
    }
    if let score = site.all, let all {
      let estimator = "least squares, all \(all.training) training images"
      let how = score.tuned > 0 ? "λ tuned" : "λ = 2^10"
      rows.append(row("accuracy", score.accuracy, how, estimator))
      rows.append(row("accuracy, labels shuffled", score.shuffled, how, estimator))
      rows.append(row("log2 λ", Estimate(score.penalty), "", estimator))
      for (penalty, value) in zip(penalties, score.byPenalty) {
        rows.append(
          row("accuracy at λ", Estimate(value), "λ = 2^\(Int(log2(penalty).rounded()))", estimator))
      }
    }
    for vote in site.votes {
      rows.append(
        row("accuracy", vote.accuracy, "", "\(vote.count) nearest by cosine, majority"))
    }
    if site.weighted.value != nil {
      rows.append(row("accuracy", site.weighted, "", "nearest by cosine, weighted"))
    }
    if site.logistic.value != nil {
      rows.append(
        row(
          "accuracy", site.logistic, "",
          "logistic regression, \(Self.words(shots.last ?? 0)), mean of \(draws) draws"))
    }
    return rows
  }

  private func rows(_ model: Model, _ map: Map) -> [TidyRow] {
    let address = "\(model.name)@\(map.site)"
    let estimator = "least squares, \(Self.words(tokenShots)), mean of \(draws) draws"
    let single = "accuracy of a single token"
    let grid = map.values.enumerated().map { place, value in
      row(
        single, Estimate(value), address,
        "patch (\(place / max(1, map.columns)) \(place % max(1, map.columns)))", map.depth,
        estimator, n: tokenTest)
    }
    let others = map.others.map {
      row(single, Estimate($0.accuracy), address, $0.name, map.depth, estimator, n: tokenTest)
    }
    return grid + others + [
      row(
        "mean accuracy of single tokens", map.mean, address, "", map.depth, estimator, n: tokenTest),
      row(
        "accuracy on the tokens' images", map.native, address, "", map.depth, estimator,
        n: tokenTest),
    ]
  }
}
