import Foundation
import Synchronization

/// A terminal without a screen: what the command draws on it can be read while it runs.
final class Terminal: Sendable {
  /// The end that the command writes to.
  let command: FileHandle
  private let reader: FileHandle

  private struct Failed: Error {}

  init() throws {
    var (descriptor, other): (Int32, Int32) = (-1, -1)
    guard unsafe openpty(&descriptor, &other, nil, nil, nil) == 0 else { throw Failed() }
    reader = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    command = FileHandle(fileDescriptor: other, closeOnDealloc: true)
  }

  /// Reads until the last writer has gone.
  ///
  /// - Parameter react: told how many images were done, each time that is drawn, until it returns true.
  /// - Returns: what waits for the end and gives all that was drawn, lines ended as in a file.
  func watch(_ react: @escaping @Sendable ([Int]) -> Bool) -> () -> String {
    let ended = DispatchSemaphore(value: 0)
    let all = Shared()
    let descriptor = reader.fileDescriptor
    Thread.detachNewThread {
      var hasReacted = false
      var bytes = [UInt8](repeating: 0, count: 4096)
      while true {
        let count = unsafe read(descriptor, &bytes, bytes.count)
        // Linux answers with an error once nobody holds the other end.
        guard count > 0 else { break }
        all.add(bytes.prefix(count))
        if !hasReacted { hasReacted = react(Self.counts(in: all.text)) }
      }
      ended.signal()
    }
    return {
      ended.wait()
      return all.text
    }
  }

  /// Lets go of the command's end, so that reading ends with the command.
  func close() { try? command.close() }

  /// The numbers of images done that progress lines show, in order.
  static func counts(in text: String) -> [Int] {
    text.matches(of: /(\d+) of \d+ images/).compactMap { Int($0.1) }
  }

  private final class Shared: Sendable {
    private let bytes = Mutex<[UInt8]>([])
    func add(_ more: ArraySlice<UInt8>) { bytes.withLock { $0 += more } }
    var text: String {
      bytes.withLock { String(decoding: $0, as: UTF8.self) }.replacing("\r\n", with: "\n")
    }
  }
}
