import ParallaxResults

/// What is said of two models: how their distance develops along depth, and whether equal depths match.
struct PairsOfModels {
  let models: [StepsResult.Model]
  let depths: Depths
  let tables: StepsTables
  /// What a representation has with itself.
  let floor: Double?
  /// Models that differ in how their training began and in nothing that is known: of one family, with the same sites, trained
  /// for the same.
  let seedPairs: [(a: Int, b: Int)]

  init(models: [StepsResult.Model], depths: Depths, tables: StepsTables, floor: Double?) {
    (self.models, self.depths, self.tables, self.floor) = (models, depths, tables, floor)
    let sites = models.map { model in
      model.sites.sites.map { [$0.name, $0.tokens, "\($0.features)"] }
    }
    func areSeeds(_ a: Int, _ b: Int) -> Bool {
      let (one, other) = (models[a], models[b])
      return one.sites.family == other.sites.family && one.objective == other.objective
        && !["unknown", "other"].contains(one.objective) && sites[a] == sites[b]
    }
    seedPairs = models.indices.flatMap { a in
      models.indices.filter { $0 > a && areSeeds(a, $0) }.map { (a, $0) }
    }
  }

  /// Relative depths of the curves: 21 from 0 to 1.
  static let grid = (0...20).map { Double($0) / 20 }
  /// Cells this near in relative depth count as the diagonal.
  static let near = 0.1

  private var unordered: [(a: Int, b: Int)] {
    models.indices.flatMap { a in models.indices.filter { $0 > a }.map { (a, $0) } }
  }

  private func curve(
    _ a: Int, _ b: Int, _ table: StepsTable, mean: Bool = true
  ) -> [Double?] {
    Self.grid.map { depth in
      depths.diagonal(a, b, at: depth) { mean ? table.mean($0, $1) : table[$0, $1] }
    }
  }

  private static func changes(_ curve: [Double?]) -> [Double?] {
    zip(curve, curve.dropFirst()).map { before, after in
      before.flatMap { before in after.map { $0 - before } }
    }
  }

  /// The distance of each two models along relative depth.
  func evolutions() -> [StepsResult.Evolution] {
    unordered.map { a, b in
      let changes = tables.estimates { Self.changes(curve(a, b, $0)) }
      return StepsResult.Evolution(
        a: a, b: b, mean: tables.estimates { curve(a, b, $0) },
        forward: curve(a, b, tables.whole, mean: false),
        backward: curve(b, a, tables.whole, mean: false),
        chance: tables.chance { Statistics.mean(curve(a, b, $0)) },
        steps: changes.enumerated().map { place, change in
          let (from, to) = (Self.grid[place], Self.grid[place + 1])
          return StepsResult.Step(
            from: from, to: to, change: change, sitesA: between(a, from, to),
            sitesB: between(b, from, to))
        })
    }
  }

  /// The blocks that a stretch lies between.
  private func between(_ model: Int, _ from: Double, _ to: Double) -> [String] {
    let (first, last) = depths.around(model, from, to)
    return [first, last].map { models[model].sites.label(models[model].leading + $0) }
  }

  /// Mean curves by type of pair; types without pairs are left out.
  func aggregates() -> [StepsResult.Aggregate] {
    func same(_ key: (StepsResult.Model) -> String, _ wanted: Bool) -> [(a: Int, b: Int)] {
      unordered.filter { (key(models[$0.a]) == key(models[$0.b])) == wanted }
    }
    let isKnown = models.allSatisfy { $0.objective != "unknown" }
    let types: [(String, [(a: Int, b: Int)])] = [
      ("all pairs", unordered), ("same design", same(\.design, true)),
      ("different design", same(\.design, false)),
      ("same objective", isKnown ? same(\.objective, true) : []),
      ("different objective", isKnown ? same(\.objective, false) : []),
    ]
    return types.filter { !$0.1.isEmpty }.map { name, pairs in
      func mean(_ table: StepsTable) -> [Double?] {
        let curves = pairs.map { curve($0.a, $0.b, table) }
        return Self.grid.indices.map { place in Statistics.mean(curves.map { $0[place] }) }
      }
      return StepsResult.Aggregate(
        name: name, pairs: pairs.count, mean: tables.estimates(mean),
        changes: tables.estimates { Self.changes(mean($0)) })
    }
  }

  /// The nearest block of `b` for each block of `a`, by the mean of both directions; the earlier of equal ones.
  func matches(_ a: Int, _ b: Int, _ table: StepsTable) -> [Int?] {
    depths.blocks[a].map { row in
      var best: (place: Int, value: Double)?
      for (place, column) in depths.blocks[b].enumerated() {
        guard let value = table.mean(row, column) else { continue }
        if best.map({ value < $0.value }) ?? true { best = (place, value) }
      }
      return best?.place
    }
  }

  /// Whether layers at similar relative depth match, for each ordered pair of different models.
  func positions() -> [StepsResult.Position] {
    models.indices.flatMap { a in
      models.indices.filter { $0 != a }.map { position(a, $0) }
    }
  }

  private func position(_ a: Int, _ b: Int) -> StepsResult.Position {
    let found = matches(a, b, tables.whole)
    let (from, to) = matched(a, b, tables.whole)
    let gaps = Self.shifted(to).map { Self.gap(from, $0) }
    let gap = to.isEmpty ? nil : Self.gap(from, to)
    return StepsResult.Position(
      a: a, b: b, matches: found.map { $0.map { $0 + models[b].leading } },
      // A rank correlation of a few matches is no smooth function of the images: no interval.
      correlation: StepsResult.Estimate(correlation(a, b, tables.whole)),
      gap: tables.estimate { self.gap(a, b, $0) },
      gapByChance: to.isEmpty ? nil : Self.gapByChance(from, to),
      pValue: gap.map { gap in
        // Sums of the same numbers in another order differ by rounding.
        Double(gaps.count { $0 <= gap + 1e-12 }) / Double(gaps.count)
      },
      ratio: tables.estimate { ratio(a, b, $0) },
      residual: tables.estimate { residual(a, b, $0) },
      aboveSeeds: seedPairs.isEmpty || seedPairs.contains { $0 == (min(a, b), max(a, b)) }
        ? nil : tables.estimate { aboveSeeds(a, b, $0) })
  }

  /// The matches, and they turned round, each shifted by every number of blocks: neighbours stay neighbours, as chance would
  /// have them too. The first is the matches themselves.
  static func shifted(_ matches: [Double]) -> [[Double]] {
    [matches, matches.reversed()].flatMap { line in
      line.indices.map { Array(line[$0...] + line[..<$0]) }
    }
  }

  /// The mean distance in depth of any block from any match.
  private static func gapByChance(_ from: [Double], _ to: [Double]) -> Double {
    from.reduce(0) { sum, depth in sum + to.reduce(0) { $0 + abs(depth - $1) } }
      / Double(from.count * to.count)
  }

  private static func gap(_ from: [Double], _ to: [Double]) -> Double {
    zip(from, to).reduce(0) { $0 + abs($1.0 - $1.1) } / Double(from.count)
  }

  /// Depths of the blocks of `a` that have a match, and of the matches.
  private func matched(_ a: Int, _ b: Int, _ table: StepsTable) -> (from: [Double], to: [Double]) {
    let (own, other) = (depths.relative(a), depths.relative(b))
    let found = matches(a, b, table)
    return (
      found.indices.filter { found[$0] != nil }.map { own[$0] },
      found.compactMap { $0.map { other[$0] } }
    )
  }

  private func correlation(_ a: Int, _ b: Int, _ table: StepsTable) -> Double? {
    let pairs = matched(a, b, table)
    return Statistics.spearman(pairs.from, pairs.to)
  }

  private func gap(_ a: Int, _ b: Int, _ table: StepsTable) -> Double? {
    let pairs = matched(a, b, table)
    return pairs.from.isEmpty ? nil : Self.gap(pairs.from, pairs.to)
  }

  /// How much nearer in depth the matches are than where they are dealt out among the blocks at random, mean over all
  /// ordered pairs: 0 where every block has the same match, wherever that stands.
  func gain(_ table: StepsTable) -> Double? {
    var gains: [Double?] = []
    for a in models.indices {
      for b in models.indices where a != b {
        let pairs = matched(a, b, table)
        guard !pairs.from.isEmpty else { continue }
        gains.append(Self.gapByChance(pairs.from, pairs.to) - Self.gap(pairs.from, pairs.to))
      }
    }
    return Statistics.mean(gains)
  }

  /// Mean over cells near the relative diagonal over the mean of all others.
  private func ratio(_ a: Int, _ b: Int, _ table: StepsTable) -> Double? {
    let (own, other) = (depths.relative(a), depths.relative(b))
    var (near, far): ([Double], [Double]) = ([], [])
    for (row, x) in own.enumerated() {
      for (column, y) in other.enumerated() {
        guard let value = table.mean(depths.blocks[a][row], depths.blocks[b][column]) else {
          continue
        }
        if abs(x - y) <= Self.near + 1e-9 { near.append(value) } else { far.append(value) }
      }
    }
    guard !near.isEmpty, !far.isEmpty else { return nil }
    let below = far.reduce(0, +) / Double(far.count)
    return below == 0 ? nil : near.reduce(0, +) / Double(near.count) / below
  }

  /// The mean distance from each block of `a` to its match.
  func alongMatches(_ a: Int, _ b: Int, _ table: StepsTable) -> Double? {
    let found = matches(a, b, table)
    let values = found.indices.compactMap { row in
      found[row].map { table.mean(depths.blocks[a][row], depths.blocks[b][$0]) }
    }
    return Statistics.mean(values)
  }

  private func residual(_ a: Int, _ b: Int, _ table: StepsTable) -> Double? {
    alongMatches(a, b, table).flatMap { value in (floor ?? own(a, table)).map { value - $0 } }
  }

  /// How much farther the matches of two models are than those of models that differ in their seed only.
  func aboveSeeds(_ a: Int, _ b: Int, _ table: StepsTable) -> Double? {
    guard let own = alongMatches(a, b, table), let seeds = alongSeeds(table) else { return nil }
    return own - seeds
  }

  /// The mean along the matches of models that differ in their seed only, both ways.
  private func alongSeeds(_ table: StepsTable) -> Double? {
    Statistics.mean(
      seedPairs.flatMap { [alongMatches($0.a, $0.b, table), alongMatches($0.b, $0.a, table)] })
  }

  /// The mean of that over all ordered pairs of others; nil where there are none.
  func aboveSeeds(_ table: StepsTable) -> Double? {
    let seeds = seedPairs
    let others = unordered.filter { pair in !seeds.contains { $0 == pair } }
    return Statistics.mean(
      others.flatMap { [aboveSeeds($0.a, $0.b, table), aboveSeeds($0.b, $0.a, table)] })
  }

  /// What the blocks of a model have with themselves, where the measure does not say.
  private func own(_ model: Int, _ table: StepsTable) -> Double? {
    Statistics.mean(depths.blocks[model].map { table[$0, $0] })
  }

  /// How far the matches are, as a share of the way from identical (0) to shuffled (1), mean over all ordered pairs.
  func residualShare(_ table: StepsTable) -> Double? {
    var shares: [Double?] = []
    for a in models.indices {
      for b in models.indices where a != b {
        guard let chance = tables.chance({ alongMatches(a, b, $0) }),
          let base = floor ?? own(a, tables.whole), chance > base
        else { return nil }
        shares.append(alongMatches(a, b, table).map { ($0 - base) / (chance - base) })
      }
    }
    return Statistics.mean(shares)
  }
}
