import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxMeasures

@Suite("Sums of second moments")
struct MomentSumsTests {
  private let measures: [any Measure] = [
    CKA(), CCA(), LinearRegression(), Procrustes(), CorrelationMatch(), EigenspaceOverlap(),
  ]

  @Test("they do not depend on where the blocks are cut, to the last byte")
  func blocks() throws {
    let features = MadeUp.related(330, [6, 5], seed: 7)
    let whole = try ByMoments.sums(features, groups: 5, orders: 2)
    whole.close()
    let expected = bytes(whole.state()).filter { $0.key != "counts" }
    for sizes in [[330], [64, 64, 64, 64, 64, 10], [1, 329], Array(repeating: 11, count: 30)] {
      let sums = try ByMoments.sums(features, blocks: sizes, groups: 5, orders: 2)
      sums.close()
      #expect(bytes(sums.state()).filter { $0.key != "counts" } == expected, "\(sizes)")
    }
  }

  @Test("a state written to a file and read again goes on to the same bytes")
  func resume() throws {
    let features = MadeUp.related(200, [6, 5], seed: 8).map { ($0 + 2.0).to(.float32) }
    func make() throws -> MomentSums {
      var options = MomentSums.Options()
      (options.groups, options.orders, options.hasLengths) = (4, 3, true)
      return try MomentSums(widths: [6, 5], images: 200, options: options)
    }
    func add(_ block: Int, _ sums: MomentSums) throws {
      try sums.add(
        block: block, features: features.map { $0.sliced(0, 40 * block, 40 * block + 40) })
    }
    let whole = try make()
    for block in 0..<5 { try add(block, whole) }
    for stop in 0...4 {
      let first = try make()
      for block in 0..<stop { try add(block, first) }
      let folder = try TemporaryFolder()
      let path = folder.file("state.safetensors")
      try Safetensors.write(first.state(), to: path)
      let second = try make()
      #expect(second.restore(table(of: try Safetensors(path))))
      for block in stop..<5 { try add(block, second) }
      #expect(bytes(second.state()) == bytes(whole.state()), "after \(stop)")
    }
    whole.close()
    let other = try MomentSums(widths: [6, 4], images: 200)
    #expect(!other.restore(table(whole.state())) && other.images == 0)
    var damaged = table(whole.state())
    damaged["group.1.products.0"] = nil
    #expect(try !make().restore(damaged))
  }

  @Test("values without a group are those of the features of the other images")
  func leftOut() throws {
    let features = MadeUp.related(90, [6, 5], seed: 9).map { $0 + 50.0 }
    let sums = try ByMoments.sums(features, blocks: [50, 40], groups: 3)
    let matrices = try MeasureMatrix.all(measures, of: sums)
    for group in 0..<3 {
      let kept = (0..<90).filter { $0 / sums.chunk % 3 != group }
      #expect(kept.count == 60)
      let rows = features.map { $0.rows(kept) }
      for (measure, matrix) in zip(measures, matrices) {
        let expected = try measure(rows[0], rows[1])
        #expect(
          agrees(
            matrix.leftOut[group][1], expected, within: measure is EigenspaceOverlap ? 1e-8 : 1e-10),
          "\(measure.name)")
      }
    }
  }

  @Test("shuffled values are those of the second side in that order, where no image meets itself")
  func shuffled() throws {
    let features = MadeUp.related(120, [6, 5], seed: 10)
    let sums = try ByMoments.sums(features, blocks: [70, 50], orders: 4, seed: 5)
    let chunk = sums.chunk
    let matrices = try MeasureMatrix.all(measures, of: sums)
    for order in 0..<4 {
      var images: [Int] = []
      for start in stride(from: 0, to: 120, by: chunk) {
        images += sums.cycle(min(chunk, 120 - start), chunk: start / chunk, order: order)
          .map { start + $0 }
      }
      #expect(images.sorted() == Array(0..<120) && !images.enumerated().contains { $0 == $1 })
      for (measure, matrix) in zip(measures, matrices) {
        let there = try measure(features[0], features[1].rows(images))
        let back = try measure(features[1].rows(images), features[0])
        #expect(abs(matrix.shuffled[order][1] - there) < 1e-9, "\(measure.name)")
        #expect(abs(matrix.shuffled[order][2] - back) < 1e-9, "\(measure.name)")
        let own = try measure(features[0], features[0].rows(images))
        #expect(abs(matrix.shuffled[order][0] - own) < 1e-9, "\(measure.name)")
      }
    }
  }

  @Test("errors and chance are those of the features' route, but for the draw")
  func resampling() throws {
    let features = MadeUp.related(400, [8, 8], seed: 13) + [MadeUp.noise(400, 8, seed: 14)]
    var options = MeasureMatrix.Options()
    options.permutations = 99
    let measures: [any Measure] = [CKA(), CCA(), Procrustes()]
    let rows = try MeasureMatrix.all(measures, of: features, options: options)
    let sums = try ByMoments.sums(features, groups: 10, orders: 99)
    for (a, b) in zip(rows, try MeasureMatrix.all(measures, of: sums)) {
      let (left, right) = (try #require(a.standardError(0, 1)), try #require(b.standardError(0, 1)))
      // With 9 degrees of freedom a standard error is known to a quarter; the two deals differ.
      #expect(right / left > 0.4 && right / left < 2.5, "\(a.measure): \(left) \(right)")
      #expect(b.pValue(0, 1) == 0.01, "\(a.measure)")
      #expect(try #require(b.pValue(0, 2)) > 0.02, "\(a.measure)")
      let (chance, expected) = (try #require(b.chance(0, 1)), try #require(a.chance(0, 1)))
      let spread = abs(expected.bound - expected.mean)
      #expect(abs(chance.mean - expected.mean) < 0.5 * spread, "\(a.measure)")
      #expect(abs(chance.bound - expected.bound) < 1.0 * spread, "\(a.measure)")
    }
  }

  @Test("chunks give every group as many rows as every other, and the memory is what it takes")
  func sizes() throws {
    #expect(MomentSums.chunk(images: 20_000, groups: 10) == 500)
    #expect(MomentSums.chunk(images: 2000, groups: 10) == 50)
    #expect(MomentSums.chunk(images: 120, groups: 10) == 12)
    #expect(MomentSums.chunk(images: 7, groups: 0) == 7)
    #expect(MomentSums.chunk(images: 100_000, groups: 0) <= 512)
    var options = MomentSums.Options()
    let one = MomentSums.memory(widths: [100, 50], images: 64, options: options)
    (options.groups, options.orders) = (10, 5)
    let more = MomentSums.memory(widths: [100, 50], images: 64, options: options)
    let pairs = 8 * (100 * 100 + 150 * 50)
    #expect(one > pairs && more > 15 * pairs && more < 15 * pairs + one)
    #expect(throws: MeasureError.memory(measure: "moments", needed: more, limit: 1000)) {
      try MomentSums(widths: [100, 50], images: 64, options: options, memoryLimit: 1000)
    }
  }

  @Test("shards that are merged have the values of an undivided run")
  func merge() throws {
    let features = MadeUp.related(330, [6, 5], seed: 15).map { $0 + 30.0 }
    func shard(_ rows: Range<Int>, _ block: Int, after other: MomentSums? = nil) throws
      -> MomentSums
    {
      var options = MomentSums.Options()
      (options.groups, options.orders, options.hasLengths) = (3, 2, true)
      let sums = try MomentSums(widths: [6, 5], images: 330, options: options)
      if let other { try sums.useShift(of: other) }
      try sums.add(
        block: block, features: features.map { $0.sliced(0, rows.lowerBound, rows.upperBound) })
      return sums
    }
    let whole = try MeasureMatrix.all(measures, of: ByMoments.sums(features))
    let first = try shard(0..<200, 0)
    let second = try shard(200..<330, 1, after: first)
    try first.merge(second)
    #expect(first.images == 330)
    let merged = try MeasureMatrix.all(measures, of: first)
    for (found, expected) in zip(merged, whole) {
      for (a, b) in zip(found.values, expected.values) {
        #expect(abs(a - b) < 1e-10, "\(found.measure): \(a) \(b)")
      }
      #expect(found.leftOut.count == 3 && found.shuffled.count == 2)
      // Chance is chance: debiased CKA of 330 shuffled images is within a few hundredths of 0.
      if found.measure == "cka" { #expect(found.shuffled.allSatisfy { abs($0[1]) < 0.1 }) }
    }
    // Of moments without lengths no shift is needed; into an empty one everything is taken over.
    let empty = try shard(0..<0, 0, after: nil)
    try empty.merge(shard(0..<330, 0))
    #expect(empty.images == 330)
    #expect(throws: MeasureError.self) { try shard(0..<200, 0).merge(shard(200..<330, 1)) }
    #expect(throws: MeasureError.self) { try first.useShift(of: second) }
    #expect(throws: MeasureError.self) { try first.merge(MomentSums(widths: [6, 5], images: 330)) }
  }

  @Test("features out of turn are refused")
  func order() throws {
    let sums = try MomentSums(widths: [3, 2], images: 10)
    let (x, y) = (MadeUp.noise(5, 3, seed: 1), MadeUp.noise(5, 2, seed: 2))
    #expect(throws: MeasureError.self) { try sums.add(0, x) }
    try sums.begin(block: 1, images: 5)
    #expect(throws: MeasureError.self) { try sums.add(0, y) }
    try sums.add(0, x)
    #expect(throws: MeasureError.self) { try sums.add(0, x) }
    #expect(throws: MeasureError.self) { try sums.finish() }
    try sums.begin(block: 1, images: 5)
    try sums.add(1, y)
    try sums.add(0, x)
    try sums.finish()
    #expect(throws: MeasureError.self) { try sums.begin(block: 1, images: 5) }
    #expect(sums.images == 5)
  }
}
