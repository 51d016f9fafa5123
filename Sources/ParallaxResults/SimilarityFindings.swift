extension SimilarityResult {
  /// What a set of cells says together.
  public struct Average: Sendable, Equatable {
    /// The mean of the defined values.
    public var value: Double
    /// An upper bound of the mean's standard error: the mean of the cells' standard errors, which is its standard
    /// error where all cells err together. Nil where no errors were estimated.
    public var error: Double?

    /// The lower end of the 95 % interval: value − 1.96 error.
    public var low: Double? { error.map { value - 1.96 * $0 } }
    /// The upper end.
    public var high: Double? { error.map { value + 1.96 * $0 } }
  }

  /// The mean over some cells of a matrix; nil where none of them is defined.
  public func average(
    _ matrix: Matrix, where chosen: (_ row: Int, _ column: Int) -> Bool
  ) -> Average? {
    var (sum, errors, count) = (0.0, 0.0, 0)
    var known = matrix.errors != nil
    for row in matrix.values.indices {
      for column in matrix.values[row].indices where chosen(row, column) {
        guard let value = matrix.values[row][column] else { continue }
        sum += value
        count += 1
        if let error = matrix.errors?[row][column] { errors += error } else { known = false }
      }
    }
    guard count > 0 else { return nil }
    return Average(value: sum / Double(count), error: known ? errors / Double(count) : nil)
  }

  /// The mean along the best-matching path of two models; nil where no cell is defined.
  public func alongPath(_ a: Int, _ b: Int, depths: ClosedRange<Double> = 0...1) -> Average? {
    guard let matrix = matrix(a, b), models.indices.contains(a), models.indices.contains(b) else {
      return nil
    }
    let cells = path(a, b).filter { row, column in
      guard models[a].sites.indices.contains(row), models[b].sites.indices.contains(column) else {
        return false
      }
      return depths.contains((models[a].sites[row].depth + models[b].sites[column].depth) / 2)
    }
    return average(matrix) { row, column in cells.contains { $0 == (row, column) } }
  }

  /// Three to six sentences with their numbers and what these say of them.
  public func findings() -> [Finding] {
    var found = [uniformity(), greatestStep(), fading()].compactMap(\.self)
    if models.count > 1 {
      found =
        [chance(), order(), closest(), partingLate()].compactMap(\.self) + found.prefix(2)
    }
    return Array(found.prefix(6))
  }

  private var pairs: [(a: Int, b: Int)] {
    models.indices.flatMap { a in models.indices.filter { $0 > a }.map { (a, $0) } }
  }

  private func finding(
    _ sentence: String, _ average: Average?, _ quantity: String, _ verdict: Finding.Verdict
  ) -> Finding {
    Finding(
      sentence: sentence, value: average?.value, low: average?.low, high: average?.high,
      quantity: quantity
        + (average?.error == nil
          ? "" : "; 95 % interval from an upper bound of the standard error"),
      verdict: verdict, analysis: "similarity")
  }

  /// Positive beyond its uncertainty, negative beyond it, or neither.
  private func verdict(_ difference: Average) -> Finding.Verdict {
    guard let low = difference.low, let high = difference.high else { return .cannotTell }
    return low > 0 ? .shows : high < 0 ? .doesNotShow : .cannotTell
  }

  private func difference(_ a: Average, _ b: Average) -> Average {
    var error: Double?
    if let first = a.error, let second = b.error { error = first + second }
    return Average(value: a.value - b.value, error: error)
  }

  /// Do all pairs agree beyond what shuffled pairs of images give?
  private func chance() -> Finding? {
    var weakest: (pair: (a: Int, b: Int), average: Average)?
    for pair in pairs {
      guard let average = alongPath(pair.a, pair.b),
        let level = matrix(pair.a, pair.b)?.shuffled?.quantile95
      else { continue }
      let above = Average(value: average.value - level, error: average.error)
      if weakest.map({ above.value < $0.average.value }) ?? true { weakest = (pair, above) }
    }
    guard let weakest else { return nil }
    let names = "\(models[weakest.pair.a].name) and \(models[weakest.pair.b].name)"
    let rest =
      pairs.count > 1
      ? "Every two models share more than shuffled pairs of images do; least of all \(names)"
      : "\(names) share more than shuffled pairs of images do"
    return finding(
      rest, weakest.average,
      "\(measure) along the best path, minus the level that 95 % of shuffled cells stay below",
      verdict(weakest.average))
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
    let mean = correlations.reduce(0, +) / Double(correlations.count)
    return Finding(
      sentence: "A layer's strongest partner in another model stands at a similar relative depth",
      value: mean, low: low, high: high,
      quantity:
        "correlation of the two depths, mean over ordered pairs of models; lowest and highest pair",
      verdict: low > 0.5 ? .shows : high < 0.5 ? .doesNotShow : .cannotTell,
      analysis: "similarity")
  }

  /// Which two models are most alike?
  private func closest() -> Finding? {
    let ranked = pairs.compactMap { pair in
      alongPath(pair.a, pair.b).map { (pair: pair, average: $0) }
    }.sorted { $0.average.value > $1.average.value }
    guard ranked.count > 1 else { return nil }
    let gap = difference(ranked[0].average, ranked[1].average)
    let (first, second) = (ranked[0].pair, ranked[1].pair)
    return finding(
      "\(models[first.a].name) and \(models[first.b].name) are the most alike, before "
        + "\(models[second.a].name) and \(models[second.b].name)", gap,
      "difference of \(measure) along the best paths", verdict(gap))
  }

  /// Do models agree less at the end than at the beginning?
  private func partingLate() -> Finding? {
    let differences = pairs.compactMap { pair -> Average? in
      guard let early = alongPath(pair.a, pair.b, depths: 0...(1.0 / 3)),
        let late = alongPath(pair.a, pair.b, depths: (2.0 / 3)...1)
      else { return nil }
      return difference(early, late)
    }
    guard let mean = Self.mean(differences) else { return nil }
    return finding(
      "Models agree less in the last third of their depth than in the first", mean,
      "\(measure) along the best path, first third minus last, mean over pairs", verdict(mean))
  }

  /// Are transformers more uniform than convolutional networks?
  private func uniformity() -> Finding? {
    let averages = models.indices.map { index in
      matrix(index, index).flatMap { average($0) { row, column in row != column } }
    }
    let transformers = models.indices.filter { models[$0].family == "ViT" }
    let others = models.indices.filter { models[$0].family != "ViT" }
    guard let first = Self.mean(transformers.compactMap { averages[$0] }),
      let second = Self.mean(others.compactMap { averages[$0] })
    else { return nil }
    let gap = difference(first, second)
    return finding(
      "The layers of transformers are more alike among themselves than those of convolutional networks",
      gap, "difference of the mean off-diagonal \(measure)", verdict(gap))
  }

  /// Where does one model change most between neighbours?
  private func greatestStep() -> Finding? {
    var steps: [(model: Int, row: Int, average: Average)] = []
    for index in models.indices {
      guard let matrix = matrix(index, index) else { continue }
      for row in matrix.values.indices.dropLast() {
        guard let value = matrix.values[row][row + 1] else { continue }
        steps.append((index, row, Average(value: value, error: matrix.errors?[row][row + 1])))
      }
    }
    steps.sort { $0.average.value < $1.average.value }
    guard steps.count > 1, let step = steps.first else { return nil }
    let gap = difference(steps[1].average, step.average)
    let sites = models[step.model].sites
    let text =
      "The greatest change between neighbouring layers is from \(sites[step.row].name) to "
      + "\(sites[step.row + 1].name) of \(models[step.model].name)"
    return finding(
      text, step.average,
      "\(measure) of the two layers; certain where the next greatest lies apart",
      verdict(gap) == .shows ? .shows : .cannotTell)
  }

  /// Does similarity fade with the distance in depth?
  private func fading() -> Finding? {
    let differences = models.indices.compactMap { index -> Average? in
      let sites = models[index].sites
      func apart(_ row: Int, _ column: Int) -> Double {
        abs(sites[row].depth - sites[column].depth)
      }
      guard let matrix = matrix(index, index),
        let near = average(matrix, where: { abs($0 - $1) == 1 }),
        let far = average(matrix, where: { apart($0, $1) > 0.5 })
      else { return nil }
      return difference(near, far)
    }
    guard let mean = Self.mean(differences) else { return nil }
    return finding(
      "Neighbouring layers of a model are more alike than layers more than half its depth apart",
      mean, "difference of the mean \(measure)", verdict(mean))
  }

  private static func mean(_ averages: [Average]) -> Average? {
    guard !averages.isEmpty else { return nil }
    let count = Double(averages.count)
    let errors = averages.compactMap(\.error)
    return Average(
      value: averages.reduce(0) { $0 + $1.value } / count,
      error: errors.count == averages.count ? errors.reduce(0, +) / count : nil)
  }

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
