extension MeasuresResult {
  /// Two measures whose rank correlation is below this do not order pairs of layers alike: ranks share less than half of
  /// their variance. Our choice.
  static let alike = 0.7
  /// Fewer pairs of layers than these have no order to speak of. Our choice.
  static let fewestPairs = 10

  /// A few sentences with their numbers, and what these say of them.
  ///
  /// A sentence is chosen on the whole set (the measure that is least sure, the two that disagree most), then its number
  /// is computed again from the values without each group of images: the interval is the delete-group jackknife's. Without
  /// such values there is no interval, and nothing is decided.
  ///
  /// - Parameter parts: the same result without one group of images each; only its values are looked at.
  /// - Returns: findings in the order of the page.
  ///
  /// > Source: Efron and Tibshirani, 1993, An Introduction to the Bootstrap, equation 11.5. Which sentences are asked, and
  /// > what counts as alike, is our choice.
  public func conclusions(leavingOut parts: [MeasuresResult]) -> [Finding] {
    [
      beyondChance(parts), closest(parts),
      order("Measures that ignore the same changes order the pairs of layers alike", parts) {
        $0 == $1
      },
      order("Measures that ignore different changes order the pairs of layers alike", parts) {
        $0 != $1
      },
    ].compactMap(\.self)
  }

  private var isOne: Bool { models.count < 2 }

  /// The model of each site.
  private var owners: [Int] {
    models.indices.flatMap { index in models[index].sites.map { _ in index } }
  }

  /// The mean of both orders; nil where one is missing.
  private func value(_ entry: Int, _ a: Int, _ b: Int) -> Double? {
    let values = measures[entry].values
    guard let there = values[a][b], let back = values[b][a] else { return nil }
    return (there + back) / 2
  }

  /// 1 for similarities, −1 for distances: what makes more alike the larger.
  private func sign(_ entry: Int) -> Double {
    measures[entry].direction == "distance" ? -1 : 1
  }

  /// A number of a result, with its jackknife margin.
  private func estimate(
    _ parts: [MeasuresResult], _ statistic: (MeasuresResult) -> Double?
  ) -> (value: Double, margin: Double?)? {
    guard let value = statistic(self) else { return nil }
    let left = parts.compactMap(statistic)
    return (value, left.count == parts.count ? StudentT.margin(leavingOut: left) : nil)
  }

  private func finding(
    _ sentence: String, _ quantity: String, _ number: (value: Double, margin: Double?)?,
    _ verdict: Finding.Verdict
  ) -> Finding {
    let margin = number?.margin
    return Finding(
      sentence: sentence, value: number?.value,
      low: number.flatMap { number in margin.map { number.value - $0 } },
      high: number.flatMap { number in margin.map { number.value + $0 } },
      quantity: quantity
        + (margin == nil ? "" : "; 95 % jackknife interval over groups of images"),
      verdict: verdict, analysis: "measures")
  }

  // MARK: Chance

  /// Are most pairs of layers more alike than shuffled images make them, by every measure?
  ///
  /// The number is the share of pairs with p > 0.05 by the measure with the largest share. p-values are of the whole set
  /// only, so that the interval's width comes from the shares of values that do not pass the 95 % bound of chance.
  private func beyondChance(_ parts: [MeasuresResult]) -> Finding? {
    let shares = measures.indices.compactMap { index -> (index: Int, share: Double)? in
      guard let p = measures[index].pValues else { return nil }
      let known = chanceCells(index).compactMap { p[$0.0][$0.1] }
      guard !known.isEmpty else { return nil }
      return (index, Double(known.count { $0 > 0.05 }) / Double(known.count))
    }
    guard let worst = shares.max(by: { $0.share < $1.share }) else { return nil }
    let what = isOne ? "pairs of layers" : "pairs of layers of two models"
    let name = measures[worst.index].name
    let sentence =
      shares.count > 1
      ? "Most \(what) are more alike than shuffled images make them, by every measure; least by \(name)"
      : "Most \(what) are more alike by \(name) than shuffled images make them"
    guard permutations >= 19 else {
      return finding(
        sentence, "\(permutations) shuffled orders are too few to tell a value from chance: 19 can",
        nil, .cannotTell)
    }
    let places = chanceCells(worst.index)
    let number = estimate(parts) { $0.shareWithinChance(worst.index, places, of: self) }
    let margin = number?.margin
    let others = shares.filter { $0.index != worst.index }.map {
      "\(measures[$0.index].name) \(Self.rounded($0.share))"
    }
    return finding(
      sentence,
      "share of \(places.count) pairs with p > 0.05 by \(name)"
        + (others.isEmpty ? "" : "; " + others.joined(separator: ", ")),
      (worst.share, margin),
      margin.map {
        worst.share + $0 < 0.5 ? .shows : worst.share - $0 > 0.5 ? .doesNotShow : .cannotTell
      } ?? .cannotTell)
  }

  /// Pairs of layers of different models, or of different layers where there is one model; of a symmetric measure each
  /// pair once.
  private func chanceCells(_ entry: Int) -> [(Int, Int)] {
    let owners = owners
    return owners.indices.flatMap { a in
      owners.indices.filter { b in
        (measures[entry].isSymmetric ? a < b : a != b) && (isOne || owners[a] != owners[b])
      }.map { (a, $0) }
    }
  }

  /// The share of values that 95 % of shuffled pairs reach or pass.
  private func shareWithinChance(
    _ entry: Int, _ places: [(Int, Int)], of whole: MeasuresResult
  ) -> Double? {
    guard let bounds = whole.measures[entry].bounds else { return nil }
    let known = places.compactMap { a, b -> Bool? in
      guard let value = measures[entry].values[a][b], let bound = bounds[a][b] else { return nil }
      return sign(entry) * (value - bound) <= 0
    }
    return known.isEmpty ? nil : Double(known.count(where: \.self)) / Double(known.count)
  }

  // MARK: The closest models

  /// Do the measures find the same two models the most alike?
  private func closest(_ parts: [MeasuresResult]) -> Finding? {
    let pairs = models.indices.flatMap { a in models.indices.filter { $0 > a }.map { (a, $0) } }
    guard pairs.count > 2 else { return nil }
    let owners = owners
    let all = pairs.map { pair in
      owners.indices.filter { owners[$0] == pair.0 }.flatMap { a in
        owners.indices.filter { owners[$0] == pair.1 }.map { (a, $0) }
      }
    }
    // A measure that lacks more than half of the values between two models is not asked.
    let valued = measures.indices.filter { index in
      all.allSatisfy { cells in
        2 * cells.count { value(index, $0.0, $0.1) != nil } >= cells.count
      }
    }
    let left = measures.indices.filter { !valued.contains($0) }.map { measures[$0].name }
    // Pairs of layers that every measure has a value for.
    let cells = all.map { cells in
      cells.filter { cell in valued.allSatisfy { value($0, cell.0, cell.1) != nil } }
    }
    guard !valued.isEmpty, cells.allSatisfy({ !$0.isEmpty }) else { return nil }
    func nearness(_ entry: Int, _ pair: Int) -> (MeasuresResult) -> Double? {
      { result in
        let known = cells[pair].compactMap { result.value(entry, $0.0, $0.1) }
        guard !known.isEmpty else { return nil }
        return result.sign(entry) * known.reduce(0, +) / Double(known.count)
      }
    }
    let means = valued.map { entry in
      pairs.indices.map { nearness(entry, $0)(self) ?? -.infinity }
    }
    let named = means.map { row in row.indices.max { row[$0] < row[$1] } ?? 0 }
    let votes = pairs.indices.map { pair in named.count { $0 == pair } }
    guard let chosen = votes.indices.max(by: { (votes[$0], $1) < (votes[$1], $0) }) else {
      return nil
    }
    let gaps = valued.indices.compactMap { place -> Gap? in
      let row = means[place]
      let rivals = row.indices.filter { $0 != chosen }
      guard let rival = rivals.max(by: { row[$0] < row[$1] }) else { return nil }
      let (first, second) = (nearness(valued[place], chosen), nearness(valued[place], rival))
      let number = estimate(parts) { result in
        first(result).flatMap { first in second(result).map { first - $0 } }
      }
      return number.map { Gap(entry: valued[place], rival: rival, number: $0) }
    }
    guard let least = gaps.min(by: { $0.certainty < $1.certainty }) else { return nil }
    func names(_ pair: Int) -> String {
      "\(models[pairs[pair].0].name) and \(models[pairs[pair].1].name)"
    }
    let verdict: Finding.Verdict =
      gaps.allSatisfy { $0.number.value > $0.number.margin ?? .infinity }
      ? .shows
      : gaps.contains { $0.number.value < -($0.number.margin ?? .infinity) }
        ? .doesNotShow : .cannotTell
    let who =
      valued.count == 1
      ? "By \(measures[valued[0]].name),"
      : left.isEmpty
        ? "All \(valued.count) measures find"
        : "All \(valued.count) measures with enough values find"
    let agreement = Self.mean(
      means.indices.flatMap { a in
        means.indices.filter { $0 > a }.compactMap { Ranks.correlation(means[a], means[$0]) }
      })
    return finding(
      "\(who) \(names(chosen))\(valued.count > 1 ? "" : " are") the most alike of the models",
      "nearness by \(measures[least.entry].name), mean over pairs of layers, minus that of \(names(least.rival))"
        + (valued.count > 1
          ? "; \(votes[chosen]) of \(valued.count) measures name these two, this one the least surely"
          : "")
        + (agreement.map {
          "; mean rank correlation of the measures over \(pairs.count) pairs of models \(Self.rounded($0))"
        } ?? "") + (left.isEmpty ? "" : "; not asked: \(left.joined(separator: ", "))"),
      least.number, verdict)
  }

  /// How much nearer two models are than two others, by one measure.
  private struct Gap {
    var entry: Int
    var rival: Int
    var number: (value: Double, margin: Double?)
    /// In margins, so that measures of different units compare.
    var certainty: Double {
      guard let margin = number.margin, margin > 0 else { return number.value }
      return number.value / margin
    }
  }

  // MARK: Order

  /// Do measures, whose invariances are related so, order the pairs of layers alike?
  private func order(
    _ sentence: String, _ parts: [MeasuresResult], _ isWanted: (String, String) -> Bool
  ) -> Finding? {
    let count = owners.count
    let cells = (0..<count).flatMap { a in ((a + 1)..<max(a + 1, count)).map { (a, $0) } }
    func correlation(_ a: Int, _ b: Int) -> (MeasuresResult) -> Double? {
      { result in
        let both = cells.compactMap { cell -> (Double, Double)? in
          guard let left = result.value(a, cell.0, cell.1),
            let right = result.value(b, cell.0, cell.1)
          else { return nil }
          return (result.sign(a) * left, result.sign(b) * right)
        }
        return Ranks.correlation(both.map(\.0), both.map(\.1))
      }
    }
    let found = measures.indices.flatMap { a in
      measures.indices.filter {
        $0 > a && isWanted(measures[a].invariances, measures[$0].invariances)
      }.compactMap { b in correlation(a, b)(self).map { (a: a, b: b, value: $0) } }
    }
    guard let least = found.min(by: { $0.value < $1.value }) else { return nil }
    let names = "\(measures[least.a].name) and \(measures[least.b].name)"
    let known = cells.count {
      value(least.a, $0.0, $0.1) != nil && value(least.b, $0.0, $0.1) != nil
    }
    let number = estimate(parts, correlation(least.a, least.b))
    var verdict = Finding.Verdict.cannotTell
    if let number, let margin = number.margin, known >= Self.fewestPairs {
      if number.value - margin > Self.alike { verdict = .shows }
      if number.value + margin < Self.alike { verdict = .doesNotShow }
    }
    return finding(
      found.count > 1 ? "\(sentence); \(names) agree least" : "\(sentence): \(names)",
      "rank correlation over \(known) pairs of layers, \(Self.alike) and more is alike"
        + (known < Self.fewestPairs ? ", \(Self.fewestPairs) pairs and more can tell" : "")
        + (found.count > 1
          ? "; mean of \(found.count) pairs of measures \(Self.rounded(Self.mean(found.map(\.value)) ?? 0))"
          : ""),
      number, verdict)
  }

  private static func mean(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }

  private static func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
}

/// Ranks from 1, equal values with their mean rank.
enum Ranks {
  static func of(_ values: [Double]) -> [Double] {
    let order = values.indices.sorted { values[$0] < values[$1] }
    var ranks = [Double](repeating: 0, count: values.count)
    var start = 0
    while start < order.count {
      var end = start
      while end + 1 < order.count, values[order[end + 1]] == values[order[start]] { end += 1 }
      for place in start...end { ranks[order[place]] = Double(start + end) / 2 + 1 }
      start = end + 1
    }
    return ranks
  }

  /// Spearman's correlation; nil for fewer than three values, or where one side does not vary.
  static func correlation(_ a: [Double], _ b: [Double]) -> Double? {
    guard a.count == b.count, a.count > 2 else { return nil }
    let (x, y) = (of(a), of(b))
    let mean = Double(a.count + 1) / 2
    func product(_ p: [Double], _ q: [Double]) -> Double {
      zip(p, q).reduce(0) { $0 + ($1.0 - mean) * ($1.1 - mean) }
    }
    let (xx, yy) = (product(x, x), product(y, y))
    guard xx > 0, yy > 0 else { return nil }
    return product(x, y) / (xx * yy).squareRoot()
  }
}
