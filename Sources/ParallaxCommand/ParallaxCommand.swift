import ArgumentParser
import Parallax

/// The command `parallax`: a subcommand a file.
@main
struct ParallaxCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "parallax",
    abstract: "Look at images through several vision models and measure how their views differ.",
    discussion: """
      A model is a name of the catalog (parallax models), NAME=PATH for an architecture with weights of your own, \
      a folder with config.json and model.safetensors, or hf-hub:ORG/NAME. A representation is addressed as \
      model@site#tokens: clip-vit-base-patch16@blocks.5#cls. Without @site all blocks are meant.

      Begin with:  parallax study --limit 96
      """,
    version: Version.parallax,
    subcommands: [
      ModelsCommand.self, LayersCommand.self, ExtractCommand.self, CompareCommand.self,
      StudyCommand.self, ReportCommand.self,
    ])

  static func main() {
    do {
      HostMemory.keepForReuse()
      var command = try parseAsRoot()
      try command.run()
    } catch {
      Failure(error).exit()
    }
  }
}
