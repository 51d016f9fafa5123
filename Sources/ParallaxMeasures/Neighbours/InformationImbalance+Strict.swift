import ParallaxTensors

extension InformationImbalance {
  /// Δ(A→B) to one representation from the nearest images of several, where images may be equal: strict ranks.
  ///
  /// r_ij = 1 + #{l ≠ i: d(i, l) < d(i, j)}: of equally far images all have the lowest rank, and of equally near neighbours the one
  /// of the lowest index counts. That is the definition as it stands. Where images share a value it is smaller than the expected one
  /// of ``ExpectedInformationImbalance``: everything that is alike counts as nearest.
  ///
  /// - Parameters:
  ///   - sides: A, one or several: their k nearest by this distance.
  ///   - features: B, `[images, width]`, at least k + 2 images; rows may be equal, but not all of them.
  /// - Returns: one value a side.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.constant`, `.row` where a row has no direction, `.unequalCounts` or
  ///   `.summaries` where a side does not fit.
  /// - Complexity: N² log N and N² ranks of B, then N·k a side.
  ///
  /// Agrees with SciPy's `rankdata(method="min")` to 12 digits (`Oracles/ties.py`).
  ///
  /// > Source: Glielmo et al., 2022, arXiv 2104.15079, equation 2.
  public func strictValues(from sides: [Neighbours], to features: Tensor) throws -> [Double] {
    let ranks = try SharedParts(features).ranks(neighbours, distance, measure: name)
    return try sides.map { side in
      try side.check(ranks.neighbours, measure: name)
      return value(doubledSum: Double(2 * ranks.sum(over: side)), images: side.images)
    }
  }
}
