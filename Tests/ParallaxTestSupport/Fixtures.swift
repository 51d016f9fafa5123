import Foundation

/// The folder of the small fixtures that `Oracles/` makes.
public let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent()
  .appending(path: "Fixtures")
