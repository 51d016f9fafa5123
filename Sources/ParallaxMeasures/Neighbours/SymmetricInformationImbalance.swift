import ParallaxTensors

/// The symmetrised information imbalance (Δ(A→B) + Δ(B→A))/√2: the distance from the corner of the
/// information-imbalance plane along its diagonal.
///
/// Small where each side contains what the other knows, about √2 for independent ones. Options and refusals
/// are those of ``InformationImbalance``, and the summaries are the same. Agrees with DADApy 0.3.4 to all
/// digits.
///
/// > Source: Glielmo et al., 2022, arXiv 2104.15079, symmetric information imbalance.
public struct SymmetricInformationImbalance: Measure {
  /// The imbalance of one direction.
  public let imbalance: InformationImbalance

  /// The sum of both directions over √2.
  public init(_ imbalance: InformationImbalance = InformationImbalance()) {
    self.imbalance = imbalance
  }

  /// `information-imbalance-symmetric`, with what is not the usual choice.
  public var name: String { imbalance.named("information-imbalance-symmetric") }
  /// A distance.
  public var direction: Direction { .distance }
  /// A sum of both directions.
  public var isSymmetric: Bool { true }
  /// The triangle inequality does not hold.
  public var isMetric: Bool { false }
  /// Whatever keeps the order of distances from each image.
  public var invariances: Invariance { imbalance.invariances }
  /// √2 times the range of one direction.
  public var range: ClosedRange<Double> { 0...(2 * 2.0.squareRoot()) }
  /// All ranks once a representation; a pair only looks them up.
  public var cost: String { imbalance.cost }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// Those of one direction.
  public var pitfalls: [Pitfall] { imbalance.pitfalls }
  /// k + 2.
  public var fewestImages: Int { imbalance.fewestImages }
  /// The paper.
  public var source: String { "Glielmo et al., 2022, arXiv 2104.15079" }
  /// The implementation that gives the same numbers.
  public var agreesWith: String { imbalance.agreesWith }

  /// The ranks of all images from every image, and the k nearest.
  ///
  /// - Parameter features: `[images, width]`, at least k + 2 images, no two alike.
  /// - Returns: N² ranks in two bytes each (four above 65 535 images).
  /// - Throws: as `InformationImbalance`.
  public func summary(of features: Tensor) throws -> NeighbourRanks {
    try summary(from: SharedParts(features))
  }

  /// The ranks by that distance.
  public var sharedPart: SharedPart? { .ranks(imbalance.distance, imbalance.neighbours) }

  /// The same, of one pass over the distances for all measures.
  ///
  /// - Throws: as `summary(of:)`.
  public func summary(from parts: SharedParts) throws -> NeighbourRanks {
    try parts.ranks(imbalance.neighbours, imbalance.distance, measure: name).distinct(measure: name)
  }

  /// The ranks among those images; nil where too few of the nearest are known.
  public func selected(_ summary: NeighbourRanks, _ images: ImageSelection) throws
    -> NeighbourRanks?
  {
    summary.selected(images)
  }

  /// (Δ(a→b) + Δ(b→a))/√2.
  ///
  /// - Throws: `MeasureError.unequalCounts`, `MeasureError.summaries`.
  public func similarity(_ a: NeighbourRanks, _ b: NeighbourRanks) throws -> Double {
    try a.neighbours.check(b.neighbours, measure: name)
    return (try imbalance.similarity(a, b) + imbalance.similarity(b, a)) / 2.0.squareRoot()
  }

  /// √2 times the floor of one direction.
  public func selfValue(images: Int) -> Double? {
    imbalance.selfValue(images: images).map { 2 * $0 / 2.0.squareRoot() }
  }
}
