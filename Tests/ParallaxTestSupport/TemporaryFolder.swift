import Foundation

/// A folder that is removed with its last reference.
public final class TemporaryFolder: Sendable {
  /// Where it lies.
  public let url: URL
  /// The same as text.
  public var path: String { url.path }

  /// A new, empty folder.
  public init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "parallax-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  /// A path in the folder.
  public func file(_ name: String) -> String { url.path + "/" + name }

  /// Writes a file, and the folders above it.
  public func write(_ bytes: [UInt8], _ name: String) throws {
    let file = URL(filePath: file(name))
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: file)
  }

  /// A file's bytes.
  public func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: file(name))))
  }

  /// The names of all files in it, sorted, hidden ones too.
  public func names(_ folder: String = "") -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: file(folder))) ?? []).sorted()
  }
}

/// The cells of a table of comma-separated values, read strictly by RFC 4180.
///
/// - Returns: nil where a quote stands where none may.
public func cells(_ text: String) -> [[String]]? {
  var rows: [[String]] = []
  var row: [String] = []
  var cell = String.UnicodeScalarView()
  var (isQuoted, wasQuoted) = (false, false)
  let scalars = Array(text.unicodeScalars)
  var place = 0
  while place < scalars.count {
    let scalar = scalars[place]
    place += 1
    switch scalar {
    case "\"" where isQuoted:
      if place < scalars.count, scalars[place] == "\"" {
        cell.append(scalar)
        place += 1
      } else {
        (isQuoted, wasQuoted) = (false, true)
      }
    case _ where isQuoted: cell.append(scalar)
    case "\"":
      guard cell.isEmpty, !wasQuoted else { return nil }
      isQuoted = true
    case ",", "\n":
      row.append(String(cell))
      (cell, wasQuoted) = (String.UnicodeScalarView(), false)
      if scalar == "\n" {
        rows.append(row)
        row = []
      }
    case _ where wasQuoted || scalar == "\r": return nil
    default: cell.append(scalar)
    }
  }
  return isQuoted || !row.isEmpty || !cell.isEmpty ? nil : rows
}
