import ParallaxTensors

/// How well a ridge regression reads numbers off a representation: R² on images that it was not fitted to.
///
/// ```swift
/// let result = try RidgeProbe(seed: 7)(features, statistics)
/// result.scores[3]          // R² of the fourth column, nil where it is constant
/// ```
///
/// The images are cut into ``folds`` by chance; each fold is predicted by a regression fitted to the others:
///
///     β = argmin Σ_i (y_i − ȳ − (x_i − x̄)·β)² + λ‖β‖²,    λ = ρ·Σ_i ‖x_i − x̄‖²,
///
/// x̄, ȳ and Σ over the images that are fitted, the intercept not penalised. Columns are centred and **not scaled one by
/// one**: a neuron that hardly varies stays small. λ is counted in the whole variance, so that R² does not change when all
/// features are multiplied by one number. For each fold and target ρ is the one of ``penalties`` whose squared
/// leave-one-out error among the fitted images is least, the smallest where several are; the images to be predicted have no
/// part in it.
///
/// All leave-one-out errors come from one decomposition a fold, XXᵀ or XᵀX = V·diag(s²)·Vᵀ, whichever is smaller, for all
/// targets and penalties: e_i/(1 − h_ii), h_ii = 1/n + Σ_j u_ij²·s_j²/(s_j² + λ), which is exact.
///
/// R² = 1 − Σ(y − ŷ)²/Σ(y − mean y)² over the predictions of all folds together. It is not clamped: below 0 the mean of all
/// images would have been the better prediction.
///
/// Float64 throughout. Agrees with scikit-learn's `KFold`, `RidgeCV(alpha_per_target=True)` and `r2_score` to 9 digits.
///
/// > Source: Hoerl and Kennard, 1970; leave-one-out: Golub, Heath and Wahba, 1979, and Rifkin and Lippert, 2007,
/// > MIT-CSAIL-TR-2007-025.
public struct RidgeProbe: Sendable, Hashable {
  /// Parts that the images are cut into.
  public let folds: Int
  /// Of the cut.
  public let seed: UInt64
  /// ρ, shares of the whole variance, in ascending order.
  public let penalties: [Double]

  /// 1 and 3 times each power of ten from 10⁻⁸, up to 100.
  public static let defaultPenalties: [Double] = [
    1e-8, 3e-8, 1e-7, 3e-7, 1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1,
    3, 10,
    30, 100,
  ]

  /// A probe.
  ///
  /// - Parameters:
  ///   - folds: at least 2.
  ///   - seed: of the cut into folds.
  ///   - penalties: ρ, positive numbers in ascending order.
  /// - Precondition: folds and penalties are as said.
  public init(
    folds: Int = 5, seed: UInt64 = 0, penalties: [Double] = defaultPenalties
  ) {
    precondition(folds >= 2, "RidgeProbe: at least 2 folds, found \(folds)")
    precondition(
      penalties.first.map { $0 > 0 } == true && penalties.allSatisfy(\.isFinite)
        && zip(penalties, penalties.dropFirst()).allSatisfy { $0 < $1 },
      "RidgeProbe: expected positive penalties in ascending order, found \(penalties)")
    (self.folds, self.seed, self.penalties) = (folds, seed, penalties)
  }

  /// What a probe found.
  public struct Result: Sendable, Equatable {
    /// R² of each target; nil where the target is the same for all images.
    public let scores: [Double?]
    /// ρ by fold and target: `penalties[fold][target]`.
    public let penalties: [[Double]]
    /// The number of images.
    public let images: Int
  }

  /// `ridge-probe`, as errors call it.
  public var name: String { "ridge-probe" }

  /// The images that each fold predicts: a random order cut into parts whose sizes differ by one at most, the larger first.
  ///
  /// - Parameter count: of images.
  /// - Returns: places from 0, each once; the order is `RandomSource(seed:).permutation`, PyTorch's `randperm`.
  public func parts(of count: Int) -> [[Int]] {
    let order = RandomSource(seed: seed).permutation(count).scalars(Int64.self).map(Int.init)
    var start = 0
    return (0..<folds).map { fold in
      let size = count / folds + (fold < count % folds ? 1 : 0)
      defer { start += size }
      return Array(order[start..<start + size])
    }
  }

  /// Predicts targets from features.
  ///
  /// - Parameters:
  ///   - features: `[images, width]`, at least one image a fold and three that are fitted.
  ///   - targets: `[images, targets]`, of the same images.
  /// - Returns: R² and penalties.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.unequalCounts`, `.notFinite`, or `.constant` where the features do not
  ///   vary; `TensorError.operation` where LAPACK does not converge.
  /// - Complexity: with n images fitted, D neurons, m = min(n, D): nDm once, and a fold m³ + n·m·targets·penalties.
  public func callAsFunction(_ features: Tensor, _ targets: Tensor) throws -> Result {
    // The largest fold is left out, and three images stay.
    var fewest = max(folds, 4)
    while fewest - (fewest + folds - 1) / folds < 3 { fewest += 1 }
    let x = try CheckedFeatures(features, atLeast: fewest, measure: name)
    guard targets.rank == 2, targets.shape[1] > 0 else {
      throw MeasureError.shape(
        measure: name, expected: "[images, targets]", found: targets.shape)
    }
    guard targets.shape[0] == x.images else {
      throw MeasureError.unequalCounts(
        measure: name, left: x.images, right: targets.shape[0])
    }
    let y = Gram.centred(Gram.widened(targets), in: .float64)
    let total = y.squared().sum(over: [0]).doubles
    guard total.allSatisfy(\.isFinite) else { throw MeasureError.notFinite(measure: name) }
    let regressions = RidgeRegressions(x.centred, penalties: penalties)
    var error = [Double](repeating: 0, count: total.count)
    var chosen: [[Double]] = []
    let parts = parts(of: x.images)
    for (fold, held) in parts.enumerated() {
      let fitted = parts.indices.filter { $0 != fold }.flatMap { parts[$0] }.sorted()
      let (predicted, best) = try regressions.prediction(of: held, from: fitted, y)
      let misses = (y.gathered(0, held) - predicted).squared().sum(over: [0]).doubles
      for (target, miss) in misses.enumerated() { error[target] += miss }
      chosen.append(best)
    }
    let scores = zip(error, total).map { error, total in total == 0 ? nil : 1 - error / total }
    return Result(scores: scores, penalties: chosen, images: x.images)
  }
}
