import ArgumentParser
import Foundation
import Parallax

struct ManifoldCommand: ParsableCommand, ModelsTaking {
  static let configuration = CommandConfiguration(
    commandName: "manifold",
    abstract: "What any input becomes when a late layer's embedding of it is matched.",
    discussion: """
      Badger (2022): late layers mostly infer, pulling whatever goes in towards what they were trained on. Noise, an image \
      of the set and, with --inputs, images of your own, or with --held-out those of a class that the set is without, are matched at the last block (or at the sites you name) by descent \
      from noise without blur, from several starts. Four measures: the pictures; their distance from the nearest image of the \
      set, their spectrum and histogram; the distance of their embeddings from those of the set (nearest neighbours and \
      local PCA); and whether the starts agree with each other more than with the input.

      The images of the run stand for the training data; a model's own are not at hand. 160 are taken unless --limit says \
      otherwise. --untrained puts twins beside the models whose weights are drawn from a seed: what they show too is not learned.

      Example:  parallax manifold efficientnet-lite0 --untrained 1
      """)

  @Argument(help: ArgumentHelp("Models, or MODEL@SITE.", valueName: "model"))
  var addresses: [String]

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions
  @OptionGroup var manifold: ManifoldOptions

  @Option(
    name: [.long, .customShort("o")], help: "The run folder; runs/manifold-MODELS without it.")
  var output: String?

  @OptionGroup var form: OutputOptions

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    let names = try ModelOptions.checked(addresses)
    try models.refuseTokens(addresses, "a descent matches everything that a layer holds")
    var images = images
    images.limit = images.limit ?? 160
    let job = Job(
      title: {
        $0 == 1
          ? "What any input becomes in a late layer"
          : "What any input becomes in late layers of \($0) models"
      }, output: output ?? Runs.name("manifold", names), untrained: manifold.untrained)
    let options = manifold.options(batchSize: pass.batchSize, alpha: images.alpha)
    let finished = try job.run(
      addresses, models, images, pass, [AnalysisCatalog.manifold(options)], progress)
    try finished.show(as: form) {
      let result: ManifoldResult? = try finished.run.result(analysis: "manifold")
      return result.map { result in
        result.models.flatMap { Self.lines($0, result) } + result.findings.map(\.line)
      } ?? []
    }
  }

  /// `efficientnet-lite0@blocks.6.0, uniform noise: nearest image 1.31 → 0.92, agreement 0.71`.
  private static func lines(_ model: ManifoldResult.Model, _ result: ManifoldResult) -> [String] {
    func number(_ value: Double?) -> String { value.map { String(format: "%.2f", $0) } ?? "–" }
    return model.layers.flatMap { layer in
      layer.entries.map { entry in
        let typical = model.typical.nearest
        let before = typical > 0 ? model.inputs[entry.input].pixels.nearest / typical : nil
        let after = entry.mean { $0.pixels.nearest }.flatMap { typical > 0 ? $0 / typical : nil }
        let failed = entry.reconstructions.count { $0.verdict == .failed }
        return
          "\(model.name)@\(layer.site), \(result.inputs[entry.input].name): nearest image \(number(before)) → \(number(after)) times the set's own, agreement \(number(entry.agreement))"
          + (failed > 0 ? ", \(failed) not matched" : "")
      }
    }
  }
}

/// What is matched and how.
struct ManifoldOptions: ParsableArguments {
  @Option(help: InversionAnalysis.Preset.help)
  var preset = InversionAnalysis.Preset.quick

  @Option(help: "Steps of each descent; the recipe's without it.")
  var steps: Int?

  @Option(help: ArgumentHelp("Inputs of noise, of each of the two kinds.", valueName: "n"))
  var noise = 1

  @Option(help: ArgumentHelp("Images of the set that are matched.", valueName: "n"))
  var members = 1

  @Option(
    help: ArgumentHelp(
      "A folder or .csv list of images to be matched that are not of the set; the first four.",
      valueName: "path"))
  var inputs: String?

  @Option(
    help: ArgumentHelp(
      "A class of the run's images that is none of the set; its first four are matched.",
      valueName: "class"))
  var heldOut: String?

  @Option(help: "Descents from different noise for each input.")
  var starts = 2

  @Option(help: "Layers of a model that names none, evenly spread; the last block without it.")
  var layers = 1

  @Option(help: "Nearest embeddings that distances are taken to.")
  var neighbours = 10

  @Option(help: "Components of the local PCA of those.")
  var components = 5

  @Option(
    help: ArgumentHelp(
      "An untrained twin of each model beside it, its weights drawn from a seed.",
      valueName: "seed"))
  var untrained: UInt64?

  func validate() throws {
    try Outlier.check([
      ("steps", steps ?? 1, 1...1_000_000), ("noise", noise, 0...64), ("members", members, 0...64),
      ("starts", starts, 1...64), ("layers", layers, 1...1024),
      ("neighbours", neighbours, 2...1000),
      ("components", components, 1...999),
    ])
    guard components < neighbours else {
      throw ValidationError(
        "--components \(components): expected fewer than the \(neighbours) of --neighbours")
    }
    guard noise > 0 || members > 0 || inputs != nil || heldOut != nil else {
      throw ValidationError(
        "nothing is to be matched: expected --noise, --members, --held-out or --inputs")
    }
  }

  func options(batchSize: Int, alpha: ImageBuffer.Alpha) -> ManifoldAnalysis.Options {
    var options = ManifoldAnalysis.Options()
    (options.preset, options.steps, options.starts) = (preset, steps, starts)
    (options.uniform, options.normal, options.members) = (noise, noise, members)
    (options.inputs, options.layers, options.alpha) = (inputs, layers, alpha)
    options.heldOut = heldOut
    (options.neighbours, options.components) = (neighbours, components)
    options.batchSize = min(options.batchSize, batchSize)
    return options
  }
}

extension InversionAnalysis.Preset {
  /// What `--preset` says of commands that match embeddings.
  static var help: ArgumentHelp {
    ArgumentHelp(
      "The recipe of `parallax invert`: \(allCases.map(\.rawValue).joined(separator: ", ")).",
      valueName: "preset")
  }
}
