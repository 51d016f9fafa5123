import Parallax
import Testing

@Suite("Constant offsets")
struct OffsetTests {
  private static let images = 256
  private static let blocks = 8

  /// Two representations with 16 shared latent directions and noise, float64, all blocks.
  private static func pair(width: Int) -> [Tensor] {
    let count = images * blocks
    let latent = MadeUp.noise(count, 16, seed: 1)
    return (0..<2).map { side in
      let seed = UInt64(10 + side)
      return latent.times(MadeUp.noise(16, width, seed: seed)) * 0.3
        + MadeUp.noise(count, width, seed: seed + 5)
    }
  }

  private static func minibatch(_ pair: [Tensor], _ precision: DType) throws -> Double {
    var options = MinibatchCKA.Options()
    (options.precision, options.permutations) = (precision, 0)
    let sums = MinibatchCKA(count: 2, options: options)
    for block in 0..<blocks {
      try sums.add(
        block: block,
        features: pair.map { $0.sliced(0, block * images, (block + 1) * images) })
    }
    return try #require(try sums.result()[0, 1])
  }

  private static func exact(_ pair: [Tensor], _ precision: DType) throws -> Double {
    let sums = try ExactCKA(widths: pair.map { $0.shape[1] }, precision: precision)
    for block in 0..<blocks {
      try sums.add(
        block: block,
        features: pair.map { $0.sliced(0, block * images, (block + 1) * images) })
    }
    return try #require(try sums.result()[0, 1])
  }

  /// Song's sum on Gram matrices of features that nobody centred: what must not be done.
  private static func careless(_ pair: [Tensor]) -> Double {
    func hsic(_ k: Tensor, _ l: Tensor) -> Double {
      let n = Double(images)
      let hollow = Tensor.ones([images, images]) - Tensor.identity(images)
      let (k, l) = (k * hollow, l * hollow)
      let cross = k.times(l)
      let trace = cross.diagonal().sum().item(Double.self)
      let sums = k.sum().item(Double.self) * l.sum().item(Double.self) / ((n - 1) * (n - 2))
      return trace + sums - 2 / (n - 2) * cross.sum().item(Double.self)
    }
    let grams = pair.map { x -> Tensor in
      let block = x.sliced(0, 0, images).to(.float32)
      return block.times(block.transposed())
    }
    return hsic(grams[0], grams[1])
      / (hsic(grams[0], grams[0]) * hsic(grams[1], grams[1])).squareRoot()
  }

  @Test("an offset a hundred times the spread costs float32 less than a thousandth")
  func sweep() throws {
    let pair = Self.pair(width: 2048)
    let narrow = Self.pair(width: 192)
    let truth = try Self.minibatch(pair, .float64)
    let narrowTruth = try Self.exact(narrow, .float64)
    let firstTruth = try CKA()(
      pair[0].sliced(0, 0, Self.images), pair[1].sliced(0, 0, Self.images))
    #expect(truth > 0.3 && truth < 0.99 && narrowTruth > 0.3 && narrowTruth < 0.99)
    for offset in [0.0, 1, 3, 10, 30, 100] {
      let shifted = pair.map { ($0 + offset).to(.float32) }
      // Against float64 on the same rounded numbers, and against the numbers without their offset.
      let wide = try Self.minibatch(shifted.map { $0.to(.float64) }, .float64)
      let value = try Self.minibatch(shifted, .float32)
      #expect(abs(value - wide) < 1e-4 && abs(value - truth) < 1e-3, "minibatch at \(offset)")
      let first = shifted.map { $0.sliced(0, 0, Self.images) }
      let single = try CKA()(first[0], first[1])
      #expect(abs(single - firstTruth) < 1e-3, "a pair at \(offset): \(single)")
      let exact = try Self.exact(narrow.map { ($0 + offset).to(.float32) }, .float32)
      #expect(abs(exact - narrowTruth) < 1e-3, "exact at \(offset): \(exact)")
    }
    // The sweep is no formality: Song's sum on uncentred Gram matrices does not survive it.
    let broken = Self.careless(pair.map { $0 + 30.0 })
    #expect(!(abs(broken - firstTruth) < 1e-2))
  }

  @Test("an offset of one side alone, and of a few huge channels, changes nothing")
  func massiveChannels() throws {
    let pair = MadeUp.related(64, [48, 32], seed: 8)
    let value = try CKA()(pair[0], pair[1])
    var channels = [Double](repeating: 0, count: 48)
    (channels[3], channels[40]) = (3000, -1200)
    let massive = pair[0] + Tensor(channels, shape: [1, 48])
    let found = try CKA()(massive.to(.float32), pair[1].to(.float32))
    #expect(abs(found - value) < 1e-3)
  }
}
