import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// Checkpoints of one architecture on one axis, such as the share of the data, training steps, or before and after fine-tuning.
///
/// CKA of each site with the same site of a reference checkpoint, by minibatches, and of every two checkpoints; uniformity of
/// each.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, Figures 12 and G.1.
public final class CheckpointsAnalysis: StudyAnalysis {
  /// What its numbers depend on.
  public struct Options: Sendable, Hashable {
    /// The place of each checkpoint on the axis, in the order of the models; empty for their order alone.
    public var places: [Double] = []
    /// What the axis is.
    public var axis = ""
    /// What figures call the checkpoints, in the order of the models; empty for the models' names.
    public var names: [String] = []
    /// Index of the checkpoint that the others are held against; nil for the last.
    public var reference: Int?
    /// The estimator of each block's HSIC.
    public var estimator = Estimator.debiased
    /// The seed of the shuffled pairs.
    public var seed: UInt64 = 0

    /// The order of the models, against the last.
    public init() {}
  }

  /// `checkpoints`.
  public let name = "checkpoints"
  /// The same sites of every checkpoint.
  public let wanted: [Representation]
  private let options: Options
  private let blockSize: Int
  private let sites: ModelSites
  private let names: [String]
  private let reference: Int
  private let areTrained: Bool
  private let sums: MinibatchCKA

  /// An analysis of some checkpoints.
  ///
  /// - Parameters:
  ///   - wanted: representations of every checkpoint, those of one together in execution order.
  ///   - subjects: the checkpoints, in the order of the axis.
  ///   - images: how many there are.
  ///   - blockSize: the pass' images a block.
  ///   - options: axis, reference, estimator.
  /// - Throws: `AnalysisError.nothingAsked` where there are fewer than two checkpoints or their sites differ,
  ///   `AnalysisError.tooFewImages`.
  public init(
    _ wanted: [Representation], of subjects: [Subject], images: Int, blockSize: Int,
    options: Options = Options()
  ) throws {
    guard subjects.count > 1 else {
      throw AnalysisError.nothingAsked(
        "checkpoints: expected at least 2 checkpoints of one architecture, found \(subjects.count)")
    }
    guard images >= 4 else {
      throw AnalysisError.tooFewImages(needed: 4, found: images, where: "checkpoints")
    }
    guard options.places.isEmpty || options.places.count == subjects.count else {
      throw AnalysisError.nothingAsked(
        "checkpoints: expected \(subjects.count) places on the axis, one for each checkpoint, found \(options.places.count)"
      )
    }
    let reference = options.reference ?? subjects.count - 1
    guard subjects.indices.contains(reference) else {
      throw AnalysisError.nothingAsked(
        "checkpoints: the reference is number \(reference), of \(subjects.count)")
    }
    let first = subjects[reference]
    let own = wanted.filter { $0.model == first.name }
    for subject in subjects {
      let others = wanted.filter { $0.model == subject.name }
      if let (a, b) = zip(own, others).first(where: {
        $0.site.name != $1.site.name || $0.tokens != $1.tokens || $0.site.shape != $1.site.shape
      }) {
        throw AnalysisError.nothingAsked(
          "\(subject.name): expected the sites of \(first.name), such as \(a.site.name)#\(a.tokens) of shape \(a.site.shape), found \(b.site.name)#\(b.tokens) of shape \(b.site.shape); checkpoints are of one architecture"
        )
      }
      guard own.count == others.count else {
        throw AnalysisError.nothingAsked(
          "\(subject.name): expected the \(own.count) sites of \(first.name), found \(others.count); checkpoints are of one architecture"
        )
      }
    }
    // In the order of the subjects, each with the reference's sites.
    self.wanted = subjects.flatMap { subject in wanted.filter { $0.model == subject.name } }
    sites = ModelSites(
      name: first.name, family: first.family,
      sites: try own.enumerated().map { index, representation in
        ModelSites.Site(
          name: representation.site.name, tokens: representation.tokens.description,
          stage: representation.site.stage, depth: Depths.relative(index, of: own.count),
          features: try representation.tokens.width(
            at: representation.site, first.model.tokenLayout, imageSize: first.imageSize))
      })
    names = options.names.count == subjects.count ? options.names : subjects.map(\.name)
    (self.options, self.blockSize, self.reference) = (options, blockSize, reference)
    areTrained = subjects.allSatisfy { $0.objective != .untrained }
    var settings = MinibatchCKA.Options()
    (settings.estimator, settings.seed, settings.permutations) = (
      options.estimator, options.seed, 0
    )
    sums = MinibatchCKA(count: self.wanted.count, options: settings)
  }

  /// Estimator, block size and seed; axis and reference only read the sums.
  public var fingerprint: String {
    "1 \(options.estimator) seed \(options.seed) block \(blockSize)"
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
  public func add(_ index: Int, _ features: Tensor) throws { try sums.add(index, features) }

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
  public func result() throws -> CheckpointsResult {
    let matrix = try sums.result()
    let whole = CheckpointTable(matrix: matrix, depths: sites.sites.map(\.depth))
    let parts = matrix.leftOut.map {
      CheckpointTable(matrix: matrix.replacing($0), depths: whole.depths)
    }
    func estimate(_ number: (CheckpointTable) -> Double?) -> IntervalEstimate {
      IntervalEstimate(number(whole), leavingOut: parts.map(number))
    }
    let reference = reference
    let checkpoints = names.indices.map { index in
      let isReference = index == reference
      func held(_ number: @escaping (CheckpointTable) -> Double?) -> IntervalEstimate {
        isReference ? IntervalEstimate(nil) : estimate(number)
      }
      return CheckpointsResult.Checkpoint(
        name: names[index], place: options.places.isEmpty ? nil : options.places[index],
        toReference: sites.sites.indices.map { site in
          held { $0.value(index, reference, at: site) }
        },
        thirds: (0..<3).map { third in held { $0.third(third, index, reference) } },
        fall: held { $0.fall(index, reference) },
        uniformity: estimate { $0.numbers(index).uniformity },
        lowToHigh: estimate { $0.numbers(index).lowToHigh })
    }
    var result = CheckpointsResult(
      axis: options.axis, sites: sites, reference: reference, checkpoints: checkpoints,
      between: names.indices.map { a in names.indices.map { whole.mean(a, $0) } },
      estimator: options.estimator.rawValue, images: matrix.images, blockSize: blockSize,
      groups: matrix.standardErrors == nil ? 0 : matrix.groups, seed: options.seed,
      refusals: matrix.refusals.map {
        SimilarityResult.Refusal(address: wanted[$0.index].address, reason: $0.description)
      }, switches: switches, findings: [])
    result.findings =
      CheckpointFindings(
        names: names, places: options.places, reference: reference, whole: whole, parts: parts,
        areTrained: areTrained
      ).all
    return result
  }

  private var switches: [Switch] {
    [
      Switch("similarity", "CKA of the same block in two checkpoints", origin: "paper"),
      Switch(
        "sites",
        "\(sites.sites.count), \(Set(sites.sites.map(\.tokens)).sorted().joined(separator: ", "))"),
      Switch("reference", names[reference]),
      Switch("low and high", "first and last third of the depth"),
    ]
  }

  /// Writes `results/checkpoints.json`.
  ///
  /// - Parameter run: the folder.
  /// - Returns: a row each number.
  /// - Throws: `MeasureError.tooFew`, `ResultsError.unwritable`.
  public func write(into run: RunFolder) throws -> [TidyRow] {
    let result = try result()
    try run.write(result, analysis: name)
    return result.tidyRows()
  }
}
