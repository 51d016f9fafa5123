import ParallaxTensors

/// The information imbalance where equally far images are put in order at random: its expected value, exactly.
///
/// For spaces that cannot tell all images apart, such as single statistics of pictures: a picture and its mirror image
/// have the same luminance, all grey pictures the same saturation. Of a first side, every one of the equally far
/// images at the end of the k nearest has the same chance to be among them; on the second, each of those as far has the mean
/// of their ranks; the two sides are independent:
///
/// Δ(A→B) = 2/(N²k) · Σ_i Σ_j P(r^A_ij ≤ k) · E[r^B_ij], E[r_ij] = 1 + #{d(i, l) < d(i, j)} + ½ #{l ≠ j: d(i, l) = d(i, j)}.
///
/// Without equal distances it is ``InformationImbalance``, to the last digit. A second side on which all are equally far
/// would have 1, as an unrelated one. A representation with itself has more than the floor where it has ties: its two
/// orders are drawn apart.
///
/// This is the mean over infinitely small noise added to the features, which DADApy advises where points coincide: exactly
/// for the ranks and for equal rows; at other ties on the first side noise may prefer one image to another, which this does
/// not. Agrees with SciPy's average ranks and an enumeration of all choices of neighbours to 12 digits, and with the mean
/// over DADApy's values on jittered features within its standard error (`Oracles/ties.py`).
///
/// > Source: the definition with ties is ours; without ties: Glielmo et al., 2022, arXiv 2104.15079, equation 2.
public struct ExpectedInformationImbalance: Measure {
  /// Neighbours, distance and normalisation.
  public let imbalance: InformationImbalance

  /// The expected value of an imbalance.
  public init(_ imbalance: InformationImbalance = InformationImbalance()) {
    self.imbalance = imbalance
  }

  /// `information-imbalance-expected`, with what is not the usual choice.
  public var name: String { imbalance.named("information-imbalance-expected") }
  /// A distance: smaller where the first side tells more of the second.
  public var direction: Direction { .distance }
  /// What one side says of the other is not what the other says of it.
  public var isSymmetric: Bool { false }
  /// It is not symmetric.
  public var isMetric: Bool { false }
  /// Whatever keeps the order of distances from each image.
  public var invariances: Invariance { imbalance.invariances }
  /// Up to 2, if the nearest are the farthest.
  public var range: ClosedRange<Double> { imbalance.range }
  /// All ranks once a representation; a pair only looks them up.
  public var cost: String { imbalance.cost }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// A mean over N·k ranks.
  public var pitfalls: [Pitfall] { imbalance.pitfalls }
  /// k + 2.
  public var fewestImages: Int { imbalance.fewestImages }
  /// The definition with ties is ours.
  public var source: String { "\(imbalance.source); ties in expectation: ours" }
  /// The implementation that gives the same numbers.
  public var agreesWith: String {
    "SciPy's average ranks and all choices of equally near neighbours, to 12 digits in float64"
  }

  /// The expected ranks of all images from every image, and the nearest.
  ///
  /// - Parameter features: `[images, width]`, at least k + 2 images; rows may be equal, but not all of them.
  /// - Returns: N² ranks in two bytes each (four above 32 767 images).
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.constant`, or `.row` where a row has no direction.
  public func summary(of features: Tensor) throws -> TiedRanks {
    try summary(from: SharedParts(features))
  }

  /// The ranks by that distance.
  public var sharedPart: SharedPart? {
    .tied(imbalance.distance, imbalance.neighbours, needsRanks: true)
  }

  /// The same, of one pass over the distances for all measures.
  ///
  /// - Throws: as `summary(of:)`.
  public func summary(from parts: SharedParts) throws -> TiedRanks {
    try parts.tiedRanks(imbalance.neighbours, imbalance.distance, hasRanks: true, measure: name)
  }

  /// The nearest: nobody looks up the ranks of the first side.
  public var firstSide: SharedPart? {
    .tied(imbalance.distance, imbalance.neighbours, needsRanks: false)
  }

  /// The nearest without the ranks.
  ///
  /// - Throws: as `summary(of:)`.
  public func firstSide(from parts: SharedParts) throws -> TiedRanks {
    try parts.tiedRanks(imbalance.neighbours, imbalance.distance, hasRanks: false, measure: name)
  }

  /// The ranks among those images; nil where too few of the nearest are known.
  public func selected(_ summary: TiedRanks, _ images: ImageSelection) throws -> TiedRanks? {
    summary.selected(images)
  }

  /// The expected Δ(a→b).
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where element types, distances or numbers of
  ///   neighbours differ.
  public func similarity(_ a: TiedRanks, _ b: TiedRanks) throws -> Double {
    try a.check(b, measure: name)
    return imbalance.value(doubledSum: b.doubledSum(over: a), images: a.images)
  }

  /// Nil: with ties it is more than (k+1)/N.
  public func selfValue(images: Int) -> Double? { nil }

  /// Ranks in two bytes, or four above 32 767 images, and the nearest.
  public func summaryBytes(images: Int, width: Int) -> Int {
    (RankTable.isShort(images, true) ? 2 : 4) * images * images
      + Neighbours.bytes(images: images, count: imbalance.neighbours)
  }
}
