import ParallaxTensors

/// Gram matrices of centred features.
enum Gram {
  /// The element type of the products: float64 stays, all else becomes float32.
  static func precision(of features: Tensor) -> DType {
    features.dtype == .float64 ? .float64 : .float32
  }

  /// Whether a device computes in float64; Apple's graphics processors do not.
  static func hasFloat64(_ device: String) -> Bool { !device.hasPrefix("mps") }

  /// The widest type that the tensor's device sums in.
  static func wide(_ tensor: Tensor) -> DType {
    hasFloat64(tensor.device.description) ? .float64 : .float32
  }

  /// Where float64 sums of what lies on a device are kept: there, or on the host where it has no float64.
  static func home(of device: Device) -> Device {
    hasFloat64(device.description) ? device : .cpu
  }

  /// A tensor in float64, on the host where its device has none.
  static func widened(_ tensor: Tensor) -> Tensor {
    tensor.to(home(of: tensor.device)).to(.float64)
  }

  /// X minus its column means, as a new tensor that the caller owns: `[n, p]` → `[n, p]`.
  ///
  /// The first row is taken off before the mean. That is exact where an offset hides a small spread
  /// (Sterbenz), and leaves nothing at all of a representation that is constant.
  static func centred(_ features: Tensor, in precision: DType) -> Tensor {
    let x = features.to(precision)
    let shifted = x - x.sliced(0, 0, 1)
    return InPlace.subtract(shifted, shifted.mean(over: [0], keeping: true))
  }

  /// K = XXᵀ of the centred features, in column chunks that stay in the cache, so that wide features
  /// are never copied whole: `[n, p]` → `[n, n]`, owned by the caller.
  static func linear(_ features: Tensor, in precision: DType) -> Tensor {
    let (n, p) = (features.shape[0], features.shape[1])
    let step = max(1024, (1 << 20) / max(1, n))
    let first = centred(features.sliced(1, 0, min(step, p)), in: precision)
    let gram = first.times(first.transposed())
    for start in stride(from: step, to: p, by: step) {
      let chunk = centred(features.sliced(1, start, min(start + step, p)), in: precision)
      _ = InPlace.addProduct(gram, chunk, chunk.transposed())
    }
    return gram
  }

  /// exp(−d²/(2t²·median d²)) from the Gram matrix of centred features.
  static func rbf(_ gram: Tensor, _ t: Double, measure: String) throws -> Tensor {
    let norms = gram.diagonal()
    let distances = norms.unsqueezed(0) + norms.unsqueezed(1) - 2.0 * gram
    _ = InPlace.fillDiagonal(distances, 0.0)
    let sorted = Plain.sort.all([distances.reshaped(-1)])[0]
    let count = sorted.count
    let median =
      (sorted.selected(0, (count - 1) / 2).item(Double.self)
        + sorted.selected(0, count / 2).item(Double.self)) / 2
    guard median > 0 else { throw MeasureError.constant(measure: measure) }
    return InPlace.exponential(InPlace.multiply(distances, -1 / (2 * t * t * median)))
  }

  /// U-centring of an owned Gram matrix, in place; the diagonal that stays is to be ignored.
  ///
  /// With a zero diagonal, g_i = Σ_j K_ij/(n−2) − Σ/(2(n−1)(n−2)) is taken off row and column i.
  ///
  /// > Source: Székely and Rizzo, 2014, arXiv 1310.2926, definition 2.
  static func uCentre(_ gram: Tensor) {
    let n = Double(gram.shape[0])
    _ = InPlace.fillDiagonal(gram, 0.0)
    let rows = gram.sum(over: [1], keeping: true, in: wide(gram)) / (n - 2)
    let g = (rows - rows.sum() / (2 * (n - 1))).to(gram.dtype)
    _ = InPlace.subtract(gram, g)
    _ = InPlace.subtract(gram, g.transposed())
  }

  /// HKH of an owned Gram matrix, in place.
  static func doubleCentre(_ gram: Tensor) {
    let n = Double(gram.shape[0])
    let rows = gram.sum(over: [1], keeping: true, in: wide(gram)) / n
    let g = (rows - rows.sum() / (2 * n)).to(gram.dtype)
    _ = InPlace.subtract(gram, g)
    _ = InPlace.subtract(gram, g.transposed())
  }
}
