/// How HSIC is estimated from n images.
public enum Estimator: String, Sendable, Hashable, Codable, CaseIterable {
  /// HSIC₁ of Song et al.: unbiased itself; a ratio of such estimates is called debiased.
  case debiased
  /// HSIC₀ of Gretton et al.: larger than it should be by an amount that grows with width / n.
  case biased

  /// What ⟨K̂, L̂⟩ is divided by: n(n−3), or (n−1)².
  func normalizer(_ n: Int) -> Double {
    let n = Double(n)
    return self == .debiased ? n * (n - 3) : (n - 1) * (n - 1)
  }

  /// The fewest images it can be computed from.
  var fewest: Int { self == .debiased ? 4 : 2 }
}

/// The kernel whose Gram matrix stands for a representation.
public enum Kernel: Sendable, Hashable, CustomStringConvertible {
  /// K = XXᵀ.
  case linear
  /// K = exp(−d²/(2σ²)), σ = t · √median(d²), the median over the full matrix of squared distances with
  /// its diagonal. The number is t.
  case rbf(Double)

  /// `linear`, or `rbf-0.5`.
  public var description: String {
    switch self {
    case .linear: "linear"
    case .rbf(let t): "rbf-\(t)"
    }
  }
}
