import ParallaxTensors

/// The k nearest images of every image, itself left out: what the neighbour measures keep of a
/// representation.
///
/// Made by one pass over blocks of distances, so that it needs memory for a block times all images, never
/// for all pairs. Equal distances are put in order by the lowest index, and counted in ``ties``. Images
/// with the same features are neighbours at distance zero; ``duplicates`` counts them.
///
/// One such value serves every measure with the same k and the same distance.
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
  /// `[images · k]`: of every image its neighbours, the nearest first.
  let indices: [Int32]
  /// The same, of every image in increasing order.
  let sorted: [Int32]
  /// `[images · k]`: squared Euclidean distances, of unit rows where the distance is an angle's.
  let squares: [Double]
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
    let rows = try DistanceRows(features, distance, fewest: count + 2, measure: measure)
    self.init(rows, count)
  }

  init(_ rows: DistanceRows, _ count: Int) {
    var nearest = Nearest(images: rows.images, count: count)
    for start in stride(from: 0, to: rows.images, by: rows.blockSize) {
      let span = start..<min(start + rows.blockSize, rows.images)
      let block = rows.squared(span)
      if rows.precision == .float64 {
        nearest.add(block.scalars(Double.self), span)
      } else {
        nearest.add(block.scalars(Float.self), span)
      }
    }
    self.init(rows, nearest)
  }

  init(_ rows: DistanceRows, _ nearest: Nearest) {
    (images, count) = (rows.images, nearest.count)
    (distance, precision) = (rows.distance, rows.precision)
    (indices, squares) = (nearest.indices, nearest.squares)
    (ties, duplicates) = (nearest.ties, nearest.duplicates)
    firstDuplicate = nearest.firstDuplicate
    var sorted = indices
    for start in stride(from: 0, to: sorted.count, by: count) {
      sorted[start..<(start + count)].sort()
    }
    self.sorted = sorted
  }

  /// The neighbours of one image, the nearest first.
  ///
  /// - Precondition: the image is one of `0..<images`.
  public func nearest(to image: Int) -> [Int] { list(image).map(Int.init) }

  /// The same without a copy.
  func list(_ image: Int) -> ArraySlice<Int32> {
    indices[(image * count)..<((image + 1) * count)]
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
