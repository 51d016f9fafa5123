import ArgumentParser
import Foundation
import Parallax

extension MatchingAnalysis.Preset: ExpressibleByArgument {}
extension MatchRecipe.Method: ExpressibleByArgument {}
extension MatchRecipe.Loss: ExpressibleByArgument {}
extension MatchRecipe.Unit: ExpressibleByArgument {}

/// What keeps pictures in range, as the command line says it.
enum ClampChoice: String, ExpressibleByArgument, CaseIterable {
  case source, unit, none

  var clamp: MatchRecipe.Clamp {
    switch self {
    case .source: .source
    case .unit: .unit
    case .none: .none
    }
  }
}

/// How pictures are matched.
struct MatchOptions: ParsableArguments {
  @Option(
    help:
      "The recipe: quick (without --preset and --method), salman2024, salman2024-several, newton, pgd or sabour2016."
  )
  var preset: MatchingAnalysis.Preset?

  @Option(
    help: "Pairs of images, at most; 8 without it, with --target every other image of the set.")
  var pairs: Int?

  @Option(
    help: ArgumentHelp(
      "Only this image is changed, to many targets: an id or path of the set, or any image file.",
      valueName: "id|file"))
  var source: String?

  @Option(
    help: ArgumentHelp(
      "All other images, or --pairs of them, are changed to this one: an id or path of the set, or any image file; with --source, one pair.",
      valueName: "id|file"))
  var target: String?

  @Option(
    help: ArgumentHelp(
      "Embeddings that sources are changed to, in turn: rows of a .npy or .safetensors file.",
      valueName: "file"))
  var targetEmbedding: String?

  @Option(
    help:
      "How steps are made: descent, adam, pgd, gauss-newton, levenberg-marquardt or l-bfgs-b; the recipe's without it."
  )
  var method: MatchRecipe.Method?

  @Option(help: "Targets of each source, of which the last decides; the recipe's without it.")
  var targets: Int?

  @Option(help: "Steps, at most; the recipe's without it.")
  var steps: Int?

  @Option(help: "The rate η of the loss, of pgd the step in pixels; the recipe's without it.")
  var rate: Double?

  @Option(help: "λ of gauss-newton and levenberg-marquardt; the recipe's without it.")
  var damping: Double?

  @Option(
    help: "What is minimised: mean, of (f − t)², or half, of their sum; the recipe's without it.")
  var loss: MatchRecipe.Loss?

  @Option(
    help:
      "In which numbers pictures are changed: normalised, the model's input, or pixels; the recipe's without it."
  )
  var unit: MatchRecipe.Unit?

  @Option(
    help:
      "What keeps pictures in range: source, its smallest and largest number, unit, 0 to 1, or none; the recipe's without it."
  )
  var clamp: ClampChoice?

  @Option(
    help: ArgumentHelp(
      "No pixel may change by more, of 0 to 1; the recipe's without it.", valueName: "ε"))
  var linf: Double?

  @Option(
    help: ArgumentHelp(
      "All pixels together may not change by more, of 0 to 1; the recipe's without it.",
      valueName: "ε"))
  var l2: Double?

  @Option(help: "A match has a squared distance d below it; the recipe's without it.")
  var tolerance: Double?

  @Option(help: "A match has a cosine above it; the recipe's without it.")
  var cosine: Double?

  @Option(
    help: ArgumentHelp(
      "Deviations of the noise on sources and matches, in pixels of 0 to 1.", valueName: "σ,σ,…"))
  var noise = "0.01,0.02,0.05,0.1"

  @Option(help: "Draws of noise for each deviation.")
  var draws = 4

  @Option(help: "Layers of a model that names none, evenly spread; 1: where its embedding is.")
  var layers = 1

  func validate() throws {
    try Outlier.check([
      ("steps", steps ?? 1, 1...10_000_000), ("pairs", pairs ?? 1, 1...100_000),
      ("layers", layers, 1...1024), ("draws", draws, 1...10_000),
      ("targets", targets ?? 1, 1...1000),
    ])
    for (option, value, high) in [
      ("rate", rate, 1e6), ("linf", linf, 1), ("l2", l2, 1e4), ("tolerance", tolerance, 1e12),
      ("damping", damping, 1e6),
    ] {
      if let value, !(value > 0 && value <= high) {
        throw ValidationError(
          "--\(option) \(value): expected a number above 0, up to \(Int(high))")
      }
    }
    if let cosine, !(cosine >= -1 && cosine < 1) {
      throw ValidationError("--cosine \(cosine): expected a number from -1, below 1")
    }
    guard linf == nil || l2 == nil else {
      throw ValidationError("--linf and --l2: expected one of them")
    }
    guard deviations != nil else {
      throw ValidationError("--noise \(noise): expected numbers above 0, up to 10, with commas")
    }
    guard targetEmbedding == nil || target == nil else {
      throw ValidationError("--target and --target-embedding: expected one of them")
    }
    let recipe = recipe()
    let isSecond = recipe.method.isSecondOrder
    for (option, isGiven) in [
      ("rate", rate != nil && (isSecond || recipe.method == .boundedBFGS)),
      ("l2", l2 != nil && recipe.method == .boundedBFGS), ("loss", loss != nil && isSecond),
      ("damping", damping != nil && !isSecond), ("targets", recipe.targets > 1 && isSecond),
    ] where isGiven {
      throw ValidationError(
        "--\(option): \(recipe.method.rawValue) has none; expected another --method")
    }
    guard targetEmbedding == nil || recipe.targets == 1 else {
      throw ValidationError("--target-embedding: expected one target for each source")
    }
  }

  private var deviations: [Double]? {
    let parts = noise.split(separator: ",", omittingEmptySubsequences: false).map {
      Double($0.trimmingCharacters(in: .whitespaces)) ?? .nan
    }
    return parts.allSatisfy { $0 > 0 && $0 <= 10 } && Set(parts).count == parts.count
      ? parts.sorted() : nil
  }

  /// The recipe that has a method.
  private static func having(_ method: MatchRecipe.Method) -> MatchRecipe {
    var recipe: MatchRecipe =
      switch method {
      case .descent: .salman2024
      case .adam: .quick
      case .pgd: .pgd
      case .gaussNewton, .levenbergMarquardt: .newton
      case .boundedBFGS: .sabour2016
      }
    (recipe.method, recipe.name) = (method, method.rawValue)
    return recipe
  }

  /// The recipe with what is said otherwise; one that is changed says so in its name.
  func recipe() -> MatchRecipe {
    let base: MatchRecipe
    switch (preset, method) {
    case (let preset, nil): base = (preset ?? .quick).recipe
    case (nil, let method?): base = Self.having(method)
    case (let preset?, let method?):
      var own = preset.recipe
      if own.method != method {
        // What a step is made of goes with the method, when it ends and how pictures stay in range with the preset.
        let other = Self.having(method)
        (own.method, own.unit, own.loss, own.rate) = (method, other.unit, other.loss, other.rate)
        (own.damping, own.products, own.steps) = (other.damping, other.products, other.steps)
        own.ball = own.ball ?? other.ball
        own.name += ", changed"
      }
      base = own
    }
    var recipe = base
    if let targets { recipe.targets = targets }
    if let steps { recipe.steps = steps }
    if let rate { recipe.rate = LinearSchedule(rate, rate) }
    if let damping { recipe.damping = damping }
    if let loss { recipe.loss = loss }
    if let unit { recipe.unit = unit }
    if let clamp { recipe.clamp = clamp.clamp }
    if let linf { recipe.ball = .maximum(linf) }
    if let l2 { recipe.ball = .euclidean(l2) }
    if let tolerance { (recipe.tolerance, recipe.isRelative) = (tolerance, false) }
    if let cosine { recipe.cosine = cosine }
    if recipe != base, !recipe.name.hasSuffix(", changed") { recipe.name += ", changed" }
    return recipe
  }

  /// - Throws: `AnalysisError.target` and `TensorError` where the file of target embeddings is none.
  func options(batchSize: Int?) throws -> MatchingAnalysis.Options {
    var options = MatchingAnalysis.Options()
    options.recipe = recipe()
    options.vectors = try targetEmbedding.map { try MatchVectors($0) }
    let rows = options.vectors?.count ?? 1
    let count = pairs ?? (target != nil ? .max : source != nil && rows > 1 ? rows : 8)
    options.pairs = MatchPairs(source: source, target: target, count: count)
    if let source, options.vectors != nil { options.pairs = .from(source, pairs ?? rows) }
    (options.noise, options.draws) = (deviations ?? options.noise, draws)
    options.sites = layers
    options.batchSize = batchSize
    return options
  }
}
