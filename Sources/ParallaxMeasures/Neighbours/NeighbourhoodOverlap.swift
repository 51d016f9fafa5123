/// The neighbourhood overlap χ_k: the mean share of an image's k nearest, by Euclidean distance, that both
/// representations agree on.
///
/// (1/(Nk)) Σ_i |kNN(i) ∩ kNN'(i)|: ``MutualKNN`` with another distance and k = 30, DADApy's default.
/// Agrees with DADApy 0.3.4 (`return_data_overlap`) to all digits.
///
/// > Source: Doimo et al., 2020, arXiv 2007.03506, section 2.
public struct NeighbourhoodOverlap: NeighbourMeasure {
  /// k, 30 by default.
  public let neighbours: Int
  /// What is near, by default the Euclidean distance.
  public let distance: Distance

  /// The measure with k neighbours.
  ///
  /// - Precondition: k is at least 1.
  public init(neighbours: Int = 30, distance: Distance = .euclidean) {
    precondition(neighbours > 0, "k is at least 1")
    (self.neighbours, self.distance) = (neighbours, distance)
  }

  /// `neighbourhood-overlap`; `neighbourhood-overlap-k5` with another k.
  public var name: String { named("neighbourhood-overlap", 30, .euclidean) }
  /// The paper and its section.
  public var source: String { "Doimo et al., 2020, arXiv 2007.03506, section 2" }
  /// The implementation that gives the same numbers.
  public var agreesWith: String { "DADApy 0.3.4 (return_data_overlap), to 12 digits in float64" }

  /// The neighbours in common over all neighbours.
  public func value(_ a: Neighbours, _ b: Neighbours) -> Double { a.overlap(b) }
}
