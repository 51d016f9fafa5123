import Foundation
import Parallax

/// Where runs lie.
enum Runs {
  /// A folder for a run: a new one, an empty one, or an earlier run's.
  static func prepared(_ path: String) throws -> RunFolder {
    let run = RunFolder(URL(filePath: path))
    let files = FileManager.default
    var isFolder: ObjCBool = false
    if unsafe files.fileExists(atPath: path, isDirectory: &isFolder) {
      guard isFolder.boolValue else {
        throw ResultsError.unwritable(path: path, problem: "it is a file, expected a folder")
      }
      let content = (try? files.contentsOfDirectory(atPath: path)) ?? []
      let ours = ["run.json", "results"]
      guard content.isEmpty || content.contains(where: ours.contains) else {
        throw ResultsError.unwritable(
          path: path, problem: "the folder holds other files and no run; name another with --output"
        )
      }
    }
    try run.create()
    return run
  }

  /// `runs/compare-A-B`.
  static func name(_ kind: String, _ models: [String]) -> String {
    let safe = models.map { name in
      String(name.map { $0.isLetter || $0.isNumber || "-_.".contains($0) ? $0 : "-" })
    }
    let joined =
      safe.count > 3 ? "\(safe[0])-and-\(safe.count - 1)-more" : safe.joined(separator: "-")
    return "runs/\(kind)-\(joined.prefix(120))"
  }

  /// The JavaScript that draws the figures.
  static func javaScript() throws -> String {
    let path = CacheFolder.url.appending(path: "vega/vega-bundle.js").path
    guard let data = FileManager.default.contents(atPath: path) else {
      throw CommandError(
        "the figures' JavaScript is not at \(path)", code: 69, advice: "`make setup` fetches it")
    }
    return String(decoding: data, as: UTF8.self)
  }

  /// The command line as it could be typed again.
  static func commandLine() -> String {
    (["parallax"] + CommandLine.arguments.dropFirst()).map(quoted).joined(separator: " ")
  }

  static func quoted(_ word: String) -> String {
    let plain = word.allSatisfy { $0.isLetter || $0.isNumber || "-_./=@#:,+%".contains($0) }
    return plain && !word.isEmpty ? word : "'" + word.replacing("'", with: "'\\''") + "'"
  }
}
