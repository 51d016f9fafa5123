import Foundation
import ParallaxImages
import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// What any input becomes when a late layer's embedding of it is matched.
///
/// The pass hands over the pixels of all images and their embeddings at the layers; noise, some of the images, and images
/// from elsewhere are then matched by descent without blur from several starts. Where that is stopped, the same run goes on with the
/// next step.
///
/// > Source: Badger, 2022, arXiv 2211.06496: "late layers are mostly inference". The measures are ours.
public final class ManifoldAnalysis: Accumulator {
  /// What is matched and how.
  public struct Options: Sendable {
    /// The recipe; its blur and total variation are left out.
    public var preset = InversionAnalysis.Preset.quick
    /// Steps of a descent; nil for the recipe's.
    public var steps: Int?
    /// Inputs of uniform noise.
    public var uniform = 1
    /// Inputs of normal noise.
    public var normal = 1
    /// Images of the set that are matched, of different classes where there are classes.
    public var members = 1
    /// A class whose images are matched and are none of the set; nil for none.
    public var heldOut: String?
    /// A folder or list of images from elsewhere; nil for none.
    public var inputs: String?
    /// Images of the held-out class and images from elsewhere, at most so many of each.
    public var inputLimit = 4
    /// Starts of each input.
    public var starts = 2
    /// Layers of a model whose sites nobody chose; the last of them is the last block.
    public var layers = 1
    /// k.
    public var neighbours = 10
    /// d of the local PCA.
    public var components = 5
    /// The shift that distances are held against.
    public var shift = ReferenceShift()
    /// Pictures that descend at once.
    public var batchSize = 8
    /// What becomes of transparency in images from elsewhere.
    public var alpha = ImageBuffer.Alpha.overWhite
    /// Bytes of pixels and embeddings that may be held.
    public var memoryLimit = 4 << 30
    /// The seed of noise, starts and shifts.
    public var seed: UInt64 = 0

    /// Uniform noise, normal noise, one image; two starts each.
    public init() {}

    func recipe(_ design: Design, features: Int) -> InversionRecipe {
      var inversion = InversionAnalysis.Options()
      (inversion.preset, inversion.steps) = (preset, steps)
      var recipe = inversion.recipe(design, features: features)
      recipe.descent.variation = 0
      for octave in recipe.descent.octaves.indices {
        recipe.descent.octaves[octave].smoothing = nil
        recipe.descent.octaves[octave].jitter = 0
      }
      return recipe
    }
  }

  struct Layer {
    var subject: Int
    var site: Site
    var depth: Double
    var recipe: InversionRecipe
    /// Which of the wanted representations.
    var wanted: Int
  }

  /// `manifold`.
  public let name = "manifold"
  /// Asked before each step; where it says yes, the run stops and what was found stays.
  public var isInterrupted: () -> Bool = { false }
  /// Told what is computed and how much of it is done, from 0 to 1.
  public var progress: (_ part: String, _ share: Double) -> Void = { _, _ in }
  /// Called where there is more to keep than before.
  public var keep: () throws -> Void = {}
  /// The pixels that go into each model, and the embeddings of its layers.
  public let wanted: [Representation]
  let options: Options
  let subjects: [Subject]
  let layers: [Layer]
  let samples: [Sample]
  /// Images from elsewhere: names, and the pixels for each model.
  let outside: [(name: String, className: String?, pixels: [Tensor])]
  private(set) var gathered: GatheredFeatures
  private(set) var matched = MatchedPictures()

  /// An analysis of sites of some models.
  ///
  /// - Parameters:
  ///   - wanted: the sites, those of one model together and in execution order; their tokens do not matter.
  ///   - subjects: the models. One called `NAME-random` whose objective is `untrained` is the untrained twin of `NAME`.
  ///   - images: the set that stands for the training data.
  ///   - named: those of the sites that somebody chose; of a model without one only the last blocks are matched.
  ///   - options: what and how.
  /// - Throws: `AnalysisError`, and `ImageError` where images from elsewhere cannot be read.
  public init(
    _ wanted: [Representation], of subjects: [Subject], images: ImageSet,
    among named: [Representation] = [], options: Options = Options()
  ) throws {
    try Self.check(images.samples.map(\.className), images.classes, options)
    let chosen = try ChosenSites(wanted, of: subjects, among: named, where: "manifold") {
      ChosenSites.last($1, options.layers)
    }
    var representations = chosen.inputs
    layers = chosen.places.map { layer in
      representations.append(
        Representation(model: subjects[layer.subject].name, site: layer.site, tokens: .flat))
      return Layer(
        subject: layer.subject, site: layer.site, depth: layer.depth,
        recipe: options.recipe(
          subjects[layer.subject].design, features: layer.site.shape.reduce(1, *)),
        wanted: representations.count - 1)
    }
    let widths = representations.map { $0.site.shape.reduce(1, *) }
    let bytes = 4 * images.samples.count * widths.reduce(0, +)
    guard bytes <= options.memoryLimit else {
      throw AnalysisError.nothingAsked(
        "manifold: pixels and embeddings of \(images.samples.count) images take \(bytes >> 20) MiB, expected at most \(options.memoryLimit >> 20); take fewer images with --limit"
      )
    }
    outside = try Self.read(options, subjects)
    (self.wanted, self.subjects, self.options) = (representations, subjects, options)
    samples = images.samples
    gathered = GatheredFeatures(name, widths: widths)
  }

  private static func read(
    _ options: Options, _ subjects: [Subject]
  ) throws -> [(name: String, className: String?, pixels: [Tensor])] {
    guard let path = options.inputs else { return [] }
    let set = try ImageSet(path, limit: options.inputLimit, strict: true)
    guard !set.samples.isEmpty else {
      throw ImageError.noImages(path: path, skipped: set.skipped.count)
    }
    return try set.samples.map { sample in
      let picture = try ImageBuffer(decoding: URL(filePath: sample.path), alpha: options.alpha)
      return (
        sample.id, sample.className,
        try subjects.map {
          $0.preprocessing.pixels(of: try $0.preprocessing.tensor(picture)).selected(0, 0)
        }
      )
    }
  }

  /// Recipes, layers, inputs, neighbours and seed.
  public var fingerprint: String {
    let places = layers.map { "\($0.subject) \($0.site.name) \($0.recipe.fingerprint)" }
    let others = outside.map { one in
      "\(one.name) " + one.pixels.map { ContentHash.sha256($0.contiguous().bytes()) }.joined()
    }
    return
      "1 uniform \(options.uniform) normal \(options.normal) members \(options.members) without \(options.heldOut ?? "nothing") \(options.inputLimit) starts \(options.starts) k \(options.neighbours) d \(options.components) shift \(options.shift.scale) × \(options.shift.count) batch \(options.batchSize) seed \(options.seed) layers \(places.joined(separator: ";")) others \(others.joined(separator: ";"))"
  }

  /// Opens a block.
  public func begin(_ block: BlockHeading) { gathered.begin(block) }

  /// Keeps pixels or embeddings.
  ///
  /// - Throws: `MeasureError.blockOrder` where no block is open, or something comes twice.
  public func add(_ index: Int, _ features: Tensor) throws { try gathered.add(index, features) }

  /// Closes the block.
  ///
  /// - Throws: `MeasureError.blockOrder` where something is missing.
  public func finish() throws { try gathered.finish() }

  /// Pixels and embeddings of all finished blocks, the pictures found so far, and the descent that is running.
  public func state() -> [(name: String, tensor: Tensor)] { gathered.state() + matched.state() }

  /// Goes on from the state of an interrupted run.
  ///
  /// - Returns: false where it is of other models, layers or sizes; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool {
    let places = state["samples"]?.scalars(Int64.self).map(Int.init) ?? []
    guard places.allSatisfy(samples.indices.contains) else { return false }
    let shapes = batches(inputs(places).count).map { batch in
      let size = subjects[layers[batch.layer].subject].imageSize
      return (
        batch.key,
        (shape: [batch.rows.count, 3, size.height, size.width], recipe: layers[batch.layer].recipe)
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
    var rows: [(input: Int, start: Int)]
  }

  func batches(_ inputs: Int) -> [Batch] {
    let rows = (0..<inputs).flatMap { input in (0..<options.starts).map { (input, $0) } }
    return layers.indices.flatMap { layer -> [Batch] in
      let size = max(1, subjects[layers[layer].subject].model.fixedBatch ?? options.batchSize)
      return stride(from: 0, to: rows.count, by: size).enumerated().map { number, first in
        Batch(
          key: "\(layer).\(number)", layer: layer,
          rows: rows[first..<min(first + size, rows.count)].map { (input: $0.0, start: $0.1) })
      }
    }
  }

  /// A seed of its own for each purpose, number and repetition.
  func seed(_ purpose: UInt64, _ number: Int, _ repetition: Int) -> UInt64 {
    ((options.seed &* 1_000_003 &+ purpose) &* 1_000_003 &+ UInt64(number)) &* 1_000_003
      &+ UInt64(repetition)
  }

  /// The result, once the pass has ended.
  ///
  /// - Throws: `AnalysisError.tooFewImages`, `AnalysisError.interrupted`, `AnalysisError.site` where no gradient reaches the
  ///   pixels, and what models throw.
  public func result() throws -> ManifoldResult { try computed().result }

  func computed() throws -> ManifoldComputed {
    try Self.check(gathered.samples.map { samples[$0].className }, nil, options)
    let chosen = inputs(gathered.samples)
    let pixels = subjects.indices.map { index in
      Tensor.stacked(chosen.map { picture($0, index) })
    }
    let batches = batches(chosen.count)
    for (number, batch) in batches.enumerated() {
      let layer = layers[batch.layer]
      let unit = MatchUnit(
        key: batch.key, subject: subjects[layer.subject], site: layer.site, recipe: layer.recipe,
        targets: pixels[layer.subject].gathered(0, batch.rows.map(\.input)),
        starts: batch.rows.map { seed(1, 0, $0.start) },
        shifts: batch.rows.map { seed(2, $0.input, 0) }, shift: options.shift, seed: options.seed)
      try matched.find(unit, isInterrupted: isInterrupted, keep: keep) {
        progress("matching \(unit.name)", (Double(number) + $0) / Double(batches.count))
      }
    }
    progress("distances from the set", 1)
    return try ManifoldComputed(self, chosen, pixels, batches)
  }

  /// The set's pixels as a model sees them, `[images, 3, height, width]` in [0, 1].
  func images(_ subject: Int) -> Tensor {
    let (size, pixels) = (subjects[subject].imageSize, features(subject))
    return subjects[subject].preprocessing.pixels(
      of: pixels.reshaped(pixels.shape[0], 3, size.height, size.width))
  }

  /// What the pass gave of the set's images, `[images, width]`.
  func features(_ wanted: Int) -> Tensor {
    let (all, rows) = (gathered.whole(wanted), bank(gathered.samples))
    return rows.count == all.shape[0] ? all : all.gathered(0, rows)
  }

  private func picture(_ chosen: Chosen, _ subject: Int) -> Tensor {
    let size = subjects[subject].imageSize
    let shape = [3, size.height, size.width]
    switch chosen.input.kind {
    case .uniform: return RandomSource(seed: seed(3, chosen.number, 0)).uniform(shape)
    case .normal:
      return (RandomSource(seed: seed(4, chosen.number, 0)).normal(shape) * 0.25 + 0.5)
        .clamped(0, 1)
    case .member, .heldOut:
      let row = chosen.row ?? 0
      return subjects[subject].preprocessing.pixels(
        of: gathered.whole(subject).sliced(0, row, row + 1).reshaped([1] + shape)
      ).selected(0, 0)
    case .outside: return outside[chosen.number].pixels[subject]
    }
  }
}

extension ManifoldAnalysis: PiecewiseAnalysis {
  /// Writes `results/manifold.json`, and to `tensors/manifold/` every picture as a PNG and, unclamped, all in one file.
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
