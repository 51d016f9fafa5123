import ParallaxImages
import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// How much goes past each branch of a network, and how much the branch adds.
///
/// At each sum z + f(z) the norms of both and their cosine are taken for each token while a model runs; of a sum and token five
/// numbers a group of images remain, never the activation. f(z) is the whole branch as it is added: its own norm, layer scale
/// and all.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, Figures 7, 8, E.1 and E.2. What they leave open is our reconstruction, and the
/// > result names it.
public final class ResidualAnalysis: Accumulator {
  /// How images are put together.
  public enum Aggregation: String, Sendable, CaseIterable {
    /// The mean over images of each token's ratio.
    case meanOfRatios = "mean-of-ratios"
    /// The mean norm of z over the mean norm of f(z), of each token.
    case ratioOfMeans = "ratio-of-means"
  }

  /// What the cosine is between.
  public enum Cosine: String, Sendable, CaseIterable {
    /// z and z + f(z).
    case output
    /// z and f(z).
    case branch
  }

  /// What drives the analysis.
  public struct Options: Sendable {
    /// How images are put together.
    public var aggregation = Aggregation.meanOfRatios
    /// What the cosine is between.
    public var cosine = Cosine.output
    /// Numbers of blocks whose skips are taken out, one at a time, those below 0 from the end.
    public var removals: [Int] = []
    /// Groups of images that are left out in turn for intervals.
    public var groups = 10
    /// The run's seed, for the record.
    public var seed: UInt64 = 0

    /// Ratios of each token, cosine with the output, nothing taken out.
    public init() {}
  }

  /// One sum that is watched.
  struct Sum {
    let subject: Int
    let connection: ResidualConnection
    let grid: SpatialGrid
    let depth: Double
  }

  /// `residual`.
  public let name = "residual"
  /// Nothing is kept.
  public let wanted: [Representation] = []
  /// One for each sum, then the layers of models with skips taken out.
  public let watched: [Watch]
  /// Models with skips taken out.
  public var companions: [Subject] { removals.companions }
  let options: Options
  let subjects: [Subject]
  let sums: [Sum]
  /// Models and blocks that were left out, with the reasons.
  public private(set) var leftOut: [SimilarityResult.Refusal] = []
  private let removals: SkipRemovals
  private var totals: [ResidualTotals]
  private var pending: [ResidualTotals?] = []
  private var images = 0
  private var open = 0

  /// An analysis of the residual connections of some models.
  ///
  /// Models without any are left out, and the result says so.
  ///
  /// - Parameters:
  ///   - subjects: the models, in the order of the figures.
  ///   - chosen: sites that somebody named: of their models only connections at or under them are taken.
  ///   - options: what drives it.
  /// - Throws: `AnalysisError.nothingAsked` where no model has residual connections, or a skip that is to be taken out is
  ///   not there; `ModelError` where a model cannot run.
  public init(
    of subjects: [Subject], among chosen: [Representation] = [], options: Options = Options()
  ) throws {
    var (kept, sums): ([Subject], [Sum]) = ([], [])
    var refusals: [SimilarityResult.Refusal] = []
    var connections: [[ResidualConnection]] = []
    for subject in subjects {
      let own = Set(chosen.filter { $0.model == subject.name }.map(\.site.name))
      let found = try ResidualSites(subject, among: own)
      refusals += found.refusals
      guard !found.connections.isEmpty else { continue }
      sums += found.connections.map { connection, grid in
        Sum(
          subject: kept.count, connection: connection, grid: grid,
          depth: found.depth(of: connection.block))
      }
      connections.append(found.connections.map(\.connection))
      kept.append(subject)
    }
    guard !kept.isEmpty else {
      throw AnalysisError.nothingAsked(
        refusals.map { "\($0.address): \($0.reason)" }.joined(separator: "; "))
    }
    (self.subjects, self.sums, self.options, leftOut) = (kept, sums, options, refusals)
    removals = try SkipRemovals(of: options.removals, kept, connections)
    watched =
      sums.map { sum in
        Watch(
          model: kept[sum.subject].name, sites: [sum.connection.skip, sum.connection.branch],
          width: ResidualNumbers.count * sum.grid.tokens
        ) { ResidualNumbers.of($0[0], $0[1], sum.grid) }
      } + removals.watched
    totals = sums.map { ResidualTotals(groups: options.groups, tokens: $0.grid.tokens) }
  }

  /// Which sums there are, and which skips are taken out.
  public var fingerprint: String {
    let names = sums.map { "\(subjects[$0.subject].name)@\($0.connection.name)" }
    return
      "1 groups \(options.groups) sums \(names.joined(separator: " ")) without \(removals.companions.map(\.name).joined(separator: ", "))"
  }

  /// Opens the block.
  ///
  /// - Throws: `MeasureError.blockOrder`.
  public func begin(_ block: BlockHeading) throws {
    open = block.samples.count
    pending = totals.map { _ in nil }
    try removals.begin(block)
  }

  /// Adds the numbers `[images, 5 · tokens]` of one sum to their groups, or takes features for CKA.
  ///
  /// - Throws: `MeasureError.blockOrder` where no block is open, or numbers come twice.
  public func add(_ index: Int, _ features: Tensor) throws {
    guard index < sums.count else { return try removals.add(index - sums.count, features) }
    guard pending.indices.contains(index), pending[index] == nil, features.shape[0] == open else {
      throw MeasureError.blockOrder(
        measure: name, problem: "numbers of sum \(index) come out of turn")
    }
    var next = totals[index]
    next.add(features, first: images)
    pending[index] = next
  }

  /// Closes the block.
  ///
  /// - Throws: `MeasureError.blockOrder` where a sum is missing.
  public func finish() throws {
    let next = pending.compactMap(\.self)
    guard next.count == totals.count else {
      throw MeasureError.blockOrder(measure: name, problem: "a sum is missing")
    }
    try removals.finish()
    totals = next
    images += open
    (pending, open) = ([], 0)
  }

  /// The sums of all finished blocks.
  public func state() -> [(name: String, tensor: Tensor)] {
    guard images > 0 else { return [] }
    return [("images", Tensor([Int64(images)], shape: [1]))]
      + totals.enumerated().flatMap { $1.state("sum.\($0)") } + removals.state()
  }

  /// Goes on from the sums of an interrupted run.
  ///
  /// - Returns: false where they are of other sums; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool {
    if state.isEmpty {
      images = 0
      totals = sums.map { ResidualTotals(groups: options.groups, tokens: $0.grid.tokens) }
      return removals.restore([:])
    }
    guard let count = state["images"], count.shape == [1], count.dtype == .int64 else {
      return false
    }
    var restored = totals
    for index in restored.indices {
      guard restored[index].restore(state, "sum.\(index)") else { return false }
    }
    guard removals.restore(state) else { return false }
    (totals, images) = (restored, Int(count.scalars(Int64.self)[0]))
    return true
  }

  /// The result, once the pass has ended.
  ///
  /// - Throws: `AnalysisError.tooFewImages` without images, `MeasureError.tooFew` where skips were taken out and no block had
  ///   enough images.
  public func result() throws -> ResidualResult {
    guard images > 0 else {
      throw AnalysisError.tooFewImages(needed: 1, found: 0, where: "the residual stream")
    }
    let tables = zip(totals, sums).map {
      ResidualTable($0, $1.grid, images: images, options)
    }
    var result = ResidualResult(
      images: images, groups: images < 2 * options.groups ? 0 : options.groups,
      seed: options.seed, dtype: "float32",
      aggregation: options.aggregation == .meanOfRatios ? "mean of ratios" : "ratio of means",
      cosine: options.cosine == .output ? "z and z + f(z)" : "z and f(z)",
      models: subjects.indices.map { model($0, tables) })
    result.refusals = leftOut
    for (table, sum) in zip(tables, sums) where table.spatial(0) == nil {
      result.refusals.append(
        SimilarityResult.Refusal(
          address: "\(subjects[sum.subject].name)@\(sum.connection.name)",
          reason: "no token has a ratio: the branch adds nothing, or its numbers are not finite"))
    }
    result.removals = try removals.results()
    let findings = ResidualFindings(
      result: result,
      tables: subjects.indices.map { model in
        zip(sums, tables).filter { $0.0.subject == model }.map(\.1)
      })
    for index in result.models.indices {
      result.models[index].transition = findings.transition(index)
    }
    result.findings = findings()
    result.switches = ResidualSwitches.list(options, result)
    try result.draw()
    if result.groups == 0 { result.dropIntervals() }
    return result
  }

  private func model(_ index: Int, _ tables: [ResidualTable]) -> ResidualResult.Model {
    let subject = subjects[index]
    let layout = subject.model.tokenLayout
    let hasClassToken = layout?.hasClassToken ?? false
    let own = sums.indices.filter { sums[$0].subject == index }
    // What a graph's modules are called tells less than what its branches do.
    let parts = Set(own.map { sums[$0].connection.part })
    let design: Design =
      parts.contains(.attention)
      ? .transformer : parts.contains(.mixing) ? .mixer : subject.design
    return ResidualResult.Model(
      name: subject.name, family: subject.family, design: design.rawValue,
      hasClassToken: hasClassToken, registers: layout?.registers ?? 0,
      connections: own.map { place in
        let (sum, grid) = (sums[place], sums[place].grid)
        var one = ResidualResult.Connection(
          site: sum.connection.name, block: sum.connection.block,
          part: ResidualResult.Part(rawValue: sum.connection.part.rawValue) ?? .branch,
          depth: sum.depth, rows: grid.rows, columns: grid.columns, others: grid.others)
        tables[place].fill(&one, hasClassToken: hasClassToken)
        return one
      })
  }
}

extension ResidualAnalysis: StudyAnalysis {
  /// Writes `results/residual.json`.
  ///
  /// - Parameter run: the folder.
  /// - Returns: rows for each sum and token.
  /// - Throws: `ResultsError.unwritable`, and what `result` throws.
  public func write(into run: RunFolder) throws -> [TidyRow] {
    let result = try result()
    try run.write(result, analysis: name)
    return result.tidyRows()
  }
}
