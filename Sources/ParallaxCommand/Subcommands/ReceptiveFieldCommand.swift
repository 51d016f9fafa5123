import ArgumentParser
import Foundation
import Parallax

struct ReceptiveFieldCommand: ParsableCommand, ModelsTaking {
  static let configuration = CommandConfiguration(
    commandName: "receptive-field",
    abstract: "How far the pixels reach that move the centre location of each layer.",
    discussion: """
      The effective receptive field of every block, after Raghu et al. (2021) and Luo et al. (2016): the absolute gradient \
      of the centre location of a layer's map (class and register tokens left out) with respect to the pixels, mean over \
      images, channels and RGB. The report shows the maps, their sizes over depth with intervals over images, and whether \
      the papers' findings hold on these models; every map lies in the run folder as a PNG.

      Two channels of each image are drawn unless asked otherwise, which estimates the mean over all channels without \
      bias. --per-channel differentiates each channel by itself: as many backward passes a site as it has channels. \
      --summed differentiates the sum of the channels: cheap, but channels of opposite sign cancel.

      Example:  parallax receptive-field clip-vit-base-patch16 mobilenetv2 --before-residual
      """)

  @Argument(help: ArgumentHelp("Models, or MODEL@SITE.", valueName: "model"))
  var addresses: [String]

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions
  @OptionGroup var field: ReceptiveFieldOptions

  @Option(
    name: [.long, .customShort("o")],
    help: "The run folder; runs/receptive-field-MODELS without it.")
  var output: String?

  @OptionGroup var form: OutputOptions

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    let names = try ModelOptions.checked(addresses)
    try models.refuseTokens(addresses, "a receptive field is of the centre location")
    var images = images
    // More would be decoded for nothing.
    images.limit = images.limit ?? field.imagesPerSite
    let job = Job(
      title: {
        $0 == 1 ? "The receptive fields of one model" : "The receptive fields of \($0) models"
      },
      output: output ?? Runs.name("receptive-field", names), untrained: field.untrained,
      needsReadable: true)
    let options = field.options(batchSize: pass.batchSize)
    let finished = try job.run(
      addresses, models, images, pass, [AnalysisCatalog.receptiveField(options)], progress)
    try finished.show(as: form) {
      let result: ReceptiveFieldResult? = try finished.run.result(analysis: "receptive-field")
      return result.map { $0.models.map(Self.line) + $0.findings.map(\.line) } ?? []
    }
  }

  /// `clip-vit-base-patch16: radius 30 px at blocks.0, 74 px at blocks.11`.
  private static func line(_ model: ReceptiveFieldResult.Model) -> String {
    let outputs = model.outputs
    let ends = outputs.count > 1 ? [outputs.first, outputs.last] : [outputs.first]
    let texts = ends.compactMap(\.self).map { field in
      "\(field.radius.value.map { String(format: "%.1f", $0) } ?? "–") px at \(field.site)"
    }
    return "\(model.name): radius \(texts.joined(separator: ", "))"
  }
}

/// How receptive fields are computed.
struct ReceptiveFieldOptions: ParsableArguments {
  @Option(help: "Images that enter at each site; as many are read unless --limit says more.")
  var imagesPerSite = 32

  @Option(help: "Channels of each image that are drawn at each site.")
  var channels: Int?

  @Flag(help: "Every channel by itself, the paper's words taken literally; slow.")
  var perChannel = false

  @Flag(help: "The sum of the channels, then the absolute value: one backward pass a site.")
  var summed = false

  @Flag(help: "The branches of each block too, before they join the residual connection.")
  var beforeResidual = false

  @Option(
    help: ArgumentHelp(
      "An untrained twin of each model beside it, its weights drawn from a seed.",
      valueName: "seed"))
  var untrained: UInt64?

  func validate() throws {
    guard (2...65536).contains(imagesPerSite) else {
      throw ValidationError(
        Outlier(
          option: "images-per-site", value: imagesPerSite,
          expected: "a whole number from 2 to 65536"
        ).asOption)
    }
    if let channels, !(1...65536).contains(channels) {
      throw ValidationError(
        Outlier(option: "channels", value: channels, expected: "a whole number from 1 to 65536")
          .asOption)
    }
    guard [perChannel, summed, channels != nil].count(where: { $0 }) <= 1 else {
      throw ValidationError("expected one of --channels, --per-channel and --summed")
    }
  }

  func options(batchSize: Int) -> ReceptiveFieldAnalysis.Options {
    var options = ReceptiveFieldAnalysis.Options()
    options.images = imagesPerSite
    options.beforeResidual = beforeResidual
    options.batchSize = min(options.batchSize, batchSize)
    if perChannel { options.channels = .all }
    if summed { options.channels = .summed }
    if let channels { options.channels = .sampled(channels) }
    return options
  }
}
