import Foundation

/// A run on disk.
///
///     RUN/report.html        one file, no network
///     RUN/results.csv        tidy: one row a number
///     RUN/results/*.json     each analysis' result
///     RUN/tensors/           matrices and images behind the figures
///     RUN/run.json           what reproduces it
///     RUN/samples.json       the images, with thumbnails
///
/// Every file is written to a temporary name and renamed.
public struct RunFolder: Sendable {
  /// Where it lies.
  public let url: URL
  /// `report.html`.
  public var report: URL { url.appending(path: "report.html") }
  /// `tensors/`.
  public var tensors: URL { url.appending(path: "tensors") }

  /// A run at a path; nothing is read or written yet.
  public init(_ url: URL) { self.url = url }

  /// Makes the folder, and `results/` and `tensors/` in it.
  ///
  /// - Throws: `ResultsError.unwritable`.
  public func create() throws(ResultsError) {
    do {
      for folder in [url.appending(path: "results"), tensors] {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      }
    } catch {
      throw .unwritable(path: url.path, problem: Self.reason(error))
    }
    guard FileManager.default.isWritableFile(atPath: url.path) else {
      throw .unwritable(path: url.path, problem: "no permission")
    }
  }

  /// Whether a run lies there already.
  public var exists: Bool {
    FileManager.default.fileExists(atPath: url.appending(path: "run.json").path)
  }

  /// Takes away what an earlier run in the folder left: results of analyses that were not written since, and what belongs to them.
  ///
  /// Only what has the name of a result is touched: `results/NAME.json`, and files of `tensors/NAME/` and `NAME/`.
  ///
  /// - Parameters:
  ///   - names: of the analyses that have been written.
  ///   - date: when their run began.
  public func removeLeftovers(of names: [String], before date: Date) {
    let files = FileManager.default
    func isOlder(_ file: URL) -> Bool {
      let changed = try? file.resourceValues(forKeys: [.contentModificationDateKey])
        .contentModificationDate
      return (changed ?? date) < date
    }
    func content(_ path: String) -> [URL] {
      let found = try? files.contentsOfDirectory(
        at: url.appending(path: path), includingPropertiesForKeys: nil)
      return found ?? []
    }
    let results = content("results").filter { $0.pathExtension == "json" }
    for result in results {
      let name = result.deletingPathExtension().lastPathComponent
      let isOwn = names.contains(name)
      guard isOwn || isOlder(result) else { continue }
      for file in content("tensors/\(name)") + content(name) where isOlder(file) {
        try? files.removeItem(at: file)
      }
      if !isOwn { try? files.removeItem(at: result) }
    }
  }

  /// Writes the run's description.
  ///
  /// - Throws: `ResultsError.unwritable`.
  public func write(_ provenance: Provenance) throws(ResultsError) {
    try write(provenance, to: "run.json")
  }

  /// Writes the table of images.
  ///
  /// - Throws: `ResultsError.unwritable`.
  public func write(_ samples: SampleTable) throws(ResultsError) {
    try write(samples, to: "samples.json")
  }

  /// Writes the result of an analysis to `results/NAME.json`.
  ///
  /// - Throws: `ResultsError.unwritable`.
  public func write(_ result: some Encodable, analysis: String) throws(ResultsError) {
    try write(result, to: "results/\(analysis).json")
  }

  /// Writes the tidy table.
  ///
  /// - Throws: `ResultsError.unwritable`.
  public func write(_ rows: [TidyRow]) throws(ResultsError) {
    try write(Data(TidyRow.table(rows).utf8), to: "results.csv")
  }

  /// Writes the page.
  ///
  /// - Throws: `ResultsError.unwritable`.
  public func write(html: String) throws(ResultsError) {
    try write(Data(html.utf8), to: "report.html")
  }

  /// Writes a file such as a picture; folders on the way are made.
  ///
  /// - Parameters:
  ///   - data: its bytes.
  ///   - path: within the folder.
  /// - Throws: `ResultsError.unwritable`.
  public func write(_ data: Data, at path: String) throws(ResultsError) {
    let folder = url.appending(path: path).deletingLastPathComponent()
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw .unwritable(path: folder.path, problem: Self.reason(error))
    }
    try write(data, to: path)
  }

  /// The run's description.
  ///
  /// - Throws: `ResultsError.missing` where the folder is no run, `ResultsError.damaged` where `run.json` cannot be
  ///   read, or was written in another format.
  public func provenance() throws(ResultsError) -> Provenance {
    guard FileManager.default.fileExists(atPath: url.appending(path: "run.json").path) else {
      throw .missing(path: url.path, what: "is no run folder (it has no run.json)")
    }
    let missing = ResultsError.missing(path: url.path, what: "has no run.json")
    // First: a later format may lack what this one needs.
    guard let layout: Layout = try read("run.json") else { throw missing }
    guard layout.format == Self.format else {
      let writer = layout.format > Self.format ? ", which a newer version of Parallax wrote" : ""
      throw .damaged(
        path: url.appending(path: "run.json").path,
        problem: "is of format \(layout.format)\(writer); this version reads format \(Self.format)")
    }
    guard let found: Provenance = try read("run.json") else { throw missing }
    return found
  }

  /// The layout that this version writes and reads.
  static let format = 3

  private struct Layout: Decodable {
    var format: Int
  }

  /// The table of images; empty where none was written.
  ///
  /// - Throws: `ResultsError.damaged`.
  public func samples() throws(ResultsError) -> SampleTable {
    try read("samples.json") ?? SampleTable(rows: [])
  }

  /// The result of an analysis; nil where the run has none.
  ///
  /// - Throws: `ResultsError.damaged`.
  public func result<Result: Decodable>(
    _ type: Result.Type = Result.self, analysis: String
  ) throws(ResultsError) -> Result? {
    try read("results/\(analysis).json")
  }

  private func read<Value: Decodable>(_ name: String) throws(ResultsError) -> Value? {
    let file = url.appending(path: name)
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    do {
      return try JSONDecoder().decode(Value.self, from: Data(contentsOf: file))
    } catch let error as DecodingError {
      throw .damaged(path: file.path, problem: Self.reason(error))
    } catch {
      throw .damaged(path: file.path, problem: "cannot be read")
    }
  }

  private func write(_ value: some Encodable, to name: String) throws(ResultsError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let data: Data
    do {
      data = try encoder.encode(value)
    } catch {
      throw .unwritable(path: url.appending(path: name).path, problem: "a number is not finite")
    }
    try write(data, to: name)
  }

  private func write(_ data: Data, to name: String) throws(ResultsError) {
    let file = url.appending(path: name)
    do {
      try data.write(to: file, options: .atomic)
    } catch {
      throw .unwritable(path: file.path, problem: Self.reason(error))
    }
  }

  private static func reason(_ error: any Error) -> String {
    if let error = error as? DecodingError {
      switch error {
      case .keyNotFound(let key, _): return "the key '\(key.stringValue)' is missing"
      case .typeMismatch(_, let context), .valueNotFound(_, let context):
        let path = context.codingPath.map(\.stringValue).joined(separator: ".")
        return "'\(path)' is not of the expected kind"
      case .dataCorrupted(let context) where !context.codingPath.isEmpty:
        let path = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }
          .joined(separator: ".")
        return
          "'\(path)' has a value that this version does not know (\(context.debugDescription)); a newer version may have written it"
      default: return "is not valid JSON"
      }
    }
    let system = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
    if let system, system.domain == NSPOSIXErrorDomain {
      return unsafe String(cString: strerror(Int32(system.code)))
    }
    switch ((error as NSError).domain, (error as NSError).code) {
    case (NSCocoaErrorDomain, 4), (NSCocoaErrorDomain, 260):
      return "the folder above it is not there"
    case (NSCocoaErrorDomain, 512): return "something above it is no folder"
    case (NSCocoaErrorDomain, 513): return "no permission"
    case (NSCocoaErrorDomain, 640): return "the disk is full"
    case (NSCocoaErrorDomain, 642): return "the disk is read-only"
    default:
      return (error as NSError).localizedDescription
        .replacing("The operation could not be completed. ", with: "")
    }
  }
}
