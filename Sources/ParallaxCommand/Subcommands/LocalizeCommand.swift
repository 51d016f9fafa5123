import ArgumentParser
import Foundation
import Parallax

struct LocalizeCommand: ParsableCommand, ModelsTaking {
  static let configuration = CommandConfiguration(
    commandName: "localize",
    abstract: "How much of its own place in the image each token still holds, layer by layer.",
    discussion: """
      After Raghu et al. (2021): CKA over images between the vector of one token (or of one position of a map) and the pixels \
      of each patch of the input, for all tokens and patches; how many tokens are most like their own patch, the rank of it, and \
      how much it stands out, with intervals over blocks of images. Beside it how well ridge regressions read the pixels of \
      every patch off some tokens, on images that they were not fitted to.

      Without sites: the last block, the one before it, the middle and the first. Each block of images (--block-size) is an \
      estimate of its own, and intervals need four of them. --untrained puts a twin with made-up weights beside each model.

      Example:  parallax localize clip-vit-base-patch16 mobilenetv2
      """)

  @Argument(help: ArgumentHelp("Models, or MODEL@SITE.", valueName: "model"))
  var addresses: [String]

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions
  @OptionGroup var localization: LocalizeOptions

  @Option(
    name: [.long, .customShort("o")], help: "The run folder; runs/localize-MODELS without it.")
  var output: String?

  @OptionGroup var form: OutputOptions

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    let names = try ModelOptions.checked(addresses)
    try models.refuseTokens(addresses, "localisation is of every token of the grid")
    let job = Job(
      title: {
        $0 == 1 ? "Places in the layers of one model" : "Places in the layers of \($0) models"
      },
      output: output ?? Runs.name("localize", names), untrained: localization.untrained)
    let finished = try job.run(
      addresses, models, images, pass, [AnalysisCatalog.localize(localization.options())],
      progress)
    try finished.show(as: form) {
      let result: LocalizationResult? = try finished.run.result(analysis: "localize")
      return result.map { [Self.table($0).text] + $0.findings.map(\.line) } ?? []
    }
  }

  /// Each layer's numbers.
  private static func table(_ result: LocalizationResult) -> Table {
    func number(_ value: Double?, _ digits: Int = 2) -> String {
      value.map { String(format: "%.\(digits)f", $0) } ?? "–"
    }
    let rows = result.models.flatMap { model in
      model.layers.map { layer -> [String] in
        [
          model.name, layer.site, "\(layer.rows)x\(layer.columns)", number(layer.hits.value),
          number(layer.innerHits.value), number(layer.rank.value, 1),
          number(layer.own.value), number(layer.contrast.value), number(layer.decodedOwn.value),
          number(layer.decodedAll.value),
        ]
      }
    }
    return Table(
      header: [
        "model", "layer", "grid", "own first", "inner", "mean rank", "own CKA", "over mean",
        "R2 own", "R2 all",
      ], rows: rows)
  }
}

/// What drives localisation.
struct LocalizeOptions: ParsableArguments {
  @Option(
    help: "Images that the regressions from tokens to patches use, at most; 0 for no regressions.")
  var decodeImages = 256

  @Option(
    help: ArgumentHelp(
      "An untrained twin of each model beside it, its weights drawn from a seed.",
      valueName: "seed"))
  var untrained: UInt64?

  func validate() throws {
    guard decodeImages == 0 || (10...65536).contains(decodeImages) else {
      throw ValidationError(
        Outlier(
          option: "decode-images", value: decodeImages,
          expected: "0, or a whole number from 10 to 65536"
        ).asOption)
    }
  }

  func options() -> LocalizationAnalysis.Options {
    var options = LocalizationAnalysis.Options()
    options.decodingImages = decodeImages
    return options
  }
}
