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
/// pairs and the states of those that have begun are kept with the state of the pass, and the same run goes on with the next step, however many
/// pairs it changes at once.
///
/// > Source: Salman, Shams and Liu, 2024, arXiv 2401.15568. What it leaves open is our reconstruction, and the result names it.
public final class MatchingAnalysis: Accumulator {
  /// A picture that has been matched.
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
  /// The set's, then those outside it.
  let samples: [Sample]
  let outside: OutsidePictures
  private var outsideRows: [Int: [Tensor]] = [:]
  /// Places in the set.
  let pairs: [(source: Int, target: Int)]
  /// Of each pair the targets before its last, places in the set.
  let others: [[Int]]
  private let drawn: Set<Int>
  private var gathered: GatheredFeatures
  private var pixels: GatheredFeatures
  private var rows: [Int] = []
  /// By place and pair.
  var found: [String: Found] = [:]
  /// Pairs that have begun, each by itself, so that they can go on in other company.
  var running: [String: EmbeddingMatch.State] = [:]

  /// An analysis of sites of some models.
  ///
  /// - Parameters:
  ///   - wanted: the representations, those of one model together and in execution order.
  ///   - subjects: the models.
  ///   - images: the data set.
  ///   - named: those of the representations that somebody chose; of a model without one only some are taken.
  ///   - options: how.
  /// - Throws: `AnalysisError.nothingAsked`, `AnalysisError.tooFewImages`, `TensorError.file` and `ImageError` where a source or target is neither of the
  ///   set nor an image file.
  public init(
    _ wanted: [Representation], of subjects: [Subject], images: ImageSet,
    among named: [Representation] = [], options: Options = Options()
  ) throws {
    outside = try OutsidePictures(
      options.pairs, images.samples, for: subjects, alpha: options.alpha)
    pairs = try options.pairs.chosen(
      images.samples, outside: outside.samples, seed: options.seed)
    others = try MatchPairs.others(
      of: pairs, options.recipe.targets - 1, images.samples, outside: outside.samples,
      seed: options.seed)
    drawn = Set(pairs.flatMap { [$0.source, $0.target] } + others.flatMap(\.self))
    let chosen = try Self.places(wanted, of: subjects, among: named, sites: options.sites)
    let (inputs, places) = (chosen.inputs, chosen.places)
    self.wanted = inputs + places.map(\.representation)
    (self.subjects, self.places, self.options) = (subjects, places, options)
    samples = images.samples + outside.samples
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
    outsideRows = try outside.embedded(
      places.map { ($0.subject, $0.representation) }, subjects)
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
    "3 \(options.recipe.fingerprint) vectors \(options.vectors?.hash ?? "none") pairs \(options.pairs.fingerprint) outside \(outside.fingerprint) noise \(options.noise) × \(options.draws) seed \(options.seed) places \(places.map(\.representation.address).joined(separator: ";"))"
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
    for (key, one) in running.sorted(by: { $0.key < $1.key }) where found[key] == nil {
      guard let tensors = try? one.tensors() else { continue }
      list += StateNotes.entries(running: key, tensors)
    }
    return list
  }

  /// Goes on from the state of an interrupted run.
  ///
  /// - Returns: false where it is of other models, places or sizes; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool {
    // `found.PLACE.PAIR.NAME`, `running.PLACE.PAIR.NAME`, `pixels.NAME`, and what the pass gave.
    var parts: [String: [String: Tensor]] = [:]
    var (own, input): ([String: Tensor], [String: Tensor]) = ([:], [:])
    for (name, tensor) in state {
      let words = name.split(separator: ".", maxSplits: 3).map(String.init)
      if words.count == 4, words[0] == "found" || words[0] == "running" {
        parts[words[0..<3].joined(separator: "."), default: [:]][words[3]] = tensor
      } else if words[0] == "pixels" {
        input[String(name.dropFirst("pixels.".count))] = tensor
      } else {
        own[name] = tensor
      }
    }
    var (features, pictures) = (gathered, pixels)
    guard features.restore(own), pictures.restore(input) else { return false }
    var restored: [String: Found] = [:]
    var going: [String: EmbeddingMatch.State] = [:]
    for (place, one) in places.enumerated() {
      let size = subjects[one.subject].imageSize
      let shape = [1, 3, size.height, size.width]
      for pair in pairs.indices {
        let key = Self.key(place, pair)
        if let finished = parts["found.\(key)"] {
          guard let picture = finished["pictures"], picture.shape == shape,
            let numbers = EmbeddingMatch.State.Numbers(finished["numbers"], batch: 1)
          else { return false }
          restored[key] = Found(pictures: picture, numbers: numbers)
        }
        if let begun = parts["running.\(key)"] {
          guard let state = EmbeddingMatch.State(begun, shape: shape) else { return false }
          going[key] = state
        }
      }
    }
    (gathered, pixels, found, running) = (features, pictures, restored, going)
    return true
  }

  static func key(_ place: Int, _ pair: Int) -> String { "\(place).\(pair)" }

  /// A source and its targets, rows of the images that take part.
  struct MatchGoal {
    /// Among the analysis' pairs.
    var pair: Int
    var source: Int
    var target: Int
    /// Targets before the last.
    var others: [Int]
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
  private func left(_ pixels: GatheredFeatures, _ bank: Bank) -> [String] {
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

  /// The result, once the pass has ended.
  ///
  /// - Throws: `AnalysisError.tooFewImages`, `AnalysisError.interrupted`, `AnalysisError.site` where no gradient reaches the
  ///   pictures, and what models throw.
  public func result() throws -> MatchingResult { try computed().result }

  func computed() throws -> MatchingComputed {
    let bank = Bank(gathered, samples: samples, outside: outsideRows)
    let pixels = try outside.added(to: pixels)
    let read = read(pixels, bank)
    let left = left(pixels, bank)
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
    try match(local, originals)
    progress("matching", 1)
    let results = places.indices.map { place in
      local.compactMap { found[Self.key(place, $0.pair)] }
    }
    return try MatchingComputed(
      self, originals, goals: local, results, bank, ids: pixels.samples, left: left)
  }
}

extension MatchingAnalysis: PiecewiseAnalysis {
  /// Pictures that lie outside the set.
  public var sources: [Provenance.Source] { outside.sources }

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
