import ParallaxTensors

/// Intervals from resamples.
enum BootstrapInterval {
  private static let quantile = Operator("aten::special_ndtri")
  private static let share = Operator("aten::special_ndtr")
  /// The 97.5 % quantile of the standard normal distribution.
  static let z = 1.959963984540054

  private static func normal(_ of: Operator, _ value: Double) -> Double {
    of(Tensor([value], shape: [1])).item(Double.self)
  }

  /// The bias-corrected percentile interval: the quantiles Φ(2z₀ ± 1.96) of the resamples, z₀ = Φ⁻¹ of the share of them below the
  /// value, equal ones by half. It holds the value wherever |z₀| < 1.96.
  ///
  /// SciPy's `bootstrap` with `method="BCa"` where its acceleration is 0.
  ///
  /// > Source: Efron, 1981, Nonparametric standard errors and confidence intervals.
  ///
  /// - Parameters:
  ///   - value: of all images.
  ///   - drawn: of the resamples, those without a value left out.
  ///   - resamples: how many were drawn.
  /// - Returns: both ends; nil of fewer than 20 resamples, where more than one in twenty is missing, and where |z₀| ≥ 1.96: then
  ///   the resamples lie on one side, and say nothing of the other.
  static func corrected(
    _ value: Double, _ drawn: [Double], of resamples: Int
  ) -> ClosedRange<Double>? {
    guard resamples >= 20, drawn.count * 20 >= resamples * 19 else { return nil }
    let slack = 1e-12 * max(1, abs(value))
    let below = Double(drawn.count { $0 < value - slack })
    let equal = Double(drawn.count { abs($0 - value) <= slack })
    let bias = normal(quantile, (below + equal / 2) / Double(drawn.count))
    guard abs(bias) < z else { return nil }
    let sorted = drawn.sorted()
    let (low, high) = (
      Self.place(sorted, normal(share, 2 * bias - z)),
      Self.place(sorted, normal(share, 2 * bias + z))
    )
    // Between two resamples the value may lie past what lines between them say.
    return min(low, value)...max(high, value)
  }

  /// The value ± 1.96 standard deviations of the resamples.
  ///
  /// > Source: Efron, 1979, Bootstrap methods: another look at the jackknife.
  ///
  /// - Parameters:
  ///   - value: of all images.
  ///   - drawn: of the resamples, those without a value left out.
  ///   - resamples: how many were drawn.
  /// - Returns: both ends; nil of fewer than 20 resamples, or where more than one in twenty is missing.
  static func normal(
    _ value: Double, _ drawn: [Double], of resamples: Int
  ) -> ClosedRange<Double>? {
    guard resamples >= 20, drawn.count * 20 >= resamples * 19 else { return nil }
    let mean = drawn.reduce(0, +) / Double(drawn.count)
    let deviation =
      (drawn.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(drawn.count - 1)).squareRoot()
    return (value - z * deviation)...(value + z * deviation)
  }

  /// A quantile of sorted numbers, linear between them.
  private static func place(_ sorted: [Double], _ share: Double) -> Double {
    let at = share * Double(sorted.count - 1)
    let low = Int(at)
    let high = min(low + 1, sorted.count - 1)
    return sorted[low] + (at - Double(low)) * (sorted[high] - sorted[low])
  }
}
