import ArgumentParser
import Foundation
import Parallax

/// How the command ends when it cannot go on: one line `error: …`, where there is one a line that says what to do,
/// and an exit code of sysexits.
struct Failure {
  /// What goes to standard error.
  var lines: [String]
  /// 64 usage, 65 bad input data, 66 missing input, 69 unavailable, 70 a defect of ours, 73 cannot write,
  /// 130 interrupted.
  var code: Int32

  /// An error of the library's, or of the arguments.
  init(_ error: any Error) {
    switch error {
    case let error as ModelError: self.init(error)
    case let error as ImageError:
      self.init("\(error)", code: error.isMissingInput ? 66 : 65)
      if case .preprocessing = error { code = 65 }
    case let error as TensorError: self.init(error)
    case let error as AnalysisError: self.init(error)
    case let error as MeasureError:
      switch error {
      case .memory:
        self.init(
          "\(error)", code: 64,
          advice:
            error.isOfConcepts
            ? "take fewer sites with --sites or --spaces, fewer images with --limit, or a higher --memory-limit"
            : "take fewer sites with --sites, fewer images with --limit, for CKA --route minibatch, or with --measure fewer --permutations and --groups or a higher --memory-limit"
        )
      // No image and no model brings these about.
      case .blockOrder, .shape, .merge: self.init("\(error)", code: 70)
      case .tooFew, .unequalCounts, .notFinite, .constant, .summaries, .undefined, .duplicates,
        .row:
        self.init("\(error)", code: 65)
      }
    case let error as ResultsError:
      switch error {
      case .missing: self.init("\(error)", code: 66)
      case .damaged: self.init("\(error)", code: 65)
      case .unwritable: self.init("\(error)", code: 73)
      }
    case let error as CommandError:
      self.init(error.description, code: error.code, advice: error.advice)
    default: self.init(parsing: error)
    }
  }

  private init(_ text: String, code: Int32, advice: String? = nil) {
    lines = ["error: " + text.replacing("\n", with: " ").printable] + (advice.map { [$0] } ?? [])
    self.code = code
  }

  private init(_ error: ModelError) {
    switch error {
    case .missingParameter, .surplusParameters, .shape:
      self.init(
        "\(error)", code: 65,
        advice: "`parallax models FILE` lists what a checkpoint holds and fits")
    case .graph, .missingOperators: self.init("\(error)", code: 65)
    case .checkpoint(let file, _):
      self.init("\(error)", code: FileManager.default.fileExists(atPath: file) ? 65 : 66)
    case .unknownModel: self.init("\(error)", code: 64, advice: "`parallax models` lists them all")
    case .ambiguousModel, .noWeights, .tokens, .address, .imageSize: self.init("\(error)", code: 64)
    case .noSuchSite:
      // The error knows what results call the model, which need not be what one types.
      self.init("\(error)", code: 64, advice: "`parallax layers MODEL` lists them all")
    case .notDownloaded, .notInstalled, .hub: self.init("\(error)", code: 69)
    case .download:
      self.init(
        "\(error)", code: 69, advice: "the same command goes on where the download stopped")
    }
  }

  private init(_ error: TensorError) {
    switch error {
    case .file(let path, _):
      self.init("\(error)", code: FileManager.default.fileExists(atPath: path) ? 65 : 66)
    case .unwritable: self.init("\(error)", code: 73)
    case .safetensors, .unknownOperator, .operation: self.init("\(error)", code: 65)
    case .device: self.init("\(error)", code: 69, advice: "without --device the processor is used")
    case .dtype: self.init("\(error)", code: 64)
    }
  }

  private init(_ error: AnalysisError) {
    switch error {
    case .interrupted: self.init("\(error)", code: 130)
    case .tooFewImages, .classes, .state, .target: self.init("\(error)", code: 65)
    case .memory:
      self.init(
        "\(error)", code: 64,
        advice: "a smaller model, earlier --sites, float32, or a higher --memory-limit")
    case .duplicateModel, .nothingAsked, .imageSize, .site, .recipe: self.init("\(error)", code: 64)
    }
  }

  /// What the argument parser says; help and version are no failures.
  private init(parsing error: any Error) {
    code = ParallaxCommand.exitCode(for: error).rawValue
    if code == 0 {
      lines = [ParallaxCommand.fullMessage(for: error)]
      return
    }
    let full = ParallaxCommand.fullMessage(for: error)
    let isUsage = code == 64
    let usage = full.split(separator: "\n").first { $0.hasPrefix("Usage: ") }
    lines = [
      "error: "
        + (isUsage ? ParallaxCommand.message(for: error) : "\(error)").replacing("\n", with: " ")
    ]
    if isUsage, let usage { lines.append(String(usage).replacing("Usage: ", with: "usage: ")) }
    if !isUsage { code = 70 }
  }

  /// Prints and ends the process.
  func exit() -> Never {
    if code == 0 {
      print(lines.joined(separator: "\n"))
    } else {
      FileHandle.standardError.write(Data((lines.joined(separator: "\n") + "\n").utf8))
    }
    Foundation.exit(code)
  }
}

/// What the command itself refuses.
struct CommandError: Error, CustomStringConvertible {
  var description: String
  var code: Int32
  var advice: String?

  init(_ description: String, code: Int32, advice: String? = nil) {
    (self.description, self.code, self.advice) = (description, code, advice)
  }
}

extension MeasureError {
  /// Whether it is k* that asks for too much memory: it has other options than measures have.
  fileprivate var isOfConcepts: Bool {
    if case .memory("k*", _, _) = self { return true }
    return false
  }
}
