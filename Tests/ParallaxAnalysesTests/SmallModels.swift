import Foundation
import Parallax
import ParallaxTestSupport
import Synchronization
import Testing

/// An untrained Vision Transformer of three small blocks for images of `side` pixels.
func smallSubject(
  _ name: String, seed: UInt64 = 1, side: Int = 16, mean: Float = 0.5
) throws -> Subject {
  var c = ViT.Configuration()
  (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (side, 8, 12, 3, 2, 5)
  return try Subject(
    name: name, family: "ViT", model: try ViT(c, Weights(RandomWeights(seed: seed))),
    preprocessing: .letterbox(side, mean: [mean, mean, mean], std: [0.25, 0.25, 0.25]),
    fingerprint: "small \(side) seed \(seed)")
}

/// A PNG of 20 × 14 random pixels.
func noisyPNG(_ seed: Int) throws -> [UInt8] {
  let values = RandomSource(seed: UInt64(seed)).uniform([14 * 20 * 3]) * 255.9
  return [UInt8](
    try ImageBuffer(width: 20, height: 14, pixels: values.scalars(UInt8.self)).pngData())
}

/// A folder of `count` images in two classes that use the same file names; those in `broken` are no
/// images.
func imageFolder(_ count: Int, broken: Set<Int> = [], empty: Set<Int> = []) throws
  -> TemporaryFolder
{
  let folder = try TemporaryFolder()
  for index in 0..<count {
    let half = count / 2
    let name = index < half ? "apes/\(1000 + index).png" : "bees/\(1000 + index - half).png"
    let bytes =
      broken.contains(index) ? Array("no image".utf8) : empty.contains(index) ? [] : nil
    try folder.write(try bytes ?? noisyPNG(index), name)
  }
  return folder
}

/// Says yes from the n-th time on that it is asked.
final class Interrupter: Sendable {
  private let asked = Mutex(0)
  private let limit: Int

  init(after limit: Int) { self.limit = limit }

  func isInterrupted() -> Bool {
    asked.withLock { count in
      count += 1
      return count > limit
    }
  }
}

/// Keeps everything that it is given.
final class Recorder: Accumulator {
  let name: String
  let wanted: [Representation]
  let fingerprint: String
  private(set) var blocks: [BlockHeading] = []
  private(set) var calls: [String] = []
  private(set) var features: [Int: [Tensor]] = [:]
  var watched: [Watch] = []
  var problem: (any Error)?

  init(_ wanted: [Representation], name: String = "recorder", fingerprint: String = "1") {
    (self.wanted, self.name, self.fingerprint) = (wanted, name, fingerprint)
  }

  func begin(_ block: BlockHeading) {
    blocks.append(block)
    calls.append("begin \(block.index)")
  }
  func add(_ index: Int, _ features: Tensor) throws {
    if let problem { throw problem }
    calls.append("add \(index)")
    self.features[index, default: []].append(features)
  }
  func finish() { calls.append("finish") }
  func state() -> [(name: String, tensor: Tensor)] { [] }
  func restore(_ state: [String: Tensor]) -> Bool { false }

  /// All features of one representation, `[images, width]`.
  func all(_ index: Int) -> Tensor { Tensor.concatenated(features[index] ?? [], 0) }
}

/// The largest difference of two tensors of one shape.
func gap(_ a: Tensor, _ b: Tensor) -> Double {
  guard a.shape == b.shape else { return .infinity }
  return (a.to(.float64) - b.to(.float64)).absolute().maximum().item(Double.self)
}

/// Images of a folder, sites of small models averaged over their tokens, and a pass over them: class tokens of made-up weights
/// hardly tell images apart.
func averagedSites(
  _ folder: TemporaryFolder, _ subjects: [Subject], at text: String?
) throws -> (images: ImageSet, wanted: [Representation], pass: Pass) {
  let images = try ImageSet(folder.path)
  var pass = Pass(subjects: subjects, images: images)
  (pass.blockSize, pass.order) = (4, .shuffled)
  let pattern = try text.map { try SitePattern(parsing: $0) }
  let wanted = try subjects.flatMap { try $0.representations(at: pattern) }
    .map { Representation(model: $0.model, site: $0.site, tokens: .avg) }
  return (images, wanted, pass)
}
