import ParallaxTensors

/// One measure on its way through the samples of a ``MomentSums``.
private protocol MomentRunning: MatrixTables {
  /// Adds the next representation's summary, of all images or of a part of them.
  func add(_ index: Int, _ parts: SharedParts, isWhole: Bool) throws
  /// A pair with the first side no later than the second.
  func fill(_ row: Int, _ column: Int, _ cross: CrossMoment, _ sample: MomentRunSample) throws
  func close(_ sample: MomentRunSample)
}

/// What a value is of.
private enum MomentRunSample {
  case whole, part, shuffled
}

private final class MomentRun<M: MomentMeasure>: MomentRunning {
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

  func add(_ index: Int, _ parts: SharedParts, isWhole: Bool) throws {
    do {
      let summary = try measure.summary(from: parts)
      if isWhole { whole.append(summary) } else { part.append(whole[index] == nil ? nil : summary) }
    } catch let error as MeasureError {
      guard isWhole else { return part.append(nil) }
      refusals.append(MeasureMatrix.Refusal(index: index, error: error))
      whole.append(nil)
    }
  }

  func fill(_ row: Int, _ column: Int, _ cross: CrossMoment, _ sample: MomentRunSample) throws {
    let sides = if case .part = sample { part } else { whole }
    open[row * size + column] = try value(sides[row], sides[column], cross, sample)
    guard row != column else { return }
    open[column * size + row] =
      measure.isSymmetric
      ? open[row * size + column]
      : try value(sides[column], sides[row], cross.exchanged, sample)
  }

  func close(_ sample: MomentRunSample) {
    switch sample {
    case .whole: values = open
    case .part: leftOut.append(open)
    case .shuffled: shuffled.append(open)
    }
    part = []
    open = [Double](repeating: .nan, count: size * size)
  }

  private func value(
    _ a: M.Summary?, _ b: M.Summary?, _ cross: CrossMoment, _ sample: MomentRunSample
  ) throws -> Double {
    guard let a, let b else { return .nan }
    do { return try measure.similarity(a, b, cross) } catch let error as MeasureError {
      if case .whole = sample { pairRefusal = pairRefusal ?? error }
      return .nan
    }
  }
}

extension MeasureMatrix {
  /// Computes all pairs of several measures from second moments, without a look at the images.
  ///
  /// Values, errors and chance are those of ``all(_:of:options:tick:)`` for the same images, but for rounding, the deal of
  /// the images into groups, and the orders that they are shuffled into.
  ///
  /// - Parameters:
  ///   - measures: each one that ``Measure/streams``.
  ///   - sums: the moments of all images; ``MomentSums/close()`` is called.
  ///   - places: which of the representations, in ascending order; all by default.
  ///   - isCentred: whether the features count as centred, so that moments about zero are those about the mean.
  ///   - tick: told the names of the measures that are computed side by side, and how many of their summaries and pairs have
  ///     been made; throws to stop.
  /// - Returns: one a measure, in their order.
  /// - Throws: what `tick` throws. A representation that a measure refuses is no error: it is among the refusals.
  /// - Precondition: every measure streams.
  public static func all(
    _ measures: [any Measure], of sums: MomentSums, among places: [Int]? = nil,
    centred isCentred: Bool = false,
    tick: ([String], Int, Int) throws -> Void = { _, _, _ in }
  ) throws -> [MeasureMatrix] {
    sums.close()
    let places = places ?? Array(sums.widths.indices)
    var found: [Int: MeasureMatrix] = [:]
    for batch in batches(measures) {
      let chosen = batch.map { measures[$0] }
      let made = try together(chosen, of: sums, places, isCentred) {
        try tick(chosen.map(\.name), $0, $1)
      }
      for (index, matrix) in zip(batch, made) { found[index] = matrix }
    }
    return measures.indices.compactMap { found[$0] }
  }

  private static func together(
    _ measures: [any Measure], of sums: MomentSums, _ places: [Int], _ isCentred: Bool,
    tick: (Int, Int) throws -> Void
  ) throws -> [MeasureMatrix] {
    let size = places.count
    func run(_ measure: some MomentMeasure) -> any MomentRunning {
      MomentRun(measure, size: size)
    }
    let runs = measures.map { measure in
      guard let known = measure as? any MomentMeasure, measure.streams else {
        preconditionFailure("MeasureMatrix: \(measure.name) does not follow from moments")
      }
      return run(known)
    }
    let groups = sums.filledGroups
    let paired = zip(measures, runs).filter(\.0.needsPairing).map(\.1)
    let orders = paired.isEmpty ? 0 : sums.options.orders
    let all = (1 + groups.count) * 2 * size + orders * size
    var done = 0
    func advance() throws {
      done += 1
      try tick(done, all)
    }
    func give(_ sample: MomentSums.Sample, _ kind: MomentRunSample) throws {
      for (index, place) in places.enumerated() {
        let parts = SharedParts(sample.moments(place))
        for run in runs {
          try run.add(index, parts, isWhole: kind == .whole)
        }
        try advance()
      }
      try pairs(runs, kind) { sample.cross($0, $1) }
    }
    func pairs(
      _ runs: [any MomentRunning], _ kind: MomentRunSample,
      _ cross: (Int, Int) -> CrossMoment?
    ) throws {
      for row in 0..<size {
        for column in row..<size {
          guard let cross = cross(places[row], places[column]) else { continue }
          for run in runs { try run.fill(row, column, cross, kind) }
        }
        try advance()
      }
      for run in runs { run.close(kind) }
    }
    let whole = sums.sample(centred: isCentred)
    try give(whole, .whole)
    for group in groups { try give(sums.sample(leavingOut: group, centred: isCentred), .part) }
    for order in 0..<orders {
      try pairs(paired, .shuffled) { whole.shuffled(order, $0, $1) }
    }
    return zip(measures, runs).map { MeasureMatrix($0, $1, size, whole.images) }
  }

  /// About how many bytes the summaries of measures take at the most that are made of moments: maps of neurons.
  ///
  /// - Parameters:
  ///   - measures: that stream.
  ///   - widths: of the representations.
  ///   - groups: how many are left out in turn.
  /// - Returns: bytes.
  public static func momentPeak(_ measures: [any Measure], widths: [Int], groups: Int) -> Int {
    let maps = widths.reduce(0) { $0 + 8 * $1 * $1 }
    let largest = widths.max() ?? 0
    let most =
      batches(measures).map { batch in
        // The basis with its loadings, and what each cuts from it or makes of it.
        measures[batch[0]].sharedPart == .basis ? min(4, 1 + batch.count) : 1
      }.max() ?? 0
    return (groups > 1 ? 2 : 1) * most * maps + 64 * largest * largest
  }
}
