import ArgumentParser
import Foundation
import Parallax

struct ExtractCommand: ParsableCommand, ModelsTaking {
  static let configuration = CommandConfiguration(
    commandName: "extract",
    abstract: "Write representations to safetensors shards, with a table of the images.",
    discussion: """
      Writes FOLDER/shard-*.safetensors (a tensor [images, features] each address), samples.csv (shard, row, id, path, \
      label, class, sha256) and index.json. The same command goes on where it was stopped, to the same bytes.

      Example:  parallax extract efficientnet-lite0@blocks.*.*,global_pool --limit 96 --output features
      """)

  @Argument(help: ArgumentHelp("Models, or MODEL@SITE#TOKENS.", valueName: "model"))
  var addresses: [String]

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions

  @Option(name: [.long, .customShort("o")], help: "The folder to write to.")
  var output = "features"

  @Flag(help: "Write a .npy file a representation too.")
  var npy = false

  @Flag(help: "Print what was written as json.")
  var json = false

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    _ = try ModelOptions.checked(addresses)
    let set = try images.set()
    let chosen = try models.load(addresses, progress)
    let subjects = try chosen.map { try Subject($0.model) }
    let wanted = try zip(chosen, subjects).flatMap { try $0.representations(of: $1) }
    let extraction = try Extraction(wanted, to: URL(filePath: output))
    var run = Pass(subjects: subjects, images: set)
    pass.apply(to: &run, images, progress)
    var written: Extraction.Index?
    do {
      _ = try run.run([extraction]) { outcome in
        Skipped.tell(set.skipped + outcome.skipped, progress)
        written = try extraction.complete(images: set, subjects: subjects, npy: npy)
      }
    } catch {
      progress.end()
      throw error
    }
    guard let index = written else { return }
    if json { return print(try ParallaxCommand.encoded(index)) }
    print(
      "\(output): \(index.addresses.count) representations of \(index.images) images in \(index.shards.count) shards"
    )
  }
}

/// Images that were left out.
enum Skipped {
  /// Names the first few.
  static func tell(_ skipped: [SkippedImage], _ progress: ProgressLine) {
    for image in skipped.prefix(5) { progress.note("left out \(image)") }
    if skipped.count > 5 { progress.note("… and \(skipped.count - 5) more images") }
  }
}

extension ParallaxCommand {
  /// JSON, for commands whose flag is called `json`.
  static func encoded(_ value: some Encodable) throws -> String { try json(value) }
}
