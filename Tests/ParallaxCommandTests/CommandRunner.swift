import Foundation
import Parallax
import ParallaxTestSupport
import Testing

/// The built executable `parallax`, run in a folder of its own with a cache of its own.
///
/// Weights, images and JavaScript of the real cache are linked into that one, so that states of other runs can
/// neither help nor harm.
final class CommandRunner: Sendable {
  /// The working folder.
  let folder: TemporaryFolder
  private let cache: TemporaryFolder
  private let environment: [String: String]

  /// How a run ended.
  struct Outcome {
    /// The exit code; 128 and the signal's number where a signal ended it, as a shell has it.
    var code: Int32
    var output: String
    var errors: String

    /// The lines on standard error.
    var errorLines: [Substring] { errors.split(separator: "\n") }
  }

  /// A runner.
  ///
  /// - Parameters:
  ///   - cached: what of the real cache is linked.
  ///   - environment: more variables.
  /// - Throws: where no folder can be made.
  init(cached: [String] = ["vega", "models", "images"], environment: [String: String] = [:]) throws
  {
    folder = try TemporaryFolder()
    cache = try TemporaryFolder()
    for name in cached {
      let real = CacheFolder.url.appending(path: name)
      guard FileManager.default.fileExists(atPath: real.path) else { continue }
      try FileManager.default.createSymbolicLink(
        at: cache.url.appending(path: name), withDestinationURL: real)
    }
    self.environment = ProcessInfo.processInfo.environment.merging(
      // Several run at once, so that one thread each is quickest.
      [
        "PARALLAX_CACHE": cache.path, "SWIFT_BACKTRACE": "enable=no", "COLUMNS": "80",
        "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
      ]
    ) { _, new in new }.merging(environment) { _, new in new }
  }

  /// Beside the test bundle, else where `swift build` puts it.
  static let executable: URL = {
    let here = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let places =
      ([Bundle.main] + Bundle.allBundles).flatMap {
        [$0.bundleURL, $0.bundleURL.deletingLastPathComponent()]
      } + [here.appending(path: ".build/debug"), here.appending(path: ".build/release")]
    let found = places.map { $0.appending(path: "parallax") }.first {
      var isFolder: ObjCBool = false
      let exists = unsafe FileManager.default.fileExists(atPath: $0.path, isDirectory: &isFolder)
      return exists && !isFolder.boolValue
    }
    return found ?? here.appending(path: ".build/debug/parallax")
  }()

  /// Whether the set-up has fetched what draws the figures; without it nothing that writes a report can run.
  static var hasJavaScript: Bool {
    FileManager.default.fileExists(
      atPath: CacheFolder.url.appending(path: "vega/vega-bundle.js").path)
  }

  /// The states of unfinished runs.
  var states: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: cache.file("states"))) ?? []).sorted()
  }

  /// Runs the command to its end.
  func callAsFunction(_ arguments: String...) throws -> Outcome { try run(arguments) }

  /// Runs the command to its end; one that takes more than two minutes is ended and reported.
  func run(_ arguments: [String]) throws -> Outcome {
    let errors = try Capture(), output = try Capture()
    let process = process(arguments)
    process.standardOutput = output.handle
    process.standardError = errors.handle
    let code = try finish(process)
    return Outcome(code: code, output: output.text, errors: errors.text)
  }

  /// Runs the command with a terminal for its progress, and sends a signal when that shows so many images done.
  ///
  /// - Parameters:
  ///   - arguments: what is typed after `parallax`.
  ///   - signal: what is sent.
  ///   - images: how many images must be done before.
  /// - Returns: how it ended, and how many images the first progress showed.
  /// - Throws: where there is no terminal to be had.
  func run(
    _ arguments: [String], sending signal: Int32, after images: Int
  ) throws -> (outcome: Outcome, first: Int?) {
    let terminal = try Terminal()
    let output = try Capture()
    let process = process(arguments)
    process.standardOutput = output.handle
    process.standardError = terminal.command
    let watch = terminal.watch { counts in
      guard let last = counts.last, last >= images else { return false }
      kill(process.processIdentifier, signal)
      return true
    }
    let code = try finish(process)
    terminal.close()
    let text = watch()
    return (
      Outcome(code: code, output: output.text, errors: text), Terminal.counts(in: text).first
    )
  }

  private func process(_ arguments: [String]) -> Process {
    let process = Process()
    process.executableURL = Self.executable
    process.arguments = arguments
    process.currentDirectoryURL = folder.url
    process.environment = environment
    process.standardInput = FileHandle.nullDevice
    return process
  }

  /// The threads that tests run on block signals, and a process inherits that.
  private static func withSignals(_ body: () throws -> Void) rethrows {
    var (none, before) = (sigset_t(), sigset_t())
    unsafe sigemptyset(&none)
    unsafe pthread_sigmask(SIG_SETMASK, &none, &before)
    defer { _ = unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
    try body()
  }

  private func finish(_ process: Process) throws -> Int32 {
    let ended = DispatchSemaphore(value: 0)
    process.terminationHandler = { _ in ended.signal() }
    try Self.withSignals { try process.run() }
    if ended.wait(timeout: .now() + 120) == .timedOut {
      kill(process.processIdentifier, SIGKILL)
      ended.wait()
      Issue.record("parallax \(process.arguments ?? []) ran longer than two minutes")
    }
    let status = process.terminationStatus
    return process.terminationReason == .uncaughtSignal ? 128 + status : status
  }
}

/// A file that takes what a process writes.
private final class Capture {
  private let folder: TemporaryFolder
  let handle: FileHandle

  init() throws {
    folder = try TemporaryFolder()
    try folder.write([], "text")
    handle = try FileHandle(forWritingTo: URL(filePath: folder.file("text")))
  }

  var text: String { String(decoding: (try? folder.bytes("text")) ?? [], as: UTF8.self) }
}

extension CommandRunner.Outcome {
  /// Expects exactly one line `error: …`, then at most one that says what to do, and nothing on standard output.
  func expectFailure(
    _ code: Int32, _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(self.code == code, "\(errors)", sourceLocation: sourceLocation)
    #expect(output == "", sourceLocation: sourceLocation)
    let notes = errorLines.prefix { !$0.hasPrefix("error: ") }
    #expect(
      notes.allSatisfy { note in
        ["loaded ", "left out ", "… and ", "downloading "].contains { note.hasPrefix($0) }
      }, "\(errors)",
      sourceLocation: sourceLocation)
    let lines = errorLines.dropFirst(notes.count)
    #expect((1...2).contains(lines.count), "\(errors)", sourceLocation: sourceLocation)
    #expect(
      lines.count { $0.hasPrefix("error: ") } == 1, "\(errors)", sourceLocation: sourceLocation)
    #expect(!errors.contains("error: error"), "\(errors)", sourceLocation: sourceLocation)
    for part in parts {
      #expect(errors.contains(part), "\(errors)", sourceLocation: sourceLocation)
    }
  }

  /// Expects that all went well.
  func expectSuccess(sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(code == 0, "\(errors)", sourceLocation: sourceLocation)
    #expect(!errors.contains("error:"), "\(errors)", sourceLocation: sourceLocation)
  }

  /// Standard output as the JSON that it must be.
  func json<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
    try JSONDecoder().decode(type, from: Data(output.utf8))
  }
}
