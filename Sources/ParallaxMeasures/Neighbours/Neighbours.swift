import ParallaxTensors

/// The k nearest images of every image, itself left out: what the neighbour measures keep of a
/// representation.
///
/// Made by one pass over blocks of distances, so that it needs memory for a block times all images, never
/// for all pairs. Equal distances are put in order by the lowest index, and counted in ``ties``. Images
/// with the same features are neighbours at distance zero; ``duplicates`` counts them.
///
/// One such value serves every measure with the same distance and no more neighbours: the nearest of the nearest are a
/// prefix of its lists.
public struct Neighbours: Sendable {
  /// The number of images.
  public let images: Int
  /// k: how many neighbours each has.
  public let count: Int
  /// The distance.
  public let distance: Distance
  /// The element type of the products.
  public let precision: DType
  /// How many times two neighbours next to one another, among the k + 1 nearest of an image, are equally far.
  public let ties: Int
  /// How many images have another with the same features.
  public let duplicates: Int
  /// How many are kept of each image; at least k, more where other measures or left-out images may ask for them.
  let depth: Int
  /// `[images · depth]`: of every image those that are kept, the nearest first.
  let indices: [Int32]
  /// `[images · k]`: of every image its neighbours in increasing order.
  let sorted: [Int32]
  /// `[images · depth]`: squared Euclidean distances, of unit rows where the distance is an angle's.
  let squares: [Double]
  /// `[images]`: the squared distance of the nearest that is not kept.
  let beyond: [Double]
  /// A duplicate and its original; nil where there is none.
  let firstDuplicate: [Int]?

  /// The k nearest images of every image.
  ///
  /// - Parameters:
  ///   - features: `[images, width]`, at least k + 2 images: with fewer all others are neighbours.
  ///   - count: k, at least 1.
  ///   - distance: what is near.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.constant`, or `.row` where a row has no direction.
  public init(of features: Tensor, count: Int, distance: Distance) throws {
    try self.init(features, count, distance, measure: "kNN")
  }

  /// - Throws: `MeasureError`.
  init(_ features: Tensor, _ count: Int, _ distance: Distance, measure: String) throws {
    self = try SharedParts(features).neighbours(count, distance, measure: measure)
  }

  /// By one pass over blocks; `squared` gives the squared distances of some rows to all.
  init(_ rows: DistanceRows, depth: Int, _ squared: (Range<Int>) -> Tensor) {
    var nearest = Nearest(images: rows.images, count: depth)
    for start in stride(from: 0, to: rows.images, by: rows.blockSize) {
      let span = start..<min(start + rows.blockSize, rows.images)
      let block = squared(span)
      if rows.precision == .float64 {
        nearest.add(block.scalars(Double.self), span)
      } else {
        nearest.add(block.scalars(Float.self), span)
      }
    }
    self.init(rows, nearest)
  }

  init(_ rows: DistanceRows, _ nearest: Nearest) {
    (images, count, depth) = (rows.images, nearest.count, nearest.count)
    (distance, precision) = (rows.distance, rows.precision)
    (indices, squares, beyond) = (nearest.indices, nearest.squares, nearest.beyond)
    (sorted, ties) = Self.sorted(indices, squares, beyond, depth: depth, count)
    (duplicates, firstDuplicate) = Self.duplicates(indices, squares, depth: depth)
  }

  /// Fewer neighbours of those that another has.
  init(_ other: Neighbours, count: Int) {
    precondition(count <= other.depth, "so many are kept")
    (images, self.count, depth) = (other.images, count, other.depth)
    (distance, precision) = (other.distance, other.precision)
    (indices, squares, beyond) = (other.indices, other.squares, other.beyond)
    (sorted, ties) = Self.sorted(indices, squares, beyond, depth: depth, count)
    (duplicates, firstDuplicate) = (other.duplicates, other.firstDuplicate)
  }

  /// As many neighbours of other images.
  init(
    _ other: Neighbours, _ images: Int, _ indices: [Int32], _ squares: [Double], _ beyond: [Double]
  ) {
    (self.images, count, depth) = (images, other.count, other.count)
    (distance, precision) = (other.distance, other.precision)
    (self.indices, self.squares, self.beyond) = (indices, squares, beyond)
    (sorted, ties) = Self.sorted(indices, squares, beyond, depth: depth, count)
    (duplicates, firstDuplicate) = Self.duplicates(indices, squares, depth: depth)
  }

  /// The nearest by index, and how many of the nearest and the next are equally far.
  private static func sorted(
    _ indices: [Int32], _ squares: [Double], _ beyond: [Double], depth: Int, _ count: Int
  ) -> ([Int32], Int) {
    var sorted = [Int32](repeating: 0, count: beyond.count * count)
    var ties = 0
    for image in beyond.indices {
      let (from, to) = (image * depth, image * count)
      for place in 0..<count {
        // Few enough for insertion.
        let index = indices[from + place]
        var at = to + place
        while at > to, sorted[at - 1] > index {
          sorted[at] = sorted[at - 1]
          at -= 1
        }
        sorted[at] = index
        let next = place + 1 < depth ? squares[from + place + 1] : beyond[image]
        if squares[from + place] == next { ties += 1 }
      }
    }
    return (sorted, ties)
  }

  /// How many images have another at distance zero, and the first with its original.
  private static func duplicates(_ indices: [Int32], _ squares: [Double], depth: Int)
    -> (Int, [Int]?)
  {
    var (count, first) = (0, [Int]?.none)
    for start in stride(from: 0, to: indices.count, by: depth) where squares[start] == 0 {
      count += 1
      if first == nil { first = [start / depth, Int(indices[start])] }
    }
    return (count, first)
  }

  /// The neighbours of one image, the nearest first.
  ///
  /// - Precondition: the image is one of `0..<images`.
  public func nearest(to image: Int) -> [Int] { list(image).map(Int.init) }

  /// The same without a copy.
  func list(_ image: Int) -> ArraySlice<Int32> {
    indices[(image * depth)..<(image * depth + count)]
  }

  /// The neighbours of one image by index.
  func inOrder(_ image: Int) -> ArraySlice<Int32> {
    sorted[(image * count)..<((image + 1) * count)]
  }

  /// How many neighbours an image has on both sides.
  func shared(_ other: Neighbours, _ image: Int) -> Int {
    var (left, right) = (image * count, image * other.count)
    let (leftEnd, rightEnd) = (left + count, right + other.count)
    var found = 0
    while left < leftEnd, right < rightEnd {
      let (a, b) = (sorted[left], other.sorted[right])
      if a == b { found += 1 }
      if a <= b { left += 1 }
      if b <= a { right += 1 }
    }
    return found
  }

  /// - Throws: `MeasureError.unequalCounts`, `MeasureError.summaries`.
  func check(_ other: Neighbours, measure: String) throws {
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
  /// How many neighbours are kept where measures ask for so many: a few more than all of them need, so that the lists
  /// outlast a group of images that is left out.
  func depth(_ count: Int, images: Int) -> Int {
    guard let most = plan?.neighbours, most > 0 else { return count }
    return max(count, min(images - 2, 2 * most + 8))
  }

  /// The k nearest of every image, of one pass for all measures.
  ///
  /// - Throws: `MeasureError`.
  func neighbours(_ count: Int, _ distance: Distance, measure: String) throws -> Neighbours {
    if plan?.needsRanks == true {
      return try ranks(count, distance, measure: measure).neighbours
    }
    let rows = try rows(distance, fewest: count + 2, measure: measure)
    let whole = part("neighbours") {
      Neighbours(rows, depth: depth(count, images: rows.images)) { squared(rows, $0) }
    }
    return whole.prefix(count)
  }

  /// The same with the ranks of all; equal rows are not refused.
  ///
  /// - Throws: `MeasureError`.
  func ranks(_ count: Int, _ distance: Distance, measure: String) throws -> NeighbourRanks {
    let rows = try rows(distance, fewest: count + 2, measure: measure)
    let whole = part("ranks") {
      NeighbourRanks(rows, depth: depth(count, images: rows.images)) { squared(rows, $0) }
    }
    return whole.prefix(count)
  }
}
