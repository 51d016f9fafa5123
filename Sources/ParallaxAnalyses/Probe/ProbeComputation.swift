import Foundation
import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// Fits all probes of a pass that has ended.
struct ProbeComputation {
  let analysis: ProbeAnalysis
  private let fits: ProbeFits
  private let tokenFits: ProbeFits?
  private let names: [String]
  private let tokenNames: [String]

  /// What was found of one entry.
  struct Cell {
    /// By number of shots.
    var found: [ProbeFits.Found]
    var votes: [(count: Int, tally: ProbeTally)]
    var weighted: ProbeTally
    var logistic: ProbeTally?
    var all: ProbeTraining.Found?
  }

  /// What was found of the tokens of one site.
  struct TokenCell {
    /// In the model's order, those before the patches first.
    var tallies: [ProbeTally]
    var native: ProbeTally
  }

  /// Tokens that are decomposed side by side.
  private static let batch = 16

  /// - Throws: `AnalysisError.classes` where unreadable images leave a class with too few.
  init(_ analysis: ProbeAnalysis) throws {
    self.analysis = analysis
    func fits(
      _ split: ProbeSplit, _ gathered: GatheredFeatures, shots: [Int]
    ) throws(AnalysisError) -> ProbeFits {
      let read = split.keeping(Set(gathered.samples))
      try read.check(shots: shots)
      return ProbeFits(
        read, rows: gathered.samples, shots: shots, draws: analysis.options.draws,
        groups: analysis.options.groups, penalties: analysis.options.penalties)
    }
    self.fits = try fits(analysis.split, analysis.pooled, shots: analysis.shots)
    tokenFits =
      analysis.tokens.isEmpty
      ? nil : try fits(analysis.tokenSplit, analysis.single, shots: [analysis.tokenShots])
    names = analysis.pooled.samples.map { analysis.samples[$0].id }
    tokenNames = analysis.single.samples.map { analysis.samples[$0].id }
  }

  /// - Throws: `AnalysisError.interrupted`, `TensorError.operation` where LAPACK does not converge.
  func result() throws -> ProbeResult {
    var refusals = analysis.withoutGrid
    var cells: [Int: Cell] = [:]
    let parts = analysis.entries.count + 8 * analysis.tokens.count
    for (index, entry) in analysis.entries.enumerated() {
      try tick(Double(index) / Double(parts))
      let view = analysis.views[entry.model]
      let address = entry.address(view.subject, view.sites)
      do {
        cells[index] = try cell(
          analysis.pooled.whole(index), isNative: view.isNative(entry.tokens))
        cells[index]?.all = try analysis.training?.found(
          index, test: analysis.pooled.whole(index).gathered(0, fits.test), fits)
      } catch let error as MeasureError {
        let features = analysis.pooled.whole(index)
        refusals.append(
          SimilarityResult.Refusal(
            address: address, reason: reason(error, features, names)))
      }
    }
    var tokenCells: [Int: TokenCell] = [:]
    for (index, entry) in analysis.tokens.enumerated() {
      let view = analysis.views[entry.model]
      do {
        tokenCells[index] = try tokenCell(index, entry, view) { share in
          try tick((Double(analysis.entries.count) + 8 * (Double(index) + share)) / Double(parts))
        }
      } catch let error as MeasureError {
        refusals.append(
          SimilarityResult.Refusal(
            address: "\(view.subject.name)@\(view.sites[entry.site].name)",
            reason: "single tokens: \(reason(error, analysis.single.whole(index), tokenNames))"))
      }
    }
    return assembled(cells, tokenCells, refusals)
  }

  private func tick(_ share: Double) throws {
    if analysis.isInterrupted() { throw AnalysisError.interrupted }
    analysis.progress("probes", share)
  }

  /// An error with the names of the images, where it is about some.
  private func reason(_ error: MeasureError, _ features: Tensor, _ names: [String]) -> String {
    switch error {
    case .notFinite:
      let rows = InputProblem.rowsNotFinite(features)
      let shown = rows.prefix(3).map { names[$0] }.joined(separator: ", ")
      return rows.isEmpty
        ? "\(error)"
        : "NaN or infinity in the activations of \(shown)"
          + (rows.count > 3 ? " and \(rows.count - 3) more" : "")
    case .row(let measure, _, let problem):
      // The row is one of those that were fitted or scored: the features say which image it is.
      let lengths = features.to(.float64).norm(over: [1]).scalars(Double.self)
      guard let row = lengths.firstIndex(of: 0), names.indices.contains(row) else {
        return "\(error)"
      }
      return "\(measure): the features of \(names[row]) \(problem)"
    default: return "\(error)"
    }
  }

  private func cell(_ features: Tensor, isNative: Bool) throws -> Cell {
    guard features.isFinite() else { throw MeasureError.notFinite(measure: FewShotProbe.name) }
    let wide = features.to(.float64)
    let found = try analysis.shots.map { shots in
      try fits.leastSquares(wide.unsqueezed(0), shots: shots)[0]
    }
    let (votes, weighted) = try fits.neighbours(wide)
    var logistic: ProbeTally?
    if isNative, let penalty = analysis.options.logistic, let most = analysis.shots.last {
      logistic = try fits.logistic(wide, shots: most, penalty: penalty)
    }
    return Cell(found: found, votes: votes, weighted: weighted, logistic: logistic)
  }

  private func tokenCell(
    _ index: Int, _ entry: TokenEntry, _ view: ProbeViews, _ tick: (Double) throws -> Void
  ) throws -> TokenCell {
    let features = analysis.single.whole(index)
    guard features.isFinite(), let fits = tokenFits else {
      throw MeasureError.notFinite(measure: FewShotProbe.name)
    }
    let rows = features.shape[0]
    let tokens = features.reshaped(rows, entry.tokens, entry.width).permuted(1, 0, 2)
    var tallies: [ProbeTally] = []
    for start in stride(from: 0, to: entry.tokens, by: Self.batch) {
      try tick(Double(start) / Double(entry.tokens))
      let part = tokens.sliced(0, start, min(start + Self.batch, entry.tokens)).to(.float64)
      tallies += try fits.leastSquares(part, shots: analysis.tokenShots).map(\.tally)
    }
    let native =
      entry.hasClassToken
      ? tokens.sliced(0, 0, 1).to(.float64)
      : tokens.sliced(0, entry.others.count).to(.float64).mean(over: [0], keeping: true)
    return TokenCell(
      tallies: tallies,
      native: try fits.leastSquares(native, shots: analysis.tokenShots)[0].tally)
  }

  // MARK: - The result

  private func assembled(
    _ cells: [Int: Cell], _ tokenCells: [Int: TokenCell], _ refusals: [SimilarityResult.Refusal]
  ) -> ProbeResult {
    let options = analysis.options
    let classes = zip(
      analysis.split.classes, zip(classSizes(fits.bankLabels), classSizes(fits.testLabels))
    )
    .map { ProbeResult.Class(name: $0, training: $1.0, test: $1.1) }
    var result = ProbeResult(
      images: names.count, dtype: "float32", seed: options.seed, split: splitText,
      draws: options.draws, shots: analysis.shots, penalties: options.penalties,
      groups: fits.intervals.groups, classes: classes,
      models: analysis.views.indices.map { model(at: $0, cells, tokenCells) })
    result.tokenShots = tokenFits == nil ? 0 : analysis.tokenShots
    result.tokenTest = tokenFits?.test.count ?? 0
    result.all = analysis.training.map {
      ProbeResult.AllTraining(training: $0.seen.count, validation: $0.held.samples.count)
    }
    result.refusals = refusals
    result.switches = ProbeSwitches.list(options, result)
    result.findings = ProbeFindings(
      result: result, curves: analysis.views.indices.map { curves(at: $0, cells) },
      tokens: analysis.views.indices.map { model in
        analysis.tokens.indices.filter { analysis.tokens[$0].model == model }.compactMap { index in
          tokenCells[index].map { (analysis.tokens[index], $0) }
        }
      }, intervals: fits.intervals, tokenIntervals: tokenFits?.intervals)()
    return result
  }

  private func classSizes(_ labels: [Int]) -> [Int] {
    analysis.split.classes.indices.map { label in labels.count { $0 == label } }
  }

  private var splitText: String {
    switch analysis.options.source {
    case .share(let share):
      "by a hash of seed and image id, \(Int((100 * share).rounded())) % of each class for testing"
    case .folders: "by the folders train and test or val"
    case .ids(let ids): "by a list of \(ids.count) test images"
    }
  }

  /// The tallies of each site's native probe with the most shots, in order; nil where it has no value.
  private func curves(at model: Int, _ cells: [Int: Cell]) -> [String: [ProbeTally?]] {
    let view = analysis.views[model]
    var found: [String: [ProbeTally?]] = [:]
    func tally(_ site: Int, _ name: String?) -> ProbeTally? {
      let index = analysis.entries.firstIndex {
        $0.model == model && $0.site == site && $0.tokens == name
      }
      return index.flatMap { cells[$0]?.found.last?.tally }
    }
    for name in view.names { found[name] = view.sites.indices.map { tally($0, name) } }
    found[ProbeFindings.native] = view.native.enumerated().map { tally($0, $1) }
    return found
  }

  private func model(
    at model: Int, _ cells: [Int: Cell], _ tokenCells: [Int: TokenCell]
  ) -> ProbeResult.Model {
    let view = analysis.views[model]
    var made = ProbeResult.Model(
      name: view.subject.name, family: view.subject.family, design: view.subject.design.rawValue,
      objective: view.subject.objective.rawValue,
      hasClassToken: view.subject.readout == "class token",
      views: view.names.map { name in
        ProbeResult.View(
          tokens: name, label: view.label(name), isNative: view.isNative(name),
          sites: analysis.entries.indices.filter {
            analysis.entries[$0].model == model && analysis.entries[$0].tokens == name
          }.sorted { analysis.entries[$0].site < analysis.entries[$1].site }
            .map { site(analysis.entries[$0], cells[$0], view) })
      })
    made.maps = analysis.tokens.indices.filter { analysis.tokens[$0].model == model }
      .compactMap { index in
        tokenCells[index].map { map(analysis.tokens[index], $0, view) }
      }
    return made
  }

  private func site(_ entry: ProbeEntry, _ cell: Cell?, _ view: ProbeViews) -> ProbeResult.Site {
    let place = view.sites[entry.site]
    var site = ProbeResult.Site(
      name: place.name, stage: place.stage,
      depth: Depths.relative(entry.site, of: view.sites.count), features: entry.width,
      scores: cell?.found.map(score) ?? [])
    if let cell {
      site.votes = cell.votes.map {
        ProbeResult.Vote(count: $0.count, accuracy: fits.intervals.estimate($0.tally))
      }
      site.weighted = fits.intervals.estimate(cell.weighted)
      site.logistic = cell.logistic.map(fits.intervals.estimate) ?? IntervalEstimate(nil)
      site.all = cell.all.map { found in
        ProbeResult.Score(
          accuracy: fits.intervals.estimate(found.tally),
          shuffled: fits.intervals.estimate(found.shuffled),
          penalty: log2(analysis.options.penalties[found.penalty]),
          tuned: analysis.training?.tunes == true ? 1 : 0, byPenalty: found.byPenalty)
      }
    }
    return site
  }

  private func score(_ found: ProbeFits.Found) -> ProbeResult.Score {
    let logs = found.penalties.map { log2(analysis.options.penalties[$0]) }
    return ProbeResult.Score(
      accuracy: fits.intervals.estimate(found.tally),
      shuffled: fits.intervals.estimate(found.shuffled),
      penalty: logs.reduce(0, +) / Double(logs.count), tuned: found.tuned,
      byPenalty: found.byPenalty)
  }

  private func map(_ entry: TokenEntry, _ cell: TokenCell, _ view: ProbeViews) -> ProbeResult.Map {
    let intervals = tokenFits?.intervals ?? fits.intervals
    let accuracies = cell.tallies.map { $0.accuracy(.all, sizes: intervals.sizes) }
    let spatial = cell.tallies.dropFirst(entry.others.count)
    return ProbeResult.Map(
      site: view.sites[entry.site].name,
      depth: Depths.relative(entry.site, of: view.sites.count), rows: entry.rows,
      columns: entry.columns, isPooled: entry.isPooled,
      values: Array(accuracies.dropFirst(entry.others.count)),
      others: zip(entry.others, accuracies).map { ProbeResult.Token(name: $0, accuracy: $1) },
      mean: intervals.estimate { part in
        Statistics.mean(spatial.map { $0.accuracy(part, sizes: intervals.sizes) })
      }, native: intervals.estimate(cell.native))
  }
}
