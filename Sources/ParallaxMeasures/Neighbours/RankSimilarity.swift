/// How alike the ranks of the neighbours are that both representations agree on.
///
/// With r and r' the ranks of j (the nearest has 1) and H_m the m-th harmonic number, an image gives
/// Σ_{j∈∩} 2/((1+|r−r'|)(r+r')) / H_|∩|, and 0 where it has no neighbour in common; the value is the mean.
/// The joint form multiplies each image's by its Jaccard similarity. The usual choice is the cosine and
/// k = 10. Agrees with ReSi and NumPy to 12 digits in float64.
///
/// > Source: Wang et al., 2020, "Towards understanding the instability of network embedding", IEEE Transactions
/// > on Knowledge and Data Engineering; Klabunde et al., 2025, arXiv 2305.06329, rank similarity and joint rank
/// > and k-NN Jaccard similarity.
public struct RankSimilarity: NeighbourMeasure {
  /// k, 10 by default.
  public let neighbours: Int
  /// What is near, by default the cosine.
  public let distance: Distance
  /// Whether each image's value is multiplied by its Jaccard similarity.
  public let isJoint: Bool

  /// The measure with k neighbours.
  ///
  /// - Precondition: k is at least 1.
  public init(neighbours: Int = 10, distance: Distance = .cosine, joint: Bool = false) {
    precondition(neighbours > 0, "k is at least 1")
    (self.neighbours, self.distance, isJoint) = (neighbours, distance, joint)
  }

  /// `rank-similarity`, or `rank-jaccard` for the joint form.
  public var name: String { named(isJoint ? "rank-jaccard" : "rank-similarity", 10) }
  /// The survey that lists both.
  public var source: String { "Klabunde et al., 2025, arXiv 2305.06329, rank similarity" }
  /// The implementations that give the same numbers.
  public var agreesWith: String {
    "NumPy and the golden value of ReSi (RankSimilarity), to 12 digits in float64"
  }

  /// The mean over the images.
  public func value(_ a: Neighbours, _ b: Neighbours) -> Double {
    var harmonic = [0.0]
    for term in 1...a.count { harmonic.append(harmonic[term - 1] + 1 / Double(term)) }
    return a.mean { image in
      let (left, right) = (Array(a.list(image)), Array(b.list(image)))
      var (shared, sum) = (0, 0.0)
      // By index, so that the terms are added in one order whichever side is first.
      for j in a.inOrder(image) {
        guard let r = left.firstIndex(of: j), let s = right.firstIndex(of: j) else { continue }
        shared += 1
        sum += 2 / Double((1 + abs(r - s)) * (r + s + 2))
      }
      if shared == 0 { return 0 }
      let weight = isJoint ? Double(shared) / Double(2 * a.count - shared) : 1
      return sum / harmonic[shared] * weight
    }
  }
}
