import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// Measures of the catalog between all pairs of sites of all models, over the whole set of images.
///
/// The pass gathers the features; the measures are computed once it has ended. So the memory is 4 bytes for each image
/// and feature, and as many again while images are shuffled, beside what the measures keep of each representation
/// (``MeasureMatrix/peak(_:images:widths:options:)``). Both together are refused above a limit, before the pass.
public final class MeasuresAnalysis: Accumulator {
  /// `measures`.
  public let name = "measures"
  /// Asked between summaries; where it says yes, the run stops and what the pass has gathered stays.
  public var isInterrupted: () -> Bool = { false }
  /// Told which measures are computed side by side and how much of them is done, from 0 to 1.
  public var progress: (_ measure: String, _ share: Double) -> Void = { _, _ in }
  /// Told what may make values say less than they seem to, before the result is written.
  public var warned: ([MeasuresResult.Warning]) -> Void = { _ in }
  /// The representations: rows and columns of the tables, in this order.
  public let wanted: [Representation]
  private let measures: [any Measure]
  private let options: MeasureMatrix.Options
  private let preprocessing: FeaturePreprocessing
  /// The images' names by their places in the data set.
  private let ids: [String]
  private let subjects: [Subject]
  private let widths: [Int]
  private var gathered: GatheredFeatures

  /// An analysis of representations of some models.
  ///
  /// - Parameters:
  ///   - measures: in the order of the report.
  ///   - wanted: the representations; those of one model together, in execution order.
  ///   - subjects: the models, in the order of the figures.
  ///   - images: how many there are.
  ///   - options: how much is resampled.
  ///   - preprocessing: what is done to each representation first.
  ///   - ids: the images' names by their places in the data set, for what is said of them; without them they are counted.
  ///   - memoryLimit: bytes that the features and the measures' summaries may take together; 8 GiB without it.
  /// - Throws: `AnalysisError.nothingAsked` without representations or measures, `AnalysisError.tooFewImages` where a
  ///   measure needs more, `MeasureError.memory`.
  public init(
    _ measures: [any Measure], _ wanted: [Representation], of subjects: [Subject], images: Int,
    options: MeasureMatrix.Options = MeasureMatrix.Options(),
    preprocessing: FeaturePreprocessing = FeaturePreprocessing(), ids: [String] = [],
    memoryLimit: Int = 1 << 33
  ) throws {
    guard !wanted.isEmpty, let first = measures.first else {
      throw AnalysisError.nothingAsked("no representations to compare, or no measure")
    }
    for measure in measures where images < measure.fewestImages {
      throw AnalysisError.tooFewImages(
        needed: measure.fewestImages, found: images, where: measure.name)
    }
    (self.measures, self.wanted, self.subjects) = (measures, wanted, subjects)
    self.options = options
    (self.preprocessing, self.ids) = (preprocessing, ids)
    let known = Dictionary(subjects.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    widths = try wanted.map { representation in
      guard let subject = known[representation.model] else {
        throw AnalysisError.nothingAsked("\(representation.address): there is no such model")
      }
      return try representation.tokens.width(
        at: representation.site, subject.model.tokenLayout, imageSize: subject.imageSize)
    }
    gathered = GatheredFeatures(name, widths: widths)
    // The features, and those of one order of shuffled images beside them.
    let features = 8 * images * widths.reduce(0, +)
    let summaries = MeasureMatrix.peak(measures, images: images, widths: widths, options: options)
    let needed = features + summaries.bytes
    guard needed <= memoryLimit else {
      throw MeasureError.memory(
        measure: summaries.bytes > features
          ? summaries.measures.joined(separator: ", ") : first.name, needed: needed,
        limit: memoryLimit)
    }
  }

  /// The measures and the resampling.
  public var fingerprint: String {
    "2 \(measures.map(\.name).joined(separator: " ")) seed \(options.seed) groups \(options.groups) permutations \(options.permutations) features \(preprocessing)"
  }

  /// Opens the block.
  public func begin(_ block: BlockHeading) { gathered.begin(block) }

  /// Keeps features `[images, width]`.
  ///
  /// - Throws: `MeasureError.blockOrder` where no block is open, or features come twice.
  public func add(_ index: Int, _ features: Tensor) throws { try gathered.add(index, features) }

  /// Closes the block.
  ///
  /// - Throws: `MeasureError.blockOrder` where a representation is missing.
  public func finish() throws { try gathered.finish() }

  /// The features of all finished blocks, and which images they are of.
  public func state() -> [(name: String, tensor: Tensor)] { gathered.state() }

  /// Goes on from the features of an interrupted run.
  ///
  /// - Returns: false where they are of other widths; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool { gathered.restore(state) }

  /// The result, once the pass has ended.
  ///
  /// - Throws: `AnalysisError.tooFewImages` without images, `AnalysisError.interrupted`.
  public func result() throws -> MeasuresResult {
    guard !gathered.samples.isEmpty else {
      throw AnalysisError.tooFewImages(needed: 2, found: 0, where: "the measures")
    }
    let prepared = PreparedFeatures(gathered, preprocessing, ids: ids)
    let usable = prepared.usable
    let matrices = try MeasureMatrix.all(
      usable.isEmpty ? [] : measures, of: usable.map(\.features), options: options
    ) { names, done, all in
      if isInterrupted() { throw AnalysisError.interrupted }
      progress(names.joined(separator: ", "), Double(done) / Double(max(1, all)))
    }
    let places = Dictionary(uniqueKeysWithValues: usable.enumerated().map { ($1.index, $0) })
    let entries = measures.indices.map { measure in
      let matrix = usable.isEmpty ? nil : matrices[measure]
      return entry(
        measures[measure], matrix, places, prepared.refused(matrix?.refusals ?? []))
    }
    var result = MeasuresResult(
      images: prepared.images, dtype: prepared.dtype.description, seed: options.seed,
      groups: entries.contains { $0.errors != nil } ? options.groups : 0,
      permutations: options.permutations,
      preprocessing: preprocessing.isNone ? nil : preprocessing.description, models: models,
      measures: entries)
    let sites = usable.map { site in
      MisleadingValues.Site(
        address: wanted[site.index].address, model: owners[site.index], width: widths[site.index],
        dominance: dominance(site.index, site.features, prepared))
    }
    result.dominance = sites.compactMap(\.dominance)
    let rules = MisleadingValues(images: prepared.images, sites: sites)
    result.warnings =
      [rules.dominated].compactMap(\.self)
      + matrices.indices.flatMap { index in
        rules.warnings(measures[index]) { matrices[index].chance($0, $1)?.mean }
      }
    result.findings = result.conclusions(leavingOut: parts(of: result, matrices, places))
    return result
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
  private func parts(
    of result: MeasuresResult, _ matrices: [MeasureMatrix], _ places: [Int: Int]
  ) -> [MeasuresResult] {
    (0..<(matrices.map(\.leftOut.count).max() ?? 0)).map { group in
      var part = result
      for (index, matrix) in matrices.enumerated() {
        part.measures[index].values = table(places) { row, column in
          guard matrix.leftOut.indices.contains(group) else { return nil }
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

  private func entry(
    _ measure: any Measure, _ matrix: MeasureMatrix?, _ places: [Int: Int],
    _ refused: [PreparedFeatures.Refused]
  ) -> MeasuresResult.Entry {
    func table(_ cell: (MeasureMatrix, Int, Int) -> Double?) -> [[Double?]] {
      self.table(places) { row, column in matrix.flatMap { cell($0, row, column) } }
    }
    let isShuffled = matrix?.shuffled.isEmpty == false
    return MeasuresResult.Entry(
      name: measure.name, direction: measure.direction.rawValue,
      isSymmetric: measure.isSymmetric, invariances: measure.invariances.letters,
      dependsOnImages: measure.pitfalls.contains(where: \.dependsOnImages),
      source: measure.source, agreesWith: measure.agreesWith, values: table { $0[$1, $2] },
      errors: matrix?.leftOut.isEmpty == false ? table { $0.standardError($1, $2) } : nil,
      pValues: isShuffled ? table { $0.pValue($1, $2) } : nil,
      bounds: isShuffled ? table { $0.chance($1, $2)?.bound } : nil,
      refusals: refused.map {
        SimilarityResult.Refusal(address: wanted[$0.index].address, reason: $0.reason)
      }, pairRefusal: matrix?.pairRefusal.map { "\($0)" })
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

extension MeasuresAnalysis: StudyAnalysis {
  /// Writes `results/measures.json`.
  ///
  /// - Parameter run: the folder.
  /// - Returns: a row each pair of sites and measure.
  /// - Throws: `ResultsError.unwritable`, and what `result` throws.
  public func write(into run: RunFolder) throws -> [TidyRow] {
    let result = try result()
    warned(result.warnings)
    try run.write(result, analysis: name)
    return result.tidyRows()
  }
}
