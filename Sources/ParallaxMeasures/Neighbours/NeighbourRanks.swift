import Dispatch
import ParallaxTensors
import Synchronization

/// The ranks of all images by their distance from every image, and its nearest: what the information
/// imbalance keeps of a representation.
///
/// rank_ij = 1 + the number of images l ≠ i that are strictly nearer to i than j is; the nearest has rank 1.
/// Full rankings, in two bytes a pair up to 65 535 images and four beyond.
public struct NeighbourRanks: Sendable {
  /// The nearest images.
  public let neighbours: Neighbours
  private let table: RankTable

  /// - Throws: `MeasureError`.
  init(_ features: Tensor, _ count: Int, _ distance: Distance, measure: String) throws {
    let rows = try DistanceRows(features, distance, fewest: count + 2, measure: measure)
    let images = rows.images
    var nearest = Nearest(images: images, count: count)
    var table = RankTable(images: images)
    for start in stride(from: 0, to: images, by: rows.blockSize) {
      let span = start..<min(start + rows.blockSize, images)
      let block = rows.squared(span)
      let parts =
        rows.precision == .float64
        ? Self.ranked(block.scalars(Double.self).map(\.bitPattern), 64, span, count, images)
        : Self.ranked(
          block.scalars(Float.self).map { UInt64($0.bitPattern) }, 32, span, count, images)
      for part in parts {
        for (offset, row) in part.span.enumerated() {
          let places = part.places[(offset * (count + 1))..<((offset + 1) * (count + 1))]
          let keys = part.keys[(offset * (count + 1))..<((offset + 1) * (count + 1))]
          nearest.append(
            row,
            keys.map {
              rows.precision == .float64
                ? Double(bitPattern: $0) : Double(Float(bitPattern: UInt32($0)))
            }, Array(places))
        }
        table.append(part.ranks)
      }
    }
    neighbours = Neighbours(rows, nearest)
    self.table = table
    if let rows = neighbours.firstDuplicate {
      throw MeasureError.duplicates(measure: measure, rows: rows)
    }
  }

  /// The rank of image `other` as seen from `image`; of an image from itself 0.
  ///
  /// - Precondition: both are images.
  public func rank(of other: Int, from image: Int) -> Int {
    table[image * neighbours.images + other]
  }

  /// Σ_i Σ_j of rank_ij here, j the nearest of i there.
  func sum(over nearest: Neighbours) -> Int {
    var total = 0
    for (place, other) in nearest.indices.enumerated() {
      total += table[place / nearest.count * nearest.images + Int(other)]
    }
    return total
  }

  /// The rankings of some rows.
  private struct Part: Sendable {
    var span: Range<Int>
    var ranks: [Int32] = []
    /// The k + 1 nearest of each row and their keys.
    var places: [Int32] = []
    var keys: [UInt64] = []
  }

  /// Ranks by keys, `[rows · images]`; rows are shared out over the processors.
  private static func ranked(
    _ keys: [UInt64], _ bits: Int, _ span: Range<Int>, _ count: Int, _ images: Int
  ) -> [Part] {
    let step = max(1, (span.count + 15) / 16)
    let starts = Array(stride(from: span.lowerBound, to: span.upperBound, by: step))
    let parts = Mutex<[Int: Part]>([:])
    DispatchQueue.concurrentPerform(iterations: starts.count) { index in
      var part = Part(span: starts[index]..<min(starts[index] + step, span.upperBound))
      var sorter = RadixSorter(count: images - 1, bits: bits)
      part.ranks = [Int32](repeating: 0, count: part.span.count * images)
      for (offset, row) in part.span.enumerated() {
        let first = (row - span.lowerBound) * images
        sorter.sort(keys, first, leavingOut: row)
        var rank = Int32(1)
        for place in 0..<(images - 1) {
          if place > 0, sorter.keys[place] != sorter.keys[place - 1] {
            rank = Int32(truncatingIfNeeded: place + 1)
          }
          part.ranks[offset * images + Int(sorter.places[place])] = rank
        }
        part.places.append(contentsOf: sorter.places.prefix(count + 1))
        part.keys.append(contentsOf: sorter.keys.prefix(count + 1))
      }
      let done = part
      parts.withLock { $0[index] = done }
    }
    return parts.withLock { parts in starts.indices.compactMap { parts[$0] } }
  }
}

/// A square of ranks, in as few bytes as they need.
private struct RankTable: Sendable {
  private var short: [UInt16] = []
  private var long: [Int32] = []
  private let isShort: Bool

  init(images: Int) {
    isShort = images <= Int(UInt16.max)
    if isShort {
      short.reserveCapacity(images * images)
    } else {
      long.reserveCapacity(images * images)
    }
  }

  mutating func append(_ ranks: [Int32]) {
    if isShort {
      short.append(contentsOf: ranks.lazy.map { UInt16(truncatingIfNeeded: $0) })
    } else {
      long.append(contentsOf: ranks)
    }
  }

  subscript(place: Int) -> Int { isShort ? Int(short[place]) : Int(long[place]) }
}
