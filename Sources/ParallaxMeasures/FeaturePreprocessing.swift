import ParallaxTensors

/// What is done to a representation before it is measured: outliers clipped, then columns centred, then rows scaled to
/// length one.
///
/// Every step is fitted on the representation that it is done to, all images at once, so that the same images give the
/// same features. A few neurons of a network can be hundreds of times larger than all others, and then decide every
/// distance; clipping is the usual cure. Quantiles are over all numbers of the representation, by NumPy's linear
/// interpolation between the two nearest.
///
/// Papers clip differently: syn-sem each layer at the 5 % and 95 % quantiles; the code of the Platonic Representation
/// Hypothesis at ± one threshold for all layers of a model together, the 95 % quantile of the magnitudes (without
/// interpolation, or, by default, the mean of every image's quantile). Here the threshold is each layer's own.
///
/// > Source: two-sided: the code `acevedo-s/syn-sem`; by magnitude: Huh et al., 2024, arXiv 2405.07987, `remove_outliers` in
/// > its code.
public struct FeaturePreprocessing: Sendable, Hashable, CustomStringConvertible {
  /// Where outliers are cut off.
  public enum Clip: Sendable, Hashable {
    /// At the q and the 1 − q quantile of all numbers, 0 < q < ½.
    case twoSided(Double)
    /// At ± the q quantile of their magnitudes, 0 < q < 1.
    case magnitude(Double)
  }

  /// Where outliers are cut off; nil leaves them.
  public var clip: Clip?
  /// Whether each column's mean is taken off.
  public var isCentred: Bool
  /// Whether each row is divided by its length.
  public var isNormalized: Bool

  /// The steps; none by default.
  ///
  /// - Precondition: the quantile lies within its limits.
  public init(clip: Clip? = nil, centred isCentred: Bool = false, normalized: Bool = false) {
    switch clip {
    case .twoSided(let q): precondition(q > 0 && q < 0.5, "a quantile between 0 and 1/2")
    case .magnitude(let q): precondition(q > 0 && q < 1, "a quantile between 0 and 1")
    case nil: break
    }
    (self.clip, self.isCentred, isNormalized) = (clip, isCentred, normalized)
  }

  /// Clipped at the 95 % quantile of the magnitudes, rows of length one.
  public static let platonic = FeaturePreprocessing(clip: .magnitude(0.95), normalized: true)
  /// Clipped at the 5 % and 95 % quantiles, rows of length one.
  public static let synSem = FeaturePreprocessing(clip: .twoSided(0.05), normalized: true)

  /// Whether nothing is done.
  public var isNone: Bool { self == FeaturePreprocessing() }

  /// The steps in words; `as they are` for none, else as in `the features were …`.
  public var description: String {
    var steps: [String] = []
    switch clip {
    case .twoSided(let q): steps.append("clipped at the \(q) and \(1 - q) quantiles of each layer")
    case .magnitude(let q):
      steps.append("clipped at ± the \(q) quantile of each layer's magnitudes")
    case nil: break
    }
    if isCentred { steps.append("centred by columns") }
    if isNormalized { steps.append("scaled to rows of length one") }
    return steps.isEmpty ? "as they are" : steps.joined(separator: ", ")
  }

  /// The features after all steps.
  ///
  /// - Parameter features: `[images, width]`.
  /// - Returns: the same shape; float64 stays, all else becomes float32.
  /// - Throws: `MeasureError.shape`, `MeasureError.notFinite`, or `MeasureError.row` where a row has no direction.
  public func callAsFunction(_ features: Tensor) throws -> Tensor {
    guard features.rank == 2, features.count > 0 else {
      throw MeasureError.shape(
        measure: Self.name, expected: "[images, width]", found: features.shape)
    }
    let precision = Gram.precision(of: features)
    var x = features.to(precision)
    guard x.isFinite() else { throw MeasureError.notFinite(measure: Self.name) }
    if let limits = limits(of: x) { x = x.clamped(limits.low, limits.high) }
    if isCentred { x = Gram.centred(x, in: precision) }
    guard isNormalized else { return x }
    let wide = x.to(Gram.wide(x))
    let lengths = wide.norm(over: [1], keeping: true)
    if let row = lengths.scalars(Double.self).firstIndex(where: { !($0 > 0) }) {
      throw MeasureError.row(
        measure: Self.name, row: row, problem: "is zero and has no direction")
    }
    return (wide / lengths).to(precision)
  }

  /// Where the outliers of some features are cut off; nil where they are not.
  ///
  /// - Parameter features: `[images, width]`, finite.
  /// - Returns: what smaller and what larger numbers become.
  public func limits(of features: Tensor) -> (low: Double, high: Double)? {
    switch clip {
    case .twoSided(let q):
      let ends = Self.quantiles(features, [q, 1 - q])
      return (ends[0], ends[1])
    case .magnitude(let q):
      let end = Self.quantiles(features.absolute(), [q])[0]
      return (-end, end)
    case nil: return nil
    }
  }

  private static let name = "preprocessing"

  /// Quantiles of all numbers, linear between the two nearest.
  ///
  /// > Source: Hyndman and Fan, 1996, The American Statistician 50, definition 7; NumPy's default.
  static func quantiles(_ x: Tensor, _ shares: [Double]) -> [Double] {
    let sorted = Plain.sort.all([x.reshaped(-1)])[0]
    return shares.map { share in
      let place = share * Double(sorted.count - 1)
      let low = Int(place)
      let (a, b) = (
        sorted.selected(0, low).item(Double.self),
        sorted.selected(0, min(low + 1, sorted.count - 1)).item(Double.self)
      )
      let t = place - Double(low)
      // As NumPy rounds it, so that both ends are met.
      return t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t)
    }
  }
}
