import Foundation
import ParallaxImages
import ParallaxTensors

/// Which images are matched with which.
public enum MatchPairs: Sendable, Hashable {
  /// Random pairs, of two classes where images have classes; no image is a source twice.
  case random(Int)
  /// Images from the set, each to this one, by its id or path, which may lie outside the set.
  case to(String, Int)
  /// This image to others of the set; it may be a file outside it.
  case from(String, Int)
  /// One pair, by ids or paths.
  case one(String, String)

  /// What is meant by a source, a target, both or neither.
  ///
  /// - Parameters:
  ///   - source: an id; nil for any.
  ///   - target: an id; nil for any.
  ///   - count: pairs, at most.
  public init(source: String?, target: String?, count: Int) {
    switch (source, target) {
    case (let source?, let target?): self = .one(source, target)
    case (let source?, nil): self = .from(source, count)
    case (nil, let target?): self = .to(target, count)
    case (nil, nil): self = .random(count)
    }
  }

  /// The source and the target that somebody named, by id or path.
  var named: [String] {
    switch self {
    case .random: []
    case .to(let id, _), .from(let id, _): [id]
    case .one(let source, let target): [source, target]
    }
  }

  /// The place of an image by its id, its path or, of another file, its bytes; nil where there is none.
  static func place(_ id: String, among samples: [Sample]) -> Int? {
    func whole(_ path: String) -> String {
      URL(filePath: path).standardizedFileURL.resolvingSymlinksInPath().path
    }
    if let place = samples.firstIndex(where: { $0.id == id }) { return place }
    let path = whole(id)
    if let place = samples.firstIndex(where: { whole($0.path) == path }) { return place }
    guard let hash = try? ContentHash.sha256(ofFile: id) else { return nil }
    return samples.firstIndex { $0.sha256 == hash }
  }

  /// The pairs.
  ///
  /// - Parameters:
  ///   - set: the set.
  ///   - outside: files outside it, whose places follow its own.
  ///   - seed: of random choices.
  /// - Returns: places in the set, and after it.
  /// - Throws: `AnalysisError.nothingAsked` where there is no such image, or none to pair it with; `AnalysisError.tooFewImages`.
  func chosen(_ set: [Sample], outside: [Sample] = [], seed: UInt64) throws -> [(
    source: Int, target: Int
  )] {
    let samples = set + outside
    guard samples.count >= 2 else {
      throw AnalysisError.tooFewImages(needed: 2, found: samples.count, where: "matching")
    }
    func place(_ id: String) throws -> Int {
      guard let place = Self.place(id, among: samples) else {
        throw AnalysisError.nothingAsked(
          "no image '\(id)'; expected an id of the set such as '\(samples[0].id)', or the path of an image"
        )
      }
      return place
    }
    /// Whether matching one with the other says anything.
    func differ(_ a: Int, _ b: Int) -> Bool {
      samples[a].sha256 != samples[b].sha256
        && (samples[a].label == nil || samples[a].label != samples[b].label)
    }
    let order = RandomSource(seed: seed).permutation(set.count).scalars(Int64.self)
      .map(Int.init)
    let pairs: [(source: Int, target: Int)]
    switch self {
    case .random(let count):
      // The target is the next in a random order that is of another class.
      pairs = order.indices.prefix(max(0, count)).compactMap { index in
        let others = order[(index + 1)...] + order[..<index]
        return others.first { differ(order[index], $0) }.map { (order[index], $0) }
      }
    case .to(let id, let count):
      let target = try place(id)
      pairs = order.filter { samples[$0].sha256 != samples[target].sha256 }.prefix(count).map {
        ($0, target)
      }
    case .from(let id, let count):
      let source = try place(id)
      pairs = order.filter { samples[$0].sha256 != samples[source].sha256 }.prefix(count).map {
        (source, $0)
      }
    case .one(let source, let target):
      let (a, b) = (try place(source), try place(target))
      guard samples[a].sha256 != samples[b].sha256 else {
        throw AnalysisError.nothingAsked(
          "source '\(source)' and target '\(target)' are the same picture; expected two")
      }
      pairs = [(a, b)]
    }
    guard !pairs.isEmpty else {
      throw AnalysisError.nothingAsked(
        "no two images to match: all are of one class, or the same picture; expected two classes, or --source or --target, which take any images"
      )
    }
    return pairs
  }

  /// Targets before the last of each pair, where a source has several: images of the set other than both, as random as the pairs.
  ///
  /// - Parameters:
  ///   - pairs: places in the set.
  ///   - count: targets before the last.
  ///   - set: the set.
  ///   - outside: files outside it, whose places follow its own.
  ///   - seed: of the choice.
  /// - Returns: of each pair places in the set.
  /// - Throws: `AnalysisError.tooFewImages`.
  static func others(
    of pairs: [(source: Int, target: Int)], _ count: Int, _ set: [Sample], outside: [Sample] = [],
    seed: UInt64
  ) throws -> [[Int]] {
    let samples = set + outside
    guard count > 0 else { return pairs.map { _ in [] } }
    return try pairs.enumerated().map { index, pair in
      let order = RandomSource(seed: (seed ^ 0x5EED) &+ UInt64(index)).permutation(set.count)
        .scalars(Int64.self).map(Int.init)
      let ends = [samples[pair.source].sha256, samples[pair.target].sha256]
      let chosen = Array(order.filter { !ends.contains(samples[$0].sha256) }.prefix(count))
      guard chosen.count == count else {
        throw AnalysisError.tooFewImages(
          needed: count + 2, found: set.count, where: "matching with \(count + 1) targets")
      }
      return chosen
    }
  }

  /// What of them changes numbers.
  var fingerprint: String { "\(self)" }
}
