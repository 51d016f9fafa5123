/// The mean length of the longest common subsequence of the ordered neighbours, in neighbours.
///
/// The two lists of k neighbours run from the nearest to the farthest; a subsequence keeps the order and may
/// leave out. From 0 to k; divide by k to compare with ``MutualKNN``. The usual choice is the cosine and k = 10.
/// Agrees with NumPy to all digits.
///
/// > Source: Huh et al., 2024, arXiv 2405.07987, and its code (`lcs_knn`).
public struct LCSKNN: NeighbourMeasure {
  /// k, 10 by default.
  public let neighbours: Int
  /// What is near, by default the cosine.
  public let distance: Distance

  /// The measure with k neighbours.
  ///
  /// - Precondition: k is at least 1.
  public init(neighbours: Int = 10, distance: Distance = .cosine) {
    precondition(neighbours > 0, "k is at least 1")
    (self.neighbours, self.distance) = (neighbours, distance)
  }

  /// `lcs-knn`; `lcs-knn-k5` with another k.
  public var name: String { named("lcs-knn", 10) }
  /// From 0 to k.
  public var range: ClosedRange<Double> { 0...Double(neighbours) }
  /// A table of k² for each image of a pair.
  public var cost: String { "N²D once a representation, Nk² a pair" }
  /// The paper.
  public var source: String { "Huh et al., 2024, arXiv 2405.07987" }
  /// The implementation that gives the same numbers.
  public var agreesWith: String { "NumPy, by the definition, to 12 digits in float64" }

  /// The mean over the images.
  public func value(_ a: Neighbours, _ b: Neighbours) -> Double {
    var row = [Int](repeating: 0, count: b.count + 1)
    return a.mean { image in
      for place in row.indices { row[place] = 0 }
      let right = b.list(image)
      for left in a.list(image) {
        var diagonal = 0
        for (place, other) in right.enumerated() {
          let above = row[place + 1]
          row[place + 1] = left == other ? diagonal + 1 : max(above, row[place])
          diagonal = above
        }
      }
      return Double(row[b.count])
    }
  }
}
