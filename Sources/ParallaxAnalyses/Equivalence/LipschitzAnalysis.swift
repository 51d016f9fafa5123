import Foundation
import ParallaxImages
import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// How steep some representations are at some pictures: directional Lipschitz estimates, singular values, normal and tangent space,
/// segments, and walks among pictures with one embedding.
///
/// The pass hands over the pixels of sources and targets; derivatives are taken once it has ended, a picture and a site at a time. Where
/// that is stopped, finished pictures are kept with the state of the pass, and the same run goes on with the next.
///
/// > Source: Salman, Shams and Liu, 2024, arXiv 2401.15568, for the idea; the protocol is our reconstruction, and the result names it.
public final class LipschitzAnalysis: Accumulator {
  /// What is estimated, and how.
  public struct Options: Sendable {
    /// Which pictures, and the targets that give directions.
    public var pairs = MatchPairs.random(1)
    /// Sites of a model whose sites nobody chose; 1: where its embedding is.
    public var sites = 1
    /// The match that gives the matching direction.
    public var recipe = MatchRecipe.quick
    /// The shortest step h, in pixels of 0 to 1; the longest is that of the match.
    public var shortest = 1e-3
    /// Steps, on a logarithmic grid.
    public var steps = 20
    /// K, random directions.
    public var directions = 16
    /// Random directions of the tangent space.
    public var tangents = 4
    /// Products either way that take a direction's part in a normal space away that is not known as a whole, at most.
    public var products = 60
    /// Parts of a segment.
    public var parts = 20
    /// The radius of the ball of the lower bound, in pixels of 0 to 1.
    public var radius = 0.5
    /// Pictures of the ball beside its centre.
    public var samples = 4
    /// Iterations of the power iteration.
    public var iterations = 20
    /// The largest D of which the whole Jacobian is decomposed; of a larger one the leading values are.
    public var whole = 1024
    /// Leading values that are looked for then.
    public var leading = 64
    /// τ of the normal space.
    public var threshold = 1e-3
    /// Steps of a walk; 0 for none.
    public var walk = 0
    /// Which walk.
    public var walkPreset = Walk.target
    /// The threshold of λ of SiMEC and SiMExp.
    public var walkThreshold = PullbackWalk.Options().threshold
    /// Their m.
    public var walkMultiplier = PullbackWalk.Options().multiplier
    /// Steps of a level-set traversal of outputs that are logits; 0 for none.
    public var levelSet = 0
    /// ε of the traversal's counter-perturbation; 0 for none, as published.
    public var counterPerturbation = 0.0
    /// Radii of the level set's widths, in pixels of 0 to 1; none for no widths. The authors' are 5, 10, … 30.
    public var widths: [Double] = []
    /// The models once more in float64, by name, where that was asked for: everything is computed in it.
    public var precise: [String: any Model] = [:]
    /// Batches and points of CLEVER; no batches for none.
    public var clever: (batches: Int, samples: Int, radius: Double) = (0, 32, 0.5)
    /// Rows that go through a model at once.
    public var batchSize = 8
    /// What becomes of transparency of pictures that lie outside the set.
    public var alpha = ImageBuffer.Alpha.overWhite
    /// Classes next to the largest output that CLEVER's score is the least over; the paper's is over all.
    public var cleverClasses = 1
    /// Whether CLEVER's ball is of the largest change of a pixel, L∞, not of ‖·‖₂.
    public var cleverIsMaximum = false
    /// The seed of pairs, directions and samples.
    public var seed: UInt64 = 0

    /// One pair.
    public init() {}
  }

  /// Which way a walk goes.
  public enum Walk: String, Sendable, CaseIterable {
    /// Towards the target, as far as the embedding does not see it: ``EquivalenceWalk``.
    case target
    /// Along random eigenvectors that keep the embedding: ``PullbackWalk``.
    case simec
    /// Along random eigenvectors that change it.
    case simexp

    var kind: PullbackWalk.Kind? {
      switch self {
      case .target: nil
      case .simec: .simec
      case .simexp: .simexp
      }
    }
  }

  /// `lipschitz`.
  public let name = "lipschitz"
  /// Asked before each product; where it says yes, the run stops and what was found stays.
  public var isInterrupted: () -> Bool = { false }
  /// Told what is computed and how much of it is done, from 0 to 1.
  public var progress: (_ part: String, _ share: Double) -> Void = { _, _ in }
  /// Called where there is more to keep than before.
  public var keep: () throws -> Void = {}
  /// The pixels that go into each model.
  public let wanted: [Representation]
  let options: Options
  let subjects: [Subject]
  let places: [ChosenSites.Place]
  /// The set's, then those outside it.
  private let samples: [Sample]
  private let outside: OutsidePictures
  private let pairs: [(source: Int, target: Int)]
  private let drawn: Set<Int>
  private var pixels: GatheredFeatures
  private var rows: [Int] = []
  private var found: [String: Found] = [:]

  /// What was found of a pair at a place.
  struct Found {
    var numbers: LipschitzResult.Picture
    /// The matched picture, then those of the walk, then the last of the level set.
    var pictures: Tensor
  }

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
    drawn = Set(pairs.flatMap { [$0.source, $0.target] })
    let chosen = try MatchingAnalysis.places(
      wanted, of: subjects, among: named, sites: options.sites)
    if options.levelSet > 0 || options.clever.batches > 0 {
      try Self.checkOutputs(chosen.places, subjects)
    }
    (self.wanted, places) = (chosen.inputs, chosen.places)
    (self.subjects, self.options, samples) = (subjects, options, images.samples + outside.samples)
    pixels = GatheredFeatures(
      name, widths: subjects.map { 3 * $0.imageSize.height * $0.imageSize.width })
  }

  /// Level sets and CLEVER are of a classifier's output.
  private static func checkOutputs(_ places: [ChosenSites.Place], _ subjects: [Subject]) throws {
    func isOutput(_ place: ChosenSites.Place) -> Bool {
      place.site.name == subjects[place.subject].logitsSite?.name
    }
    guard !places.contains(where: isOutput) else { return }
    let outputs = subjects.compactMap { one in one.logitsSite.map { "\(one.name)@\($0.name)" } }
    throw AnalysisError.nothingAsked(
      "level sets and CLEVER are of a classifier's output, found \(places.prefix(3).map(\.representation.address).joined(separator: ", ")); expected "
        + (outputs.isEmpty
          ? "a classifier: none of these models ends with one number a class"
          : outputs.prefix(3).joined(separator: ", ")))
  }

  /// Everything that is chosen.
  public var fingerprint: String {
    let o = options
    return
      "2 \(o.recipe.fingerprint) pairs \(o.pairs.fingerprint) outside \(outside.fingerprint) h \(o.shortest) × \(o.steps) K \(o.directions) \(o.tangents) parts \(o.parts) ball \(o.radius) × \(o.samples) iterations \(o.iterations) whole \(o.whole) \(o.leading) τ \(o.threshold) walk \(o.walk) \(o.walkPreset) \(o.walkThreshold) \(o.walkMultiplier) level \(o.levelSet) \(o.counterPerturbation) \(o.widths) products \(o.products) \(o.precise.isEmpty ? "float32" : "float64") clever \(o.clever) \(o.cleverClasses) \(o.cleverIsMaximum) seed \(o.seed) places \(places.map(\.representation.address).joined(separator: ";"))"
  }

  /// Opens a block; pixels of images in no pair are not kept.
  public func begin(_ block: BlockHeading) {
    rows = block.samples.indices.filter { drawn.contains(block.samples[$0]) }
    pixels.begin(BlockHeading(index: block.index, samples: rows.map { block.samples[$0] }))
  }

  /// Keeps pixels.
  ///
  /// - Throws: `MeasureError.blockOrder` where no block is open, or they come twice.
  public func add(_ index: Int, _ features: Tensor) throws {
    try pixels.add(index, features.gathered(0, rows))
  }

  /// Closes the block.
  ///
  /// - Throws: `MeasureError.blockOrder` where something is missing.
  public func finish() throws { try pixels.finish() }

  /// The pixels, and what was found so far.
  public func state() -> [(name: String, tensor: Tensor)] {
    pixels.state() + StateNotes.entries(found: found.mapValues { ($0.pictures, $0.numbers) })
  }

  /// Goes on from the state of an interrupted run.
  ///
  /// - Returns: false where it is of other models, places or sizes; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool {
    var pictures = pixels
    guard pictures.restore(state.filter { !$0.key.hasPrefix("found.") }) else { return false }
    var restored: [String: Found] = [:]
    for (place, one) in places.enumerated() {
      let size = subjects[one.subject].imageSize
      for pair in pairs.indices {
        let finished = state.under("found.\(place).\(pair).")
        guard !finished.isEmpty else { continue }
        guard let own = finished["pictures"], own.rank == 4,
          Array(own.shape.dropFirst()) == [3, size.height, size.width],
          let numbers = StateNotes.value(LipschitzResult.Picture.self, finished["numbers"]),
          own.shape[0] == 1 + numbers.walk.count + (numbers.levelSet == nil ? 0 : 1)
        else { return false }
        restored["\(place).\(pair)"] = Found(numbers: numbers, pictures: own)
      }
    }
    (pixels, found) = (pictures, restored)
    return true
  }

  /// The result, once the pass has ended.
  ///
  /// - Throws: `AnalysisError.tooFewImages`, `AnalysisError.interrupted`, `AnalysisError.site` where at no pair there is a derivative that
  ///   is finite, and what models throw. Where that is so at some pairs only, these say why they have no numbers.
  public func result() throws -> LipschitzResult { try computed().result }

  func computed() throws -> (result: LipschitzResult, files: PictureShelf) {
    let pixels = try outside.added(to: pixels)
    let seen = Dictionary(uniqueKeysWithValues: pixels.samples.enumerated().map { ($1, $0) })
    let local = pairs.enumerated().compactMap { index, pair in
      seen[pair.source].flatMap { source in seen[pair.target].map { (index, source, $0) } }
    }
    guard !local.isEmpty else {
      throw AnalysisError.tooFewImages(
        needed: 2, found: pixels.samples.count,
        where: "lipschitz, of the images that make its pairs")
    }
    let originals = subjects.indices.map { index in
      let size = subjects[index].imageSize
      return subjects[index].preprocessing.pixels(
        of: pixels.whole(index).reshaped(pixels.samples.count, 3, size.height, size.width))
    }
    let total = Double(places.count * local.count)
    for (place, one) in places.enumerated() {
      for (number, (pair, source, target)) in local.enumerated()
      where found["\(place).\(pair)"] == nil {
        let done = Double(place * local.count + number)
        let estimates = LipschitzEstimates(
          options: options, subject: subjects[one.subject], representation: one.representation,
          isInterrupted: isInterrupted
        ) { [progress] part, share in progress(part, (done + share) / total) }
        let (x, goal) = (
          originals[one.subject].sliced(0, source, source + 1),
          originals[one.subject].sliced(0, target, target + 1)
        )
        do {
          found["\(place).\(pair)"] = try estimates(
            x, goal, source: source, target: target,
            seed: options.seed &* 1_000_003 &+ UInt64(pair))
        } catch AnalysisError.site(let address, let problem) {
          // One picture need not cost the others their numbers.
          var numbers = LipschitzResult.Picture(
            source: source, target: target, ending: "failed", change: 0, cosine: nil, steps: [])
          numbers.problem = "\(address): \(problem)"
          found["\(place).\(pair)"] = Found(numbers: numbers, pictures: x)
        }
        try keep()
      }
    }
    let all = found.sorted { $0.key < $1.key }.map(\.value.numbers.problem)
    if let problem = all.first, let problem, all.allSatisfy({ $0 != nil }) {
      let parts = problem.split(separator: ": ", maxSplits: 1).map(String.init)
      throw AnalysisError.site(parts[0], problem: parts.last ?? "")
    }
    progress("lipschitz", 1)
    return try assembled(originals, local.map(\.0), ids: pixels.samples)
  }

  private func assembled(_ originals: [Tensor], _ pairs: [Int], ids: [Int]) throws -> (
    result: LipschitzResult, files: PictureShelf
  ) {
    var result = LipschitzResult(
      images: ids.map { outside.image($0, samples) }, seed: options.seed)
    result.dtype = options.precise.isEmpty ? "float32" : "float64"
    var files = PictureShelf(name)
    for (index, subject) in subjects.enumerated() {
      var model = LipschitzResult.Model(
        name: subject.name, family: subject.family, design: subject.design.rawValue,
        height: subject.imageSize.height, width: subject.imageSize.width)
      model.originals = try result.images.indices.map {
        try PictureShelf.small(originals[index].selected(0, $0))
      }
      for (place, one) in places.enumerated() where one.subject == index {
        var entry = LipschitzResult.Place(
          site: one.representation.site.name, tokens: "\(one.representation.tokens)",
          depth: one.depth,
          features: try one.representation.tokens.width(
            at: one.representation.site, subject.model.tokenLayout, imageSize: subject.imageSize))
        for pair in pairs {
          guard let own = found["\(place).\(pair)"] else { continue }
          var picture = own.numbers
          let name = "\(subject.name)@\(one.representation.site.name)-pair-\(pair + 1)"
          guard picture.problem == nil else {
            entry.pictures.append(picture)
            continue
          }
          picture.matched = try files.add(own.pictures.selected(0, 0), "\(name)-matched").small
          for stop in picture.walk.indices {
            let kept = try files.add(
              own.pictures.selected(0, 1 + stop), "\(name)-step-\(picture.walk[stop].step)")
            (picture.walk[stop].picture, picture.walk[stop].file) = (kept.small, kept.file)
          }
          if var path = picture.levelSet {
            let kept = try files.add(
              own.pictures.selected(0, own.pictures.shape[0] - 1), "\(name)-level-set")
            (path.picture, path.file) = (kept.small, kept.file)
            picture.levelSet = path
          }
          entry.pictures.append(picture)
        }
        model.places.append(entry)
      }
      result.models.append(model)
    }
    result.switches = LipschitzSwitches.list(options)
    result.findings = LipschitzFindings(result: result)()
    return (result, files)
  }
}

extension LipschitzAnalysis: PiecewiseAnalysis {
  /// Pictures that lie outside the set.
  public var sources: [Provenance.Source] { outside.sources }

  /// Writes `results/lipschitz.json`, and to `tensors/lipschitz/` the matched pictures and those of walks.
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
