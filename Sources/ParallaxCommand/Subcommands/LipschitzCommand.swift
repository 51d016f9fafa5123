import ArgumentParser
import Foundation
import Parallax

extension LipschitzAnalysis.Walk: ExpressibleByArgument {}

struct LipschitzCommand: ParsableCommand, ModelsTaking {
  static let configuration = CommandConfiguration(
    commandName: "lipschitz",
    abstract: "How steep embeddings are around pictures, direction by direction.",
    discussion: """
      Local directional estimates of the Lipschitz constant, ‖f(x + h·v) − f(x)‖/h, along the steepest direction, the one that matches \
      another image's embedding, the gradient, random ones, the way to the other image and the tangent space, over steps h; singular \
      values of the Jacobian, normal and tangent space, how far the embedding is linear, what it does along the segments to the matched picture \
      and to the other image, and a lower bound from σ₁ at pictures of a ball. With --walk a walk among pictures that share one \
      embedding (--walk-preset simec and simexp: along eigenvectors of the pullback metric, after arXiv 2410.06019; their steps are tiny unless --walk-multiplier is some \
      thousands), with --level-set one on which a classifier stays as sure (Balasubramanian et al., 2023), with --clever the extreme-value score of a classifier's output. After Salman, Shams and Liu (2024), who leave the \
      protocol open: it is ours, and the report says so.

      Distances are in pixels of 0 to 1. Where a step moves the embedding by less than five times its rounding there is no number; with \
      --dtype float64 steps can be much shorter. Level sets and CLEVER are of a classifier's output, MODEL@SITE of its last site. Cost of one picture at one site: D backward passes for D numbers up to 1024, some 600 \
      forward passes, and a match; some minutes for a ViT-B/16.

      Example:  parallax lipschitz clip-vit-base-patch16 --pairs 1 --walk 5
      """)

  @Argument(help: ArgumentHelp("Models, or MODEL@SITE#TOKENS.", valueName: "model"))
  var addresses: [String]

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions
  @OptionGroup var lipschitz: LipschitzOptions

  @Option(
    name: [.long, .customShort("o")], help: "The run folder; runs/lipschitz-MODELS without it.")
  var output: String?

  @OptionGroup var form: OutputOptions

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    let names = try ModelOptions.checked(addresses)
    let job = Job(
      title: {
        $0 == 1
          ? "How steep one model's embedding is" : "How steep the embeddings of \($0) models are"
      }, output: output ?? Runs.name("lipschitz", names), allowsDouble: true)
    let finished = try job.run(
      addresses, models, images, pass,
      [AnalysisCatalog.lipschitz(lipschitz.options(batchSize: pass.chosenBatchSize))], progress)
    try finished.show(as: form) {
      let result: LipschitzResult? = try finished.run.result(analysis: "lipschitz")
      return result.map { $0.models.flatMap(Self.lines) + $0.findings.map(\.line) } ?? []
    }
  }

  /// `clip@head#flat: σ₁ 12.3, matching 4.1, random 0.21, target 0.18, tangent 0.002`.
  private static func lines(_ model: LipschitzResult.Model) -> [String] {
    model.places.map { place in
      let parts = LipschitzResult.Kind.allCases.compactMap { kind -> String? in
        let values = place.pictures.flatMap(\.curves).filter { $0.kind == kind }.map(\.limit)
        guard !values.isEmpty else { return nil }
        let mean = values.reduce(0, +) / Double(values.count)
        return "\(kind.rawValue) \(String(format: "%.3g", mean))"
      }
      return
        "\(model.name)@\(place.site)#\(place.tokens): ‖Jv‖ \(parts.joined(separator: ", "))"
    }
  }
}

/// What is estimated.
struct LipschitzOptions: ParsableArguments {
  @Option(help: "Pairs of images, at most: a picture, and the other that gives directions.")
  var pairs = 1

  @Option(
    help: ArgumentHelp(
      "Only at this image, an id or path of the set or any image file; others of the set give directions.",
      valueName: "id|file"))
  var source: String?

  @Option(
    help: ArgumentHelp(
      "Only this image gives directions, an id or path of the set or any image file; with --source, one pair.",
      valueName: "id|file"))
  var target: String?

  @Option(help: "The recipe of the match: quick, salman2024, newton, pgd or sabour2016.")
  var preset = MatchingAnalysis.Preset.quick

  @Option(help: "Random directions.")
  var directions = 16

  @Option(help: "Random directions of the tangent space.")
  var tangents = 4

  @Option(help: "The shortest step h, in pixels of 0 to 1; the longest is that of the match.")
  var shortest = 1e-3

  @Option(help: "Steps h.")
  var lengths = 20

  @Option(help: "Singular values above this share of the largest span the normal space.")
  var threshold = 1e-3

  @Option(help: "Random pictures of the ball of the lower bound.")
  var samples = 4

  @Option(help: "The radius of the ball of the lower bound, in pixels of 0 to 1.")
  var radius = 0.5

  @Option(help: "Steps of a walk among pictures with one embedding; 0: none.")
  var walk = 0

  @Option(
    help:
      "The walk: target, as far towards the other image as the embedding does not see it, simec, along random eigenvectors of JᵀJ that keep it, or simexp, along those that change it."
  )
  var walkPreset = LipschitzAnalysis.Walk.target

  @Option(help: "The eigenvalue that parts those of simec from those of simexp.")
  var walkThreshold = PullbackWalk.Options().threshold

  @Option(help: "What the steps of simec and simexp are multiplied with.")
  var walkMultiplier = PullbackWalk.Options().multiplier

  @Option(
    help:
      "Steps of a level-set traversal towards the other image, of outputs that are logits; 0: none."
  )
  var levelSet = 0

  @Option(
    help:
      "The largest counter-perturbation of the traversal, in pixels of 0 to 1; 0: none. The authors' is 0.00392."
  )
  var counter = 0.0

  @Flag(
    help: "How sure the classifier is around the ends of the traversal, at distances 5, 10, … 30.")
  var widths = false

  @Option(
    help:
      "Batches of 32 points for CLEVER's score, of outputs that are logits, at least 20; 0: none.")
  var clever = 0

  @Option(
    help:
      "Classes next to the largest output that CLEVER's score is the least over; the paper's: all."
  )
  var cleverClasses = 1

  @Flag(help: "CLEVER's ball is of the largest change of a pixel, L∞, not L2.")
  var cleverLinf = false

  @Option(help: "Layers of a model that names none, evenly spread; 1: where its embedding is.")
  var layers = 1

  func validate() throws {
    try Outlier.check([
      ("pairs", pairs, 1...1000), ("directions", directions, 1...1000), ("walk", walk, 0...10_000),
      ("clever", clever, 0...10_000), ("level-set", levelSet, 0...100_000),
      ("layers", layers, 1...1024), ("tangents", tangents, 0...1000),
      ("lengths", lengths, 2...1000),
      ("samples", samples, 0...1000), ("clever-classes", cleverClasses, 1...100_000),
    ])
    guard clever == 0 || clever >= 20 else {
      throw ValidationError(
        "--clever \(clever): expected at least 20 batches, or 0 for none; fewer maxima do not tell where they end"
      )
    }
    guard preset != .several else {
      throw ValidationError("--preset \(preset.rawValue): expected a recipe with one target")
    }
    for (option, value, high) in [
      ("shortest", shortest, 10.0), ("threshold", threshold, 1), ("counter", counter, 1),
    ] where !(value >= 0 && value <= high) || (value == 0 && option != "counter") {
      throw ValidationError(
        "--\(option) \(value): expected a number above 0, up to \(Int(high))")
    }
    for (option, value) in [("walk-threshold", walkThreshold), ("walk-multiplier", walkMultiplier)]
    where !(value > 0 && value <= 1e12) {
      throw ValidationError("--\(option) \(value): expected a number above 0, up to 1e12")
    }
    let plain = PullbackWalk.Options()
    guard
      walkPreset != .target && walk > 0
        || (walkThreshold == plain.threshold && walkMultiplier == plain.multiplier)
    else {
      throw ValidationError(
        "--walk-threshold and --walk-multiplier: expected --walk and --walk-preset simec or simexp with them"
      )
    }
    guard walk > 0 || walkPreset == .target else {
      throw ValidationError("--walk-preset \(walkPreset.rawValue): expected --walk with it")
    }
    guard levelSet > 0 || (!widths && counter == 0) else {
      throw ValidationError("--widths and --counter: expected --level-set with them")
    }
    guard radius > 0, radius <= 1000 else {
      throw ValidationError("--radius \(radius): expected a number above 0, up to 1000")
    }
  }

  func options(batchSize: Int?) -> LipschitzAnalysis.Options {
    var options = LipschitzAnalysis.Options()
    options.pairs = .init(source: source, target: target, count: pairs)
    (options.directions, options.radius, options.walk) = (directions, radius, walk)
    (options.clever.batches, options.clever.radius) = (clever, radius)
    (options.sites, options.levelSet) = (layers, levelSet)
    (options.recipe, options.tangents, options.shortest) = (preset.recipe, tangents, shortest)
    (options.steps, options.threshold, options.samples) = (lengths, threshold, samples)
    options.counterPerturbation = counter
    (options.walkPreset, options.walkThreshold) = (walkPreset, walkThreshold)
    options.walkMultiplier = walkMultiplier
    (options.cleverClasses, options.cleverIsMaximum) = (cleverClasses, cleverLinf)
    options.widths = widths ? [5, 10, 15, 20, 25, 30] : []
    options.batchSize = batchSize ?? options.batchSize
    return options
  }
}
