import Foundation
import ParallaxModels
import ParallaxResults

/// Every choice that changes the numbers, and whether the paper makes it.
enum InversionSwitches {
  /// Them, in the order of the report.
  static func list(_ analysis: InversionAnalysis) -> [Switch] {
    let options = analysis.options
    let recipes = analysis.layers.map(\.recipe)
    guard let first = recipes.first else { return [] }
    let isPaper = options.recipe == nil && options.preset == .badger2022
    let isTransformer = analysis.subjects.contains { $0.design == .transformer }
    let isNamed = isPaper || options.recipe == nil && options.preset == .feather2023
    func origin(_ isOwn: Bool = false) -> String { isNamed && !isOwn ? "paper" : "reconstruction" }
    func values(_ text: (InversionRecipe) -> String) -> String {
      var seen: Set<String> = []
      let all = recipes.map(text).filter { seen.insert($0).inserted }
      return all.prefix(4).joined(separator: "; ") + (all.count > 4 ? "; …" : "")
    }
    let descent = first.descent
    var list = [
      Switch(
        "loss",
        first.isRelative
          ? "\(first.loss.rawValue), over that of an embedding of zeros"
          : "\(first.loss.rawValue), summed over all elements, times c",
        origin: origin(options.loss != nil)),
      Switch("c", values { number($0.scale) }, origin: origin(isPaper && isTransformer)),
      Switch("descends on", descent.parametrisation.name, origin: origin()),
    ]
    if descent.octaves.count > 1 {
      list.append(
        Switch(
          "octaves",
          descent.octaves.map { "\(size($0.size)), \($0.steps) steps" }.joined(separator: "; "),
          origin: origin()))
    }
    return list + [
      Switch("steps", values { "\($0.descent.steps)" }, origin: origin(options.steps != nil)),
      Switch(
        "rate",
        values { recipe in
          "\(recipe.descent.optimiser.name), "
            + joined(recipe) { "ε \(number($0.rate.start)) → \(number($0.rate.end))" } + ", linear"
        },
        origin: origin(isPaper && isTransformer || options.rate != nil || options.lastRate != nil)),
      Switch("start", values { start($0.descent) }, origin: origin(options.start != nil)),
      Switch(
        "prior", values(prior),
        origin: origin(options.variation != nil || options.jitter != nil || options.blur != nil)),
      Switch("clamp to [0, 1]", clamp(descent), origin: origin(options.clamps != nil)),
      Switch(
        "input",
        first.isRaw
          ? "raw pixels in [0, 1], not normalised (Inception networks shift and scale them, as torchvision's do)"
          : "the model's own preprocessing",
        origin: origin()),
      Switch("resizing", "the model's own filter and size (the paper: bilinear)"),
      Switch(
        "result",
        descent.kept == .last
          ? "the last picture" : "the picture whose loss, without priors, is smallest",
        origin: origin()),
      Switch(
        "m_r", "mean over \(options.shift.count) shifts, s = \(number(options.shift.scale))",
        origin: options.shift.count == 1 && options.shift.scale == 1.0 / 18
          ? "paper" : "reconstruction"),
      Switch("verdict", "m_g < m_r and m_i > m_a': embedding only", origin: "paper"),
      Switch(
        "embedding",
        options.target.map { "rows of \($0.path); distances of pictures are to the images" }
          ?? "all numbers of the layer", origin: options.target == nil ? "paper" : "reconstruction"),
      Switch(
        "diverged",
        "no longer finite\(descent.divergence.map { ", or a loss above \(number($0)) times the first" } ?? "")"
      ),
      Switch("element type", "\(analysis.dtype)"),
      Switch("relative depth", "l / (L − 1) over the L sites that were asked for"),
    ]
  }

  private static func number(_ value: Double) -> String { String(format: "%.4g", value) }

  /// What octaves differ in, once where they do not.
  private static func joined(
    _ recipe: InversionRecipe, _ text: (DescentRecipe.Octave) -> String
  ) -> String {
    var seen: Set<String> = []
    return recipe.descent.octaves.map(text).filter { seen.insert($0).inserted }
      .joined(separator: ", then ")
  }

  private static func size(_ size: DescentRecipe.Octave.Size) -> String {
    switch size {
    case .own: "the model's size"
    case .share(let share): "\(number(share)) of it"
    case .side(let side): "\(side) pixels"
    }
  }

  private static func start(_ descent: DescentRecipe) -> String {
    switch descent.start {
    case .normal(let mean, let deviation): "N(\(number(mean)), \(number(deviation))²)"
    case .uniform: "uniform"
    case .parameters(let deviation):
      if case .prior = descent.parametrisation {
        "fresh weights"
      } else {
        "N(0, \(number(deviation))²) for each coefficient"
      }
    }
  }

  private static func clamp(_ descent: DescentRecipe) -> String {
    if descent.clamps { return "after each step" }
    return descent.parametrisation == .pixels ? "no" : "a sigmoid"
  }

  private static func prior(_ recipe: InversionRecipe) -> String {
    let descent = recipe.descent
    var parts: [String] = []
    if descent.octaves.contains(where: { $0.smoothing != nil }) {
      parts.append(
        joined(recipe) { octave in
          octave.smoothing.map { blur in
            "\(blur.size) × \(blur.size) blur after each step, σ \(number(blur.sigma.start)) → \(number(blur.sigma.end))"
          } ?? "no blur"
        })
    }
    if descent.variation > 0 {
      let power = descent.variationExponent.map { " (β = \(number($0)))" } ?? ""
      parts.append("total variation\(power) × \(number(descent.variation))")
    }
    if descent.amplitude > 0 { parts.append("|2a − 1|⁶ × \(number(descent.amplitude))") }
    let jitter = descent.octaves.map(\.jitter).max() ?? 0
    if jitter > 0 { parts.append("jitter of \(jitter) pixels, fading to 0") }
    return parts.isEmpty ? "none" : parts.joined(separator: ", ")
  }
}
