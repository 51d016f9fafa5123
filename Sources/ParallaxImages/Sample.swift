/// One image of a data set.
public struct Sample: Codable, Hashable, Sendable {
  /// The path relative to the folder or list, with `/`; unique in its set.
  public let id: String
  /// Where the file lies.
  public let path: String
  /// The class as an index into the set's `classes`, nil where the set has none.
  public let label: Int?
  /// The class' name, nil where the set has none.
  public let className: String?
  /// The SHA-256 of the file's bytes.
  public let sha256: String

  /// A sample from its parts.
  public init(id: String, path: String, label: Int?, className: String?, sha256: String) {
    self.id = id
    self.path = path
    self.label = label
    self.className = className
    self.sha256 = sha256
  }
}

/// An image that was left out, and why.
public struct SkippedImage: Codable, Hashable, Sendable, CustomStringConvertible {
  /// The path relative to the folder or list.
  public let path: String
  /// Half a sentence that continues the path.
  public let reason: String

  /// A skipped image from its parts.
  public init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }

  /// Path and reason.
  public var description: String { "\(path): \(reason)" }
}
