import ArgumentParser
import Foundation
import Parallax

struct MatchCommand: ParsableCommand, ModelsTaking {
  static let configuration = CommandConfiguration(
    commandName: "match",
    abstract: "Change pictures invisibly until their embeddings are those of other pictures.",
    discussion: """
      A source picture is changed until its embedding is a target's, after Salman, Shams and Liu (2024). The report shows source, \
      target, the matched picture and the amplified difference, how far the picture has moved in pixels (PSNR, SSIM, L2, L∞) and the \
      embedding in the model, what nearest neighbours, prototypes and probes make of it before and after, and whether a picture \
      matched in one place fools the others. All numbers are those of the picture as saved, with 8 bits a channel. Every picture is a \
      PNG file in the run folder.

      quick: up to a hundred steps of Adam on pixels, until d < ‖t‖²/50 and the cosine > 0.99. salman2024: the published procedure \
      exactly, plain descent on the mean squared error with η = 0.08, up to 15000 steps. newton: Levenberg-Marquardt, the shortest \
      way in pixels. pgd: within a ball of 8/255 in every pixel. salman2024-several: the published form with several targets, of which \
      the last decides. sabour2016: the least ‖f(x) − t‖² within 10/255 in every pixel by bounded quasi-Newton steps. --method takes the numbers that go with it from the recipe that has it. \
      The model's embedding is matched (the last site, of classifiers what the head reads) unless sites are named. Pairs are drawn from different classes unless --source or \
      --target name images, by id or path. With --target-embedding targets are rows of a file, such as embeddings of texts, at one site of one \
      model.

      Example:  parallax match clip-vit-base-patch16 --pairs 8
      """)

  @Argument(help: ArgumentHelp("Models, or MODEL@SITE#TOKENS.", valueName: "model"))
  var addresses: [String]

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions
  @OptionGroup var matching: MatchOptions

  @Option(
    name: [.long, .customShort("o")], help: "The run folder; runs/match-MODELS without it.")
  var output: String?

  @OptionGroup var form: OutputOptions

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    let names = try ModelOptions.checked(addresses)
    let job = Job(
      title: {
        $0 == 1 ? "Matched embeddings in one model" : "Matched embeddings in \($0) models"
      }, output: output ?? Runs.name("match", names))
    let options = try matching.options(batchSize: pass.chosenBatchSize)
    let finished = try job.run(
      addresses, models, images, pass, [AnalysisCatalog.matching(options)], progress)
    try finished.show(as: form) {
      let result: MatchingResult? = try finished.run.result(analysis: "matching")
      return result.map { $0.models.flatMap(Self.lines) + $0.findings.map(\.line) } ?? []
    }
  }

  /// `clip@head#flat: 8 of 8 matched, cosine 0.993 (0.61 before), PSNR 38.2 dB`; pairs that were alike before are counted apart.
  private static func lines(_ model: MatchingResult.Model) -> [String] {
    model.places.map { place in
      func mean(_ values: [Double]) -> Double {
        values.reduce(0, +) / Double(max(1, values.count))
      }
      func number(_ value: Double, _ digits: Int) -> String {
        String(format: "%.\(digits)f", value)
      }
      let pairs = place.pairs.filter { $0.ending != "already" }
      let steps = pairs.map(\.steps)
      let alike = place.pairs.count - pairs.count
      let note = alike == 0 ? "" : " (\(alike) more \(alike == 1 ? "was" : "were") alike before)"
      guard !pairs.isEmpty else {
        return "\(model.name)@\(place.site)#\(place.tokens): all \(alike) were alike before"
      }
      return
        "\(model.name)@\(place.site)#\(place.tokens): \(pairs.count { $0.isMatched }) of \(pairs.count) matched\(note) after \(steps.min() ?? 0) to \(steps.max() ?? 0) steps, cosine \(number(mean(pairs.compactMap(\.saved.cosine)), 3)) (before \(number(mean(pairs.compactMap(\.before.cosine)), 3))), PSNR \(number(mean(pairs.compactMap(\.change.psnr)), 1)) dB"
    }
  }
}
