import ArgumentParser
import Foundation
import Parallax

extension MatchingAnalysis.Preset: ExpressibleByArgument {}
extension MatchRecipe.Method: ExpressibleByArgument {}

struct MatchCommand: ParsableCommand, ModelsTaking {
  static let configuration = CommandConfiguration(
    commandName: "match",
    abstract: "Change pictures invisibly until their embeddings are those of other pictures.",
    discussion: """
      A source picture is changed until its embedding is a target's, after Salman, Shams and Liu (2024). The report shows source, \
      target, the matched picture and the amplified difference, how far the picture has moved in pixels (PSNR, SSIM, L2, L∞) and the \
      embedding in the model, what nearest neighbours, prototypes and probes make of it before and after, and whether a picture \
      matched in one place fools the others. All numbers are those of the picture as saved, with 8 bits a channel. Every picture is a \
      PNG file in the run folder.

      quick: up to a hundred steps of Adam on pixels, until d < ‖t‖²/50 and the cosine > 0.99. salman2024: the published procedure \
      exactly, plain descent on the mean squared error with η = 0.08, up to 15000 steps. newton: Levenberg-Marquardt, the shortest \
      way in pixels. pgd: within a ball of 8/255 in every pixel. \
      The model's embedding is matched (the last site, of classifiers what the head reads) unless sites are named. Pairs are drawn from different classes unless --source or \
      --target name images.

      Example:  parallax match clip-vit-base-patch16 --pairs 8
      """)

  @Argument(help: ArgumentHelp("Models, or MODEL@SITE#TOKENS.", valueName: "model"))
  var addresses: [String]

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions
  @OptionGroup var matching: MatchOptions

  @Option(
    name: [.long, .customShort("o")], help: "The run folder; runs/match-MODELS without it.")
  var output: String?

  @OptionGroup var form: OutputOptions

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    let names = try ModelOptions.checked(addresses)
    let job = Job(
      title: {
        $0 == 1 ? "Matched embeddings in one model" : "Matched embeddings in \($0) models"
      }, output: output ?? Runs.name("match", names))
    let options = matching.options(batchSize: pass.batchSize)
    let finished = try job.run(
      addresses, models, images, pass, [AnalysisCatalog.matching(options)], progress)
    try finished.show(as: form) {
      let result: MatchingResult? = try finished.run.result(analysis: "matching")
      return result.map { $0.models.flatMap(Self.lines) + $0.findings.map(\.line) } ?? []
    }
  }

  /// `clip@head#flat: 8 of 8 matched, cosine 0.993 (0.61 before), PSNR 38.2 dB`.
  private static func lines(_ model: MatchingResult.Model) -> [String] {
    model.places.map { place in
      func mean(_ values: [Double]) -> Double {
        values.reduce(0, +) / Double(max(1, values.count))
      }
      func number(_ value: Double, _ digits: Int) -> String {
        String(format: "%.\(digits)f", value)
      }
      let pairs = place.pairs
      let steps = pairs.map(\.steps)
      return
        "\(model.name)@\(place.site)#\(place.tokens): \(pairs.count { $0.isMatched }) of \(pairs.count) matched after \(steps.min() ?? 0) to \(steps.max() ?? 0) steps, cosine \(number(mean(pairs.compactMap(\.saved.cosine)), 3)) (before \(number(mean(pairs.compactMap(\.before.cosine)), 3))), PSNR \(number(mean(pairs.compactMap(\.change.psnr)), 1)) dB"
    }
  }
}

/// How pictures are matched.
struct MatchOptions: ParsableArguments {
  @Option(help: "The recipe: quick, salman2024, newton or pgd.")
  var preset = MatchingAnalysis.Preset.quick

  @Option(help: "Pairs of images, at most.")
  var pairs = 8

  @Option(
    help: ArgumentHelp("Only this image is changed, by its id; to many targets.", valueName: "id"))
  var source: String?

  @Option(
    help: ArgumentHelp(
      "All are changed to this image, by its id; with --source, one pair.", valueName: "id"))
  var target: String?

  @Option(
    help:
      "How steps are made: descent, adam, pgd, gauss-newton or levenberg-marquardt; the recipe's without it."
  )
  var method: MatchRecipe.Method?

  @Option(help: "Steps, at most; the recipe's without it.")
  var steps: Int?

  @Option(help: "The rate η; the recipe's without it.")
  var rate: Double?

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

  @Option(help: "Layers of a model that names none, evenly spread; 1: where its embedding is.")
  var layers = 1

  func validate() throws {
    try Outlier.check([
      ("steps", steps ?? 1, 1...10_000_000), ("pairs", pairs, 1...100_000),
      ("layers", layers, 1...1024),
    ])
    for (option, value, high) in [
      ("rate", rate, 1e6), ("linf", linf, 1), ("l2", l2, 1e4), ("tolerance", tolerance, 1e12),
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
  }

  func options(batchSize: Int) -> MatchingAnalysis.Options {
    var options = MatchingAnalysis.Options()
    var recipe = preset.recipe
    if let method { recipe.method = method }
    if let steps { recipe.steps = steps }
    if let rate { recipe.rate = LinearSchedule(rate, rate) }
    if let linf { recipe.ball = .maximum(linf) }
    if let l2 { recipe.ball = .euclidean(l2) }
    if let tolerance { (recipe.tolerance, recipe.isRelative) = (tolerance, false) }
    if let cosine { recipe.cosine = cosine }
    options.recipe = recipe
    options.pairs = MatchPairs(source: source, target: target, count: pairs)
    options.sites = layers
    options.batchSize = min(options.batchSize, batchSize)
    return options
  }
}
