import Dispatch
import ParallaxTensors
import Synchronization

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

/// A square of ranks, in as few bytes as they need.
private struct RankTable: Sendable {
  private var images: Int
  private var short: [UInt16] = []
  private var long: [Int32] = []
  private let isShort: Bool

  init(images: Int) {
    self.images = images
    isShort = images <= Int(UInt16.max)
    if isShort {
      short.reserveCapacity(images * images)
    } else {
      long.reserveCapacity(images * images)
    }
  }

  /// The ranks among some of the images, in their order.
  func keeping(_ rows: [Int]) -> RankTable {
    var kept = self
    (kept.images, kept.short, kept.long) = (rows.count, [], [])
    if isShort {
      kept.short = Self.keeping(short, images, rows)
    } else {
      kept.long = Self.keeping(long, images, rows)
    }
    return kept
  }

  private static func keeping<Rank: FixedWidthInteger>(
    _ ranks: [Rank], _ images: Int, _ rows: [Int]
  ) -> [Rank] {
    var kept = [Rank](repeating: 0, count: rows.count * rows.count)
    var lower = [Rank](repeating: 0, count: images + 1)
    for (row, image) in rows.enumerated() {
      let first = image * images
      for rank in lower.indices { lower[rank] = 0 }
      for other in rows where other != image { lower[Int(ranks[first + other])] += 1 }
      var sum = Rank(1)
      for rank in lower.indices {
        let here = lower[rank]
        lower[rank] = sum
        sum += here
      }
      for (column, other) in rows.enumerated() where other != image {
        kept[row * rows.count + column] = lower[Int(ranks[first + other])]
      }
    }
    return kept
  }

  subscript(place: Int) -> Int { isShort ? Int(short[place]) : Int(long[place]) }

  /// Appends the ranks of a block of keys, `[rows · images]`, and hands on the nearest.
  mutating func append<Key: FixedWidthInteger & Sendable>(
    _ keys: [Key], _ span: Range<Int>, _ nearest: inout Nearest, _ square: (Key) -> Double
  ) {
    if isShort {
      let parts = Ranking<Key, UInt16>.all(keys, span, images, nearest.count)
      for part in parts {
        short.append(contentsOf: part.ranks)
        part.handOn(&nearest, square)
      }
    } else {
      let parts = Ranking<Key, Int32>.all(keys, span, images, nearest.count)
      for part in parts {
        long.append(contentsOf: part.ranks)
        part.handOn(&nearest, square)
      }
    }
  }
}

/// The rankings of some rows of a block.
private struct Ranking<Key: FixedWidthInteger & Sendable, Rank: FixedWidthInteger & Sendable>:
  Sendable
{
  let span: Range<Int>
  var ranks: [Rank]
  /// The k + 1 nearest of each row, and their keys.
  var places: [Int32] = []
  var keys: [Key] = []

  /// All rows of a block, shared out over the processors.
  static func all(_ keys: [Key], _ span: Range<Int>, _ images: Int, _ count: Int) -> [Ranking] {
    let step = max(1, (span.count + 15) / 16)
    let starts = Array(stride(from: span.lowerBound, to: span.upperBound, by: step))
    let parts = Mutex<[Int: Ranking]>([:])
    DispatchQueue.concurrentPerform(iterations: starts.count) { index in
      let rows = starts[index]..<min(starts[index] + step, span.upperBound)
      let part = Ranking(keys, rows, span.lowerBound, images, count)
      parts.withLock { $0[index] = part }
    }
    return parts.withLock { parts in starts.indices.compactMap { parts[$0] } }
  }

  private init(_ block: [Key], _ span: Range<Int>, _ start: Int, _ images: Int, _ count: Int) {
    self.span = span
    var ranks = [Rank](repeating: 0, count: span.count * images)
    var sorter = RadixSorter<Key>(count: images - 1)
    for (offset, row) in span.enumerated() {
      sorter.sort(block, (row - start) * images, leavingOut: row)
      Self.write(sorter.keys, sorter.places, offset * images, &ranks)
      places.append(contentsOf: sorter.places.prefix(count + 1))
      keys.append(contentsOf: sorter.keys.prefix(count + 1))
    }
    self.ranks = ranks
  }

  /// One row's ranks: of equal keys all have the lowest.
  private static func write(
    _ keys: [Key], _ places: [Int32], _ first: Int, _ ranks: inout [Rank]
  ) {
    let (keys, places) = (keys.span, places.span)
    var ranks = ranks.mutableSpan
    var rank = Rank(1)
    for place in keys.indices {
      if place > 0, keys[place] != keys[place &- 1] {
        rank = Rank(truncatingIfNeeded: place &+ 1)
      }
      ranks[first &+ Int(places[place])] = rank
    }
  }

  /// Appends the nearest of each row.
  func handOn(_ nearest: inout Nearest, _ square: (Key) -> Double) {
    let width = nearest.count + 1
    for offset in 0..<span.count {
      let part = (offset * width)..<((offset + 1) * width)
      nearest.append(keys[part].map(square), Array(places[part]))
    }
  }
}
