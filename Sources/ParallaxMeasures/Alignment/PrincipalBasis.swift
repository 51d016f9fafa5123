import ParallaxTensors

/// An orthonormal basis of what a representation spans over the images, by singular value decomposition.
///
/// X = U·diag(s)·Vᵀ; directions with s at or below a tolerance times the largest are rounding and are left
/// out. Always float64. U alone decides every canonical correlation: they are the singular values of
/// UᵀU′. Takes 8 bytes for each image and direction.
public struct PrincipalBasis: Sendable {
  /// The number of images.
  public let images: Int
  /// The number of neurons.
  public let width: Int
  /// The number of directions that are kept.
  public let rank: Int
  /// The number of neurons that are the same for every image; they span nothing.
  public let deadNeurons: Int
  /// Singular values of the directions that are kept, in descending order.
  public let singularValues: [Double]
  /// Σs² over all directions, kept or not.
  public let squaredNorm: Double
  /// `[images, rank]`, orthonormal columns.
  let vectors: Tensor
  /// UᵀX, `[rank, width]`, where it was asked for.
  let loadings: Tensor?
  let recipe: Recipe

  /// Singular values at or below this share of the largest count as zero: 1e-10 for float64 features,
  /// 1e-5 for all others, whose own rounding is near 1e-7.
  public static func rankTolerance(for precision: DType) -> Double {
    precision == .float64 ? 1e-10 : 1e-5
  }

  /// - Parameters:
  ///   - features: `[images, width]`.
  ///   - isCentred: whether the columns' means are taken off.
  ///   - share: keeps the fewest directions that hold this share of Σs²; nil keeps all.
  ///   - fewest: the number of images that is needed whatever the width.
  ///   - withLoadings: whether UᵀX is kept.
  ///   - measure: the name in errors.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.constant`.
  init(
    _ features: Tensor, centred isCentred: Bool = true, share: Double? = nil,
    atLeast fewest: Int = 2, withLoadings: Bool = false, measure: String
  ) throws {
    try self.init(
      CheckedFeatures(features, atLeast: fewest, measure: measure), centred: isCentred,
      share: share, withLoadings: withLoadings)
  }

  /// The same of features that are checked already.
  ///
  /// - Throws: `TensorError.operation` where LAPACK does not converge.
  init(
    _ checked: CheckedFeatures, centred isCentred: Bool = true, share: Double? = nil,
    withLoadings: Bool = false
  ) throws {
    (images, width) = (checked.images, checked.width)
    let x = isCentred ? checked.centred : checked.values
    let (u, s, _) = try Decomposition.singular(try x.withoutIdleColumns())
    let all = s.doubles
    let smallest = Self.rankTolerance(for: checked.precision) * all[0]
    var kept = all.prefix { $0 > smallest }.count
    let total = all.reduce(0) { $0 + $1 * $1 }
    squaredNorm = total
    if let share {
      var held = 0.0
      let enough = all.firstIndex { value in
        held += value * value
        return held >= share * total
      }
      kept = min(kept, (enough ?? all.count - 1) + 1)
    }
    rank = kept
    singularValues = Array(all.prefix(kept))
    vectors = u.sliced(1, 0, kept).contiguous()
    loadings = withLoadings ? vectors.transposed().times(x) : nil
    deadNeurons = checked.centred.norm(over: [0]).doubles.filter { $0 == 0 }.count
    recipe = Recipe(
      precision: checked.precision,
      treatment: (isCentred ? "centred" : "not centred")
        + (share.map { ", \($0) of the variance" } ?? ""))
  }

  /// UᵀU′, `[rank, other's rank]`: cosines between the directions of both sides.
  ///
  /// - Throws: `MeasureError.unequalCounts`, `MeasureError.summaries`.
  func cosines(_ other: PrincipalBasis, measure: String) throws -> Tensor {
    try recipe.check(other.recipe, images: (images, other.images), measure: measure)
    return vectors.transposed().times(other.vectors)
  }

  /// Refuses centred directions that are all there are: n images leave n − 1, and whatever lies among them is
  /// then matched perfectly by anything.
  ///
  /// - Throws: `MeasureError.tooFew`.
  func checkSpan(measure: String) throws {
    guard rank < images - 1 else {
      throw MeasureError.tooFew(measure: measure, images: images, needed: width + 2)
    }
  }
}
