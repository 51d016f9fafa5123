import Foundation
import ParallaxResults

/// Every choice of a matching that changes the numbers, and whether the paper or its published code makes it.
enum MatchingSwitches {
  /// Them, in the order of the report.
  static func list(_ analysis: MatchingAnalysis) -> [Switch] {
    let (options, recipe) = (analysis.options, analysis.options.recipe)
    let isSabour = recipe.name.hasPrefix(MatchRecipe.sabour2016.name)
    let published = isSabour ? MatchRecipe.sabour2016 : .salman2024
    // Of Sabour et al. the objective and the pixels are known to be theirs.
    let known: [PartialKeyPath<MatchRecipe>] = [\.loss, \.unit]
    func number(_ value: Double) -> String { String(format: "%.4g", value) }
    func origin<Value: Equatable>(_ path: KeyPath<MatchRecipe, Value>) -> String {
      recipe[keyPath: path] == published[keyPath: path] && (!isSabour || known.contains(path))
        ? "paper" : "reconstruction"
    }
    let size: Switch =
      switch recipe.method {
      case .gaussNewton, .levenbergMarquardt:
        Switch(
          "λ",
          "\(number(recipe.damping)) of ⟨r, JJᵀr⟩/⟨r, r⟩, at most \(recipe.products) products with JJᵀ a step"
        )
      case .boundedBFGS:
        Switch(
          "quasi-Newton steps",
          "\(BoundedBFGS.history) pairs, the numbers that are free at their bounds, Armijo's condition along the projected path; the paper has the L-BFGS-B of Byrd et al., which reaches the same minimum by way of Cauchy points"
        )
      default:
        Switch(
          "rate", "\(number(recipe.rate.start)) → \(number(recipe.rate.end)), linear",
          origin: recipe.method == published.method ? origin(\.rate) : "reconstruction")
      }
    var list = [
      Switch("embedding", "raw, not normalised to length 1", origin: "paper"),
      Switch(
        "loss",
        recipe.loss == .mean ? "mean of (f − t)² over its numbers" : "½ of the sum of (f − t)²",
        origin: origin(\.loss)),
      Switch("step", recipe.method.rawValue, origin: origin(\.method)), size,
      Switch("unit", recipe.unit.rawValue, origin: origin(\.unit)),
      Switch("clamp", recipe.clamp.rawValue, origin: origin(\.clamp)),
      Switch("ball", recipe.ball?.text ?? "none", origin: origin(\.ball)),
      Switch(
        "until", recipe.criterion,
        origin: recipe.criterion == published.criterion && !isSabour ? "paper" : "reconstruction"),
      Switch("steps, at most", "\(recipe.steps)", origin: origin(\.steps)),
      Switch(
        "pairs",
        options.vectors.map { "sources to the \($0.count) rows of a file, in turn" }
          ?? pairs(options.pairs)),
      Switch("picture that is judged", "with 8 bits a channel, as saved, at the model's size"),
      Switch("visual change", "PSNR, SSIM, L2 and L∞ of pixels of 0 to 1"),
      Switch(
        "readers",
        "nearest neighbour (Euclidean), prototype (cosine with the class mean), few-shot probe (λ = 1024, fitted up to \(Bank.folds) times without the pictures it is asked for), each without the picture itself"
      ),
      Switch(
        "noise",
        "σ \(options.noise.map(number).joined(separator: ", ")), \(options.draws) draws each, the same for a source and its match, not clamped; ‖J‖²_F from \(MatchNoise.probes) random vectors"
      ),
    ]
    if recipe.targets > 1 {
      list.insert(
        Switch(
          "targets",
          "\(recipe.targets) each, rescaled to the range of the source's embedding, the k-th with weight k/\(recipe.targets)², the last decides",
          origin: "paper"), at: 1)
    }
    if recipe.ball != nil {
      list.append(
        Switch(
          "8 bits in a ball", "rounded towards the source, so that the saved picture stays in it"))
    }
    return list
  }

  private static func pairs(_ pairs: MatchPairs) -> String {
    switch pairs {
    case .random: "at random, of different classes where there are classes"
    case .to: "many sources to one target"
    case .from: "one source to many targets"
    case .one: "one source, one target"
    }
  }
}
