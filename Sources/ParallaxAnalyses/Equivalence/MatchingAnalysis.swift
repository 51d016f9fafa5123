import Foundation
import ParallaxImages
import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// Pictures that look like their sources and have the embeddings of their targets, at some sites of some models, and what readers of
/// embeddings make of them.
///
/// The pass hands over the representations of all images, behind which nearest neighbours, prototypes and probes stand, and the
/// pixels of sources and targets. Gradients are no part of it: matching runs once it has ended. Where that is stopped, finished
/// batches and the state of the running one are kept with the state of the pass, and the same run goes on with the next step.
///
/// > Source: Salman, Shams and Liu, 2024, arXiv 2401.15568. What it leaves open is our reconstruction, and the result names it.
public final class MatchingAnalysis: Accumulator {
  /// Some pictures that have been matched.
  struct Found {
    /// In the recipe's unit.
    var pictures: Tensor
    var numbers: EmbeddingMatch.State.Numbers
  }

  /// `matching`.
  public let name = "matching"
  /// Asked before each step; where it says yes, the run stops and what was found stays.
  public var isInterrupted: () -> Bool = { false }
  /// Told what is computed and how much of it is done, from 0 to 1.
  public var progress: (_ part: String, _ share: Double) -> Void = { _, _ in }
  /// Called where there is more to keep than before.
  public var keep: () throws -> Void = {}
  /// The pixels that go into each model, then the representations.
  public let wanted: [Representation]
  let options: Options
  let subjects: [Subject]
  let places: [ChosenSites.Place]
  let samples: [Sample]
  /// Places in the set.
  let pairs: [(source: Int, target: Int)]
  /// Of each pair the targets before its last, places in the set.
  let others: [[Int]]
  private let drawn: Set<Int>
  private var gathered: GatheredFeatures
  private var pixels: GatheredFeatures
  private var rows: [Int] = []
  private var found: [String: Found] = [:]
  private var running: (key: String, state: EmbeddingMatch.State)?

  /// An analysis of sites of some models.
  ///
  /// - Parameters:
  ///   - wanted: the representations, those of one model together and in execution order.
  ///   - subjects: the models.
  ///   - images: the data set.
  ///   - named: those of the representations that somebody chose; of a model without one only some are taken.
  ///   - options: how.
  /// - Throws: `AnalysisError.nothingAsked`, `AnalysisError.tooFewImages`.
  public init(
    _ wanted: [Representation], of subjects: [Subject], images: ImageSet,
    among named: [Representation] = [], options: Options = Options()
  ) throws {
    pairs = try options.pairs.chosen(images.samples, seed: options.seed)
    others = try MatchPairs.others(
      of: pairs, options.recipe.targets - 1, images.samples, seed: options.seed)
    drawn = Set(pairs.flatMap { [$0.source, $0.target] } + others.flatMap(\.self))
    let chosen = try Self.places(wanted, of: subjects, among: named, sites: options.sites)
    let (inputs, places) = (chosen.inputs, chosen.places)
    self.wanted = inputs + places.map(\.representation)
    (self.subjects, self.places, self.options) = (subjects, places, options)
    samples = images.samples
    if let vectors = options.vectors {
      guard places.count == 1, let place = places.first, options.recipe.targets == 1 else {
        throw AnalysisError.nothingAsked(
          "target embeddings belong to one site of one model and are one for each picture, found \(places.count) sites and \(options.recipe.targets) targets each"
        )
      }
      let subject = subjects[place.subject]
      try vectors.check(
        place.representation.address,
        features: place.representation.tokens.width(
          at: place.representation.site, subject.model.tokenLayout, imageSize: subject.imageSize))
    }
    pixels = GatheredFeatures(
      name, widths: subjects.map { 3 * $0.imageSize.height * $0.imageSize.width })
    gathered = GatheredFeatures(
      name,
      widths: try places.map { place in
        let subject = subjects[place.subject]
        return try place.representation.tokens.width(
          at: place.representation.site, subject.model.tokenLayout, imageSize: subject.imageSize)
      })
  }

  /// The representations that somebody chose, else some of each model: its embedding where one is enough.
  static func places(
    _ wanted: [Representation], of subjects: [Subject], among named: [Representation], sites: Int
  ) throws -> ChosenSites {
    try ChosenSites(
      wanted.filter { $0.site.name != "input" }, of: subjects, among: named, withTokens: true
    ) { subject, all in
      guard sites == 1, let embedding = subject.embedding,
        let index = subjects.firstIndex(where: { $0.name == subject.name })
      else { return ChosenSites.last(all, sites) }
      return [ChosenSites.Place(subject: index, representation: embedding, depth: 0)]
    }
  }

  /// Recipe, places, pairs, noise and seed.
  public var fingerprint: String {
    "2 \(options.recipe.fingerprint) vectors \(options.vectors?.hash ?? "none") pairs \(options.pairs.fingerprint) noise \(options.noise) × \(options.draws) batch \(options.batchSize) seed \(options.seed) places \(places.map(\.representation.address).joined(separator: ";"))"
  }

  /// Opens a block; pixels of images in no pair are not kept.
  public func begin(_ block: BlockHeading) {
    rows = block.samples.indices.filter { drawn.contains(block.samples[$0]) }
    gathered.begin(block)
    pixels.begin(BlockHeading(index: block.index, samples: rows.map { block.samples[$0] }))
  }

  /// Keeps pixels or features.
  ///
  /// - Throws: `MeasureError.blockOrder` where no block is open, or they come twice.
  public func add(_ index: Int, _ features: Tensor) throws {
    if index < subjects.count {
      try pixels.add(index, features.gathered(0, rows))
    } else {
      try gathered.add(index - subjects.count, features)
    }
  }

  /// Closes the block.
  ///
  /// - Throws: `MeasureError.blockOrder` where something is missing.
  public func finish() throws {
    try pixels.finish()
    try gathered.finish()
  }

  /// What the pass gave so far, the pictures found, and the match that is running.
  public func state() -> [(name: String, tensor: Tensor)] {
    var list = gathered.state() + pixels.state().map { ("pixels.\($0.name)", $0.tensor) }
    list += StateNotes.entries(found: found.mapValues { ($0.pictures, $0.numbers) })
    if let running, let tensors = try? running.state.tensors() {
      list += StateNotes.entries(running: running.key, tensors)
    }
    return list
  }

  /// Goes on from the state of an interrupted run.
  ///
  /// - Returns: false where it is of other models, places or sizes; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool {
    var (features, pictures) = (gathered, pixels)
    let own = state.filter { $0.key == "samples" || $0.key.hasPrefix("features.") }
    guard features.restore(own), pictures.restore(state.under("pixels.")) else { return false }
    var restored: [String: Found] = [:]
    var going: (key: String, state: EmbeddingMatch.State)?
    let bank = Bank(features, samples: samples)
    for unit in units(pairs: read(pictures, bank).count) {
      let shape = shape(unit)
      let finished = state.under("found.\(unit.key).")
      if let one = finished["pictures"] {
        guard one.shape == shape,
          let numbers = EmbeddingMatch.State.Numbers(finished["numbers"], batch: shape[0])
        else { return false }
        restored[unit.key] = Found(pictures: one, numbers: numbers)
      }
      let tensors = state.under("running.\(unit.key).")
      if !tensors.isEmpty {
        guard let state = EmbeddingMatch.State(tensors, shape: shape) else { return false }
        going = (unit.key, state)
      }
    }
    (gathered, pixels, found, running) = (features, pictures, restored, going)
    return true
  }

  /// A source and its targets, rows of the images that take part.
  struct MatchGoal {
    /// Among the analysis' pairs.
    var pair: Int
    var source: Int
    var target: Int
    /// Targets before the last.
    var others: [Int]
  }

  /// Pictures of one place that are changed at once.
  struct Unit {
    var key: String
    var place: Int
    /// Places among the pairs that could be read.
    var pairs: [Int]
  }

  /// The pairs all of whose images could be read and have embeddings that are finite everywhere, their places.
  private func read(_ pixels: GatheredFeatures, _ bank: Bank) -> [Int] {
    let seen = Set(pixels.samples)
    return pairs.indices.filter { index in
      images(index).allSatisfy { seen.contains($0) && bank.holds($0) }
    }
  }

  /// Places in the set of all images of a pair; that of an embedding is its source alone.
  private func images(_ index: Int) -> [Int] {
    let pair = pairs[index]
    return options.vectors != nil ? [pair.source] : [pair.source, pair.target] + others[index]
  }

  /// Pairs that were left out, and why.
  private func left(_ bank: Bank) -> [String] {
    let seen = Set(pixels.samples)
    return pairs.indices.compactMap { index in
      let pair = pairs[index]
      guard
        let image = images(index).first(where: { !seen.contains($0) || !bank.holds($0) })
      else { return nil }
      let name = "\(samples[pair.source].id) → \(samples[pair.target].id)"
      return seen.contains(image)
        ? "\(name): NaN or infinity in the embedding of '\(samples[image].id)'"
        : "\(name): '\(samples[image].id)' could not be read"
    }
  }

  private func units(pairs count: Int) -> [Unit] {
    places.indices.flatMap { place -> [Unit] in
      let size = max(
        1, subjects[places[place].subject].model.fixedBatch ?? options.batchSize)
      return stride(from: 0, to: count, by: size).enumerated().map { number, first in
        Unit(
          key: "\(place).\(number)", place: place,
          pairs: Array(first..<min(first + size, count)))
      }
    }
  }

  private func shape(_ unit: Unit) -> [Int] {
    let size = subjects[places[unit.place].subject].imageSize
    return [unit.pairs.count, 3, size.height, size.width]
  }

  /// The result, once the pass has ended.
  ///
  /// - Throws: `AnalysisError.tooFewImages`, `AnalysisError.interrupted`, `AnalysisError.site` where no gradient reaches the
  ///   pictures, and what models throw.
  public func result() throws -> MatchingResult { try computed().result }

  func computed() throws -> MatchingComputed {
    let bank = Bank(gathered, samples: samples)
    let read = read(pixels, bank)
    let left = left(bank)
    guard !read.isEmpty else {
      throw AnalysisError.classes(
        "matching: no pair is left, \(left.first ?? "none was drawn")\(left.count > 1 ? ", and \(left.count - 1) more" : "")"
      )
    }
    let originals = subjects.indices.map { index in
      let size = subjects[index].imageSize
      return subjects[index].preprocessing.pixels(
        of: pixels.whole(index).reshaped(pixels.samples.count, 3, size.height, size.width))
    }
    let rows = Dictionary(uniqueKeysWithValues: pixels.samples.enumerated().map { ($1, $0) })
    let local = read.compactMap { index -> MatchGoal? in
      guard let source = rows[pairs[index].source] else { return nil }
      // An embedding has no picture: its source stands in.
      let target = options.vectors == nil ? rows[pairs[index].target] : source
      return target.map {
        MatchGoal(
          pair: index, source: source, target: $0, others: others[index].compactMap { rows[$0] })
      }
    }
    let units = units(pairs: local.count)
    for (number, unit) in units.enumerated() where found[unit.key] == nil {
      found[unit.key] = try match(
        unit, originals, local, share: { (Double(number) + $0) / Double(units.count) })
      running = nil
      try keep()
    }
    progress("matching", 1)
    let results = places.indices.map { place in
      units.filter { $0.place == place }.compactMap { found[$0.key] }
    }
    return try MatchingComputed(
      self, originals, goals: local, results, bank, ids: pixels.samples, left: left)
  }

  private func match(
    _ unit: Unit, _ originals: [Tensor], _ goals: [MatchGoal],
    share: (Double) -> Double
  ) throws -> Found {
    let place = places[unit.place]
    let subject = subjects[place.subject]
    let embedding = RepresentationEmbedding(
      subject: subject, representation: place.representation, unit: options.recipe.unit)
    let match = EmbeddingMatch(
      embedding.name, options.recipe, scale: subject.scale(options.recipe.unit),
      offset: subject.offset(options.recipe.unit)
    ) { try embedding($0) }
    let own = originals[place.subject].to(subject.device)
    let mine = unit.pairs.map { goals[$0] }
    func pictures(_ rows: [Int]) -> Tensor {
      subject.inUnit(options.recipe.unit, own.gathered(0, rows))
    }
    let sources = pictures(mine.map(\.source))
    var targets: Tensor
    if let vectors = options.vectors {
      targets = vectors.rows.gathered(0, mine.map { $0.pair % vectors.count }).to(.float32)
        .to(subject.device)
    } else {
      targets = try embedding(pictures(mine.map(\.target))).detached()
    }
    var others = try (0..<(options.recipe.targets - 1)).map { number in
      try embedding(pictures(mine.map { $0.others[number] })).detached()
    }
    if options.recipe.targets > 1 {
      let start = try embedding(sources).detached()
      targets = EmbeddingMatch.rescaled(targets, to: start)
      others = others.map { EmbeddingMatch.rescaled($0, to: start) }
    }
    var state = running?.key == unit.key ? running?.state ?? .init(sources) : .init(sources)
    state = state.moved(to: subject.device)
    let part = "matching in \(embedding.name)"
    do {
      try match.run(
        sources, to: targets, after: others, &state, every: max(1, options.recipe.steps / 100),
        isInterrupted: isInterrupted
      ) { step in progress(part, share(Double(step) / Double(max(1, options.recipe.steps)))) }
    } catch {
      running = (unit.key, state)
      throw error
    }
    return Found(pictures: state.pictures.to(.cpu), numbers: state.numbers)
  }
}

extension MatchingAnalysis: PiecewiseAnalysis {
  /// Writes `results/matching.json`, and to `tensors/matching/` every picture as a PNG and, unclamped, all in one file.
  ///
  /// - Parameter run: the folder.
  /// - Returns: a row each number.
  /// - Throws: `ResultsError.unwritable`, and what `result` throws.
  public func write(into run: RunFolder) throws -> [TidyRow] {
    let computed = try computed()
    try computed.files.write(into: run, ["preset": options.recipe.name])
    try run.write(computed.result, analysis: name)
    return computed.result.tidyRows()
  }
}
