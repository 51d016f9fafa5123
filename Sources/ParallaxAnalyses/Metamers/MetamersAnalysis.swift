import Foundation
import ParallaxImages
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// How far an input that one layer of a model takes for another moves every layer of every model.
///
/// The pass hands over the pixels of the first images; descents run once it has ended. Where that is stopped, the same run goes
/// on with the next step.
///
/// > Source: after Badger, 2022, arXiv 2211.06496, and Feather et al., 2019, Metamers of neural networks.
public final class MetamersAnalysis: Accumulator {
  /// What is matched and how.
  public struct Options: Sendable {
    /// The recipe.
    public var preset = InversionAnalysis.Preset.quick
    /// Steps of a descent; nil for the recipe's.
    public var steps: Int?
    /// λ of the total variation instead of the recipe's; nil for that.
    public var variation: Double?
    /// Images that are matched.
    public var images = 2
    /// Images that the mean distance between different ones is taken of, at most.
    public var others = 12
    /// Layers of a model that are matched where nobody chose sites, evenly spread.
    public var layers = 3
    /// The shift that distances are held against.
    public var shift = ReferenceShift()
    /// Bytes that embeddings of all layers may take.
    public var memoryLimit = 1 << 33
    /// Pictures that descend at once.
    public var batchSize = 8
    /// The seed of starts, shifts and jitter.
    public var seed: UInt64 = 0

    /// Two images at three layers.
    public init() {}

    func recipe(_ design: Design, features: Int) -> InversionRecipe {
      var inversion = InversionAnalysis.Options()
      (inversion.preset, inversion.steps, inversion.variation) = (preset, steps, variation)
      return inversion.recipe(design, features: features)
    }
  }

  struct Layer {
    var subject: Int
    var site: Site
    var depth: Double
    var recipe: InversionRecipe
  }

  /// `metamers`.
  public let name = "metamers"
  /// Asked before each step; where it says yes, the run stops and what was found stays.
  public var isInterrupted: () -> Bool = { false }
  /// Told what is computed and how much of it is done, from 0 to 1.
  public var progress: (_ part: String, _ share: Double) -> Void = { _, _ in }
  /// Called where there is more to keep than before.
  public var keep: () throws -> Void = {}
  /// The pixels that go into each model.
  public let wanted: [Representation]
  let options: Options
  let subjects: [Subject]
  /// The layers that are matched.
  let layers: [Layer]
  /// The layers that are looked at, a list each model.
  let seen: [[(site: Site, depth: Double)]]
  let samples: [Sample]
  private(set) var gathered: GatheredFeatures
  private(set) var matched = MatchedPictures()
  private let limit: Int

  /// An analysis of sites of some models.
  ///
  /// - Parameters:
  ///   - wanted: the sites, those of one model together and in execution order; their tokens do not matter. All of them are
  ///     looked at.
  ///   - subjects: the models.
  ///   - images: the data set.
  ///   - named: those of the sites that somebody chose; of a model without one only some layers are matched.
  ///   - options: what and how.
  /// - Throws: `AnalysisError.nothingAsked`, `AnalysisError.tooFewImages`.
  public init(
    _ wanted: [Representation], of subjects: [Subject], images: ImageSet,
    among named: [Representation] = [], options: Options = Options()
  ) throws {
    limit = min(images.samples.count, max(options.images, options.others))
    guard limit >= 2, options.images >= 1 else {
      throw AnalysisError.tooFewImages(needed: 2, found: limit, where: "metamers")
    }
    let matched = try ChosenSites(wanted, of: subjects, among: named, where: "metamers") {
      ChosenSites.last($1, options.layers)
    }
    let all = try ChosenSites(wanted, of: subjects, among: wanted, where: "metamers") { $1 }
    layers = matched.places.map { layer in
      Layer(
        subject: layer.subject, site: layer.site, depth: layer.depth,
        recipe: options.recipe(
          subjects[layer.subject].design, features: layer.site.shape.reduce(1, *)))
    }
    seen = subjects.indices.map { index in
      all.places.filter { $0.subject == index }.map { ($0.site, $0.depth) }
    }
    let count = min(images.samples.count, options.images)
    for (index, subject) in subjects.enumerated() {
      // Embeddings of the matched images at every layer, and beside each its centred numbers and ranks in float64.
      let bytes = count * 28 * seen[index].reduce(0) { $0 + $1.site.shape.reduce(1, *) }
      guard bytes <= options.memoryLimit else {
        throw AnalysisError.memory(subject.name, needed: bytes, limit: options.memoryLimit)
      }
    }
    (self.wanted, self.subjects, self.options) = (matched.inputs, subjects, options)
    samples = images.samples
    gathered = GatheredFeatures(
      name, widths: matched.inputs.map { $0.site.shape.reduce(1, *) }, limit: limit)
  }

  /// Recipes, layers, images, shifts and seed.
  public var fingerprint: String {
    let places = layers.map { "\($0.subject) \($0.site.name) \($0.recipe.fingerprint)" }
    let looks = seen.map { $0.map(\.site.name).joined(separator: ",") }
    return
      "1 images \(options.images) of \(limit) shift \(options.shift.scale) × \(options.shift.count) batch \(options.batchSize) seed \(options.seed) layers \(places.joined(separator: ";")) seen \(looks.joined(separator: ";"))"
  }

  /// Opens a block; of images beyond those that enter nothing is kept.
  public func begin(_ block: BlockHeading) {
    gathered.begin(block)
  }

  /// Keeps pixels `[images, 3 · height · width]`.
  ///
  /// - Throws: `MeasureError.blockOrder` where no block is open, or pixels come twice.
  public func add(_ index: Int, _ features: Tensor) throws {
    try gathered.add(index, features)
  }

  /// Closes the block.
  ///
  /// - Throws: `MeasureError.blockOrder` where a model's pixels are missing.
  public func finish() throws { try gathered.finish() }

  /// The pixels of all finished blocks, the pictures found so far, and the descent that is running.
  public func state() -> [(name: String, tensor: Tensor)] { gathered.state() + matched.state() }

  /// Goes on from the state of an interrupted run.
  ///
  /// - Returns: false where it is of other models, layers or sizes; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool {
    let count = state["samples"]?.count ?? 0
    guard count <= limit else { return false }
    let shapes = batches(count).map { batch in
      let size = subjects[layers[batch.layer].subject].imageSize
      return (
        batch.key,
        (
          shape: [batch.images.count, 3, size.height, size.width],
          recipe: layers[batch.layer].recipe
        )
      )
    }
    guard let matched = MatchedPictures(state, batches: Dictionary(shapes) { first, _ in first }),
      gathered.restore(state)
    else { return false }
    self.matched = matched
    return true
  }

  struct Batch {
    var key: String
    var layer: Int
    var images: [Int]
  }

  func batches(_ count: Int) -> [Batch] {
    let images = Array(0..<min(count, options.images))
    return layers.indices.flatMap { layer -> [Batch] in
      let size = max(1, subjects[layers[layer].subject].model.fixedBatch ?? options.batchSize)
      return stride(from: 0, to: images.count, by: size).enumerated().map { number, first in
        Batch(
          key: "\(layer).\(number)", layer: layer,
          images: Array(images[first..<min(first + size, images.count)]))
      }
    }
  }

  /// A seed of its own for each purpose, image and repetition.
  func seed(_ purpose: UInt64, _ image: Int, _ repetition: Int) -> UInt64 {
    ((options.seed &* 1_000_003 &+ purpose) &* 1_000_003 &+ UInt64(image)) &* 1_000_003
      &+ UInt64(repetition)
  }

  /// The pixels of the images as a model sees them, `[images, 3, height, width]` in [0, 1].
  func images(_ subject: Int) -> Tensor {
    let size = subjects[subject].imageSize
    return subjects[subject].preprocessing.pixels(
      of: gathered.whole(subject).reshaped(gathered.samples.count, 3, size.height, size.width))
  }

  /// The result, once the pass has ended.
  ///
  /// - Throws: `AnalysisError.tooFewImages`, `AnalysisError.interrupted`, `AnalysisError.site` where no gradient reaches the
  ///   pixels, and what models throw.
  public func result() throws -> MetamersResult { try computed().result }

  func computed() throws -> MetamersComputed {
    let count = gathered.samples.count
    guard count >= 2 else {
      throw AnalysisError.tooFewImages(needed: 2, found: count, where: "metamers")
    }
    let batches = batches(count)
    let originals = subjects.indices.map(images)
    for (number, batch) in batches.enumerated() {
      let layer = layers[batch.layer]
      let unit = MatchUnit(
        key: batch.key, subject: subjects[layer.subject], site: layer.site, recipe: layer.recipe,
        targets: originals[layer.subject].gathered(0, batch.images),
        starts: batch.images.map { seed(1, $0, 0) }, shifts: batch.images.map { seed(2, $0, 0) },
        shift: options.shift, seed: options.seed)
      try matched.find(unit, isInterrupted: isInterrupted, keep: keep) {
        progress("matching \(unit.name)", (Double(number) + $0) / Double(batches.count))
      }
    }
    progress("distances between models", 1)
    return try MetamersComputed(self, originals, batches)
  }
}

extension MetamersAnalysis: PiecewiseAnalysis {
  /// Writes `results/metamers.json`, and to `tensors/metamers/` every picture as a PNG and, unclamped, all in one file.
  ///
  /// - Parameter run: the folder.
  /// - Returns: a row each number.
  /// - Throws: `ResultsError.unwritable`, and what `result` throws.
  public func write(into run: RunFolder) throws -> [TidyRow] {
    let computed = try computed()
    try computed.shelf.write(into: run, ["preset": options.preset.rawValue])
    try run.write(computed.result, analysis: name)
    return computed.result.tidyRows()
  }
}
