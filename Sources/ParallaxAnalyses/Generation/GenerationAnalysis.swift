import Foundation
import ParallaxImages
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// Pictures that models are made to make: class images, features, dreams.
///
/// Nothing is learned of the images of the run but the first, which dreams begin with where no other is named. Descents run once
/// the pass has ended, pictures for one layer of one model together; where that is stopped, the same run goes on with the next step.
///
/// > Source: Badger, 2022, arXiv 2211.06496, and its author's published chapters on input generation and deep dream.
public final class GenerationAnalysis: Accumulator {
  /// What is made and how.
  public struct Options: Sendable {
    /// What is asked for; where empty, some classes or features.
    public var wishes: [GenerationWish] = []
    /// The recipe.
    public var preset = GenerationRecipe.Preset.quick
    /// Steps of all octaves together; nil for the recipe's.
    public var steps: Int?
    /// Starts of each picture.
    public var starts = 1
    /// q of interpolations: so many pictures and one.
    public var frames = 4
    /// The picture that descents begin with; nil for what the recipe says.
    public var beginning: String?
    /// Whether gradients are clipped to their mean ± 1 standard deviation.
    public var clipsGradient = false
    /// C of the first model instead of 200; that of the second keeps its ratio.
    public var target: Double?
    /// λ of the L1 prior; the text has 0.001.
    public var magnitude = 0.0
    /// Pictures that descend at once.
    public var batchSize = 4
    /// What becomes of transparency in the picture that descents begin with.
    public var alpha = ImageBuffer.Alpha.overWhite
    /// The seed of starts, crops, jitter.
    public var seed: UInt64 = 0

    /// Class images by the quick recipe.
    public init() {}

    /// The recipe with what was changed.
    public var recipe: GenerationRecipe {
      var recipe = GenerationRecipe(preset)
      if let steps { recipe.take(steps: steps) }
      recipe.descent.clipsGradient = clipsGradient
      recipe.magnitude = magnitude
      if let target { recipe.targets = recipe.targets.map { $0 / 200 * target } }
      return recipe
    }
  }

  /// `generation`.
  public let name = "generation"
  /// Asked before each step; where it says yes, the run stops and what was found stays.
  public var isInterrupted: () -> Bool = { false }
  /// Told what is computed and how much of it is done, from 0 to 1.
  public var progress: (_ part: String, _ share: Double) -> Void = { _, _ in }
  /// Called where there is more to keep than before.
  public var keep: () throws -> Void = {}
  /// The pixels that go into each model.
  public let wanted: [Representation]
  let options: Options
  let recipe: GenerationRecipe
  let subjects: [Subject]
  let units: [GenerationUnit]
  private let samples: [Sample]
  private var gathered: GatheredFeatures
  private var found: [String: GenerationUnit.Found] = [:]
  private var running: (key: String, state: Descent.State)?
  private let given: ImageBuffer?

  /// An analysis of some models.
  ///
  /// - Parameters:
  ///   - subjects: the models. One called `NAME-random` whose objective is `untrained` is the untrained twin of `NAME`.
  ///   - images: the data set; only its first image is used, and only by dreams.
  ///   - options: what and how.
  /// - Throws: `AnalysisError` where a model has no logits, no such class, channel, place or input; `ModelError.noSuchSite`;
  ///   `ImageError` where the beginning cannot be read.
  public init(of subjects: [Subject], images: ImageSet, options: Options = Options()) throws {
    guard !images.samples.isEmpty else {
      throw AnalysisError.tooFewImages(needed: 1, found: 0, where: "generation")
    }
    recipe = options.recipe
    wanted = try subjects.map { subject in
      guard let input = subject.sites.first(where: { $0.name == "input" && $0.kind == .map })
      else {
        throw AnalysisError.nothingAsked("generation: \(subject.name) does not show its input")
      }
      return Representation(model: subject.name, site: input, tokens: .flat)
    }
    let wishes = GenerationWishes(subjects: subjects, frames: options.frames)
    let items =
      try options.wishes.isEmpty
      ? wishes.usual(isDream: options.preset == .dreamLayer)
      : options.wishes.flatMap { try wishes.items($0) }
    units = try GenerationUnit.list(items, subjects, starts: options.starts, options.batchSize)
    given = try options.beginning.map {
      guard FileManager.default.fileExists(atPath: $0) else { throw ImageError.missing(path: $0) }
      return try ImageBuffer(decoding: URL(filePath: $0), alpha: options.alpha)
    }
    if let given { try Self.check(given, options.beginning ?? "") }
    (self.subjects, self.options) = (subjects, options)
    samples = images.samples
    gathered = GatheredFeatures(name, widths: wanted.map { $0.site.shape.reduce(1, *) }, limit: 1)
    for unit in units {
      let size = given.map { ($0.height, $0.width) } ?? size(unit)
      if let problem = recipe.descent.problem(channels: 3, height: size.0, width: size.1) {
        throw AnalysisError.recipe(recipe.name, problem: problem)
      }
    }
  }

  /// Long, thin pictures would become too large.
  private static func check(_ picture: ImageBuffer, _ path: String) throws {
    let (long, short) = (
      max(picture.width, picture.height), min(picture.width, picture.height)
    )
    guard short >= 8, long <= 4 * short else {
      throw AnalysisError.recipe(
        path,
        problem:
          "descents begin with pictures of at least 8 pixels a side that are at most four times as long as wide, not with \(picture.height) × \(picture.width)"
      )
    }
  }

  /// Recipe, pictures, beginning and seed.
  public var fingerprint: String {
    let places = units.map { unit in
      "\(unit.key) \(unit.rows.map { "\($0.item.objective) \($0.item.models) \($0.start)" })"
    }
    let picture = given.map { ContentHash.sha256($0.pixels) } ?? ""
    return
      "1 \(recipe.fingerprint) beginning \(picture) seed \(options.seed) units \(places.joined(separator: ";"))"
  }

  /// Opens a block; of images beyond the first nothing is kept.
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

  /// The first image's pixels, the pictures made so far, and the descent that is running.
  public func state() -> [(name: String, tensor: Tensor)] {
    var list = gathered.state()
    list += StateNotes.entries(found: found.mapValues { ($0.pictures, $0.numbers) })
    if let running, let tensors = try? running.state.tensors() {
      list += StateNotes.entries(running: running.key, tensors)
    }
    return list
  }

  /// Goes on from the state of an interrupted run.
  ///
  /// - Returns: false where it is of other models, pictures or sizes; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool {
    guard state["samples"]?.count ?? 0 <= 1 else { return false }
    let places = state["samples"]?.scalars(Int64.self).map(Int.init) ?? []
    guard places.allSatisfy(samples.indices.contains) else { return false }
    var restored: [String: GenerationUnit.Found] = [:]
    var going: (key: String, state: Descent.State)?
    for unit in units {
      let finished = state.under("found.\(unit.key).")
      if let pictures = finished["pictures"] {
        guard pictures.rank == 4, pictures.shape[0] == unit.rows.count, pictures.shape[1] == 3,
          pictures.dtype.isFloatingPoint,
          let numbers = StateNotes.value([GenerationUnit.Numbers].self, finished["numbers"]),
          numbers.count == unit.rows.count
        else { return false }
        restored[unit.key] = GenerationUnit.Found(pictures: pictures, numbers: numbers)
      }
      let tensors = state.under("running.\(unit.key).")
      if !tensors.isEmpty {
        let beginning: Tensor?
        do { beginning = try self.beginning(unit, places) } catch { return false }
        let size = beginning?.shape.suffix(2).map(\.self) ?? [size(unit).0, size(unit).1]
        let bare = Descent("", recipe.descent) { seen, _ in Descent.Losses(seen) }
        guard
          let state = bare.state(
            tensors, batch: unit.rows.count, height: size[0], width: size[1])
        else { return false }
        going = (unit.key, state)
      }
    }
    guard gathered.restore(state) else { return false }
    (found, running) = (restored, going)
    return true
  }

  /// The size that a descent from noise begins with.
  private func size(_ unit: GenerationUnit) -> (Int, Int) {
    let own = subjects[unit.models[0]].imageSize
    return recipe.side.map { ($0, $0) } ?? (own.height, own.width)
  }

  /// The picture that descents begin with, `[1, 3, height, width]` in [0, 1]; nil where they begin with noise.
  private func beginning(_ unit: GenerationUnit, _ places: [Int]) throws -> Tensor? {
    var picture = given
    if picture == nil, options.preset.needsPicture, let place = places.first {
      let read = try ImageBuffer(
        decoding: URL(filePath: samples[place].path), alpha: options.alpha)
      try Self.check(read, samples[place].path)
      picture = read
    }
    guard let picture else { return nil }
    let subject = subjects[unit.models[0]]
    if recipe.descent.octaves.allSatisfy({ $0.size == .own }) {
      // As the model crops it.
      return subject.preprocessing.pixels(of: try subject.preprocessing.tensor(picture))
    }
    let longest = max(picture.width, picture.height)
    let fitted =
      longest > 1024
      ? picture.resized(
        width: max(16, picture.width * 1024 / longest),
        height: max(16, picture.height * 1024 / longest), using: .bicubic) : picture
    return (Tensor(fitted.pixels, shape: [fitted.height, fitted.width, 3]).to(.float32) / 255)
      .permuted(2, 0, 1).unsqueezed(0).contiguous()
  }

  /// A seed of its own for each purpose and repetition.
  private func seed(_ purpose: UInt64, _ repetition: Int) -> UInt64 {
    (options.seed &* 1_000_003 &+ purpose) &* 1_000_003 &+ UInt64(repetition)
  }

  /// The result, once the pass has ended.
  ///
  /// - Throws: `AnalysisError.tooFewImages`, `AnalysisError.interrupted`, `AnalysisError.site` where no gradient reaches the
  ///   pixels, and what models throw.
  public func result() throws -> GenerationResult { try computed().result }

  func computed() throws -> GenerationComputed {
    guard let first = gathered.samples.first else {
      throw AnalysisError.tooFewImages(needed: 1, found: 0, where: "generation")
    }
    for (number, unit) in units.enumerated() where found[unit.key] == nil {
      found[unit.key] = try make(unit) {
        progress(
          "making pictures: \(unit.name(subjects))", (Double(number) + $0) / Double(units.count))
      }
      running = nil
      try keep()
    }
    progress("generation", 1)
    let begins = try units.first.flatMap { try beginning($0, gathered.samples) }
    return try GenerationComputed(
      self, units.compactMap { unit in found[unit.key].map { (unit, $0) } }, begins: begins,
      named: begins == nil
        ? nil : options.beginning.map { URL(filePath: $0).lastPathComponent } ?? samples[first].id)
  }

  private func make(
    _ unit: GenerationUnit, _ share: (Double) -> Void
  ) throws -> GenerationUnit.Found {
    let views = unit.views(subjects, recipe)
    let device = subjects[unit.models[0]].device
    let descent = unit.descent(views, recipe, seed: seed(5, 0), name: unit.name(subjects))
    let begins = try beginning(unit, gathered.samples)
    let (height, width) = size(unit)
    let start: Descent.State
    if let begins {
      start = try descent.begin(
        from: Tensor.concatenated(unit.rows.map { _ in begins }, 0).to(device))
    } else if recipe.start == .narrowUniform {
      start = try descent.begin(
        from: Tensor.stacked(
          unit.rows.map {
            recipe.beginning([3, height, width], seed: seed(1, $0.start)) ?? .zeros([3, 1, 1])
          }
        ).to(device))
    } else {
      start = try descent.begin(
        height: height, width: width, seeds: unit.rows.map { seed(1, $0.start) }, device: device)
    }
    var state = (running?.key == unit.key ? running?.state ?? start : start).moved(to: device)
    let steps = max(1, recipe.descent.steps)
    do {
      try descent.run(
        &state, seed: seed(6, 0), every: max(1, steps / 40), isInterrupted: isInterrupted,
        each: { [self] in
          running = (unit.key, $0)
          try keep()
        }
      ) { share(Double($0) / Double(steps)) }
    } catch {
      running = (unit.key, state)
      throw error
    }
    let pictures = descent.result(state)
    let before = try unit.scores(descent.pictures(start), views)
    let after = try unit.scores(pictures, views)
    return GenerationUnit.Found(
      pictures: pictures.to(.cpu),
      numbers: unit.rows.indices.map { row in
        GenerationUnit.Numbers(
          before: before[row].own, after: after[row].own, best: after[row].best,
          trace: state.trace[row].map { GenerationResult.Point(step: $0.step, loss: $0.loss) },
          diverged: state.stopped[row])
      })
  }
}

extension GenerationAnalysis: PiecewiseAnalysis {
  /// Writes `results/generation.json`, and to `tensors/generation/` every picture as a PNG and, unclamped, all in one file.
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
