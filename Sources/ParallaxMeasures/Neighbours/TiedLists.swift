/// The nearest images of every image, in groups of equally far ones that are whole: k of them at least, and whatever is as far
/// as the last.
///
/// Selections share the lists of all images, so that a space whose images are mostly equal is kept once.
struct TiedLists: Sendable {
  /// How many neighbours each image has at the least.
  let depth: Int
  /// Image after image, the nearest first; the last of a group of equally far ones is stored as its complement, which is
  /// negative.
  private(set) var entries: [Int32] = []
  /// Where each image's begin, and the end.
  private(set) var starts: [Int] = [0]
  /// Whether the first group of each image is at distance 0.
  private(set) var isZero: [Bool] = []

  init(images: Int, depth: Int) {
    self.depth = depth
    entries.reserveCapacity(images * depth)
    starts.reserveCapacity(images + 1)
    isZero.reserveCapacity(images)
  }

  /// The first places of a sorted row, with the ends of groups marked.
  static func marked<Key: Equatable>(_ places: [Int32], _ keys: [Key], _ end: Int) -> [Int32] {
    (0..<end).map { place in
      place + 1 == end || keys[place] != keys[place + 1] ? ~places[place] : places[place]
    }
  }

  /// Appends the next image's list.
  mutating func append(_ list: [Int32], isZero: Bool) {
    entries.append(contentsOf: list)
    starts.append(entries.count)
    self.isZero.append(isZero)
  }

  /// Appends the lists of some rows of a block of squared distances, `[rows · images]`, without sorting them.
  mutating func append<Scalar: BinaryFloatingPoint>(
    _ block: [Scalar], _ span: Range<Int>, of images: Int
  ) {
    var nearest = Nearest(images: images, count: depth)
    nearest.add(block, span)
    for (offset, row) in span.enumerated() {
      let own = (offset * depth)..<((offset + 1) * depth)
      var (places, squares) = (Array(nearest.indices[own]), Array(nearest.squares[own]))
      let last = squares[depth - 1]
      if nearest.beyond[offset] == last {
        // More are as far as the last: all of them, in place of those that were found.
        let nearer = squares.count { $0 < last }
        let first = offset * images
        places.removeLast(depth - nearer)
        places += (0..<images).filter { $0 != row && Double(block[first + $0]) == last }
          .map { Int32(truncatingIfNeeded: $0) }
        squares += Array(repeating: last, count: places.count - depth)
      }
      append(Self.marked(places, squares, places.count), isZero: squares[0] == 0)
    }
  }
}
