import Foundation
import ParallaxTensors

/// A centred representation as a shape: one point an image, whatever the rotation of the neurons.
///
/// Always float64. More neurons than images are turned into as many columns as there are images, which
/// changes no distance between shapes. Takes 8 bytes for each image and column.
public struct ShapeSummary: Sendable {
  /// The number of images.
  public let images: Int
  /// The Frobenius norm of the points.
  public let norm: Double
  /// The points, one an image.
  let points: Columns
  let recipe: Recipe

  /// - Parameters:
  ///   - parts: of `[images, width]`.
  ///   - alpha: 1 leaves the features as they are, 0 whitens them, between them both are mixed.
  ///   - isNormalized: whether the points are divided by their norm.
  ///   - fewest: the number of images that is needed.
  ///   - measure: the name in errors.
  /// - Returns: the shape, one for all measures that ask for the same.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.constant`.
  static func make(
    _ parts: SharedParts, alpha: Double = 1, normalized isNormalized: Bool,
    atLeast fewest: Int = 2, measure: String
  ) throws -> ShapeSummary {
    let treatment = "α \(alpha), \(isNormalized ? "norm 1" : "its own norm")"
    if alpha == 1 {
      return try parts.part(treatment) {
        try plain(
          parts, normalized: isNormalized, treatment, atLeast: fewest, measure: measure)
      }
    }
    let basis = try parts.basis(atLeast: fewest, measure: measure)
    if alpha == 0 { try basis.checkSpan(measure: measure) }
    // A(αI + (1−α)(AᵀA)^−½) = U·diag(αs + 1 − α)·Vᵀ, and Vᵀ is a rotation.
    let stretched = basis.singularValues.map { alpha * $0 + (1 - alpha) }
    let size = stretched.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let kept = isNormalized ? 1 : basis.squaredNorm.squareRoot()
    return ShapeSummary(
      images: basis.images, norm: kept,
      points: basis.vectors.times(stretched.map { $0 / size * kept }),
      recipe: Recipe(
        precision: basis.recipe.precision, treatment: "\(treatment), \(basis.recipe.treatment)"))
  }

  /// The centred points without whitening.
  private static func plain(
    _ parts: SharedParts, normalized isNormalized: Bool, _ treatment: String, atLeast fewest: Int,
    measure: String
  ) throws -> ShapeSummary {
    if let moments = try parts.moments?.checked(atLeast: fewest, measure: measure) {
      let length = moments.squaredNorm.squareRoot()
      let factor = isNormalized ? 1 / length : 1
      return ShapeSummary(
        images: moments.images, norm: isNormalized ? 1 : length,
        points: .neurons(
          Array(0..<moments.width),
          times: [Double](repeating: factor, count: moments.width)),
        recipe: Recipe(precision: moments.precision, treatment: treatment + ", of moments"))
    }
    let checked = try parts.checked(atLeast: fewest, measure: measure)
    let length = checked.squaredNorm.squareRoot()
    let x = try parts.part("points") { try checked.centred.withoutIdleColumns() }
    return ShapeSummary(
      images: checked.images, norm: isNormalized ? 1 : length,
      points: .rows(isNormalized ? x / length : x),
      recipe: Recipe(precision: checked.precision, treatment: treatment))
  }

  /// The same shape with its points in another order; nil where images are left out.
  func selected(_ images: ImageSelection) -> ShapeSummary? {
    guard images.isWhole else { return nil }
    return ShapeSummary(
      images: self.images, norm: norm, points: points.selected(images), recipe: recipe)
  }

  /// The nuclear norm of AᵀB: the sum of its singular values, the largest ⟨AQ, B⟩ over orthogonal Q.
  ///
  /// - Throws: `MeasureError.unequalCounts`, `MeasureError.summaries`.
  func overlap(_ other: ShapeSummary, _ moments: CrossMoment?, measure: String) throws -> Double {
    try Decomposition.singularValues(cross(other, moments, measure: measure)).reduce(0, +)
  }

  /// ‖AQ − B‖ and ‖AQ + B‖ for the best orthogonal Q, the narrower side padded with zeros.
  ///
  /// ‖A‖² + ‖B‖² − 2‖AᵀB‖_* where that keeps its digits. Where A and B are close, the difference would be
  /// all rounding, and is formed point by point instead; from moments only where both are one representation.
  ///
  /// - Throws: `MeasureError.unequalCounts`, `MeasureError.summaries`.
  func distances(_ other: ShapeSummary, _ moments: CrossMoment?, measure: String) throws -> (
    difference: Double, sum: Double
  ) {
    let product = try cross(other, moments, measure: measure)
    let overlap = try Decomposition.singularValues(product).reduce(0, +)
    let total = norm * norm + other.norm * other.norm
    let sum = (total + 2 * overlap).squareRoot()
    let squared = total - 2 * overlap
    if squared > 0.01 * total { return (squared.squareRoot(), sum) }
    if let moments, !moments.isOwn { return (squared.rootOfDifference(of: total), sum) }
    let (u, _, vt) = try Decomposition.singular(product, full: true)
    if let moments {
      let exact = Columns.squaredDistance(
        points, u, other.points, vt.transposed(), moments: moments.centred)
      return (exact.rootOfDifference(of: total), sum)
    }
    guard let left = points.rows, let right = other.points.rows else {
      return (squared.rootOfDifference(of: total), sum)
    }
    let (a, b) = (left.times(u), right.times(vt.transposed()))
    let shared = min(a.shape[1], b.shape[1])
    let parts = [
      a.sliced(1, 0, shared) - b.sliced(1, 0, shared), a.sliced(1, shared), b.sliced(1, shared),
    ]
    return (parts.reduce(0) { $0 + $1.squaredNorm() }.squareRoot(), sum)
  }

  /// The angle between A and B after the best rotation, in radians, without an arc cosine near 1.
  ///
  /// - Throws: `MeasureError.unequalCounts`, `MeasureError.summaries`.
  func angle(_ other: ShapeSummary, _ moments: CrossMoment?, measure: String) throws -> Double {
    let (difference, sum) = try distances(other, moments, measure: measure)
    return 2 * atan2(difference, sum)
  }

  private func cross(
    _ other: ShapeSummary, _ moments: CrossMoment?, measure: String
  ) throws -> Tensor {
    try recipe.check(other.recipe, images: (images, other.images), measure: measure)
    return try points.products(other.points, moments?.centred, measure: measure)
  }
}
