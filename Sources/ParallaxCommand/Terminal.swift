import Foundation
import Parallax
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// What the command says: results on stdout, everything else on stderr.
enum Terminal {
  static let isInteractive = isatty(2) == 1

  static func error(_ line: String) { write(line + "\n", to: 2) }
  static func out(_ text: String) { write(text + "\n", to: 1) }

  private static func write(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = unsafe bytes.withUnsafeBytes {
        unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
      }
      if count < 0 { return }
      bytes = bytes.dropFirst(count)
    }
  }

  /// Columns of text, aligned; the last is left as it is.
  static func table(_ rows: [[String]]) -> String {
    guard let columns = rows.map(\.count).max() else { return "" }
    let widths = (0..<columns).map { column in
      rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
      row.enumerated().map { column, cell in
        column == row.count - 1
          ? cell : cell + String(repeating: " ", count: widths[column] - cell.count + 2)
      }.joined()
    }.joined(separator: "\n")
  }
}

/// A bar with rate and time left on a terminal, a line now and then elsewhere, nothing when quiet.
final class ProgressReporter: Sendable {
  private struct State {
    var start = Date()
    var lastShown = Date.distantPast
  }

  private let quiet: Bool
  private let label: String
  private let state = Mutex(State())

  init(_ label: String, quiet: Bool) {
    self.label = label
    self.quiet = quiet
  }

  func show(_ progress: Pass.Progress) {
    guard !quiet else { return }
    let line: String? = state.withLock { state in
      let now = Date()
      let finished = progress.done >= Double(progress.total)
      let pause = Terminal.isInteractive ? 0.2 : 15
      guard finished || now.timeIntervalSince(state.lastShown) >= pause else { return nil }
      state.lastShown = now
      let elapsed = now.timeIntervalSince(state.start)
      let fresh = progress.done - Double(progress.resumed)
      let rate = elapsed > 0 ? fresh / elapsed : 0
      let left = rate > 0 ? (Double(progress.total) - progress.done) / rate : 0
      let share = progress.total > 0 ? progress.done / Double(progress.total) : 1
      let numbers =
        "\(Int(progress.done))/\(progress.total) images, \(String(format: "%.1f", rate))/s"
        + (finished ? ", \(Self.clock(elapsed))" : ", \(Self.clock(left)) left")
      guard Terminal.isInteractive else { return "\(label): \(numbers)\n" }
      let full = Int(share * 24)
      let bar = String(repeating: "━", count: full) + String(repeating: "╌", count: 24 - full)
      return "\r\u{1B}[2K\(label) \(bar) \(numbers) \(progress.model)" + (finished ? "\n" : "")
    }
    if let line { FileHandle.standardError.write(Data(line.utf8)) }
  }

  private static func clock(_ seconds: Double) -> String {
    let whole = Int(min(seconds, 359_999))
    return whole >= 3600
      ? String(format: "%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60)
      : String(format: "%d:%02d", whole / 60, whole % 60)
  }
}

/// ^C and a polite kill: the first lets the run save what it has, the second ends it at once.
enum Interruption {
  private static let count = Atomic<Int>(0)

  static var isAsked: Bool { count.load(ordering: .relaxed) > 0 }

  static func watch() {
    for signal in [SIGINT, SIGTERM] {
      unsafe Glibc.signal(signal) { _ in
        if Interruption.count.add(1, ordering: .relaxed).newValue > 1 { _exit(130) }
      }
    }
    // A closed pipe is an error of the write, not the end of the process.
    unsafe Glibc.signal(SIGPIPE, SIG_IGN)
  }
}
