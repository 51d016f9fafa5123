import ParallaxImages
import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// How well the images' classes can be read off each layer: few-shot linear probes of class token, pooled tokens and single tokens,
/// with neighbours and logistic regression beside them.
///
/// The pass gathers features of the images that enter, decided beforehand by their ids (``ProbeSplit``); probes are fitted once it
/// has ended, all sites and penalties from one decomposition a fit. Memory is 4 bytes an image and feature, twice while a state is
/// saved; it is refused above a limit, before the pass.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, section 7; what the paper leaves open is our reconstruction, and the result names
/// > it.
public final class ProbeAnalysis: Accumulator {
  /// What drives the analysis.
  public struct Options: Sendable {
    /// Training images a class; nil for those of 1, 5, 10 and 25 that every class has.
    public var shots: [Int]?
    /// Draws of the shots.
    public var draws = 3
    /// Whether a probe is also fitted to all training images, from sums that do not grow with them.
    public var fitsAll = false
    /// λ.
    public var penalties = FewShotProbe.defaultPenalties
    /// Where the split comes from.
    public var source = ProbeSplit.Source.share(0.4)
    /// Images a class in the pool, at most.
    public var trainingLimit = 100
    /// Test images a class, at most.
    public var testLimit = 50
    /// Sites of each model whose tokens are probed one by one, evenly spread, the first and the last among them; 0 for none.
    public var tokenSites = 3
    /// Images a class in the pool of single tokens, at most.
    public var tokenTrainingLimit = 15
    /// Test images a class for single tokens, at most.
    public var tokenTestLimit = 10
    /// Whether maps are also cut into patches that are flattened.
    public var flattensPatches = false
    /// λ of logistic regression on standardised features; nil for none.
    public var logistic: Double? = 1
    /// Groups of test images that are left out in turn for intervals.
    public var groups = 10
    /// The seed of split and draws.
    public var seed: UInt64 = 0
    /// Bytes that features may take.
    public var memoryLimit = 1 << 33
    /// Whether single tokens are left alone where they do not fit into memory, and what refuses then names the analysis.
    public var adapts = false

    /// The paper's shots, three draws.
    public init() {}
  }

  /// `probe`.
  public let name = "probe"
  /// Asked between sites; where it says yes, the run stops and what the pass has gathered stays.
  public var isInterrupted: () -> Bool = { false }
  /// Told what is computed and how much of it is done, from 0 to 1.
  public var progress: (_ part: String, _ share: Double) -> Void = { _, _ in }
  let options: Options
  let subjects: [Subject]
  let views: [ProbeViews]
  let samples: [Sample]
  let split: ProbeSplit
  let shots: [Int]
  /// The split of single tokens, a part of the whole.
  let tokenSplit: ProbeSplit
  let tokenShots: Int
  let entries: [ProbeEntry]
  let tokens: [TokenEntry]
  /// Sites whose tokens lie on no grid.
  let withoutGrid: [SimilarityResult.Refusal]
  private let kept: Set<Int>
  private let keptForTokens: Set<Int>
  private(set) var pooled: GatheredFeatures
  private(set) var single: GatheredFeatures
  /// Sums of all training images; nil where they were not asked for.
  private(set) var training: ProbeTraining?
  private var rows: (pooled: [Int], single: [Int]) = ([], [])

  /// Class token, means, and what else suits each site.
  public let wanted: [Representation]
  /// Flattened patches, then the tokens of some sites.
  public let watched: [Watch]

  /// An analysis of representations of some models.
  ///
  /// - Parameters:
  ///   - wanted: the representations; those of one model together, in execution order. Where all of a model have the tokens that
  ///     suit their sites, the paper's other ways of pooling are added.
  ///   - subjects: the models, in the order of the figures.
  ///   - images: the data set, with classes.
  ///   - options: what drives it.
  /// - Throws: `AnalysisError.classes`, `AnalysisError.nothingAsked`, `ModelError.tokens`, `MeasureError.memory`.
  public init(
    _ wanted: [Representation], of subjects: [Subject], images: ImageSet,
    options: Options = Options()
  ) throws {
    let split = try ProbeSplit(
      images, options.source, seed: options.seed, trainingLimit: options.trainingLimit,
      testLimit: options.testLimit)
    let asked = options.shots.map { Set($0).sorted() }
    let shots = asked ?? [1, 5, 10, 25].filter { $0 <= split.mostShots }
    guard let fewest = shots.first, fewest > 0, options.draws > 0 else {
      throw AnalysisError.nothingAsked("probe: expected one shot and one draw at least")
    }
    try split.check(shots: shots)
    let views = try subjects.enumerated().map { index, subject in
      try ProbeViews(
        subject, index, wanted.filter { $0.model == subject.name },
        flattening: options.flattensPatches)
    }
    let all = views.flatMap(\.entries)
    // Those of the pass' representations are counted before what is watched.
    let entries = all.filter(\.isRepresentation) + all.filter { !$0.isRepresentation }
    let tokenSplit = split.limited(
      training: options.tokenTrainingLimit, test: options.tokenTestLimit)
    let tokenShots = min(10, tokenSplit.mostShots, shots.last ?? 1)
    var (tokens, withoutGrid): ([TokenEntry], [SimilarityResult.Refusal]) = ([], [])
    for (index, view) in views.enumerated() {
      for place in Self.spread(options.tokenSites, over: view.sites) {
        do throws(AnalysisError) {
          tokens.append(try TokenEntry(view, index, site: place))
        } catch {
          withoutGrid.append(
            SimilarityResult.Refusal(
              address: "\(view.subject.name)@\(view.sites[place].name)",
              reason: "no probes of single tokens: \(error)"))
        }
      }
    }
    let widths = entries.map(\.width)
    var whole: ProbeSplit?
    if options.fitsAll {
      whole = try ProbeSplit(
        images, options.source, seed: options.seed, trainingLimit: .max,
        testLimit: options.testLimit)
    }
    let ofAll =
      whole.map { ProbeTraining.memory($0, widths: widths, limit: options.testLimit) } ?? 0
    let few = Self.memory(split, entries, tokenSplit, tokens)
    let needed = (pooled: few.pooled + ofAll, all: few.all + ofAll)
    if options.adapts, needed.all > options.memoryLimit, needed.pooled <= options.memoryLimit {
      tokens = []
    } else if needed.all > options.memoryLimit {
      let error = MeasureError.memory(
        measure: name, needed: needed.all, limit: options.memoryLimit)
      guard !options.adapts else { throw AnalysisError.nothingAsked("\(error)") }
      throw error
    }
    (self.options, self.subjects, self.views, samples) = (options, subjects, views, images.samples)
    (self.split, self.shots, self.tokenSplit) = (split, shots, tokenSplit)
    (self.entries, self.tokens, self.withoutGrid) = (entries, tokens, withoutGrid)
    self.tokenShots = tokens.isEmpty ? 0 : tokenShots
    let ids = images.samples.map(\.id)
    training = whole.map {
      ProbeTraining($0, widths: widths, limit: options.testLimit, ids: ids)
    }
    (kept, keptForTokens) = (split.places, tokenSplit.places)
    self.wanted = entries.compactMap {
      if case .representation(let one) = $0.source { one } else { nil }
    }
    watched =
      entries.compactMap { if case .watch(let watch) = $0.source { watch } else { nil } }
      + tokens.map(\.watch)
    pooled = GatheredFeatures(name, widths: widths)
    single = GatheredFeatures(name, widths: tokens.map(\.watch.width))
  }

  /// So many places, evenly spread, the first and the last among them; one vector an image has no tokens.
  static func spread(_ count: Int, over sites: [Site]) -> [Int] {
    let places = sites.indices.filter {
      [.tokens, .patches, .map, .positions].contains(sites[$0].kind)
    }
    guard count > 1, places.count > count else {
      return count > 0 ? places.suffix(max(1, count)) : []
    }
    return (0..<count).map { places[($0 * (places.count - 1) + (count - 1) / 2) / (count - 1)] }
  }

  /// Bytes of features, twice, and of one representation in float64.
  private static func memory(
    _ split: ProbeSplit, _ entries: [ProbeEntry], _ tokenSplit: ProbeSplit, _ tokens: [TokenEntry]
  ) -> (pooled: Int, all: Int) {
    let (rows, fewer) = (split.places.count, tokenSplit.places.count)
    let pooled =
      8 * rows * (entries.reduce(0) { $0 + $1.width } + 3 * (entries.map(\.width).max() ?? 0))
    return (pooled, pooled + 8 * fewer * tokens.reduce(0) { $0 + $1.watch.width })
  }

  /// Split, shots, draws, penalties and sites.
  public var fingerprint: String {
    let own = entries.map { $0.address(subjects[$0.model], views[$0.model].sites) }
    let single = tokens.map { "\(subjects[$0.model].name)@\(views[$0.model].sites[$0.site].name)" }
    let places = [split, tokenSplit].map { split in
      split.places.sorted().map { samples[$0].id }.joined(separator: "\n")
    }.map { ContentHash.sha256($0) }
    return
      "1 images \(places)\(training.map { " \($0.fingerprint)" } ?? "") seed \(options.seed) entries \(own.joined(separator: " ")) tokens \(single.joined(separator: " "))"
  }

  /// Opens the block; of images that do not enter nothing is kept.
  public func begin(_ block: BlockHeading) {
    // Where all images are seen more than once, the first time counts.
    let seen = Set(pooled.samples)
    func chosen(_ kept: Set<Int>) -> [Int] {
      block.samples.indices.filter {
        kept.contains(block.samples[$0]) && !seen.contains(block.samples[$0])
      }
    }
    rows = (chosen(kept), chosen(keptForTokens))
    func heading(_ rows: [Int]) -> BlockHeading {
      BlockHeading(index: block.index, samples: rows.map { block.samples[$0] })
    }
    pooled.begin(heading(rows.pooled))
    training?.begin(block)
    single.begin(heading(rows.single))
  }

  /// Keeps features `[images, width]`.
  ///
  /// - Throws: `MeasureError.blockOrder` where no block is open, or features come twice.
  public func add(_ index: Int, _ features: Tensor) throws {
    let own = index - entries.count
    if own < 0 {
      try pooled.add(index, features.gathered(0, rows.pooled))
      try training?.add(index, features)
    } else {
      try single.add(own, features.gathered(0, rows.single))
    }
  }

  /// Closes the block.
  ///
  /// - Throws: `MeasureError.blockOrder` where a representation is missing.
  public func finish() throws {
    try pooled.finish()
    try training?.finish()
    try single.finish()
  }

  /// The features of all finished blocks.
  public func state() -> [(name: String, tensor: Tensor)] {
    pooled.state().map { ("pooled.\($0.name)", $0.tensor) }
      + single.state().map { ("single.\($0.name)", $0.tensor) }
      + (training?.state().map { ("all.\($0.name)", $0.tensor) } ?? [])
  }

  /// Goes on from the features of an interrupted run.
  ///
  /// - Returns: false where they are of other widths; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool {
    func part(_ prefix: String) -> [String: Tensor] {
      Dictionary(
        uniqueKeysWithValues: state.filter { $0.key.hasPrefix(prefix) }.map {
          (String($0.key.dropFirst(prefix.count)), $0.value)
        })
    }
    var (first, second) = (pooled, single)
    guard first.restore(part("pooled.")), second.restore(part("single.")) else { return false }
    if var sums = training {
      guard sums.restore(part("all.")) else { return false }
      training = sums
    }
    (pooled, single) = (first, second)
    return true
  }

  /// The result, once the pass has ended.
  ///
  /// - Throws: `AnalysisError.classes` where unreadable images leave a class with too few, `AnalysisError.interrupted`,
  ///   `TensorError.operation` where LAPACK does not converge.
  public func result() throws -> ProbeResult { try ProbeComputation(self).result() }
}

extension ProbeEntry {
  /// Whether the pass makes it.
  var isRepresentation: Bool { if case .representation = source { true } else { false } }
}

extension ProbeAnalysis: LongAnalysis {
  /// Writes `results/probe.json`.
  ///
  /// - Parameter run: the folder.
  /// - Returns: a row each number.
  /// - Throws: `ResultsError.unwritable`, and what `result` throws.
  public func write(into run: RunFolder) throws -> [TidyRow] {
    let result = try result()
    try run.write(result, analysis: name)
    return result.tidyRows()
  }
}
