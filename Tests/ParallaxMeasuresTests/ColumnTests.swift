import Foundation
import Parallax
import Testing

@Suite("A second side at a time, and memory")
struct ColumnTests {
  /// A measure that says nothing of its first sides.
  private struct Whole<M: Measure>: Measure {
    let base: M
    var name: String { base.name }
    var direction: Direction { base.direction }
    var isSymmetric: Bool { base.isSymmetric }
    var isMetric: Bool { base.isMetric }
    var invariances: Invariance { base.invariances }
    var range: ClosedRange<Double> { base.range }
    var cost: String { base.cost }
    var needsPairing: Bool { base.needsPairing }
    var fewestImages: Int { base.fewestImages }
    var source: String { base.source }
    var agreesWith: String { base.agreesWith }
    var sharedPart: SharedPart? { base.sharedPart }
    func summary(of features: Tensor) throws -> M.Summary { try base.summary(of: features) }
    func summary(from parts: SharedParts) throws -> M.Summary { try base.summary(from: parts) }
    func selected(_ summary: M.Summary, _ images: ImageSelection) throws -> M.Summary? {
      try base.selected(summary, images)
    }
    func similarity(_ a: M.Summary, _ b: M.Summary) throws -> Double {
      try base.similarity(a, b)
    }
  }

  private var options: MeasureMatrix.Options {
    var options = MeasureMatrix.Options()
    (options.permutations, options.groups, options.seed) = (7, 5, 3)
    return options
  }

  private func expectEqual(_ a: MeasureMatrix, _ b: MeasureMatrix) {
    func same(_ a: [Double], _ b: [Double]) -> Bool {
      a.count == b.count && zip(a, b).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN }
    }
    #expect(a.measure == b.measure && a.size == b.size && a.images == b.images)
    #expect(same(a.values, b.values) && a.refusals == b.refusals)
    #expect(a.leftOut.count == b.leftOut.count && a.shuffled.count == b.shuffled.count)
    #expect(zip(a.leftOut, b.leftOut).allSatisfy(same))
    #expect(zip(a.shuffled, b.shuffled).allSatisfy(same))
  }

  @Test(
    "all numbers are those of all summaries side by side, refusals and equal distances included",
    arguments: [DType.float32, .float64])
  func columns(dtype: DType) throws {
    // Whole numbers make many distances equal; two rows alike are refused; so is what does not vary.
    var grid: [Double] = []
    for image in 0..<43 {
      grid += [Double(image % 7), Double(image / 7), Double(image * image % 43)]
    }
    var doubled = MadeUp.noise(43, 4, seed: 9).scalars(Double.self)
    for column in 0..<4 { doubled[4 * 8 + column] = doubled[column] }
    var features: [Tensor] = MadeUp.related(43, [6, 5, 4], seed: 2)
    features.append(Tensor(grid, shape: [43, 3]))
    features.append(Tensor(doubled, shape: [43, 4]))
    features.append(Tensor.ones([43, 3], .float64))
    features = features.map { $0.to(dtype) }
    let measures = [
      InformationImbalance(), InformationImbalance(neighbours: 5),
      InformationImbalance(neighbours: 3, normalization: .zeroBased),
    ]
    let shared = try MeasureMatrix.all(measures, of: features, options: options)
    let whole = try MeasureMatrix.all(
      measures.map { Whole(base: $0) }, of: features, options: options)
    for (a, b) in zip(shared, whole) { expectEqual(a, b) }
    #expect(shared[0].refusals.map(\.index) == [4, 5] && shared[0][0, 3] != nil)
    // Beside others that start from the same distances.
    let mixed = try MeasureMatrix.all(
      [RSA(distance: .euclidean), measures[1], SymmetricInformationImbalance()] as [any Measure],
      of: features, options: options)
    expectEqual(mixed[1], shared[1])
    let symmetric = try #require(mixed[2][0, 1])
    let there = try #require(shared[0][0, 1])
    let back = try #require(shared[0][1, 0])
    #expect(abs(symmetric - (there + back) / 2.0.squareRoot()) < 1e-12)
  }

  @Test("progress goes to its end, and stops where it is told to")
  func progress() throws {
    struct Stop: Error {}
    let features = MadeUp.related(30, [5, 4], seed: 8)
    var shares: [Double] = []
    _ = try MeasureMatrix(InformationImbalance(), of: features, options: options) { done, all in
      shares.append(Double(done) / Double(all))
    }
    // First and second sides of the whole and of five groups, and seven orders, of two representations.
    #expect(shares.count == 2 * (2 * 6 + 7) && shares.last == 1 && shares == shares.sorted())
    #expect(throws: Stop.self) {
      try MeasureMatrix(InformationImbalance(), of: features) { _, _ in throw Stop() }
    }
  }

  @Test("memory grows with the square of the images only where all pairs of them are kept")
  func memory() {
    let widths = [Int](repeating: 768, count: 60)
    func bytes(_ measures: [any Measure], _ images: Int = 10_000) -> Int {
      MeasureMatrix.peak(measures, images: images, widths: widths).bytes
    }
    // 60 tables of 200 MB, and those without a group beside them: what it was.
    #expect(bytes([SymmetricInformationImbalance()]) > 24_000_000_000)
    #expect(bytes([InformationImbalance()]) < 1_500_000_000)
    #expect(bytes([CKA()]) == 121 * 2 * 10_000 * 10_000)
    #expect(bytes([MutualKNN()]) < 1_000_000_000 && bytes([MagnitudeDifference()]) < 10_000)
    // Those side by side count together; of others the most.
    let (names, most) = MeasureMatrix.peak(
      [CKA(), MutualKNN(), AngularCKA()], images: 1000, widths: widths)
    #expect(names == ["cka", "cka-angular"] && most == 2 * bytes([CKA()], 1000))
    var none = MeasureMatrix.Options()
    none.groups = 0
    #expect(
      MeasureMatrix.peak([CKA()], images: 10, widths: [3, 4], options: none).bytes == 3 * 200)
    #expect(MeasureMatrix.peak([], images: 10, widths: [3]).bytes == 0)
  }
}
