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

  @Option(
    help: ArgumentHelp(
      "Images of another size than a model's own, in pixels; the part that is cut out stays.",
      valueName: "side|heightxwidth"))
  var size: String?

  func validate() throws { _ = try imageSize() }

  /// The chosen size; nil for each model's own.
  func imageSize() throws -> (height: Int, width: Int)? {
    guard let size else { return nil }
    let sides = size.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard (1...2).contains(sides.count), let height = sides[0], let width = sides[sides.count - 1],
      (1...2048).contains(height), (1...2048).contains(width)
    else {
      throw ValidationError(
        "--size \(size): expected sides from 1 to 2048 pixels, such as 299 or 224x320")
    }
    return (height, width)
  }

  /// The model that a text names; downloads are told as they go on.
  func load(
    _ reference: String, on device: Device, progress: @escaping (Hub.Progress) -> Void
  ) throws -> LoadedModel {
    try sized(
      Catalog.load(
        ModelReference(parsing: reference), device: device, randomWeights: randomWeights,
        graphs: GraphOptions(everyNode: everyNode, asShipped: asShipped), progress: progress))
  }

  /// A model with images of the chosen size.
  ///
  /// - Throws: `AnalysisError.imageSize` where it cannot take them.
  func sized(_ model: LoadedModel) throws -> LoadedModel {
    var model = model
    model.imageSize = try imageSize()
    try Subject.checkSize(of: model)
    return model
  }
}
