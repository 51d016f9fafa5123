import Foundation
import Parallax
import Testing

@testable import ParallaxMeasures

@Suite("Exact CKA")
struct ExactCKATests {
  private static let widths = [6, 9, 4]

  private func features(_ images: Int, _ dtype: DType = .float32) -> [Tensor] {
    MadeUp.related(images, Self.widths, seed: 41).map { ($0 + 5.0).to(dtype) }
  }

  /// Blocks of those sizes, one after the other.
  private func cut(_ features: [Tensor], _ sizes: [Int]) -> [[Tensor]] {
    var start = 0
    return sizes.map { size in
      defer { start += size }
      return features.map { $0.sliced(0, start, start + size) }
    }
  }

  private func run(
    _ blocks: [[Tensor]], from first: Int = 0, into sums: ExactCKA? = nil,
    _ precision: DType = .float32
  ) throws -> ExactCKA {
    let sums = try sums ?? ExactCKA(widths: Self.widths, precision: precision)
    for (index, block) in blocks.enumerated() {
      try sums.add(block: first + index, features: block)
    }
    return sums
  }

  @Test("it is the pairs' own CKA over the whole set, wherever the blocks are cut")
  func wholeSet() throws {
    let features = features(700, .float64)
    for estimator in Estimator.allCases {
      let expected = try features.flatMap { a in
        try features.map { try CKA(estimator: estimator)(a, $0) }
      }
      for sizes in [[700], [512, 188], [64, 3, 1, 600, 32], [1, 699]] {
        let result = try run(cut(features, sizes), .float64).result(estimator)
        for (a, b) in zip(result.values, expected) { #expect(abs(a - b) < 1e-11, "\(sizes)") }
        #expect(result.images == 700 && result.blocks == sizes.count && result.skipped.isEmpty)
      }
    }
    // In float32 the products lose what float32 loses.
    let narrow = try run(cut(self.features(700), [100, 600])).result()
    let wide = try CKA()(features[0], features[1])
    #expect(abs(try #require(narrow[0, 1]) - wide) < 1e-5)
  }

  @Test(
    "one block by minibatches gives the same as the cross products", arguments: Estimator.allCases)
  func bothRoutes(_ estimator: Estimator) throws {
    let features = features(90, .float64)
    var options = MinibatchCKA.Options()
    (options.precision, options.estimator) = (.float64, estimator)
    let minibatch = MinibatchCKA(count: 3, options: options)
    try minibatch.add(block: 0, features: features)
    let exact = try run([features], .float64).result(estimator)
    for (a, b) in zip(try minibatch.result().values, exact.values) { #expect(abs(a - b) < 1e-11) }
    #expect(exact[0, 0] == 1 && exact[1, 1] == 1)
  }

  @Test("asking for a result between blocks changes nothing")
  func askedBetween() throws {
    let blocks = cut(features(600), [100, 100, 100, 100, 100, 100])
    let sums = try run(Array(blocks[..<3]))
    let before = bytes(sums.state())
    let (first, again) = (try sums.result().values, try sums.result().values)
    #expect(first == again && bytes(sums.state()) == before)
    _ = try run(Array(blocks[3...]), from: 3, into: sums)
    #expect(bytes(sums.state()) == bytes(try run(blocks).state()))
  }

  @Test("a state written to a file and read again goes on to the same bytes")
  func resume() throws {
    let blocks = cut(features(900), Array(repeating: 100, count: 9))
    let whole = try run(blocks)
    let path = FileManager.default.temporaryDirectory
      .appending(path: "exact-\(UUID().uuidString).safetensors").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    // Before and after the rows are multiplied.
    for stop in [1, 5, 6, 8] {
      try Safetensors.write(try run(Array(blocks[..<stop])).state(), to: path)
      let file = try Safetensors(path)
      let resumed = try ExactCKA(widths: Self.widths)
      #expect(resumed.restore(table(of: file)))
      _ = try run(Array(blocks[stop...]), from: stop, into: resumed)
      #expect(bytes(resumed.state()) == bytes(whole.state()), "stopped after \(stop)")
      #expect(try resumed.result().values == whole.result().values)
    }
  }

  @Test("a foreign or damaged state is refused unchanged")
  func foreignState() throws {
    let blocks = cut(features(300), [100, 100, 100])
    let state = table(try run(blocks).state())
    #expect(!(try ExactCKA(widths: [6, 9, 5]).restore(state)))
    #expect(!(try ExactCKA(widths: Self.widths, precision: .float64).restore(state)))
    let sums = try run(Array(blocks[..<1]))
    let before = bytes(sums.state())
    for name in state.keys {
      var damaged = state
      damaged[name] = nil
      #expect(!sums.restore(damaged), "without \(name)")
      damaged[name] = Tensor.zeros([2], .float16)
      #expect(!sums.restore(damaged), "with another \(name)")
    }
    #expect(bytes(sums.state()) == before)
    #expect(sums.restore(state))
    let empty = try ExactCKA(widths: Self.widths)
    #expect(sums.restore(table(empty.state())))
    #expect(bytes(sums.state()) == bytes(empty.state()))
  }

  @Test("shards with one shift merge to an undivided run, to float64's rounding")
  func merge() throws {
    let blocks = cut(features(1100), [300, 150, 350, 300])
    let whole = try run(blocks)
    let first = try run(Array(blocks[..<2]))
    let second = try ExactCKA(widths: Self.widths)
    try second.useShift(of: first)
    _ = try run(Array(blocks[2...]), from: 2, into: second)
    for (a, b) in [(first, second), (second, first)] {
      let sums = try ExactCKA(widths: Self.widths)
      try sums.merge(a)
      try sums.merge(b)
      for estimator in Estimator.allCases {
        let (found, expected) = (try sums.result(estimator), try whole.result(estimator))
        for (x, y) in zip(found.values, expected.values) { #expect(abs(x - y) < 1e-6) }
        #expect(found.images == 1100 && found.blocks == 4)
      }
    }
    // What was merged is not changed by it.
    #expect(bytes(first.state()) == bytes(try run(Array(blocks[..<2])).state()))
    #expect(throws: MeasureError.self) { try first.merge(try run(Array(blocks[2...]), from: 2)) }
    #expect(throws: MeasureError.self) { try first.merge(try ExactCKA(widths: [6, 9])) }
    #expect(throws: MeasureError.self) { try first.useShift(of: second) }
    #expect(throws: MeasureError.self) {
      try ExactCKA(widths: Self.widths).useShift(of: try ExactCKA(widths: Self.widths))
    }
  }

  @Test("constant and non-finite representations are refused alone")
  func refusals() throws {
    let features = features(40)
    let clean = try run([features]).result()
    let tenths = Tensor.ones([40, 9]) * 0.1
    for (bad, reason, block) in [
      (tenths, CKARefusal.Reason.constant, Int?.none),
      (features[1] * Double.infinity, .notFinite, 0), (features[1] * 1e30, .notFinite, 0),
    ] {
      let result = try run(cut([features[0], bad, features[2]], [20, 20])).result()
      #expect(result.refusals == [CKARefusal(index: 1, block: block, reason: reason)])
      #expect(result[0, 1] == nil && result[1, 1] == nil && result[2, 1] == nil)
      let (kept, expected) = (try #require(result[0, 2]), try #require(clean[0, 2]))
      #expect(abs(kept - expected) < 1e-6)
    }
  }

  @Test("a saved refusal comes back as it was, with its block or without one")
  func savedRefusals() throws {
    let sums = try run(cut(features(40), [20, 20]))
    sums.refusals = [
      0: CKARefusal(index: 0, block: nil, reason: .constant),
      2: CKARefusal(index: 2, block: 1, reason: .notFinite),
    ]
    let restored = try ExactCKA(widths: Self.widths)
    let state = Dictionary(uniqueKeysWithValues: sums.state().map { ($0.name, $0.tensor) })
    #expect(restored.restore(state))
    #expect(restored.refusals == sums.refusals)
    #expect(restored.refusals[0]?.description.contains("block") == false)
  }

  @Test("float64 sums go to the host where a device has none")
  func home() {
    #expect(Gram.hasFloat64("cpu") && Gram.hasFloat64("cuda:1"))
    #expect(!Gram.hasFloat64("mps") && !Gram.hasFloat64("mps:0"))
    #expect(Gram.home(of: .cpu) == .cpu)
  }

  @Test("too few images, blocks out of order and too much memory are refused")
  func refused() throws {
    let sums = try ExactCKA(widths: Self.widths)
    #expect(throws: MeasureError.tooFew(measure: "exact CKA", images: 0, needed: 4)) {
      try sums.result()
    }
    try sums.add(block: 2, features: features(3))
    #expect(throws: MeasureError.tooFew(measure: "exact CKA", images: 3, needed: 4)) {
      try sums.result()
    }
    #expect(try sums.result(.biased).images == 3)
    #expect(throws: MeasureError.self) { try sums.add(block: 2, features: features(3)) }
    #expect(throws: MeasureError.self) { try sums.finish() }
    try sums.begin(block: 3, images: 3)
    #expect(
      throws: MeasureError.shape(measure: "exact CKA", expected: "[3, 9]", found: [3, 6])
    ) { try sums.add(1, features(3)[0]) }
    let needed = ExactCKA.memory(widths: [20_000])
    #expect(needed > 8 * 20_000 * 20_000)
    #expect(
      throws: MeasureError.memory(measure: "exact CKA", needed: needed, limit: 1 << 30)
    ) { try ExactCKA(widths: [20_000]) }
  }
}
