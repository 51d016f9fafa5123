import ParallaxTensors

/// A measure between all pairs of representations of one set of images, how sure each value is, and what chance gives.
///
/// What belongs to one representation is computed once: a summary for the whole set. Those without a group of images, and
/// those of shuffled images, are derived from it where a measure can, and made anew where it cannot. A pair costs what
/// joins two summaries. A representation that is refused has no resampled values either.
///
/// - **Standard errors** are the delete-group jackknife's: the images are dealt at random into G groups, and the value
///   is computed again without each: √((G−1)/G · Σ (θ₍₋g₎ − θ̄)²). No image occurs twice, so it is right for measures of
///   neighbours, which a bootstrap spoils: a duplicate lies at distance 0.
/// - **Chance** is what shuffled pairs give: the same orders of images are laid on every second side. The p-value of a
///   value among P orders is (1 + the orders that are as alike or more) / (P + 1).
///
/// > Source: Efron and Tibshirani, 1993, An Introduction to the Bootstrap, sections 11.5 and 15.2; the number of groups
/// > and orders is our choice.
public struct MeasureMatrix: Sendable {
  /// How much is resampled.
  public struct Options: Sendable, Hashable {
    /// Orders of shuffled images; 0 for none.
    public var permutations = 99
    /// Groups of images that are left out in turn; 0 for none.
    public var groups = 10
    /// Of the orders and the groups.
    public var seed: UInt64 = 0

    /// 99 orders and 10 groups.
    public init() {}
  }

  /// A representation without a value, and why.
  public struct Refusal: Sendable, Equatable {
    /// Which.
    public let index: Int
    /// The reason.
    public let error: MeasureError
  }

  /// The measure's name.
  public let measure: String
  /// Which way it points.
  public let direction: Direction
  /// The number of representations, L.
  public let size: Int
  /// The number of images.
  public let images: Int
  /// `[L × L]`, row by row: the first side is the row; NaN where a side was refused.
  public let values: [Double]
  /// The values without each group of images; empty where there are no groups.
  public let leftOut: [[Double]]
  /// The values for each order of shuffled images; empty where there are none, or where the measure does not care which
  /// image is which.
  public let shuffled: [[Double]]
  /// Representations without a value.
  public let refusals: [Refusal]
  /// Why the first pair has no value whose sides both have one; nil where there is none.
  public let pairRefusal: MeasureError?

  /// Computes all pairs.
  ///
  /// - Parameters:
  ///   - measure: of the catalog, or of one's own.
  ///   - features: of each representation, `[images, width]`, row i of all the same image.
  ///   - options: how much is resampled.
  ///   - tick: told after each summary, and again after each row of pairs, how many summaries of all have been made; throws
  ///     to stop.
  /// - Throws: `MeasureError.unequalCounts` where the representations differ in their number of images, and what `tick`
  ///   throws. A representation that the measure refuses is no error: it is among the refusals.
  public init(
    _ measure: some Measure, of features: [Tensor], options: Options = Options(),
    tick: (Int, Int) throws -> Void = { _, _ in }
  ) throws {
    self = try Self.together([measure], of: features, options: options, tick: tick)[0]
  }

  /// Computes all pairs of several measures, those that share a part of their summaries side by side.
  ///
  /// The values are those of each measure alone. Summaries of measures that share are held together.
  ///
  /// - Parameters:
  ///   - measures: of the catalog, or of one's own.
  ///   - features: of each representation, `[images, width]`, row i of all the same image.
  ///   - options: how much is resampled, the same for all.
  ///   - tick: told the names of those that are computed side by side and, as with one measure, how many of their summaries
  ///     have been made; throws to stop.
  /// - Returns: one a measure, in their order.
  /// - Throws: as with one measure.
  public static func all(
    _ measures: [any Measure], of features: [Tensor], options: Options = Options(),
    tick: ([String], Int, Int) throws -> Void = { _, _, _ in }
  ) throws -> [MeasureMatrix] {
    var found: [Int: MeasureMatrix] = [:]
    for batch in batches(measures) {
      let chosen = batch.map { measures[$0] }
      let made = try together(chosen, of: features, options: options) {
        try tick(chosen.map(\.name), $0, $1)
      }
      for (index, matrix) in zip(batch, made) { found[index] = matrix }
    }
    return measures.indices.compactMap { found[$0] }
  }

  /// The places of those that are computed side by side.
  static func batches(_ measures: [any Measure]) -> [[Int]] {
    var batches: [[Int]] = []
    var known: [String: Int] = [:]
    for (index, measure) in measures.enumerated() {
      if let name = measure.sharedPart?.name {
        let key = measure.firstSide == nil ? name : "\(name), a second side at a time"
        if let batch = known[key] {
          batches[batch].append(index)
          continue
        }
        known[key] = batches.count
      }
      batches.append([index])
    }
    return batches
  }

  init(_ measure: any Measure, _ run: any MatrixTables, _ size: Int, _ images: Int) {
    self.measure = measure.name
    (direction, self.size, self.images) = (measure.direction, size, images)
    (values, leftOut, shuffled) = (run.values, run.leftOut, run.shuffled)
    (refusals, pairRefusal) = (run.refusals, run.pairRefusal)
  }

  /// Measures side by side, representation by representation and sample by sample.
  private static func together(
    _ measures: [any Measure], of features: [Tensor], options: Options,
    tick: (Int, Int) throws -> Void
  ) throws -> [MeasureMatrix] {
    let images = features.first?.shape.first ?? 0
    for other in features where other.shape.first ?? 0 != images {
      throw MeasureError.unequalCounts(
        measure: measures.map(\.name).joined(separator: ", "), left: images,
        right: other.shape.first ?? 0)
    }
    let samples = Samples(
      options, images: images, isShuffled: measures.contains(where: \.needsPairing))
    if measures.allSatisfy({ $0.firstSide != nil }) {
      return try byColumns(measures, of: features, samples: samples, tick: tick)
    }
    let (groups, orders) = (samples.kept.count, samples.orders)
    func run(_ measure: some Measure) -> any MatrixRunning {
      MatrixRun(measure, size: features.count)
    }
    let runs = measures.map { run($0) }
    let paired = runs.filter(\.needsPairing)
    let all = ((1 + groups) * runs.count + orders.count * paired.count) * features.count
    var done = 0
    let plan = measures.compactMap(\.sharedPart).reduce(SharedPart?.none) {
      $0?.joined($1) ?? $1
    }
    /// Every representation in turn, or some of its images, to every measure.
    func give(
      _ selection: ImageSelection?, to runs: [any MatrixRunning],
      _ add: (any MatrixRunning, Int, SharedParts) throws -> Void
    ) throws {
      for (index, whole) in features.enumerated() {
        let parts = SharedParts(plan) { selection?.rows(of: whole) ?? whole }
        for run in runs {
          try add(run, index, parts)
          done += 1
          try tick(done, all)
        }
      }
    }
    try give(nil, to: runs) { run, _, parts in try run.addWhole(parts) }
    for run in runs { try run.closeWhole { try tick(done, all) } }
    for kept in samples.kept {
      let selection = ImageSelection(kept, of: images)
      try give(selection, to: runs) { try $0.addPart($1, selection, $2) }
      for run in runs { try run.closePart { try tick(done, all) } }
    }
    for order in orders {
      let selection = ImageSelection(order, of: images)
      try give(selection, to: paired) { try $0.addShuffled($1, selection, $2) }
      for run in paired { run.closeShuffled() }
    }
    return zip(measures, runs).map { MeasureMatrix($0, $1, features.count, images) }
  }

  /// The value with `a` as the first side; nil where there is none.
  public subscript(a: Int, b: Int) -> Double? {
    let value = values[a * size + b]
    return value.isNaN ? nil : value
  }

  /// The standard error of a value; nil where there is none.
  public func standardError(_ a: Int, _ b: Int) -> Double? {
    let left = leftOut.map { $0[a * size + b] }
    guard left.count > 1, self[a, b] != nil, left.allSatisfy({ !$0.isNaN }) else { return nil }
    let count = Double(left.count)
    let mean = left.reduce(0, +) / count
    let spread = left.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (spread * (count - 1) / count).squareRoot()
  }

  /// What shuffled pairs give: the mean, and the value that 95 % of them do not reach, the upper one of a similarity and
  /// the lower one of a distance; nil where nothing was shuffled.
  public func chance(_ a: Int, _ b: Int) -> (mean: Double, bound: Double)? {
    let draws = shuffled.map { $0[a * size + b] }.filter { !$0.isNaN }.sorted()
    guard !draws.isEmpty else { return nil }
    let place = (direction == .similarity ? 0.95 : 0.05) * Double(draws.count - 1)
    let low = Int(place)
    let high = min(low + 1, draws.count - 1)
    return (
      draws.reduce(0, +) / Double(draws.count),
      draws[low] + (place - Double(low)) * (draws[high] - draws[low])
    )
  }

  /// How often chance is as alike as this, or more: (1 + orders that are) / (orders + 1); nil where nothing was shuffled.
  public func pValue(_ a: Int, _ b: Int) -> Double? {
    let draws = shuffled.map { $0[a * size + b] }.filter { !$0.isNaN }
    guard let value = self[a, b], !draws.isEmpty else { return nil }
    let asAlike = draws.count { direction == .similarity ? $0 >= value : $0 <= value }
    return Double(1 + asAlike) / Double(1 + draws.count)
  }
}
