import ArgumentParser
import Foundation
import Parallax

extension GenerationRecipe.Preset: ExpressibleByArgument {}
extension GenerationWish.Combination: ExpressibleByArgument {}

struct GenerateCommand: ParsableCommand, ModelsTaking {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Pictures that a model makes: of classes, of features, dreams.",
    discussion: """
      By descent on the pixels, after Badger (2022). Classes go by index, or by name where they are ImageNet's (several: \
      repeat --class): --as separate makes a picture each, opposite as little of each as can be, sum and juxtapose one of all, \
      interpolate a row between each two, joint a picture each for two models together. Features: --channel, --neuron, --direction, \
      --layer, each with a site. Where nothing is asked, four classes, or of a model without logits four channels.

      Recipes: quick (ours; the default; minutes), and those of the author's programs: googlenet-classes, googlenet-padded, \
      inceptionv3-aux, inceptionv3-plain, vit-classes; dream-directed, dream-layer, sign-transfiguration begin with a picture: \
      --start, else the first image of the run. All pictures lie in the run folder as PNG files.

      Example:  parallax generate efficientnet-lite0 --class goldfish --class golden_retriever
      """)

  @Argument(help: ArgumentHelp("Models.", valueName: "model"))
  var addresses: [String]

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions
  @OptionGroup var generation: GenerationOptions

  @Option(
    name: [.long, .customShort("o")], help: "The run folder; runs/generate-MODELS without it.")
  var output: String?

  @OptionGroup var form: OutputOptions

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    let names = try ModelOptions.checked(addresses)
    try models.refuseTokens(addresses, "a picture is made for a whole site")
    for text in addresses where try Address(parsing: text).sites != nil {
      throw CommandError(
        "\(text): expected a model alone; sites go with --channel, --neuron, --direction or --layer",
        code: 64)
    }
    var images = images
    images.limit = images.limit ?? 1
    let job = Job(
      title: {
        $0 == 1 ? "Pictures that one model makes" : "Pictures that \($0) models make"
      }, output: output ?? Runs.name("generate", names), untrained: generation.untrained,
      needsReadable: true)
    let options = try generation.options(batchSize: pass.batchSize)
    let finished = try job.run(
      addresses, models, images, pass, [AnalysisCatalog.generation(options)], progress)
    try finished.show(as: form) {
      let result: GenerationResult? = try finished.run.result(analysis: "generation")
      return result.map { result in
        result.pictures.map { Self.line($0, result) } + result.findings.map(\.line)
      } ?? []
    }
  }

  /// `efficientnet-lite0, class goldfish: 0.31 → 41.20, rank 1`.
  private static func line(_ picture: GenerationResult.Picture, _ result: GenerationResult)
    -> String
  {
    let scores = zip(picture.before, picture.after).map { before, after in
      (picture.after.count > 1
        ? "\(picture.models.count > 1 ? result.models[after.model].name : after.label) " : "")
        + String(format: "%.2f → %.2f", before.value, after.value)
        + (after.rank.map { ", rank \($0)" } ?? "")
    }
    let names = picture.models.map { result.models[$0].name }.joined(separator: " + ")
    return "\(names), \(picture.kind.rawValue) \(picture.title): \(scores.joined(separator: "; "))"
  }
}

/// What is made and how.
struct GenerationOptions: ParsableArguments {
  @Option(
    name: .customLong("class"), help: ArgumentHelp("A class, by index or name.", valueName: "class")
  )
  var classes: [String] = []

  @Option(
    name: .customLong("as"),
    help: "What becomes of the classes: separate, opposite, sum, juxtapose, interpolate, joint.")
  var combination = GenerationWish.Combination.separate

  @Option(help: "Steps from one class to the next: so many pictures and one.")
  var frames = 4

  @Option(help: ArgumentHelp("A channel of a site.", valueName: "site:index"))
  var channel: [String] = []

  @Option(
    help: ArgumentHelp(
      "A channel at one place or one token (0: the class token), the middle without it.",
      valueName: "site:index[:row:column|:token]"))
  var neuron: [String] = []

  @Option(
    help: ArgumentHelp(
      "A direction among a site's channels, drawn from a seed.", valueName: "site:seed"))
  var direction: [String] = []

  @Option(help: ArgumentHelp("A whole site.", valueName: "site"))
  var layer: [String] = []

  @Option(
    help: ArgumentHelp(
      "The recipe: \(GenerationRecipe.Preset.allCases.map(\.rawValue).joined(separator: ", ")).",
      valueName: "preset"))
  var preset = GenerationRecipe.Preset.quick

  @Option(help: "Steps of all octaves together; the recipe's without it.")
  var steps: Int?

  @Option(help: "Descents from different noise for each picture.")
  var starts = 1

  @Option(help: ArgumentHelp("The picture that descents begin with.", valueName: "file"))
  var start: String?

  @Flag(help: "Clip gradients to their mean ± 1 standard deviation.")
  var clipGradient = false

  @Option(help: "C, what logits and activations are pulled towards; 200 without it.")
  var target: Double?

  @Option(name: .customLong("l1"), help: "Weight of the L1 prior; the paper's text has 0.001.")
  var magnitude = 0.0

  @Option(
    help: ArgumentHelp(
      "An untrained twin of each model beside it, its weights drawn from a seed.",
      valueName: "seed"))
  var untrained: UInt64?

  func validate() throws {
    try Outlier.check([
      ("steps", steps ?? 1, 1...1_000_000), ("starts", starts, 1...64), ("frames", frames, 1...64),
    ])
    if let target, !(target > 0 && target <= 1e6) {
      throw ValidationError("--target \(target): expected a number above 0, up to 1000000")
    }
    guard magnitude >= 0, magnitude <= 1e6 else {
      throw ValidationError("--l1 \(magnitude): expected a number from 0 to 1000000")
    }
    guard combination == .separate || !classes.isEmpty else {
      throw ValidationError("--as \(combination.rawValue) needs classes: expected --class")
    }
    _ = try wishes()
  }

  /// `SITE:NUMBER…` as its parts.
  private static func parts(_ option: String, _ text: String, _ counts: [Int]) throws -> (
    site: String, numbers: [Int]
  ) {
    let words = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    let numbers = words.dropFirst().compactMap { Int($0) }.filter { $0 >= 0 }
    guard let site = words.first, !site.isEmpty, numbers.count == words.count - 1,
      counts.contains(numbers.count)
    else {
      throw ValidationError(
        "--\(option) \(text): expected SITE:\(option == "direction" ? "SEED" : "INDEX") with whole numbers from 0"
      )
    }
    return (site, numbers)
  }

  func wishes() throws -> [GenerationWish] {
    var wishes: [GenerationWish] = classes.isEmpty ? [] : [.classes(classes, combination)]
    for text in channel {
      let (site, numbers) = try Self.parts("channel", text, [1])
      wishes.append(.channel(site: site, index: numbers[0]))
    }
    for text in neuron {
      let (site, numbers) = try Self.parts("neuron", text, [1, 2, 3])
      wishes.append(
        .neuron(
          site: site, index: numbers[0],
          place: numbers.count > 1 ? Array(numbers.dropFirst()) : nil))
    }
    for text in direction {
      let (site, numbers) = try Self.parts("direction", text, [1])
      wishes.append(.direction(site: site, seed: UInt64(numbers[0])))
    }
    wishes += layer.map { .layer(site: $0) }
    guard Set(wishes).count == wishes.count else {
      throw ValidationError("a feature is asked for twice; expected each once")
    }
    if let twice = classes.indices.first(where: { classes[..<$0].contains(classes[$0]) }),
      combination != .interpolate
    {
      throw ValidationError("--class \(classes[twice]): expected each class once")
    }
    return wishes
  }

  func options(batchSize: Int) throws -> GenerationAnalysis.Options {
    var options = GenerationAnalysis.Options()
    (options.wishes, options.preset, options.steps) = (try wishes(), preset, steps)
    (options.starts, options.frames, options.beginning) = (starts, frames, start)
    options.batchSize = min(options.batchSize, batchSize)
    (options.clipsGradient, options.target, options.magnitude) = (clipGradient, target, magnitude)
    return options
  }
}
