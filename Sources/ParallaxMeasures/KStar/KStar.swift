import ParallaxTensors

/// k\*: how near to an image its first neighbour of another class stands.
///
/// k\*ₚ = 1 + #{q ≠ p, y_q = y_p : d(p, q) < min_{r: y_r ≠ y_p} d(p, r)}, the rank of the first neighbour of another class, from 1 to
/// the size of the image's class. Two reductions over each row of distances, and no sort: blocks of rows are made and forgotten, so
/// that the memory is a block times all images, never all pairs.
///
/// Distances come from products of features centred at their medians. Where the nearest of another class and one of the own are so
/// close that rounding could exchange them, both are computed again from the features in float64: k\* is that of distances in
/// float64, whatever the block size and the element type of the products. Equal distances are then equal, but for the cosine, whose
/// directions are rounded: multiples of one image need not be.
///
/// The image itself is left out by its index. Euclidean distances of raw features are the authors' choice.
///
/// > Source: Kotyan et al., 2023, arXiv 2312.04024; the authors' notebook sorts each row and leaves the order of equal distances open.
public struct KStar: Sendable, Hashable {
  /// What is near.
  public enum Metric: String, Sendable, Hashable, Codable, CaseIterable {
    /// ‖x − y‖, the authors'.
    case euclidean
    /// 1 − x·y/(‖x‖‖y‖).
    case cosine
    /// Σ|x − y|.
    case manhattan
    /// A matrix of distances in the place of features.
    case precomputed
  }

  /// Who comes first of equally far images.
  public enum Ties: String, Sendable, Hashable, Codable, CaseIterable {
    /// That with the lower index.
    case index
    /// That of another class.
    case pessimistic
    /// Those of the own class.
    case optimistic
  }

  /// `k-star`, as errors call it.
  public static let name = "k-star"

  /// What is near.
  public var metric: Metric
  /// Who comes first of equally far images.
  public var ties: Ties
  /// How many nearest neighbours are kept of each image, from the same distances; 0 for none.
  public var neighbours: Int
  /// Whether the same distances give silhouettes.
  public var hasSilhouettes: Bool
  /// Whether it is found which image of another class comes first.
  public var hasBreakers: Bool
  /// Bytes of a block of distances, of four bytes each; no number depends on it.
  var blockBytes = 1 << 24

  /// The Euclidean distance, ties by index, and nothing besides.
  ///
  /// - Precondition: `neighbours` is not negative.
  public init(
    metric: Metric = .euclidean, ties: Ties = .index, neighbours: Int = 0,
    hasSilhouettes: Bool = false, hasBreakers: Bool = false
  ) {
    precondition(neighbours >= 0, "k is at least 0")
    (self.metric, self.ties) = (metric, ties)
    (self.neighbours, self.hasSilhouettes) = (neighbours, hasSilhouettes)
    self.hasBreakers = hasBreakers
  }

  /// Images at one place, of which some are of different classes.
  public struct Coincidence: Sendable, Equatable {
    /// Those among the images.
    public let images: [Int]
    /// Those among the bank.
    public let bank: [Int]
  }

  /// k\* of every image, and what else the distances gave.
  public struct Values: Sendable, Equatable {
    /// The class of each image, from 0.
    public let labels: [Int]
    /// k\* of each image.
    public let ranks: [Int]
    /// What k\* is divided by, a class: its images, in the bank where there is one.
    public let sizes: [Int]
    /// Whether the images were compared with a bank, in which they are not: k\* may then be one more than the size.
    public let isAgainstBank: Bool
    /// Images for which the order of equally far ones decides.
    public let tied: Int
    /// Images whose nearest were computed again in float64.
    public let recomputed: Int
    /// The nearest of each image by exact distance, ties as asked for; empty where none were kept.
    public let neighbours: [[Int]]
    /// The first image of another class of each, of the bank where there is one; empty where they were not asked for.
    public let breakers: [Int]
    /// Images of different classes whose features are the same, number for number, or whose given distance is 0: against a bank, a
    /// query and images of the bank, of a given matrix only the first of these. Empty where neither neighbours nor breakers are asked for.
    public let coincident: [Coincidence]
    /// The silhouette of each image; empty where none were asked for.
    public let silhouettes: [Double]

    init(
      labels: [Int], ranks: [Int], sizes: [Int], isAgainstBank: Bool, tied: Int,
      recomputed: Int, neighbours: [[Int]], breakers: [Int], coincident: [Coincidence],
      silhouettes: [Double]
    ) {
      (self.labels, self.ranks, self.sizes) = (labels, ranks, sizes)
      (self.isAgainstBank, self.tied, self.recomputed) = (isAgainstBank, tied, recomputed)
      (self.neighbours, self.breakers) = (neighbours, breakers)
      (self.coincident, self.silhouettes) = (coincident, silhouettes)
    }

    /// k\* that are known already, among images themselves, and nothing besides.
    ///
    /// - Parameters:
    ///   - ranks: k\* of each image.
    ///   - labels: a class each, from 0.
    ///   - sizes: images a class.
    /// - Precondition: there is a rank for each label, and a size for each class.
    public init(ranks: [Int], labels: [Int], sizes: [Int]) {
      precondition(ranks.count == labels.count, "a rank for each label")
      precondition(labels.allSatisfy(sizes.indices.contains), "a size for each class")
      self.init(
        labels: labels, ranks: ranks, sizes: sizes, isAgainstBank: false, tied: 0, recomputed: 0,
        neighbours: [], breakers: [], coincident: [], silhouettes: [])
    }

    /// The largest k\* of a class: its size, or one more in a bank.
    public func most(_ label: Int) -> Int { sizes[label] + (isAgainstBank ? 1 : 0) }

    /// k\*/n of each image.
    public var normalised: [Double] {
      zip(ranks, labels).map { Double($0) / Double(sizes[$1]) }
    }
  }

  /// k\* among images themselves.
  ///
  /// - Parameters:
  ///   - features: `[images, width]`; a matrix `[images, images]` where distances are given.
  ///   - labels: a class each, from 0.
  ///   - progress: told the share of the images that is done; what it throws stops the computation.
  /// - Returns: a rank an image.
  /// - Throws: what `progress` throws, `MeasureError.shape`, `.tooFew`, `.unequalCounts` where there is not a label each, `.notFinite`, `.constant`, `.row`,
  ///   `.undefined` where all are of one class, or a given distance is negative.
  /// - Complexity: images² · width; memory for some blocks of 16 MiB, and for some copies of the features, one of them in float64
  ///   where many images lie close together.
  public func callAsFunction(
    _ features: Tensor, labels: [Int], progress: (Double) throws -> Void = { _ in }
  ) throws -> Values {
    try values(features, labels, bank: nil, labels, progress)
  }

  /// k\* of queries among the images of a bank, in which they are not.
  ///
  /// - Parameters:
  ///   - queries: `[queries, width]`; a matrix `[queries, images]` where distances are given.
  ///   - labels: a class each, of the bank's.
  ///   - bank: `[images, width]`; it is not looked at where distances are given.
  ///   - bankLabels: a class each, from 0.
  ///   - progress: told the share of the queries that is done; what it throws stops the computation.
  /// - Returns: a rank a query, from 1 to the bank's images of its class and one.
  /// - Throws: as without a bank, and `MeasureError.undefined` where the bank has no image of a query's class.
  public func callAsFunction(
    _ queries: Tensor, labels: [Int], bank: Tensor, bankLabels: [Int],
    progress: (Double) throws -> Void = { _ in }
  ) throws -> Values {
    try values(queries, labels, bank: bank, bankLabels, progress)
  }

  private func values(
    _ queries: Tensor, _ labels: [Int], bank: Tensor?, _ bankLabels: [Int],
    _ progress: (Double) throws -> Void
  ) throws -> Values {
    let classes = (max(labels.max() ?? 0, bankLabels.max() ?? 0)) + 1
    try check(queries, labels)
    if let bank { try check(metric == .precomputed ? queries.transposed() : bank, bankLabels) }
    guard Set(bankLabels).count > 1 else {
      throw MeasureError.undefined(
        measure: Self.name, problem: "all images are of one class, and none is of another")
    }
    let columns = ConceptOrder(bankLabels, classes: classes)
    let rows = bank == nil ? columns : ConceptOrder(labels, classes: classes)
    if let missing = labels.first(where: { columns.ranges[$0].isEmpty }) {
      throw MeasureError.undefined(
        measure: Self.name, problem: "the bank has no image of class \(missing)")
    }
    let most = columns.order.count - (bank == nil ? 1 : 0)
    guard neighbours <= most else {
      throw MeasureError.tooFew(
        measure: Self.name, images: columns.order.count, needed: neighbours + (bank == nil ? 1 : 0))
    }
    var distances: ConceptDistances
    do {
      distances = try ConceptDistances(
        metric, queries, bank: bank, ofRows: rows.order, ofColumns: columns.order)
    } catch MeasureError.row(_, let row, let problem) {
      // In the order of the classes, those of the bank first.
      if bank == nil {
        throw MeasureError.row(measure: Self.name, row: columns.order[row], problem: problem)
      }
      guard row >= columns.order.count else {
        throw MeasureError.undefined(
          measure: Self.name, problem: "image \(columns.order[row]) of the bank \(problem)")
      }
      throw MeasureError.row(
        measure: Self.name, row: rows.order[row - columns.order.count], problem: problem)
    }
    distances.blockBytes = blockBytes
    var run = KStarRun(self, distances, rows, columns, isSelf: bank == nil)
    try run(progress)
    let finds = neighbours > 0 || hasBreakers
    return Values(
      labels: labels, ranks: rows.restored(run.ranks), sizes: columns.sizes,
      isAgainstBank: bank != nil, tied: run.tied, recomputed: run.recomputed,
      neighbours: neighbours > 0 ? rows.restored(run.lists) : [],
      breakers: hasBreakers ? rows.restored(run.breakers) : [],
      coincident: finds
        ? Self.coincidences(
          run.equalRows(), columns, bank == nil ? nil : rows, labels, bankLabels) : [],
      silhouettes: hasSilhouettes ? rows.restored(run.silhouettes) : [])
  }

  /// The groups of equal images that disturb a k\*: those of more than one class; against a bank, with a query and an image of the
  /// bank of another class.
  private static func coincidences(
    _ equal: IdenticalRows, _ columns: ConceptOrder, _ queries: ConceptOrder?, _ labels: [Int],
    _ bankLabels: [Int]
  ) -> [Coincidence] {
    equal.groups.compactMap { group -> Coincidence? in
      let count = columns.order.count
      let held = group.filter { $0 < count }.map { columns.order[$0] }.sorted()
      guard let queries else {
        guard Set(held.map { labels[$0] }).count > 1 else { return nil }
        return Coincidence(images: held, bank: [])
      }
      let own = group.filter { $0 >= count }.map { queries.order[$0 - count] }.sorted()
      let classes = Set(held.map { bankLabels[$0] })
      guard !classes.isEmpty, own.contains(where: { classes != [labels[$0]] }) else { return nil }
      return Coincidence(images: own, bank: held)
    }.sorted { ($0.images.first ?? 0) < ($1.images.first ?? 0) }
  }

  private func check(_ features: Tensor, _ labels: [Int]) throws {
    let images = try Checked.images(of: features, atLeast: 1, measure: Self.name)
    guard images == labels.count else {
      throw MeasureError.unequalCounts(measure: Self.name, left: images, right: labels.count)
    }
    guard labels.allSatisfy({ $0 >= 0 && $0 < 1 << 24 }) else {
      throw MeasureError.undefined(
        measure: Self.name, problem: "a label is below 0 or above \(1 << 24 - 1)")
    }
  }
}
