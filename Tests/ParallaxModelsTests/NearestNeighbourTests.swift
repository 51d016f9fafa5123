import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

/// What real weights are for: pictures of one class lie together.
@Suite("Nearest neighbours with real weights")
struct NearestNeighbourTests {
  private static let isReady =
    (try? Catalog.entry(named: "clip-vit-base-patch16"))?.weightsAreInstalled == true
    && FileManager.default.fileExists(atPath: SampleData.images.path)

  @Test(
    "dequantised CLIP puts a stamp's nearest neighbour in its own class for nine of ten of 96 stamps",
    .enabled(
      if: isReady,
      "the weights of clip-vit-base-patch16 or the stamps are not in the cache; run make setup"))
  func stamps() throws {
    let loaded = try Catalog.load(.name("clip-vit-base-patch16"))
    let set = try ImageSet(SampleData.images.path, minimumClassSize: 20, limit: 96)
    #expect(set.classes.count == 12)
    for label in set.classes.indices { #expect(set.samples(ofClass: label).count == 8) }
    let preprocessing = Preprocessing.letterbox(
      224, mean: PreprocessingKeys.clipMean.map { Float($0) },
      std: PreprocessingKeys.clipStd.map { Float($0) })
    let blocks = ImageLoader().blocks(of: 16, from: set.samples, for: [preprocessing])
    var parts: [Tensor] = []
    while let block = try blocks.next() { parts.append(loaded.model(block.tensor(0), .off)) }
    let embeddings = Tensor.concatenated(parts, 0)  // [96, 512]
    #expect(embeddings.shape == [96, 512])
    let lengths = embeddings.squared().sum(over: [1], keeping: true).squareRoot()
    let directions = embeddings / lengths
    // An image is not its own neighbour: on the diagonal a cosine is 1, and 1 − 3 is below any other.
    let cosines = directions.times(directions.transposed(0, 1)) - Tensor.identity(96) * 3
    let nearest = cosines.argmax(1).scalars(Int64.self).map(Int.init)
    let hits = zip(set.samples, nearest).filter { $0.label == set.samples[$1].label }.count
    #expect(Double(hits) / 96 >= 0.9, "\(hits) of 96")
  }
}
