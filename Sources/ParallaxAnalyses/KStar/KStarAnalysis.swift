import ParallaxImages
import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// How latent spaces hold concepts: k\* of every image in the representations of some models, and what follows of it.
///
/// The pass gathers features; distances are made once it has ended, a block of rows at a time. Memory is 4 bytes an image and
/// feature, twice while a state is saved; it is refused above a limit, before the pass.
///
/// > Source: Kotyan et al., 2023, arXiv 2312.04024, and 2024, arXiv 2408.09065.
public final class KStarAnalysis: Accumulator {
  /// What drives the analysis.
  public struct Options: Sendable {
    /// What is near; a matrix of distances cannot be had of models.
    public var metric = KStar.Metric.euclidean
    /// Who comes first of equally far images.
    public var ties = KStar.Ties.index
    /// Whether 0 and 1 join the values of a concept.
    public var anchoring = ConceptStatistics.Anchoring.none
    /// Resamples of the intervals; 0 for none.
    public var resamples = 500
    /// k of votes, hits and hubs.
    public var neighbours = 10
    /// Representations of each model whose sites nobody chose, evenly spread, the first and the last among them.
    public var spaces = 6
    /// Images on a map, at most.
    public var mapLimit = 1000
    /// Neighbours of an image that a map knows, at most.
    public var chainLimit = 12
    /// Which maps are drawn.
    public var maps = Maps.auto
    /// Of t-SNE: about how many neighbours an image has, above 1.
    public var perplexity = 30.0
    /// Which spaces have a map.
    public var mapped = MappedSites.last
    /// What becomes of each class; nil for the classes themselves.
    public var superclasses: [String: String]?
    /// What is done to the images; every model is looked at once more for each.
    public var corruptions: [Corruption] = []
    /// What somebody else measured of the models, and what it is called; nil for nothing.
    public var accuracies: (name: String, ofModels: [String: Double])?
    /// The files that options came from, for the provenance.
    public var sources: [Provenance.Source] = []
    /// The seed of intervals and noise.
    public var seed: UInt64 = 0
    /// Bytes that features may take.
    public var memoryLimit = 1 << 33
    /// Whether what refuses for memory names the analysis, for a study that goes on without it.
    public var adapts = false

    /// The authors' distance, ties by index.
    public init() {}
  }

  /// `kstar`.
  public let name = "kstar"
  /// Asked between blocks of distances; where it says yes, the run stops and what the pass has gathered stays.
  public var isInterrupted: () -> Bool = { false }
  /// Told what is computed and how much of it is done, from 0 to 1.
  public var progress: (_ part: String, _ share: Double) -> Void = { _, _ in }
  /// The representations.
  public let wanted: [Representation]
  /// The models once more for each corruption.
  public let companions: [Subject]
  private let options: Options
  /// Places among the sites of each model that have a map.
  private let mapped: [String: Set<Int>]
  /// Of each subject whose name is a companion's: the model that it is, and what is done to its images.
  private let corrupted: [String: (model: String, corruption: Corruption)]
  private let subjects: [Subject]
  private let samples: [Sample]
  private let concepts: Concepts
  private let depths: [Double]
  private var gathered: GatheredFeatures
  /// Images that the queries are counted among, with the features of each representation.
  private let bank: KStarBank?

  /// An analysis of representations of some models.
  ///
  /// - Parameters:
  ///   - wanted: the representations; those of one model together, in execution order.
  ///   - subjects: the models, in the order of the figures.
  ///   - images: the data set, with classes.
  ///   - named: those of the sites that somebody chose; of a model without one some are taken, evenly spread, and its last site.
  ///   - bank: images with the features of the same representations, in which these are counted; nil to count them among
  ///     themselves.
  ///   - options: how.
  /// - Throws: `AnalysisError.classes`, `AnalysisError.nothingAsked`, `ModelError.tokens`, `MeasureError.memory`.
  public init(
    _ wanted: [Representation], of subjects: [Subject], images: ImageSet,
    among named: [Representation] = [], bank: KStarBank? = nil, options: Options = Options()
  ) throws {
    guard options.metric != .precomputed else {
      throw AnalysisError.nothingAsked("k*: of models there is no matrix of distances")
    }
    let concepts = try Concepts(of: images.samples, superclasses: options.superclasses)
    if let bank {
      try bank.check(concepts)
    } else {
      try concepts.check(images.path)
    }
    let chosen = Self.chosen(wanted, subjects, among: named, options.spaces)
    guard !chosen.isEmpty else { throw AnalysisError.nothingAsked("k*: no site is asked for") }
    if let known = options.accuracies?.ofModels,
      let lone = known.keys.sorted().first(where: { name in
        !subjects.contains { $0.name == name }
      })
    {
      throw AnalysisError.nothingAsked(
        "k*: there is an accuracy of '\(lone)', expected models among \(subjects.map(\.name).joined(separator: ", "))"
      )
    }
    var options = options
    let maps = try options.settleMaps(
      subjects.map { subject in chosen.filter { $0.model == subject.name }.map(\.site.name) })
    mapped = Dictionary(
      zip(subjects.map(\.name), maps), uniquingKeysWith: { first, _ in first })
    var companions: [Subject] = []
    var corrupted: [String: (model: String, corruption: Corruption)] = [:]
    var (all, wantedOfAll) = ([Subject](), [Representation]())
    for subject in subjects {
      let own = chosen.filter { $0.model == subject.name }
      all.append(subject)
      wantedOfAll += own
      for corruption in options.corruptions {
        let name = subject.name + corruption.suffix
        let side = min(subject.imageSize.height, subject.imageSize.width)
        guard side >= corruption.leastSide else {
          throw AnalysisError.imageSize(
            model: subject.name,
            problem:
              "\(corruption) needs images of at least \(corruption.leastSide) pixels a side, found \(side)"
          )
        }
        let model = CorruptedInputs(
          model: subject.model, corruption: corruption, mean: subject.preprocessing.mean,
          std: subject.preprocessing.std, seed: options.seed)
        let companion = subject.changed(to: name, model, "\(corruption) seed \(options.seed)")
        all.append(companion)
        companions.append(companion)
        corrupted[name] = (subject.name, corruption)
        wantedOfAll += own.map { Representation(model: name, site: $0.site, tokens: $0.tokens) }
      }
    }
    (self.wanted, self.options, self.subjects) = (wantedOfAll, options, all)
    (self.companions, self.corrupted) = (companions, corrupted)
    (samples, self.concepts, self.bank) = (images.samples, concepts, bank)
    var (widths, depths): ([Int], [Double]) = ([], [])
    for one in wantedOfAll {
      guard let subject = all.first(where: { $0.name == one.model }) else {
        throw AnalysisError.nothingAsked("k*: no model is called \(one.model)")
      }
      widths.append(
        try one.tokens.width(
          at: one.site, subject.model.tokenLayout, imageSize: subject.imageSize))
      let place = subject.sites.firstIndex { $0.name == one.site.name } ?? 0
      depths.append(Depths.relative(place, of: subject.sites.count))
    }
    self.depths = depths
    try Self.check(
      images: images.samples.count, widths, bank: bank?.count ?? 0, bank?.widths ?? [], options)
    gathered = GatheredFeatures(name, widths: widths)
  }

  /// Whether the features of all representations fit: each once, twice while a state is saved, the widest once more.
  ///
  /// - Throws: `MeasureError.memory`; `AnalysisError.nothingAsked` for a study that goes on without.
  static func check(
    images: Int, _ widths: [Int], bank: Int, _ ofBank: [Int], _ options: Options
  ) throws {
    func bytes(_ images: Int, _ widths: [Int]) -> Int {
      8 * images * (widths.reduce(0, +) + 2 * (widths.max() ?? 0))
    }
    let needed = bytes(images, widths) + bytes(bank, ofBank)
    guard needed > options.memoryLimit else { return }
    let error = MeasureError.memory(measure: "k*", needed: needed, limit: options.memoryLimit)
    guard !options.adapts else { throw AnalysisError.nothingAsked("\(error)") }
    throw error
  }

  /// Of each model what somebody chose; else some of its blocks, evenly spread, and its last site.
  ///
  /// - Parameters:
  ///   - wanted: the representations; those of one model together, in execution order.
  ///   - subjects: the models.
  ///   - named: those of the sites that somebody chose.
  ///   - count: how many of the others.
  /// - Returns: them in execution order.
  public static func chosen(
    _ wanted: [Representation], _ subjects: [Subject], among named: [Representation], _ count: Int
  ) -> [Representation] {
    let explicit = Set(named.map(\.model))
    return subjects.flatMap { subject -> [Representation] in
      let own = wanted.filter { $0.model == subject.name }
      if explicit.contains(subject.name) { return own }
      // Of one the last.
      let spread =
        own.count <= count
        ? own
        : count < 2
          ? Array(own.suffix(count))
          : (0..<count).map { own[$0 * (own.count - 1) / (count - 1)] }
      guard let last = subject.sites.last(where: { $0.kind == .vector }),
        !spread.contains(where: { $0.site.name == last.name })
      else { return spread }
      let tokens = Tokens.byDefault(at: last, subject.model.tokenLayout)
      return spread + [Representation(model: subject.name, site: last, tokens: tokens)]
    }
  }

  /// Everything that the gathered features depend on.
  public var fingerprint: String {
    "1 \(wanted.map(\.address).joined(separator: " ")) bank \(bank?.fingerprint ?? "none")"
  }

  /// Opens a block.
  public func begin(_ block: BlockHeading) {
    // Where all images are seen more than once, the first time counts.
    gathered.begin(block)
  }

  /// Keeps features `[images, width]`.
  ///
  /// - Throws: `MeasureError.blockOrder` where no block is open, or features come twice.
  public func add(_ index: Int, _ features: Tensor) throws { try gathered.add(index, features) }

  /// Closes the block.
  ///
  /// - Throws: `MeasureError.blockOrder` where a representation is missing.
  public func finish() throws { try gathered.finish() }

  /// The features of all finished blocks.
  public func state() -> [(name: String, tensor: Tensor)] { gathered.state() }

  /// Goes on from the features of an interrupted run.
  ///
  /// - Returns: false where they are of other widths; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool { gathered.restore(state) }

  /// The result, once the pass has ended.
  ///
  /// - Throws: `AnalysisError.classes` where unreadable images leave too few, `AnalysisError.interrupted`.
  public func result() throws -> KStarResult {
    // In the order of the data set, whatever the order of the pass; of an image seen more than once the first time.
    var rows: [Int: Int] = [:]
    for (row, place) in gathered.samples.enumerated() where rows[place] == nil {
      rows[place] = row
    }
    let read = rows.keys.sorted()
    let places = bank?.known(concepts, read) ?? read
    guard !places.isEmpty || bank == nil else {
      throw AnalysisError.classes(
        "k*: the bank has no image of a class of the images that could be read")
    }
    let order = places.map { rows[$0] ?? 0 }
    let own = bank?.shared(concepts, places) ?? concepts.keeping(places)
    if bank == nil { try own.check("the images that could be read") }
    let names = places.map { samples[$0].id }
    var result = KStarResult(
      distance: options.metric.rawValue, ties: options.ties.rawValue,
      anchoring: options.anchoring.rawValue, resamples: options.resamples, seed: options.seed,
      images: names, labels: own.labels, classes: own.classes, bank: bank?.count)
    if places.count < read.count {
      let kept = Set(places)
      result.outside = read.filter { !kept.contains($0) }.map {
        KStarResult.Outside(
          image: samples[$0].id, className: concepts.classes[concepts.labels[$0]])
      }
    }
    result.accuracyName = options.accuracies?.name
    result.accuracies = options.accuracies?.ofModels
    var changes = KStarChanges()
    for subject in subjects {
      var spaces: [KStarResult.Space] = []
      let sites = wanted.indices.filter { wanted[$0].model == subject.name }
      for (turn, index) in sites.enumerated() {
        guard !isInterrupted() else { throw AnalysisError.interrupted }
        var maker = KStarSpaces(options: options, concepts: own, names: names)
        maker.bank = bank.map {
          (
            $0.features(wanted[index], original: corrupted[subject.name]?.model),
            $0.labels(among: own), $0.ids
          )
        }
        maker.progress = { [isInterrupted, progress, wanted] share in
          guard !isInterrupted() else { throw AnalysisError.interrupted }
          progress("k*", (Double(index) + 0.99 * share) / Double(wanted.count))
        }
        do {
          let (space, statistics) = try maker.space(
            gathered.whole(index).gathered(0, order), site: wanted[index].site.name,
            tokens: wanted[index].tokens.description, stage: wanted[index].site.stage,
            depth: depths[index],
            hasMap: mapped[subject.name]?.contains(turn) == true)
          spaces.append(space)
          changes.add(space, statistics, of: subject.name)
        } catch let error as SpaceRefused {
          result.refusals.append(
            SimilarityResult.Refusal(address: wanted[index].address, reason: error.reason))
        }
      }
      if !spaces.isEmpty {
        var model = KStarResult.Model(
          name: subject.name, family: subject.family, spaces: spaces)
        model.original = corrupted[subject.name]?.model
        model.corruption = corrupted[subject.name]?.corruption.description
        result.models.append(model)
      }
    }
    progress("k*", 1)
    result.changes = changes.found(in: result)
    result.complete(options)
    return result
  }
}

extension KStarAnalysis: LongAnalysis {
  /// Writes `results/kstar.json`.
  ///
  /// - Parameter run: the folder.
  /// - Returns: a row each number.
  /// - Throws: `ResultsError.unwritable`, and what `result` throws.
  public func write(into run: RunFolder) throws -> [TidyRow] {
    let result = try result()
    try run.write(result, analysis: name)
    bank?.forget()
    return result.tidyRows()
  }

  /// The bank, and the files that options came from.
  public var sources: [Provenance.Source] { (bank.map { [$0.source] } ?? []) + options.sources }
}
