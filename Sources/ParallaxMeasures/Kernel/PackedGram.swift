import Foundation
import ParallaxTensors

/// Where the upper triangle of an n×n matrix lies in its rows, one after the other.
struct Packing: Sendable {
  let images: Int
  let estimator: Estimator
  /// `[packed]`, of the elements row by row.
  let indices: Tensor

  init(images: Int, estimator: Estimator, device: Device) {
    (self.images, self.estimator) = (images, estimator)
    // After U-centring the diagonal is zero by definition and is left out.
    let offset = estimator == .debiased ? 1 : 0
    let pairs = Plain.triangle(images, images, offset, DType.int64, Absent.byDefault, device)
    indices = Plain.scaled(pairs.selected(0, 0), images) + pairs.selected(0, 1)
  }

  /// The length of a packed matrix.
  var count: Int { indices.shape[0] }

  /// Where each packed element comes from when rows and columns are put in another order.
  func reordered(_ order: [Int]) -> [Int] {
    var sources: [Int] = []
    sources.reserveCapacity(count)
    let diagonal = estimator == .debiased ? 0 : 1
    for i in 0..<images {
      for j in (i + 1 - diagonal)..<max(i + 1 - diagonal, images) {
        let (low, high) = (min(order[i], order[j]), max(order[i], order[j]))
        // Rows before `low` hold images − 1 + diagonal, one less each time.
        let before = low * (images - 1 + diagonal) - low * (low - 1) / 2
        sources.append(before + high - low - 1 + diagonal)
      }
    }
    return sources
  }
}

/// A centred Gram matrix, one triangle of it, scaled by a power of two so that float32 neither overflows
/// nor underflows when it is multiplied.
///
/// ⟨K̂, L̂⟩ = 2 · ⟨packed, packed'⟩ · 2^(exponent + exponent'); a diagonal that counts is weighted √½.
struct PackedGram: Sendable {
  let images: Int
  /// `[packed]`.
  let values: Tensor
  let exponent: Int
  /// ⟨K̂, K̂⟩ at or below this is rounding; in the scaled units.
  let noise: Double

  /// - Throws: `MeasureError.notFinite`, `MeasureError.constant`.
  init(
    _ features: Tensor, kernel: Kernel, packing: Packing, precision: DType, measure: String
  ) throws {
    var gram = Gram.linear(features, in: precision)
    if case .rbf(let t) = kernel {
      guard gram.isFinite() else { throw MeasureError.notFinite(measure: measure) }
      gram = try Gram.rbf(gram, t, measure: measure)
    }
    let trace = gram.diagonal().sum(over: [0], in: Gram.wide(gram)).item(Double.self)
    guard trace.isFinite else { throw MeasureError.notFinite(measure: measure) }
    guard trace > 0 else { throw MeasureError.constant(measure: measure) }
    switch packing.estimator {
    case .debiased: Gram.uCentre(gram)
    case .biased:
      if kernel != .linear { Gram.doubleCentre(gram) }
      _ = InPlace.multiply(gram.diagonal(), 0.5.squareRoot())
    }
    images = features.shape[0]
    exponent = Int(trace.exponent)
    values = InPlace.multiply(
      gram.reshaped(-1).gathered(0, packing.indices), scalbn(1, -exponent))
    // The rounding of an element of K is at most about half a unit of its rows' squared norms.
    let unit = precision == .float64 ? Double.ulpOfOne / 2 : Double(Float.ulpOfOne) / 2
    let size = unit * scalbn(trace, -exponent)
    noise = size * size
  }
}
