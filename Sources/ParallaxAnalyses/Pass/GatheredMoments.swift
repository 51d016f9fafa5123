import ParallaxMeasures
import ParallaxTensors

/// The second moments of a pass, and what is wrong with a representation, by the images where it shows.
struct GatheredMoments {
  /// Images that have no place among the moments of a representation.
  private struct Problem: Equatable {
    enum Kind: Int { case notFinite, zero }
    var kind: Kind
    var count: Int
    /// Places of the first of them in the data set, three at most.
    var first: [Int]
  }

  let sums: MomentSums
  private let preprocessing: FeaturePreprocessing
  private var problems: [Int: Problem] = [:]
  private var open: (samples: [Int], problems: [Int: Problem]) = ([], [:])

  /// - Parameters:
  ///   - sums: empty.
  ///   - preprocessing: what can be done row by row is done here; centring is left to who takes the moments.
  init(_ sums: MomentSums, _ preprocessing: FeaturePreprocessing) {
    (self.sums, self.preprocessing) = (sums, preprocessing)
  }

  /// Opens a block.
  ///
  /// - Throws: `MeasureError.blockOrder`.
  mutating func begin(_ block: BlockHeading) throws {
    open = (block.samples, [:])
    try sums.begin(block: block.index, images: block.samples.count)
  }

  /// Takes features `[images, width]`.
  ///
  /// - Throws: `MeasureError.blockOrder` where no block is open, or features come twice; `MeasureError.shape`.
  mutating func add(_ index: Int, _ features: Tensor) throws {
    let bad = InputProblem.rowsNotFinite(features)
    var x = features
    if !bad.isEmpty {
      note(index, .notFinite, bad)
      x = features.zerosLike()
    } else if preprocessing.isNormalized {
      let wide = features.to(.cpu).to(.float64)
      let zero = wide.norm(over: [1]).scalars(Double.self).enumerated().filter { $1 == 0 }
      if zero.isEmpty {
        x = try FeaturePreprocessing(normalized: true)(features)
      } else {
        note(index, .zero, zero.map(\.offset))
      }
    }
    try sums.add(index, x)
  }

  /// Closes the block.
  ///
  /// - Throws: `MeasureError.blockOrder` where a representation is missing.
  mutating func finish() throws {
    try sums.finish()
    for (index, new) in open.problems {
      guard var known = problems[index], known.kind == new.kind else {
        // A number that is none outweighs a row of zeros.
        if problems[index]?.kind != .notFinite { problems[index] = new }
        continue
      }
      known.count += new.count
      known.first = Array((known.first + new.first).prefix(3))
      problems[index] = known
    }
    open = ([], [:])
  }

  private mutating func note(_ index: Int, _ kind: Problem.Kind, _ rows: [Int]) {
    let places = rows.filter { open.samples.indices.contains($0) }.map { open.samples[$0] }
    open.problems[index] = Problem(
      kind: kind, count: rows.count, first: Array(places.prefix(3)))
  }

  /// Representations whose features cannot be measured, and why.
  ///
  /// - Parameter ids: the images' names by their places in the data set; without them they are counted.
  /// - Returns: in the order of the representations.
  func refused(_ ids: [String]) -> [PreparedFeatures.Refused] {
    problems.sorted { $0.key < $1.key }.map { index, problem in
      let names = problem.first.map { ids.indices.contains($0) ? ids[$0] : "image \($0)" }
      let list =
        names.joined(separator: ", ")
        + (problem.count > names.count ? " and \(problem.count - names.count) more" : "")
      return PreparedFeatures.Refused(
        index: index,
        reason: problem.kind == .notFinite
          ? "NaN or infinity in the activations of \(list)"
          : "preprocessing: \(list) \(problem.count == 1 ? "is" : "are") zero and \(problem.count == 1 ? "has" : "have") no direction"
      )
    }
  }

  /// The sums and the problems, under names of their own.
  func state() -> [(name: String, tensor: Tensor)] {
    let rows = problems.sorted { $0.key < $1.key }.flatMap { index, problem in
      [index, problem.kind.rawValue, problem.count]
        + (0..<3).map { problem.first.indices.contains($0) ? problem.first[$0] : -1 }
    }
    return [
      ("moments.problems", Tensor(rows.map(Int64.init), shape: [rows.count / 6, 6]))
    ] + sums.state().map { ("moments.\($0.name)", $0.tensor) }
  }

  /// Goes on from a state that `state` gave.
  ///
  /// - Returns: whether it fits; if not, nothing has changed.
  mutating func restore(_ state: [String: Tensor]) -> Bool {
    if state.isEmpty { return true }
    var own: [String: Tensor] = [:]
    for (name, tensor) in state where name.hasPrefix("moments.") {
      own[String(name.dropFirst("moments.".count))] = tensor
    }
    guard let table = own["problems"], table.dtype == .int64, table.rank == 2,
      table.shape[1] == 6
    else { return false }
    var problems: [Int: Problem] = [:]
    let numbers = table.scalars(Int64.self).map(Int.init)
    for start in stride(from: 0, to: numbers.count, by: 6) {
      guard let kind = Problem.Kind(rawValue: numbers[start + 1]) else { return false }
      problems[numbers[start]] = Problem(
        kind: kind, count: numbers[start + 2],
        first: numbers[(start + 3)..<(start + 6)].filter { $0 >= 0 })
    }
    guard sums.restore(own) else { return false }
    self.problems = problems
    return true
  }
}
