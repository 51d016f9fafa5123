import Foundation
import ParallaxResults

/// Every choice of the estimates, and whether the paper makes it.
enum LipschitzSwitches {
  /// Them, in the order of the report.
  static func list(_ options: LipschitzAnalysis.Options) -> [Switch] {
    func number(_ value: Double) -> String { String(format: "%.3g", value) }
    let first: [Switch] = [
      Switch("estimate", "L_v(x, h) = ‖f(x + h·v) − f(x)‖/h", origin: "paper"),
      Switch("embedding", "raw, not normalised to length 1", origin: "paper"),
      Switch("unit", "pixels of 0 to 1, through the model's own preprocessing"),
      Switch(
        "directions",
        "v₁, matching, gradient, \(options.directions) random, target, \(options.tangents) tangent"),
      Switch(
        "h",
        "\(options.steps) steps from \(number(options.shortest)) to ‖Δx‖, at least 10 times the first, logarithmic"
      ),
      Switch("numbers", options.precise.isEmpty ? "float32" : "float64"),
      Switch(
        "rounding",
        "differences of less than \(number(LipschitzEstimates.clear)) times that of f(x + h·v) − f(x) are left out"
      ),
      Switch(
        "matching direction", "recipe \(options.recipe.name), until \(options.recipe.criterion)"),
      Switch("normal space", "σ above \(number(options.threshold)) of σ₁"),
      Switch(
        "singular values",
        "all where min(D, n) ≤ \(options.whole), else those of the leading \(options.leading) that have converged to 5 %"
      ),
      Switch(
        "tangent directions",
        "by the normal space's vectors where that is known as a whole, else d − J⁺(J·d) with up to \(options.products) products either way, left out where more than 5 % of J·d stays"
      ),
      Switch("segments", "\(options.parts) equal parts"),
      Switch(
        "lower bound",
        "the largest σ₁ of the picture and \(options.samples) others within \(number(options.radius)), \(options.iterations) power iterations each"
      ),
    ]
    let last: [Switch] = [
      Switch(
        "level set",
        options.levelSet > 0
          ? "\(options.levelSet) steps of 0.05 from a start moved by up to 2/255, \(options.counterPerturbation > 0 ? "counter-perturbation up to \(number(options.counterPerturbation))" : "no counter-perturbation"), until the confidence has dropped by 0.05"
          : "none"),
      Switch(
        "widths of the level set",
        options.levelSet > 0 && !options.widths.isEmpty
          ? "5th and 95th percentile over 256 random directions at \(options.widths.map(number).joined(separator: ", "))"
          : "none"),
      Switch(
        "CLEVER",
        options.clever.batches > 0
          ? "\(options.clever.batches) batches of \(options.clever.samples), radius \(number(options.clever.radius)), \(options.cleverIsMaximum ? "L∞" : "L2"), the least over \(options.cleverClasses) other class\(options.cleverClasses == 1 ? "" : "es"); the paper: 500 of 1024, the least over all"
          : "none"),
    ]
    return first + walks(options) + last
  }

  private static func walks(_ options: LipschitzAnalysis.Options) -> [Switch] {
    func number(_ value: Double) -> String { String(format: "%.3g", value) }
    guard options.walk > 0 else { return [Switch("walk", "none")] }
    guard let kind = options.walkPreset.kind else {
      return [
        Switch(
          "walk",
          "\(options.walk) steps of at most 0.3 of P_T·(x_tg − x), halved up to 10 times where the embedding drifts by more than 10 % of the way, up to 2 corrections each"
        )
      ]
    }
    let side = kind == .simec ? "below" : "above"
    let isScript =
      options.walkThreshold == PullbackWalk.Options().threshold
      && options.walkMultiplier == PullbackWalk.Options().multiplier
    return [
      Switch(
        "walk",
        "\(kind == .simec ? "SiMEC" : "SiMExp"): up to \(options.walk) steps along random eigenvectors of JᵀJ with λ \(side) \(number(options.walkThreshold))",
        origin: "paper"),
      Switch(
        "walk: step",
        "\(number(options.walkMultiplier))/√(λ_max/(λ_min + 1e-6)), λ_min the smallest of all n, which is 0 where D < n",
        origin: isScript ? "paper" : "reconstruction"),
      Switch(
        "walk: space",
        "pixels, put back into 0 to 1; the paper walks through embeddings of patches, capped to their range"
      ),
      Switch(
        "walk: choice",
        kind == .simec
          ? "a random vector without its part along the v_i with σ_i² at the threshold or above it; where J is not decomposed as a whole d − J⁺(J·d)"
          : "uniform among those above the threshold, of a J that is not decomposed as a whole among the leading ones that have converged, forwards or backwards; the authors' script takes the first ones in ascending order"
      ),
    ]
  }
}

/// What Salman, Shams and Liu say of normal and tangent spaces, asked of these models at these pictures.
///
/// > Source: Salman, Shams and Liu, 2024, arXiv 2401.15568. Statistics and criteria are ours: a sentence shows where every picture at every
/// > site agrees with it, does not show where every one speaks against it, and of fewer than six pairs it cannot be told: six that agree by
/// > chance are a sign test's p of 2·2⁻⁶ = 0.03.
struct LipschitzFindings {
  let result: LipschitzResult

  /// The findings.
  func callAsFunction() -> [Finding] { [normal(), order(), share(), linear()].compactMap(\.self) }

  private var pictures: [LipschitzResult.Picture] {
    result.models.flatMap { $0.places.flatMap(\.pictures) }
  }

  private func mean(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }

  private func limit(_ one: LipschitzResult.Picture, _ kind: LipschitzResult.Kind) -> Double? {
    mean(one.curves.filter { $0.kind == kind }.map(\.limit))
  }

  /// Pairs that must agree.
  static let needed = 6

  /// A number of each picture at each site, with its pair.
  private func values(_ number: (LipschitzResult.Picture) -> Double?) -> [(
    pair: [Int], value: Double
  )] {
    pictures.compactMap { one in number(one).map { ([one.source, one.target], $0) } }
  }

  private func finding(
    _ sentence: String, _ values: [(pair: [Int], value: Double)], above bound: Double,
    _ quantity: String, missing: String? = nil
  ) -> Finding? {
    guard let low = values.map(\.value).min(), let high = values.map(\.value).max() else {
      return missing.map {
        Finding(
          sentence: sentence, value: nil, low: nil, high: nil, quantity: $0, verdict: .cannotTell,
          analysis: "lipschitz")
      }
    }
    func number(_ value: Double) -> String { String(format: "%.3g", value) }
    let pairs = Set(values.map(\.pair)).count
    let verdict: Finding.Verdict =
      pairs < Self.needed
      ? .cannotTell : low > bound ? .shows : high <= bound ? .doesNotShow : .cannotTell
    return Finding(
      sentence: sentence, value: mean(values.map(\.value)), low: nil, high: nil,
      quantity: quantity
        + (values.count > 1
          ? "; from \(number(low)) to \(number(high)) over \(values.count) pictures and sites" : "")
        + (pairs < Self.needed
          ? "; \(pairs) pair\(pairs == 1 ? "" : "s"), fewer than \(Self.needed), too few to tell"
          : ""),
      verdict: verdict, analysis: "lipschitz")
  }

  private func normal() -> Finding? {
    finding(
      "In a few directions the embedding moves at least ten times as far as in random ones",
      values { one in
        limit(one, .random).flatMap { $0 > 0 ? one.steepest / $0 : nil }
      }, above: 10, "σ₁ over the mean ‖Jv‖ of random directions")
  }

  private func order() -> Finding? {
    finding(
      "The direction that matches a target is steeper than the direction to the target itself",
      values { one in
        guard let own = limit(one, .matching), let other = limit(one, .target), other > 0 else {
          return nil
        }
        return own / other
      }, above: 1, "‖Jv‖ along the match over ‖Jv‖ towards the target")
  }

  /// How much of the way to the target the embedding sees, held against how much of a random direction.
  private func share() -> Finding? {
    func square(_ one: LipschitzResult.Picture, _ kind: LipschitzResult.Kind) -> Double? {
      mean(one.curves.filter { $0.kind == kind }.compactMap(\.share).map { $0 * $0 })
    }
    func means(_ kind: LipschitzResult.Kind) -> String {
      mean(pictures.compactMap { square($0, kind) }).map { String(format: "%.3g", $0) } ?? "none"
    }
    return finding(
      "Of the way to another image the embedding sees less than half as much as of a random direction",
      values { one in
        guard let random = square(one, .random), let own = square(one, .target), own > 0 else {
          return nil
        }
        return random / own
      }, above: 2,
      "‖P_N d‖²/‖d‖² of random directions (mean \(means(.random))) over that of d = x_tg − x₀ (mean \(means(.target)))",
      missing: pictures.isEmpty
        ? nil
        : "the normal space is known in part only: more numbers than are decomposed as a whole")
  }

  private func linear() -> Finding? {
    finding(
      "Around a picture the embedding is all but linear as far as the match goes",
      values { one in
        guard let curve = one.curves.first(where: { $0.kind == .matching }),
          let length = one.steps.last, let gain = curve.values.last, let gain, gain > 0,
          one.change >= length * (1 - 1e-9)
        else { return nil }
        // What cannot be told from rounding is at most five times that.
        let most = LipschitzEstimates.clear * (one.rounding ?? 0) / (gain * length)
        return 1 - ((curve.errors.last ?? nil) ?? most)
      }, above: 0.5, "1 less the error of the linear prediction at the whole length of the match")
  }
}
