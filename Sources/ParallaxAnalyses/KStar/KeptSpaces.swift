import Foundation
import ParallaxResults
import ParallaxTensors

/// Finished spaces of features from a file, kept until the results are written: a run that is stopped goes on with the next.
public struct KeptSpaces: Sendable {
  private let folder: URL
  private let key: String
  private let count: Int
  private let resumes: Bool

  /// A place for the spaces of a file.
  ///
  /// - Parameters:
  ///   - file: the features; other features or labels have another place.
  ///   - options: how; other options have another place.
  ///   - folder: where states of runs are kept.
  ///   - version: of whoever computes; another version has another place.
  ///   - resumes: whether to go on from what is there.
  public init(
    of file: FeatureFile, _ options: KStarAnalysis.Options, in folder: URL, version: String,
    resumes: Bool = true
  ) {
    (self.folder, self.resumes, count) = (folder, resumes, file.spaces.count)
    var text = "parallax kstar features 1\n\(version) \(LibTorch.version)\n"
    for source in file.sources { text += "\(source.role) \(source.hash)\n" }
    text += "\(options.metric) \(options.ties) \(options.anchoring) \(options.resamples)\n"
    text += "\(options.neighbours) \(options.seed) \(options.mapLimit) \(options.chainLimit)\n"
    text += "\(options.maps) \(options.perplexity) \(options.mapped)\n"
    for (name, concept) in (options.superclasses ?? [:]).sorted(by: { $0.key < $1.key }) {
      text += "\(name)\t\(concept)\n"
    }
    key = ContentHash.sha256(text)
  }

  private func path(_ place: Int) -> String {
    folder.appending(path: "\(key)-\(place).json").path
  }

  /// A space that is there already; nil where there is none that can be read.
  func space(_ place: Int, of images: Int) -> KStarResult.Space? {
    guard resumes, let data = FileManager.default.contents(atPath: path(place)),
      let space = try? JSONDecoder().decode(KStarResult.Space.self, from: data),
      space.ranks.count == images
    else { return nil }
    return space
  }

  /// Keeps a space.
  ///
  /// - Throws: `TensorError.unwritable`.
  func keep(_ space: KStarResult.Space, _ place: Int) throws {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw TensorError.unwritable(
        path: folder.path, problem: (error as NSError).localizedDescription)
    }
    try AtomicFile.write(Array(JSONEncoder().encode(space)), to: path(place))
  }

  /// Removes all of them, once the results are written.
  public func forget() {
    for place in 0..<count { try? FileManager.default.removeItem(atPath: path(place)) }
  }
}
