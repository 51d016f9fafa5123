import ParallaxTensors

/// A representational dissimilarity matrix: the distances of all pairs of images, each pair once.
public struct RDM: Sendable {
  /// The number of images.
  public let images: Int
  /// The element type of the products.
  public let precision: DType
  /// The distance.
  public let distance: Distance
  /// d_ij for i < j, row by row, `[images(images−1)/2]`; float64 where the device has it.
  let values: Tensor
  let packing: Packing

  /// - Throws: `MeasureError`.
  init(_ features: Tensor, _ distance: Distance, fewest: Int, measure: String) throws {
    let rows = try DistanceRows(features, distance, fewest: fewest, measure: measure)
    (images, precision, self.distance) = (rows.images, rows.precision, distance)
    packing = Packing(images: images, estimator: .debiased, device: features.device)
    let squares = Gram.widened(rows.squaredMatrix().reshaped(-1).gathered(0, packing.indices))
    values = distance == .euclidean ? squares.squareRoot() : squares / 2
  }

  /// - Throws: `MeasureError.unequalCounts`, `MeasureError.summaries`.
  func check(_ other: RDM, measure: String) throws {
    guard images == other.images else {
      throw MeasureError.unequalCounts(measure: measure, left: images, right: other.images)
    }
    guard (precision, distance) == (other.precision, other.distance) else {
      throw MeasureError.summaries(
        measure: measure, left: "\(precision) \(distance)",
        right: "\(other.precision) \(other.distance)")
    }
  }

  /// Half a unit in the last place.
  var unit: Double {
    precision == .float64 ? Double.ulpOfOne / 2 : Double(Float.ulpOfOne) / 2
  }

  /// A symmetric matrix with a zero diagonal from its upper triangle: `[pairs]` → `[images, images]`.
  func unpacked(_ triangle: Tensor) -> Tensor {
    let flat = Tensor.zeros([images * images], triangle.dtype).to(triangle.device)
    let upper = InPlace.put(flat, packing.indices, triangle).reshaped(images, images)
    return upper + upper.transposed()
  }
}
