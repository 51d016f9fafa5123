import Foundation
import ParallaxImages
import ParallaxTensors

/// Which images of a labelled set probes are fitted to, and which they are scored on, decided by the images' ids alone.
///
/// Images are put in order by the SHA-256 of `test`, the seed and their id. Of each class the first are test images, the rest
/// is the pool that shots are drawn from; an image that is added or lost moves no others but at the boundary. Each draw orders the
/// pool by the hash of `shots`, its own seed and the id, and takes the first k of each class: shots of one draw are nested.
public struct ProbeSplit: Sendable, Equatable {
  /// Where the split comes from.
  public enum Source: Sendable, Equatable {
    /// By ids, so large a share of each class for testing.
    case share(Double)
    /// By the topmost folders, `train` against `test` or `val`; the folders in them are the classes.
    case folders
    /// By the ids of the test images.
    case ids(Set<String>)
  }

  /// The classes' names, sorted.
  public let classes: [String]
  /// By class, the places of the test images, in order.
  public private(set) var test: [[Int]]
  /// By class, the places of the pool, in order.
  public private(set) var pool: [[Int]]
  /// Of the split.
  public let seed: UInt64
  private let ids: [String]

  /// Splits the images of a set.
  ///
  /// - Parameters:
  ///   - images: the set.
  ///   - source: where the split comes from.
  ///   - seed: of the order.
  ///   - trainingLimit: images a class in the pool, at most.
  ///   - testLimit: test images a class, at most.
  /// - Throws: `AnalysisError.classes` where images have no class, there are fewer than two, or a class lacks a side.
  public init(
    _ images: ImageSet, _ source: Source = .share(0.4), seed: UInt64 = 0,
    trainingLimit: Int = 100, testLimit: Int = 50
  ) throws(AnalysisError) {
    let samples = images.samples
    let parts = try Self.parts(images, source)
    let names = Set(parts.compactMap(\.className)).sorted {
      $0.utf8.lexicographicallyPrecedes($1.utf8)
    }
    guard !names.isEmpty else {
      throw .classes(
        "the images of \(images.path) have no classes; expected a folder a class, or a .csv list of path,label"
      )
    }
    guard names.count > 1 else {
      throw .classes(
        "all images of \(images.path) are of one class, '\(names[0])'; a probe tells at least two apart"
      )
    }
    let places = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
    var members = names.map { _ in [Int]() }
    for (place, part) in parts.enumerated() {
      if let name = part.className, let own = places[name] { members[own].append(place) }
    }
    var (test, pool): ([[Int]], [[Int]]) = ([], [])
    for (name, own) in zip(names, members) {
      let order = Self.order(own, samples.map(\.id), "test", seed)
      let (tested, trained): ([Int], [Int])
      if case .share(let share) = source {
        guard own.count > 1 else {
          throw .classes(
            "class '\(name)' has 1 image; expected at least 2, one to fit and one to test: add images, or leave it out with --minimum-class-size 2"
          )
        }
        let count = min(own.count - 1, max(1, Int((share * Double(own.count)).rounded())))
        (tested, trained) = (Array(order.prefix(count)), Array(order.dropFirst(count)))
      } else {
        (tested, trained) = (
          order.filter { parts[$0].isTest }, order.filter { !parts[$0].isTest }
        )
        guard !tested.isEmpty, !trained.isEmpty else {
          throw .classes(
            "class '\(name)' has \(trained.count) training and \(tested.count) test images by the split given; expected at least one of each"
          )
        }
      }
      test.append(Array(tested.prefix(testLimit)))
      pool.append(Array(trained.prefix(trainingLimit)))
    }
    (classes, self.test, self.pool, self.seed, ids) = (names, test, pool, seed, samples.map(\.id))
  }

  /// The class of each image, and its side where the source says one.
  private static func parts(
    _ images: ImageSet, _ source: Source
  ) throws(AnalysisError) -> [(className: String?, isTest: Bool)] {
    switch source {
    case .share: return images.samples.map { ($0.className, false) }
    case .ids(let test):
      let known = Set(images.samples.map(\.id))
      if let odd = test.subtracting(known).min() {
        throw .classes(
          "the test list names '\(odd)', which is not among the images of \(images.path); expected ids such as '\(images.samples.first?.id ?? "")'"
        )
      }
      return images.samples.map { ($0.className, test.contains($0.id)) }
    case .folders:
      var parts: [(className: String?, isTest: Bool)] = []
      for sample in images.samples {
        let path = sample.id.split(separator: "/").map(String.init)
        let side = path.first?.lowercased() ?? ""
        guard path.count > 2, ["train", "test", "val", "validation"].contains(side) else {
          throw .classes(
            "'\(sample.id)' lies in no train/CLASS, test/CLASS or val/CLASS folder, which a split by folders expects"
          )
        }
        parts.append((path[1], side != "train"))
      }
      return parts
    }
  }

  static func order(_ places: [Int], _ ids: [String], _ what: String, _ seed: UInt64) -> [Int] {
    let keys = places.map { (ContentHash.sha256("\(what)\n\(seed)\n\(ids[$0])"), $0) }
    return keys.sorted { $0 < $1 }.map(\.1)
  }

  /// The pool cut in two: what is fitted, and the last tenth of each class to tune with.
  ///
  /// - Parameter limit: images a class to tune with, at most.
  /// - Returns: by class, the places; nothing to tune with of a class of one image.
  func holdingOut(limit: Int) -> (training: [[Int]], validation: [[Int]]) {
    let counts = pool.map { own in
      own.count < 2 ? 0 : min(limit, max(1, Int((0.1 * Double(own.count)).rounded())))
    }
    return (
      zip(pool, counts).map { Array($0.dropLast($1)) },
      zip(pool, counts).map { Array($0.suffix($1)) }
    )
  }

  /// The same with fewer images a class, the first of each order.
  func limited(training: Int, test count: Int) -> ProbeSplit {
    var copy = self
    copy.test = test.map { Array($0.prefix(count)) }
    copy.pool = pool.map { Array($0.prefix(training)) }
    return copy
  }

  /// The same without what could not be read.
  func keeping(_ places: Set<Int>) -> ProbeSplit {
    var copy = self
    copy.test = test.map { $0.filter(places.contains) }
    copy.pool = pool.map { $0.filter(places.contains) }
    return copy
  }

  /// All images that enter.
  var places: Set<Int> { Set(test.joined()).union(pool.joined()) }
  /// The most shots that every class has.
  public var mostShots: Int { pool.map(\.count).min() ?? 0 }

  /// Refuses more shots than a class has images for.
  ///
  /// - Throws: `AnalysisError.classes` that names the class, and what to do.
  public func check(shots: [Int]) throws(AnalysisError) {
    for (name, tested) in zip(classes, test) where tested.isEmpty {
      throw .classes("class '\(name)' has no test image that could be read")
    }
    guard let most = shots.max(), most > mostShots,
      let place = pool.indices.min(by: { pool[$0].count < pool[$1].count })
    else { return }
    let (found, tested) = (pool[place].count, test[place].count)
    throw .classes(
      "class '\(classes[place])' has \(found) training image\(found == 1 ? "" : "s") beside \(tested) for testing, fewer than \(most) shots; "
        + "ask for fewer with --shots, add images, or leave small classes out with --minimum-class-size"
    )
  }

  /// One draw of the shots.
  ///
  /// - Parameter number: of the draw, from 0.
  /// - Returns: by class, the places of the pool in the order in which shots are taken from it.
  public func draw(_ number: Int) -> [[Int]] {
    pool.map { Self.order($0, ids, "shots", seed &+ UInt64(number)) }
  }

  /// The places of some training images, in the order in which shuffled labels are dealt out to them.
  func shuffled(_ places: [Int], draw number: Int) -> [Int] {
    Self.order(places, ids, "shuffled", seed &+ UInt64(number))
  }
}
