import ArgumentParser
import Parallax

/// How a pass over the images runs.
struct PassOptions: ParsableArguments {
  @Option(
    name: [.customLong("batch-size"), .customShort("b")],
    help: "Images a forward pass, 32 without it; no number depends on it but by rounding.")
  var chosenBatchSize: Int?

  @Option(help: "Images a block, the unit of minibatch estimates and of resuming.")
  var blockSize = 64

  @Option(name: [.long, .customShort("j")], help: "Threads that decode images.")
  var workers = 2

  @Option(
    help: "Element type of weights and activations: float32; of invert and lipschitz float64 too.")
  var dtype = "float32"

  @Option(help: "The seed of every random choice.")
  var seed: UInt64 = 0

  @Flag(inversion: .prefixedNo, help: "Go on where the same command was stopped.")
  var resume = true

  @Flag(name: [.long, .customShort("q")], help: "Print no progress.")
  var quiet = false

  var batchSize: Int {
    get { chosenBatchSize ?? Self.unset.batchSize }
    set { chosenBatchSize = newValue }
  }

  func validate() throws {
    if let outlier { throw ValidationError(outlier.asOption) }
    guard ["float32", "float64"].contains(dtype) else {
      throw ValidationError(
        "--dtype \(dtype): expected float32, or of invert and lipschitz float64")
    }
  }

  /// What stands where nothing was set.
  static var unset: (dtype: String, batchSize: Int, blockSize: Int, workers: Int) {
    ("float32", 32, 64, 2)
  }

  /// For a command that computes in float32 only.
  ///
  /// - Throws: `CommandError` where another element type was chosen.
  func refuseDouble() throws {
    guard dtype == "float32" else {
      throw CommandError(
        "--dtype \(dtype): expected float32; only invert and lipschitz have float64", code: 64)
    }
  }

  /// The first number that is no use.
  var outlier: Outlier? {
    for (option, value, least) in [
      ("batch-size", batchSize, 1), ("block-size", blockSize, 4), ("workers", workers, 1),
    ] where value < least || value > 65536 {
      return Outlier(
        option: option, value: value, expected: "a whole number from \(least) to 65536")
    }
    return nil
  }

  /// Sets up a pass.
  func apply(to pass: inout Pass, _ images: ImageOptions, _ progress: ProgressLine) {
    pass.blockSize = blockSize
    pass.batchSize = batchSize
    pass.workers = workers
    pass.alpha = images.alpha
    pass.strict = images.strict
    pass.stateFolder = CacheFolder.url.appending(path: "states")
    pass.resumes = resume
    pass.isInterrupted = { Interruption.isAsked }
    pass.progress = { progress.update($0) }
    Interruption.listen()
  }
}
