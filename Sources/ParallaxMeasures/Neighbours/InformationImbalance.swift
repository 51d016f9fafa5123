import ParallaxTensors

/// The information imbalance Δ(A→B): how far, in ranks of B, the nearest neighbours in A are.
///
/// Δ(A→B) = 2/(N²k) · Σ_i Σ_{j: r^A_ij ≤ k} r^B_ij, with r_ij = 1 + #{l ≠ i: d(i, l) < d(i, j)}. Near 0 where A
/// contains what B says of neighbourhoods, about 1 where A says nothing about B; noise may lift it above 1. The
/// sides may not be exchanged: Δ(A→B) < Δ(B→A) says that A knows more. The first argument is A.
///
/// A representation with itself has the floor (k+1)/N, not 0. Values depend on N: compare at equal
/// numbers of images. Bootstrapping is not valid, since it makes duplicates.
///
/// Conventions: two normalisations, see ``Normalization``. Ranks are full rankings, so that nothing is drawn at
/// random (DADApy draws ranks beyond its `maxk`); of equal distances all have the lowest rank; of equally near
/// neighbours the one of the lowest index counts. Equal rows are refused: they make the nearest neighbour a
/// matter of order. ``ExpectedInformationImbalance`` has a value for them.
///
/// Agrees with DADApy 0.3.4 (full rankings, k = 1, 3, 5, 10) to all digits.
///
/// > Source: Glielmo et al., 2022, arXiv 2104.15079, equation 2.
public struct InformationImbalance: Measure {
  /// What the mean rank is put into relation to.
  public enum Normalization: String, Sendable, Hashable, Codable, CaseIterable {
    /// 2⟨r⟩/N: from (k+1)/N; independent representations have 1 in expectation.
    case glielmo
    /// 2⟨r − 1⟩/(N − 2): from 0 for k = 1; independent representations have 1 in expectation.
    case zeroBased
  }

  /// k, 1 by default.
  public let neighbours: Int
  /// What is near, by default the Euclidean distance.
  public let distance: Distance
  /// The normalisation, by default that of the paper.
  public let normalization: Normalization

  /// The imbalance with k neighbours.
  ///
  /// - Precondition: k is at least 1.
  public init(
    neighbours: Int = 1, distance: Distance = .euclidean, normalization: Normalization = .glielmo
  ) {
    precondition(neighbours > 0, "k is at least 1")
    (self.neighbours, self.distance, self.normalization) = (neighbours, distance, normalization)
  }

  /// `information-imbalance`, with `-zero-based`, `-cosine` and `-k5` where they are not the usual choice.
  public var name: String { named("information-imbalance") }

  func named(_ base: String) -> String {
    base + (normalization == .zeroBased ? "-zero-based" : "")
      + (distance == .euclidean ? "" : "-\(distance)") + (neighbours == 1 ? "" : "-k\(neighbours)")
  }
  /// A distance: smaller where the first side tells more of the second.
  public var direction: Direction { .distance }
  /// What one side says of the other is not what the other says of it.
  public var isSymmetric: Bool { false }
  /// It is not symmetric.
  public var isMetric: Bool { false }
  /// Whatever keeps the order of distances from each image.
  public var invariances: Invariance { distance.invariances }
  /// Up to 2, if the nearest are the farthest.
  public var range: ClosedRange<Double> { 0...2 }
  /// All ranks once a representation; a pair only looks them up.
  public var cost: String { "N²D + N² log N once a representation, Nk a pair" }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// A mean over N·k ranks.
  public var pitfalls: [Pitfall] { [.ranks(neighbours)] }
  /// k + 2: with k + 1 images all others are neighbours.
  public var fewestImages: Int { neighbours + 2 }
  /// The paper and its equation.
  public var source: String { "Glielmo et al., 2022, arXiv 2104.15079, equation 2" }
  /// The implementation that gives the same numbers.
  public var agreesWith: String {
    normalization == .glielmo && distance == .euclidean
      ? "DADApy 0.3.4 with full rankings, to 12 digits in float64"
      : "NumPy, by the definition, to 12 digits in float64"
  }

  /// The ranks of all images from every image, and the k nearest.
  ///
  /// - Parameter features: `[images, width]`, at least k + 2 images, no two alike.
  /// - Returns: N² ranks in two bytes each (four above 65 535 images).
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.constant`, `.duplicates` where two rows are equal, or
  ///   `.row` where a row has no direction.
  public func summary(of features: Tensor) throws -> NeighbourRanks {
    try summary(from: SharedParts(features))
  }

  /// The ranks by that distance.
  public var sharedPart: SharedPart? { .ranks(distance, neighbours) }

  /// The same, of one pass over the distances for all measures.
  ///
  /// - Throws: as `summary(of:)`.
  public func summary(from parts: SharedParts) throws -> NeighbourRanks {
    try parts.ranks(neighbours, distance, measure: name).distinct(measure: name)
  }

  /// The nearest: nobody looks up the ranks of the first side.
  public var firstSide: SharedPart? { .neighbours(distance, neighbours) }

  /// The nearest without the ranks.
  ///
  /// - Throws: as `summary(of:)`.
  public func firstSide(from parts: SharedParts) throws -> NeighbourRanks {
    try NeighbourRanks(parts.neighbours(neighbours, distance, measure: name))
      .distinct(measure: name)
  }

  /// The ranks among those images; nil where too few of the nearest are known.
  public func selected(_ summary: NeighbourRanks, _ images: ImageSelection) throws
    -> NeighbourRanks?
  {
    summary.selected(images)
  }

  /// Δ(a→b).
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where element types, distances or numbers of
  ///   neighbours differ.
  public func similarity(_ a: NeighbourRanks, _ b: NeighbourRanks) throws -> Double {
    try a.neighbours.check(b.neighbours, measure: name)
    return value(
      doubledSum: Double(2 * b.sum(over: a.neighbours)), images: a.neighbours.images)
  }

  /// (k+1)/N, or (k−1)/(N−2).
  public func selfValue(images: Int) -> Double? {
    value(doubledSum: Double(images * neighbours * (neighbours + 1)), images: images)
  }

  /// The expected value where images cannot be told apart.
  public var allowingTies: any Measure { ExpectedInformationImbalance(self) }

  /// The imbalance from twice the sum of N·k ranks.
  func value(doubledSum sum: Double, images: Int) -> Double {
    let pairs = images * neighbours
    return switch normalization {
    case .glielmo: sum / Double(images * pairs)
    case .zeroBased: (sum - Double(2 * pairs)) / Double((images - 2) * pairs)
    }
  }

  /// A value by the other normalisation: Δ₀ = (N·Δ − 2)/(N − 2), and back.
  ///
  /// - Parameters:
  ///   - value: by this one.
  ///   - images: N, more than 2.
  /// - Returns: the value by the other one.
  public func renormalized(_ value: Double, images: Int) -> Double {
    let n = Double(images)
    return switch normalization {
    case .glielmo: (n * value - 2) / (n - 2)
    case .zeroBased: ((n - 2) * value + 2) / n
    }
  }
}
