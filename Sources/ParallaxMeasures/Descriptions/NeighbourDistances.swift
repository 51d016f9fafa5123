import Foundation
import ParallaxTensors

/// How far the nearest images are: what intrinsic dimensions are estimated from.
///
/// Distances are Euclidean, in float64, and computed from differences. One that was made with enough
/// neighbours serves every estimate of the same representation.
public struct NeighbourDistances: Sendable {
  /// The number of images.
  public let images: Int
  /// The number of neighbours that are kept of each.
  public let count: Int
  /// r₁ ≤ … ≤ r_k of the first image, then of the next: `images · count` numbers.
  public let values: [Double]

  /// The distances of every image to its nearest others.
  ///
  /// - Parameters:
  ///   - features: `[images, width]`.
  ///   - count: how many neighbours, the image itself not among them.
  ///   - measure: whose name errors give.
  /// - Throws: `MeasureError.shape`, `.tooFew` unless there are more images than neighbours, `.notFinite`,
  ///   `.constant`, or `.duplicates` where r₁ = 0.
  public init(_ features: Tensor, count: Int, measure: String = "neighbour distances") throws {
    _ = try Checked.precision(of: features, atLeast: count + 1, measure: measure)
    let values = Distances.nearest(features, count).distances
    let images = features.shape[0]
    let repeated = (0..<images).filter { values[$0 * count] == 0 }
    if repeated.count == images, !values.contains(where: { $0 > 0 }) {
      throw MeasureError.constant(measure: measure)
    }
    guard repeated.isEmpty else {
      throw MeasureError.duplicates(measure: measure, rows: repeated)
    }
    (self.images, self.count, self.values) = (images, count, values)
  }

  /// r_rank of an image; ranks begin at 1.
  ///
  /// - Precondition: the rank is between 1 and `count`.
  public subscript(image: Int, rank: Int) -> Double {
    precondition((1...count).contains(rank), "\(count) neighbours are kept, asked for \(rank)")
    return values[image * count + rank - 1]
  }

  /// log(r_far / r_near) of every image.
  ///
  /// - Throws: `MeasureError.undefined` where not as many neighbours were kept.
  func logRatios(_ near: Int, _ far: Int, measure: String) throws -> [Double] {
    try needs(far, measure: measure)
    return (0..<images).map { log(self[$0, far] / self[$0, near]) }
  }

  /// Refuses distances that were made with fewer neighbours.
  ///
  /// - Throws: `MeasureError.undefined`.
  func needs(_ neighbours: Int, measure: String) throws {
    guard count >= neighbours else {
      throw MeasureError.undefined(
        measure: measure, problem: "it needs \(neighbours) neighbours, \(count) were kept")
    }
  }
}
