import ArgumentParser
import Foundation
import Parallax

extension ResidualAnalysis.Aggregation: ExpressibleByArgument {}
extension ResidualAnalysis.Cosine: ExpressibleByArgument {}

struct ResidualCommand: ParsableCommand, ModelsTaking {
  static let configuration = CommandConfiguration(
    commandName: "residual",
    abstract: "How much the skip connections carry past each branch, and how much the branch adds.",
    discussion: """
      At each sum z + f(z) of a network, after Raghu et al. (2021): the ratio of norms ‖z‖/‖f(z)‖ and a cosine, for each token \
      and as means over the spatial tokens and of the class token; where along depth class and spatial tokens change roles. \
      Transformers (f: attention, perceptron), convolutional networks (f: the long branch of a unit) and imported graphs, \
      whose sums are found by what they add. Above 1 the stream goes past the branch, below 1 the branch rewrites it.

      --remove-skip takes the skip connections of a block out while the model runs, and compares all layers with each other by CKA, \
      before and after. That is a lesion of a trained network; the paper trains networks without the connection.

      Example:  parallax residual clip-vit-base-patch16 mobilenetv2
      """)

  @Argument(
    help: ArgumentHelp("Models, or MODEL@SITE: the blocks at or under it.", valueName: "model"))
  var addresses: [String]

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions
  @OptionGroup var residual: ResidualOptions

  @Option(
    name: [.long, .customShort("o")], help: "The run folder; runs/residual-MODELS without it.")
  var output: String?

  @OptionGroup var form: OutputOptions

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    let names = try ModelOptions.checked(addresses)
    try models.refuseTokens(addresses, "norm ratios are of every token")
    let job = Job(
      title: {
        $0 == 1 ? "The residual stream of one model" : "The residual streams of \($0) models"
      }, output: output ?? Runs.name("residual", names))
    let finished = try job.run(
      addresses, models, images, pass, [AnalysisCatalog.residual(try residual.options())], progress)
    try finished.show(as: form) {
      let result: ResidualResult? = try finished.run.result(analysis: "residual")
      return result.map { [Self.table($0).text] + $0.findings.map(\.line) } ?? []
    }
  }

  /// Each sum's ratio and cosine.
  private static func table(_ result: ResidualResult) -> Table {
    func number(_ value: Double?) -> String { value.map { String(format: "%.2f", $0) } ?? "–" }
    let rows = result.models.flatMap { model in
      model.connections.map { one -> [String] in
        [
          model.name, one.block, one.part.rawValue, number(one.ratio.value),
          number(one.classRatio.value), number(one.cosine.value), number(one.classCosine.value),
        ]
      }
    }
    return Table(
      header: ["model", "block", "branch", "ratio", "class ratio", "cosine", "class cosine"],
      rows: rows)
  }
}

/// What drives the residual analysis.
struct ResidualOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The mean over images of each token's ratio, or the ratio of its mean norms.",
      valueName: "mean-of-ratios|ratio-of-means"))
  var aggregate = ResidualAnalysis.Aggregation.meanOfRatios

  @Option(
    help: ArgumentHelp(
      "The cosine of z with the sum z + f(z), or with the branch f(z).",
      valueName: "output|branch"))
  var cosine = ResidualAnalysis.Cosine.output

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Numbers of blocks from 0 (-1 is the last) whose skip connections are taken out at inference, one block at a time: CKA of all layers with and without.",
      valueName: "block[,block]"))
  var removeSkip: String?

  func validate() throws { _ = try options() }

  func options() throws -> ResidualAnalysis.Options {
    var options = ResidualAnalysis.Options()
    (options.aggregation, options.cosine) = (aggregate, cosine)
    guard let removeSkip else { return options }
    let numbers = removeSkip.split(separator: ",", omittingEmptySubsequences: false).map {
      Int($0.trimmingCharacters(in: .whitespaces))
    }
    guard !numbers.contains(nil), numbers.count <= 16 else {
      throw ValidationError(
        "--remove-skip is '\(removeSkip)', expected at most 16 numbers of blocks such as 3 or 1,6")
    }
    options.removals = numbers.compactMap(\.self)
    return options
  }
}
