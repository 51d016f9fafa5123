extension SimilarityResult {
  /// Some cells of the matrix of two models.
  struct Cells: Sendable {
    var a: Int
    var b: Int
    var places: [(row: Int, column: Int)]
  }

  /// A number of a result, and of every result that leaves a group of images out.
  private typealias Statistic = (SimilarityResult) -> Double?

  /// The mean over some cells; nil where none of them is defined.
  func mean(_ cells: Cells) -> Double? {
    guard let matrix = matrix(cells.a, cells.b) else { return nil }
    let known = cells.places.compactMap { matrix.values[$0.row][$0.column] }
    return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
  }

  /// The mean similarity along the best-matching path of two models; nil where no cell is defined.
  ///
  /// - Parameters:
  ///   - a: the rows' model.
  ///   - b: the columns' model.
  ///   - depths: the part of the path whose mean relative depth lies in it.
  /// - Returns: the mean, unrounded.
  public func alongPath(_ a: Int, _ b: Int, depths: ClosedRange<Double> = 0...1) -> Double? {
    mean(pathCells(a, b, depths: depths))
  }

  private func pathCells(_ a: Int, _ b: Int, depths: ClosedRange<Double> = 0...1) -> Cells {
    Cells(
      a: a, b: b,
      places: path(a, b).filter { row, column in
        depths.contains((models[a].sites[row].depth + models[b].sites[column].depth) / 2)
      })
  }

  /// The cells of a model with itself that are wanted.
  private func own(_ index: Int, _ isWanted: (Int, Int) -> Bool) -> Cells {
    let sites = models[index].sites.indices
    return Cells(
      a: index, b: index,
      places: sites.flatMap { row in sites.filter { isWanted(row, $0) }.map { (row, $0) } })
  }

  /// Three to six sentences with their numbers, and what these say of them.
  ///
  /// A sentence is chosen on the whole set (the closest pair, the best path, the greatest step), then its number is computed
  /// again with each group of images left out: its standard error is √((G−1)/G · Σ (θ₍₋g₎ − θ̄)²), its interval ±1.96 of it.
  /// Without such parts there is no interval and nothing is decided.
  ///
  /// - Parameter parts: the same result without one group of images each.
  /// - Returns: findings in the order of the page.
  ///
  /// > Source: Efron and Tibshirani, 1993, An Introduction to the Bootstrap, equation 11.5. Which sentences are asked is
  /// > our choice.
  public func conclusions(leavingOut parts: [SimilarityResult]) -> [Finding] {
    let alone = [uniformity(parts), greatestStep(parts), fading(parts)].compactMap(\.self)
    guard models.count > 1 else { return alone }
    let together = [chance(parts), order(), closest(parts), partingLate(parts)].compactMap(\.self)
    return Array((together + alone.prefix(2)).prefix(6))
  }

  private var pairs: [(a: Int, b: Int)] {
    models.indices.flatMap { a in models.indices.filter { $0 > a }.map { (a, $0) } }
  }

  /// A statistic with its jackknife interval.
  private func estimate(
    _ statistic: Statistic, _ parts: [SimilarityResult]
  ) -> (value: Double, low: Double?, high: Double?)? {
    guard let value = statistic(self) else { return nil }
    let left = parts.compactMap(statistic)
    guard left.count > 1, left.count == parts.count else { return (value, nil, nil) }
    let count = Double(left.count)
    let mean = left.reduce(0, +) / count
    let spread = left.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let margin = 1.96 * (spread * (count - 1) / count).squareRoot()
    return (value, value - margin, value + margin)
  }

  /// A finding whose number is a difference: above zero beyond its interval it shows the sentence, below it does not.
  private func finding(
    _ sentence: String, _ quantity: String, _ parts: [SimilarityResult], _ statistic: Statistic
  ) -> Finding? {
    guard let (value, low, high) = estimate(statistic, parts) else { return nil }
    var verdict = Finding.Verdict.cannotTell
    if let low, let high { verdict = low > 0 ? .shows : high < 0 ? .doesNotShow : .cannotTell }
    return Finding(
      sentence: sentence, value: value, low: low, high: high,
      quantity: quantity + (low == nil ? "" : "; 95 % jackknife interval over groups of images"),
      verdict: verdict, analysis: "similarity")
  }

  /// Do all pairs agree beyond what shuffled pairs of images give?
  private func chance(_ parts: [SimilarityResult]) -> Finding? {
    let above = pairs.compactMap { pair -> (cells: Cells, level: Double, value: Double)? in
      let cells = pathCells(pair.a, pair.b)
      guard let value = mean(cells), let level = matrix(pair.a, pair.b)?.shuffled?.quantile95
      else { return nil }
      return (cells, level, value - level)
    }
    guard let weakest = above.min(by: { $0.value < $1.value }) else { return nil }
    let names = "\(models[weakest.cells.a].name) and \(models[weakest.cells.b].name)"
    return finding(
      pairs.count > 1
        ? "Every two models share more than shuffled pairs of images do; least of all \(names)"
        : "\(names) share more than shuffled pairs of images do",
      "\(measure) along the best path, minus the level that 95 % of shuffled cells stay below",
      parts
    ) { result in result.mean(weakest.cells).map { $0 - weakest.level } }
  }

  /// Do corresponding layers stand at corresponding depths?
  private func order() -> Finding? {
    var correlations: [Double] = []
    for a in models.indices {
      for b in models.indices where a != b {
        let matches = partners(a, b).compactMap { match in
          match.partner.map { (models[a].sites[match.site].depth, models[b].sites[$0].depth) }
        }
        if let value = Self.correlation(matches) { correlations.append(value) }
      }
    }
    guard let low = correlations.min(), let high = correlations.max() else { return nil }
    return Finding(
      sentence: "A layer's strongest partner in another model stands at a similar relative depth",
      value: correlations.reduce(0, +) / Double(correlations.count), low: low, high: high,
      quantity:
        "correlation of the two depths, mean over ordered pairs of models, with the lowest and the highest; shown where all exceed 0.5",
      verdict: low > 0.5 ? .shows : high < 0.5 ? .doesNotShow : .cannotTell,
      analysis: "similarity")
  }

  /// Which two models are most alike?
  private func closest(_ parts: [SimilarityResult]) -> Finding? {
    let ranked = pairs.compactMap { pair -> (cells: Cells, value: Double)? in
      let cells = pathCells(pair.a, pair.b)
      return mean(cells).map { (cells, $0) }
    }.sorted { $0.value > $1.value }
    guard ranked.count > 1 else { return nil }
    let (first, second) = (ranked[0].cells, ranked[1].cells)
    return finding(
      "\(models[first.a].name) and \(models[first.b].name) are the most alike, before "
        + "\(models[second.a].name) and \(models[second.b].name)",
      "difference of \(measure) along the best paths", parts
    ) { result in Self.difference(result.mean(first), result.mean(second)) }
  }

  /// Do models agree less at the end than at the beginning?
  private func partingLate(_ parts: [SimilarityResult]) -> Finding? {
    let thirds = pairs.map { pair in
      (
        early: pathCells(pair.a, pair.b, depths: 0...(1.0 / 3)),
        late: pathCells(pair.a, pair.b, depths: (2.0 / 3)...1)
      )
    }
    return finding(
      "Models agree less in the last third of their depth than in the first",
      "\(measure) along the best path, first third minus last, mean over pairs", parts
    ) { result in
      Self.mean(
        thirds.compactMap { Self.difference(result.mean($0.early), result.mean($0.late)) })
    }
  }

  /// Are transformers more uniform than convolutional networks?
  private func uniformity(_ parts: [SimilarityResult]) -> Finding? {
    let cells = models.indices.map { own($0) { $0 != $1 } }
    let transformers = cells.filter { models[$0.a].family == "ViT" }
    let others = cells.filter { models[$0.a].family != "ViT" }
    return finding(
      "The layers of transformers are more alike among themselves than those of convolutional networks",
      "difference of the mean off-diagonal \(measure)", parts
    ) { result in
      Self.difference(
        Self.mean(transformers.compactMap { result.mean($0) }),
        Self.mean(others.compactMap { result.mean($0) }))
    }
  }

  /// Where does one model change most between neighbours?
  private func greatestStep(_ parts: [SimilarityResult]) -> Finding? {
    let steps = models.indices.flatMap { index in
      models[index].sites.indices.dropLast().compactMap { row -> (cells: Cells, value: Double)? in
        let cells = Cells(a: index, b: index, places: [(row, row + 1)])
        return mean(cells).map { (cells, $0) }
      }
    }.sorted { $0.value < $1.value }
    guard steps.count > 1 else { return nil }
    let (step, next) = (steps[0].cells, steps[1].cells)
    let (sites, row) = (models[step.a].sites, step.places[0].row)
    return finding(
      "The greatest change between neighbouring layers is from \(sites[row].name) to "
        + "\(sites[row + 1].name) of \(models[step.a].name)",
      "\(measure) of the next greatest change's layers minus that of these (\(measure) = \(Self.rounded(steps[0].value)))",
      parts
    ) { result in Self.difference(result.mean(next), result.mean(step)) }
  }

  /// Does similarity fade with the distance in depth?
  private func fading(_ parts: [SimilarityResult]) -> Finding? {
    let cells = models.indices.map { index in
      let sites = models[index].sites
      return (
        near: own(index) { abs($0 - $1) == 1 },
        far: own(index) { abs(sites[$0].depth - sites[$1].depth) > 0.5 }
      )
    }
    return finding(
      "Neighbouring layers of a model are more alike than layers more than half its depth apart",
      "difference of the mean \(measure)", parts
    ) { result in
      Self.mean(cells.compactMap { Self.difference(result.mean($0.near), result.mean($0.far)) })
    }
  }

  private static func difference(_ first: Double?, _ second: Double?) -> Double? {
    first.flatMap { first in second.map { first - $0 } }
  }

  private static func mean(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }

  private static func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }

  private static func correlation(_ points: [(Double, Double)]) -> Double? {
    let count = Double(points.count)
    guard points.count > 2 else { return nil }
    let x = points.reduce(0) { $0 + $1.0 } / count
    let y = points.reduce(0) { $0 + $1.1 } / count
    let xx = points.reduce(0) { $0 + ($1.0 - x) * ($1.0 - x) }
    let yy = points.reduce(0) { $0 + ($1.1 - y) * ($1.1 - y) }
    guard xx > 0, yy > 0 else { return nil }
    return points.reduce(0) { $0 + ($1.0 - x) * ($1.1 - y) } / (xx * yy).squareRoot()
  }
}
