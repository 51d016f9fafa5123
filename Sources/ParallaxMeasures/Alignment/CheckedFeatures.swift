import ParallaxTensors

/// Features in float64 that are known to have a shape, enough images, finite numbers and some variation.
///
/// What aligns two representations is decomposed, and a decomposition in float32 would leave two equal
/// representations apart by a thousandth. Features of every element type are therefore widened first.
struct CheckedFeatures {
  let images: Int
  let width: Int
  /// The element type that the features came in: float64, or float32 for everything else.
  let precision: DType
  /// `[images, width]`, float64.
  let values: Tensor
  /// The same without the columns' means.
  let centred: Tensor
  /// ‖centred‖².
  let squaredNorm: Double

  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite` or `.constant`.
  init(_ features: Tensor, atLeast fewest: Int, measure: String) throws {
    images = try Checked.images(of: features, atLeast: fewest, measure: measure)
    width = features.shape[1]
    precision = Gram.precision(of: features)
    values = Gram.widened(features)
    centred = Gram.centred(values, in: .float64)
    squaredNorm = centred.squaredNorm()
    // What overflowed in the features' own type is no measurement. NaN fails the comparison too.
    let largest =
      precision == .float64
      ? Double.greatestFiniteMagnitude : Double(Float.greatestFiniteMagnitude)
    guard squaredNorm <= largest, values.squaredNorm() <= largest else {
      throw MeasureError.notFinite(measure: measure)
    }
    guard squaredNorm > 0 else { throw MeasureError.constant(measure: measure) }
  }
}

extension Tensor {
  /// The sum of the squares of all elements.
  func squaredNorm() -> Double { squared().sum().item(Double.self) }

  /// The elements in float64.
  var doubles: [Double] { scalars(Double.self) }

  /// The matrix with its columns multiplied by one number each.
  func columns(times factors: [Double]) -> Tensor {
    self * Tensor(factors, shape: [1, factors.count]).to(device)
  }

  /// X with fewer columns and the same XXᵀ, where it has more columns than rows; else X.
  ///
  /// X = RᵀQᵀ by the QR decomposition of Xᵀ, and Rᵀ is X up to an orthogonal map of the neurons.
  func withoutIdleColumns() throws -> Tensor {
    guard shape[1] > shape[0] else { return self }
    return try Decomposition.triangle(transposed()).transposed()
  }
}

/// What two summaries must have in common before they meet.
struct Recipe: Sendable, Equatable, CustomStringConvertible {
  let precision: DType
  /// What was done to the features.
  let treatment: String

  var description: String { "\(precision) \(treatment)" }

  /// - Throws: `MeasureError.unequalCounts`, `MeasureError.summaries`.
  func check(_ other: Recipe, images: (left: Int, right: Int), measure: String) throws {
    guard images.left == images.right else {
      throw MeasureError.unequalCounts(
        measure: measure, left: images.left, right: images.right)
    }
    guard self == other else {
      throw MeasureError.summaries(measure: measure, left: "\(self)", right: "\(other)")
    }
  }
}
