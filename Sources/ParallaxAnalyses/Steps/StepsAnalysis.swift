import ParallaxImages
import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// How models process images step by step: how far apart they are at each stage, which steps differ most, how smoothly
/// each changes, and what each layer knows of low-level image statistics.
///
/// The pass gathers the features of all sites, and of the images themselves; everything is computed once it has ended.
/// Memory is 4 bytes an image and feature, twice, beside what the measures keep of each representation; both together are
/// refused above a limit, before the pass.
///
/// > Source: Mahaut and Baroni, 2026, arXiv 2601.21621; what the paper leaves open is our reconstruction, and the result
/// > names it.
public final class StepsAnalysis: Accumulator {
  /// How it is computed.
  public struct Options: Sendable {
    /// What drives it.
    public var measure: any Measure = InformationImbalance()
    /// Measures that the findings are asked of again.
    public var alternatives: [any Measure] = [InformationImbalance(neighbours: 5), CKA()]
    /// What is done to each layer's features first.
    public var preprocessing = FeaturePreprocessing()
    /// Whether the findings are asked once more of clipped features.
    public var clips = true
    /// How much is resampled.
    public var resampling = MeasureMatrix.Options()
    /// Whether linear probes are fitted.
    public var probes = true
    /// Bytes that the features, and what measures keep of them, may take.
    public var memoryLimit = 1 << 33

    /// The quantile of magnitudes that a layer is clipped at, as in the code of the Platonic Representation Hypothesis.
    static let clip = 0.95

    /// The information imbalance, 19 orders of shuffled images and 10 groups.
    public init() { resampling.permutations = 19 }
  }

  /// `steps`.
  public let name = "steps"
  /// Asked between parts of the computation; where it says yes, the run stops and what the pass has gathered stays.
  public var isInterrupted: () -> Bool = { false }
  /// Told what is computed and how much of it is done, from 0 to 1.
  public var progress: (_ part: String, _ share: Double) -> Void = { _, _ in }
  /// All sites of all models, model after model, then the images' own.
  public let wanted: [Representation]
  private let options: Options
  private let subjects: [Subject]
  private let leading: [Int]
  private let samples: [Sample]
  private let widths: [Int]
  private var gathered: GatheredFeatures

  /// An analysis of representations of some models.
  ///
  /// - Parameters:
  ///   - wanted: the representations that count as stages of processing; those of one model together, in execution
  ///     order.
  ///   - beginnings: those that come before them, such as the input and the stem; they are in the maps, not among the
  ///     steps.
  ///   - subjects: the models, in the order of the figures. Those whose objective is `untrained` are baselines beside the
  ///     others and take no part in pairs and findings; one called `NAME-random` is the twin of `NAME`.
  ///   - images: the data set.
  ///   - options: what drives it.
  /// - Throws: `AnalysisError.nothingAsked` where a model has fewer than two stages, `AnalysisError.tooFewImages`,
  ///   `MeasureError.memory`.
  public init(
    _ wanted: [Representation], beginnings: [Representation] = [], of subjects: [Subject],
    images: ImageSet, options: Options = Options()
  ) throws {
    let count = images.samples.count
    for measure in [options.measure] + options.alternatives where count < measure.fewestImages {
      throw AnalysisError.tooFewImages(
        needed: measure.fewestImages, found: count, where: measure.name)
    }
    let pictures = try Subject.pictures()
    var (all, leading, widths): ([Representation], [Int], [Int]) = ([], [], [])
    for subject in subjects {
      let own = wanted.filter { $0.model == subject.name }
      guard own.count > 1 else {
        throw AnalysisError.nothingAsked(
          "\(subject.name): steps lie between layers, and \(own.count == 1 ? "one site is" : "no sites are") asked for; "
            + "expected two or more")
      }
      let before = beginnings.filter { $0.model == subject.name && !own.contains($0) }
      leading.append(before.count)
      all += before + own
      widths += try (before + own).map {
        try $0.tokens.width(
          at: $0.site, subject.model.tokenLayout, imageSize: subject.imageSize)
      }
    }
    for site in pictures.sites where LowLevelSpaces.sites.contains(site.name) {
      all.append(Representation(model: pictures.name, site: site, tokens: .flat))
      widths.append(site.shape.reduce(1, *))
    }
    (self.wanted, self.leading, self.widths) = (all, leading, widths)
    (self.options, self.subjects) = (options, subjects)
    samples = images.samples
    gathered = GatheredFeatures(name, widths: widths)
    // The features, those of one order of shuffled images beside them, and clipped ones.
    let features = (options.clips ? 12 : 8) * count * widths.reduce(0, +)
    let sites = Array(widths.dropLast(LowLevelSpaces.sites.count))
    let summaries = MeasureMatrix.peak(
      ([options.measure] + options.alternatives).map(\.allowingTies), images: count,
      widths: sites + LowLevelSpaces.widths(widths.suffix(LowLevelSpaces.sites.count)),
      options: options.resampling)
    let needed = features + summaries.bytes
    guard needed <= options.memoryLimit else {
      throw MeasureError.memory(
        measure: summaries.bytes > features ? summaries.measures.joined(separator: ", ") : name,
        needed: needed, limit: options.memoryLimit)
    }
  }

  /// The measures, the resampling and the probes.
  public var fingerprint: String {
    let names = ([options.measure] + options.alternatives).map(\.name).joined(separator: " ")
    let how = options.resampling
    return
      "2 \(names) features \(options.preprocessing) clips \(options.clips) seed \(how.seed) groups \(how.groups) permutations \(how.permutations) probes \(options.probes) leading \(leading)"
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

  /// The features of all finished blocks.
  public func state() -> [(name: String, tensor: Tensor)] { gathered.state() }

  /// Goes on from the features of an interrupted run.
  ///
  /// - Returns: false where they are of other widths; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool { gathered.restore(state) }

  /// The result, once the pass has ended.
  ///
  /// - Throws: `AnalysisError.tooFewImages`, `AnalysisError.interrupted`.
  public func result() throws -> StepsResult {
    var gathered = gathered
    let copies = self.copies()
    gathered.keep(gathered.samples.indices.filter { copies[$0] == nil })
    let images = gathered.samples.count
    for measure in [options.measure] + options.alternatives where images < measure.fewestImages {
      throw AnalysisError.tooFewImages(
        needed: measure.fewestImages, found: images, where: measure.name)
    }
    let sites = wanted.count - LowLevelSpaces.sites.count
    let prepared = PreparedFeatures(
      gathered, options.preprocessing, ids: samples.map(\.id)
    ) { $0 < sites }
    let pictures = prepared.usable.filter { $0.index >= sites }
    let spaces = LowLevelSpaces(
      Dictionary(
        uniqueKeysWithValues: pictures.map { (wanted[$0.index].site.name, $0.features) }),
      dtype: prepared.dtype)
    let labels = gathered.samples.compactMap { samples[$0].label }
    let (all, places) = (models, places)
    let trained = subjects.indices.filter { !isBaseline($0) }
    let untrained = subjects.indices.filter(isBaseline)
    return try StepsComputation(
      models: trained.map { all[$0] }, places: trained.map { places[$0] },
      untrained: (untrained.map { all[$0] }, untrained.map { places[$0] }), prepared: prepared,
      spaces: spaces,
      labels: labels.count == images ? labels : nil, addresses: wanted.map(\.address),
      options: options,
      copies: copies.sorted { $0.key < $1.key }.map {
        (samples[self.gathered.samples[$0.key]].id, samples[self.gathered.samples[$0.value]].id)
      }, tick: tick
    ).result()
  }

  /// Whether a model is there for comparison: untrained, beside trained ones.
  private func isBaseline(_ model: Int) -> Bool {
    subjects[model].objective == .untrained
      && subjects.contains { $0.objective != .untrained }
  }

  /// Rows of images that a model cannot tell from an earlier row that stays, such as two pictures that differ outside the
  /// crop: they are neighbours at distance 0, and all models must look at the same images.
  private func copies() -> [Int: Int] {
    let firsts = places.compactMap(\.first)
    let rows = gathered.samples.indices
    // Of each representation, the first row that each row is equal to.
    let equal = firsts.map { index in
      var earlier = Array(rows)
      for group in InputProblem.equalRows(gathered.whole(index)) {
        for row in group { earlier[row] = group[0] }
      }
      return earlier
    }
    var kept = equal.map { _ in [Int: Int]() }
    var copies: [Int: Int] = [:]
    for row in rows {
      let earlier = equal.indices.lazy.compactMap { kept[$0][equal[$0][row]] }.first
      if let earlier {
        copies[row] = earlier
      } else {
        for place in equal.indices { kept[place][equal[place][row]] = row }
      }
    }
    return copies
  }

  private func tick(_ part: String, _ share: Double) throws {
    if isInterrupted() { throw AnalysisError.interrupted }
    progress(part, share)
  }

  /// Of each model the places of its sites.
  private var places: [[Int]] {
    subjects.map { subject in wanted.indices.filter { wanted[$0].model == subject.name } }
  }

  private var models: [StepsResult.Model] {
    zip(subjects, zip(places, leading)).map { subject, found in
      let (places, leading) = found
      let sites = places.enumerated().map { place, index in
        ModelSites.Site(
          name: wanted[index].site.name, tokens: wanted[index].tokens.description,
          stage: wanted[index].site.stage,
          depth: Depths.relative(max(0, place - leading), of: places.count - leading),
          features: widths[index])
      }
      return StepsResult.Model(
        sites: ModelSites(name: subject.name, family: subject.family, sites: sites),
        design: subject.design.rawValue, objective: subject.objective.rawValue, leading: leading)
    }
  }
}

extension StepsAnalysis: LongAnalysis {
  /// Writes `results/steps.json`.
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
