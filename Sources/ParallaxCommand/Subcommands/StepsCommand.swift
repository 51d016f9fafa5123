import ArgumentParser
import Foundation
import Parallax

struct StepsCommand: ParsableCommand, ModelsTaking {
  static let configuration = CommandConfiguration(
    commandName: "steps",
    abstract: "How models process images step by step: where they part, and what they discard.",
    discussion: """
      Distances between all models at all stages, their development with depth, the steps where models part or meet most, \
      how smoothly each model changes from layer to layer, and what each layer still knows of low-level statistics of the \
      images. The questions are those of Mahaut and Baroni (2026); the report states for each finding of their abstract \
      whether it holds on these models, and names every choice that the paper leaves open.

      The information imbalance drives it unless --measure names another measure of `parallax measures`.

      Example:  parallax steps clip-vit-base-patch16 dinov2-small-saliency efficientnet-lite0 mobilenetv2
      """)

  @Argument(help: ArgumentHelp("Models, or MODEL@SITE#TOKENS.", valueName: "model"))
  var addresses: [String]

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions
  @OptionGroup var steps: StepsOptions

  @Option(
    name: [.long, .customShort("o")], help: "The run folder; runs/steps-MODELS without it.")
  var output: String?

  @OptionGroup var form: OutputOptions

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    let names = try ModelOptions.checked(addresses)
    let job = Job(
      title: {
        $0 == 1 ? "The processing steps of one model" : "The processing steps of \($0) models"
      },
      output: output ?? Runs.name("steps", names), objectives: try steps.objectives(),
      untrained: steps.untrained)
    let finished = try job.run(
      addresses, models, images, pass, [AnalysisCatalog.steps(try steps.options())], progress)
    try finished.show(as: form) {
      let result: StepsResult? = try finished.run.result(analysis: "steps")
      return result?.findings.map(\.line) ?? []
    }
  }
}

/// What drives the processing steps.
struct StepsOptions: ParsableArguments {
  @Option(help: ArgumentHelp("What drives it: a name of `parallax measures`.", valueName: "name"))
  var measure = "information-imbalance"

  @Option(
    help: ArgumentHelp(
      "Measures that the findings are asked of again, with commas between them; none for none.",
      valueName: "name,name"))
  var also = "information-imbalance-k5,cka"

  @Option(help: "Orders of shuffled images, for chance; 0 for none.")
  var permutations = 19

  @OptionGroup var preparation: PreparationOptions

  @Flag(inversion: .prefixedNo, help: "Linear probes of each low-level statistic at each site.")
  var probes = true

  @Option(
    help: ArgumentHelp(
      "What a model was trained to do, where the catalog does not know: \(Objective.allCases.map(\.rawValue).joined(separator: ", ")).",
      valueName: "model=objective"))
  var objective: [String] = []

  @Option(
    help: ArgumentHelp(
      "An untrained twin of each model as a baseline, its weights drawn from a seed.",
      valueName: "seed"))
  var untrained: UInt64?

  func validate() throws {
    guard (0...100_000).contains(permutations) else {
      throw ValidationError(
        Outlier(option: "permutations", value: permutations, expected: "0 to 100000").asOption)
    }
    _ = try options()
    _ = try objectives()
  }

  func options() throws -> StepsAnalysis.Options {
    var options = StepsAnalysis.Options()
    options.measure = try MeasuresCommand.measure(named: measure)
    options.alternatives = try (also == "none" ? [] : also.split(separator: ","))
      .map { try MeasuresCommand.measure(named: $0.trimmingCharacters(in: .whitespaces)) }
      .reduce(into: []) { found, next in
        if next.name != options.measure.name, !found.contains(where: { $0.name == next.name }) {
          found.append(next)
        }
      }
    options.resampling.permutations = permutations
    options.probes = probes
    options.preprocessing = preparation.preprocessing
    return options
  }

  func objectives() throws -> [(name: String, objective: Objective)] {
    let found = try objective.map { text in
      guard let equals = text.lastIndex(of: "="),
        let found = Objective(rawValue: String(text[text.index(after: equals)...]))
      else {
        throw ValidationError(
          "--objective is '\(text)', expected MODEL=OBJECTIVE with one of "
            + Objective.allCases.map(\.rawValue).joined(separator: ", "))
      }
      return (name: String(text[..<equals]), objective: found)
    }
    if let twice = found.indices.first(where: { place in
      found[..<place].contains { $0.name == found[place].name }
    }) {
      throw ValidationError(
        "--objective \(objective[twice]): '\(found[twice].name)' has one already; expected one for each model"
      )
    }
    return found
  }
}
