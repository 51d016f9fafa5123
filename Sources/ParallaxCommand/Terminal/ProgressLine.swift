import Foundation
import Parallax
import Synchronization

/// How far a run is: a bar with rate and time left on a terminal, a plain line now and then otherwise.
final class ProgressLine: Sendable {
  private struct State {
    var began = Date()
    var last = Date.distantPast
    var drawn = false
  }
  private let state = Mutex(State())
  private let isTerminal = isatty(2) != 0
  private let isQuiet: Bool

  init(quiet: Bool) { isQuiet = quiet }

  /// Says where the run is, at most ten times a second, or every ten seconds where nobody watches.
  func update(_ progress: Pass.Progress) {
    guard !isQuiet else { return }
    state.withLock { state in
      let now = Date()
      let isDone = progress.done >= Double(progress.total)
      guard isDone && state.drawn || now.timeIntervalSince(state.last) >= (isTerminal ? 0.1 : 10)
      else {
        return
      }
      // The first line of a plain log comes when there is a rate to tell.
      if !isTerminal, state.last == .distantPast, !isDone {
        state.last = now
        return
      }
      state.last = now
      state.drawn = true
      let text = Self.text(progress, seconds: now.timeIntervalSince(state.began))
      say(isTerminal ? "\r\u{1b}[2K\(Self.bar(progress)) \(text)" : text + "\n")
      if isDone, isTerminal { say("\n") }
    }
  }

  /// Ends an unfinished line, so that what follows begins at the left.
  func end() {
    state.withLock { if isTerminal && $0.drawn { say("\n") } }
  }

  /// A sentence beside the progress.
  func note(_ text: String) {
    if !isQuiet { say(text + "\n") }
  }

  private func say(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

  static func bar(_ progress: Pass.Progress) -> String {
    let share = min(1, max(0, progress.done / Double(max(1, progress.total))))
    let full = Int(24 * share)
    return String(repeating: "█", count: full) + String(repeating: "░", count: 24 - full)
  }

  static func text(_ progress: Pass.Progress, seconds: Double) -> String {
    let made = progress.done - Double(progress.resumed)
    var text = "\(Int(progress.done)) of \(progress.total) images"
    if made > 0, seconds > 0 {
      let rate = made / seconds
      text += String(format: ", %.1f a second", rate)
      let left = (Double(progress.total) - progress.done) / rate
      if left >= 1 { text += ", \(duration(left)) left" }
    }
    return progress.model.isEmpty ? text : text + ", \(progress.model)"
  }

  static func duration(_ seconds: Double) -> String {
    let whole = Int(seconds.rounded())
    if whole < 60 { return "\(whole) s" }
    return whole < 3600
      ? "\(whole / 60) min \(whole % 60) s" : "\(whole / 3600) h \(whole % 3600 / 60) min"
  }
}
