import ParallaxTensors

/// The mean cosine between an image's rows on both sides, after the best rotation.
///
/// (1/n) Σᵢ ⟨xᵢQ, yᵢ⟩ / (‖xᵢ‖‖yᵢ‖), Q the orthogonal matrix with the largest ⟨XQ, Y⟩, the narrower side padded
/// with zeros. The columns are **not** centred: an offset that all images share raises the value. An
/// image at the origin has no direction and is refused; ReSi leaves such images out.
///
/// Float64 throughout. Agrees with ReSi's AlignedCosineSimilarity to 12 digits.
///
/// > Source: Hamilton et al., 2016, arXiv 1605.09096 (alignment by Procrustes).
public struct AlignedCosine: Measure {
  /// The rows of one side.
  public struct Summary: Sendable {
    /// The number of images.
    public let images: Int
    /// `[images, columns]`.
    let rows: Tensor
    /// `[images]`.
    let norms: Tensor
    let recipe: Recipe
  }

  /// The similarity; there is nothing to choose.
  public init() {}

  /// `aligned-cosine`.
  public var name: String { "aligned-cosine" }
  /// A similarity: 1 where a rotation takes every row to the other's direction.
  public var direction: Direction { .similarity }
  /// Q may be applied to either side.
  public var isSymmetric: Bool { true }
  /// A mean of cosines is no distance.
  public var isMetric: Bool { false }
  /// Scaling too, though ReSi says otherwise: neither Q nor a cosine depends on it.
  public var invariances: Invariance { [.scaling, .permutation, .orthogonal] }
  /// From −1 to 1: Q fits the long rows, which single short ones may oppose.
  public var range: ClosedRange<Double> { -1...1 }
  /// Norms once a representation.
  public var cost: String { "ND once a representation, ND² + D³ a pair" }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// The paper.
  public var source: String { "Hamilton et al., 2016, arXiv 1605.09096" }
  /// The implementation that gives the same number.
  public var agreesWith: String {
    "the golden value of ReSi (AlignedCosineSimilarity), to 12 digits in float64"
  }

  /// The rows and their norms.
  ///
  /// - Parameter features: `[images, width]`, at least two images.
  /// - Returns: the rows, float64.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.constant`, or `.row` where an image lies at
  ///   the origin.
  public func summary(of features: Tensor) throws -> Summary {
    let checked = try CheckedFeatures(features, atLeast: 2, measure: name)
    let norms = checked.values.norm(over: [1])
    if let row = norms.doubles.firstIndex(of: 0) {
      throw MeasureError.row(measure: name, row: row, problem: "is zero and has no direction")
    }
    return Summary(
      images: checked.images, rows: try checked.values.withoutIdleColumns(), norms: norms,
      recipe: Recipe(precision: checked.precision, treatment: "rows"))
  }

  /// Reordered; nil where images are left out.
  public func selected(_ summary: Summary, _ images: ImageSelection) throws -> Summary? {
    guard images.isWhole else { return nil }
    return Summary(
      images: summary.images, rows: images.rows(of: summary.rows),
      norms: images.rows(of: summary.norms), recipe: summary.recipe)
  }

  /// The mean cosine of the rotated rows.
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where the element types differ.
  public func similarity(_ a: Summary, _ b: Summary) throws -> Double {
    try a.recipe.check(b.recipe, images: (a.images, b.images), measure: name)
    let (u, _, vt) = try Decomposition.singular(a.rows.transposed().times(b.rows))
    let products = (a.rows.times(u) * b.rows.times(vt.transposed())).sum(over: [1])
    return (products / (a.norms * b.norms)).mean().item(Double.self)
  }
}
