/// Names in the order in which people count: `blocks.2` before `blocks.10`.
enum NaturalOrder {
  /// Whether a name comes before another: runs of digits as numbers, all else by its bytes; of equal ones the shorter text first.
  static func precedes(_ a: String, _ b: String) -> Bool {
    let (left, right) = (Array(a.utf8), Array(b.utf8))
    var (i, j) = (0, 0)
    while i < left.count, j < right.count {
      if isDigit(left[i]), isDigit(right[j]) {
        let (first, second) = (run(left, &i), run(right, &j))
        if first.count != second.count { return first.count < second.count }
        if first != second { return first.lexicographicallyPrecedes(second) }
      } else if left[i] != right[j] {
        return left[i] < right[j]
      } else {
        i += 1
        j += 1
      }
    }
    if left.count - i != right.count - j { return left.count - i < right.count - j }
    return left.count != right.count
      ? left.count < right.count : left.lexicographicallyPrecedes(right)
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  /// The digits from a place on, without leading zeros.
  private static func run(_ text: [UInt8], _ place: inout Int) -> ArraySlice<UInt8> {
    let start = place
    while place < text.count, isDigit(text[place]) { place += 1 }
    return text[start..<place].drop { $0 == UInt8(ascii: "0") }
  }
}
