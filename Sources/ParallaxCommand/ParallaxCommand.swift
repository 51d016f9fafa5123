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
      an exported graph (model.pt2, model.onnx), a folder with config.json and model.safetensors, or a model of the Hugging Face hub: hf-hub:ORG/NAME, timm's \
      ARCHITECTURE.TAG, open_clip's MODEL,TAG. What the hub client's cache lacks is downloaded into it (HF_ENDPOINT, \
      HF_TOKEN, HF_HUB_OFFLINE=1).

      A representation is addressed as model@site#tokens: clip-vit-base-patch16@blocks.5#cls. Without @site all \
      blocks are meant. A revision stands before the sites: hf-hub:ORG/NAME@REVISION@SITES; a single @ after \
      hf-hub:ORG/NAME is followed by sites unless it is main, a 40-digit commit, refs/… or v1.0; @REVISION@ is one too.

      Begin with:  parallax study --limit 96
      """,
    version: Version.parallax,
    subcommands: [
      ModelsCommand.self, LayersCommand.self, MeasuresCommand.self, ExtractCommand.self,
      CompareCommand.self, StructureCommand.self, StepsCommand.self, AttentionCommand.self,
      ReceptiveFieldCommand.self, FiltersCommand.self, ResidualCommand.self, LocalizeCommand.self,
      ProbeCommand.self,
      CheckpointsCommand.self, InvertCommand.self, ManifoldCommand.self,
      MetamersCommand.self, GenerateCommand.self, MatchCommand.self, LipschitzCommand.self,
      KStarCommand.self,
      StudyCommand.self, ReportCommand.self,
    ])

  static func main() {
    do {
      HostMemory.keepForReuse()
      try checkSubcommand(CommandLine.arguments.dropFirst())
      var command = try parseAsRoot()
      try command.run()
    } catch {
      Failure(error).exit()
    }
  }

  /// Names the nearest subcommands where the first word is none; the parser would call it an unexpected argument.
  ///
  /// - Throws: `CommandError`.
  static func checkSubcommand(_ words: some Collection<String>) throws {
    let names = configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"]
    guard let word = words.first, !word.hasPrefix("-"), !names.contains(word) else { return }
    let near = Spelling.nearest(to: word.lowercased(), among: names)
    throw CommandError(
      "no subcommand is called '\(word)'"
        + (near.isEmpty
          ? ", expected one of \(names.joined(separator: ", "))"
          : "; did you mean \(near.joined(separator: ", "))?"),
      code: 64,
      advice: "usage: parallax SUBCOMMAND; `parallax --help` lists them all")
  }
}
