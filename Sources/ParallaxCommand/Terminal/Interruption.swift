import Foundation
import Synchronization

/// ^C and a polite kill: the run stops at the next batch and keeps what is finished; a second ^C ends it at once.
enum Interruption {
  private static let asked = Atomic<Bool>(false)

  /// Whether somebody wants the run to stop.
  static var isAsked: Bool { asked.load(ordering: .relaxed) }

  /// Listens from now on.
  static func listen() {
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        Interruption.asked.store(true, ordering: .relaxed)
        signal(number, SIG_DFL)
      }
    }
  }
}
