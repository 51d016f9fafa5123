import ArgumentParser
import Foundation
import Parallax

/// The ways of both kinds: of CKA in one pass, and of measures.
enum CompareRoute: String, ExpressibleByArgument, CaseIterable {
  case automatic = "auto"
  case exact, minibatch, features, moments
}

extension Estimator: ExpressibleByArgument {}

extension FeaturePreprocessing.Clip: ExpressibleByArgument {
  /// `two-sided:0.05` or `abs:0.95`.
  public init?(argument: String) {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let share = Double(parts[1]), share > 0 else { return nil }
    switch parts[0] {
    case "two-sided" where share < 0.5: self = .twoSided(share)
    case "abs" where share < 1: self = .magnitude(share)
    default: return nil
    }
  }
}

/// Measures and preprocessing under one name, as a paper has them.
enum MeasurePreset: String, ExpressibleByArgument, CaseIterable {
  /// Mutual nearest neighbours, k = 10.
  case platonic2024
  /// The information imbalance in both directions, k = 1; the paper's preprocessing is not known, and none is done.
  case mahautBaroni2026 = "mahautBaroni2026-reconstruction"

  var measures: String {
    switch self {
    case .platonic2024: "mutual-knn"
    case .mahautBaroni2026: "information-imbalance"
    }
  }

  var preprocessing: FeaturePreprocessing {
    self == .platonic2024 ? .platonic : FeaturePreprocessing()
  }
}

struct CompareCommand: ParsableCommand, ModelsTaking {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Similarity heat maps of every model with itself and with every other.",
    discussion: """
      CKA of all pairs of sites in one pass over the images, as a run folder with report.html. Debiased unless asked \
      otherwise; by minibatches or over the whole set, whichever is cheaper, and recorded.

      With --measure, any measures of `parallax measures` over the whole set instead, each with 95 % intervals and what \
      shuffled pairs of images give. From the features of all images, or, where `parallax measures` says that they \
      stream, from second moments whose memory does not grow with the images: what takes less, or --route. --clip, --centre and --l2 are done to each layer first, in this order.

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
    try finished.show(as: form)
  }
}

/// How similarity is computed.
struct SimilarityOptions: ParsableArguments {
  @Option(
    help:
      "auto (the cheaper); exact (the whole set at once) or minibatch (sums over blocks); with --measure, features (of all images, gathered) or moments (second moments, accumulated)."
  )
  var route = CompareRoute.automatic

  @Option(help: "debiased or biased.")
  var estimator = Estimator.debiased

  @Option(
    help: ArgumentHelp("Measures instead, with commas between them.", valueName: "name,name"))
  var measure: String?

  @Option(
    help:
      "Orders of shuffled images that each measure is tried on; 99, or as many as fit where moments are accumulated."
  )
  var permutations: Int?

  @Option(
    help:
      "Groups of images that are left out in turn for the intervals, 0 for none; 10, or fewer where moments of so many do not fit."
  )
  var groups: Int?

  @Option(
    help: ArgumentHelp(
      "What features and measures may take together, in GiB of memory.", valueName: "GiB"))
  var memoryLimit = 8

  @OptionGroup var preparation: PreparationOptions

  @Option(
    help:
      "Measure and preprocessing of a paper (its authors took 1024 and 2000 images): platonic2024 or mahautBaroni2026-reconstruction."
  )
  var preset: MeasurePreset?

  func validate() throws {
    let isPrepared = !preparation.preprocessing.isNone
    guard preset == nil || measure == nil && !isPrepared else {
      throw ValidationError(
        "--preset says itself what is measured and done to the features; take --measure, --clip, --centre and --l2 without it"
      )
    }
    guard measure != nil || !isPrepared else {
      throw ValidationError("--clip, --centre and --l2 belong to --measure")
    }
    for (option, value, most) in [
      ("permutations", permutations, 100_000), ("groups", groups, 1000),
    ] {
      guard let value else { continue }
      guard measure != nil || preset != nil else {
        throw ValidationError("--\(option) belongs to --measure")
      }
      guard (0...most).contains(value) else {
        throw ValidationError(
          Outlier(option: option, value: value, expected: "0 to \(most)").asOption)
      }
    }
    guard (1...1_000_000).contains(memoryLimit) else {
      throw ValidationError(
        Outlier(option: "memory-limit", value: memoryLimit, expected: "1 to 1000000").asOption)
    }
    let isMeasures = try measures() != nil
    guard !isMeasures || estimator == .debiased else {
      throw ValidationError(
        "--estimator belongs to CKA in one pass; with --measure take the name of a variant, such as cka-biased"
      )
    }
    let routes: [CompareRoute] =
      isMeasures ? [.automatic, .features, .moments] : [.automatic, .exact, .minibatch]
    guard routes.contains(route) else {
      throw ValidationError(
        "--route \(route.rawValue) belongs to \(isMeasures ? "CKA in one pass" : "--measure"); expected "
          + routes.map(\.rawValue).joined(separator: ", "))
    }
  }

  /// Those asked for, each once.
  private func measures() throws -> [any Measure]? {
    guard let measure = measure ?? preset?.measures else { return nil }
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
    let steps =
      preset?.preprocessing
      ?? preparation.preprocessing
    return try measures().map {
      AnalysisCatalog.measures(
        $0, route: MeasureRoute(rawValue: route.rawValue) ?? .automatic,
        permutations: permutations, groups: groups, preprocessing: steps,
        memoryLimit: memoryLimit << 30)
    }
      ?? AnalysisCatalog.similarity(
        route: SimilarityAnalysis.Route(rawValue: route.rawValue) ?? .automatic,
        estimator: estimator)
  }
}
