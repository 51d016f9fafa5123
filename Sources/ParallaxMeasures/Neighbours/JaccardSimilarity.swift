/// The mean Jaccard similarity of an image's k nearest neighbours.
///
/// (1/N) Σ_i |kNN(i) ∩ kNN'(i)| / |kNN(i) ∪ kNN'(i)|; of one image it is o/(2−o), o the share that
/// ``MutualKNN`` averages. The usual choice is the cosine and k = 10. Agrees with ReSi and NumPy.
///
/// > Source: Wang et al., 2022, "Understanding the instability of node embeddings"; Klabunde et al., 2025,
/// > arXiv 2305.06329, neighbourhood-based measures.
public struct JaccardSimilarity: NeighbourMeasure {
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

  /// `jaccard`; `jaccard-k5` with another k.
  public var name: String { named("jaccard", 10) }
  /// The survey that lists it.
  public var source: String { "Klabunde et al., 2025, arXiv 2305.06329, k-NN Jaccard similarity" }
  /// The implementations that give the same numbers.
  public var agreesWith: String {
    "NumPy and the golden value of ReSi (JaccardSimilarity), to 12 digits in float64"
  }

  /// The mean over the images.
  public func value(_ a: Neighbours, _ b: Neighbours) -> Double {
    a.mean { image in
      let shared = a.shared(b, image)
      return Double(shared) / Double(2 * a.count - shared)
    }
  }
}
