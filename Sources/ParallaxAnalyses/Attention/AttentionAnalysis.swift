import ParallaxImages
import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// How far the heads of transformers look, layer by layer.
///
/// Patterns are reduced while a model runs: of a layer two numbers a head and image remain, never the pattern.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, section 4.
public final class AttentionAnalysis: Accumulator {
  /// What drives the analysis.
  public struct Options: Sendable {
    /// What becomes of the weight on class, register and distillation tokens.
    public var others = AttentionDistance.Others.dropped
    /// Whether entropies are computed beside distances.
    public var entropy = true
    /// Groups of images that are left out in turn for the findings' intervals.
    public var groups = 10
    /// Whether subsets of the first layer's heads are compared with early layers of convolutional networks, where there are
    /// any.
    public var subsets = true
    /// The run's seed, for the record.
    public var seed: UInt64 = 0
    /// Attention over images.
    public var maps = AttentionMaps.Options()

    /// The paper's way.
    public init() {}
  }

  /// A layer with attention.
  struct Layer {
    let subject: Int
    let site: Site
    let distance: AttentionDistance
    var heads: Int { site.shape[0] }
  }

  /// `attention`.
  public let name = "attention"
  /// Early layers of convolutional networks, which heads are compared with; patterns are watched and not kept.
  public var wanted: [Representation] { subsets.wanted }
  /// One for each layer with attention, then the outputs of first layers' heads that are compared.
  public let watched: [Watch]
  let options: Options
  let subjects: [Subject]
  let layers: [Layer]
  let samples: [Sample]
  /// Models that have no attention to look at, with the reasons.
  public let leftOut: [SimilarityResult.Refusal]
  private var gathered: GatheredFeatures
  private var subsets: HeadSubsets

  /// An analysis of the attention of some models.
  ///
  /// Models without attention are left out, and the result says so.
  ///
  /// - Parameters:
  ///   - subjects: the models, in the order of the figures.
  ///   - images: the data set.
  ///   - chosen: sites that somebody named: of their models only patterns at or under them are taken.
  ///   - options: what drives it.
  /// - Throws: `AnalysisError.nothingAsked` where no model has attention that can be read, or the patches of one do not
  ///   fill a grid.
  public init(
    of subjects: [Subject], images: ImageSet, among chosen: [Representation] = [],
    options: Options = Options()
  ) throws {
    var (kept, layers): ([Subject], [Layer]) = ([], [])
    var refusals: [SimilarityResult.Refusal] = []
    for subject in subjects {
      let own = chosen.filter { $0.model == subject.name }.map(\.site.name)
      let patterns = AttentionSites.patterns(of: subject, among: own)
      guard !patterns.isEmpty else {
        refusals.append(
          SimilarityResult.Refusal(
            address: subject.name, reason: AttentionSites.absence(subject, isChosen: !own.isEmpty)))
        continue
      }
      var known: [AttentionPlaces: AttentionDistance] = [:]
      for site in patterns {
        let places = try AttentionSites.places(of: site, subject)
        let distance =
          known[places]
          ?? AttentionDistance(
            places, options.others, hasEntropy: options.entropy, on: subject.device)
        known[places] = distance
        if layers.last?.subject != kept.count {
          let heads = patterns.map { $0.shape[0] }.max() ?? 0
          try options.maps.check(places, heads: heads, subject.name)
        }
        layers.append(Layer(subject: kept.count, site: site, distance: distance))
      }
      kept.append(subject)
    }
    guard !kept.isEmpty else {
      throw AnalysisError.nothingAsked(
        refusals.map { "\($0.address): \($0.reason)" }.joined(separator: "; "))
    }
    (self.subjects, self.layers, leftOut, self.options) = (kept, layers, refusals, options)
    samples = images.samples
    let subsets =
      options.subsets ? HeadSubsets(of: subjects, attending: kept, layers) : HeadSubsets()
    self.subsets = subsets
    let distances = layers.map { layer in
      Watch(
        model: kept[layer.subject].name, sites: [layer.site.name],
        width: layer.distance.width(heads: layer.heads)
      ) { layer.distance($0[0]).to(.cpu).to(.float64) }
    }
    watched = distances + subsets.watched
    gathered = GatheredFeatures(name, widths: distances.map(\.width))
  }

  /// What becomes of other tokens, whether there are entropies, and which layers there are.
  public var fingerprint: String {
    let names = layers.map { "\(subjects[$0.subject].name)@\($0.site.name)" }
    return
      "1 others \(options.others.rawValue) entropy \(options.entropy) layers \(names.joined(separator: " ")) subsets \(wanted.map(\.address).joined(separator: " "))"
  }

  /// Opens the block.
  public func begin(_ block: BlockHeading) {
    gathered.begin(block)
    subsets.begin()
  }

  /// Keeps the numbers of one layer, or what subsets of heads need of features `[images, width]`.
  ///
  /// - Throws: `MeasureError.blockOrder` where no block is open, or numbers come twice.
  public func add(_ index: Int, _ features: Tensor) throws {
    let layer = index - wanted.count
    if layer < 0 {
      subsets.add(layer: index, features)
    } else if layer < layers.count {
      try gathered.add(layer, features)
    } else {
      subsets.add(source: layer - layers.count, features)
    }
  }

  /// Closes the block.
  ///
  /// - Throws: `MeasureError.blockOrder` where a layer is missing.
  public func finish() throws {
    try gathered.finish()
    subsets.finish()
  }

  /// The numbers of all finished blocks.
  public func state() -> [(name: String, tensor: Tensor)] { gathered.state() + subsets.state() }

  /// Goes on from the numbers of an interrupted run.
  ///
  /// - Returns: false where they are of other widths; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool {
    let before = subsets
    guard subsets.restore(state) else { return false }
    guard gathered.restore(state) else {
      subsets = before
      return false
    }
    return true
  }

  /// The result, once the pass has ended; without maps.
  ///
  /// - Throws: `AnalysisError.tooFewImages` without images.
  public func result() throws -> AttentionResult {
    let images = gathered.samples.count
    guard images > 0 else {
      throw AnalysisError.tooFewImages(needed: 1, found: 0, where: "the attention distance")
    }
    var refusals = leftOut
    var tables: [AttentionTable] = []
    for (index, layer) in layers.enumerated() {
      let table = AttentionTable(
        gathered.whole(index), heads: layer.heads,
        groups: images < 2 * options.groups ? 0 : options.groups)
      if let place = table.firstUndefined {
        refusals.append(
          SimilarityResult.Refusal(
            address: "\(subjects[layer.subject].name)@\(layer.site.name)",
            reason:
              "its attention is not finite for image \(samples[gathered.samples[place]].id)"))
      }
      tables.append(table)
    }
    var result = AttentionResult(
      images: images, dtype: "float32", seed: options.seed, groups: tables.first?.groups ?? 0,
      others: options.others.rawValue, models: subjects.indices.map { model($0, tables) })
    result.refusals = refusals
    result.subsets = subsets.results(result.models, layers)
    result.switches = AttentionSwitches.list(options, result)
    result.findings = result.models.indices.flatMap { model in
      AttentionFindings(
        model: result.models[model],
        tables: layers.indices.filter { layers[$0].subject == model }.map { tables[$0] }
      )()
    }
    result.findings += subsets.findings(result.models, result.subsets)
    return result
  }

  private func model(_ index: Int, _ tables: [AttentionTable]) -> AttentionResult.Model {
    let subject = subjects[index]
    let own = layers.indices.filter { layers[$0].subject == index }
    return AttentionResult.Model(
      name: subject.name, family: subject.family, height: subject.imageSize.height,
      width: subject.imageSize.width,
      otherTokens: layers[own[0]].distance.places.isWindowed
        ? 0 : layers[own[0]].distance.places.windows[0].count { $0 == nil },
      layers: own.enumerated().map { place, layer in
        let (distance, places) = (layers[layer].distance, layers[layer].distance.places)
        return AttentionResult.Layer(
          site: layers[layer].site.name,
          depth: own.count > 1 ? Double(place) / Double(own.count - 1) : 0,
          windows: places.windows.count, rows: places.rows, columns: places.columns,
          step: places.step, uniformDistance: distance.uniformDistance,
          uniformEntropy: distance.uniformEntropy, heads: tables[layer].heads)
      })
  }
}

extension AttentionAnalysis: StudyAnalysis {
  /// Writes `results/attention.json`, and maps over images to `attention/`.
  ///
  /// - Parameter run: the folder.
  /// - Returns: rows for each head of each layer.
  /// - Throws: `ResultsError.unwritable`, and what `result` throws.
  public func write(into run: RunFolder) throws -> [TidyRow] {
    var result = try result()
    result.maps = try AttentionMaps(self, result, gathered.samples).maps()
    for map in result.maps { try run.write(map.picture, at: map.file) }
    try run.write(result, analysis: name)
    return result.tidyRows()
  }
}
