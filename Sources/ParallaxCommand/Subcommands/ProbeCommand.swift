import ArgumentParser
import Foundation
import Parallax

struct ProbeCommand: ParsableCommand, ModelsTaking {
  static let configuration = CommandConfiguration(
    commandName: "probe",
    abstract: "How well the images' classes can be read off each layer, and off each token.",
    discussion: """
      Few-shot linear probes after Raghu et al. (2021): least squares to −1 and +1 with an L2 penalty, in closed form, on \
      the class token, the mean of patches, the mean of all tokens and the first token of every layer, all penalties from \
      one decomposition; beside them nearest neighbours and logistic regression, the same with shuffled labels, and maps of \
      the accuracy of every single token of a few layers. Classes are the folders of the images, or the labels of a .csv \
      list.

      Images are split by a hash of their ids: 40 % of each class test, shots are drawn from the rest, several times. \
      --shots all fits all training images too, the paper's protocol for CIFAR: its memory does not grow with them, and the \
      last tenth of each class tunes λ.

      --split folders takes train/CLASS against test/CLASS or val/CLASS; --split FILE takes the ids of the test images, one \
      a line, as results name them.

      Example:  parallax probe clip-vit-base-patch16 efficientnet-lite0 --shots 1,5,10
      """)

  @Argument(help: ArgumentHelp("Models, MODEL@SITES or MODEL@SITES#TOKENS.", valueName: "model"))
  var addresses: [String]

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions
  @OptionGroup var probe: ProbeOptions

  @Option(
    name: [.long, .customShort("o")], help: "The run folder; runs/probe-MODELS without it.")
  var output: String?

  @OptionGroup var form: OutputOptions

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    let names = try ModelOptions.checked(addresses)
    let job = Job(
      title: { $0 == 1 ? "Probes of one model" : "Probes of \($0) models" },
      output: output ?? Runs.name("probe", names))
    let finished = try job.run(
      addresses, models, images, pass, [AnalysisCatalog.probe(try probe.options())], progress)
    try finished.show(as: form) {
      let result: ProbeResult? = try finished.run.result(analysis: "probe")
      return result.map { result in
        [Self.table(result).text] + result.refusals.map { "no value: \($0.address): \($0.reason)" }
          + result.findings.map(\.line)
      } ?? []
    }
  }

  /// Every model's own way: its first layer, its best and its last.
  private static func table(_ result: ProbeResult) -> Table {
    func percent(_ value: Double?) -> String {
      value.map { String(format: "%.1f", 100 * $0) } ?? "–"
    }
    let rows = result.models.flatMap { model in
      model.views.map { view -> [String] in
        let known = view.sites.filter { $0.scores.last?.accuracy.value != nil }
        let best = known.max {
          ($0.scores.last?.accuracy.value ?? 0, -$0.depth)
            < ($1.scores.last?.accuracy.value ?? 0, -$1.depth)
        }
        return [
          model.name, view.label, percent(known.first?.scores.last?.accuracy.value),
          best.map { "\($0.name)" } ?? "–", percent(best?.scores.last?.accuracy.value),
          percent(known.last?.scores.last?.accuracy.value),
          percent(known.last?.scores.last?.shuffled.value), percent(known.last?.weighted.value),
          percent(known.last?.logistic.value),
        ] + (result.all == nil ? [] : [percent(known.last?.all?.accuracy.value)])
      }
    }
    return Table(
      header: [
        "model", "features", "first %", "best", "best %", "last %", "shuffled %", "kNN %",
        "logistic %",
      ] + (result.all == nil ? [] : ["last, all images %"]), rows: rows)
  }
}

/// What drives the probes.
struct ProbeOptions: ParsableArguments {
  @Option(
    help:
      "Training images a class, such as 1,5,10; those of 1, 5, 10, 25 that every class has without it. all: beside them one fit to all training images."
  )
  var shots: String?

  @Option(help: "How often the shots are drawn.")
  var draws = 3

  @Option(
    help: ArgumentHelp(
      "Which images are for testing: a share of each class, folders (train against test or val), or a file of ids.",
      valueName: "share|folders|file"))
  var split = "0.4"

  @Option(help: "Penalties λ, such as 1,1024; 2^-10, 2^-8, …, 2^20 without it.")
  var penalties: String?

  @Option(help: "Images a class that shots are drawn from, at most.")
  var trainLimit = 100

  @Option(help: "Test images a class, at most.")
  var testLimit = 50

  @Option(
    help: ArgumentHelp(
      "Layers of each model whose tokens are probed one by one, evenly spread; 0 for none.",
      valueName: "count|all"))
  var tokenSites = "3"

  @Flag(help: "Maps of convolutional networks also cut into patches that are flattened.")
  var flattenPatches = false

  @Option(help: "λ of logistic regression; 0 for none.")
  var logistic = 1.0

  @Option(help: ArgumentHelp("Memory that features may take.", valueName: "GiB"))
  var memoryLimit = 8.0

  func validate() throws {
    for (option, value, least) in [
      ("draws", draws, 1), ("train-limit", trainLimit, 1), ("test-limit", testLimit, 1),
    ] where value < least || value > 65536 {
      throw ValidationError(
        Outlier(option: option, value: value, expected: "a whole number from \(least) to 65536")
          .asOption)
    }
    guard logistic >= 0, logistic.isFinite else {
      throw ValidationError("--logistic \(logistic): expected a number from 0")
    }
    guard memoryLimit > 0, memoryLimit < 1e6 else {
      throw ValidationError("--memory-limit \(memoryLimit): expected GiB, such as 4")
    }
    _ = try numbers(penalties, "penalties") { $0 > 0 }
    _ = try shotList()
    _ = try siteCount()
    if let share = Double(split), !(share > 0 && share < 1) {
      throw ValidationError(
        "--split \(split): expected a share between 0 and 1, folders, or a file")
    }
  }

  private func numbers(
    _ text: String?, _ option: String, _ isRight: (Double) -> Bool
  ) throws -> [Double]? {
    guard let text else { return nil }
    let values = text.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
    let known = values.compactMap(\.self).filter { $0.isFinite && isRight($0) }
    guard known.count == values.count, Set(known).count == known.count, !known.isEmpty else {
      throw ValidationError(
        "--\(option) \(text): expected different positive numbers with commas between")
    }
    return known.sorted()
  }

  /// Whether `all` stands among the shots.
  private var fitsAll: Bool { shots?.split(separator: ",").contains("all") == true }

  private func shotList() throws -> [Int]? {
    let isWhole = { (value: Double) in value >= 1 && value <= 65536 && value == value.rounded() }
    let few = shots?.split(separator: ",", omittingEmptySubsequences: false).filter { $0 != "all" }
    if few?.isEmpty == true { return nil }
    return try numbers(few?.joined(separator: ","), "shots", isWhole)?.map { Int($0) }
  }

  private func siteCount() throws -> Int {
    if tokenSites == "all" { return .max }
    guard let count = Int(tokenSites), (0...65536).contains(count) else {
      throw ValidationError("--token-sites \(tokenSites): expected a whole number from 0, or all")
    }
    return count
  }

  /// The options, with the list of test images read.
  func options() throws -> ProbeAnalysis.Options {
    var options = ProbeAnalysis.Options()
    (options.shots, options.fitsAll) = (try shotList(), fitsAll)
    (options.draws, options.trainingLimit, options.testLimit) = (draws, trainLimit, testLimit)
    if let penalties = try numbers(penalties, "penalties", { $0 > 0 }) {
      options.penalties = penalties
    }
    options.tokenSites = try siteCount()
    options.flattensPatches = flattenPatches
    options.logistic = logistic > 0 ? logistic : nil
    options.memoryLimit = Int(memoryLimit * Double(1 << 30))
    if let share = Double(split) {
      options.source = .share(share)
    } else if split == "folders" {
      options.source = .folders
    } else {
      guard let data = FileManager.default.contents(atPath: split) else {
        throw CommandError(
          "\(split): there is no such list of test images", code: 66,
          advice: "--split takes a share such as 0.4, folders, or a file with one id a line")
      }
      let lines = String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline)
        .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
      options.source = .ids(Set(lines))
    }
    return options
  }
}
