import ArgumentParser
import Foundation
import Parallax

struct CheckpointsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "checkpoints",
    abstract: "Checkpoints of one architecture on one axis, layer by layer.",
    discussion: """
      CKA of each block of every checkpoint with the same block of a reference, after Figures 12 and G.1 of Raghu et al. \
      (2021): shares of the training data, training steps, before and after fine-tuning. The checkpoints are given in the \
      order of the axis; --at says their places on it, --axis what it is. The reference is the last unless --against says \
      which, counted from 1.

      Other analyses take the same list of checkpoints: compare, structure, steps, attention, receptive-field and more.

      Example:  parallax checkpoints vit_base_patch16_224=3.pth vit_base_patch16_224=10.pth vit_base_patch16_224=100.pth \
      --at 3,10,100 --axis percent
      """)

  @Argument(help: ArgumentHelp("Checkpoints, or CHECKPOINT@SITE#TOKENS.", valueName: "checkpoint"))
  var addresses: [String]

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions

  @Option(
    help: ArgumentHelp("The checkpoints' places on the axis, with commas.", valueName: "x,x"))
  var at: String?

  @Option(help: "What the axis is, for the figures.")
  var axis = ""

  @Option(
    help: ArgumentHelp(
      "The checkpoint that the others are held against, from 1.", valueName: "number"))
  var against: Int?

  @Flag(
    help: "An untrained twin of the one checkpoint, its weights drawn from --seed; not with --at.")
  var untrained = false

  @Option(help: "debiased or biased.")
  var estimator = Estimator.debiased

  @Option(
    name: [.long, .customShort("o")], help: "The run folder; runs/checkpoints-MODELS without it.")
  var output: String?

  @OptionGroup var form: OutputOptions

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    let names = try ModelOptions.checked(addresses)
    var options = CheckpointsAnalysis.Options()
    (options.estimator, options.axis) = (estimator, axis)
    guard !untrained || at == nil && addresses.count == 1 else {
      throw CommandError(
        "--untrained: expected one checkpoint and no --at; the twin is held against it", code: 64)
    }
    options.places =
      try at.map { try SweepOptions.places($0, count: addresses.count, of: "checkpoint") } ?? []
    options.names = try stems()
    if let against {
      guard (1...addresses.count).contains(against) else {
        throw CommandError(
          "--against \(against): expected the number of a checkpoint, from 1 to \(addresses.count)",
          code: 64)
      }
      options.reference = against - 1
    }
    if untrained { options.reference = 0 }
    let job = Job(
      title: { "\($0) checkpoints of one architecture" },
      output: output ?? Runs.name("checkpoints", names), untrained: untrained ? pass.seed : nil)
    let finished = try job.run(
      addresses, models, images, pass, [AnalysisCatalog.checkpoints(options)], progress)
    try finished.show(as: form) {
      let result: CheckpointsResult? = try finished.run.result(analysis: "checkpoints")
      return result.map { [Self.table($0).text] + $0.findings.map(\.line) } ?? []
    }
  }

  /// The files' names without what all share, where each has one of its own: figures call `vit=a/step10.pth` `step10`.
  private func stems() throws -> [String] {
    let stems = try addresses.compactMap { text -> String? in
      guard case .file(_, let path) = try ModelReference(parsing: Address(parsing: text).model)
      else { return nil }
      return URL(filePath: path).deletingPathExtension().lastPathComponent
    }
    return Set(stems).count == addresses.count ? stems : []
  }

  /// A line each checkpoint.
  private static func table(_ result: CheckpointsResult) -> Table {
    func number(_ estimate: IntervalEstimate) -> String {
      estimate.value.map { String(format: "%.3f", $0) } ?? "–"
    }
    return Table(
      header: [
        "checkpoint", "at", "CKA first third", "middle", "last", "first less last", "uniformity",
      ],
      rows: result.checkpoints.map { one in
        [one.name, one.place.map { "\($0)" } ?? "–"] + one.thirds.map(number)
          + [number(one.fall), number(one.uniformity)]
      })
  }
}
