import Foundation
import ParallaxResults

/// Every choice of the estimates, and whether the paper makes it.
enum LipschitzSwitches {
  /// Them, in the order of the report.
  static func list(_ options: LipschitzAnalysis.Options) -> [Switch] {
    func number(_ value: Double) -> String { String(format: "%.3g", value) }
    return [
      Switch("estimate", "L_v(x, h) = ‖f(x + h·v) − f(x)‖/h", origin: "paper"),
      Switch("embedding", "raw, not normalised to length 1", origin: "paper"),
      Switch("unit", "pixels of 0 to 1, through the model's own preprocessing"),
      Switch(
        "directions",
        "v₁, matching, gradient, \(options.directions) random, target, \(options.tangents) tangent"),
      Switch("h", "\(options.steps) steps from \(number(options.shortest)) to ‖Δx‖, logarithmic"),
      Switch(
        "matching direction", "recipe \(options.recipe.name), until \(options.recipe.criterion)"),
      Switch("normal space", "σ above \(number(options.threshold)) of σ₁"),
      Switch(
        "singular values",
        "all where D ≤ \(options.whole), else the leading \(options.leading)"),
      Switch("segments", "\(options.parts) equal parts"),
      Switch(
        "lower bound",
        "the largest σ₁ of the picture and \(options.samples) others within \(number(options.radius)), \(options.iterations) power iterations each"
      ),
      Switch(
        "walk",
        options.walk > 0
          ? "\(options.walk) steps of at most 0.3 of P_T·(x_tg − x), halved up to 10 times where the embedding drifts by more than 10 % of the way, up to 2 corrections each"
          : "none"),
      Switch(
        "level set",
        options.levelSet > 0
          ? "\(options.levelSet) steps of 0.05, counter-perturbation up to 1/255, until the confidence has dropped by 0.05; no random start"
          : "none"),
      Switch(
        "CLEVER",
        options.clever.batches > 0
          ? "\(options.clever.batches) batches of \(options.clever.samples), radius \(number(options.clever.radius)); the paper: 500 of 1024"
          : "none"),
    ]
  }
}

/// What Salman, Shams and Liu say of normal and tangent spaces, asked of these models at these pictures.
///
/// > Source: Salman, Shams and Liu, 2024, arXiv 2401.15568. Statistics and criteria are ours: a sentence shows where every picture agrees
/// > with it, does not show where every one speaks against it.
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

  private func finding(
    _ sentence: String, _ values: [Double], above bound: Double, _ quantity: String
  ) -> Finding? {
    guard let low = values.min(), let high = values.max() else { return nil }
    func number(_ value: Double) -> String { String(format: "%.3g", value) }
    let verdict: Finding.Verdict =
      values.count < 2
      ? .cannotTell : low > bound ? .shows : high <= bound ? .doesNotShow : .cannotTell
    return Finding(
      sentence: sentence, value: mean(values), low: nil, high: nil,
      quantity: quantity
        + (values.count > 1
          ? "; from \(number(low)) to \(number(high)) over \(values.count) pictures and sites"
          : "; one picture at one site, too few to tell"),
      verdict: verdict, analysis: "lipschitz")
  }

  private func normal() -> Finding? {
    finding(
      "In a few directions the embedding moves at least ten times as far as in random ones",
      pictures.compactMap { one in
        limit(one, .random).flatMap { $0 > 0 ? one.steepest / $0 : nil }
      }, above: 10, "σ₁ over the mean ‖Jv‖ of random directions")
  }

  private func order() -> Finding? {
    finding(
      "The direction that matches a target is steeper than the direction to the target itself",
      pictures.compactMap { one in
        guard let own = limit(one, .matching), let other = limit(one, .target), other > 0 else {
          return nil
        }
        return own / other
      }, above: 1, "‖Jv‖ along the match over ‖Jv‖ towards the target")
  }

  private func share() -> Finding? {
    finding(
      "The way to another image lies in the tangent space, which the embedding hardly sees",
      pictures.compactMap { one in
        one.curves.first { $0.kind == .target }?.share.map { 1 - $0 * $0 }
      }, above: 0.5, "1 − ‖P_N d‖²/‖d‖² of d = x_tg − x₀")
  }

  private func linear() -> Finding? {
    finding(
      "Around a picture the embedding is all but linear as far as the match goes",
      pictures.compactMap { one in
        one.curves.first { $0.kind == .matching }?.errors.last?.map { 1 - $0 }
      }, above: 0.5, "1 less the error of the linear prediction at the whole length of the match")
  }
}
