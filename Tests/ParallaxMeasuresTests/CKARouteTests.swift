import Parallax
import Testing

@Suite("The choice of the route")
struct CKARouteTests {
  private func choose(
    _ images: Int, _ block: Int, _ widths: [Int], limit: Int = 1 << 40, free: Double = 0
  ) -> CKARoute.Choice {
    CKARoute.choose(
      images: images, blockSize: block, widths: widths, memoryLimit: limit, freeCost: free)
  }

  @Test("where both fit, the cheaper one is taken and the sentence says its cost")
  func cheaper() {
    let random = RandomSource(seed: 2)
    let draws = random.uniform([60, 3]).scalars(Double.self)
    var taken: Set<CKARoute> = []
    for row in 0..<60 {
      let count = 1 + Int(draws[3 * row] * 20)
      let widths = Array(repeating: 8 + Int(draws[3 * row + 1] * 200), count: count)
      let choice = choose(50_000, 16 + Int(draws[3 * row + 2] * 512), widths)
      taken.insert(choice.route)
      let isExactCheaper = choice.exactCost <= choice.minibatchCost
      #expect((choice.route == .exact) == isExactCheaper)
      #expect(choice.reason.contains("multiply-adds an image against"))
    }
    #expect(taken.count == 2, "both kinds of case are among the draws")
  }

  @Test("the sentence reads as words, whatever the size of the numbers")
  func sentences() {
    #expect(
      choose(50_000, 64, [192, 192]).reason
        == "24.6 thousand multiply-adds an image against 92.2 thousand over the whole set")
    #expect(
      choose(50_000, 512, [100, 100]).reason
        == "25.0 thousand multiply-adds an image against 102.9 thousand by minibatches")
    #expect(
      choose(50_000, 64, [4]).reason == "10 multiply-adds an image against 272 by minibatches")
    #expect(
      choose(50_000, 64, [4096, 4096]).reason.hasSuffix(
        "against 41.9 million over the whole set"))
    #expect(
      choose(50_000, 16, [100, 100], free: 1e5).reason
        == "25.0 thousand multiply-adds an image are within the 100.0 thousand allowed for it")
  }

  @Test("the costs are those that are documented")
  func costs() {
    let choice = choose(1000, 100, [30, 50])
    #expect(choice.minibatchCost == 100 * (80 + 4 / 4))
    #expect(choice.exactCost == 80.0 * 80 / 2 + 64 * 80 * 80 / Double(ExactCKA.rowsPerProduct))
    #expect(choice.exactMemory == ExactCKA.memory(widths: [30, 50]))
    #expect(choice.minibatchMemory == MinibatchCKA.memory(count: 2, blockSize: 100))
  }

  @Test("one block of everything, blocks too small, memory and free cost come before cheapness")
  func exceptions() {
    // One block holds all images: its Gram matrices are exact.
    #expect(choose(64, 64, [4]).route == .minibatch)
    #expect(choose(65, 64, [4]).route == .exact)
    // Debiased Gram matrices need four images.
    #expect(choose(65, 3, [4096, 4096]).route == .exact)
    #expect(choose(65, 4, [4096, 4096]).route == .minibatch)
    // The cross products do not fit.
    let widths = [400, 400]
    #expect(choose(9000, 1024, widths).route == .exact)
    let limited = choose(9000, 1024, widths, limit: 1 << 20)
    #expect(limited.route == .minibatch && limited.reason.contains("the limit is 1 MiB"))
    // A little more cost is free.
    let dear = choose(9000, 32, widths)
    #expect(dear.route == .minibatch)
    #expect(choose(9000, 32, widths, free: dear.exactCost).route == .exact)
    #expect(choose(9000, 32, widths, free: dear.exactCost - 1).route == .minibatch)
  }
}
