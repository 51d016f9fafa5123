import Dispatch
import ParallaxTensors
import Synchronization

/// A square of ranks, in as few bytes as they need: of equally far images all have the lowest, or all have twice the mean of
/// theirs, which is a whole number.
struct RankTable: Sendable {
  private var images: Int
  private var short: [UInt16] = []
  private var long: [Int32] = []
  private let isShort: Bool
  private let isDoubled: Bool

  init(images: Int, isDoubled: Bool = false) {
    (self.images, self.isDoubled) = (images, isDoubled)
    isShort = Self.isShort(images, isDoubled)
    if isShort {
      short.reserveCapacity(images * images)
    } else {
      long.reserveCapacity(images * images)
    }
  }

  /// Whether two bytes hold every rank.
  static func isShort(_ images: Int, _ isDoubled: Bool) -> Bool {
    (isDoubled ? 2 : 1) * images <= Int(UInt16.max)
  }

  /// The ranks among some of the images, in their order.
  func keeping(_ rows: [Int]) -> RankTable {
    var kept = self
    (kept.images, kept.short, kept.long) = (rows.count, [], [])
    if isShort {
      kept.short = Self.keeping(short, images, rows, isDoubled)
    } else {
      kept.long = Self.keeping(long, images, rows, isDoubled)
    }
    return kept
  }

  private static func keeping<Rank: FixedWidthInteger>(
    _ ranks: [Rank], _ images: Int, _ rows: [Int], _ isDoubled: Bool
  ) -> [Rank] {
    var kept = [Rank](repeating: 0, count: rows.count * rows.count)
    var lower = [Rank](repeating: 0, count: (isDoubled ? 2 : 1) * images + 1)
    for (row, image) in rows.enumerated() {
      let first = image * images
      for rank in lower.indices { lower[rank] = 0 }
      for other in rows where other != image { lower[Int(ranks[first + other])] += 1 }
      // From how many have a rank to the new one: 1 + those before, or twice the mean of those that share it.
      var before = Rank(0)
      for rank in lower.indices {
        let here = lower[rank]
        lower[rank] = isDoubled ? 2 * before + here + 1 : before + 1
        before += here
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
    let width = nearest.count + 1
    append(keys, span) { places, keys in
      (places.prefix(width).map { $0 }, keys.prefix(width).map { $0 })
    } handOn: { places, keys in
      nearest.append(keys.map(square), places)
    }
  }

  /// Appends the ranks of a block of keys, and hands on the nearest with all that are as far as the last of them.
  mutating func append<Key: FixedWidthInteger & Sendable>(
    _ keys: [Key], _ span: Range<Int>, _ lists: inout TiedLists
  ) {
    let depth = lists.depth
    append(keys, span) { places, keys in
      var end = depth
      while end < keys.count, keys[end] == keys[depth - 1] { end += 1 }
      return (TiedLists.marked(places, keys, end), [keys[0]])
    } handOn: { list, nearest in
      lists.append(list, isZero: nearest[0] == 0)
    }
  }

  /// Appends the ranks of a block; what is chosen of each sorted row is handed on, row after row.
  private mutating func append<Key: FixedWidthInteger & Sendable>(
    _ keys: [Key], _ span: Range<Int>,
    chosen: @Sendable (_ places: [Int32], _ keys: [Key]) -> ([Int32], [Key]),
    handOn: ([Int32], [Key]) -> Void
  ) {
    if isShort {
      for part in Ranking<Key, UInt16>.all(keys, span, images, isDoubled, chosen) {
        short.append(contentsOf: part.ranks)
        for (places, keys) in part.chosen { handOn(places, keys) }
      }
    } else {
      for part in Ranking<Key, Int32>.all(keys, span, images, isDoubled, chosen) {
        long.append(contentsOf: part.ranks)
        for (places, keys) in part.chosen { handOn(places, keys) }
      }
    }
  }
}

/// The rankings of some rows of a block.
private struct Ranking<Key: FixedWidthInteger & Sendable, Rank: FixedWidthInteger & Sendable>:
  Sendable
{
  var ranks: [Rank]
  /// What is kept of the nearest of each row.
  var chosen: [([Int32], [Key])] = []

  typealias Choice = @Sendable (_ places: [Int32], _ keys: [Key]) -> ([Int32], [Key])

  /// All rows of a block, shared out over the processors.
  static func all(
    _ keys: [Key], _ span: Range<Int>, _ images: Int, _ isDoubled: Bool, _ choice: Choice
  ) -> [Ranking] {
    let step = max(1, (span.count + 15) / 16)
    let starts = Array(stride(from: span.lowerBound, to: span.upperBound, by: step))
    let parts = Mutex<[Int: Ranking]>([:])
    DispatchQueue.concurrentPerform(iterations: starts.count) { index in
      let rows = starts[index]..<min(starts[index] + step, span.upperBound)
      let part = Ranking(keys, rows, span.lowerBound, images, isDoubled, choice)
      parts.withLock { $0[index] = part }
    }
    return parts.withLock { parts in starts.indices.compactMap { parts[$0] } }
  }

  private init(
    _ block: [Key], _ span: Range<Int>, _ start: Int, _ images: Int, _ isDoubled: Bool,
    _ choice: Choice
  ) {
    var ranks = [Rank](repeating: 0, count: span.count * images)
    var sorter = RadixSorter<Key>(count: images - 1)
    for (offset, row) in span.enumerated() {
      sorter.sort(block, (row - start) * images, leavingOut: row)
      if isDoubled {
        Self.writeDoubled(sorter.keys, sorter.places, offset * images, &ranks)
      } else {
        Self.write(sorter.keys, sorter.places, offset * images, &ranks)
      }
      chosen.append(choice(sorter.places, sorter.keys))
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

  /// One row's ranks: equal keys have the first of their ranks plus the last, twice the mean.
  private static func writeDoubled(
    _ keys: [Key], _ places: [Int32], _ first: Int, _ ranks: inout [Rank]
  ) {
    let (keys, places) = (keys.span, places.span)
    var ranks = ranks.mutableSpan
    var start = 0
    while start < keys.count {
      var end = start &+ 1
      while end < keys.count, keys[end] == keys[start] { end &+= 1 }
      let rank = Rank(truncatingIfNeeded: start &+ 1 &+ end)
      for place in start..<end { ranks[first &+ Int(places[place])] = rank }
      start = end
    }
  }
}
