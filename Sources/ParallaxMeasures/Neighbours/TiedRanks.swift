import ParallaxTensors

/// The ranks of all images by their distance from every image where equally far ones are put in order at random: what the
/// expected information imbalance keeps of a representation.
///
/// The expected rank of an image is the mean of the ranks that those as far as it share: 1 + the number of nearer ones + half
/// the number of others that are as far. Rows that are equal are at distance exactly 0 from one another, and exactly as far
/// as one another from every other image.
public struct TiedRanks: Sendable {
  /// The nearest images, groups of equally far ones whole.
  let nearest: TiedNeighbours
  /// The distance.
  public let distance: Distance
  /// The element type of the products.
  public let precision: DType
  /// Nil of a first side, whose ranks nobody looks up.
  private let table: RankTable?
  /// The row of the table that is each image's; nil where it is its own.
  private let order: [Int]?

  /// The number of images.
  public var images: Int { nearest.images }
  /// k.
  public var count: Int { nearest.count }
  /// How many images have another with the same features.
  public var duplicates: Int { nearest.duplicates }
  /// An image with the same features as an earlier one, or the other way round; nil where all differ.
  var firstDuplicate: [Int]? { nearest.firstDuplicate }

  private init(
    _ nearest: TiedNeighbours, _ distance: Distance, _ precision: DType, _ table: RankTable?,
    _ order: [Int]?
  ) {
    (self.nearest, self.distance, self.precision) = (nearest, distance, precision)
    (self.table, self.order) = (table, order)
  }

  /// By one pass over blocks.
  ///
  /// - Parameters:
  ///   - rows: whose distances.
  ///   - twins: of each image the first that is equal to it; nil where all differ.
  ///   - depth: how many neighbours are kept, at least k.
  ///   - hasRanks: whether the ranks are looked up, of a second side.
  ///   - squared: the squared distances of some rows to all.
  init(
    _ rows: DistanceRows, twins: [Int]?, depth: Int, hasRanks: Bool,
    _ squared: (Range<Int>) -> Tensor
  ) {
    let images = rows.images
    var lists = TiedLists(images: images, depth: depth)
    var table = hasRanks ? RankTable(images: images, isDoubled: true) : nil
    for start in stride(from: 0, to: images, by: rows.blockSize) {
      let span = start..<min(start + rows.blockSize, images)
      // Products of equal rows may differ by rounding: one stands for all.
      let block = twins.map { squared(span).gathered(1, $0) } ?? squared(span)
      switch (rows.precision == .float64, hasRanks) {
      // Numbers that are not negative are in the order of their bits.
      case (true, true):
        table?.append(Plain.view(block, DType.int64).scalars(Int64.self), span, &lists)
      case (false, true):
        table?.append(Plain.view(block, DType.int32).scalars(Int32.self), span, &lists)
      case (true, false): lists.append(block.scalars(Double.self), span, of: images)
      case (false, false): lists.append(block.scalars(Float.self), span, of: images)
      }
    }
    self.init(
      TiedNeighbours(lists, count: depth), rows.distance, rows.precision, table, nil)
  }

  /// The same with fewer neighbours.
  func prefix(_ count: Int) -> TiedRanks {
    TiedRanks(nearest.prefix(count), distance, precision, table, order)
  }

  /// The ranks among some images, or among all in another order; nil where the nearest are not known.
  func selected(_ images: ImageSelection) -> TiedRanks? {
    guard let nearest = nearest.selected(images) else { return nil }
    let rows = order.map { order in images.indices.map { order[$0] } } ?? images.indices
    return images.isWhole
      ? TiedRanks(nearest, distance, precision, table, rows)
      : TiedRanks(nearest, distance, precision, table?.keeping(rows), nil)
  }

  /// The expected rank of image `other` as seen from `image`, a multiple of one half; of an image from itself 0.
  ///
  /// - Precondition: both are images, and this is no first side.
  public func rank(of other: Int, from image: Int) -> Double {
    let (row, column) = order.map { ($0[image], $0[other]) } ?? (image, other)
    return Double(looked[row * images + column]) / 2
  }

  private var looked: RankTable {
    guard let table else { preconditionFailure("a first side has no ranks") }
    return table
  }

  /// Twice the expected Σ_i Σ_j of rank_ij here, j the k nearest of i there.
  func doubledSum(over first: TiedRanks) -> Double {
    first.nearest.expectedSum(over: looked, order)
  }

  /// - Throws: `MeasureError.unequalCounts`, `MeasureError.summaries`.
  func check(_ other: TiedRanks, measure: String) throws {
    guard images == other.images else {
      throw MeasureError.unequalCounts(measure: measure, left: images, right: other.images)
    }
    guard (precision, distance, count) == (other.precision, other.distance, other.count) else {
      throw MeasureError.summaries(measure: measure, left: recipe, right: other.recipe)
    }
  }

  private var recipe: String { "\(precision) \(distance) k=\(count)" }
}

extension SharedParts {
  /// The expected ranks of all images, or of a first side the nearest alone, of one pass for all measures.
  ///
  /// - Throws: `MeasureError`.
  func tiedRanks(
    _ count: Int, _ distance: Distance, hasRanks: Bool, measure: String
  ) throws -> TiedRanks {
    let rows = try rows(distance, fewest: count + 2, measure: measure)
    let twins = part("equal rows") { EqualRows.firsts(of: features) }
    let whole = part(hasRanks ? "tied ranks" : "tied neighbours") {
      TiedRanks(
        rows, twins: twins, depth: depth(count, images: rows.images), hasRanks: hasRanks
      ) { squared(rows, $0) }
    }
    return whole.prefix(count)
  }
}
