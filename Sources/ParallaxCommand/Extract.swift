import ArgumentParser
import Foundation
import Parallax

struct Extract: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes representations to safetensors, with a table of the images.",
    discussion: """
      One shard a block of 64 images; --npy adds one NumPy file a representation.

      Example: parallax extract efficientnet-lite0@blocks.*#avg --limit 48 -o runs/features
      """)

  @Argument(help: "Models, as NAME, NAME=PATH or NAME@SITES#TOKENS.")
  var models: [String]

  @OptionGroup var images: ImageOptions
  @OptionGroup var representations: RepresentationOptions
  @OptionGroup var compute: ComputeOptions

  @Option(name: .shortAndLong, help: "The folder to write into.")
  var output = "runs/extract"

  @Flag(help: "Also write one .npy file a representation.")
  var npy = false

  @Flag(help: "Machine-readable summary on stdout.")
  var json = false

  func run() throws {
    let job = try Job(models, images, representations, compute)
    let folder = URL(filePath: output)
    let extraction = try Extraction(job.representations, to: folder)
    var pass = job.pass
    let progress = ProgressReporter("extract", quiet: compute.quiet)
    pass.progress = { progress.show($0) }
    let outcome = try pass.run([extraction])
    let index = try extraction.complete(
      images: job.images, subjects: job.subjects, npy: npy)
    job.reportSkipped(outcome.skipped)
    if json { return Terminal.out(try Output.json(index)) }
    Terminal.out(
      "\(index.images) images, \(index.addresses.count) representations in \(index.shards.count) shards: \(folder.path)"
    )
  }
}
