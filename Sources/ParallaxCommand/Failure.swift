import ArgumentParser
import Foundation
import Parallax

/// How the command ends when something goes wrong: one line, what to do, an exit code.
enum Failure {
  /// Exit codes, as `sysexits.h` has them.
  enum Code: Int32 {
    case usage = 64
    case badInput = 65
    case missingInput = 66
    case unavailable = 69
    case defect = 70
    case cannotWrite = 73
    case interrupted = 130
  }

  /// An error of the command itself.
  struct Message: Error {
    var code: Code
    var text: String
    var hint: String?
    init(_ code: Code, _ text: String, hint: String? = nil) {
      (self.code, self.text, self.hint) = (code, text, hint)
    }
  }

  static func exit(with error: any Error) -> Never {
    // Help and version are "errors" of the parser that succeed.
    if ParallaxCommand.exitCode(for: error) == .success { ParallaxCommand.exit(withError: error) }
    let message = described(error)
    Terminal.error("error: \(oneLine(message.text))")
    if let hint = message.hint { Terminal.error(hint) }
    Foundation.exit(message.code.rawValue)
  }

  static func described(_ error: any Error) -> Message {
    switch error {
    case let message as Message: return message
    case let error as ModelError: return model(error)
    case let error as ImageError: return image(error)
    case let error as TensorError: return tensor(error)
    case let error as AnalysisError:
      switch error {
      case .interrupted: return Message(.interrupted, error.description)
      case .nothingAsked: return Message(.usage, error.description)
      default: return Message(.badInput, error.description)
      }
    case let error as MeasureError: return Message(.badInput, error.description)
    case let error as ResultsError: return results(error)
    case let error as ReportError: return Message(.defect, error.description)
    default: return parser(error)
    }
  }

  private static func model(_ error: ModelError) -> Message {
    switch error {
    case .unknownModel:
      return Message(.usage, error.description, hint: "see `parallax models` for all names")
    case .ambiguousModel, .address, .tokens: return Message(.usage, error.description)
    case .noSuchSite(_, let model, _):
      return Message(
        .usage, error.description, hint: "see `parallax layers \(model)` for all sites")
    case .noWeights: return Message(.usage, error.description)
    case .checkpoint(_, let problem) where problem.contains("no such file"):
      return Message(.missingInput, error.description)
    default: return Message(.badInput, error.description)
    }
  }

  private static func tensor(_ error: TensorError) -> Message {
    switch error {
    case .file(_, let problem):
      if problem.contains("cannot be written") || problem.contains("cannot be made") {
        return Message(.cannotWrite, error.description)
      }
      return Message(
        problem.contains("No such file") ? .missingInput : .badInput, error.description)
    case .device: return Message(.unavailable, error.description)
    case .dtype: return Message(.usage, error.description)
    case .safetensors: return Message(.badInput, error.description)
    case .unknownOperator, .operation: return Message(.defect, error.description)
    }
  }

  private static func parser(_ error: any Error) -> Message {
    if error is ValidationError || ParallaxCommand.exitCode(for: error) == .validationFailure {
      let text = ParallaxCommand.message(for: error)
      let command = CommandLine.arguments.dropFirst().first { !$0.hasPrefix("-") }
      let known = ParallaxCommand.configuration.subcommands.contains {
        $0.configuration.commandName == command
      }
      return Message(
        .usage, text,
        hint: "see `parallax \(known ? "\(command ?? "") " : "")--help`")
    }
    return Message(.defect, "\(error)")
  }

  private static func oneLine(_ text: String) -> String {
    var line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    if line.hasPrefix("Error: ") { line.removeFirst(7) }
    return line
  }
}
