import Foundation
import Parallax
import Testing

@testable import ParallaxMeasures

@Suite("Minibatch CKA")
struct MinibatchCKATests {
  private static let widths = [6, 9, 4]

  private func blocks(_ count: Int, of images: Int = 8) -> [[Tensor]] {
    let all = MadeUp.related(count * images, Self.widths, seed: 31)
    return (0..<count).map { block in
      all.map { $0.sliced(0, block * images, (block + 1) * images).to(.float32) }
    }
  }

  private func made(
    _ change: (inout MinibatchCKA.Options) -> Void = { $0.groups = 4 }
  ) -> MinibatchCKA {
    var options = MinibatchCKA.Options()
    change(&options)
    return MinibatchCKA(count: 3, options: options)
  }

  private func run(_ indices: some Sequence<Int>, _ blocks: [[Tensor]]) throws -> MinibatchCKA {
    let sums = made()
    for index in indices { try sums.add(block: index, features: blocks[index]) }
    return sums
  }

  @Test("images that are seen four times tell no more than once")
  func seenSeveralTimes() throws {
    let blocks = blocks(8)
    func sums(_ passes: Int) throws -> CKAMatrix {
      let sums = made { $0.groups = 8 * passes }
      for pass in 0..<passes {
        for (index, block) in blocks.enumerated() {
          try sums.add(block: 8 * pass + index, features: block)
        }
      }
      return try sums.result()
    }
    let (once, all) = (try sums(1), try sums(4))
    let wide = all.seen(4)
    let images: [Int] = [once.images, all.images, wide.images]
    #expect(images == [64, 256, 64])
    #expect(wide.values == all.values)
    #expect(once.seen(1).standardErrors == once.standardErrors)
    let errors = try [once, all, wide].map { try #require($0.standardErrors)[1] }
    #expect(errors[1] < 0.6 * errors[0])
    #expect(abs(errors[2] / errors[0] - 1) < 0.15)
    let left = wide.leftOut.map { $0[1] }
    let mean = left.reduce(0, +) / 32
    let spread = (left.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } * 31 / 32).squareRoot()
    #expect(abs(spread / errors[2] - 1) < 1e-9)
  }

  @Test("one block that holds all images is the pairs' own CKA", arguments: Estimator.allCases)
  func oneBlock(_ estimator: Estimator) throws {
    let all = MadeUp.related(40, Self.widths, seed: 12)
    let sums = made { ($0.estimator, $0.precision) = (estimator, .float64) }
    try sums.add(block: 0, features: all)
    let result = try sums.result()
    for a in 0..<3 {
      for b in 0..<3 {
        let pair = try CKA(estimator: estimator)(all[a], all[b])
        #expect(abs(try #require(result[a, b]) - pair) < 1e-12)
      }
    }
    #expect(result[0, 0] == 1 && result[2, 2] == 1)
    #expect(result.standardErrors == nil && result.standardError(0, 1) == nil)
  }

  @Test("a state written to a file and read again goes on to the same bytes")
  func resume() throws {
    let blocks = blocks(9)
    let whole = try run(0..<9, blocks)
    let path = FileManager.default.temporaryDirectory
      .appending(path: "minibatch-\(UUID().uuidString).safetensors").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    for stop in [1, 4, 8] {
      try Safetensors.write(try run(0..<stop, blocks).state(), to: path)
      let file = try Safetensors(path)
      let resumed = made()
      #expect(resumed.restore(table(of: file)))
      for index in stop..<9 { try resumed.add(block: index, features: blocks[index]) }
      #expect(bytes(resumed.state()) == bytes(whole.state()))
      #expect(try resumed.result().values == whole.result().values)
      // What was mapped has not been written to.
      #expect(try Safetensors(path).names == file.names)
    }
  }

  @Test("a state of other options, or with a part missing or misshapen, is refused unchanged")
  func foreignState() throws {
    let blocks = blocks(3)
    let state = table(try run(0..<3, blocks).state())
    let others = [
      made { $0.groups = 5 }, made { ($0.groups, $0.seed) = (4, 1) },
      made { ($0.groups, $0.precision) = (4, .float64) },
      made { ($0.groups, $0.estimator) = (4, .biased) },
      made { ($0.groups, $0.permutations) = (4, 2) },
    ]
    for other in others { #expect(!other.restore(state)) }
    let sums = try run(0..<2, blocks)
    let before = bytes(sums.state())
    for name in state.keys {
      var damaged = state
      damaged[name] = nil
      #expect(!sums.restore(damaged), "without \(name)")
      damaged[name] = Tensor.zeros([2], .float32)
      #expect(!sums.restore(damaged), "with another \(name)")
    }
    #expect(!sums.restore([:]))
    #expect(bytes(sums.state()) == before)
    #expect(sums.restore(state))
  }

  @Test("shards of groups merge to the bytes of an undivided run, in whatever order")
  func groupShards() throws {
    let blocks = blocks(11)
    let whole = try run(0..<11, blocks)
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
      let shards = try [[0], [1, 3], [2]].map { groups in
        try run((0..<11).filter { groups.contains($0 % 4) }, blocks)
      }
      let sums = made()
      for shard in order { try sums.merge(shards[shard]) }
      #expect(bytes(sums.state()) == bytes(whole.state()))
    }
  }

  @Test("shards of consecutive blocks agree with an undivided run to float64's rounding")
  func consecutiveShards() throws {
    let blocks = blocks(11)
    let whole = try run(0..<11, blocks).result()
    for cut in [1, 5, 10] {
      let (first, second) = (try run(0..<cut, blocks), try run(cut..<11, blocks))
      try second.merge(first)
      let merged = try second.result()
      for (a, b) in zip(merged.values, whole.values) { #expect(abs(a - b) < 1e-13) }
      #expect(merged.images == 88 && merged.blocks == 11)
    }
  }

  @Test("blocks that are counted already, or were made otherwise, are not merged")
  func badMerge() throws {
    let blocks = blocks(6)
    let sums = try run(0..<4, blocks)
    let before = bytes(sums.state())
    #expect(throws: MeasureError.self) { try sums.merge(try run(3..<6, blocks)) }
    #expect(throws: MeasureError.self) { try sums.merge(sums) }
    #expect(throws: MeasureError.self) { try sums.merge(made { ($0.groups, $0.seed) = (4, 9) }) }
    #expect(bytes(sums.state()) == before)
  }

  @Test("blocks out of order, and representations twice or missing, are refused")
  func order() throws {
    let blocks = blocks(6)
    let sums = try run([0, 5], blocks)
    #expect(throws: MeasureError.self) { try sums.add(block: 1, features: blocks[1]) }
    #expect(throws: MeasureError.self) { try sums.add(block: 5, features: blocks[5]) }
    #expect(throws: MeasureError.self) { try made().finish() }
    #expect(throws: MeasureError.self) { try made().add(0, blocks[0][0]) }
    let open = made()
    try open.begin(block: 0, images: 8)
    try open.add(2, blocks[0][2])
    #expect(throws: MeasureError.self) { try open.add(2, blocks[0][2]) }
    #expect(throws: MeasureError.self) { try open.begin(block: 1, images: 8) }
    #expect(
      throws: MeasureError.shape(
        measure: "minibatch CKA", expected: "[8, width]", found: [7, 9])
    ) { try open.add(1, blocks[0][1].sliced(0, 0, 7)) }
    #expect(throws: MeasureError.self) { try open.finish() }
    // The order within a block is nobody's business.
    try open.add(0, blocks[0][0])
    try open.add(1, blocks[0][1])
    try open.finish()
    #expect(bytes(open.state()) == bytes(try run([0], blocks).state()))
  }

  @Test("constant, infinite and NaN representations are refused alone, with block and reason")
  func refusals() throws {
    let blocks = blocks(4)
    let clean = try run(0..<4, blocks).result()
    let bad: [(Tensor, CKARefusal.Reason)] = [
      (Tensor.ones([8, 9]) * 0.1, .constant), (blocks[1][1] * Double.nan, .notFinite),
      (blocks[1][1] * 1e30, .notFinite),
      (Tensor.concatenated([Tensor.zeros([7, 9]), Tensor.ones([1, 9])], 0), .constant),
    ]
    for (features, reason) in bad {
      let sums = made()
      for (index, block) in blocks.enumerated() {
        var block = block
        if index == 1 || index == 3 { block[1] = features }
        try sums.add(block: index, features: block)
      }
      let result = try sums.result()
      #expect(result.refusals == [CKARefusal(index: 1, block: 1, reason: reason)])
      for other in 0..<3 { #expect(result[1, other] == nil && result[other, 1] == nil) }
      #expect(result.standardError(1, 0) == nil && result.standardError(2, 0) != nil)
      #expect(result[0, 2] == clean[0, 2] && result[0, 0] == 1)
      #expect(result.refusals[0].description.contains("in block 1"))
      // The baseline leaves it out too.
      let part = try #require(result.shuffled?.summary(rows: 0..<2, columns: 2..<3))
      #expect(part.mean.isFinite)
      #expect(result.shuffled?.summary(rows: 1..<2, columns: 0..<3) == nil)
    }
  }

  @Test("the groups that are told are those that hold a block")
  func groups() throws {
    let sums = made { $0.groups = 20 }
    let block = Self.widths.enumerated().map { MadeUp.noise(8, $1, seed: UInt64($0)) }
    // Block 5 could not be read, and its group has no other.
    for index in 0..<21 where index != 5 { try sums.add(block: index, features: block) }
    let result = try sums.result()
    #expect(result.blocks == 20 && result.groups == 19)
  }

  @Test("without a block of at least four images there is no result")
  func tooFew() throws {
    #expect(throws: MeasureError.tooFew(measure: "minibatch CKA", images: 0, needed: 4)) {
      try made().result()
    }
    let sums = made()
    for (block, images) in [2, 3].enumerated() {
      try sums.add(block: block, features: Self.widths.map { MadeUp.noise(images, $0, seed: 1) })
    }
    #expect(throws: MeasureError.tooFew(measure: "minibatch CKA", images: 3, needed: 4)) {
      try sums.result()
    }
  }
}
