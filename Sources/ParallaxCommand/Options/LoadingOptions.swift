import ArgumentParser
import Parallax

/// How models are loaded and where they run.
struct LoadingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Made-up weights drawn from a seed instead of trained ones.", valueName: "seed"))
  var randomWeights: UInt64?

  @Option(help: "Where to compute: cpu, cuda:0, mps.")
  var device = "cpu"

  @Flag(help: "Every node of an imported graph is a site, not only its modules.")
  var everyNode = false

  @Flag(help: "Run an ONNX file's 8-bit products as they are, not in float32.")
  var asShipped = false

  /// The model that a text names; downloads are told as they go on.
  func load(
    _ reference: String, on device: Device, progress: @escaping (Hub.Progress) -> Void
  ) throws -> LoadedModel {
    try Catalog.load(
      ModelReference(parsing: reference), device: device, randomWeights: randomWeights,
      graphs: GraphOptions(everyNode: everyNode, asShipped: asShipped), progress: progress)
  }
}
