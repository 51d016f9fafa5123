import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// Measures of the catalog between all pairs of sites of all models, over the whole set of images.
///
/// The pass gathers the features; the measures are computed once it has ended. So the memory is 4 bytes for each image
/// and feature, which is refused above a limit.
public final class MeasuresAnalysis: Accumulator {
  /// `measures`.
  public let name = "measures"
  /// Asked between summaries; where it says yes, the run stops and what the pass has gathered stays.
  public var isInterrupted: () -> Bool = { false }
  /// Told which measures are computed side by side and how much of them is done, from 0 to 1.
  public var progress: (_ measure: String, _ share: Double) -> Void = { _, _ in }
  /// The representations: rows and columns of the tables, in this order.
  public let wanted: [Representation]
  private let measures: [any Measure]
  private let options: MeasureMatrix.Options
  private let subjects: [Subject]
  private let widths: [Int]
  private let images: Int
  private var features: [[Tensor]]
  private var open: [Tensor?] = []

  /// An analysis of representations of some models.
  ///
  /// - Parameters:
  ///   - measures: in the order of the report.
  ///   - wanted: the representations; those of one model together, in execution order.
  ///   - subjects: the models, in the order of the figures.
  ///   - images: how many there are.
  ///   - options: how much is resampled.
  ///   - memoryLimit: bytes that the features may take.
  /// - Throws: `AnalysisError.nothingAsked` without representations or measures, `AnalysisError.tooFewImages` where a
  ///   measure needs more, `MeasureError.memory`.
  public init(
    _ measures: [any Measure], _ wanted: [Representation], of subjects: [Subject], images: Int,
    options: MeasureMatrix.Options = MeasureMatrix.Options(), memoryLimit: Int = 1 << 32
  ) throws {
    guard !wanted.isEmpty, let first = measures.first else {
      throw AnalysisError.nothingAsked("no representations to compare, or no measure")
    }
    for measure in measures where images < measure.fewestImages {
      throw AnalysisError.tooFewImages(
        needed: measure.fewestImages, found: images, where: measure.name)
    }
    (self.measures, self.wanted, self.subjects) = (measures, wanted, subjects)
    (self.options, self.images) = (options, images)
    let known = Dictionary(subjects.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    widths = try wanted.map { representation in
      guard let subject = known[representation.model] else {
        throw AnalysisError.nothingAsked("\(representation.address): there is no such model")
      }
      return try representation.tokens.width(
        at: representation.site, subject.model.tokenLayout, imageSize: subject.imageSize)
    }
    features = wanted.map { _ in [] }
    // The features, and those of one order of shuffled images beside them.
    let needed = 8 * images * widths.reduce(0, +)
    guard needed <= memoryLimit else {
      throw MeasureError.memory(measure: first.name, needed: needed, limit: memoryLimit)
    }
  }

  /// The measures and the resampling.
  public var fingerprint: String {
    "1 \(measures.map(\.name).joined(separator: " ")) seed \(options.seed) groups \(options.groups) permutations \(options.permutations)"
  }

  /// Opens the block.
  public func begin(_ block: BlockHeading) { open = wanted.map { _ in nil } }

  /// Keeps features `[images, width]`.
  ///
  /// - Throws: `MeasureError.blockOrder` where no block is open, or features come twice.
  public func add(_ index: Int, _ features: Tensor) throws {
    guard open.indices.contains(index), open[index] == nil else {
      throw MeasureError.blockOrder(
        measure: name, problem: "features of representation \(index) come out of turn")
    }
    open[index] = features.to(.cpu).to(features.dtype == .float64 ? .float64 : .float32).cloned()
  }

  /// Closes the block.
  ///
  /// - Throws: `MeasureError.blockOrder` where a representation is missing.
  public func finish() throws {
    let block = open.compactMap(\.self)
    guard block.count == wanted.count else {
      throw MeasureError.blockOrder(measure: name, problem: "representations are missing")
    }
    for (index, part) in block.enumerated() { features[index].append(part) }
    open = []
  }

  /// The features of all finished blocks.
  public func state() -> [(name: String, tensor: Tensor)] {
    features.enumerated().compactMap { index, parts in
      parts.isEmpty ? nil : ("features.\(index)", Tensor.concatenated(parts, 0))
    }
  }

  /// Goes on from the features of an interrupted run.
  ///
  /// - Returns: false where they are of other widths; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool {
    let found = wanted.indices.compactMap { state["features.\($0)"] }
    guard found.count == wanted.count || state.isEmpty else { return false }
    let rows = found.first?.shape.first ?? 0
    guard zip(found, widths).allSatisfy({ $0.shape == [rows, $1] }) else { return false }
    features = state.isEmpty ? wanted.map { _ in [] } : found.map { [$0] }
    return true
  }

  /// The result, once the pass has ended.
  ///
  /// - Throws: `AnalysisError.tooFewImages` without images, `AnalysisError.interrupted`.
  public func result() throws -> MeasuresResult {
    guard features.allSatisfy({ !$0.isEmpty }) else {
      throw AnalysisError.tooFewImages(needed: 2, found: 0, where: "the measures")
    }
    let whole = features.map { Tensor.concatenated($0, 0) }
    let matrices = try MeasureMatrix.all(measures, of: whole, options: options) {
      names, done, all in
      if isInterrupted() { throw AnalysisError.interrupted }
      progress(names.joined(separator: ", "), Double(done) / Double(max(1, all)))
    }
    let entries = zip(measures, matrices).map { entry($0, $1) }
    return MeasuresResult(
      images: whole[0].shape[0], dtype: whole[0].dtype.description, seed: options.seed,
      groups: entries.contains { $0.errors != nil } ? options.groups : 0,
      permutations: options.permutations, models: models, measures: entries)
  }

  private func entry(_ measure: any Measure, _ matrix: MeasureMatrix) -> MeasuresResult.Entry {
    func table(_ cell: (Int, Int) -> Double?) -> [[Double?]] {
      wanted.indices.map { a in wanted.indices.map { cell(a, $0) } }
    }
    let isShuffled = !matrix.shuffled.isEmpty
    return MeasuresResult.Entry(
      name: measure.name, direction: measure.direction.rawValue,
      isSymmetric: measure.isSymmetric, invariances: measure.invariances.letters,
      source: measure.source, agreesWith: measure.agreesWith, values: table { matrix[$0, $1] },
      errors: matrix.leftOut.isEmpty ? nil : table { matrix.standardError($0, $1) },
      pValues: isShuffled ? table { matrix.pValue($0, $1) } : nil,
      bounds: isShuffled ? table { matrix.chance($0, $1)?.bound } : nil,
      refusals: matrix.refusals.map {
        SimilarityResult.Refusal(address: wanted[$0.index].address, reason: "\($0.error)")
      }, pairRefusal: matrix.pairRefusal.map { "\($0)" })
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
    try run.write(result, analysis: name)
    return result.tidyRows()
  }
}
