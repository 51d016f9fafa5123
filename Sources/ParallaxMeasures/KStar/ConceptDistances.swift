import ParallaxTensors

/// Distances between images in the order of their classes, a block of rows at a time; and exactly, for single pairs.
struct ConceptDistances: Sendable {
  private enum Source: Sendable {
    /// Squared Euclidean distances from products; queries come after the bank.
    case products(DistanceRows)
    /// Σ|x − y|, in float64.
    case sums(rows: Tensor, columns: Tensor)
    /// As given.
    case matrix(Tensor)
  }

  let metric: KStar.Metric
  /// Rows: the images whose k* is wanted.
  let rows: Int
  /// Columns: the images among which it is counted.
  let columns: Int
  private let source: Source
  /// The features as they came, in the order of rows and of columns; for finite ones of any size, times a power of two.
  private let raw: (rows: Tensor, columns: Tensor)
  private let ofRows: [Int]
  private let ofColumns: [Int]
  private let isSelf: Bool
  /// The rows of products in float64, once they were needed.
  private var wide: DistanceRows?
  private var known: IdenticalRows?

  /// - Parameters:
  ///   - metric: what is near.
  ///   - queries: `[queries, width]`; a matrix `[queries, images]` where distances are given.
  ///   - bank: `[images, width]`; nil where the queries are compared with one another.
  ///   - ofRows: the order of the queries.
  ///   - ofColumns: the order of the bank.
  /// - Throws: `MeasureError.shape`, `.notFinite`, `.constant`, `.row`, `.undefined`.
  init(
    _ metric: KStar.Metric, _ queries: Tensor, bank: Tensor?, ofRows: [Int], ofColumns: [Int]
  ) throws {
    (self.metric, isSelf) = (metric, bank == nil)
    (rows, columns) = (ofRows.count, ofColumns.count)
    (self.ofRows, self.ofColumns) = (ofRows, ofColumns)
    if metric == .precomputed {
      guard queries.shape == [ofRows.count, ofColumns.count] else {
        throw MeasureError.shape(
          measure: KStar.name, expected: "[\(ofRows.count), \(ofColumns.count)], a distance a pair",
          found: queries.shape)
      }
      guard queries.isFinite() else { throw MeasureError.notFinite(measure: KStar.name) }
      guard queries.minimum().item(Double.self) >= 0 else {
        throw MeasureError.undefined(
          measure: KStar.name, problem: "a distance of the given matrix is below 0")
      }
      (source, raw) = (.matrix(queries), (queries, queries))
      return
    }
    for (features, count) in [(queries, ofRows.count), (bank ?? queries, ofColumns.count)] {
      guard features.rank == 2, features.shape[0] == count, features.shape[1] > 0,
        features.shape[1] == queries.shape[1]
      else {
        throw MeasureError.shape(
          measure: KStar.name, expected: "[\(count), width], the same width on both sides",
          found: features.shape)
      }
    }
    let scale = Self.scale(queries, bank)
    let own = queries.gathered(0, ofRows) * scale
    let their = bank.map { $0.gathered(0, ofColumns) * scale } ?? own
    raw = (own, their)
    guard metric == .manhattan else {
      let all = bank == nil ? own : Tensor.concatenated([their, own], 0)
      source = .products(
        try DistanceRows(
          all, metric == .cosine ? .cosine : .euclidean, fewest: 2, measure: KStar.name))
      return
    }
    let (left, right) = (Gram.widened(own), Gram.widened(their))
    guard left.absolute().sum().isFinite(), right.absolute().sum().isFinite() else {
      throw MeasureError.notFinite(measure: KStar.name)
    }
    source = .sums(rows: left, columns: right)
  }

  /// The power of two that brings features whose squares would leave the range of their type near to 1; else 1. No k* depends on it.
  private static func scale(_ queries: Tensor, _ bank: Tensor?) -> Double {
    let most =
      [queries, bank ?? queries].map {
        $0.absolute().maximum().item(Double.self)
      }.max() ?? 1
    guard most.isFinite, most > 0, most > 0x1p40 || most < 0x1p-40 else { return 1 }
    // Half the range at once, so that the factor itself is a number of every type.
    return Double(sign: .plus, exponent: -max(-120, min(120, Int(most.exponent))), significand: 1)
  }

  private static let cityBlock = Operator("aten::cdist")

  /// Bytes of a block, of four bytes a distance.
  var blockBytes = 1 << 24

  /// How many rows make a block.
  var blockSize: Int { max(1, blockBytes / (columns * 4)) }

  /// The distances of some rows to all columns, `[rows, columns]`, owned by the caller: squared for the Euclidean distance and the
  /// cosine's unit rows. That of an image to itself is infinite.
  ///
  /// - Parameters:
  ///   - span: the rows.
  ///   - isNearExact: whether what is small against the norms is computed from differences; where that is much, the block is of
  ///     products in float64.
  /// - Returns: distances.
  /// - Throws: `MeasureError`, never in practice: float64 takes what float32 took.
  mutating func block(_ span: Range<Int>, isNearExact: Bool) throws -> Tensor {
    let found: Tensor
    switch source {
    case .products(let all):
      let place = offset(span)
      let squares = all.squared(place, 0..<columns, isNearExact: false)
      found = isNearExact ? try corrected(squares, all, span) : squares
    case .sums(let left, let right):
      found = Self.cityBlock(left.sliced(0, span.lowerBound, span.upperBound), right, 1.0)
    case .matrix(let matrix):
      found = matrix.gathered(0, Array(ofRows[span])).gathered(1, ofColumns)
        .to(Gram.precision(of: matrix)).contiguous()
    }
    if isSelf {
      let own = Self.diagonal(found.sliced(1, span.lowerBound, span.upperBound), 0, 0, 1)
      _ = InPlace.fill(own, Double.infinity)
    }
    return found
  }

  private static let diagonal = Operator("aten::diagonal")
  private static let mask = Operator("aten::masked_fill_.Scalar")
  private static let equal = Operator("aten::eq.Tensor")
  private static let not = Operator("aten::logical_not")
  private static let both = Operator("aten::logical_and")

  /// Queries come after the bank.
  private func offset(_ span: Range<Int>) -> Range<Int> {
    let offset = isSelf ? 0 : columns
    return (span.lowerBound + offset)..<(span.upperBound + offset)
  }

  /// Squares of which those that are small against the norms come from differences.
  private mutating func corrected(
    _ squares: Tensor, _ all: DistanceRows, _ span: Range<Int>
  ) throws -> Tensor {
    func near(_ squares: Tensor, _ all: DistanceRows, _ share: Double) -> Tensor {
      let place = offset(span)
      let own = all.norms.sliced(0, place.lowerBound, place.upperBound).unsqueezed(1)
      let their = all.norms.sliced(0, 0, columns).unsqueezed(0)
      return Plain.less(squares, their * share + own * share)
    }
    var (squares, all) = (squares, all)
    var isNear = near(squares, all, 1.0 / 256)
    if isNear.sum().item(Int64.self) > span.count * (2 + columns / 20) {
      // As many differences would cost more than products of twice as many digits.
      all = try widened(all)
      squares = all.squared(offset(span), 0..<columns, isNearExact: false)
      isNear = near(squares, all, 0x1p-34)
      let rows = equalRows()
      if !rows.groups.isEmpty {
        let same = Self.equal(
          Tensor(offset(span).map { Int64(rows.first[$0]) }, shape: [span.count, 1]),
          Tensor((0..<columns).map { Int64(rows.first[$0]) }, shape: [1, columns])
        ).to(squares.device)
        _ = Self.mask(squares, same, 0.0)
        isNear = Self.both(isNear, Self.not(same))
      }
    }
    let close = Plain.nonzero(isNear.reshaped(-1)).reshaped(-1)
    let first = Tensor([Int64(offset(span).lowerBound)], shape: [1]).to(close.device)
    // Some at once: of clusters that are tight enough it is all pairs.
    for start in stride(from: 0, to: close.count, by: 1 << 18) {
      let places = close.sliced(0, start, start + (1 << 18))
      let exact = all.squared(
        Plain.quotient(places, columns) + first, Plain.remainder(places, columns))
      _ = InPlace.put(squares, places, exact)
    }
    return squares
  }

  /// Products in float64.
  private mutating func widened(_ all: DistanceRows) throws -> DistanceRows {
    if all.precision == .float64 { return all }
    if let wide { return wide }
    let whole = isSelf ? raw.rows : Tensor.concatenated([raw.columns, raw.rows], 0)
    let made = try DistanceRows(
      Gram.widened(whole), all.distance, fewest: 2, measure: KStar.name)
    wide = made
    return made
  }

  /// Distances of single rows from products in float64.
  ///
  /// - Parameters:
  ///   - some: rows.
  ///   - block: distances that have not digits enough.
  /// - Returns: `[rows, columns]`; nil where there are no products, or the block is of float64 already.
  /// - Throws: `MeasureError`, never in practice.
  mutating func precise(_ some: [Int], than block: Tensor) throws -> Tensor? {
    guard case .products(let all) = source, block.dtype != .float64,
      Gram.hasFloat64(block.device.description)
    else { return nil }
    let offset = isSelf ? 0 : columns
    let found = try widened(all).squared(some.map { $0 + offset }, 0..<columns)
    if isSelf {
      let places = some.enumerated().map { Int64($0.offset * columns + $0.element) }
      let own = Tensor(places, shape: [places.count])
      _ = InPlace.put(
        found, own, Tensor([Double](repeating: .infinity, count: places.count), shape: [some.count])
      )
    }
    return found
  }

  /// Which rows and columns are the same, columns first where the queries are no columns; of given distances none are known.
  mutating func equalRows() -> IdenticalRows {
    if let known { return known }
    let found =
      metric == .precomputed
      ? IdenticalRows(first: Array(0..<(isSelf ? columns : columns + rows)))
      : IdenticalRows(isSelf ? raw.rows : Tensor.concatenated([raw.columns, raw.rows], 0))
    known = found
    return found
  }

  /// Where a row stands in ``equalRows()``.
  func place(ofRow row: Int) -> Int { isSelf ? row : columns + row }

  /// ‖row‖² of some rows, in the precision of a block; nothing where distances are no products.
  func norms(_ some: [Int], of block: Tensor) -> Tensor? {
    guard case .products(let all) = source else { return nil }
    let offset = isSelf ? 0 : columns
    let norms = block.dtype == all.precision ? all.norms : wide?.norms ?? all.norms
    guard let first = some.first, some.last == first + some.count - 1 else {
      return norms.gathered(0, some.map { $0 + offset })
    }
    return norms.sliced(0, first + offset, first + offset + some.count)
  }

  /// How far the entries of a block may be from the truth where they are near to some level a row: `[rows]`.
  ///
  /// Of products in u = half a unit in the last place, (8 + min(w, 512) + w/512)·u·(‖x‖² + (‖x‖ + √level)²): whoever is as near to x as
  /// the level cannot be longer than that, and products are summed 512 and fewer at a time, these sums one after the other.
  ///
  /// - Parameters:
  ///   - norms: ‖x‖² of the rows, as ``norms(_:of:)`` has them.
  ///   - level: `[rows]`, in the units of the block.
  /// - Returns: `[rows]`, in the units of the block.
  func margin(_ norms: Tensor?, _ level: Tensor) -> Tensor {
    switch source {
    case .products(let all):
      guard let norms else { return level * 0.0 }
      let farthest = norms.squareRoot() + level.clamped(0, nil).squareRoot()
      return (norms + farthest * farthest)
        * (Self.unit(norms.dtype) * Double(8 + min(all.width, 512) + all.width / 512))
    case .sums(let left, _):
      return level * (Self.unit(.float64) * Double(8 + left.shape[1]))
    case .matrix: return level * 0.0
    }
  }

  private static func unit(_ precision: DType) -> Double {
    precision == .float64 ? Double.ulpOfOne / 2 : Double(Float.ulpOfOne) / 2
  }

  /// The distances of pairs from the features themselves, in float64, in the units of a block.
  ///
  /// - Parameters:
  ///   - left: rows.
  ///   - right: columns.
  /// - Returns: a distance a pair.
  func exact(_ left: [Int], _ right: [Int]) -> [Double] {
    let step = max(1, (1 << 20) / max(1, raw.rows.shape[1]))
    var found: [Double] = []
    // Before the large ones that come and go, lest they leave holes in the heap.
    found.reserveCapacity(left.count)
    for start in stride(from: 0, to: left.count, by: step) {
      let span = start..<min(start + step, left.count)
      if metric == .precomputed {
        let places = span.map { ofRows[left[$0]] * raw.columns.shape[1] + ofColumns[right[$0]] }
        found += raw.rows.reshaped(-1).gathered(0, places).scalars(Double.self)
        continue
      }
      let difference =
        directed(raw.rows.gathered(0, Array(left[span])))
        - directed(raw.columns.gathered(0, Array(right[span])))
      let sums =
        metric == .manhattan
        ? difference.absolute().sum(over: [1]) : difference.squared().sum(over: [1])
      found += sums.scalars(Double.self)
    }
    return found
  }

  private func directed(_ features: Tensor) -> Tensor {
    let x = Gram.widened(features)
    return metric == .cosine ? x / x.squared().sum(over: [1], keeping: true).squareRoot() : x
  }

  /// Distances from the entries of a block.
  func lengths(_ block: Tensor) -> Tensor {
    switch metric {
    case .euclidean: block.clamped(0, nil).squareRoot()
    case .cosine: block * 0.5
    case .manhattan, .precomputed: block
    }
  }
}
