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

  /// Made once for all measures that ask for this distance.
  ///
  /// - Throws: `MeasureError`.
  static func make(_ parts: SharedParts, _ distance: Distance, fewest: Int, measure: String) throws
    -> RDM
  {
    let rows = try parts.rows(distance, fewest: fewest, measure: measure)
    return parts.part("RDM \(distance)") { RDM(rows, parts.squaredMatrix(rows)) }
  }

  private init(_ rows: DistanceRows, _ squaredMatrix: Tensor) {
    (images, precision, distance) = (rows.images, rows.precision, rows.distance)
    packing = Packing(images: images, estimator: .debiased, device: squaredMatrix.device)
    let squares = Gram.widened(squaredMatrix.reshaped(-1).gathered(0, packing.indices))
    values = distance == .euclidean ? squares.squareRoot() : squares / 2
  }

  /// The distances between some images.
  ///
  /// - Throws: `MeasureError.tooFew`; `MeasureError.constant` where there are none.
  func selected(_ images: ImageSelection, fewest: Int, measure: String) throws -> RDM {
    guard images.count >= fewest else {
      throw MeasureError.tooFew(measure: measure, images: images.count, needed: fewest)
    }
    let part = RDM(self, images)
    guard part.values.maximum().item(Double.self) > 0 else {
      throw MeasureError.constant(measure: measure)
    }
    return part
  }

  private init(_ whole: RDM, _ selection: ImageSelection) {
    (images, precision, distance) = (selection.count, whole.precision, whole.distance)
    packing =
      selection.isWhole
      ? whole.packing
      : Packing(images: images, estimator: .debiased, device: whole.packing.indices.device)
    values = selection.triangle(of: whole.values, diagonal: false)
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
    packing.unpacked(triangle)
  }
}
