import ParallaxImages
import ParallaxMeasures
import ParallaxTensors

/// Images in which others are counted, such as those that a model was trained on, with their features.
public struct KStarBank: Sendable {
  /// The concept of each image, by name.
  let names: [String]
  /// What identifies the images.
  let fingerprint: String
  private let all: [String: Tensor]

  /// How many images there are.
  public var count: Int { names.count }

  /// A bank.
  ///
  /// - Parameters:
  ///   - representations: those of the analysis, in its order.
  ///   - subjects: the models.
  ///   - images: the bank's images, with classes.
  ///   - superclasses: what becomes of each class; nil for the classes themselves.
  ///   - configure: settles batch size, block size and device of the pass.
  /// - Throws: `AnalysisError.classes` where an image has no class, or all have one; what the pass throws.
  public init(
    _ representations: [Representation], of subjects: [Subject], images: ImageSet,
    superclasses: [String: String]?, configure: (inout Pass) -> Void = { _ in }
  ) throws {
    let concepts = try Concepts(of: images.samples, superclasses: superclasses)
    try concepts.check("the bank \(images.path)")
    let gathering = Gathering(
      representations,
      widths: try representations.map { one in
        guard let subject = subjects.first(where: { $0.name == one.model }) else { return 0 }
        return try one.tokens.width(
          at: one.site, subject.model.tokenLayout, imageSize: subject.imageSize)
      })
    var pass = Pass(subjects: subjects, images: images)
    configure(&pass)
    _ = try pass.run([gathering])
    let places = gathering.features.samples
    names = places.map { concepts.classes[concepts.labels[$0]] }
    fingerprint = images.fingerprint
    all = Dictionary(
      representations.enumerated().map { ($1.address, gathering.features.whole($0)) },
      uniquingKeysWith: { first, _ in first })
  }

  /// The features of one representation; noise is on the images alone, never on the bank's.
  func features(
    _ one: Representation, _ noisy: [String: (model: String, noise: Double)] = [:]
  ) -> Tensor {
    let name = noisy[one.model]?.model ?? one.model
    let plain = Representation(model: name, site: one.site, tokens: one.tokens)
    return all[plain.address] ?? Tensor.zeros([0, 1], .float32)
  }

  /// The bank's classes by the numbers of others.
  func labels(among concepts: Concepts) -> [Int] {
    let places = Dictionary(
      uniqueKeysWithValues: concepts.classes.enumerated().map { ($1, $0) })
    return names.map { places[$0] ?? 0 }
  }

  /// - Throws: `AnalysisError.classes` where the bank lacks a class.
  func check(_ concepts: Concepts) throws(AnalysisError) {
    let known = Set(names)
    if let missing = concepts.classes.first(where: { !known.contains($0) }) {
      throw .classes("the bank has no image of the class '\(missing)'")
    }
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
