import ParallaxImages
import ParallaxMeasures
import ParallaxResults
import ParallaxTensors

/// The numbers of ``StepsAnalysis`` from features of all images.
struct StepsComputation {
  let models: [StepsResult.Model]
  /// Of each model the places of its sites among the wanted representations.
  let places: [[Int]]
  /// Untrained models beside them, and their places.
  let untrained: (models: [StepsResult.Model], places: [[Int]])
  /// The features, of sites and of the images themselves.
  let prepared: PreparedFeatures
  let spaces: LowLevelSpaces
  /// The class of each image; nil where not all have one.
  let labels: [Int]?
  let addresses: [String]
  let options: StepsAnalysis.Options
  /// Images that are left out, and of which other they are copies.
  let copies: [(id: String, of: String)]
  /// Told what is computed and how much of it is done; throws to stop.
  let tick: (String, Double) throws -> Void

  /// The sites' features by place.
  private var features: [Int: Tensor] {
    Dictionary(
      uniqueKeysWithValues: prepared.usable.filter { $0.index < sites }
        .map { ($0.index, $0.features) })
  }
  private var sites: Int { (places + untrained.places).reduce(0) { $0 + $1.count } }
  private var depths: Depths { Self.depths(models, places) }

  private static func depths(_ models: [StepsResult.Model], _ places: [[Int]]) -> Depths {
    Depths(blocks: zip(models, places).map { Array($1.dropFirst($0.leading)) })
  }

  /// Everything.
  ///
  /// - Throws: what `tick` throws.
  func result() throws -> StepsResult {
    let features = features
    let matrices = StepsMatrices(
      spaces: spaces, sites: sites, images: prepared.images, resampling: options.resampling,
      tick: tick)
    let all = try matrices([options.measure] + options.alternatives, features, singles: true)
    let clipped = try clipped(features, matrices)
    let (matrix, far) = (all[0].matrix, all[0].far)
    var result = StepsResult(
      measure: options.measure.name, quantity: far.quantity,
      isSymmetric: options.measure.isSymmetric, floor: far.floor, source: options.measure.source,
      images: prepared.images, dtype: prepared.dtype.description, seed: options.resampling.seed,
      groups: matrix.leftOut.count, permutations: matrix.shuffled.count, models: models)
    var parts = parts(all[0], clipped?.measured.tables)
    parts.lowLevel.strict = try strict(features)
    result.rescaled = (options.measure as? InformationImbalance)?.rescaling(prepared.images)
    result.grids = grids(all[0])
    result.depths = PairsOfModels.grid
    result.evolutions = parts.pairs.evolutions()
    result.aggregates = parts.pairs.aggregates()
    result.positions = parts.pairs.positions()
    result.seedPairs = parts.pairs.seedPairs.map { [$0.a, $0.b] }
    for model in models.indices {
      let blocks = depths.blocks[model].map { features[$0] }
      let companions = try SmoothnessProfile.companions(blocks) {
        try tick("steps of \(models[model].name)", $0)
      }
      result.smoothness.append(parts.profile(model, companions))
      let scores = options.probes ? try self.scores(model, features) : []
      result.lowLevel.append(parts.lowLevel(model, LowLevelStatistics.names, scores))
      result.geometry.append(try geometry(model, features))
    }
    result.untrained = untrained(all[0])
    result.clipping = clipping(prepared.limits, options.preprocessing, isOfAll: true)
    result.refusals = refusals(all[0])
    result.findings = parts.findings(far.quantity)
    result.alternatives = all.dropFirst().map {
      StepsResult.Alternative(
        quantity: $0.far.quantity, findings: self.parts($0, nil).findings($0.far.quantity))
    }
    if let clipped {
      result.clipping += clipping(clipped.limits, Self.clip, isOfAll: false)
      result.alternatives.append(
        StepsResult.Alternative(
          quantity: "\(far.quantity), clipped",
          findings: self.parts(clipped.measured, nil).findings(far.quantity)))
    }
    result.switches = StepsSwitches.list(
      options, models, untrained: untrained.models, groups: matrix.leftOut.count,
      orders: matrix.shuffled.count)
    return result
  }

  private static let clip = FeaturePreprocessing(clip: .magnitude(StepsAnalysis.Options.clip))

  /// The driving measure again with activations clipped, and where they were.
  private func clipped(
    _ features: [Int: Tensor], _ matrices: StepsMatrices
  ) throws -> (measured: StepsMeasured, limits: [Int: (low: Double, high: Double)])? {
    guard options.clips else { return nil }
    let measured = try matrices(
      [options.measure], features.compactMapValues { try? Self.clip($0) }, singles: true)
    return (measured[0], features.compactMapValues { Self.clip.limits(of: $0) })
  }

  /// The driving measure to each space by strict ranks, by place of the space, then of the site; nothing without ranks.
  private func strict(_ features: [Int: Tensor]) throws -> [Int: [Int: Double]] {
    guard let measure = options.measure as? InformationImbalance else { return [:] }
    let all = spaces.spaces + spaces.singles
    let known = places.flatMap(\.self).compactMap { place -> (place: Int, side: Neighbours)? in
      guard let own = features[place], EqualRows.firsts(of: own) == nil,
        let side = try? Neighbours(
          of: own, count: measure.neighbours, distance: measure.distance)
      else { return nil }
      return (place, side)
    }
    var found: [Int: [Int: Double]] = [:]
    for (index, space) in all.enumerated() {
      try tick("\(measure.name), strict ranks", Double(index) / Double(all.count))
      let values = try? measure.strictValues(from: known.map(\.side), to: space.features)
      found[sites + index] = Dictionary(
        uniqueKeysWithValues: zip(known.map(\.place), values ?? []).map { ($0, $1) })
    }
    return found
  }

  private func clipping(
    _ limits: [Int: (low: Double, high: Double)], _ how: FeaturePreprocessing, isOfAll: Bool
  ) -> [StepsResult.Clipping] {
    limits.isEmpty
      ? []
      : models.indices.map { model in
        StepsResult.Clipping(
          model: model, how: FeaturePreprocessing(clip: how.clip).description, isOfAll: isOfAll,
          limits: places[model].map { place in
            limits[place].map { StepsResult.Clipping.Limits(low: $0.low, high: $0.high) }
          })
      }
  }

  /// What is derived from the tables of one measure.
  private struct Parts {
    let pairs: PairsOfModels
    let profile: SmoothnessProfile
    var lowLevel: LowLevelCurves

    func findings(_ quantity: String) -> [Finding] {
      StepsFindings(pairs: pairs, profile: profile, lowLevel: lowLevel, quantity: quantity)()
    }
  }

  private func parts(_ measured: StepsMeasured, _ clipped: StepsTables?) -> Parts {
    parts(measured, clipped, of: models, at: places)
  }

  private func parts(
    _ measured: StepsMeasured, _ clipped: StepsTables?, of models: [StepsResult.Model],
    at places: [[Int]]
  ) -> Parts {
    let (tables, far) = (measured.tables, measured.far)
    let depths = Self.depths(models, places)
    let hasSingles = measured.spaces > spaces.spaces.count
    return Parts(
      pairs: PairsOfModels(models: models, depths: depths, tables: tables, floor: far.floor),
      profile: SmoothnessProfile(
        models: models, depths: depths, tables: tables, floor: far.floor ?? 0),
      lowLevel: LowLevelCurves(
        models: models, sites: places, spaces: spaces.curves(after: sites),
        singles: hasSingles ? spaces.singleCurves(after: sites) : [], tables: tables,
        clipped: clipped))
  }

  /// The untrained models; nil where there are none.
  private func untrained(_ measured: StepsMeasured) -> StepsResult.Untrained? {
    guard !untrained.models.isEmpty else { return nil }
    let parts = parts(measured, nil, of: untrained.models, at: untrained.places)
    let own = untrained.models.indices
    return StepsResult.Untrained(
      models: untrained.models,
      twinOf: own.map { index in
        models.firstIndex { untrained.models[index].name == "\($0.name)-random" }
      }, evolutions: parts.pairs.evolutions(), smoothness: own.map { parts.profile($0) },
      lowLevel: own.map { parts.lowLevel($0, [], []) })
  }

  private func grids(_ measured: StepsMeasured) -> [StepsResult.Grid] {
    let (matrix, table) = (measured.matrix, measured.tables.whole)
    return models.indices.flatMap { a in
      models.indices.map { b in
        func cells(_ value: (Int, Int) -> Double?) -> [[Double?]] {
          places[a].map { row in places[b].map { value(row, $0) } }
        }
        return StepsResult.Grid(
          a: a, b: b, values: cells { table[$0, $1] },
          pValues: matrix.shuffled.isEmpty
            ? nil
            : cells { row, column in
              guard let a = measured.map[row], let b = measured.map[column] else { return nil }
              return matrix.pValue(a, b)
            })
      }
    }
  }

  private func scores(_ model: Int, _ features: [Int: Tensor]) throws -> [[Double?]] {
    let none = LowLevelStatistics.names.map { _ in Double?.none }
    return try places[model].enumerated().map { place, index in
      try tick("probes of \(models[model].name)", share(place, model))
      guard let own = features[index] else { return none }
      do {
        return try RidgeProbe(seed: options.resampling.seed)(own, spaces.statistics).scores
      } catch is MeasureError { return none } catch is TensorError { return none }
    }
  }

  private func share(_ place: Int, _ model: Int) -> Double {
    Double(place) / Double(max(1, places[model].count))
  }

  /// Intrinsic dimensions and overlaps of each site.
  private func geometry(
    _ model: Int, _ features: [Int: Tensor]
  ) throws -> StepsResult.Geometry {
    let neighbours = labelled
    var curves: [(name: String, values: [Double?])] = [
      ("intrinsic dimension (TwoNN)", []), ("intrinsic dimension (GRIDE, n₁ = 8)", []),
      ("participation ratio", []), ("overlap with the next stage (k = 30)", []),
      ("label overlap (k = \(neighbours))", []),
    ]
    let overlap = NeighbourhoodOverlap()
    var before: Neighbours?
    for (place, index) in places[model].enumerated() {
      try tick("geometry of \(models[model].name)", share(place, model))
      let own = features[index]
      curves[0].values.append(own.flatMap { try? TwoNN()($0).value })
      curves[1].values.append(own.flatMap { try? GRIDE(8)($0).value })
      curves[2].values.append(own.flatMap { try? ParticipationRatio()($0).value })
      let nearest = own.flatMap { try? overlap.summary(of: $0) }
      if place > 0 {
        curves[3].values.append(
          before.flatMap { a in nearest.flatMap { try? overlap.similarity(a, $0) } })
      }
      curves[4].values.append(
        own.flatMap { own in
          guard let labels, neighbours > 0 else { return nil }
          return try? Neighbours(of: own, count: neighbours, distance: .euclidean)
            .labelOverlap(labels: labels)
        })
      before = nearest
    }
    curves[3].values.append(nil)
    return StepsResult.Geometry(
      model: model,
      curves: curves.filter { $0.values.contains { $0 != nil } }.map {
        StepsResult.Geometry.Curve(name: $0.name, values: $0.values)
      })
  }

  /// Neighbours whose labels are counted: 30, or as many others as the smallest class has.
  private var labelled: Int {
    let sizes = Dictionary(grouping: labels ?? [], by: { $0 }).values.map(\.count)
    return min(30, (sizes.min() ?? 1) - 1)
  }

  private func refusals(_ measured: StepsMeasured) -> [SimilarityResult.Refusal] {
    let known = features.count
    let own = measured.matrix.refusals.filter { $0.index < known }
    // Places among the usable: the images' own sites come last, and are no part of the matrix.
    let features = features
    let ofSites =
      (prepared.refused(own).map { ($0.index, $0.reason) }
      + measured.equal.map { site, error in
        (site, features[site].map { prepared.reason(error, $0) } ?? "\(error)")
      }).sorted { $0.0 < $1.0 }.map {
        SimilarityResult.Refusal(address: addresses[$0.0], reason: $0.1)
      }
    let all = spaces.spaces + spaces.singles
    let ofSpaces = measured.matrix.refusals.filter { $0.index >= known }.map { refusal in
      let space = all[refusal.index - known]
      return SimilarityResult.Refusal(
        address: "the images: \(space.name)",
        reason: prepared.reason(refusal.error, space.features))
    }
    return copies.map {
      SimilarityResult.Refusal(
        address: "image \($0.id)",
        reason: "left out: a model sees the same picture as in \($0.of)")
    } + ofSites + ofSpaces
  }
}

extension InformationImbalance {
  /// The other normalisation as a scale; nil for fewer than three images.
  fileprivate func rescaling(_ images: Int) -> StepsResult.Rescaling? {
    guard images > 2 else { return nil }
    let shift = renormalized(0, images: images)
    let other = InformationImbalance(
      neighbours: neighbours, distance: distance,
      normalization: normalization == .glielmo ? .zeroBased : .glielmo)
    return StepsResult.Rescaling(
      quantity: other.name, scale: renormalized(1, images: images) - shift, shift: shift)
  }
}
