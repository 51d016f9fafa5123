/// One minus the mean edit distance of the ordered neighbours, over k.
///
/// The distance is Levenshtein's: insertions, deletions and substitutions cost one each. 1 where the lists
/// are the same, 0 where no place agrees. The usual choice is the cosine and k = 10. Agrees with NumPy to
/// 12 digits in float64.
///
/// > Source: Huh et al., 2024, arXiv 2405.07987, and its code (`edit_distance_knn`).
public struct EditKNN: NeighbourMeasure {
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

  /// `edit-knn`; `edit-knn-k5` with another k.
  public var name: String { named("edit-knn", 10) }
  /// A table of k² for each image of a pair.
  public var cost: String { "N²D once a representation, Nk² a pair" }
  /// The paper.
  public var source: String { "Huh et al., 2024, arXiv 2405.07987" }
  /// The implementation that gives the same numbers.
  public var agreesWith: String { "NumPy, by the definition, to 12 digits in float64" }

  /// One less the mean over the images.
  public func value(_ a: Neighbours, _ b: Neighbours) -> Double {
    var (total, row) = (0, [Int](repeating: 0, count: b.count + 1))
    for image in 0..<a.images {
      for place in row.indices { row[place] = place }
      let right = b.list(image)
      for (line, left) in a.list(image).enumerated() {
        var diagonal = line
        row[0] = line + 1
        for (place, other) in right.enumerated() {
          let above = row[place + 1]
          row[place + 1] = min(diagonal + (left == other ? 0 : 1), above + 1, row[place] + 1)
          diagonal = above
        }
      }
      total += row[b.count]
    }
    return 1 - Double(total) / Double(a.images * a.count)
  }
}
