import Foundation
import ParallaxTensors

/// A reverse Weibull distribution fitted to maxima: F(x) = exp(−((a − x)/s)^c) for x ≤ a.
///
/// By maximum likelihood: for each location a the shape c and the scale s have one maximum, and a is searched over the logarithm of
/// its distance from the largest value. Shapes below 1, where the likelihood has no bound, are left out.
///
/// > Source: Weng et al., 2018, Evaluating the Robustness of Neural Networks: An Extreme Value Theory Approach.
public struct ReverseWeibull: Sendable, Hashable {
  /// a, the largest value that can be.
  public let location: Double
  /// s.
  public let scale: Double
  /// c.
  public let shape: Double
  /// The mean logarithm of the density.
  public let likelihood: Double
  /// Kolmogorov's and Smirnov's distance from the values.
  public let distance: Double
  /// How often values of that distribution are as far away or farther, by Kolmogorov's limit.
  public let p: Double
  /// Whether the likelihood grows as far as locations were looked for: the maxima do not tell where they end, and the location is no
  /// estimate.
  public let isUnbounded: Bool

  /// The distribution of some maxima; nil for fewer than 3, or where one is not finite.
  ///
  /// - Parameter maxima: at least 3 finite values. Where all are equal they are the location themselves.
  public init?(maxima: [Double]) {
    guard maxima.count >= 3, maxima.allSatisfy(\.isFinite), let largest = maxima.max(),
      let smallest = maxima.min()
    else { return nil }
    let spread = largest - smallest
    guard spread > 1e-12 * max(abs(largest), 1e-300) else {
      (location, scale, shape, likelihood, distance, p) = (largest, 0, .infinity, .infinity, 0, 1)
      isUnbounded = false
      return
    }
    func fit(_ exponent: Double) -> Fit { Fit(maxima, largest + spread * exp(exponent)) }
    // A coarse grid, then the golden section around its best.
    let grid = (0...80).map { -12 + Double($0) * 0.25 }
    let fits = grid.map(fit)
    let best = fits.indices.max { fits[$0].likelihood < fits[$1].likelihood } ?? 0
    var (low, high) = (grid[max(0, best - 1)], grid[min(80, best + 1)])
    let golden = (5.0.squareRoot() - 1) / 2
    for _ in 0..<60 {
      let (a, b) = (high - golden * (high - low), low + golden * (high - low))
      if fit(a).likelihood < fit(b).likelihood { low = a } else { high = b }
    }
    let found = fit((low + high) / 2)
    isUnbounded = (low + high) / 2 > grid[80] - 0.01
    (location, scale, shape) = (found.location, found.scale, found.shape)
    likelihood = found.likelihood
    let sorted = maxima.sorted()
    let n = Double(sorted.count)
    var gap = 0.0
    for (index, value) in sorted.enumerated() {
      let share = exp(-pow((found.location - value) / found.scale, found.shape))
      gap = max(gap, share - Double(index) / n, Double(index + 1) / n - share)
    }
    distance = gap
    let argument = (n.squareRoot() + 0.12 + 0.11 / n.squareRoot()) * gap
    let terms = (1...100).reduce(0.0) { sum, k in
      let sign = k % 2 == 1 ? 1.0 : -1.0
      return sum + 2 * sign * exp(-2 * Double(k * k) * argument * argument)
    }
    p = argument < 0.2 ? 1 : min(1, max(0, terms))
  }

  private struct Fit {
    var location: Double
    var scale: Double
    var shape: Double
    var likelihood: Double

    init(_ values: [Double], _ location: Double) {
      let logs = values.map { log(location - $0) }
      let count = Double(values.count)
      let (mean, top) = (logs.reduce(0, +) / count, logs.max() ?? 0)
      // Σ y^c log y / Σ y^c − 1/c − mean log y grows with c: its root by bisection.
      func slope(_ c: Double) -> Double {
        var (sum, weighted) = (0.0, 0.0)
        for value in logs {
          let power = exp(c * (value - top))
          sum += power
          weighted += power * value
        }
        return weighted / sum - 1 / c - mean
      }
      var (low, high) = (1.0, 2.0)
      if slope(low) < 0 {
        while slope(high) < 0, high < 1e9 { high *= 2 }
        for _ in 0..<80 {
          let middle = (low + high) / 2
          if slope(middle) < 0 { low = middle } else { high = middle }
        }
      }
      let c = low
      let power = logs.reduce(0) { $0 + exp(c * ($1 - top)) } / count
      let logScale = top + log(power) / c
      (self.location, shape, scale) = (location, c, exp(logScale))
      let sum = logs.reduce(0.0) { $0 + (c - 1) * ($1 - logScale) - exp(c * ($1 - logScale)) }
      likelihood = sum / count + log(c) - logScale
    }
  }
}

/// The radius within which, by extreme values of gradients, one number of an output stays above another.
///
/// score = min((f_c − f_j)(x)/L, R), L: the location of the reverse Weibull distribution of batch maxima of ‖∇(f_c − f_j)‖_q over
/// random points of the ball of radius R, 1/p + 1/q = 1. It is an estimate and no bound: it depends on the samples, and ``fit``
/// says how well the distribution suits them.
///
/// > Source: Weng et al., 2018, CLEVER; their 500 batches of 1024 points are the paper's.
public struct CLEVER: Sendable {
  /// The score in units of the pixels.
  public let score: Double
  /// f_c − f_j at the picture.
  public let margin: Double
  /// The distribution of the maxima.
  public let fit: ReverseWeibull
  /// The largest gradient norm that was seen: a lower bound of the local Lipschitz constant of the difference.
  public let largest: Double

  /// The score of one image.
  ///
  /// - Parameters:
  ///   - jacobian: of the outputs.
  ///   - image: which image.
  ///   - first: c.
  ///   - second: j.
  ///   - radius: R, in units of the pixels.
  ///   - isMaximum: whether the ball is of the largest absolute difference (q = 1) instead of the Euclidean (q = 2).
  ///   - batches: how many maxima.
  ///   - samples: points of each.
  ///   - seed: of the points.
  ///   - isInterrupted: asked before each batch.
  /// - Throws: `AnalysisError.interrupted`; `AnalysisError.site` where f_c does not lie above f_j, or gradients are not finite; what
  ///   the function throws.
  /// - Complexity: a forward and a backward pass for each point.
  public init(
    _ jacobian: LayerJacobian, image: Int = 0, above first: Int, _ second: Int, radius: Double,
    isMaximum: Bool = false, batches: Int = 50, samples: Int = 64, seed: UInt64 = 0,
    isInterrupted: () -> Bool = { false }
  ) throws {
    let values = jacobian.values.selected(0, image).to(.float64).scalars(Double.self)
    guard values.indices.contains(first), values.indices.contains(second), first != second,
      values[first] > values[second], radius > 0
    else {
      throw AnalysisError.site(
        jacobian.name,
        problem:
          "CLEVER needs a radius above 0 and an output that lies above another, found outputs \(first) and \(second) of \(values.count)"
      )
    }
    margin = values[first] - values[second]
    var signs = [Double](repeating: 0, count: values.count)
    (signs[first], signs[second]) = (1, -1)
    let seeds = Tensor(signs, shape: [1, signs.count]).expanded(samples, signs.count)
    let start = jacobian.points.sliced(0, image, image + 1)
    let sampler = BallSampler(radius: radius, norm: isMaximum ? .infinity : .two)
    let random = RandomSource(seed: seed)
    var maxima: [Double] = []
    for _ in 0..<batches {
      if isInterrupted() { throw AnalysisError.interrupted }
      let moves = sampler.draw(samples, inputs: jacobian.inputs, random)
      let points =
        moves.to(start.dtype).to(start.device)
        .reshaped([samples] + Array(start.shape.dropFirst())) + start
      let gradients = try jacobian.gradients(at: points, seeds).to(.float64)
      let norms =
        isMaximum ? gradients.absolute().sum(over: [1]) : gradients.norm(over: [1])
      maxima.append(norms.maximum().item(Double.self))
    }
    guard let fit = ReverseWeibull(maxima: maxima) else {
      throw AnalysisError.site(
        jacobian.name, problem: "CLEVER needs at least 3 batches of finite gradients")
    }
    (self.fit, largest) = (fit, maxima.max() ?? 0)
    score = fit.location > 0 ? min(margin / fit.location, radius) : radius
  }
}
