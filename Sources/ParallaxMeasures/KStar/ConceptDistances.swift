import ParallaxTensors

/// Distances between images in the order of their classes, a block of rows at a time; and exactly, for single pairs.
struct ConceptDistances: Sendable {
  private enum Source: Sendable {
    /// Squared Euclidean distances from products; queries come after the bank.
    case products(DistanceRows)
    /// Σ|x − y|.
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
  /// The features as they came, in the order of rows and of columns.
  private let raw: (rows: Tensor, columns: Tensor)
  private let ofRows: [Int]
  private let ofColumns: [Int]
  private let isSelf: Bool

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
    let own = queries.gathered(0, ofRows)
    let their = bank?.gathered(0, ofColumns) ?? own
    raw = (own, their)
    guard metric == .manhattan else {
      let all = bank == nil ? own : Tensor.concatenated([their, own], 0)
      source = .products(
        try DistanceRows(
          all, metric == .cosine ? .cosine : .euclidean, fewest: 2, measure: KStar.name))
      return
    }
    let precision = Gram.precision(of: own)
    let (left, right) = (own.to(precision), their.to(precision))
    guard left.absolute().sum().isFinite(), right.absolute().sum().isFinite() else {
      throw MeasureError.notFinite(measure: KStar.name)
    }
    source = .sums(rows: left, columns: right)
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
  ///   - isNearExact: whether what is small against the norms is computed from differences.
  /// - Returns: distances.
  func block(_ span: Range<Int>, isNearExact: Bool) -> Tensor {
    let found: Tensor
    switch source {
    case .products(let all):
      let offset = isSelf ? 0 : columns
      found = all.squared(
        (span.lowerBound + offset)..<(span.upperBound + offset), 0..<columns,
        isNearExact: isNearExact)
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

  /// How far the entries of a block may be from the truth where they are near to some level a row: `[rows]`.
  ///
  /// Of products in u = half a unit in the last place, (8 + √width)·u·(‖x‖² + (‖x‖ + √level)²): whoever is as near to x as the
  /// level cannot be longer than that. Sums of roundings grow like the root of their number.
  ///
  /// - Parameters:
  ///   - span: the rows.
  ///   - level: `[rows]`, in the units of the block.
  /// - Returns: `[rows]`, in the units of the block.
  func margin(_ span: Range<Int>, _ level: Tensor) -> Tensor {
    switch source {
    case .products(let all):
      let offset = isSelf ? 0 : columns
      let norms = all.norms.sliced(0, span.lowerBound + offset, span.upperBound + offset)
      let farthest = norms.squareRoot() + level.clamped(0, nil).squareRoot()
      return (norms + farthest * farthest) * (Self.unit(all.precision) * factor(all.width))
    case .sums(let left, _):
      return level * (Self.unit(left.dtype) * factor(left.shape[1]))
    case .matrix: return level * 0.0
    }
  }

  private static func unit(_ precision: DType) -> Double {
    precision == .float64 ? Double.ulpOfOne / 2 : Double(Float.ulpOfOne) / 2
  }

  private func factor(_ width: Int) -> Double { 8 + Double(width).squareRoot() }

  /// The distances of pairs from the features themselves, in float64, in the units of a block.
  ///
  /// - Parameters:
  ///   - left: rows.
  ///   - right: columns.
  /// - Returns: a distance a pair.
  func exact(_ left: [Int], _ right: [Int]) -> [Double] {
    let step = max(1, (1 << 21) / max(1, raw.rows.shape[1]))
    return stride(from: 0, to: left.count, by: step).flatMap { start -> [Double] in
      let span = start..<min(start + step, left.count)
      let (rows, columns) = (Array(left[span]), Array(right[span]))
      if metric == .precomputed {
        let places = span.map { ofRows[left[$0]] * raw.columns.shape[1] + ofColumns[right[$0]] }
        return raw.rows.reshaped(-1).gathered(0, places).scalars(Double.self)
      }
      let (x, y) = (
        directed(raw.rows.gathered(0, rows)), directed(raw.columns.gathered(0, columns))
      )
      let difference = x - y
      let sums =
        metric == .manhattan
        ? difference.absolute().sum(over: [1]) : difference.squared().sum(over: [1])
      return sums.scalars(Double.self)
    }
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
