import ParallaxTensors

/// The mean and the centred second moments of one representation: all that some measures need of it.
///
/// μ and M = Σᵢ (xᵢ−μ)(xᵢ−μ)ᵀ over the images, in float64. Its size does not depend on the number of images.
///
/// > Source: Chan, Golub and LeVeque, 1983, The American Statistician 37 (how parts of them merge).
public struct Moments: Sendable {
  /// The number of images.
  public let images: Int
  /// The element type of the features: float64, or float32 for everything else.
  public let precision: DType
  /// μ, `[width]` float64.
  public let mean: Tensor
  /// M, `[width, width]` float64.
  public let centred: Tensor
  /// Σᵢ ‖xᵢ−μ‖⁴, which debiasing needs; nil where it was not kept.
  public let lengths: Double?

  /// The number of neurons.
  public var width: Int { mean.count }

  /// Moments from their parts.
  init(images: Int, precision: DType, mean: Tensor, centred: Tensor, lengths: Double?) {
    (self.images, self.precision, self.mean) = (images, precision, mean)
    (self.centred, self.lengths) = (centred, lengths)
  }

  /// The moments of features that are all there.
  ///
  /// - Parameter features: `[images, width]`, at least one image.
  /// - Throws: `MeasureError.shape` or `.tooFew`.
  public init(of features: Tensor) throws {
    images = try Checked.images(of: features, atLeast: 1, measure: "moments")
    precision = Gram.precision(of: features)
    let x = Gram.widened(features)
    let first = x.selected(0, 0)
    mean = first + (x - first).mean(over: [0])
    let rows = Gram.centred(x, in: .float64)
    centred = rows.transposed().times(rows)
    lengths = rows.squared().sum(over: [1]).squared().sum().item(Double.self)
  }

  /// Σᵢ ‖xᵢ−μ‖².
  public var squaredNorm: Double { centred.diagonal().sum().item(Double.self) }

  /// Σᵢ xᵢxᵢᵀ, about zero and not about the mean, `[width, width]`.
  var raw: Tensor {
    centred + mean.unsqueezed(1) * mean.unsqueezed(0) * Double(images)
  }

  /// The same, known to be enough, finite and not all the same.
  ///
  /// - Throws: `MeasureError.tooFew`, `.notFinite` or `.constant`.
  func checked(atLeast fewest: Int, measure: String) throws -> Moments {
    guard images >= fewest else {
      throw MeasureError.tooFew(measure: measure, images: images, needed: fewest)
    }
    let size = squaredNorm
    let offset = Double(images) * mean.squaredNorm()
    let largest =
      precision == .float64
      ? Double.greatestFiniteMagnitude : Double(Float.greatestFiniteMagnitude)
    guard size <= largest, size + offset <= largest else {
      throw MeasureError.notFinite(measure: measure)
    }
    guard size > 0 else { throw MeasureError.constant(measure: measure) }
    return self
  }

  /// Eigenvalues at or below this share of the largest are rounding of the sums: 8·width·2⁻⁵².
  var noise: Double { 8 * Double(width) * Double.ulpOfOne }
}

/// The second moments of two representations of the same images with one another.
///
/// C = Σᵢ (xᵢ−μ)(yᵢ−ν)ᵀ, `[width, other's width]` float64.
public struct CrossMoment: Sendable {
  /// The number of images.
  public let images: Int
  /// C.
  public let centred: Tensor
  /// Σᵢ ‖xᵢ−μ‖²‖yᵢ−ν‖², which debiasing needs; nil where it was not kept.
  public let lengths: Double?
  /// Whether both sides are one representation, with its images in one order. Then C is M, and what is equal is known to
  /// be, not found to be up to rounding.
  public let isOwn: Bool
  /// μ and ν.
  let means: (left: Tensor, right: Tensor)

  init(images: Int, centred: Tensor, lengths: Double?, isOwn: Bool, means: (Tensor, Tensor)) {
    (self.images, self.centred, self.lengths) = (images, centred, lengths)
    (self.isOwn, self.means) = (isOwn, means)
  }

  /// The cross moments of features that are all there.
  ///
  /// - Parameters:
  ///   - left: `[images, width]`, at least one image.
  ///   - right: `[images, other width]`.
  /// - Throws: `MeasureError.shape`, `.tooFew` or `.unequalCounts`.
  public init(of left: Tensor, _ right: Tensor) throws {
    let (a, b) = (try Moments(of: left), try Moments(of: right))
    guard a.images == b.images else {
      throw MeasureError.unequalCounts(measure: "moments", left: a.images, right: b.images)
    }
    let x = Gram.centred(Gram.widened(left), in: .float64)
    let y = Gram.centred(Gram.widened(right), in: .float64)
    let lengths = x.squared().sum(over: [1]) * y.squared().sum(over: [1])
    self.init(
      images: a.images, centred: x.transposed().times(y),
      lengths: lengths.sum().item(Double.self), isOwn: false, means: (a.mean, b.mean))
  }

  /// A representation with itself.
  public init(of moments: Moments) {
    self.init(
      images: moments.images, centred: moments.centred, lengths: moments.lengths, isOwn: true,
      means: (moments.mean, moments.mean))
  }

  /// The sides exchanged.
  var exchanged: CrossMoment {
    CrossMoment(
      images: images, centred: centred.transposed(), lengths: lengths, isOwn: isOwn,
      means: (means.right, means.left))
  }

  /// Σᵢ xᵢyᵢᵀ, about zero.
  var raw: Tensor {
    centred + means.left.unsqueezed(1) * means.right.unsqueezed(0) * Double(images)
  }
}

extension Double {
  /// A sum of squares that was made by subtraction: what rounding alone has made negative is zero.
  ///
  /// Second moments have the digits of squares, so that of sides nearer than about 10⁻⁸ of their size nothing is left.
  func difference(of total: Double) -> Double { self < 0 && self > -1e-9 * total ? 0 : self }

  /// The root of such a sum.
  func rootOfDifference(of total: Double) -> Double { difference(of: total).squareRoot() }
}
