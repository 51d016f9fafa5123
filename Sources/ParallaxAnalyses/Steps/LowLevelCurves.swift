import ParallaxResults

/// What the layers of models know of low-level image statistics.
struct LowLevelCurves {
  let models: [StepsResult.Model]
  /// Of each model the places of all its sites, leading ones included.
  let sites: [[Int]]
  /// The spaces of statistics and pixels, `all statistics` first, and their places.
  let spaces: [Space]
  /// Each statistic by itself; none where the tables are without them.
  var singles: [Space] = []
  let tables: StepsTables
  /// The same with clipped activations; nil where it was not computed.
  let clipped: StepsTables?
  /// By place in the tables of a space, the same by strict ranks at places of sites; empty where it was not computed.
  var strict: [Int: [Int: Double]] = [:]

  /// A space of statistics or pixels.
  struct Space {
    var name: String
    /// In the tables.
    var place: Int
    var width: Int
    /// How many images have the same numbers as another one.
    var equalImages = 0
  }

  /// The last part of a model's depth.
  static let end = 0.8...1.0
  /// The middle of it.
  static let middle = 0.2..<0.8

  /// The curves of one model.
  ///
  /// - Parameters:
  ///   - model: which.
  ///   - statistics: names of the probed statistics.
  ///   - scores: out-of-fold R² of each statistic at each site, `[sites][statistics]`; empty where nothing was probed.
  /// - Returns: what its sites know of each space.
  func callAsFunction(
    _ model: Int, _ statistics: [String], _ scores: [[Double?]]
  ) -> StepsResult.LowLevel {
    let own = sites[model]
    func curve(_ space: Space, _ clipped: StepsTables?) -> StepsResult.LowLevel.Space {
      StepsResult.LowLevel.Space(
        name: space.name, width: space.width, equalImages: space.equalImages,
        known: tables.estimates { table in own.map { table[$0, space.place] } },
        back: own.map { tables.whole[space.place, $0] },
        clipped: clipped.map { clipped in own.map { clipped.whole[$0, space.place] } } ?? [],
        strict: strict.isEmpty ? [] : own.map { strict[space.place]?[$0] },
        chance: tables.chance { table in
          let known = own.compactMap { table[$0, space.place] }
          return known.isEmpty ? nil : Statistics.mean(known)
        })
    }
    let none = scores.isEmpty ? own.map { _ in Double?.none } : []
    let means =
      none
      + scores.map { row -> Double? in
        let known = row.compactMap(\.self)
        return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
      }
    return StepsResult.LowLevel(
      model: model, spaces: spaces.map { curve($0, clipped) },
      statistics: singles.map { curve($0, clipped) },
      probes: scores.isEmpty
        ? []
        : statistics.enumerated().map { place, name in
          StepsResult.LowLevel.Probe(statistic: name, scores: scores.map { $0[place] })
        }, meanScore: means, rise: tables.estimate { rise(model, $0) },
      riseClipped: clipped.flatMap { rise(model, $0.whole) },
      fall: difference(model) { means[$0] }.map { -$0 })
  }

  /// How much less the end of a model knows of all statistics than its middle.
  func rise(_ model: Int, _ table: StepsTable) -> Double? {
    guard let all = spaces.first else { return nil }
    return difference(model) { table[sites[model][$0], all.place] }
  }

  /// The mean of a curve over the last fifth of the blocks less that over the middle three fifths.
  private func difference(_ model: Int, _ value: (Int) -> Double?) -> Double? {
    let blocks = models[model].blocks
    func part(_ isIn: (Double) -> Bool) -> Double? {
      let places = blocks.filter {
        isIn(Depths.relative($0 - blocks.lowerBound, of: blocks.count))
      }
      return Statistics.mean(places.map(value))
    }
    guard let end = part({ Self.end.contains($0) }), let middle = part({ Self.middle.contains($0) })
    else { return nil }
    return end - middle
  }
}
