import Foundation

/// Files that a checkpoint names: they must lie beside it, or below.
enum SiblingFile {
  /// Whether a name stays inside the folder: relative, and without a way up.
  static func isInside(_ name: String) -> Bool {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    return !name.isEmpty && !name.contains("\\") && !name.contains("\0")
      && parts.allSatisfy { !$0.isEmpty && $0 != ".." }
  }

  /// The path of a file beside another.
  static func path(_ name: String, beside path: String) -> String {
    let folder = (path as NSString).deletingLastPathComponent
    return folder.isEmpty ? name : folder + "/" + name
  }
}
