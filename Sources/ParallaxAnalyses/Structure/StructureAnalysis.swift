import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// The structure of representations: CKA between all sub-layers of some models, each with every number of its activation,
/// by minibatches, and what it says of uniformity, stages and correspondences.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, section 3 and Figures 1, 2 and B.1; Nguyen et al., 2021, arXiv 2010.15327
/// > (minibatch CKA).
public final class StructureAnalysis: StudyAnalysis {
  /// What its numbers depend on.
  public struct Options: Sendable, Hashable {
    /// Which sub-layers.
    public var layers = SubLayers.full
    /// The estimator of each block's HSIC.
    public var estimator = Estimator.debiased
    /// Times that the pass sees all images; recorded.
    public var passes = 1
    /// The seed of the shuffled pairs.
    public var seed: UInt64 = 0
    /// Bytes that one block of the largest activation may take.
    public var memoryLimit = 1 << 33

    /// All sub-layers, debiased, one pass.
    public init() {}
  }

  /// `structure`.
  public let name = "structure"
  /// The sub-layers that are sites.
  public let wanted: [Representation]
  /// Sums inside blocks.
  public let watched: [Watch]
  /// A block of activations at a time: two batches of all sub-layers would not fit.
  public let wantsWholeBlocks = true
  private let options: Options
  private let blockSize: Int
  private let layers: [[SubLayer]]
  private let models: [ModelSites]
  private let designs: [Design]
  /// From what `add` counts to the row of the matrix.
  private let rows: [Int]
  private let sums: MinibatchCKA

  /// An analysis of some models.
  ///
  /// - Parameters:
  ///   - subjects: the models, in the order of the figures.
  ///   - images: how many there are.
  ///   - blockSize: the pass' images a block.
  ///   - options: which sub-layers, and how CKA is estimated.
  /// - Throws: `AnalysisError.nothingAsked` where a model has fewer than four sub-layers, `AnalysisError.tooFewImages`,
  ///   `MeasureError.memory` where a block of the largest activation does not fit.
  public init(
    of subjects: [Subject], images: Int, blockSize: Int, options: Options = Options()
  ) throws {
    guard images >= 4 else {
      throw AnalysisError.tooFewImages(needed: 4, found: images, where: "structure")
    }
    var (wanted, watched): ([Representation], [Watch]) = ([], [])
    var (ofWanted, ofWatched): ([Int], [Int]) = ([], [])
    var (layers, models): ([[SubLayer]], [ModelSites]) = ([], [])
    var row = 0
    for subject in subjects {
      let own = options.layers(of: subject)
      guard own.count >= 4 else {
        throw AnalysisError.nothingAsked(
          "\(subject.name): expected at least 4 sub-layers in blocks, found \(own.count); an imported graph shows them under timm's names of modules"
        )
      }
      for layer in own {
        switch layer.source {
        case .site(let site):
          wanted.append(Representation(model: subject.name, site: site, tokens: .flat))
          ofWanted.append(row)
        case .sum(let sum):
          watched.append(
            Watch(model: subject.name, sites: [sum.skip, sum.branch], width: layer.width) {
              values in
              values.dropFirst().reduce(values[0], +).reshaped(values[0].shape[0], -1)
            })
          ofWatched.append(row)
        }
        row += 1
      }
      layers.append(own)
      models.append(
        ModelSites(
          name: subject.name, family: subject.family,
          sites: own.enumerated().map { index, layer in
            ModelSites.Site(
              name: layer.name, tokens: "flat", stage: layer.stage,
              depth: Depths.relative(index, of: own.count), features: layer.width)
          }))
    }
    let widest = layers.joined().map(\.width).max() ?? 0
    let needed = 4 * 4 * widest * min(blockSize, images)
    guard needed <= options.memoryLimit else {
      throw MeasureError.memory(
        measure: "structure, blocks of \(blockSize) images", needed: needed,
        limit: options.memoryLimit)
    }
    (self.wanted, self.watched) = (wanted, watched)
    (self.layers, self.models, self.options) = (layers, models, options)
    self.blockSize = blockSize
    designs = subjects.map(\.design)
    rows = ofWanted + ofWatched
    var settings = MinibatchCKA.Options()
    (settings.estimator, settings.seed) = (options.estimator, options.seed)
    settings.permutations = max(1, min(20, 200_000 / max(1, row * row)))
    sums = MinibatchCKA(count: row, options: settings)
  }

  /// Sub-layers, estimator, seed and block size.
  public var fingerprint: String {
    "1 \(options.layers) \(options.estimator) passes \(options.passes) seed \(options.seed) block \(blockSize)"
  }

  /// Opens the block in the sums.
  ///
  /// - Throws: `MeasureError.blockOrder`.
  public func begin(_ block: BlockHeading) throws {
    try sums.begin(block: block.index, images: block.samples.count)
  }

  /// Turns features into their part of the sums.
  ///
  /// - Throws: `MeasureError.shape`, `MeasureError.blockOrder`.
  public func add(_ index: Int, _ features: Tensor) throws {
    try sums.add(rows[index], features)
  }

  /// Adds what all pairs of the block give.
  ///
  /// - Throws: `MeasureError.blockOrder`.
  public func finish() throws { try sums.finish() }

  /// The sums of all finished blocks.
  public func state() -> [(name: String, tensor: Tensor)] { sums.state() }

  /// Goes on from the sums of an interrupted run.
  ///
  /// - Returns: false where they were made with other options.
  public func restore(_ state: [String: Tensor]) -> Bool { sums.restore(state) }

  /// The result, once the pass has ended.
  ///
  /// - Throws: `MeasureError.tooFew`.
  public func result() throws -> StructureResult {
    let matrix = try sums.result().seen(options.passes)
    let table = SimilarityTable(
      models: models, addresses: models.flatMap { model in model.sites.indices.map(model.address) },
      reason: "every number of an activation", blockSize: blockSize,
      estimator: options.estimator, seed: options.seed)
    var whole = table.result(matrix)
    if options.passes > 1 {
      whole.errorMethod = whole.errorMethod.map {
        "\($0), times the root of the \(options.passes) passes, which share their images"
      }
    }
    let parts = matrix.leftOut.map { table.result(matrix.replacing($0)) }
    var result = StructureResult(
      similarity: whole, layers: options.layers.rawValue, passes: options.passes,
      models: models.indices.map { numbers(of: $0, whole, parts) },
      correspondences: models.indices.flatMap { a in
        models.indices.filter { $0 != a }.map { correspondence(a, $0, whole, parts) }
      },
      switches: switches, findings: [])
    func view(_ part: SimilarityResult) -> StructureFindings.View {
      StructureFindings.View(result: part, numbers: models.indices.map { structure($0, part) })
    }
    // Means over what is left of a model would be of other layers than its own.
    let partial = models.indices.filter { index in
      structure(index, whole).values.enumerated().contains { $1[$0] == nil }
    }
    if !partial.isEmpty {
      result.switches.append(
        Switch(
          "findings",
          "without \(partial.map { models[$0].name }.joined(separator: ", ")), where sub-layers have no values"
        ))
    }
    func complete(_ design: Design) -> [Int] {
      models.indices.filter { designs[$0] == design && !partial.contains($0) }
    }
    result.findings =
      StructureFindings(
        models: models, transformers: complete(.transformer),
        convolutional: complete(.convolutional),
        cuts: result.models.map(\.cutAt), whole: view(whole), parts: parts.map(view)
      ).all
    return result
  }

  /// The tables of the numbers of one model.
  private func structure(_ index: Int, _ result: SimilarityResult) -> StructureNumbers {
    StructureNumbers(
      values: result.matrix(index, index)?.values ?? [], depths: models[index].sites.map(\.depth),
      kinds: layers[index].map(\.kind), units: layers[index].map(\.unit),
      stages: layers[index].map(\.stage))
  }

  private func numbers(
    of index: Int, _ whole: SimilarityResult, _ parts: [SimilarityResult]
  ) -> StructureResult.Model {
    let all = structure(index, whole)
    let left = parts.map { structure(index, $0) }
    func estimate(_ number: (StructureNumbers) -> Double?) -> IntervalEstimate {
      IntervalEstimate(number(all), leavingOut: left.map(number))
    }
    let place = all.bestCut
    return StructureResult.Model(
      design: designs[index].rawValue, kinds: all.kinds, units: all.units,
      uniformity: estimate(\.uniformity),
      lowToHigh: estimate(\.lowToHigh), grid: estimate(\.grid),
      cut: place.map { place in estimate { $0.cut(before: place) } } ?? IntervalEstimate(nil),
      cutAt: place, edges: all.edges, stageEdges: estimate(\.stageEdges))
  }

  private func correspondence(
    _ a: Int, _ b: Int, _ whole: SimilarityResult, _ parts: [SimilarityResult]
  ) -> StructureResult.Correspondence {
    let all = whole.matching(a, b)
    let left = parts.map { $0.matching(a, b) }
    func estimate(
      _ number: (SimilarityResult.Matching) -> Double?, isStepped: Bool = false
    ) -> IntervalEstimate {
      IntervalEstimate(number(all), leavingOut: left.map(number), isStepped: isStepped)
    }
    return StructureResult.Correspondence(
      a: a, b: b, monotonicity: estimate(\.monotonicity),
      partnerDepths: (0..<3).map { third in estimate({ $0.partnerDepths[third] }, isStepped: true)
      },
      strengths: (0..<3).map { third in estimate { $0.strengths[third] } },
      half: estimate(\.half, isStepped: true))
  }

  private var switches: [Switch] {
    [
      Switch(
        "similarity", "minibatch CKA, unbiased HSIC, three sums then one ratio", origin: "paper"),
      Switch("features", "every number of an activation", origin: "paper"),
      Switch(
        "sub-layers",
        options.layers == .full
          ? "norms, attention, sums, hidden activations, convolutions, outputs"
          : "attention, sums, perceptrons, convolutions, outputs"),
      Switch(
        "images a block", "\(blockSize)", origin: blockSize == 1024 ? "paper" : "reconstruction"),
      Switch(
        "passes", "\(options.passes)", origin: options.passes == 20 ? "paper" : "reconstruction"),
      Switch("numbers of structure", "means of cells, best cut, edges, partners, path"),
    ]
  }

  /// Writes `results/structure.json`.
  ///
  /// - Parameter run: the folder.
  /// - Returns: a row each pair of sub-layers and each number.
  /// - Throws: `MeasureError.tooFew`, `ResultsError.unwritable`.
  public func write(into run: RunFolder) throws -> [TidyRow] {
    let result = try result()
    try run.write(result, analysis: name)
    return result.tidyRows()
  }
}
