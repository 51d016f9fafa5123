/// Sorts the bit patterns of numbers that are not negative, eleven bits at a time; equal ones stay in the order
/// of their columns.
struct RadixSorter {
  /// From the smallest to the largest.
  private(set) var keys: [UInt64]
  /// The columns that they stood in.
  private(set) var places: [Int32]
  private var otherKeys: [UInt64]
  private var otherPlaces: [Int32]
  private let digits: Int
  private var counts: [Int]

  init(count: Int, bits: Int) {
    digits = (bits + 10) / 11
    keys = [UInt64](repeating: 0, count: count)
    places = [Int32](repeating: 0, count: count)
    (otherKeys, otherPlaces) = (keys, places)
    counts = [Int](repeating: 0, count: digits << 11)
  }

  /// Sorts one row of a block, which starts at `first`, without one of its columns.
  mutating func sort(_ block: [UInt64], _ first: Int, leavingOut column: Int) {
    for place in counts.indices { counts[place] = 0 }
    for place in keys.indices {
      let from = place < column ? place : place &+ 1
      let key = block[first &+ from]
      keys[place] = key
      places[place] = Int32(truncatingIfNeeded: from)
      var rest = key
      for digit in 0..<digits {
        counts[(digit << 11) | Int(rest & 2047)] &+= 1
        rest >>= 11
      }
    }
    for digit in 0..<digits {
      let (base, shift) = (digit << 11, UInt64(11 * digit))
      // All alike in these bits: nothing to move.
      if counts[base | Int((keys[0] >> shift) & 2047)] == keys.count { continue }
      var sum = 0
      for place in base..<(base + 2048) {
        let count = counts[place]
        counts[place] = sum
        sum &+= count
      }
      for place in keys.indices {
        let key = keys[place]
        let bucket = base | Int((key >> shift) & 2047)
        let target = counts[bucket]
        counts[bucket] = target &+ 1
        otherKeys[target] = key
        otherPlaces[target] = places[place]
      }
      swap(&keys, &otherKeys)
      swap(&places, &otherPlaces)
    }
  }
}
