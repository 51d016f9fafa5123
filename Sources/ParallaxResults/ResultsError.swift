/// What can go wrong with a run folder.
public enum ResultsError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The folder is no run, or lacks a part.
  case missing(path: String, what: String)
  /// A part cannot be read as what it should be.
  case damaged(path: String, problem: String)
  /// Something cannot be written.
  case unwritable(path: String, problem: String)

  /// One sentence: what, where, expected, found.
  public var description: String {
    switch self {
    case .missing(let path, let what): "\(path): \(what)"
    case .damaged(let path, let problem): "\(path): \(problem)"
    case .unwritable(let path, let problem): "\(path): cannot be written: \(problem)"
    }
  }
}
