import Foundation
import ParallaxResults

/// Numbers that follow from singular values; where only leading ones are known, what bounds them.
///
/// With the known values σ₁ … σ_k, the energy E = ‖J‖²_F − Σσ² of the rest, each of which is at most σ_k, and M = min(features,
/// inputs) − k of them:
///
/// - the rest holds at most E/(τσ₁)² values above τσ₁, which bounds the rank from above, and the known ones bound it from below;
/// - Σ of the rest lies between E/σ_k and √(M·E), which bounds the effective rank exp(H(p)), p = σ/Σσ: from below by the
///   participation (Σσ)²/Σσ² ≤ exp(H), from above by the rest being all alike.
///
/// Where E is an estimate, bounds hold for all E within three of its standard errors.
struct SpectrumNumbers {
  /// σ in descending order.
  let values: [Double]
  /// min(features, inputs) less the known ones.
  let missing: Int
  /// E; 0 where nothing is missing.
  let rest: Double
  /// The standard error of E.
  let error: Double

  init(_ values: [Double], missing: Int, rest: Double, error: Double = 0) {
    (self.values, self.missing) = (values, missing)
    self.rest = missing > 0 ? max(0, rest) : 0
    self.error = missing > 0 ? max(0, error) : 0
  }

  init(_ spectrum: SingularValues) {
    let known = spectrum.values.reduce(0) { $0 + $1 * $1 }
    self.init(
      spectrum.values, missing: spectrum.isComplete ? 0 : spectrum.count - spectrum.values.count,
      rest: spectrum.squaredNorm - known, error: spectrum.squaredNormError)
  }

  /// rank_τ = #{σ_i > τ·σ₁}.
  func rank(_ threshold: Double) -> SpectrumResult.Bounded {
    guard let first = values.first else { return SpectrumResult.Bounded(0, 0) }
    let limit = threshold * first
    let known = values.count { $0 > limit }
    guard missing > 0, known == values.count else {
      return SpectrumResult.Bounded(Double(known), Double(known))
    }
    let most = min(Double(missing), ((rest + 3 * error) / (limit * limit)).rounded(.down))
    return SpectrumResult.Bounded(Double(known), Double(known) + most)
  }

  /// exp(H(σ/Σσ)).
  var effectiveRank: SpectrumResult.Bounded {
    let all = [max(0, rest - 3 * error), rest, rest + 3 * error].map(effectiveRank)
    return SpectrumResult.Bounded(
      all.reduce(.infinity) { min($0, $1.low) }, all.reduce(0) { max($0, $1.high) })
  }

  private func effectiveRank(_ rest: Double) -> SpectrumResult.Bounded {
    let sum = values.reduce(0, +)
    guard sum > 0 else { return SpectrumResult.Bounded(0, 0) }
    let entropy = -values.reduce(0) { $1 > 0 ? $0 + $1 / sum * log($1 / sum) : $0 }
    guard missing > 0, rest > 0, let last = values.last, last > 0 else {
      return SpectrumResult.Bounded(exp(entropy), exp(entropy))
    }
    let squares = values.reduce(0) { $0 + $1 * $1 } + rest
    let (least, most) = (rest / last, (Double(missing) * rest).squareRoot())
    let low = (sum + least) * (sum + least) / squares
    // h(P) + P·H + (1 − P)·log M, P the known share of Σσ: largest where the rest's share is M/(e^H + M).
    let tail = min(max(most, least), sum * Double(missing) / exp(entropy))
    let share = sum / (sum + tail)
    let other = 1 - share
    let mixed = -(share * log(share) + (other > 0 ? other * log(other) : 0))
    let high = exp(mixed + share * entropy + other * log(Double(missing)))
    return SpectrumResult.Bounded(min(low, high), high)
  }

  /// σ₁/σ_i, i from 1; nil where the value is not known or 0.
  func condition(at index: Int) -> Double? {
    guard index >= 1, values.indices.contains(index - 1), let first = values.first,
      values[index - 1] > 0
    else { return nil }
    return first / values[index - 1]
  }
}
