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
    Self.sources(of: order, among: images, diagonal: hasDiagonal).map(Int.init)
  }

  private var hasDiagonal: Bool { estimator == .biased }

  /// The same for some of the rows and columns, in any order.
  static func sources(of order: [Int], among images: Int, diagonal hasDiagonal: Bool) -> [Int64] {
    var sources: [Int64] = []
    let (count, diagonal) = (order.count, hasDiagonal ? 1 : 0)
    sources.reserveCapacity(count * (count - 1 + 2 * diagonal) / 2)
    for i in order.indices {
      for j in (i + 1 - diagonal)..<max(i + 1 - diagonal, count) {
        let (low, high) = (min(order[i], order[j]), max(order[i], order[j]))
        // Rows before `low` hold images − 1 + diagonal, one less each time.
        let before = low * (images - 1 + diagonal) - low * (low - 1) / 2
        sources.append(Int64(before + high - low - 1 + diagonal))
      }
    }
    return sources
  }

  /// The matrix with its diagonal from packed elements: `[packed]` → `[images, images]`, owned by the caller.
  func unpacked(_ triangle: Tensor) -> Tensor {
    let flat = Tensor.zeros([images * images], triangle.dtype).to(triangle.device)
    let upper = InPlace.put(flat, indices, triangle).reshaped(images, images)
    return Plain.upper(upper, 1).transposed() + upper
  }

  /// The triangle of an owned matrix, centred as the estimator asks; a diagonal that counts is weighted √½.
  func centred(_ matrix: Tensor) -> Tensor {
    switch estimator {
    case .debiased: Gram.uCentre(matrix)
    case .biased: Gram.doubleCentre(matrix)
    }
    return packed(matrix)
  }

  /// The triangle of an owned matrix that is centred.
  func packed(_ matrix: Tensor) -> Tensor {
    if hasDiagonal { _ = InPlace.multiply(matrix.diagonal(), 0.5.squareRoot()) }
    return matrix.reshaped(-1).gathered(0, indices)
  }

  /// The centred triangle of some images, of that of all: what centring took off is a number a row and a number a column,
  /// and centring again takes off whatever such numbers are left.
  func centred(_ triangle: Tensor, of selection: ImageSelection) -> Tensor {
    let part = selection.triangle(of: triangle, diagonal: hasDiagonal)
    let matrix = unpacked(part)
    if hasDiagonal { _ = InPlace.multiply(matrix.diagonal(), 2.0.squareRoot()) }
    return centred(matrix)
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
    try self.init(
      Gram.linear(features, in: precision), kernel: kernel, packing: packing, measure: measure)
  }

  /// From the linear kernel's matrix, which is written to where that is the kernel.
  ///
  /// - Throws: `MeasureError.notFinite`, `MeasureError.constant`.
  init(_ gram: Tensor, kernel: Kernel, packing: Packing, measure: String) throws {
    var gram = gram
    if case .rbf(let t) = kernel {
      guard gram.isFinite() else { throw MeasureError.notFinite(measure: measure) }
      gram = try Gram.rbf(gram, t, measure: measure)
    }
    let trace = gram.diagonal().sum(over: [0], in: Gram.wide(gram)).item(Double.self)
    guard trace.isFinite else { throw MeasureError.notFinite(measure: measure) }
    guard trace > 0 else { throw MeasureError.constant(measure: measure) }
    // The columns of the features are centred, so that the linear kernel is for the biased estimator.
    let isCentred = packing.estimator == .biased && kernel == .linear
    let triangle = isCentred ? packing.packed(gram) : packing.centred(gram)
    images = packing.images
    exponent = Int(trace.exponent)
    values = InPlace.multiply(triangle, scalbn(1, -exponent))
    // The rounding of an element of K is at most about half a unit of its rows' squared norms.
    let unit = gram.dtype == .float64 ? Double.ulpOfOne / 2 : Double(Float.ulpOfOne) / 2
    let size = unit * scalbn(trace, -exponent)
    noise = size * size
  }

  /// The same of some images.
  init(_ whole: PackedGram, values: Tensor, images: Int) {
    (self.images, self.values) = (images, values)
    (exponent, noise) = (whole.exponent, whole.noise)
  }
}
