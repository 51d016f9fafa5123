import ArgumentParser
import Foundation
import Parallax

@main
struct ParallaxCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "parallax",
    abstract: "Looks at images through several vision models and measures how their views differ.",
    discussion: """
      A model is a name from `parallax models`, or NAME=PATH for weights from a file.
      A representation is model@site#tokens, such as clip-vit-base-patch16@blocks.5#cls.

      Example: parallax study
      """,
    version: "parallax \(Version.parallax) (libtorch \(LibTorch.version))",
    subcommands: [
      Models.self, Layers.self, Extract.self, Compare.self, Study.self, Report.self,
    ])

  static func main() {
    Interruption.watch()
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      Failure.exit(with: error)
    }
  }
}
