/// What a run leaves behind.
protocol MatrixTables: AnyObject {
  var values: [Double] { get }
  var leftOut: [[Double]] { get }
  var shuffled: [[Double]] { get }
  var refusals: [MeasureMatrix.Refusal] { get }
  var pairRefusal: MeasureError? { get }
}

/// One measure on its way through the samples of a `MeasureMatrix`, whatever its summaries are.
protocol MatrixRunning: MatrixTables {
  var needsPairing: Bool { get }
  /// Adds the next representation's summary.
  func addWhole(_ parts: SharedParts) throws
  /// All pairs of the whole set.
  func closeWhole(_ tick: () throws -> Void) throws
  /// Adds a representation without some images.
  func addPart(_ index: Int, _ kept: ImageSelection, _ parts: SharedParts) throws
  /// All pairs without those images.
  func closePart(_ tick: () throws -> Void) throws
  /// All pairs whose second side is a representation with its images in another order.
  func addShuffled(_ index: Int, _ order: ImageSelection, _ parts: SharedParts) throws
  /// Closes an order.
  func closeShuffled()
}

/// The run of a measure.
final class MatrixRun<M: Measure>: MatrixRunning {
  private let measure: M
  private let size: Int
  private var whole: [M.Summary?] = []
  private var part: [M.Summary?] = []
  private var open: [Double]
  private(set) var values: [Double] = []
  private(set) var leftOut: [[Double]] = []
  private(set) var shuffled: [[Double]] = []
  private(set) var refusals: [MeasureMatrix.Refusal] = []
  private(set) var pairRefusal: MeasureError?

  init(_ measure: M, size: Int) {
    (self.measure, self.size) = (measure, size)
    open = [Double](repeating: .nan, count: size * size)
  }

  var needsPairing: Bool { measure.needsPairing }

  func addWhole(_ parts: SharedParts) throws {
    do {
      whole.append(try measure.summary(from: parts))
    } catch let error as MeasureError {
      refusals.append(MeasureMatrix.Refusal(index: whole.count, error: error))
      whole.append(nil)
    }
  }

  func closeWhole(_ tick: () throws -> Void) throws {
    for row in 0..<size {
      for column in 0..<size {
        open[row * size + column] =
          try value(whole[row], whole[column]) { pairRefusal = pairRefusal ?? $0 } ?? .nan
      }
      try tick()
    }
    values = takeOpen()
  }

  func addPart(_ index: Int, _ kept: ImageSelection, _ parts: SharedParts) throws {
    if index == 0 { part = [] }
    part.append(try selected(index, kept, parts))
  }

  func closePart(_ tick: () throws -> Void) throws {
    for column in 0..<size {
      try fill(column, part, part[column])
      try tick()
    }
    leftOut.append(takeOpen())
    part = []
  }

  func addShuffled(_ index: Int, _ order: ImageSelection, _ parts: SharedParts) throws {
    try fill(index, whole, selected(index, order, parts))
  }

  func closeShuffled() { shuffled.append(takeOpen()) }

  /// The summary of some images; nil where it, or that of all, has been refused.
  private func selected(_ index: Int, _ images: ImageSelection, _ parts: SharedParts) throws
    -> M.Summary?
  {
    guard let all = whole[index] else { return nil }
    do {
      return try measure.selected(all, images) ?? measure.summary(from: parts)
    } catch is MeasureError {
      return nil
    }
  }

  /// A column of resampled values; of two equal ones one will do.
  private func fill(_ column: Int, _ left: [M.Summary?], _ right: M.Summary?) throws {
    for row in 0..<(measure.isSymmetric ? column + 1 : size) {
      let value = try value(left[row], right) { _ in } ?? .nan
      open[row * size + column] = value
      if measure.isSymmetric { open[column * size + row] = value }
    }
  }

  private func value(_ a: M.Summary?, _ b: M.Summary?, _ refuse: (MeasureError) -> Void) throws
    -> Double?
  {
    guard let a, let b else { return nil }
    do {
      return try measure.similarity(a, b)
    } catch let error as MeasureError {
      refuse(error)
      return nil
    }
  }

  private func takeOpen() -> [Double] {
    let values = open
    open = [Double](repeating: .nan, count: size * size)
    return values
  }
}
