import ArgumentParser
import Foundation
import Parallax

struct FiltersCommand: ParsableCommand, ModelsTaking {
  static let configuration = CommandConfiguration(
    commandName: "filters",
    abstract: "The filters of each model's first layer, as pictures.",
    discussion: """
      What each pixel changes at the centre of a channel: the weights of a first convolution or patch embedding, of \
      architectures and imported graphs alike, after Badger (2022). Each is scaled from its least to its largest number. Beside untrained twins \
      one sees what training made of them. No image is needed.

      Example:  parallax filters efficientnet-lite0 clip-vit-base-patch16 --untrained 1
      """)

  @Argument(help: ArgumentHelp("Models, or MODEL@SITE.", valueName: "model"))
  var addresses: [String]

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions

  @Option(
    help: ArgumentHelp(
      "An untrained twin of each model beside it, its weights drawn from a seed.",
      valueName: "seed"))
  var untrained: UInt64?

  @Option(
    name: [.long, .customShort("o")], help: "The run folder; runs/filters-MODELS without it.")
  var output: String?

  @OptionGroup var form: OutputOptions

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    let names = try ModelOptions.checked(addresses)
    try models.refuseTokens(addresses, "filters are of channels")
    var images = images
    images.limit = images.limit ?? 1
    let job = Job(
      title: {
        $0 == 1 ? "The first filters of one model" : "The first filters of \($0) models"
      }, output: output ?? Runs.name("filters", names), untrained: untrained,
      needsReadable: true)
    let finished = try job.run(
      addresses, models, images, pass, [AnalysisCatalog.filters], progress)
    try finished.show(as: form) {
      let result: FiltersResult? = try finished.run.result(analysis: "filters")
      return result.map { $0.models.map(Self.line) + $0.findings.map(\.line) } ?? []
    }
  }

  /// `efficientnet-lite0@conv_stem: 32 filters of 3 × 3, smoothness 0.41`.
  private static func line(_ model: FiltersResult.Model) -> String {
    let smooth = model.meanSmoothness.map { String(format: "%.2f", $0) } ?? "–"
    return
      "\(model.name)@\(model.site): \(model.channels) filters of \(model.rows) × \(model.columns), smoothness \(smooth)"
  }
}
