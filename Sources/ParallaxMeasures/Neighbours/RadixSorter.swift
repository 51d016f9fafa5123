/// Sorts the bit patterns of numbers that are not negative, eleven bits at a time; equal ones stay in the order
/// of their columns.
struct RadixSorter<Key: FixedWidthInteger> {
  /// From the smallest to the largest.
  private(set) var keys: [Key]
  /// The columns that they stood in.
  private(set) var places: [Int32]
  private var otherKeys: [Key]
  private var otherPlaces: [Int32]
  private var counts: [Int32]

  init(count: Int) {
    keys = [Key](repeating: 0, count: count)
    places = [Int32](repeating: 0, count: count)
    (otherKeys, otherPlaces) = (keys, places)
    counts = [Int32](repeating: 0, count: ((Key.bitWidth + 10) / 11) << 11)
  }

  /// Sorts one row of a block, which starts at `first`, without one of its columns.
  mutating func sort(_ block: [Key], _ first: Int, leavingOut column: Int) {
    Self.load(block, first, column, &keys, &places, &counts)
    for digit in 0..<(counts.count >> 11) {
      let (base, shift) = (digit << 11, 11 * digit)
      // All alike in these bits: nothing to move.
      if counts[base | Int(truncatingIfNeeded: keys[0] >> shift) & 2047] == keys.count { continue }
      Self.scatter(keys, places, base, shift, &otherKeys, &otherPlaces, &counts)
      swap(&keys, &otherKeys)
      swap(&places, &otherPlaces)
    }
  }

  /// Copies the row and counts its digits.
  private static func load(
    _ block: [Key], _ first: Int, _ column: Int, _ keys: inout [Key], _ places: inout [Int32],
    _ counts: inout [Int32]
  ) {
    let digits = counts.count >> 11
    let row = block.span
    var counts = counts.mutableSpan
    var keys = keys.mutableSpan
    var places = places.mutableSpan
    for place in counts.indices { counts[place] = 0 }
    for place in keys.indices {
      let from = place < column ? place : place &+ 1
      let key = row[first &+ from]
      keys[place] = key
      places[place] = Int32(truncatingIfNeeded: from)
      for digit in 0..<digits {
        let low = Int(truncatingIfNeeded: key &>> Key(truncatingIfNeeded: 11 &* digit)) & 2047
        counts[(digit &<< 11) | low] &+= 1
      }
    }
  }

  /// Moves everything to where its digit belongs.
  private static func scatter(
    _ keys: [Key], _ places: [Int32], _ base: Int, _ shift: Int, _ otherKeys: inout [Key],
    _ otherPlaces: inout [Int32], _ counts: inout [Int32]
  ) {
    let shift = Key(truncatingIfNeeded: shift)
    let (sourceKeys, sourcePlaces) = (keys.span, places.span)
    var counts = counts.mutableSpan
    var targetKeys = otherKeys.mutableSpan
    var targetPlaces = otherPlaces.mutableSpan
    var sum = Int32(0)
    for place in base..<(base + 2048) {
      let count = counts[place]
      counts[place] = sum
      sum &+= count
    }
    for place in sourceKeys.indices {
      let key = sourceKeys[place]
      let bucket = base | (Int(truncatingIfNeeded: key &>> shift) & 2047)
      let target = Int(counts[bucket])
      counts[bucket] &+= 1
      targetKeys[target] = key
      targetPlaces[target] = sourcePlaces[place]
    }
  }
}
