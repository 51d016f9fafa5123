/// Cycle consistency of neighbours: the share of images that come back to themselves.
///
/// Image i counts where it is among the k nearest in the first representation of one of its k nearest in
/// the second: i ∈ ∪_{j∈kNN'(i)} kNN(j). The sides may not be exchanged. A representation with itself gives
/// the share of images that are a neighbour of one of their neighbours, which need not be 1. It saturates
/// at 1 where k² is not small against the number of images. Agrees with NumPy to all digits.
///
/// > Source: Huh et al., 2024, arXiv 2405.07987, and its code (`cycle_knn`).
public struct CycleKNN: NeighbourMeasure {
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

  /// `cycle-knn`; `cycle-knn-k5` with another k.
  public var name: String { named("cycle-knn", 10) }
  /// The way out is in one representation, the way back in the other.
  public var isSymmetric: Bool { false }
  /// The paper.
  public var source: String { "Huh et al., 2024, arXiv 2405.07987" }
  /// The implementation that gives the same numbers.
  public var agreesWith: String { "NumPy, by the definition, to 12 digits in float64" }

  /// The share of images with a way back.
  public func value(_ a: Neighbours, _ b: Neighbours) -> Double {
    var found = 0
    for image in 0..<a.images
    where b.list(image).contains(where: { a.list(Int($0)).contains(Int32(image)) }) {
      found += 1
    }
    return Double(found) / Double(a.images)
  }

  /// None: it depends on how mutual neighbours are.
  public func selfValue(images: Int) -> Double? { nil }
}
