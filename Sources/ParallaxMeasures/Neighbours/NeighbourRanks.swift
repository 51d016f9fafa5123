import ParallaxTensors

/// The ranks of all images by their distance from every image, and its nearest: what the information
/// imbalance keeps of a representation.
///
/// rank_ij = 1 + the number of images l ≠ i that are strictly nearer to i than j is; the nearest has rank 1.
/// Full rankings, in two bytes a pair up to 65 535 images and four beyond. Reordered images look up the same table.
public struct NeighbourRanks: Sendable {
  /// The nearest images.
  public let neighbours: Neighbours
  /// Nil of a first side, whose ranks nobody looks up.
  private let table: RankTable?
  /// The row of the table that is each image's; nil where it is its own.
  private let order: [Int]?

  /// By one pass over blocks; `squared` gives the squared distances of some rows to all.
  init(_ rows: DistanceRows, depth: Int, _ squared: (Range<Int>) -> Tensor) {
    let images = rows.images
    var nearest = Nearest(images: images, count: depth)
    var table = RankTable(images: images)
    for start in stride(from: 0, to: images, by: rows.blockSize) {
      let span = start..<min(start + rows.blockSize, images)
      let block = squared(span)
      // Numbers that are not negative are in the order of their bits.
      if rows.precision == .float64 {
        let keys = Plain.view(block, DType.int64).scalars(Int64.self)
        table.append(keys, span, &nearest) { Double(bitPattern: UInt64(bitPattern: $0)) }
      } else {
        let keys = Plain.view(block, DType.int32).scalars(Int32.self)
        table.append(keys, span, &nearest) { Double(Float(bitPattern: UInt32(bitPattern: $0))) }
      }
    }
    neighbours = Neighbours(rows, nearest)
    self.table = table
    order = nil
  }

  /// The nearest alone, which are what a first side is asked for.
  init(_ neighbours: Neighbours) { self.init(neighbours, nil, nil) }

  private init(_ neighbours: Neighbours, _ table: RankTable?, _ order: [Int]?) {
    (self.neighbours, self.table, self.order) = (neighbours, table, order)
  }

  /// The same ranks with fewer neighbours.
  func prefix(_ count: Int) -> NeighbourRanks {
    NeighbourRanks(neighbours.prefix(count), table, order)
  }

  /// - Throws: `MeasureError.duplicates` where two rows are equal.
  func distinct(measure: String) throws -> NeighbourRanks {
    if let rows = neighbours.firstDuplicate {
      throw MeasureError.duplicates(measure: measure, rows: rows)
    }
    return self
  }

  /// The ranks among some images, or among all in another order; nil where the nearest are not known.
  ///
  /// No distance is looked at again: an image's rank among those that are left is one more than those of a lower rank.
  func selected(_ images: ImageSelection) -> NeighbourRanks? {
    guard let nearest = neighbours.selected(images) else { return nil }
    let rows = order.map { order in images.indices.map { order[$0] } } ?? images.indices
    return images.isWhole
      ? NeighbourRanks(nearest, table, rows) : NeighbourRanks(nearest, table?.keeping(rows), nil)
  }

  /// The rank of image `other` as seen from `image`; of an image from itself 0.
  ///
  /// - Precondition: both are images.
  public func rank(of other: Int, from image: Int) -> Int {
    let table = looked
    guard let order else { return table[image * neighbours.images + other] }
    return table[order[image] * neighbours.images + order[other]]
  }

  /// The table.
  ///
  /// - Precondition: it is no first side.
  private var looked: RankTable {
    guard let table else { preconditionFailure("a first side has no ranks") }
    return table
  }

  /// Σ_i Σ_j of rank_ij here, j the nearest of i there.
  func sum(over nearest: Neighbours) -> Int {
    let table = looked
    var total = 0
    for image in 0..<nearest.images {
      let first = (order?[image] ?? image) * nearest.images
      for other in nearest.list(image) {
        total += table[first + (order?[Int(other)] ?? Int(other))]
      }
    }
    return total
  }
}
