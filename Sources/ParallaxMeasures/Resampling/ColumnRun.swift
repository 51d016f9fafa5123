import ParallaxTensors

/// One measure whose first sides are light, a second side at a time.
private protocol ColumnRunning: MatrixTables {
  /// Adds the next representation as a first side.
  func addFirst(_ parts: SharedParts) throws
  /// Adds a representation as a first side without some images.
  func addFirst(_ index: Int, group: Int, _ kept: ImageSelection, _ parts: SharedParts) throws
  /// Opens a representation as the second side, and all values with it.
  func openColumn(_ index: Int, _ parts: SharedParts) throws
  /// All values with the second side, without some images.
  func fill(_ index: Int, group: Int, _ kept: ImageSelection, _ parts: SharedParts) throws
  /// All values with the second side in another order.
  func fill(_ index: Int, order: Int, _ images: ImageSelection, _ parts: SharedParts) throws
}

private final class ColumnRun<M: Measure>: ColumnRunning {
  private let measure: M
  private let size: Int
  private var first: [M.Summary?] = []
  /// By groups.
  private var parts: [[M.Summary?]]
  private var second: M.Summary?
  private(set) var values: [Double]
  private(set) var leftOut: [[Double]]
  private(set) var shuffled: [[Double]]
  private(set) var refusals: [MeasureMatrix.Refusal] = []
  private(set) var pairRefusal: MeasureError?

  init(_ measure: M, size: Int, groups: Int, orders: Int) {
    (self.measure, self.size) = (measure, size)
    values = [Double](repeating: .nan, count: size * size)
    leftOut = (0..<groups).map { _ in [Double](repeating: .nan, count: size * size) }
    shuffled = (0..<orders).map { _ in [Double](repeating: .nan, count: size * size) }
    parts = (0..<groups).map { _ in [] }
  }

  func addFirst(_ parts: SharedParts) throws {
    do {
      first.append(try measure.firstSide(from: parts))
    } catch let error as MeasureError {
      refusals.append(MeasureMatrix.Refusal(index: first.count, error: error))
      first.append(nil)
    }
  }

  func addFirst(_ index: Int, group: Int, _ kept: ImageSelection, _ parts: SharedParts) throws {
    self.parts[group].append(
      try selected(first[index], kept) { try measure.firstSide(from: parts) })
  }

  func openColumn(_ index: Int, _ parts: SharedParts) throws {
    second = nil
    guard first[index] != nil else { return }
    do { second = try measure.summary(from: parts) } catch is MeasureError { return }
    for row in 0..<size {
      values[row * size + index] =
        try value(first[row], second) { pairRefusal = pairRefusal ?? $0 }
    }
  }

  func fill(_ index: Int, group: Int, _ kept: ImageSelection, _ parts: SharedParts) throws {
    let column = try selected(second, kept) { try measure.summary(from: parts) }
    for row in 0..<size {
      leftOut[group][row * size + index] = try value(self.parts[group][row], column) { _ in }
    }
  }

  func fill(_ index: Int, order: Int, _ images: ImageSelection, _ parts: SharedParts) throws {
    let column = try selected(second, images) { try measure.summary(from: parts) }
    for row in 0..<size {
      shuffled[order][row * size + index] = try value(first[row], column) { _ in }
    }
  }

  /// The summary of some images; nil where it, or that of all, has been refused.
  private func selected(
    _ whole: M.Summary?, _ images: ImageSelection, _ make: () throws -> M.Summary
  ) throws -> M.Summary? {
    guard let whole else { return nil }
    do { return try measure.selected(whole, images) ?? make() } catch is MeasureError { return nil }
  }

  private func value(_ a: M.Summary?, _ b: M.Summary?, _ refuse: (MeasureError) -> Void) throws
    -> Double
  {
    guard let a, let b else { return .nan }
    do { return try measure.similarity(a, b) } catch let error as MeasureError {
      refuse(error)
      return .nan
    }
  }
}

extension MeasureMatrix {
  /// Measures with light first sides: those of all representations are held, and the whole summary of one at a time.
  ///
  /// The values are those of all summaries side by side.
  static func byColumns(
    _ measures: [any Measure], of features: [Tensor], samples: Samples,
    tick: (Int, Int) throws -> Void
  ) throws -> [MeasureMatrix] {
    let (size, images) = (features.count, features.first?.shape.first ?? 0)
    func run(_ measure: some Measure) -> any ColumnRunning {
      ColumnRun(
        measure, size: size, groups: samples.kept.count,
        orders: measure.needsPairing ? samples.orders.count : 0)
    }
    let runs = measures.map { run($0) }
    let paired = zip(measures, runs).filter(\.0.needsPairing).map(\.1)
    let all =
      (2 * (1 + samples.kept.count) * runs.count + samples.orders.count * paired.count) * size
    var done = 0
    func joined(_ parts: [SharedPart]) -> SharedPart? {
      parts.reduce(SharedPart?.none) { $0?.joined($1) ?? $1 }
    }
    let light = joined(measures.compactMap(\.firstSide))
    let heavy = joined(measures.compactMap(\.sharedPart))
    func give(_ runs: [any ColumnRunning], _ add: (any ColumnRunning) throws -> Void) throws {
      for run in runs {
        try add(run)
        done += 1
        try tick(done, all)
      }
    }
    for whole in features {
      let parts = SharedParts(light) { whole }
      try give(runs) { try $0.addFirst(parts) }
    }
    for (group, kept) in samples.kept.enumerated() {
      let selection = ImageSelection(kept, of: images)
      for (index, whole) in features.enumerated() {
        let parts = SharedParts(light) { selection.rows(of: whole) }
        try give(runs) { try $0.addFirst(index, group: group, selection, parts) }
      }
    }
    for (index, whole) in features.enumerated() {
      let parts = SharedParts(heavy) { whole }
      try give(runs) { try $0.openColumn(index, parts) }
      for (group, kept) in samples.kept.enumerated() {
        let selection = ImageSelection(kept, of: images)
        let parts = SharedParts(heavy) { selection.rows(of: whole) }
        try give(runs) { try $0.fill(index, group: group, selection, parts) }
      }
      for (place, order) in samples.orders.enumerated() {
        let selection = ImageSelection(order, of: images)
        let parts = SharedParts(heavy) { selection.rows(of: whole) }
        try give(paired) { try $0.fill(index, order: place, selection, parts) }
      }
    }
    return zip(measures, runs).map { MeasureMatrix($0, $1, size, images) }
  }
}
