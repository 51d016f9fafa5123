import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// Measures of the catalog between all pairs of sites of all models, over the whole set of images.
///
/// Two routes give the same quantities:
///
/// - the pass gathers the **features**, and the measures are computed once it has ended. The memory is 4 bytes for each image
///   and feature, and as many again while images are shuffled, beside what the measures keep of each representation
///   (`MeasureMatrix/peak(_:images:widths:options:)`);
/// - the pass accumulates second **moments** (`MomentSums`), which is enough for a `MomentMeasure`. The memory does not
///   grow with the number of images.
///
/// Of both the one that takes less memory is taken, unless one is asked for; in one run some measures may go one way and
/// some the other, in one pass. What would not fit below a limit is refused before the pass.
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
  /// Why the measures go the way that they go, in a sentence without a full stop.
  public var routeReason: String { routes.reason }
  /// Whether second moments are accumulated, for some of the measures at least.
  public var streams: Bool { routes.fromMoments.contains(true) }
  let measures: [any Measure]
  let routes: MeasureRoutes
  let preprocessing: FeaturePreprocessing
  /// The images' names by their places in the data set.
  let ids: [String]
  let subjects: [Subject]
  let widths: [Int]
  private(set) var gathered: GatheredFeatures?
  private(set) var moments: GatheredMoments?

  /// An analysis of representations of some models.
  ///
  /// - Parameters:
  ///   - measures: in the order of the report.
  ///   - wanted: the representations; those of one model together, in execution order.
  ///   - subjects: the models, in the order of the figures.
  ///   - images: how many there are.
  ///   - route: features, moments, or whichever takes less memory.
  ///   - options: how much is resampled.
  ///   - isFlexible: whether fewer groups and orders will do where moments of so many do not fit.
  ///   - preprocessing: what is done to each representation first.
  ///   - ids: the images' names by their places in the data set, for what is said of them; without them they are counted.
  ///   - memoryLimit: bytes that features or moments and the measures' summaries may take together; 8 GiB without it.
  /// - Throws: `AnalysisError.nothingAsked` without representations or measures, or where moments are asked for and cannot
  ///   be had; `AnalysisError.tooFewImages` where a measure needs more, `MeasureError.memory`.
  public init(
    _ measures: [any Measure], _ wanted: [Representation], of subjects: [Subject], images: Int,
    route: MeasureRoute = .automatic, options: MeasureMatrix.Options = MeasureMatrix.Options(),
    isFlexible: Bool = false, preprocessing: FeaturePreprocessing = FeaturePreprocessing(),
    ids: [String] = [], memoryLimit: Int = 1 << 33
  ) throws {
    guard !wanted.isEmpty, !measures.isEmpty else {
      throw AnalysisError.nothingAsked("no representations to compare, or no measure")
    }
    for measure in measures where images < measure.fewestImages {
      throw AnalysisError.tooFewImages(
        needed: measure.fewestImages, found: images, where: measure.name)
    }
    (self.measures, self.wanted, self.subjects) = (measures, wanted, subjects)
    (self.preprocessing, self.ids) = (preprocessing, ids)
    let known = Dictionary(subjects.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    widths = try wanted.map { representation in
      guard let subject = known[representation.model] else {
        throw AnalysisError.nothingAsked("\(representation.address): there is no such model")
      }
      return try representation.tokens.width(
        at: representation.site, subject.model.tokenLayout, imageSize: subject.imageSize)
    }
    routes = try MeasureRoutes(
      MeasureRoutes.Question(
        measures: measures, widths: widths, images: images, route: route, options: options,
        isFlexible: isFlexible, preprocessing: preprocessing, memoryLimit: memoryLimit))
    if routes.fromMoments.contains(false) { gathered = GatheredFeatures(name, widths: widths) }
    if routes.fromMoments.contains(true) {
      let streaming = zip(measures, routes.fromMoments).filter(\.1).map(\.0)
      moments = GatheredMoments(
        try MomentSums(
          widths: widths, images: images,
          options: MeasureRoutes.sums(streaming, routes.options, images: images)), preprocessing)
    }
  }

  /// The measures, the routes and the resampling.
  public var fingerprint: String {
    let options = routes.options
    let all =
      "2 \(measures.map(\.name).joined(separator: " ")) seed \(options.seed) groups \(options.groups) permutations \(options.permutations) features \(preprocessing)"
    return moments == nil
      ? all : "\(all) moments \(routes.fromMoments.map { $0 ? "1" : "0" }.joined())"
  }

  /// Opens the block.
  ///
  /// - Throws: `MeasureError.blockOrder`.
  public func begin(_ block: BlockHeading) throws {
    gathered?.begin(block)
    try moments?.begin(block)
  }

  /// Keeps features `[images, width]`, or what they add to the moments.
  ///
  /// - Throws: `MeasureError.blockOrder` where no block is open, or features come twice.
  public func add(_ index: Int, _ features: Tensor) throws {
    try gathered?.add(index, features)
    try moments?.add(index, features)
  }

  /// Closes the block.
  ///
  /// - Throws: `MeasureError.blockOrder` where a representation is missing.
  public func finish() throws {
    try gathered?.finish()
    try moments?.finish()
  }

  /// The features or the moments of all finished blocks, and which images they are of.
  public func state() -> [(name: String, tensor: Tensor)] {
    (gathered?.state() ?? []) + (moments?.state() ?? [])
  }

  /// Goes on from what an interrupted run has gathered.
  ///
  /// - Returns: false where it is of other widths or measures; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool {
    let rows = state.filter { !$0.key.hasPrefix("moments.") }
    let sums = state.filter { $0.key.hasPrefix("moments.") }
    var features = gathered
    if features?.restore(rows) == false || moments == nil && !sums.isEmpty { return false }
    if moments?.restore(sums) == false { return false }
    gathered = features
    return true
  }
}

extension MeasuresAnalysis: LongAnalysis {
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
