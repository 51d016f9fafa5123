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
  /// again with each of G groups of images left out: its standard error is √((G−1)/G · Σ (θ₍₋g₎ − θ̄)²), its interval Student's
  /// t with G − 1 degrees of freedom times that. Without such parts there is no interval and nothing is decided.
  ///
  /// - Parameters:
  ///   - parts: the same result without one group of images each.
  ///   - draws: the same for shuffled pairs of images, a permutation each.
  /// - Returns: findings in the order of the page.
  ///
  /// > Source: Efron and Tibshirani, 1993, An Introduction to the Bootstrap, equation 11.5. Which sentences are asked is
  /// > our choice.
  public func conclusions(
    leavingOut parts: [SimilarityResult], shuffled draws: [SimilarityResult] = []
  ) -> [Finding] {
    let alone = [uniformity(parts), greatestStep(parts), fading(parts)].compactMap(\.self)
    guard models.count > 1 else { return alone }
    let together = [chance(parts, draws), order(parts), closest(parts), partingLate(parts)]
      .compactMap(\.self)
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
    guard left.count == parts.count, let margin = StudentT.margin(leavingOut: left) else {
      return (value, nil, nil)
    }
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

  /// Do all pairs agree beyond what shuffled pairs of images give? Each draw takes its own best path.
  private func chance(_ parts: [SimilarityResult], _ draws: [SimilarityResult]) -> Finding? {
    guard !draws.isEmpty else { return nil }
    let found = pairs.compactMap { pair -> (a: Int, b: Int, finding: Finding)? in
      let cells = pathCells(pair.a, pair.b)
      guard let level = draws.compactMap({ $0.alongPath(pair.a, pair.b) }).max() else { return nil }
      let names = "\(models[pair.a].name) and \(models[pair.b].name)"
      return finding(
        pairs.count > 1
          ? "Every two models share more than shuffled pairs of images do; least certainly \(names)"
          : "\(names) share more than shuffled pairs of images do",
        "\(measure) along the best path, minus the highest of \(draws.count) shuffles along theirs",
        parts
      ) { result in result.mean(cells).map { $0 - level } }.map { (pair.a, pair.b, $0) }
    }
    guard
      var weakest = found.map(\.finding).min(by: {
        ($0.low ?? $0.value ?? 0) < ($1.low ?? $1.value ?? 0)
      })
    else { return nil }
    if found.count < pairs.count, weakest.verdict == .shows { weakest.verdict = .cannotTell }
    return weakest
  }

  /// Do corresponding layers stand at corresponding depths?
  private func order(_ parts: [SimilarityResult]) -> Finding? {
    finding(
      "A layer's strongest partner in another model stands nearer in relative depth than a layer drawn at random",
      "mean distance in relative depth of a random partner, minus that of the strongest", parts
    ) { result in
      var gains: [Double] = []
      for a in result.models.indices {
        for b in result.models.indices where a != b {
          let depths = result.models[b].sites.map(\.depth)
          for match in result.partners(a, b) {
            guard let partner = match.partner else { continue }
            let depth = result.models[a].sites[match.site].depth
            let random = depths.reduce(0) { $0 + abs(depth - $1) } / Double(depths.count)
            gains.append(random - abs(depth - depths[partner]))
          }
        }
      }
      return Self.mean(gains)
    }
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
    guard !transformers.isEmpty, !others.isEmpty else { return nil }
    func names(_ cells: [Cells]) -> String {
      let names = cells.map { models[$0.a].name }
      return names.count < 2
        ? names.joined() : names.dropLast().joined(separator: ", ") + " and " + (names.last ?? "")
    }
    return finding(
      "The layers of \(names(transformers)) (ViT) are more alike among themselves than those of \(names(others)) (convolutional)",
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
    let (model, row) = (models[step.a], step.places[0].row)
    return finding(
      "The greatest change between neighbouring layers is from \(model.label(row)) to "
        + "\(model.label(row + 1)) of \(model.name)",
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
}
