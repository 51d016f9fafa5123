import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxMeasures

/// One set of `Tests/Fixtures/similarity/cka.safetensors`: what NumPy computed in float64.
struct SimilarityFixture {
  /// What the metadata says of it.
  struct Facts: Decodable {
    var rows: Int
    var block: Int
    var blocksUsed: Int
    var blocksSkipped: Int
    var groups: Int
  }

  let name: String
  let facts: Facts
  private let file: Safetensors

  static let names = ["forty", "remainder", "short", "many", "golden", "demo"]

  init(_ name: String) throws {
    self.name = name
    file = try Safetensors(fixtures.appending(path: "similarity/cka.safetensors").path)
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let sets = try #require(file.metadata["sets"])
    facts = try #require(
      try decoder.decode([String: Facts].self, from: Data(sets.utf8))[name])
  }

  func tensor(_ key: String) throws -> Tensor { try #require(file["\(name)/\(key)"], "\(key)") }
  func numbers(_ key: String) throws -> [Double] { try tensor(key).scalars(Double.self) }

  /// The representations, float64.
  var representations: [Tensor] {
    (0..<9).compactMap { file["\(name)/x\($0)"]?.to(.float64) }
  }

  /// Consecutive rows, the last block perhaps shorter.
  func blocks(_ dtype: DType) -> [[Tensor]] {
    stride(from: 0, to: facts.rows, by: facts.block).map { start in
      representations.map { $0.sliced(0, start, start + facts.block).to(dtype) }
    }
  }
}

@Suite("The NumPy oracle")
struct FixtureTests {
  /// The largest difference, of which none may be missing.
  private func gap(_ found: [Double], _ expected: [Double]) -> Double {
    guard found.count == expected.count else { return .infinity }
    return zip(found, expected).map { abs($0 - $1) }.max() ?? .infinity
  }

  @Test("HSIC and CKA of every pair", arguments: SimilarityFixture.names)
  func pairs(_ name: String) throws {
    let fixture = try SimilarityFixture(name)
    let all = fixture.representations
    let measures: [(any Measure, String)] = [
      (HSIC(), "hsic/unbiased"), (HSIC(estimator: .biased), "hsic/biased"),
      (CKA(), "cka/debiased"), (CKA(estimator: .biased), "cka/biased"),
    ]
    for (measure, key) in measures {
      let expected = try fixture.numbers(key)
      let size = expected.map(abs).max() ?? 1
      for (dtype, tolerance) in [(DType.float64, 1e-11), (.float32, 2e-5)] {
        let found = try all.flatMap { a in
          try all.map { b in try measure(a.to(dtype), b.to(dtype)) }
        }
        #expect(gap(found, expected) < tolerance * size, "\(measure.name) in \(dtype)")
      }
    }
  }

  @Test(
    "minibatch CKA, its standard errors and its skipped blocks", arguments: SimilarityFixture.names)
  func minibatch(_ name: String) throws {
    let fixture = try SimilarityFixture(name)
    let wrong = try fixture.numbers("wrong/mean_of_ratios")
    for (precision, tolerance) in [(DType.float64, 1e-11), (.float32, 2e-5)] {
      var options = MinibatchCKA.Options()
      options.precision = precision
      let sums = MinibatchCKA(count: fixture.representations.count, options: options)
      for (index, block) in fixture.blocks(precision).enumerated() {
        try sums.add(block: index, features: block)
      }
      let result = try sums.result()
      #expect(gap(result.values, try fixture.numbers("minibatch/cka")) < tolerance)
      #expect(gap(result.values, wrong) > 1e-3, "a mean of ratios is another number")
      let errors = try #require(result.standardErrors)
      #expect(gap(errors, try fixture.numbers("minibatch/cka_se")) < 10 * tolerance)
      #expect(result.blocks == fixture.facts.blocksUsed)
      #expect(result.skipped.count == fixture.facts.blocksSkipped)
      let left = fixture.facts.rows % fixture.facts.block
      let isLeftOut = left > 0 && left <= 3
      #expect(result.images == fixture.facts.rows - (isLeftOut ? left : 0))
      #expect(
        result.skipped
          == (isLeftOut ? [SkippedBlock(block: fixture.facts.blocksUsed, images: left)] : []))
      #expect(result.standardError(0, 1) == errors[1] && result[1, 0] == result.values[result.size])
    }
  }

  @Test(
    "the sums that are kept are the oracle's, group by group", arguments: SimilarityFixture.names)
  func groups(_ name: String) throws {
    let fixture = try SimilarityFixture(name)
    var options = MinibatchCKA.Options()
    options.precision = .float64
    let sums = MinibatchCKA(count: fixture.representations.count, options: options)
    for (index, block) in fixture.blocks(.float64).enumerated() {
      try sums.add(block: index, features: block)
    }
    let state = table(sums.state())
    let expected = try fixture.tensor("minibatch/hsic").unbound(0)
    let kept = state.keys.filter { $0.hasPrefix("sums.") }
    #expect(kept.count == fixture.facts.groups)
    for group in 0..<fixture.facts.groups {
      var sum = expected[group]
      for block in stride(from: group + 20, to: expected.count, by: 20) {
        sum = sum + expected[block]
      }
      let found = try #require(state["sums.\(group)"])
      let size = sum.absolute().maximum().item(Double.self)
      #expect(gap(found.scalars(Double.self), sum.scalars(Double.self)) < 1e-11 * size)
    }
  }

  @Test("exact CKA of both estimators from one pass", arguments: SimilarityFixture.names)
  func exact(_ name: String) throws {
    let fixture = try SimilarityFixture(name)
    for (precision, tolerance) in [(DType.float64, 1e-11), (.float32, 2e-5)] {
      let sums = try ExactCKA(
        widths: fixture.representations.map { $0.shape[1] }, precision: precision)
      for (index, block) in fixture.blocks(precision).enumerated() {
        try sums.add(block: index, features: block)
      }
      let debiased = try sums.result()
      #expect(gap(debiased.values, try fixture.numbers("cka/debiased")) < tolerance)
      let biased = try sums.result(.biased)
      #expect(gap(biased.values, try fixture.numbers("cka/biased")) < tolerance)
      #expect(debiased.images == fixture.facts.rows && debiased.skipped.isEmpty)
      #expect(debiased.standardErrors == nil && debiased.shuffled == nil)
    }
  }
}
