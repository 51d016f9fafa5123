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
      CKA of all pairs of sites in one pass over the images, as a run folder with report.html. Debiased unless asked \
      otherwise; by minibatches or over the whole set, whichever is cheaper, and recorded.

      With --measure, any measures of `parallax measures` over the whole set instead, each with 95 % intervals and what \
      shuffled pairs of images give.

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
    let names = try ModelOptions.checked(addresses)
    let job = Job(
      title: { "How similar are \($0 == 1 ? "the layers of one model" : "\($0) models")?" },
      output: output ?? Runs.name("compare", names))
    let finished = try job.run(
      addresses, models, images, pass,
      [try similarity.maker()], progress)
    switch form.chosen {
    case .json: print(try json(finished.summary))
    case .csv: print(try finished.table(), terminator: "")
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

  @Option(
    help: ArgumentHelp("Measures instead, with commas between them.", valueName: "name,name"))
  var measure: String?

  @Option(help: "Orders of shuffled images that each measure is tried on.")
  var permutations = 99

  func validate() throws {
    guard (0...100_000).contains(permutations) else {
      throw ValidationError(
        Outlier(option: "permutations", value: permutations, expected: "0 to 100000").asOption)
    }
    guard try measures() == nil || route == .automatic && estimator == .debiased else {
      throw ValidationError(
        "--route and --estimator belong to CKA in one pass; with --measure take the name of a variant, such as cka-biased"
      )
    }
  }

  /// Those asked for, each once.
  private func measures() throws -> [any Measure]? {
    guard let measure else { return nil }
    var found: [any Measure] = []
    for name in measure.split(separator: ",") {
      let next = try MeasuresCommand.measure(named: name.trimmingCharacters(in: .whitespaces))
      if !found.contains(where: { $0.name == next.name }) { found.append(next) }
    }
    guard !found.isEmpty else {
      throw ValidationError("--measure names none; `parallax measures` lists them all")
    }
    return found
  }

  /// The analysis that the options ask for.
  func maker() throws -> AnalysisCatalog.Maker {
    try measures().map { AnalysisCatalog.measures($0, permutations: permutations) }
      ?? AnalysisCatalog.similarity(route: route, estimator: estimator)
  }
}
