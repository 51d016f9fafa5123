import ArgumentParser
import Foundation
import Parallax

extension ImageBuffer.Alpha: ExpressibleByArgument {}

/// Which images.
struct ImageOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A folder (its subfolders are classes) or a .csv list of path,label; the built-in set without it.",
      valueName: "path"))
  var images: String?

  @Option(help: "So many images at most, spread over the classes.")
  var limit: Int?

  @Option(help: "Leave out classes with fewer images.")
  var minimumClassSize = 1

  @Option(help: "What becomes of transparency: white (put on white) or drop (Pillow's way).")
  var alpha = ImageBuffer.Alpha.overWhite

  @Flag(help: "Make an unreadable image an error instead of leaving it out.")
  var strict = false

  func validate() throws {
    if let outlier { throw ValidationError(outlier.asOption) }
  }

  /// The first value that is no use.
  var outlier: Outlier? {
    for (option, value) in [("limit", limit ?? 1), ("minimum-class-size", minimumClassSize)]
    where value < 1 {
      return Outlier(option: option, value: value, expected: "a whole number from 1")
    }
    return nil
  }

  /// The images, listed and hashed.
  ///
  /// - Parameter readable: whether the limit counts readable images only.
  /// - Returns: them.
  /// - Throws: `CommandError`, `ImageError`.
  func set(readable: Bool = false) throws -> ImageSet {
    let path = images ?? SampleData.images.path
    if images == nil, !FileManager.default.fileExists(atPath: path) {
      throw CommandError(
        "the built-in images are not at \(path)", code: 69,
        advice: "`make setup` fetches them, or name your own with --images")
    }
    let set = try ImageSet(
      path, minimumClassSize: images == nil ? max(20, minimumClassSize) : minimumClassSize,
      limit: limit, readable: readable, strict: strict)
    if set.samples.isEmpty { throw ImageError.noImages(path: path, skipped: set.skipped.count) }
    return set
  }
}
