import ArgumentParser
import Foundation
import Parallax

struct MetamersCommand: ParsableCommand, ModelsTaking {
  static let configuration = CommandConfiguration(
    commandName: "metamers",
    abstract: "What one model takes for an image, and how far it moves every layer of the others.",
    discussion: """
      From noise a picture is found whose embedding at one layer of one model is that of a given image. Every layer of \
      every model then looks at both: the report shows the distances, layer by layer, over those of two different images and over \
      those of a small shift, with the pictures beside them. Models may have inputs of different sizes.

      Three layers of each model are matched unless sites are named; all blocks look, or with --sites those sites. Cost: a forward \
      and a backward pass for each step and matched layer.

      Example:  parallax metamers clip-vit-base-patch16 efficientnet-lite0
      """)

  @Argument(help: ArgumentHelp("Models, or MODEL@SITE.", valueName: "model"))
  var addresses: [String]

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions
  @OptionGroup var metamers: MetamersOptions

  @Option(
    name: [.long, .customShort("o")], help: "The run folder; runs/metamers-MODELS without it.")
  var output: String?

  @OptionGroup var form: OutputOptions

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    let names = try ModelOptions.checked(addresses)
    try models.refuseTokens(addresses, "a descent matches everything that a layer holds")
    let options = metamers.options(batchSize: pass.batchSize)
    var images = images
    // More would be decoded for nothing.
    images.limit = images.limit ?? max(options.images, options.others)
    let job = Job(
      title: {
        $0 == 1
          ? "What the layers of one model take for an image"
          : "What one model takes for an image, seen by \($0) models"
      }, output: output ?? Runs.name("metamers", names), untrained: metamers.untrained,
      needsReadable: true)
    let finished = try job.run(
      addresses, models, images, pass, [AnalysisCatalog.metamers(options)], progress)
    try finished.show(as: form) {
      let result: MetamersResult? = try finished.run.result(analysis: "metamers")
      return result.map { result in
        result.matches.map { Self.line($0, result) } + result.findings.map(\.line)
      } ?? []
    }
  }

  /// `clip@blocks.11 → 0.12 at clip@blocks.11, 0.94 at efficientnet-lite0@blocks.6.0`.
  private static func line(_ match: MetamersResult.Match, _ result: MetamersResult) -> String {
    let ends = result.models.indices.map { b in
      let last = result.models[b].layers.count - 1
      let value = result.ratio(match, b, last, .different)
      return
        "\(value.map { String(format: "%.2f", $0) } ?? "–") at \(result.models[b].name)@\(result.models[b].layers[last].site)"
    }
    let failed = match.metamers.count { $0.verdict == .failed }
    return
      "\(result.models[match.model].name)@\(match.site) → \(ends.joined(separator: ", ")) (1: as another image)"
      + (failed > 0 ? ", \(failed) not matched" : "")
  }
}

/// What is matched and how.
struct MetamersOptions: ParsableArguments {
  @Option(help: InversionAnalysis.Preset.help)
  var preset = InversionAnalysis.Preset.quick

  @Option(help: "Steps of each descent; the recipe's without it.")
  var steps: Int?

  @Option(help: "Images that are matched.")
  var pictures = 2

  @Option(help: "Images that the distance of different ones is taken of, at most.")
  var others = 12

  @Option(help: "Layers of a model that names none, evenly spread.")
  var layers = 3

  @Option(help: "Standard deviation of the small shift that distances are held against.")
  var shift = 1.0 / 18

  @Option(
    help: ArgumentHelp(
      "An untrained twin of each model beside it, its weights drawn from a seed.",
      valueName: "seed"))
  var untrained: UInt64?

  func validate() throws {
    try Outlier.check([
      ("steps", steps ?? 1, 1...1_000_000), ("pictures", pictures, 1...1024),
      ("others", others, 2...1024), ("layers", layers, 1...1024),
    ])
    guard shift > 0, shift <= 1 else {
      throw ValidationError("--shift \(shift): expected a number above 0, up to 1")
    }
  }

  func options(batchSize: Int) -> MetamersAnalysis.Options {
    var options = MetamersAnalysis.Options()
    (options.preset, options.steps, options.images) = (preset, steps, pictures)
    (options.others, options.layers, options.shift.scale) = (others, layers, shift)
    options.batchSize = min(options.batchSize, batchSize)
    return options
  }
}
