/// The k nearest of every image, as blocks of distances come in.
struct Nearest {
  let images: Int
  let count: Int
  private(set) var indices: [Int32] = []
  private(set) var squares: [Double] = []
  private(set) var beyond: [Double] = []

  init(images: Int, count: Int) {
    precondition(count > 0, "k is at least 1")
    (self.images, self.count) = (images, count)
    indices.reserveCapacity(images * count)
    squares.reserveCapacity(images * count)
  }

  /// Adds the rows of a block of squared distances, `[rows · images]`.
  mutating func add<Scalar: BinaryFloatingPoint>(_ block: [Scalar], _ span: Range<Int>) {
    // One more than k, to know whether the last place was a matter of order.
    var found = [Scalar](repeating: .infinity, count: count + 1)
    var places = [Int32](repeating: 0, count: count + 1)
    for row in span {
      let start = (row - span.lowerBound) * images
      for place in found.indices { found[place] = .infinity }
      Self.scan(block, start, 0..<row, &found, &places)
      Self.scan(block, start, (row + 1)..<images, &found, &places)
      append(found.map { Double($0) }, places)
    }
  }

  /// Adds rows of distances to all images, `[rows · images]`; that to the image itself is infinite.
  mutating func add<Scalar: BinaryFloatingPoint>(rows block: [Scalar]) {
    var found = [Scalar](repeating: .infinity, count: count + 1)
    var places = [Int32](repeating: 0, count: count + 1)
    for start in stride(from: 0, to: block.count, by: images) {
      for place in found.indices { found[place] = .infinity }
      Self.scan(block, start, 0..<images, &found, &places)
      append(found.map { Double($0) }, places)
    }
  }

  /// Takes in what is strictly nearer than the farthest so far: of equal ones the first stays.
  @inline(__always)
  private static func scan<Scalar: BinaryFloatingPoint>(
    _ block: [Scalar], _ start: Int, _ columns: Range<Int>, _ found: inout [Scalar],
    _ places: inout [Int32]
  ) {
    let last = found.count - 1
    var farthest = found[last]
    for column in columns where block[start &+ column] < farthest {
      let value = block[start &+ column]
      var place = last
      while place > 0, value < found[place - 1] {
        found[place] = found[place - 1]
        places[place] = places[place - 1]
        place -= 1
      }
      found[place] = value
      places[place] = Int32(truncatingIfNeeded: column)
      farthest = found[last]
    }
  }

  /// Appends one image's nearest in order, k + 1 of them.
  mutating func append(_ found: [Double], _ places: [Int32]) {
    beyond.append(found[count])
    indices.append(contentsOf: places.prefix(count))
    squares.append(contentsOf: found.prefix(count))
  }
}
