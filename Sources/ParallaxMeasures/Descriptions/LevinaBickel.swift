import Foundation
import ParallaxTensors

/// The intrinsic dimension by maximum likelihood from k neighbours, combined by the harmonic mean.
///
/// At one image d̂ = (k−1)/Σ_{j<k} log(r_k/r_j); the whole has 1/d = mean 1/d̂, which is the likelihood's own
/// combination (MacKay and Ghahramani) and less biased than the mean of Levina and Bickel. The factor is
/// k−1, not the k−2 of the unbiased variant. Neighbourhoods overlap, so no standard error is given. Agrees
/// with scikit-dimension's `MLE` (`comb="mle"`) to 11 digits.
///
/// > Source: Levina and Bickel, 2004, NeurIPS 17, equation 8; MacKay and Ghahramani, 2005, comment.
public struct LevinaBickel: Description {
  /// k: the number of neighbours.
  public let neighbours: Int

  /// The estimator with k neighbours.
  ///
  /// - Precondition: k is at least 2.
  public init(_ neighbours: Int = 20) {
    precondition(neighbours >= 2, "at least two neighbours, found \(neighbours)")
    self.neighbours = neighbours
  }

  /// `levina-bickel`, or `levina-bickel-10` for another number of neighbours than 20.
  public var name: String { "levina-bickel" + (neighbours == 20 ? "" : "-\(neighbours)") }
  /// What it says.
  public var meaning: String { "the intrinsic dimension by \(neighbours) neighbours" }
  /// Dimensions, which need not be whole.
  public var unit: String { "dimensions" }
  /// Above 0, unbounded.
  public var range: ClosedRange<Double> { 0...Double.infinity }
  /// What leaves the ratios of distances as they are.
  public var invariances: Invariance { [.translation, .scaling, .permutation, .orthogonal] }
  /// All neighbours must exist.
  public var fewestImages: Int { neighbours + 1 }
  /// All distances, in blocks of rows.
  public var cost: String { "N²D" }
  /// The papers.
  public var source: String { "Levina and Bickel, 2004, NeurIPS 17, equation 8" }
  /// The package that was run on the same data.
  public var agreesWith: String { "scikit-dimension 0.5.0, to 11 digits in float64" }

  /// The distances to the k nearest images.
  ///
  /// - Parameter features: `[images, width]`, no two images the same.
  /// - Returns: r₁ to r_k of every image.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.constant` or `.duplicates`.
  public func basis(of features: Tensor) throws -> NeighbourDistances {
    try NeighbourDistances(features, count: neighbours, measure: name)
  }

  /// The intrinsic dimension.
  ///
  /// - Throws: `MeasureError.undefined` where all neighbours are equally far, or fewer were kept.
  public func estimate(_ basis: NeighbourDistances) throws -> Estimate {
    let k = neighbours
    try basis.needs(k, measure: name)
    let inverses = (0..<basis.images).map { image in
      (1..<k).reduce(0.0) { $0 + log(basis[image, k] / basis[image, $1]) } / Double(k - 1)
    }
    let mean = inverses.reduce(0, +) / Double(basis.images)
    guard mean > 0 else {
      throw MeasureError.undefined(
        measure: name, problem: "the neighbours of every image are equally far")
    }
    return Estimate(1 / mean)
  }
}
