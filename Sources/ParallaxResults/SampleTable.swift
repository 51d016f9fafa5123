import Foundation

/// The images of a run, for the contact sheet and for whoever compares runs.
public struct SampleTable: Codable, Sendable, Equatable {
  /// One image.
  public struct Row: Codable, Sendable, Equatable {
    /// Its id within the data set.
    public var id: String
    /// Its class, where there are classes.
    public var className: String?
    /// The SHA-256 of its bytes.
    public var sha256: String
    /// A small JPEG of it; nil where none was made.
    public var thumbnail: Data?

    /// A row from its parts.
    public init(id: String, className: String?, sha256: String, thumbnail: Data?) {
      (self.id, self.className) = (id, className)
      (self.sha256, self.thumbnail) = (sha256, thumbnail)
    }
  }

  /// The images, in order.
  public var rows: [Row]

  /// A table of rows.
  public init(rows: [Row]) { self.rows = rows }
}
