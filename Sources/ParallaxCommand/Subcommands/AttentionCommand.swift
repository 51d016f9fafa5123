import ArgumentParser
import Foundation
import Parallax

extension AttentionDistance.Others: ExpressibleByArgument {}

struct AttentionCommand: ParsableCommand, ModelsTaking {
  static let configuration = CommandConfiguration(
    commandName: "attention",
    abstract: "How far each head of each layer looks, and over which image patches.",
    discussion: """
      The mean distance in pixels between patches and what they attend to, for each head, after Raghu et al. (2021), and \
      the entropy of the attention beside it; whether the lowest layers mix local and global heads and the highest are \
      all global; attention maps and attention rollout over a few images. Nothing of a pattern is kept but two numbers a \
      head and image.

      Models without attention are left out where others have it. An imported graph hands out its softmax nodes with \
      --every-node, unless its attention is fused.

      Example:  parallax attention clip-vit-base-patch16 dinov2-small-saliency
      """)

  @Argument(
    help: ArgumentHelp("Models, or MODEL@SITE: the layers at or under it.", valueName: "model"))
  var addresses: [String]

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions
  @OptionGroup var attention: AttentionOptions

  @Option(
    name: [.long, .customShort("o")], help: "The run folder; runs/attention-MODELS without it.")
  var output: String?

  @OptionGroup var form: OutputOptions

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    let names = try ModelOptions.checked(addresses)
    let job = Job(
      title: { $0 == 1 ? "The attention of one model" : "The attention of \($0) models" },
      output: output ?? Runs.name("attention", names))
    let finished = try job.run(
      addresses, models, images, pass, [AnalysisCatalog.attention(try attention.options())],
      progress)
    try finished.show(as: form) {
      let result: AttentionResult? = try finished.run.result(analysis: "attention")
      return result.map { [Self.table($0).text] + $0.findings.map(\.line) } ?? []
    }
  }

  /// The layers' heads from the most local to the most global.
  private static func table(_ result: AttentionResult) -> Table {
    func number(_ value: Double?, _ digits: Int = 1) -> String {
      value.map { String(format: "%.\(digits)f", $0) } ?? "–"
    }
    let rows = result.models.flatMap { model in
      model.layers.map { layer -> [String] in
        let distances = layer.sorted.compactMap { layer.heads[$0].distance.value }
        let entropies = layer.heads.compactMap(\.entropy.value)
        func mean(_ values: [Double]) -> Double? {
          values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
        }
        return [
          model.name, layer.block, String(layer.heads.count), number(distances.first),
          number(mean(distances)), number(distances.last), number(layer.uniformDistance),
          number(mean(entropies), 2), number(layer.uniformEntropy, 2),
        ]
      }
    }
    return Table(
      header: [
        "model", "layer", "heads", "least px", "mean px", "most px", "uniform px", "entropy nat",
        "uniform nat",
      ], rows: rows)
  }
}

/// What drives the attention analysis.
struct AttentionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Weight on class, register and distillation tokens: drop it, or drop it and renormalise the rest.",
      valueName: "drop|renorm"))
  var keepCls = AttentionDistance.Others.dropped

  @Flag(inversion: .prefixedNo, help: "The entropy of the attention beside its distance.")
  var entropy = true

  @Flag(
    inversion: .prefixedNo,
    help: "Subsets of the first layer's heads against the first layers of convolutional networks.")
  var subsets = true

  @Option(help: "Images with attention maps and rollout; 0 for none.")
  var maps = 2

  @Option(
    help: ArgumentHelp(
      "The token whose attention is drawn: cls, or a patch as ROW,COLUMN from 0.",
      valueName: "token"))
  var mapToken = "cls"

  @Option(help: "The head that is drawn in each layer; the most local and global without it.")
  var mapHead: Int?

  func validate() throws {
    for (option, value) in [("maps", maps), ("map-head", mapHead ?? 0)]
    where !(0...64).contains(value) {
      throw ValidationError(Outlier(option: option, value: value, expected: "0 to 64").asOption)
    }
    _ = try options()
  }

  func options() throws -> AttentionAnalysis.Options {
    var options = AttentionAnalysis.Options()
    (options.others, options.entropy, options.subsets) = (keepCls, entropy, subsets)
    (options.maps.images, options.maps.head) = (maps, mapHead)
    guard mapToken != "cls" else { return options }
    let parts = mapToken.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let row = parts[0], let column = parts[1], row >= 0, column >= 0 else {
      throw ValidationError("--map-token is '\(mapToken)', expected cls or ROW,COLUMN such as 7,7")
    }
    options.maps.patch = AttentionPlaces.Place(row: row, column: column)
    return options
  }
}
