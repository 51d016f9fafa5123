import Foundation

/// A `.csv` list of images: a path and perhaps a label a row.
struct ListFile {
  var files: [FoundFile] = []
  var skipped: [SkippedImage] = []

  private static let pathNames: Set<String> = ["path", "file", "filename", "image"]
  private static let labelNames: Set<String> = ["label", "class", "category", "target"]

  /// Reads a list; paths are relative to its folder.
  static func read(_ list: String) throws(ImageError) -> ListFile {
    let bytes = try ImageBuffer.bytes(ofFile: list)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .file(path: list, problem: "is not UTF-8 text")
    }
    var rows = try rows(of: text, list: list)
    var columns: (path: Int, label: Int?) = (0, (rows.first?.cells.count ?? 0) > 1 ? 1 : nil)
    if let header = rows.first?.cells.map({ $0.lowercased() }),
      let path = header.firstIndex(where: pathNames.contains)
    {
      columns = (path, header.firstIndex(where: labelNames.contains))
      rows.removeFirst()
    }
    let folder = normalized(URL(filePath: list).deletingLastPathComponent().path + "/.")
    var result = ListFile()
    var rowOfPath: [String: Int] = [:]
    for (number, cells) in rows {
      guard columns.path < cells.count, !cells[columns.path].isEmpty else {
        throw .list(path: list, row: number, problem: "has no path")
      }
      let written = cells[columns.path]
      let path = normalized(written.hasPrefix("/") ? written : folder + "/" + written)
      let id = path.hasPrefix(folder + "/") ? String(path.dropFirst(folder.count + 1)) : path
      if let earlier = rowOfPath.updateValue(number, forKey: path) {
        throw .list(path: list, row: number, problem: "'\(written)' is already in row \(earlier)")
      }
      var className: String?
      if let column = columns.label {
        guard column < cells.count, !cells[column].isEmpty else {
          throw .list(path: list, row: number, problem: "'\(written)' has no label")
        }
        className = cells[column]
      }
      let kind = FileKind(path)
      if case .missing(let reason) = kind {
        throw .list(path: list, row: number, problem: "'\(written)' cannot be opened: \(reason)")
      }
      if let problem = kind.problem(path: path) {
        result.skipped.append(SkippedImage(path: id, reason: problem))
      } else {
        result.files.append(FoundFile(id: id, path: path, className: className))
      }
    }
    return result
  }

  /// A path without `.`, `..` and doubled slashes; links are not looked at.
  private static func normalized(_ path: String) -> String {
    var parts: [Substring] = []
    for part in path.split(separator: "/") where part != "." {
      if part == "..", let last = parts.last, last != ".." {
        parts.removeLast()
      } else if part != ".." || !path.hasPrefix("/") {
        parts.append(part)
      }
    }
    return (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
  }

  typealias Row = (number: Int, cells: [String])

  /// Splits RFC 4180 text: cells may be quoted, quotes in them doubled; empty lines do not count as
  /// data but keep their number.
  static func rows(of text: String, list: String) throws(ImageError) -> [Row] {
    var rows: [Row] = []
    var cells: [String] = []
    var cell: [UInt8] = []
    var quoted = false
    var wasQuoted = false
    var number = 1
    func finishCell() {
      let text = String(decoding: cell, as: UTF8.self)
      cells.append(wasQuoted ? text : text.trimmingCharacters(in: .whitespaces))
      cell = []
      wasQuoted = false
    }
    func finishRow() {
      finishCell()
      if cells != [""] { rows.append((number, cells)) }
      cells = []
      number += 1
    }
    let bytes = Array(text.utf8)
    var at = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    while at < bytes.count {
      let byte = bytes[at]
      let next = at + 1 < bytes.count ? bytes[at + 1] : 0
      switch (byte, quoted) {
      case (UInt8(ascii: "\""), true):
        if next == UInt8(ascii: "\"") {
          cell.append(byte)
          at += 1
        } else {
          quoted = false
        }
      case (_, true): cell.append(byte)
      case (UInt8(ascii: "\""), false) where cell.allSatisfy { $0 == UInt8(ascii: " ") }:
        cell = []
        quoted = true
        wasQuoted = true
      case (UInt8(ascii: ","), false): finishCell()
      case (UInt8(ascii: "\r"), false) where next == UInt8(ascii: "\n"): break
      case (UInt8(ascii: "\n"), false), (UInt8(ascii: "\r"), false): finishRow()
      default: cell.append(byte)
      }
      at += 1
    }
    if quoted { throw .list(path: list, row: number, problem: "a quote is not closed") }
    if !cell.isEmpty || !cells.isEmpty { finishRow() }
    return rows
  }
}

/// Tables of comma-separated values that are no lists of images.
package enum CellTable {
  /// The cells of each row that is not empty.
  ///
  /// - Parameter path: the file.
  /// - Returns: rows from above.
  /// - Throws: `ImageError.file` where it cannot be read or is not UTF-8, `ImageError.list` where a quote is not closed.
  package static func rows(ofFile path: String) throws(ImageError) -> [[String]] {
    let bytes = try ImageBuffer.bytes(ofFile: path)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .file(path: path, problem: "is not UTF-8 text")
    }
    return try ListFile.rows(of: text, list: path).map(\.cells)
  }
}
