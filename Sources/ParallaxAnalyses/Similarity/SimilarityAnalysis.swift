import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// CKA of all pairs of sites of all models, in one pass over the images.
///
/// Two routes give the same quantity: by minibatches (the Gram matrices of each block, one ratio of sums at
/// the end) and exactly over the whole set (the features' cross products). `Route.automatic` takes the
/// cheaper one and the result records which and why.
///
/// > Source: Kornblith et al., 2019, arXiv 1905.00414; Nguyen et al., 2021, arXiv 2010.15327 (minibatches).
public final class SimilarityAnalysis: Accumulator {
  /// How the route is chosen.
  public enum Route: String, Sendable, Codable, CaseIterable {
    /// The cheaper one.
    case automatic = "auto"
    /// The whole set at once.
    case exact
    /// Sums over blocks.
    case minibatch
  }

  /// `similarity`.
  public let name = "similarity"
  /// The representations: rows and columns of the matrix, in this order.
  public let wanted: [Representation]
  private let subjects: [Subject]
  private let widths: [Int]
  private let choice: CKARoute.Choice
  private let reason: String
  private let blockSize: Int
  private let estimator: Estimator
  private let seed: UInt64
  private let sums: Sums

  private enum Sums {
    case minibatch(MinibatchCKA)
    case exact(ExactCKA)
  }

  /// An analysis of representations of some models.
  ///
  /// - Parameters:
  ///   - wanted: the representations; those of one model together, in execution order.
  ///   - subjects: the models, in the order of the figures.
  ///   - images: how many there are; the choice of the route depends on it.
  ///   - blockSize: the pass' images a block.
  ///   - route: automatic, exact or by minibatches.
  ///   - estimator: debiased unless there is a reason.
  ///   - seed: of the shuffled pairs.
  ///   - memoryLimit: bytes that the exact route may take.
  /// - Throws: `AnalysisError.nothingAsked` without representations, `MeasureError.memory` where the exact route
  ///   was asked for and does not fit.
  public init(
    _ wanted: [Representation], of subjects: [Subject], images: Int, blockSize: Int,
    route: Route = .automatic, estimator: Estimator = .debiased, seed: UInt64 = 0,
    memoryLimit: Int = 1 << 30
  ) throws {
    guard !wanted.isEmpty else {
      throw AnalysisError.nothingAsked("no representations to compare")
    }
    guard images >= 4 else {
      throw AnalysisError.tooFewImages(needed: 4, found: images, where: "CKA")
    }
    self.wanted = wanted
    self.subjects = subjects
    self.blockSize = blockSize
    self.estimator = estimator
    self.seed = seed
    let sizes = Dictionary(
      subjects.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    widths = try wanted.map { representation in
      guard let subject = sizes[representation.model] else {
        throw AnalysisError.nothingAsked("\(representation.address): there is no such model")
      }
      return try representation.tokens.width(
        at: representation.site, subject.model.tokenLayout, imageSize: subject.imageSize)
    }
    choice = CKARoute.choose(
      images: images, blockSize: blockSize, widths: widths, memoryLimit: memoryLimit)
    let taken: CKARoute
    switch route {
    case .automatic: (taken, reason) = (choice.route, "chosen by itself: \(choice.reason)")
    case .exact: (taken, reason) = (.exact, "asked for")
    case .minibatch: (taken, reason) = (.minibatch, "asked for")
    }
    switch taken {
    case .minibatch:
      var options = MinibatchCKA.Options()
      options.estimator = estimator
      options.seed = seed
      options.permutations = Self.permutations(wanted.count)
      sums = .minibatch(MinibatchCKA(count: wanted.count, options: options))
    case .exact: sums = .exact(try ExactCKA(widths: widths, memoryLimit: memoryLimit))
    }
  }

  /// Shuffles a block: 20, fewer where their sums would take more than some 32 MB.
  private static func permutations(_ count: Int) -> Int {
    max(1, min(20, 200_000 / max(1, count * count)))
  }

  /// The route and the estimator; by minibatches also the shuffles' seed and the block size.
  public var fingerprint: String {
    switch sums {
    case .minibatch: "1 minibatch \(estimator) seed \(seed) block \(blockSize)"
    case .exact: "1 exact \(estimator)"
    }
  }

  /// Opens the block in the sums.
  ///
  /// - Throws: `MeasureError.blockOrder`.
  public func begin(_ block: BlockHeading) throws {
    switch sums {
    case .minibatch(let sums): try sums.begin(block: block.index, images: block.samples.count)
    case .exact(let sums): try sums.begin(block: block.index, images: block.samples.count)
    }
  }

  /// Turns features `[images, width]` into their part of the sums.
  ///
  /// - Throws: `MeasureError.shape` or `MeasureError.blockOrder`.
  public func add(_ index: Int, _ features: Tensor) throws {
    switch sums {
    case .minibatch(let sums): try sums.add(index, features)
    case .exact(let sums): try sums.add(index, features)
    }
  }

  /// Adds what all pairs of the block give.
  ///
  /// - Throws: `MeasureError.blockOrder` where a representation is missing.
  public func finish() throws {
    switch sums {
    case .minibatch(let sums): try sums.finish()
    case .exact(let sums): try sums.finish()
    }
  }

  /// The sums of all finished blocks; their size does not depend on the number of images.
  public func state() -> [(name: String, tensor: Tensor)] {
    switch sums {
    case .minibatch(let sums): sums.state()
    case .exact(let sums): sums.state()
    }
  }

  /// Goes on from the sums of an interrupted run.
  ///
  /// - Returns: false where they were made with other options; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool {
    switch sums {
    case .minibatch(let sums): sums.restore(state)
    case .exact(let sums): sums.restore(state)
    }
  }

  /// The result, once the pass has ended.
  ///
  /// - Throws: `MeasureError.tooFew`.
  public func result() throws -> SimilarityResult {
    let matrix: CKAMatrix
    switch sums {
    case .minibatch(let sums): matrix = try sums.result()
    case .exact(let sums): matrix = try sums.result(estimator)
    }
    var ranges: [Range<Int>] = []
    for subject in subjects {
      let start = wanted.firstIndex { $0.model == subject.name } ?? 0
      ranges.append(start..<start + wanted.filter { $0.model == subject.name }.count)
    }
    let table = SimilarityTable(
      models: zip(subjects, ranges).map(sites), addresses: wanted.map(\.address), reason: reason,
      blockSize: blockSize, estimator: estimator, seed: seed)
    var result = table.result(matrix)
    result.findings = result.conclusions(
      leavingOut: matrix.leftOut.map { table.result(matrix.replacing($0)) },
      shuffled: (matrix.shuffled?.draws ?? []).map { table.result(matrix.replacing($0)) })
    return result
  }

  private func sites(_ subject: Subject, _ range: Range<Int>) -> ModelSites {
    ModelSites(
      name: subject.name, family: subject.family,
      sites: range.enumerated().map { place, index in
        let representation = wanted[index]
        return ModelSites.Site(
          name: representation.site.name, tokens: representation.tokens.description,
          stage: representation.site.stage,
          depth: range.count > 1 ? Double(place) / Double(range.count - 1) : 0,
          features: widths[index])
      })
  }
}
