import Foundation

/// A file that was found: what it will be called, where it lies, and the class it belongs to.
struct FoundFile {
  var id: String
  var path: String
  var className: String?
}

/// What lies at a path, links followed.
enum FileKind: Equatable {
  case missing(String)
  /// A folder, by the numbers that identify it however it was reached.
  case folder(FolderID)
  case file(bytes: Int)
  case other

  struct FolderID: Hashable {
    var device: UInt64
    var number: UInt64
  }

  init(_ path: String) {
    var status = stat()
    guard !path.utf8.contains(0), unsafe stat(path, &status) == 0 else {
      self = .missing(unsafe String(cString: strerror(errno)))
      return
    }
    switch status.st_mode & S_IFMT {
    case S_IFDIR:
      self = .folder(
        FolderID(
          device: UInt64(truncatingIfNeeded: status.st_dev),
          number: UInt64(truncatingIfNeeded: status.st_ino)))
    case S_IFREG: self = .file(bytes: Int(status.st_size))
    default: self = .other
    }
  }

  /// Why what lies here cannot be an image, nil where it can.
  func problem(path: String) -> String? {
    switch self {
    case .missing(let reason): return "cannot be opened: \(reason)"
    case .folder: return "is a folder"
    case .other: return "is not a file"
    case .file(bytes: 0): return "has zero bytes"
    case .file:
      return unsafe access(path, R_OK) == 0
        ? nil : "cannot be opened: \(unsafe String(cString: strerror(errno)))"
    }
  }
}

extension String {
  /// Whether this comes before another by the bytes of UTF-8, the same everywhere and in every locale.
  func precedesByBytes(_ other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }
}

/// The images below a folder.
struct FolderListing {
  var files: [FoundFile] = []
  var skipped: [SkippedImage] = []

  static let extensions: Set<String> = ["jpg", "jpeg", "png", "webp"]

  /// Lists class folders where any subfolder holds an image, else the folder itself.
  static func read(_ root: String) -> FolderListing {
    var loose = FolderListing()
    var classes = FolderListing()
    var above: Set<FileKind.FolderID> = []
    if case .folder(let folder) = FileKind(root) { above.insert(folder) }
    for name in loose.names(in: root, id: ".") {
      let path = root + "/" + name
      if case .folder(let folder) = FileKind(path) {
        var seen = above
        guard seen.insert(folder).inserted else { continue }
        var inside = FolderListing()
        inside.walk(path, id: name, className: name, seen: &seen)
        classes.files += inside.files
        classes.skipped += inside.skipped
      } else {
        loose.add(path, id: name, className: nil)
      }
    }
    if classes.files.isEmpty {
      loose.skipped += classes.skipped
      return loose
    }
    classes.skipped += loose.skipped
    classes.skipped += loose.files.map {
      SkippedImage(path: $0.id, reason: "lies beside the class folders, so it has no class")
    }
    return classes
  }

  /// Adds a folder's images, recursively; a folder is entered once, so links cannot lead in circles.
  private mutating func walk(
    _ folder: String, id: String, className: String, seen: inout Set<FileKind.FolderID>
  ) {
    for name in names(in: folder, id: id) {
      let path = folder + "/" + name
      if case .folder(let inner) = FileKind(path) {
        if seen.insert(inner).inserted {
          walk(path, id: id + "/" + name, className: className, seen: &seen)
        }
      } else {
        add(path, id: id + "/" + name, className: className)
      }
    }
  }

  private mutating func add(_ path: String, id: String, className: String?) {
    guard let dot = id.lastIndex(of: "."),
      Self.extensions.contains(id[id.index(after: dot)...].lowercased())
    else { return }
    if let problem = FileKind(path).problem(path: path) {
      skipped.append(SkippedImage(path: id, reason: problem))
    } else {
      files.append(FoundFile(id: id, path: path, className: className))
    }
  }

  private mutating func names(in folder: String, id: String) -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: folder)
        .filter { !$0.hasPrefix(".") }
        .sorted { $0.precedesByBytes($1) }
    } catch {
      skipped.append(SkippedImage(path: id, reason: "the folder cannot be read"))
      return []
    }
  }
}
