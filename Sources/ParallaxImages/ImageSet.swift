import Dispatch
import Foundation
import ParallaxTensors
import Synchronization

/// A data set: images on disk with their ids, classes and content hashes, in an order that depends on
/// nothing but the files.
///
/// Three forms are read: a folder whose subfolders are classes (files nested deeper belong to the
/// class folder at the top), a flat folder (no classes), and a `.csv` list of `path,label` rows (header
/// and label optional, paths relative to the list). Samples are sorted by the bytes of their relative
/// path, classes by the bytes of their name. Hidden files are ignored, links are followed but never in
/// circles.
public struct ImageSet: Hashable, Sendable {
  /// The folder or list.
  public let path: String
  /// The images, sorted.
  public let samples: [Sample]
  /// The classes' names, sorted; a sample's `label` is an index into them. Empty where there are none.
  public let classes: [String]
  /// What was found but cannot be used, sorted: zero bytes, unreadable, beside the class folders.
  public let skipped: [SkippedImage]
  /// The classes that were left out for having too few images, with how many they have.
  public let smallClasses: [String: Int]

  /// Lists and hashes the images at a path.
  ///
  /// With a limit, images are taken round-robin: the first of every class in order, then the second,
  /// until there are enough; without classes the first ones. Where only readable images count, each is decoded
  /// once before it is taken, and the next takes the place of one that cannot be.
  ///
  /// - Parameters:
  ///   - path: a folder, or a `.csv` list.
  ///   - minimumClassSize: classes with fewer usable images are left out.
  ///   - limit: the most images to take.
  ///   - readable: whether the limit counts readable images only; those that it comes across and that are not are
  ///     among `skipped`.
  ///   - strict: whether an image that cannot be used is an error instead of skipped.
  /// - Throws: `ImageError`: `missing`, `noImages`, `noClassLeft`, `list`, `file`, and with `strict`
  ///   `image`.
  public init(
    _ path: String, minimumClassSize: Int = 1, limit: Int? = nil, readable: Bool = false,
    strict: Bool = false
  ) throws(ImageError) {
    self.path = path
    var files: [FoundFile]
    var skipped: [SkippedImage]
    switch FileKind(path) {
    case .missing: throw .missing(path: path)
    case .folder:
      let root = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
      let listing = FolderListing.read(root)
      (files, skipped) = (listing.files, listing.skipped)
    case .file where path.lowercased().hasSuffix(".csv"):
      let list = try ListFile.read(path)
      (files, skipped) = (list.files, list.skipped)
    default: throw .file(path: path, problem: "is neither a folder of images nor a .csv list")
    }
    files.sort { $0.id.precedesByBytes($1.id) }
    try Self.check(files: files, skipped: skipped, path: path, strict: strict)

    let sizes = files.reduce(into: [String: Int]()) { $0[$1.className ?? "", default: 0] += 1 }
    if files.contains(where: { $0.className != nil }) {
      smallClasses = sizes.filter { $0.value < minimumClassSize }
      guard smallClasses.count < sizes.count else {
        throw .noClassLeft(
          path: path, minimum: minimumClassSize, largest: sizes.values.max() ?? 0)
      }
      let small = smallClasses
      files.removeAll { small[$0.className ?? ""] != nil }
      classes = Set(files.compactMap(\.className)).sorted { $0.precedesByBytes($1) }
    } else {
      smallClasses = [:]
      classes = []
    }
    if let limit {
      let taken = Self.roundRobin(files, limit: max(0, limit), readable: readable)
      files = taken.files
      skipped += taken.skipped
    }

    let labels = Dictionary(uniqueKeysWithValues: classes.enumerated().map { ($1, $0) })
    var samples: [Sample] = []
    for (file, hash) in zip(files, Self.hashes(files.map(\.path))) {
      switch hash {
      case .success(let hash):
        samples.append(
          Sample(
            id: file.id, path: file.path, label: file.className.flatMap { labels[$0] },
            className: file.className, sha256: hash))
      case .failure(let error):
        skipped.append(SkippedImage(path: file.id, reason: error.problem))
      }
    }
    skipped.sort { $0.path.precedesByBytes($1.path) }
    // Files that cannot be read are as good as none.
    try Self.check(
      files: samples.isEmpty ? [] : files, skipped: skipped, path: path, strict: strict)
    self.samples = samples
    self.skipped = skipped
  }

  /// The samples of one class.
  ///
  /// - Parameter label: an index into `classes`.
  /// - Returns: them, in order.
  public func samples(ofClass label: Int) -> [Sample] { samples.filter { $0.label == label } }

  private static func check(
    files: [FoundFile], skipped: [SkippedImage], path: String, strict: Bool
  ) throws(ImageError) {
    if strict, let first = skipped.first {
      throw .image(image: first.path, problem: first.reason)
    }
    if files.isEmpty { throw .noImages(path: path, skipped: skipped.count) }
  }

  /// The first of every class, then the second, and so on, in the order of `files`; without those that cannot be
  /// decoded, where that is asked for.
  private static func roundRobin(
    _ files: [FoundFile], limit: Int, readable: Bool
  ) -> (files: [FoundFile], skipped: [SkippedImage]) {
    var seen: [String: Int] = [:]
    let turns = files.enumerated().map { index, file in
      let name = file.className ?? ""
      seen[name, default: 0] += 1
      return (turn: seen[name] ?? 0, name: name, index: index)
    }
    let order = turns.sorted {
      if $0.turn != $1.turn { return $0.turn < $1.turn }
      return $0.name == $1.name ? $0.index < $1.index : $0.name.precedesByBytes($1.name)
    }
    var (chosen, skipped): ([Int], [SkippedImage]) = ([], [])
    for index in order.map(\.index) {
      if chosen.count == limit { break }
      if readable, let problem = problem(files[index].path) {
        skipped.append(SkippedImage(path: files[index].id, reason: problem))
      } else {
        chosen.append(index)
      }
    }
    return (chosen.sorted().map { files[$0] }, skipped)
  }

  /// Why an image cannot be decoded; nil where it can.
  private static func problem(_ path: String) -> String? {
    do throws(ImageError) {
      _ = try ImageBuffer(decoding: ImageBuffer.bytes(ofFile: path))
      return nil
    } catch { return error.problem }
  }

  private static func hashes(_ paths: [String]) -> [Result<String, ImageError>] {
    let results = Mutex<[Int: Result<String, ImageError>]>([:])
    DispatchQueue.concurrentPerform(iterations: paths.count) { index in
      let result: Result<String, ImageError>
      do throws(TensorError) {
        result = .success(try ContentHash.sha256(ofFile: paths[index]))
      } catch {
        result = .failure(.file(path: paths[index], problem: error.problem))
      }
      results.withLock { $0[index] = result }
    }
    return results.withLock { results in
      paths.indices.map {
        results[$0] ?? .failure(.file(path: paths[$0], problem: "was not read"))
      }
    }
  }
}

extension TensorError {
  /// The error without the name of the file it speaks of.
  var problem: String {
    if case .file(_, let problem) = self { problem } else { description }
  }
}
