import ParallaxImages
import ParallaxMeasures
import ParallaxResults
import ParallaxTensors

/// The numbers of ``StepsAnalysis`` from features of all images.
struct StepsComputation {
  let models: [StepsResult.Model]
  /// Of each model the places of its sites among the features.
  let places: [[Int]]
  let features: [Tensor]
  let spaces: LowLevelSpaces
  /// The class of each image, as far as there are classes.
  let labels: [Int?]
  let addresses: [String]
  let options: StepsAnalysis.Options
  /// Told what is computed and how much of it is done; throws to stop.
  let tick: (String, Double) throws -> Void

  private var images: Int { features[0].shape[0] }
  private var depths: Depths {
    Depths(blocks: zip(models, places).map { Array($1.dropFirst($0.leading)) })
  }

  /// Everything.
  ///
  /// - Throws: what `tick` throws.
  func result() throws -> StepsResult {
    let far = HowFar(options.measure, images: images)
    let matrix = try self.matrix(options.measure, options.resampling)
    let tables = StepsTables(matrix, far)
    var result = StepsResult(
      measure: options.measure.name, quantity: far.quantity,
      isSymmetric: options.measure.isSymmetric, floor: far.floor, source: options.measure.source,
      images: images, dtype: features[0].dtype.description, seed: options.resampling.seed,
      groups: matrix.leftOut.count, permutations: matrix.shuffled.count, models: models)
    let parts = parts(tables, far)
    result.grids = grids(matrix, tables.whole)
    result.depths = PairsOfModels.grid
    result.evolutions = parts.pairs.evolutions()
    result.aggregates = parts.pairs.aggregates()
    result.positions = parts.pairs.positions()
    for model in models.indices {
      let blocks = depths.blocks[model].map { features[$0] }
      let companions = try SmoothnessProfile.companions(blocks) {
        try tick("steps of \(models[model].name)", 0)
      }
      result.smoothness.append(parts.profile(model, companions))
      let scores = options.probes ? try self.scores(model) : []
      result.lowLevel.append(parts.lowLevel(model, LowLevelStatistics.names, scores))
      result.geometry.append(try geometry(model))
    }
    result.refusals = refusals(matrix)
    result.findings = parts.findings(far.quantity)
    result.alternatives = try options.alternatives.map { measure in
      let far = HowFar(measure, images: images)
      let tables = StepsTables(try self.matrix(measure, options.resampling), far)
      return StepsResult.Alternative(
        quantity: far.quantity, findings: self.parts(tables, far).findings(far.quantity))
    }
    result.switches = switches(matrix)
    return result
  }

  /// What is derived from the tables of one measure.
  private struct Parts {
    let pairs: PairsOfModels
    let profile: SmoothnessProfile
    let lowLevel: LowLevelCurves

    func findings(_ quantity: String) -> [Finding] {
      StepsFindings(pairs: pairs, profile: profile, lowLevel: lowLevel, quantity: quantity)()
    }
  }

  private func parts(_ tables: StepsTables, _ far: HowFar) -> Parts {
    let first = features.count
    return Parts(
      pairs: PairsOfModels(
        models: models, depths: depths, tables: tables, floor: far.floor,
        seed: options.resampling.seed),
      profile: SmoothnessProfile(models: models, depths: depths, tables: tables),
      lowLevel: LowLevelCurves(
        models: models, sites: places,
        spaces: spaces.spaces.enumerated().map {
          ($1.name, first + $0, $1.features.shape[1])
        }, tables: tables, clipped: nil))
  }

  /// All sites and all spaces against one another.
  private func matrix(
    _ measure: some Measure, _ resampling: MeasureMatrix.Options
  ) throws -> MeasureMatrix {
    try MeasureMatrix(
      measure, of: features + spaces.spaces.map(\.features), options: resampling
    ) { done, all in try tick(measure.name, Double(done) / Double(max(1, all))) }
  }

  private func grids(_ matrix: MeasureMatrix, _ table: StepsTable) -> [StepsResult.Grid] {
    models.indices.flatMap { a in
      models.indices.map { b in
        func cells(_ value: (Int, Int) -> Double?) -> [[Double?]] {
          places[a].map { row in places[b].map { value(row, $0) } }
        }
        return StepsResult.Grid(
          a: a, b: b, values: cells { table[$0, $1] },
          pValues: matrix.shuffled.isEmpty ? nil : cells { matrix.pValue($0, $1) })
      }
    }
  }

  private func scores(_ model: Int) throws -> [[Double?]] {
    let none = LowLevelStatistics.names.map { _ in Double?.none }
    return try places[model].enumerated().map { place, index in
      try tick(
        "probes of \(models[model].name)", Double(place) / Double(max(1, places[model].count)))
      do {
        return try RidgeProbe(seed: options.resampling.seed)(features[index], spaces.statistics)
          .scores
      } catch is MeasureError { return none }
    }
  }

  private func geometry(_ model: Int) throws -> StepsResult.Geometry {
    StepsResult.Geometry(model: model, curves: [])
  }

  private func refusals(_ matrix: MeasureMatrix) -> [SimilarityResult.Refusal] {
    matrix.refusals.map { refusal in
      let name =
        refusal.index < features.count
        ? addresses[refusal.index]
        : "the images: \(spaces.spaces[refusal.index - features.count].name)"
      return SimilarityResult.Refusal(address: name, reason: "\(refusal.error)")
    }
  }

  /// Every choice that changes the numbers, and whether the paper makes it.
  private func switches(_ matrix: MeasureMatrix) -> [StepsResult.Switch] {
    [
      StepsResult.Switch("questions and findings", "those of the abstract", origin: "paper"),
      StepsResult.Switch("measure", options.measure.name),
      StepsResult.Switch(
        "representation",
        "the class token where there is one, else the mean over tokens or positions, unless asked otherwise"
      ),
      StepsResult.Switch(
        "stages",
        "the outputs of blocks, unless sites were named; the input (pooled) and the stem before them"
      ),
      StepsResult.Switch("relative depth", "l / (L − 1) over the L stages"),
      StepsResult.Switch(
        "both directions", "their mean; the symmetrised score of Glielmo et al. is √2 times it"),
      StepsResult.Switch(
        "curves", "\(PairsOfModels.grid.count) relative depths, bilinear between stages"),
      StepsResult.Switch("matches", "the nearest stage by the mean of both directions"),
      StepsResult.Switch("diagonal", "cells at most \(PairsOfModels.near) of relative depth apart"),
      StepsResult.Switch(
        "intervals",
        matrix.leftOut.isEmpty
          ? "none: fewer than two images a group"
          : "jackknife over \(matrix.leftOut.count) groups of images, none drawn twice"),
      StepsResult.Switch(
        "chance",
        matrix.shuffled.isEmpty
          ? "not computed" : "\(matrix.shuffled.count) orders of shuffled images"),
      StepsResult.Switch(
        "low-level statistics",
        "\(LowLevelStatistics.names.count) of each picture (shorter side to 224, centre square), standardised over the images"
      ),
      StepsResult.Switch(
        "discarding",
        "the last fifth of the stages against the middle three fifths, by the measure to all statistics"
      ),
      StepsResult.Switch(
        "probe", options.probes ? "ridge regression, 5 folds, R² out of fold" : "none"),
      StepsResult.Switch(
        "smoothness",
        "the mean of the measure from one stage to the next; seven more statistics beside it"),
    ]
  }
}
