import Foundation
import Parallax
import Synchronization

/// How far a run is: a bar with rate and time left on a terminal, a plain line now and then otherwise.
final class ProgressLine: Sendable {
  private struct State {
    var began = Date()
    var last = Date.distantPast
    var drawn = false
    // The file that is downloaded or the measure that is computed, and how much of it was there before.
    var file: String?
    var first = 0
  }
  private let state = Mutex(State())
  private let isTerminal = isatty(2) != 0
  private let isQuiet: Bool
  private let tellsDownloads: Bool

  init(quiet: Bool, tellsDownloads: Bool? = nil) {
    isQuiet = quiet
    self.tellsDownloads = tellsDownloads ?? !quiet
  }

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

  /// Says how far a download is, a line a file.
  func update(download: Hub.Progress) {
    guard tellsDownloads else { return }
    state.withLock { state in
      let now = Date()
      let isDone = download.total == download.done
      if state.file != download.file {
        if isTerminal, state.drawn, state.file != nil { say("\n") }
        (state.file, state.began, state.last) = (download.file, now, .distantPast)
        (state.first, state.drawn) = (download.done, false)
        // A small file is there before a bar could be read.
        if !isTerminal {
          say(Self.opening(download))
          state.last = now
          return
        }
      }
      guard isDone || now.timeIntervalSince(state.last) >= (isTerminal ? 0.1 : 10) else { return }
      state.last = now
      let seconds = now.timeIntervalSince(state.began)
      let text = Self.text(download, since: state.first, seconds: seconds)
      if isTerminal {
        let share = download.total.map { Double(download.done) / Double(max(1, $0)) }
        say("\r\u{1b}[2K" + (share.map { Self.bar(share: $0) + " " } ?? "") + text)
        state.drawn = !isDone
        if isDone { say("\n") }
      } else if !isDone {
        say(text + "\n")
      }
      if isDone { state.file = nil }
    }
  }

  /// Says how far a measure is, which is computed once the images have been seen.
  func update(measure: String, share: Double) {
    guard !isQuiet else { return }
    state.withLock { state in
      let now = Date()
      if state.file != measure {
        (state.file, state.last) = (measure, isTerminal ? .distantPast : now)
      }
      let isDone = share >= 1 && state.drawn
      guard isDone || now.timeIntervalSince(state.last) >= (isTerminal ? 0.1 : 10) else { return }
      state.last = now
      let text = "\(measure): \(Int(100 * share)) %"
      say(isTerminal ? "\r\u{1b}[2K\(Self.bar(share: share)) \(text)" : text + "\n")
      state.drawn = isTerminal && !isDone
      if isDone, isTerminal { say("\n") }
    }
  }

  private static func opening(_ download: Hub.Progress) -> String {
    let size = download.total.map { ", \(bytes($0))" } ?? ""
    let rest = download.done > 0 ? ", \(bytes(download.done)) of it here" : ""
    return "downloading \(download.model) \(download.file)\(size)\(rest)\n"
  }

  static func text(_ download: Hub.Progress, since first: Int, seconds: Double) -> String {
    var text =
      "\(download.file): \(bytes(download.done))"
      + (download.total.map { " of \(bytes($0))" } ?? "")
    let made = Double(download.done - first)
    if made > 0, seconds >= 0.5 {
      let rate = made / seconds
      text += ", \(bytes(Int(rate))) a second"
      if let total = download.total, Double(total - download.done) / rate >= 1 {
        text += ", \(duration(Double(total - download.done) / rate)) left"
      }
    }
    return text
  }

  static func bytes(_ count: Int) -> String {
    let value = Double(count)
    if value < 1e3 { return "\(count) bytes" }
    if value < 1e6 { return String(format: "%.0f kB", value / 1e3) }
    return value < 1e9
      ? String(format: "%.1f MB", value / 1e6) : String(format: "%.2f GB", value / 1e9)
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
    bar(share: progress.done / Double(max(1, progress.total)))
  }

  private static func bar(share: Double) -> String {
    let share = min(1, max(0, share))
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
