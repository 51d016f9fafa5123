import Foundation
import ParallaxTensors

/// A model's part of the hub client's folder: `models--ORG--NAME/{blobs,refs,snapshots}`.
struct HubCache: Sendable {
  let model: HubModel
  let root: URL
  private let locks: URL

  init(_ hub: Hub, _ model: HubModel) {
    self.model = model
    let name = "models--" + model.id.replacing("/", with: "--")
    root = hub.cache.appending(path: name)
    locks = hub.cache.appending(path: ".locks/\(name)")
  }

  /// The commit that the model's revision was when it was last asked for.
  var commit: String? {
    if HubModel.isCommit(model.revision) { return model.revision }
    let file = root.appending(path: "refs/\(model.revision)")
    if let text = try? String(contentsOf: file, encoding: .utf8) {
      let commit = text.trimmingCharacters(in: .whitespacesAndNewlines)
      return commit.isEmpty || commit.contains("/") || commit.hasPrefix(".") ? nil : commit
    }
    return nil
  }

  func snapshot(_ commit: String) -> URL { root.appending(path: "snapshots/\(commit)") }

  /// Whether a snapshot has a file; a link to nothing counts as none.
  func has(_ file: String, at commit: String) -> Bool {
    FileManager.default.fileExists(atPath: snapshot(commit).appending(path: file).path)
  }

  func blob(_ etag: String) -> URL { root.appending(path: "blobs/\(etag)") }
  func lock(_ etag: String) -> URL { locks.appending(path: "\(etag).lock") }

  /// Whether the hub said before that a commit has no such file.
  func isKnownAbsent(_ file: String, at commit: String) -> Bool {
    FileManager.default.fileExists(atPath: root.appending(path: ".no_exist/\(commit)/\(file)").path)
  }

  func noteAbsent(_ file: String, at commit: String) throws(TensorError) {
    try write("", to: root.appending(path: ".no_exist/\(commit)/\(file)"))
  }

  /// Writes down what commit the revision is.
  func note(commit: String) throws(TensorError) {
    guard commit != model.revision, self.commit != commit else { return }
    try write(commit, to: root.appending(path: "refs/\(model.revision)"))
  }

  /// Puts a blob into a snapshot under a name, as a relative link.
  func link(_ file: String, at commit: String, to etag: String) throws(TensorError) {
    let place = snapshot(commit).appending(path: file)
    try Self.makeFolder(place.deletingLastPathComponent())
    let up = String(repeating: "../", count: 2 + file.count { $0 == "/" })
    let temporary = place.path + ".\(UUID().uuidString)"
    do {
      try FileManager.default.createSymbolicLink(
        atPath: temporary, withDestinationPath: "\(up)blobs/\(etag)")
    } catch {
      // A file system without links: the file itself, as the official client does.
      do {
        try FileManager.default.copyItem(atPath: blob(etag).path, toPath: temporary)
      } catch { throw .unwritable(path: place.path, problem: "\(error.localizedDescription)") }
    }
    guard unsafe rename(temporary, place.path) == 0 else {
      unsafe unlink(temporary)
      throw .unwritable(path: place.path, problem: "the link cannot be put in place")
    }
  }

  private func write(_ text: String, to file: URL) throws(TensorError) {
    try Self.makeFolder(file.deletingLastPathComponent())
    try AtomicFile.write(Array(text.utf8), to: file.path)
  }

  static func makeFolder(_ folder: URL) throws(TensorError) {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw .unwritable(path: folder.path, problem: "the folder cannot be made")
    }
  }
}
