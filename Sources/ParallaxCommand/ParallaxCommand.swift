import ArgumentParser

@main
struct ParallaxCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "parallax")
}
