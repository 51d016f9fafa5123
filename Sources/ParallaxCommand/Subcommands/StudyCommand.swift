import ArgumentParser
import Foundation
import Parallax

struct StudyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "study",
    abstract: "Run all analyses as one job and write one report.",
    discussion: """
      Without a file, the built-in study: four pretrained models look at the built-in images. A file is YAML:

        title: My networks
        models: [clip-vit-base-patch16, "resnet50=weights.pth@layer4.*"]
        images: photos
        limit: 500
        analyses: [similarity, steps, receptive-field]

      without analyses all that suit are done, but those that cost more than a pass: \(AnalysisCatalog.onDemand.map(\.name).joined(separator: ", ")); with, besides, size, sites, tokens, minimum_class_size, alpha, strict, batch_size, block_size, seed, random_weights, \
      device; and measures, a list of names of `parallax measures` that are computed too, with route (auto, features or \
      moments), permutations, groups and memory_limit (GiB) as `parallax compare` has them. Paths are relative to the file; what the command line says goes before what the file says.

      Example:  parallax study --limit 96 --output runs/small
      """)

  @Argument(help: "The study's YAML file; without it the built-in study.")
  var file: String?

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions

  @Option(
    name: [.long, .customShort("o")],
    help: "The run folder; runs/study, or runs/NAME after the file.")
  var output: String?

  @Flag(help: "Print where the run lies as json.")
  var json = false

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    let study = try file.map { try StudyFile(path: $0) } ?? StudyFile.builtIn
    let given = Given(CommandLine.arguments)
    var (models, images, pass) = (models, images, pass)
    try study.fill(&models, &images, &pass, unless: given)
    let fallback = file.map {
      "runs/" + URL(filePath: $0).deletingPathExtension().lastPathComponent
    }
    let job = Job(
      title: { _ in study.title }, output: output ?? fallback ?? "runs/study",
      leavesOut: study.isOpen)
    let finished = try job.run(
      study.models, models, images, pass, try study.makers(), progress)
    print(json ? try ParallaxCommand.encoded(finished.summary) : finished.text)
  }
}
