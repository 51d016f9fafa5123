import ParallaxMeasures
import ParallaxResults

/// A measure's values as distances: larger is farther.
struct HowFar: Sendable {
  /// What the numbers are: `information-imbalance`, `1 − cka`.
  let quantity: String
  /// What a representation has with itself; nil where that depends on it.
  let floor: Double?
  private let top: Double?

  /// - Parameters:
  ///   - measure: any.
  ///   - images: how many there are.
  init(_ measure: any Measure, images: Int) {
    let own = measure.selfValue(images: images)
    switch measure.direction {
    case .distance: (top, quantity, floor) = (nil, measure.name, own)
    case .similarity:
      let end = measure.range.upperBound
      let ceiling = end.isFinite ? end : 0
      top = ceiling
      quantity = (ceiling == 0 ? "−" : "\(Self.number(ceiling)) − ") + measure.name
      floor = own.map { ceiling - $0 }
    }
  }

  /// The value turned round where larger is more alike.
  func callAsFunction(_ value: Double) -> Double { top.map { $0 - value } ?? value }

  private static func number(_ value: Double) -> String {
    value == value.rounded() ? String(Int(value)) : String(value)
  }
}

/// How far all representations are from one another: one table of a ``MeasureMatrix``, or one without a group of images, or
/// one of shuffled images.
struct StepsTable: Sendable {
  let size: Int
  private let values: [Double]

  init(_ values: [Double], size: Int, _ far: HowFar) {
    self.size = size
    self.values = values.map { far($0) }
  }

  /// A table with rows and columns that the other has not: they are undefined.
  ///
  /// - Parameters:
  ///   - values: of a matrix of `side` × `side`.
  ///   - side: rows there.
  ///   - map: of each row here the row there.
  ///   - far: how values become distances.
  init(_ values: [Double], side: Int, _ map: [Int?], _ far: HowFar) {
    size = map.count
    self.values = map.flatMap { row in
      map.map { column in
        guard let row, let column else { return Double.nan }
        return far(values[row * side + column])
      }
    }
  }

  /// From the first to the second; nil where it is undefined.
  subscript(a: Int, b: Int) -> Double? {
    let value = values[a * size + b]
    return value.isNaN ? nil : value
  }

  /// The mean of both directions.
  func mean(_ a: Int, _ b: Int) -> Double? {
    guard let there = self[a, b], let back = self[b, a] else { return nil }
    return (there + back) / 2
  }
}

/// The tables that numbers with intervals are made of.
struct StepsTables: Sendable {
  let whole: StepsTable
  /// One without each group of images.
  let leftOut: [StepsTable]
  /// One for each order of shuffled images.
  let shuffled: [StepsTable]

  init(whole: StepsTable, leftOut: [StepsTable], shuffled: [StepsTable]) {
    (self.whole, self.leftOut, self.shuffled) = (whole, leftOut, shuffled)
  }

  init(_ matrix: MeasureMatrix, _ map: [Int?], _ far: HowFar) {
    func table(_ values: [Double]) -> StepsTable {
      StepsTable(values, side: matrix.size, map, far)
    }
    whole = table(matrix.values)
    leftOut = matrix.leftOut.map(table)
    shuffled = matrix.shuffled.map(table)
  }

  /// A number, and its interval by the delete-group jackknife.
  func estimate(_ statistic: (StepsTable) -> Double?) -> StepsResult.Estimate {
    estimates { [statistic($0)] }[0]
  }

  /// Numbers of one kind, with their intervals.
  func estimates(_ statistics: (StepsTable) -> [Double?]) -> [StepsResult.Estimate] {
    let values = statistics(whole)
    let left = leftOut.map(statistics)
    return values.indices.map { place in
      IntervalEstimate(values[place], leavingOut: left.map { $0[place] })
    }
  }

  /// The mean over the orders of shuffled images; nil where there are none.
  func chance(_ statistic: (StepsTable) -> Double?) -> Double? {
    let found = shuffled.compactMap(statistic)
    return found.isEmpty ? nil : found.reduce(0, +) / Double(found.count)
  }
}
