import ParallaxTensors

/// Distance correlation: the correlation of centred Euclidean distances.
///
/// - debiased (the default): ⟨Â, B̂⟩ / √(⟨Â, Â⟩·⟨B̂, B̂⟩), Â the U-centred distances, n ≥ 4. This is on the
///   squared scale, has no root, and may be slightly negative; it equals the debiased CKA with distances
///   for kernels.
/// - biased: √(⟨Â, B̂⟩ / √(⟨Â, Â⟩·⟨B̂, B̂⟩)), Â the double-centred distances: the classical form with
///   its root, which grows with width over images.
///
/// Agrees in float64 to 12 digits with dcor 0.7: `u_distance_correlation_sqr` (debiased) and
/// `distance_correlation` (biased), and with hyppo 0.5.2: `Dcorr(bias=False)` and `Dcorr(bias=True)`.
///
/// > Source: Székely and Rizzo, 2014, arXiv 1310.2926, definition 2 and the bias-corrected correlation made of
/// > it; Székely et al., 2007, arXiv 0803.4101, empirical distance correlation (biased).
public struct DistanceCorrelation: Measure {
  /// The centring, and whether a root is taken.
  public let estimator: Estimator

  /// Distance correlation with an estimator.
  public init(estimator: Estimator = .debiased) { self.estimator = estimator }

  /// `distance-correlation`, or `distance-correlation-biased`.
  public var name: String { "distance-correlation" + (estimator == .biased ? "-biased" : "") }
  /// A similarity: 1 for a representation with itself.
  public var direction: Direction { .similarity }
  /// ⟨Â, B̂⟩ = ⟨B̂, Â⟩.
  public var isSymmetric: Bool { true }
  /// A correlation is no distance.
  public var isMetric: Bool { false }
  /// Whatever keeps distances up to a factor.
  public var invariances: Invariance { [.translation, .scaling, .permutation, .orthogonal] }
  /// From 0 for the biased form; the debiased one may be negative.
  public var range: ClosedRange<Double> { estimator == .debiased ? -1...1 : 0...1 }
  /// The centred distances once a representation, one product of two packed triangles a pair.
  public var cost: String { "N²D once a representation, N²/2 a pair" }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// The biased form grows with the widths.
  public var pitfalls: [Pitfall] { estimator == .biased ? [.width] : [] }
  /// Four; two for the biased form.
  public var fewestImages: Int { estimator.fewest }
  /// The paper of the form, and the definition.
  public var source: String {
    estimator == .debiased
      ? "Székely and Rizzo, 2014, arXiv 1310.2926, definition 2"
      : "Székely et al., 2007, arXiv 0803.4101, empirical distance correlation"
  }
  /// The implementation that gives the same numbers, and to how many digits.
  public var agreesWith: String { "dcor 0.7 and hyppo 0.5.2, to 12 digits in float64" }

  /// Centred distances, one triangle of them.
  public struct Summary: Sendable {
    let images: Int
    let precision: DType
    let estimator: Estimator
    /// `[packed]`; a diagonal that counts is weighted √½.
    let values: Tensor
    /// ⟨Â, Â⟩ / 2.
    let square: Double
  }

  /// The centred distances, one triangle of them.
  ///
  /// - Parameter features: `[images, width]`, at least four images (two for the biased form).
  /// - Returns: n(n−1)/2 numbers (n(n+1)/2 for the biased form).
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite` or `.constant`.
  public func summary(of features: Tensor) throws -> Summary {
    try summary(from: SharedParts(features))
  }

  /// Euclidean distances.
  public var sharedPart: SharedPart? { .distances(.euclidean) }

  /// The same, of distances that other measures share.
  ///
  /// - Throws: as `summary(of:)`.
  public func summary(from parts: SharedParts) throws -> Summary {
    let rows = try parts.rows(.euclidean, fewest: fewestImages, measure: name)
    let packing = Packing(
      images: rows.images, estimator: estimator, device: parts.features.device)
    // One triangle mirrored: products of blocks are symmetric but for rounding.
    let upper = Plain.upper(parts.squaredMatrix(rows).squareRoot(), 1)
    let distances = upper + upper.transposed()
    let size = distances.squared().sum(over: [0, 1], in: Gram.wide(distances)).item(Double.self)
    let values = packing.centred(distances)
    let square = Self.product(values, values)
    let unit =
      rows.precision == .float64 ? Double.ulpOfOne : Double(Float.ulpOfOne)
    guard square > unit * unit * size else { throw MeasureError.constant(measure: name) }
    return Summary(
      images: rows.images, precision: rows.precision, estimator: estimator, values: values,
      square: square)
  }

  /// Reordered, or centred anew without the images that are left out.
  ///
  /// - Throws: `MeasureError.tooFew`.
  public func selected(_ summary: Summary, _ images: ImageSelection) throws -> Summary? {
    guard images.count >= fewestImages else {
      throw MeasureError.tooFew(measure: name, images: images.count, needed: fewestImages)
    }
    let values: Tensor
    if images.isWhole {
      values = images.triangle(of: summary.values, diagonal: estimator == .biased)
    } else {
      let packing = Packing(
        images: images.count, estimator: estimator, device: summary.values.device)
      values = packing.centred(summary.values, of: images)
    }
    let square = images.isWhole ? summary.square : Self.product(values, values)
    // What is small against the whole has its digits in the features only.
    guard square > summary.square / 256 else { return nil }
    return Summary(
      images: images.count, precision: summary.precision, estimator: estimator, values: values,
      square: square)
  }

  private static func product(_ a: Tensor, _ b: Tensor) -> Double {
    (Gram.widened(a) * Gram.widened(b)).sum().item(Double.self)
  }

  /// The ratio, or its root.
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where element types or estimators differ.
  public func similarity(_ a: Summary, _ b: Summary) throws -> Double {
    guard a.images == b.images else {
      throw MeasureError.unequalCounts(measure: name, left: a.images, right: b.images)
    }
    guard (a.precision, a.estimator) == (b.precision, b.estimator) else {
      throw MeasureError.summaries(
        measure: name, left: "\(a.precision) \(a.estimator)", right: "\(b.precision) \(b.estimator)"
      )
    }
    let ratio = Self.product(a.values, b.values) / (a.square * b.square).squareRoot()
    return estimator == .biased ? ratio.squareRoot() : ratio
  }
}
