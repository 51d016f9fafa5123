/// Student's t distribution, for intervals from few groups.
public enum StudentT {
  /// Its 97.5 % quantile: a 95 % interval is ± so many standard errors.
  ///
  /// - Parameter degrees: degrees of freedom; at least 1.
  /// - Returns: the quantile to three decimals; the normal distribution's 1.96 beyond 30 degrees.
  /// > Source: Student, 1908, The probable error of a mean; the values are SciPy's.
  public static func quantile975(degrees: Int) -> Double {
    let table = [
      12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
      2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
      2.052, 2.048, 2.045, 2.042,
    ]
    return degrees <= table.count ? table[max(0, degrees - 1)] : 1.96
  }

  /// Half the width of a 95 % interval from values without one group of images each: t·√((G−1)/G · Σ (θ₍₋g₎ − θ̄)²); nil
  /// for fewer than two.
  ///
  /// - Parameter left: a value without each group.
  /// - Returns: the margin on either side.
  ///
  /// > Source: Efron and Tibshirani, 1993, An Introduction to the Bootstrap, equation 11.5.
  public static func margin(leavingOut left: [Double]) -> Double? {
    guard left.count > 1 else { return nil }
    let count = Double(left.count)
    let mean = left.reduce(0, +) / count
    let spread = left.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return quantile975(degrees: left.count - 1) * (spread * (count - 1) / count).squareRoot()
  }
}
