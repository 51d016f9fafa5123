import ParallaxMeasures
import ParallaxResults

/// CKA between checkpoints that have the same sites.
struct CheckpointTable {
  let matrix: CKAMatrix
  let depths: [Double]

  /// CKA of one site in two checkpoints.
  func value(_ a: Int, _ b: Int, at site: Int) -> Double? {
    matrix[a * depths.count + site, b * depths.count + site]
  }

  /// The mean over all sites; nil where one is undefined.
  func mean(_ a: Int, _ b: Int) -> Double? {
    Statistics.mean(depths.indices.map { value(a, b, at: $0) })
  }

  /// The mean over the first, middle or last third of the depth.
  func third(_ third: Int, _ a: Int, _ b: Int) -> Double? {
    Statistics.mean(
      depths.indices.filter { min(2, Int(depths[$0] * 3)) == third }.map { value(a, b, at: $0) })
  }

  /// First third less last.
  func fall(_ a: Int, _ b: Int) -> Double? {
    third(0, a, b).flatMap { first in third(2, a, b).map { first - $0 } }
  }

  /// A checkpoint with itself.
  func numbers(_ index: Int) -> StructureNumbers {
    let start = index * depths.count
    return StructureNumbers(
      values: depths.indices.map { row in
        depths.indices.map { matrix[start + row, start + $0] }
      }, depths: depths, kinds: depths.map { _ in .block }, units: Array(depths.indices),
      stages: depths.map { _ in "" })
  }
}

/// What checkpoints say of scale and transfer.
struct CheckpointFindings {
  let names: [String]
  let places: [Double]
  let reference: Int
  let whole: CheckpointTable
  let parts: [CheckpointTable]
  /// Whether all are trained: of made-up weights the paper says nothing.
  let areTrained: Bool

  /// The sentences in the order of the page.
  var all: [Finding] { [lowBlocks, nearer, highNeedMore].compactMap(\.self) }

  private var others: [Int] { names.indices.filter { $0 != reference } }

  private func finding(
    _ sentence: String, _ quantity: String, _ statistic: (CheckpointTable) -> Double?
  ) -> Finding? {
    let estimate = IntervalEstimate(statistic(whole), leavingOut: parts.map(statistic))
    guard estimate.value != nil else { return nil }
    let found = Finding(sentence, estimate, quantity, estimate.verdict(), analysis: "checkpoints")
    return areTrained ? found.bearing(on: .scale) : found
  }

  /// The checkpoint that shows it least decides.
  private var lowBlocks: Finding? {
    let found = others.compactMap { index in
      finding(
        others.count > 1
          ? "In every checkpoint low blocks are nearer to \(names[reference])'s than high blocks; least certainly in \(names[index])"
          : "Low blocks of \(names[index]) are nearer to \(names[reference])'s than high blocks",
        "CKA with the same block, first third of the depth less last"
      ) { $0.fall(index, reference) }
    }
    return found.count == others.count ? found.weakest : nil
  }

  /// Checkpoints in the order of their distance from the reference on the axis, the nearest first.
  private var byDistance: [Int] {
    guard !places.isEmpty else { return [] }
    return others.sorted {
      abs(places[$0] - places[reference]) < abs(places[$1] - places[reference])
    }
  }

  private var nearer: Finding? {
    let order = byDistance
    guard order.count > 1, let first = order.first, let last = order.last else { return nil }
    return finding(
      "The checkpoint that is nearest on the axis, \(names[first]), is more like \(names[reference]) than the farthest, \(names[last])",
      "difference of the mean CKA with the same blocks"
    ) { table in
      table.mean(first, reference).flatMap { near in
        table.mean(last, reference).map { near - $0 }
      }
    }
  }

  private var highNeedMore: Finding? {
    let order = byDistance
    guard order.count > 1, let first = order.first, let last = order.last else { return nil }
    return finding(
      "High blocks gain more from the farthest checkpoint on the axis to the nearest than low blocks",
      "gain of the last third's CKA less that of the first third"
    ) { table in
      table.fall(last, reference).flatMap { far in
        table.fall(first, reference).map { far - $0 }
      }
    }
  }
}
