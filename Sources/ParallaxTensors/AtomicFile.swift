import Foundation

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A file that appears under its name only when it is complete.
public final class AtomicFile {
  /// The name it will have.
  public let path: String
  private let temporary: String
  private let descriptor: Int32
  private var finished = false

  /// Begins a file beside its final place.
  ///
  /// - Throws: `TensorError.unwritable` where nothing can be written there.
  public init(_ path: String) throws(TensorError) {
    self.path = path
    temporary = "\(path).\(getpid())-\(UInt32.random(in: 0...UInt32.max)).partial"
    descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw .unwritable(path: path, problem: reason())
    }
  }

  deinit {
    close(descriptor)
    if !finished { unsafe unlink(temporary) }
  }

  /// Adds bytes.
  ///
  /// - Throws: `TensorError.unwritable`, for instance when the disk is full.
  public func append(_ bytes: [UInt8]) throws(TensorError) {
    var done = 0
    while done < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { all in
        unsafe systemWrite(descriptor, all.baseAddress?.advanced(by: done), all.count - done)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw .unwritable(path: path, problem: reason())
      }
      done += count
    }
  }

  /// Gives the file its name.
  ///
  /// - Throws: `TensorError.unwritable`.
  public func finish() throws(TensorError) {
    guard fsync(descriptor) == 0, unsafe rename(temporary, path) == 0 else {
      throw .unwritable(path: path, problem: reason())
    }
    finished = true
  }

  /// Writes bytes to a file in one go.
  ///
  /// - Throws: `TensorError.unwritable`.
  public static func write(_ bytes: [UInt8], to path: String) throws(TensorError) {
    let file = try AtomicFile(path)
    try file.append(bytes)
    try file.finish()
  }
}

// `write` is also the name of a method above.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
  unsafe write(descriptor, bytes, count)
}
