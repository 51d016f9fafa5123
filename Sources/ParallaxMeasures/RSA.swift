import ParallaxTensors

/// Representational similarity analysis: how alike the dissimilarities of all pairs of images are.
///
/// Each side is turned into its RDM, d_ij for i < j; the value compares the two lists. The plain name is
/// the most usual choice: 1 − Pearson's correlation of rows inside, Spearman's correlation outside.
///
/// Conventions: dissimilarities, not similarities, which matters for the cosine only; Euclidean
/// distances are neither squared nor divided by the width (rsatoolbox' `euclidean` is both: rank
/// correlations agree, others differ); ties have mean ranks; Kendall's is tau-b. The correlation of rows
/// notices a translation and a rotation of the neurons.
///
/// Agrees with rsatoolbox 0.3.2 and scipy to 12 digits in float64.
///
/// > Source: Kriegeskorte et al., 2008, Frontiers in Systems Neuroscience 2; Kendall, 1945,
/// > Biometrika 33 (tau-b).
public struct RSA: Measure {
  /// How two lists of dissimilarities are compared.
  public enum Comparison: String, Sendable, Hashable, Codable, CaseIterable {
    /// Pearson's correlation of ranks; ties have their mean rank.
    case spearman
    /// Pearson's correlation.
    case pearson
    /// Kendall's tau-b: concordant less discordant pairs over √(pairs untied left · pairs untied right).
    case kendall
    /// The cosine of the two lists, which are not centred.
    case cosine
  }

  /// The dissimilarity of two images.
  public let distance: Distance
  /// The comparison of two RDMs.
  public let comparison: Comparison

  /// RSA with an inner distance and an outer comparison.
  public init(_ comparison: Comparison = .spearman, distance: Distance = .correlation) {
    (self.comparison, self.distance) = (comparison, distance)
  }

  /// `rsa`, with the distance and the comparison where they are not the usual ones: `rsa-euclidean-pearson`.
  public var name: String {
    "rsa" + (distance == .correlation ? "" : "-\(distance)")
      + (comparison == .spearman ? "" : "-\(comparison.rawValue)")
  }
  /// A similarity: 1 for a representation with itself.
  public var direction: Direction { .similarity }
  /// All four comparisons are symmetric.
  public var isSymmetric: Bool { true }
  /// A correlation is no distance.
  public var isMetric: Bool { false }
  /// What the distance ignores, and scaling.
  public var invariances: Invariance { distance.invariances }
  /// From 0 for the cosine of dissimilarities, which are not negative.
  public var range: ClosedRange<Double> { comparison == .cosine ? 0...1 : -1...1 }
  /// The RDM and its order once for each representation.
  public var cost: String {
    "N²D + N² log N once a representation, N²/2 a pair (N² log N for Kendall's)"
  }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// Three: two images have one dissimilarity, which correlates with nothing.
  public var fewestImages: Int { 3 }
  /// The paper.
  public var source: String {
    "Kriegeskorte et al., 2008, Frontiers in Systems Neuroscience 2"
  }
  /// The implementations that give the same numbers, and to how many digits.
  public var agreesWith: String {
    distance == .correlation || comparison == .spearman || comparison == .kendall
      ? "rsatoolbox 0.3.2, scipy, to 12 digits in float64" : "scipy, to 12 digits in float64"
  }

  /// What is kept of an RDM: its values as they are compared.
  public struct Summary: Sendable {
    let rdm: RDM
    let comparison: Comparison
    /// Ranks or values less their mean, or the values themselves, `[pairs]`.
    let values: Tensor
    /// ⟨values, values⟩.
    let square: Double
    /// For Kendall's.
    let order: TiedOrder?
  }

  /// The RDM, its values centred or ranked.
  ///
  /// - Parameter features: `[images, width]`, at least three images; at least three neurons for the correlation.
  /// - Returns: N(N−1)/2 numbers.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.row` where a row has no direction, or `.constant`
  ///   where all images are equally far apart.
  public func summary(of features: Tensor) throws -> Summary {
    try summary(from: SharedParts(features))
  }

  /// The distances.
  public var sharedPart: SharedPart? { .distances(distance) }

  /// The same, of distances that other measures share.
  ///
  /// - Throws: as `summary(of:)`.
  public func summary(from parts: SharedParts) throws -> Summary {
    try summary(RDM.make(parts, distance, fewest: fewestImages, measure: name))
  }

  /// The distances between those images, in their order; ranked and centred anew where images are left out.
  ///
  /// - Throws: `MeasureError.tooFew`, `MeasureError.constant`.
  public func selected(_ summary: Summary, _ images: ImageSelection) throws -> Summary? {
    let rdm = try summary.rdm.selected(images, fewest: fewestImages, measure: name)
    guard images.isWhole else { return try self.summary(rdm) }
    return Summary(
      rdm: rdm, comparison: comparison,
      values: images.triangle(of: summary.values, diagonal: false), square: summary.square,
      order: summary.order?.selected(images))
  }

  private func summary(_ rdm: RDM) throws -> Summary {
    var values = rdm.values
    let size = values.squared().sum().item(Double.self)
    var order: TiedOrder?
    switch comparison {
    case .cosine: break
    case .pearson: values = values - values.mean()
    case .spearman, .kendall:
      let sorted = TiedOrder(values)
      values = Tensor(sorted.centredRanks, shape: [values.count]).to(Gram.home(of: values.device))
      if comparison == .kendall { order = sorted }
    }
    let square = values.squared().sum().item(Double.self)
    let noise = comparison == .pearson || comparison == .cosine ? rdm.unit * rdm.unit * size : 0
    guard square > noise else { throw MeasureError.constant(measure: name) }
    return Summary(rdm: rdm, comparison: comparison, values: values, square: square, order: order)
  }

  /// The correlation, tau-b or cosine of the two lists.
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where element types, distances or comparisons
  ///   differ.
  public func similarity(_ a: Summary, _ b: Summary) throws -> Double {
    try a.rdm.check(b.rdm, measure: name)
    guard a.comparison == b.comparison else {
      throw MeasureError.summaries(
        measure: name, left: a.comparison.rawValue, right: b.comparison.rawValue)
    }
    if let left = a.order, let right = b.order { return left.tau(right) }
    return (a.values * b.values).sum().item(Double.self) / (a.square * b.square).squareRoot()
  }
}
