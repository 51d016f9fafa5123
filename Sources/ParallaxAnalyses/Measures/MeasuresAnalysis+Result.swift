import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

extension MeasuresAnalysis {
  /// The values of one measure, over the representations that it could be asked of.
  private struct Measured {
    var matrix: MeasureMatrix?
    /// Places in the matrix by places among the wanted representations.
    var places: [Int: Int]
    var refused: [PreparedFeatures.Refused]
  }

  /// The result, once the pass has ended.
  ///
  /// - Throws: `AnalysisError.tooFewImages` without images, `AnalysisError.interrupted`.
  public func result() throws -> MeasuresResult {
    let images = gathered?.samples.count ?? moments?.sums.images ?? 0
    guard images > 0 else {
      throw AnalysisError.tooFewImages(needed: 2, found: 0, where: "the measures")
    }
    let prepared = gathered.map { PreparedFeatures($0, preprocessing, ids: ids) }
    var measured = [Measured?](repeating: nil, count: measures.count)
    if let prepared { try measure(prepared, into: &measured) }
    if let moments { try measure(moments, into: &measured) }
    let found = measured.map { $0 ?? Measured(matrix: nil, places: [:], refused: []) }
    let entries = measures.indices.map { entry($0, found[$0]) }
    let groups = found.compactMap { $0.matrix?.leftOut.count }.max() ?? 0
    let dtype = prepared?.dtype ?? moments?.sums.precision ?? .float32
    var result = MeasuresResult(
      images: images, dtype: dtype.description, seed: routes.options.seed,
      groups: entries.contains { $0.errors != nil } ? groups : 0,
      permutations: routes.options.permutations,
      preprocessing: preprocessing.isNone ? nil : preprocessing.description, models: models,
      measures: entries)
    result.routeReason = routes.reason
    let sites = sites(prepared)
    result.dominance = sites.compactMap(\.dominance)
    let rules = MisleadingValues(images: images, sites: sites)
    result.warnings =
      [rules.dominated, chunkWarning].compactMap(\.self)
      + found.indices.flatMap { index in
        found[index].matrix.map { matrix in
          rules.warnings(measures[index]) { matrix.chance($0, $1)?.mean }
        } ?? []
      }
    result.findings = result.conclusions(leavingOut: parts(of: result, found))
    return result
  }

  /// Where chunks are short, the orders of shuffled images are few, whatever was asked for.
  private var chunkWarning: MeasuresResult.Warning? {
    guard let moments, moments.sums.options.orders > 0, moments.sums.chunk < Self.shortestChunk
    else { return nil }
    let rows = moments.sums.chunk
    return MeasuresResult.Warning(
      measure: nil, addresses: [],
      text:
        "shuffled pairs of the route by moments stay within chunks of \(rows) image\(rows == 1 ? "" : "s"), "
        + (rows < 3
          ? "which have one order: chance and p-values are of one arrangement and say nothing"
          : "which have few orders: chance and p-values are coarse")
        + "; ask for --route features, fewer --groups or more images",
      source: "MomentSums: cycles within chunks are our choice")
  }

  /// Images of a chunk below which its orders are few: (8 − 1)! = 5040 cycles of 8.
  static let shortestChunk = 8

  private func tick(_ names: [String], _ done: Int, _ all: Int) throws {
    if isInterrupted() { throw AnalysisError.interrupted }
    progress(names.joined(separator: ", "), Double(done) / Double(max(1, all)))
  }

  /// The measures that need the images.
  private func measure(_ prepared: PreparedFeatures, into measured: inout [Measured?]) throws {
    let own = measures.indices.filter { !routes.fromMoments[$0] }
    let usable = prepared.usable
    let matrices = try MeasureMatrix.all(
      usable.isEmpty ? [] : own.map { measures[$0] }, of: usable.map(\.features),
      options: routes.options, tick: tick)
    let places = Dictionary(uniqueKeysWithValues: usable.enumerated().map { ($1.index, $0) })
    for (place, index) in own.enumerated() {
      let matrix = usable.isEmpty ? nil : matrices[place]
      measured[index] = Measured(
        matrix: matrix, places: places, refused: prepared.refused(matrix?.refusals ?? []))
    }
  }

  /// The measures that follow from moments.
  private func measure(_ moments: GatheredMoments, into measured: inout [Measured?]) throws {
    let own = measures.indices.filter { routes.fromMoments[$0] }
    let unusable = moments.refused(ids)
    let usable = wanted.indices.filter { index in !unusable.contains { $0.index == index } }
    let matrices = try MeasureMatrix.all(
      usable.isEmpty ? [] : own.map { measures[$0] }, of: moments.sums, among: usable,
      centred: preprocessing.isCentred, tick: tick)
    let places = Dictionary(uniqueKeysWithValues: usable.enumerated().map { ($1, $0) })
    for (place, index) in own.enumerated() {
      let matrix = usable.isEmpty ? nil : matrices[place]
      let more = (matrix?.refusals ?? []).map {
        PreparedFeatures.Refused(index: usable[$0.index], reason: "\($0.error)")
      }
      measured[index] = Measured(
        matrix: matrix, places: places,
        refused: (unusable + more).sorted { $0.index < $1.index })
    }
  }

  /// What the rules of misleading values look at; which images dominate only the features tell.
  private func sites(_ prepared: PreparedFeatures?) -> [MisleadingValues.Site] {
    func site(_ index: Int, _ dominance: MeasuresResult.Dominance?, _ size: Double?)
      -> MisleadingValues.Site
    {
      MisleadingValues.Site(
        address: wanted[index].address, model: owners[index], width: widths[index],
        dominance: dominance, size: size)
    }
    if let prepared {
      return prepared.usable.map {
        site($0.index, dominance($0.index, $0.features, prepared), nil)
      }
    }
    guard let moments else { return [] }
    let unusable = moments.refused(ids).map(\.index)
    let sample = moments.sums.sample()
    return wanted.indices.filter { !unusable.contains($0) }.map { index in
      let own = sample.moments(index)
      return site(index, nil, (own.squaredNorm / Double(own.images)).squareRoot())
    }
  }

  /// The place of each representation's model.
  private var owners: [Int] {
    wanted.map { one in subjects.firstIndex { $0.name == one.model } ?? 0 }
  }

  /// The three images that a site's Gram matrix is mostly made of; nil where it does not vary.
  private func dominance(
    _ index: Int, _ features: Tensor, _ prepared: PreparedFeatures
  ) -> MeasuresResult.Dominance? {
    guard let items = try? DominantItems(of: features) else { return nil }
    return MeasuresResult.Dominance(
      address: wanted[index].address,
      largest: items.largest(3).map {
        MeasuresResult.Dominance.Item(id: prepared.names[$0.image], share: $0.share)
      }, holdingHalf: items.holdingHalf, firstComponent: items.firstComponent, size: items.size)
  }

  /// The values without each group of images, as results.
  private func parts(of result: MeasuresResult, _ measured: [Measured]) -> [MeasuresResult] {
    (0..<(measured.compactMap { $0.matrix?.leftOut.count }.max() ?? 0)).map { group in
      var part = result
      for (index, one) in measured.enumerated() {
        part.measures[index].values = table(one.places) { row, column in
          guard let matrix = one.matrix, matrix.leftOut.indices.contains(group) else { return nil }
          let value = matrix.leftOut[group][row * matrix.size + column]
          return value.isNaN ? nil : value
        }
      }
      return part
    }
  }

  /// A table over the wanted representations; nil where one has no values.
  private func table(
    _ places: [Int: Int], _ cell: (Int, Int) -> Double?
  ) -> [[Double?]] {
    wanted.indices.map { a in
      wanted.indices.map { b in
        guard let row = places[a], let column = places[b] else { return nil }
        return cell(row, column)
      }
    }
  }

  private func entry(_ index: Int, _ measured: Measured) -> MeasuresResult.Entry {
    let (measure, matrix) = (measures[index], measured.matrix)
    func table(_ cell: (MeasureMatrix, Int, Int) -> Double?) -> [[Double?]] {
      self.table(measured.places) { row, column in matrix.flatMap { cell($0, row, column) } }
    }
    let isShuffled = matrix?.shuffled.isEmpty == false
    var entry = MeasuresResult.Entry(
      name: measure.name, direction: measure.direction.rawValue,
      isSymmetric: measure.isSymmetric, invariances: measure.invariances.letters,
      dependsOnImages: measure.pitfalls.contains(where: \.dependsOnImages),
      source: measure.source, agreesWith: measure.agreesWith, values: table { $0[$1, $2] },
      errors: matrix?.leftOut.isEmpty == false ? table { $0.standardError($1, $2) } : nil,
      pValues: isShuffled ? table { $0.pValue($1, $2) } : nil,
      bounds: isShuffled ? table { $0.chance($1, $2)?.bound } : nil,
      refusals: measured.refused.map {
        SimilarityResult.Refusal(address: wanted[$0.index].address, reason: $0.reason)
      }, pairRefusal: matrix?.pairRefusal.map { "\($0)" })
    entry.route = (routes.fromMoments[index] ? MeasureRoute.moments : .features).rawValue
    return entry
  }

  private var models: [ModelSites] {
    subjects.map { subject in
      let places = wanted.indices.filter { wanted[$0].model == subject.name }
      return ModelSites(
        name: subject.name, family: subject.family,
        sites: places.enumerated().map { place, index in
          ModelSites.Site(
            name: wanted[index].site.name, tokens: wanted[index].tokens.description,
            stage: wanted[index].site.stage,
            depth: places.count > 1 ? Double(place) / Double(places.count - 1) : 0,
            features: widths[index])
        })
    }
  }
}
