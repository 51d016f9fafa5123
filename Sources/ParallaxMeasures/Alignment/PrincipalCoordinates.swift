import ParallaxTensors

/// The principal axes of some features, and the coordinates of others on them.
///
/// Centred, not scaled; each axis' sign is the one in which its largest entry is positive. Agrees with scikit-learn's `PCA(svd_solver="full")` up to those
/// signs, to 1e-9 in float64.
public struct PrincipalCoordinates: Sendable {
  /// Axes `[components, width]`, in order of falling variance.
  public let axes: Tensor
  /// The features' mean, `[width]`.
  public let mean: Tensor
  /// Each axis' share of the variance.
  public let shares: [Double]

  /// Fits features `[images, width]`.
  ///
  /// - Parameters:
  ///   - features: at least two images.
  ///   - components: at most min(images, width) are kept.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`; `TensorError.operation` where LAPACK does not converge.
  public init(of features: Tensor, components: Int) throws {
    let measure = "principal-coordinates"
    guard features.rank == 2, features.shape[1] > 0 else {
      throw MeasureError.shape(
        measure: measure, expected: "[images, width]", found: features.shape)
    }
    guard features.shape[0] >= 2 else {
      throw MeasureError.tooFew(measure: measure, images: features.shape[0], needed: 2)
    }
    let x = features.to(.float64)
    guard x.isFinite() else { throw MeasureError.notFinite(measure: measure) }
    mean = x.mean(over: [0])
    let (_, s, vt) = try Decomposition.singular(x - mean)
    let count = max(0, min(components, s.shape[0]))
    let squares = s.squared().doubles
    let total = squares.reduce(0, +)
    shares = squares.prefix(count).map { total > 0 ? $0 / total : 0 }
    let kept = vt.sliced(0, 0, count)
    let largest = kept.absolute().argmax(1).unsqueezed(1)
    let signs = Self.sign(Self.gather(kept, 1, largest))
    axes = kept * signs
  }

  /// Coordinates `[images, components]` of features `[images, width]`.
  public func callAsFunction(_ features: Tensor) -> Tensor {
    (features.to(.float64) - mean).times(axes.transposed())
  }

  private static let sign = Operator("aten::sign")
  private static let gather = Operator("aten::gather")
}
