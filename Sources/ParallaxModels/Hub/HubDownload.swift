import Foundation
import ParallaxTensors

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// One file of the hub on its way into the cache.
///
/// The bytes go to `blobs/ETAG.incomplete`, which stays where the connection or the process ends and is
/// resumed by the next attempt. Only what has the promised size and checksum gets the name `blobs/ETAG`.
struct HubDownload {
  let transport: HubTransport
  let cache: HubCache
  let file: String
  let metadata: HubTransport.Metadata
  let progress: (Hub.Progress) -> Void

  private var patience: Hub.Patience { transport.hub.patience }
  private var what: String { "\(transport.model): \(file)" }
  private var blob: URL { cache.blob(metadata.etag) }
  private var partial: URL { cache.root.appending(path: "blobs/\(metadata.etag).incomplete") }

  /// Fetches the file unless its blob is there, and links it into the snapshot.
  func run() throws {
    let commit = metadata.commit
    try HubCache.makeFolder(blob.deletingLastPathComponent())
    if !FileManager.default.fileExists(atPath: blob.path) {
      let lock = try HubLock(cache.lock(metadata.etag), watching: partial, patience, what: what)
      defer { lock.release() }
      // Another process may have brought it in the meantime.
      if !FileManager.default.fileExists(atPath: blob.path) { try fetch() }
    }
    if !cache.has(file, at: commit) { try cache.link(file, at: commit, to: metadata.etag) }
  }

  private func fetch() throws {
    let handle = try opened()
    defer { try? handle.close() }
    let resumed = try size(handle) > 0
    try receive(into: handle)
    if let fault = try fault() {
      // What an earlier run left may be to blame; one whole download settles it.
      guard resumed else { throw try spoilt(fault) }
      try write { try handle.truncate(atOffset: 0) }
      try receive(into: handle)
      if let fault = try self.fault() { throw try spoilt(fault) }
    }
    try write { try handle.synchronize() }
    guard unsafe rename(partial.path, blob.path) == 0 else {
      throw TensorError.unwritable(path: blob.path, problem: "the download cannot be put in place")
    }
  }

  private func spoilt(_ fault: String) throws -> ModelError {
    try? FileManager.default.removeItem(at: partial)
    return .download(what: what, problem: "\(fault); what was downloaded is deleted")
  }

  /// What is wrong with the bytes; nil where size and checksum are those of the ETag: the SHA-256 of a large file,
  /// git's SHA-1 of a small one. An ETag of another form says nothing.
  private func fault() throws -> String? {
    let etag = metadata.etag
    let isHex = etag.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    let found: String
    switch (etag.utf8.count, isHex) {
    case (64, true): found = try ContentHash.sha256(ofFile: partial.path)
    case (40, true): found = try ContentHash.gitBlob(ofFile: partial.path)
    default: return nil
    }
    return found == etag
      ? nil : "has the checksum \(found.prefix(12))…, expected \(etag.prefix(12))…"
  }

  /// Receives until all is there, beginning anew at the last byte whenever the connection breaks.
  private func receive(into handle: FileHandle) throws {
    var retry = HubRetry(patience, what: what)
    var settled = try size(handle)
    while true {
      do {
        try receiveOnce(into: handle)
        return
      } catch let problem as HubTransport.Passing {
        let now = try size(handle)
        // Crumbs do not count, or a server could keep us for ever.
        if now >= settled + 1 << 20 {
          retry.progressed()
          settled = now
        }
        try retry.wait(after: problem)
      } catch is HubTransport.Missing {
        throw ModelError.download(what: what, problem: "was there and is there no more")
      }
    }
  }

  private func receiveOnce(into handle: FileHandle) throws {
    var done = try size(handle)
    var total = metadata.size
    if let size = total, done > size {
      try write { try handle.truncate(atOffset: 0) }
      done = 0
    }
    // An empty file needs no body, but an unknown size does.
    if let size = total, done == size { return tell(done, total) }
    let (exchange, answer) = try transport.content(file, at: metadata.commit, from: done)
    defer { exchange.end() }
    switch answer.status {
    case 206 where Self.start(answer) == done: break
    case 200, 206, 416:
      // No range, or not the one that was asked for: from the beginning.
      try write { try handle.truncate(atOffset: 0) }
      if answer.status != 200 {
        throw HubTransport.Passing(text: "the server does not give the rest of the file")
      }
      done = 0
    default:
      throw ModelError.download(what: what, problem: "the server answers \(answer.status)")
    }
    if total == nil, let length = answer.headers["content-length"].flatMap({ Int($0) }) {
      total = done + length
    }
    try write { _ = try handle.seekToEnd() }
    tell(done, total)
    while let data = try next(exchange) {
      if let total, done + data.count > total {
        throw try spoilt("the server sends more than the \(total) bytes that it promised")
      }
      try write { try handle.write(contentsOf: data) }
      done += data.count
      tell(done, total)
    }
    if let total, done < total {
      throw HubTransport.Passing(text: "the connection ended at byte \(done) of \(total)")
    }
  }

  private func next(_ exchange: HTTPExchange) throws -> Data? {
    do throws(HTTPExchange.Problem) { return try exchange.next() } catch {
      throw HubTransport.Passing(text: error.text)
    }
  }

  private func tell(_ done: Int, _ total: Int?) {
    progress(.init(model: transport.model.id, file: file, done: done, total: total))
  }

  /// The first byte of `Content-Range: bytes 5-9/10`.
  private static func start(_ answer: HTTPExchange.Answer) -> Int? {
    guard let text = answer.headers["content-range"], text.hasPrefix("bytes ") else { return nil }
    return Int(text.dropFirst(6).prefix { $0 != "-" })
  }

  private func opened() throws(TensorError) -> FileHandle {
    let files = FileManager.default
    if !files.fileExists(atPath: partial.path),
      !files.createFile(atPath: partial.path, contents: nil)
    {
      throw .unwritable(path: partial.path, problem: "the file cannot be made")
    }
    do { return try FileHandle(forUpdating: partial) } catch {
      throw .unwritable(path: partial.path, problem: "the file cannot be opened for writing")
    }
  }

  private func size(_ handle: FileHandle) throws(TensorError) -> Int {
    do { return Int(try handle.seekToEnd()) } catch {
      throw .unwritable(path: partial.path, problem: error.localizedDescription)
    }
  }

  private func write(_ body: () throws -> Void) throws(TensorError) {
    do { try body() } catch {
      throw .unwritable(path: partial.path, problem: error.localizedDescription)
    }
  }
}

/// The lock that the hub's own client takes on a blob, so that one process at a time downloads it.
private struct HubLock {
  private let descriptor: Int32

  /// Waits while another process holds the lock, as long as its download grows.
  init(_ file: URL, watching partial: URL, _ patience: Hub.Patience, what: String) throws {
    try HubCache.makeFolder(file.deletingLastPathComponent())
    descriptor = unsafe open(file.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o664)
    guard descriptor >= 0 else {
      throw TensorError.unwritable(path: file.path, problem: "the lock cannot be made")
    }
    func size() -> Int? {
      (try? FileManager.default.attributesOfItem(atPath: partial.path))?[.size] as? Int
    }
    var (last, since) = (size(), Date())
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      // A file system without locks: the official client goes on, too.
      guard errno == EWOULDBLOCK || errno == EINTR else { return }
      Thread.sleep(forTimeInterval: 0.05)
      let now = size()
      if now != last { (last, since) = (now, Date()) }
      if Date().timeIntervalSince(since) > 10 * patience.stall {
        close(descriptor)
        throw ModelError.download(
          what: what, problem: "another process holds \(file.path) and its download does not grow")
      }
    }
  }

  func release() { close(descriptor) }
}
