import ParallaxTensors

/// Which images a representation's linear Gram matrix K̂ is made of.
///
/// K̂ = HXXᵀH, with its diagonal. An image's share is Σ_j K̂_ij² / Σ_ij K̂_ij². Where one image or a few hold most of it,
/// CKA and its like compare these and hardly anything else, so that a group of common outliers makes unrelated
/// representations look alike. Debiasing takes the diagonal away: it heals one outlier, not a group.
///
/// The shares are computed in the space of the features where that is the smaller one, else from blocks of rows of K̂,
/// which is never held whole. The first principal component's share of the variance comes from a Krylov space of K̂ that
/// grows until it changes by less than 10⁻⁶.
///
/// Agrees with NumPy's decompositions to 10 digits in float64.
///
/// > Source: Nguyen et al., 2022, arXiv 2202.07184 (dominant data points); the share of ‖K̂‖² is our choice.
public struct DominantItems: Sendable {
  /// The share of each image; they sum to 1.
  public let shares: [Double]
  /// The share of the variance that lies along the first principal component.
  public let firstComponent: Double
  /// The root mean square distance of the images from their mean.
  public let size: Double

  /// Of one representation.
  ///
  /// - Parameter features: `[images, width]`, at least two images.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite` or `.constant`; `TensorError.operation` where LAPACK does not
  ///   converge.
  public init(of features: Tensor) throws {
    let name = "dominant items"
    let precision = try Checked.precision(of: features, atLeast: 2, measure: name)
    let x = Gram.centred(features, in: precision)
    let (n, p) = (x.shape[0], x.shape[1])
    let total = x.squared().sum(over: [0, 1], in: Gram.wide(x)).item(Double.self)
    guard total.isFinite else { throw MeasureError.notFinite(measure: name) }
    guard total > 0 else { throw MeasureError.constant(measure: name) }
    size = (total / Double(n)).squareRoot()
    // So that neither squares of products overflow nor vanish.
    _ = InPlace.multiply(x, 1 / total.squareRoot())
    var energies: [Double] = []
    if p <= n {
      let covariance = x.transposed().times(x)
      energies = (x.times(covariance) * x).sum(over: [1], in: Gram.wide(x)).doubles
    } else {
      let step = max(1, (1 << 22) / n)
      for start in stride(from: 0, to: n, by: step) {
        let rows = x.sliced(0, start, min(start + step, n)).times(x.transposed())
        energies += rows.squared().sum(over: [1], in: Gram.wide(x)).doubles
      }
    }
    let sum = energies.reduce(0, +)
    shares = energies.map { $0 / sum }
    firstComponent = try Self.firstComponent(p <= n ? x : x.transposed())
  }

  /// The images with the largest shares, the largest first; of equal shares the first image.
  public func largest(_ count: Int) -> [(image: Int, share: Double)] {
    shares.enumerated().sorted { ($1.element, $0.offset) < ($0.element, $1.offset) }
      .prefix(count).map { ($0.offset, $0.element) }
  }

  /// The fewest images that hold more than half of ‖K̂‖² together.
  public var holdingHalf: Int {
    var sum = 0.0
    for (place, share) in shares.sorted(by: >).enumerated() {
      sum += share
      if sum > 0.5 { return place + 1 }
    }
    return shares.count
  }

  /// The largest eigenvalue of AᵀA, whose trace is 1, `[m, n]` with n ≤ m, by Rayleigh and Ritz.
  private static func firstComponent(_ a: Tensor) throws -> Double {
    let n = a.shape[1]
    var next = RandomSource(seed: 0).normal([n, 1]).to(a.dtype).to(a.device)
    var basis: Tensor?
    var images: Tensor?
    func ritz() throws -> Double {
      guard let images else { return 0 }
      let wide = Gram.widened(images)
      return try Decomposition.eigenvalues(wide.transposed().times(wide)).last ?? 0
    }
    var found = 0.0
    for step in 1...min(n, 128) {
      // Twice is enough.
      for _ in 0..<2 {
        if let basis { next = next - basis.times(basis.transposed().times(next)) }
      }
      let length = next.norm(over: [0]).item(Double.self)
      guard length > 0, length.isFinite else { break }
      next = next * (1 / length)
      let image = a.times(next)
      basis = basis.map { Tensor.concatenated([$0, next], 1) } ?? next
      images = images.map { Tensor.concatenated([$0, image], 1) } ?? image
      next = a.transposed().times(image)
      guard step % 8 == 0 else { continue }
      let largest = try ritz()
      if abs(largest - found) <= 1e-6 * largest { return largest }
      found = largest
    }
    return try ritz()
  }
}
