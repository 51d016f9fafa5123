/// Mutual nearest neighbours: the mean share of an image's k nearest that both representations agree on.
///
/// (1/N) Σ_i |kNN(i) ∩ kNN'(i)| / k. Chance is k/(N−1). The usual choice is the cosine and k = 10, as in the
/// code of the Platonic Representation Hypothesis, which takes inner products of rows of length one; its
/// clipping of activations at a quantile is a step before this one. With Euclidean distances it is
/// ``NeighbourhoodOverlap``. Agrees with NumPy to all digits.
///
/// > Source: Huh et al., 2024, arXiv 2405.07987, appendix A.
public struct MutualKNN: NeighbourMeasure {
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

  /// `mutual-knn`; `mutual-knn-k5` with another k.
  public var name: String { named("mutual-knn", 10) }
  /// The paper and its section.
  public var source: String { "Huh et al., 2024, arXiv 2405.07987, appendix A" }
  /// The implementation that gives the same numbers.
  public var agreesWith: String { "NumPy, by the definition, to 12 digits in float64" }

  /// The neighbours in common over all neighbours.
  public func value(_ a: Neighbours, _ b: Neighbours) -> Double { a.overlap(b) }
}

extension Neighbours {
  /// Σ_i |∩| / (N·k).
  func overlap(_ other: Neighbours) -> Double {
    var total = 0
    for image in 0..<images { total += shared(other, image) }
    return Double(total) / Double(images * count)
  }
}
