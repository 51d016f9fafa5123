import ParallaxTensors

/// A measure between all pairs of representations of one set of images, how sure each value is, and what chance gives.
///
/// What belongs to one representation is computed once: a summary for the whole set, one for each group of images that
/// is left out, one for each order of shuffled images. A pair costs what joins two summaries.
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
    self.measure = measure.name
    (direction, size) = (measure.direction, features.count)
    let images = features.first?.shape.first ?? 0
    self.images = images
    for other in features where other.shape.first ?? 0 != images {
      throw MeasureError.unequalCounts(
        measure: measure.name, left: images, right: other.shape.first ?? 0)
    }
    let source = RandomSource(seed: options.seed)
    let dealt = source.permutation(images).scalars(Int64.self).map(Int.init)
    let groups = options.groups > 1 && images >= 2 * options.groups ? options.groups : 0
    let orders =
      measure.needsPairing
      ? (0..<max(0, options.permutations)).map { _ in source.permutation(images) } : []
    let all = (1 + groups + orders.count) * features.count
    var done = 0
    func summaries<M: Measure>(
      _ measure: M, _ rows: Tensor?, _ refuse: (Int, MeasureError) -> Void
    ) throws -> [M.Summary?] {
      var made: [M.Summary?] = []
      for (index, whole) in features.enumerated() {
        do {
          made.append(
            try measure.summary(of: rows.map { whole.gathered(0, $0.to(whole.device)) } ?? whole))
        } catch let error as MeasureError {
          refuse(index, error)
          made.append(nil)
        }
        done += 1
        try tick(done, all)
      }
      return made
    }
    var refusals: [Refusal] = []
    let whole = try summaries(measure, nil) { refusals.append(Refusal(index: $0, error: $1)) }
    var pairRefusal: MeasureError?
    values = try Self.matrix(measure, whole, whole, isWhole: true) {
      pairRefusal = pairRefusal ?? $0
    } tick: {
      try tick(done, all)
    }
    self.pairRefusal = pairRefusal
    var leftOut: [[Double]] = []
    for group in 0..<groups {
      let kept = dealt.enumerated().filter { $0.offset % groups != group }.map(\.element).sorted()
      let rows = Tensor(kept.map(Int64.init), shape: [kept.count])
      let part = try summaries(measure, rows) { _, _ in }
      leftOut.append(try Self.matrix(measure, part, part) { try tick(done, all) })
    }
    var shuffled: [[Double]] = []
    for order in orders {
      let other = try summaries(measure, order) { _, _ in }
      shuffled.append(try Self.matrix(measure, whole, other) { try tick(done, all) })
    }
    (self.leftOut, self.shuffled, self.refusals) = (leftOut, shuffled, refusals)
  }

  private static func matrix<M: Measure>(
    _ measure: M, _ left: [M.Summary?], _ right: [M.Summary?], isWhole: Bool = false,
    refuse: (MeasureError) -> Void = { _ in }, tick: () throws -> Void
  ) throws -> [Double] {
    var values = [Double](repeating: .nan, count: left.count * right.count)
    for (row, a) in left.enumerated() {
      for (column, b) in right.enumerated() {
        guard let a, let b else { continue }
        // Of resampled values one of two equal ones will do.
        if !isWhole, measure.isSymmetric, column < row {
          values[row * right.count + column] = values[column * right.count + row]
          continue
        }
        do {
          values[row * right.count + column] = try measure.similarity(a, b)
        } catch let error as MeasureError {
          refuse(error)
        }
      }
      try tick()
    }
    return values
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
