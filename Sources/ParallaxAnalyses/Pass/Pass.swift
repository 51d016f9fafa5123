import Foundation
import ParallaxImages
import ParallaxModels
import ParallaxTensors

/// The pass over the images: one mechanism for streaming, many analyses at once, and resuming.
///
/// Images are cut into fixed blocks by index. For each block every model runs once over the union of the
/// sites that anybody wants and hands what it saw to every accumulator; what was seen is gone before the
/// next block. Numbers do not depend on `workers`, nor on where a run was interrupted.
public struct Pass {
  /// The models.
  public var subjects: [Subject]
  /// The images.
  public var images: ImageSet
  /// Images a block.
  public var blockSize = 64
  /// Images a forward pass, at most; a block is cut into as many as it needs.
  public var batchSize = 32
  /// What becomes of transparency.
  public var alpha = ImageBuffer.Alpha.overWhite
  /// Threads that decode.
  public var workers = 2
  /// Whether an unreadable image stops the run.
  public var strict = false
  /// Where the state of unfinished runs is kept; nil for nowhere.
  public var stateFolder: URL?
  /// Whether to go on from a state that is kept there; if not, it is written anew.
  public var resumes = true
  /// Whether the state stays once the pass has ended, for what comes after it to go on from; whoever asks for it removes it.
  var keepsState = false
  /// Seconds between two savings of the state.
  public var savingInterval = 10.0
  /// Asked between batches; true stops the run.
  public var isInterrupted: @Sendable () -> Bool = { false }
  /// Told how far the run is.
  public var progress: @Sendable (Progress) -> Void = { _ in }

  /// How far a run is.
  public struct Progress: Sendable {
    /// Images that every model has seen, as a fraction of one where only some have.
    public var done: Double
    /// All images.
    public var total: Int
    /// Images that were done before this process began.
    public var resumed: Int
    /// The model that is running.
    public var model: String
  }

  /// What a run leaves beside the accumulators' results.
  public struct Outcome: Sendable {
    /// Places of the images that were read, in order.
    public var samples: [Int]
    /// Images that could not be read.
    public var skipped: [SkippedImage]
    /// Blocks that a saved state spared.
    public var resumedBlocks: Int
    /// Seconds each model computed, by name.
    public var seconds: [String: Double]
  }

  /// How images are arranged before they are cut into blocks.
  public enum Order: String, Sendable, CaseIterable {
    /// As the set lists them: class after class in a folder of classes.
    case listed
    /// Mixed, by the hash of each image's id, so that each block is a random part of the set: what estimates from
    /// blocks take for granted. The same images are always mixed the same way.
    case shuffled
  }
  /// The order of the images; a `Study` mixes them.
  public var order = Order.listed

  /// How often all images are seen, each time mixed anew and cut into other blocks, of which only whole ones count; for
  /// analyses whose numbers are sums over blocks.
  public var passes = 1

  /// A pass of models over images.
  public init(subjects: [Subject], images: ImageSet) {
    self.subjects = subjects
    self.images = images
  }

  /// Runs the pass.
  ///
  /// - Parameters:
  ///   - accumulators: the analyses; after the call they hold their results.
  ///   - write: keeps the results, once all blocks have been added. The saved state is removed only after it; where
  ///     it throws, the state of the whole pass is saved instead, and the same run comes straight to it.
  /// - Returns: what was read and what was not.
  /// - Throws: `AnalysisError.interrupted` when stopped (the state is saved first), and what images, models,
  ///   accumulators and `write` throw.
  @discardableResult
  public func run(
    _ accumulators: [any Accumulator], thenWriting write: (Outcome) throws -> Void = { _ in }
  ) throws -> Outcome {
    let plan = try Plan(subjects, accumulators)
    guard passes <= 1 || images.samples.count >= blockSize else {
      throw AnalysisError.tooFewImages(
        needed: blockSize, found: images.samples.count,
        where: "several passes in whole blocks of \(blockSize)")
    }
    let keeper = keeper(accumulators)
    var outcome = Outcome(samples: [], skipped: [], resumedBlocks: 0, seconds: [:])
    if resumes, let saved = try keeper?.load(accumulators) { outcome = saved }
    let arranged = arrangement()
    let count = arranged.count
    let blocks = ImageLoader(alpha: alpha, workers: workers, strict: strict).blocks(
      of: blockSize, from: arranged.map { images.samples[$0] }, for: subjects.map(\.preprocessing),
      indices: Array(
        outcome.resumedBlocks..<max(outcome.resumedBlocks, (count + blockSize - 1) / blockSize)))
    defer { blocks.cancel() }
    let resumed = min(outcome.resumedBlocks * blockSize, count)
    var lastSaved = Date()
    while let block = try blocks.next() {
      let positions = block.positions.map { arranged[$0] }
      if !block.samples.isEmpty {
        do {
          try runBlock(block, positions, plan, accumulators, resumed, &outcome)
        } catch AnalysisError.interrupted {
          // What the open block has added so far is not part of the state.
          try keeper?.save(accumulators, outcome, blocks: block.index)
          throw AnalysisError.interrupted
        }
      }
      outcome.samples += positions
      outcome.skipped += block.skipped
      let unsaved = Date().timeIntervalSince(lastSaved)
      let stopping = isInterrupted()
      if let keeper, stopping || unsaved >= savingInterval {
        try keeper.save(accumulators, outcome, blocks: block.index + 1)
        lastSaved = Date()
      }
      if stopping, (block.index + 1) * blockSize < count { throw AnalysisError.interrupted }
    }
    outcome.samples = Array(Set(outcome.samples)).sorted()
    var seen: Set<String> = []
    outcome.skipped = outcome.skipped.filter { seen.insert($0.path).inserted }
      .sorted { $0.path < $1.path }
    let (finished, blockCount) = (outcome, (count + blockSize - 1) / blockSize)
    if let keeper {
      keepPieces(of: accumulators) { try keeper.save(accumulators, finished, blocks: blockCount) }
    }
    do { try write(outcome) } catch {
      try? keeper?.save(accumulators, outcome, blocks: blockCount)
      throw error
    }
    if keepsState {
      try keeper?.save(accumulators, outcome, blocks: blockCount)
    } else {
      keeper?.remove()
    }
    return outcome
  }

  /// What keeps the state of this pass.
  func keeper(_ accumulators: [any Accumulator]) -> StateKeeper? {
    stateFolder.map { StateKeeper(folder: $0, key: key(accumulators)) }
  }

  /// Lets analyses that go on by themselves keep what they find, not more often than saving is worth.
  private func keepPieces(of accumulators: [any Accumulator], save: @escaping () throws -> Void) {
    var (lastSaved, cost) = (Date.distantPast, 0.0)
    for case let one as any PiecewiseAnalysis in accumulators {
      one.keep = { [savingInterval] in
        let start = Date()
        let pause = savingInterval > 0 ? max(savingInterval, 20 * cost) : 0
        guard start.timeIntervalSince(lastSaved) >= pause else { return }
        try save()
        lastSaved = Date()
        cost = lastSaved.timeIntervalSince(start)
      }
    }
  }

  private func runBlock(
    _ block: ImageBlock, _ positions: [Int], _ plan: Plan,
    _ accumulators: [any Accumulator], _ resumed: Int,
    _ outcome: inout Outcome
  ) throws {
    let heading = BlockHeading(index: block.index, samples: positions)
    for accumulator in accumulators { try accumulator.begin(heading) }
    for (place, subject) in subjects.enumerated() {
      let start = Date()
      progress(
        Progress(
          done: Double(block.index * blockSize)
            + Double(block.samples.count * place) / Double(subjects.count),
          total: total, resumed: resumed, model: subject.name))
      try plan.run(
        subject, on: block.tensor(place).to(subject.device), batchSize: batchSize,
        accumulators, isInterrupted)
      outcome.seconds[subject.name, default: 0] += Date().timeIntervalSince(start)
    }
    for accumulator in accumulators { try accumulator.finish() }
    progress(
      Progress(
        done: Double(block.index * blockSize + block.samples.count), total: images.samples.count,
        resumed: resumed, model: ""))
  }

  /// Images that are seen, all passes together.
  private var total: Int {
    let count = images.samples.count
    return passes > 1 ? passes * (count / blockSize * blockSize) : count
  }

  /// The places of the images in the order in which they are cut into blocks.
  private func arrangement() -> [Int] {
    let places = Array(images.samples.indices)
    guard order == .shuffled || passes > 1 else { return places }
    return (0..<max(1, passes)).flatMap { pass -> [Int] in
      let prefix = pass == 0 ? "order" : "order \(pass)"
      let keys = images.samples.map { ContentHash.sha256("\(prefix)\n\($0.id)") }
      let mixed = places.sorted { (keys[$0], $0) < (keys[$1], $1) }
      return passes > 1 ? Array(mixed.prefix(places.count / blockSize * blockSize)) : mixed
    }
  }

  /// What the numbers of this run depend on, as one hash.
  func key(_ accumulators: [any Accumulator]) -> String {
    var text = "parallax pass 1\nblock \(blockSize)\n"
    if order == .shuffled { text += "order shuffled\n" }
    if passes > 1 { text += "passes \(passes)\n" }
    for subject in subjects {
      text += "model \(subject.name) \(subject.fingerprint) \(subject.preprocessing.fingerprint)\n"
    }
    for accumulator in accumulators {
      text += "analysis \(accumulator.name) \(accumulator.fingerprint)\n"
      for representation in accumulator.wanted { text += "  \(representation.address)\n" }
    }
    text += "images \(images.fingerprint) \(alpha.rawValue)\n"
    return ContentHash.sha256(text)
  }
}
