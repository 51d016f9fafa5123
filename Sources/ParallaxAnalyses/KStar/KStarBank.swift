import ParallaxImages
import ParallaxMeasures
import ParallaxResults
import ParallaxTensors

/// Images in which others are counted, such as those that a model was trained on, with their features.
public struct KStarBank: Sendable {
  /// The concept of each image, by name.
  let names: [String]
  /// What each image is called.
  let ids: [String]
  /// Numbers an image of each representation.
  let widths: [Int]
  /// What identifies the images.
  let fingerprint: String
  /// Where the images lie, and which could not be read.
  public let source: Provenance.Source
  /// Classes of the queries that no image of the bank has, and how many queries each has.
  public let outside: [(name: String, count: Int)]
  private let all: [String: Tensor]
  /// Where the features of an interrupted run are kept.
  private let state: StateKeeper?

  /// How many images there are.
  public var count: Int { names.count }

  /// A bank: one pass over its images. What classes and memory refuse is refused before it.
  ///
  /// - Parameters:
  ///   - representations: those of the analysis, in its order.
  ///   - subjects: the models.
  ///   - images: the bank's images, with classes.
  ///   - queries: the images that are to be counted among them; nil where they are checked later. Those of a class that the bank
  ///     lacks are left out, as ``outside`` says.
  ///   - options: of the analysis.
  ///   - configure: settles batch size, block size, device and state of the pass.
  /// - Throws: `AnalysisError.classes` where an image has no class, all have one, or the bank lacks all classes of the queries;
  ///   `MeasureError.memory`; what the pass throws.
  public init(
    _ representations: [Representation], of subjects: [Subject], images: ImageSet,
    queries: ImageSet? = nil, options: KStarAnalysis.Options = KStarAnalysis.Options(),
    configure: (inout Pass) -> Void = { _ in }
  ) throws {
    let concepts = try Concepts(of: images.samples, superclasses: options.superclasses)
    try concepts.check("the bank \(images.path)")
    if let queries {
      let own = try Concepts(of: queries.samples, superclasses: options.superclasses)
      try Self.check(own, among: Set(concepts.classes))
      outside = Self.lacking(own, among: Set(concepts.classes))
    } else {
      outside = []
    }
    let widths = try representations.map { one in
      guard let subject = subjects.first(where: { $0.name == one.model }) else { return 0 }
      return try one.tokens.width(
        at: one.site, subject.model.tokenLayout, imageSize: subject.imageSize)
    }
    self.widths = widths
    let times = 1 + options.corruptions.count
    try KStarAnalysis.check(
      images: queries?.samples.count ?? 0, (0..<times).flatMap { _ in widths },
      bank: images.samples.count, widths, options)
    let gathering = Gathering(representations, widths: widths)
    var pass = Pass(subjects: subjects, images: images)
    configure(&pass)
    pass.keepsState = true
    let outcome = try pass.run([gathering])
    state = pass.keeper([gathering])
    // In the order of the data set, whatever that of the pass.
    let order = gathering.features.samples.indices.sorted {
      gathering.features.samples[$0] < gathering.features.samples[$1]
    }
    let places = order.map { gathering.features.samples[$0] }
    let names = places.map { concepts.classes[concepts.labels[$0]] }
    try Concepts(names).check("the images of the bank that could be read")
    self.names = names
    ids = places.map { images.samples[$0].id }
    fingerprint = images.fingerprint
    source = Provenance.Source(
      role: "bank", path: images.path, hash: images.fingerprint, count: places.count,
      skipped: (images.skipped + outcome.skipped).map {
        Provenance.Skipped(path: $0.path, reason: $0.reason)
      })
    all = Dictionary(
      representations.enumerated().map {
        ($1.address, gathering.features.whole($0).gathered(0, order))
      }, uniquingKeysWith: { first, _ in first })
  }

  /// The features of one representation; corruptions are of the images alone, never of the bank's.
  ///
  /// - Parameters:
  ///   - one: the representation.
  ///   - original: the model whose images are corrupted there.
  /// - Returns: `[images, width]`.
  func features(_ one: Representation, original: String? = nil) -> Tensor {
    let plain = Representation(model: original ?? one.model, site: one.site, tokens: one.tokens)
    return all[plain.address] ?? Tensor.zeros([0, 1], .float32)
  }

  /// Removes what an interrupted run would have gone on from.
  func forget() { state?.remove() }

  /// The bank's classes by the numbers of others.
  func labels(among concepts: Concepts) -> [Int] {
    let places = Dictionary(
      uniqueKeysWithValues: concepts.classes.enumerated().map { ($1, $0) })
    return names.map { places[$0] ?? 0 }
  }

  /// - Throws: `AnalysisError.classes` where the bank lacks all classes.
  func check(_ concepts: Concepts) throws(AnalysisError) {
    try Self.check(concepts, among: Set(names))
  }

  /// Those of some images of whose class the bank has one.
  func known(_ concepts: Concepts, _ places: [Int]) -> [Int] {
    let known = Set(names)
    return places.filter { known.contains(concepts.classes[concepts.labels[$0]]) }
  }

  private static func lacking(
    _ concepts: Concepts, among known: Set<String>
  ) -> [(name: String, count: Int)] {
    zip(concepts.classes, concepts.sizes).filter { !known.contains($0.0) && $0.1 > 0 }
      .map { (name: $0.0, count: $0.1) }
  }

  /// k\* of an image whose class the bank lacks is not defined: a count over no image of the class.
  private static func check(_ concepts: Concepts, among known: Set<String>) throws(AnalysisError) {
    guard !concepts.classes.contains(where: known.contains) else { return }
    let missing = concepts.classes
    throw .classes(
      "the bank has no image of any class of the images, such as \(missing.prefix(3).map { "'\($0)'" }.joined(separator: ", ")): there is no k* over 0 images; make superclasses with --label-map, or look at the images without --bank"
    )
  }

  /// Concepts of some images, numbered so that all of the bank's have a number.
  func shared(_ concepts: Concepts, _ places: [Int]) -> Concepts {
    let own = places.map { concepts.classes[concepts.labels[$0]] }
    let joined = Concepts(own + names)
    return joined.keeping(Array(own.indices))
  }

  /// Keeps all features of a pass.
  private final class Gathering: Accumulator {
    let name = "kstar-bank"
    let wanted: [Representation]
    var features: GatheredFeatures

    init(_ wanted: [Representation], widths: [Int]) {
      self.wanted = wanted
      features = GatheredFeatures("kstar-bank", widths: widths)
    }

    var fingerprint: String { "1 \(wanted.map(\.address).joined(separator: " "))" }
    func begin(_ block: BlockHeading) { features.begin(block) }
    func add(_ index: Int, _ values: Tensor) throws { try features.add(index, values) }
    func finish() throws { try features.finish() }
    func state() -> [(name: String, tensor: Tensor)] { features.state() }
    func restore(_ state: [String: Tensor]) -> Bool { features.restore(state) }
  }
}
