import ArgumentParser
import Foundation
import Parallax

extension SubLayers: ExpressibleByArgument {}

/// Blocks, images and passes as a paper has them.
enum StructurePreset: String, ExpressibleByArgument, CaseIterable {
  /// Blocks of 1024, 10 240 images, 20 passes.
  case raghu2021
  /// Blocks of 256, all images, 10 passes.
  case nguyen2021
  /// Blocks of 128, 2560 images, 5 passes: the paper's smaller check.
  case cpu

  var numbers: (blockSize: Int, limit: Int?, passes: Int) {
    switch self {
    case .raghu2021: (1024, 10240, 20)
    case .nguyen2021: (256, nil, 10)
    case .cpu: (128, 2560, 5)
    }
  }
}

struct StructureCommand: ParsableCommand, ModelsTaking {
  static let configuration = CommandConfiguration(
    commandName: "structure",
    abstract: "Heat maps of all sub-layers, and how uniform or staged a model is.",
    discussion: """
      CKA between all sub-layers of all models (norms, attention, sums, hidden activations, convolutions, outputs), each \
      with every number of its activation, after Raghu et al. (2021). The report shows the heat maps and puts into numbers \
      how uniform each model is, how much kinds of sub-layer alternate, where it falls into stages, and which layers of one \
      model correspond to which of another.

      --preset raghu2021 takes blocks of 1024 images, 10240 images and 20 passes as the paper does; that wants memory and \
      time. Without it the images are seen once, in blocks of --block-size.

      Example:  parallax structure clip-vit-base-patch16 efficientnet-lite0 --limit 256
      """)

  @Argument(help: ArgumentHelp("Models.", valueName: "model"))
  var addresses: [String]

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions

  @Option(help: "full (six sub-layers a transformer block) or sparse (four).")
  var layers = SubLayers.full

  @Option(help: "debiased or biased.")
  var estimator = Estimator.debiased

  @Option(help: "Times that all images are seen, each time in other blocks.")
  var passes: Int?

  @Option(help: "Blocks, images and passes of a paper: raghu2021, nguyen2021 or cpu.")
  var preset: StructurePreset?

  @Option(
    help: ArgumentHelp(
      "What a block of the largest activation may take, in GiB of memory.", valueName: "GiB"))
  var memoryLimit = 8

  @Option(
    name: [.long, .customShort("o")], help: "The run folder; runs/structure-MODELS without it.")
  var output: String?

  @OptionGroup var form: OutputOptions

  func validate() throws {
    if let passes, !(1...1000).contains(passes) {
      throw ValidationError(
        Outlier(option: "passes", value: passes, expected: "a whole number from 1 to 1000")
          .asOption)
    }
    guard (1...1_000_000).contains(memoryLimit) else {
      throw ValidationError(
        Outlier(option: "memory-limit", value: memoryLimit, expected: "1 to 1000000").asOption)
    }
  }

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    let names = try ModelOptions.checked(addresses)
    let chosen = try addresses.first {
      let address = try Address(parsing: $0)
      return address.sites != nil || address.tokens != nil
    }
    if let found = chosen ?? models.sites.map({ "--sites \($0)" })
      ?? models.tokens.map({ "--tokens \($0)" })
    {
      throw CommandError(
        "\(found): the structure is of all sub-layers with all their numbers; expected models without sites and tokens",
        code: 64)
    }
    var (images, pass, passes) = (images, pass, passes)
    if let numbers = preset?.numbers {
      let given = Given(CommandLine.arguments)
      if !given("--block-size") { pass.blockSize = numbers.blockSize }
      images.limit = images.limit ?? numbers.limit
      passes = passes ?? numbers.passes
    }
    var options = StructureAnalysis.Options()
    (options.layers, options.estimator) = (layers, estimator)
    (options.passes, options.memoryLimit) = (passes ?? 1, memoryLimit << 30)
    let job = Job(
      title: {
        $0 == 1 ? "The structure of one model" : "The structure of \($0) models"
      },
      output: output ?? Runs.name("structure", names), passes: passes ?? 1)
    let finished = try job.run(
      addresses, models, images, pass, [AnalysisCatalog.structure(options)],
      progress)
    try finished.show(as: form) {
      let result: StructureResult? = try finished.run.result(analysis: "structure")
      return result.map { [Self.table($0).text] + $0.findings.map(\.line) } ?? []
    }
  }

  /// A line each model.
  private static func table(_ result: StructureResult) -> Table {
    func number(_ estimate: IntervalEstimate) -> String {
      estimate.value.map { String(format: "%.3f", $0) } ?? "–"
    }
    return Table(
      header: [
        "model", "sub-layers", "uniformity", "first-last third", "grid", "best cut", "before",
        "stage edges",
      ],
      rows: zip(result.similarity.models, result.models).map { sites, model in
        [
          sites.name, String(sites.sites.count), number(model.uniformity),
          number(model.lowToHigh), number(model.grid), number(model.cut),
          model.cutAt.map { sites.sites[$0].name } ?? "–", number(model.stageEdges),
        ]
      })
  }
}
