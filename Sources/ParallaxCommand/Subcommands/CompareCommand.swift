import ArgumentParser
import Foundation
import Parallax

extension SimilarityAnalysis.Route: ExpressibleByArgument {}
extension Estimator: ExpressibleByArgument {}

struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Similarity heat maps of every model with itself and with every other.",
    discussion: """
      CKA of all pairs of sites in one pass over the images, as a run folder with report.html. Debiased unless asked
      otherwise; by minibatches or over the whole set, whichever is cheaper, and recorded.

      Example:  parallax compare clip-vit-base-patch16 efficientnet-lite0 --limit 96
      """)

  @Argument(help: ArgumentHelp("Models, or MODEL@SITE#TOKENS.", valueName: "model"))
  var addresses: [String]

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions
  @OptionGroup var similarity: SimilarityOptions

  @Option(
    name: [.long, .customShort("o")], help: "The run folder; runs/compare-MODELS without it.")
  var output: String?

  @OptionGroup var form: OutputOptions

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    let job = Job(
      title:
        "How similar are \(addresses.count == 1 ? "the layers of one model" : "\(addresses.count) models")?",
      output: output ?? Runs.name("compare", addresses.map { String($0.split(separator: "=")[0]) }))
    let finished = try job.run(
      addresses, models, images, pass,
      [AnalysisCatalog.similarity(route: similarity.route, estimator: similarity.estimator)],
      progress)
    switch form.chosen {
    case .json: print(try json(finished.summary))
    case .csv:
      print(
        try String(contentsOf: finished.run.url.appending(path: "results.csv"), encoding: .utf8),
        terminator: "")
    case nil: print(finished.text)
    }
  }
}

/// How similarity is computed.
struct SimilarityOptions: ParsableArguments {
  @Option(
    help: "auto (the cheaper), exact (the whole set at once) or minibatch (sums over blocks).")
  var route = SimilarityAnalysis.Route.automatic

  @Option(help: "debiased or biased.")
  var estimator = Estimator.debiased
}
