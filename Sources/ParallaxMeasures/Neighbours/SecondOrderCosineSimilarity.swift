import ParallaxTensors

/// The mean cosine between an image's similarities to its neighbours in two representations.
///
/// For image i, with J the union of its k nearest in both, the vectors s_j = cos(x_i, x_j) and
/// s'_j = cos(x'_i, x'_j) over j ∈ J give s·s'/(‖s‖‖s'‖); the value is the mean over the images. The usual
/// choice is k = 10. These are similarities, as in the paper; ReSi takes cosine distances, which is another
/// number (0.6540 against 0.6262 on the golden pair). Agrees with NumPy to 12 digits in float64.
///
/// > Source: Hamilton et al., 2016, arXiv 1606.02821, section 3.
public struct SecondOrderCosineSimilarity: Measure {
  /// k, 10 by default.
  public let neighbours: Int

  /// The measure with k neighbours.
  ///
  /// - Precondition: k is at least 1.
  public init(neighbours: Int = 10) {
    precondition(neighbours > 0, "k is at least 1")
    self.neighbours = neighbours
  }

  /// `second-order-cosine`; `second-order-cosine-k5` with another k.
  public var name: String { "second-order-cosine" + (neighbours == 10 ? "" : "-k\(neighbours)") }
  /// A similarity.
  public var direction: Direction { .similarity }
  /// Union and cosine do not know which side is which.
  public var isSymmetric: Bool { true }
  /// The triangle inequality does not hold.
  public var isMetric: Bool { false }
  /// Whatever keeps angles between rows.
  public var invariances: Invariance { Distance.cosine.invariances }
  /// A mean of cosines.
  public var range: ClosedRange<Double> { -1...1 }
  /// Neighbours once a representation; similarities to the neighbours of the other side.
  public var cost: String { "N²D once a representation, NkD a pair" }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// How near the k nearest are depends on k/N.
  public var pitfalls: [Pitfall] { [.neighbourhood(neighbours)] }
  /// k + 2: with k + 1 images all others are neighbours.
  public var fewestImages: Int { neighbours + 2 }
  /// The paper and its section.
  public var source: String { "Hamilton et al., 2016, arXiv 1606.02821, section 3" }
  /// The implementation that gives the same numbers.
  public var agreesWith: String { "NumPy, by the definition, to 12 digits in float64" }

  /// Neighbours, and the rows that further similarities come from.
  public struct Summary: Sendable {
    /// The neighbours.
    public let neighbours: Neighbours
    let rows: DistanceRows
  }

  /// The k nearest of every image, and its rows with length one.
  ///
  /// - Parameter features: `[images, width]`, at least k + 2 images.
  /// - Returns: neighbours and `[images, width]`.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.constant`, or `.row` where a row is zero.
  public func summary(of features: Tensor) throws -> Summary {
    try summary(from: SharedParts(features))
  }

  /// The neighbours by the cosine.
  public var sharedPart: SharedPart? { .neighbours(.cosine, neighbours) }

  /// The same, of one pass over the distances for all measures.
  ///
  /// - Throws: as `summary(of:)`.
  public func summary(from parts: SharedParts) throws -> Summary {
    Summary(
      neighbours: try parts.neighbours(neighbours, .cosine, measure: name),
      rows: try parts.rows(.cosine, fewest: fewestImages, measure: name))
  }

  /// The neighbours among those images, and their rows; nil where too few neighbours are known.
  public func selected(_ summary: Summary, _ images: ImageSelection) throws -> Summary? {
    summary.neighbours.selected(images).map {
      Summary(neighbours: $0, rows: summary.rows.selected(images))
    }
  }

  /// The mean cosine over the images.
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where element types or numbers of neighbours
  ///   differ.
  public func similarity(_ a: Summary, _ b: Summary) throws -> Double {
    try a.neighbours.check(b.neighbours, measure: name)
    var (left, right): ([Int64], [Int64]) = ([], [])
    for image in 0..<a.neighbours.images {
      let union = Set(a.neighbours.list(image)).union(b.neighbours.list(image)).sorted()
      left.append(contentsOf: repeatElement(Int64(image), count: union.count))
      right.append(contentsOf: union.map(Int64.init))
    }
    // cos = 1 − ‖u − v‖²/2 for rows of length one.
    let s = a.rows.squared(left, right).scalars(Double.self).map { 1 - $0 / 2 }
    let t = b.rows.squared(left, right).scalars(Double.self).map { 1 - $0 / 2 }
    var (total, first) = (0.0, 0)
    while first < left.count {
      var (st, ss, tt, place) = (0.0, 0.0, 0.0, first)
      while place < left.count, left[place] == left[first] {
        st += s[place] * t[place]
        ss += s[place] * s[place]
        tt += t[place] * t[place]
        place += 1
      }
      guard ss > 0, tt > 0 else {
        throw MeasureError.row(
          measure: name, row: Int(left[first]), problem: "is orthogonal to all of its neighbours")
      }
      total += st / (ss * tt).squareRoot()
      first = place
    }
    return total / Double(a.neighbours.images)
  }
}
