import ParallaxTensors

/// Rows whose squared Euclidean distances are the wanted ones, or twice them: unit rows for the cosine,
/// unit rows less their means for the correlation.
///
/// Columns are centred at their medians before any product, so that neither an offset nor an image far
/// from the others costs the others their digits.
struct DistanceRows: Sendable {
  let images: Int
  let precision: DType
  let distance: Distance
  /// `[images, width]`.
  private let rows: Tensor
  /// ‖row‖², `[images]`.
  let norms: Tensor

  /// Products this much smaller than the norms are computed again from differences.
  private static let near = 1.0 / 256

  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.constant`, `.row`.
  init(_ features: Tensor, _ distance: Distance, fewest: Int, measure: String) throws {
    images = try Checked.images(of: features, atLeast: fewest, measure: measure)
    // Two numbers correlate by 1 or −1, whatever they are.
    guard distance != .correlation || features.shape[1] > 2 else {
      throw MeasureError.shape(
        measure: measure, expected: "[images, width of at least 3]", found: features.shape)
    }
    precision = Gram.precision(of: features)
    self.distance = distance
    var x = features.to(precision)
    guard Self.squares(x).sum().item(Double.self).isFinite else {
      throw MeasureError.notFinite(measure: measure)
    }
    guard (x - x.sliced(0, 0, 1)).absolute().maximum().item(Double.self) > 0 else {
      throw MeasureError.constant(measure: measure)
    }
    if distance != .euclidean { x = try Self.unit(x, distance, measure: measure) }
    let energy = Self.squares(x).sum().item(Double.self)
    x = (x - Plain.median.all([x, 0, true])[0])
    let squares = Self.squares(x)
    // A spread below half a unit in the last place of the features is rounding.
    let unit = precision == .float64 ? Double.ulpOfOne / 2 : Double(Float.ulpOfOne) / 2
    guard squares.sum().item(Double.self) > unit * unit * energy else {
      throw MeasureError.constant(measure: measure)
    }
    rows = x.to(precision)
    norms = squares.to(precision)
    guard (norms * 4.0).isFinite() else { throw MeasureError.notFinite(measure: measure) }
  }

  private static func squares(_ x: Tensor) -> Tensor {
    x.squared().sum(over: [1], in: Gram.wide(x))
  }

  /// Rows of length one, in float64 where the device has it.
  private static func unit(_ features: Tensor, _ distance: Distance, measure: String) throws
    -> Tensor
  {
    var x = features.to(Gram.wide(features))
    let before = squares(x).scalars(Double.self)
    if distance == .correlation { x = x - x.mean(over: [1], keeping: true) }
    let after = squares(x)
    let unit = features.dtype == .float64 ? Double.ulpOfOne / 2 : Double(Float.ulpOfOne) / 2
    let lengths = after.scalars(Double.self)
    for row in lengths.indices where !(lengths[row] > unit * unit * before[row]) {
      throw MeasureError.row(
        measure: measure, row: row,
        problem: distance == .cosine
          ? "is zero and has no angle" : "does not vary over the neurons and has no correlation")
    }
    return x / after.squareRoot().unsqueezed(1)
  }

  /// How many numbers a row has.
  var width: Int { rows.shape[1] }

  /// How many rows make a block of at most 16 MiB.
  var blockSize: Int { max(1, (1 << 24) / (images * precision.byteCount)) }

  /// The squared Euclidean distances of some rows to all, `[rows, images]`, owned by the caller.
  ///
  /// ‖x‖² + ‖y‖² − 2x·y; where that is small against the norms, and would have lost digits, Σ(x − y)².
  func squared(_ span: Range<Int>) -> Tensor { squared(span, 0..<images, isNearExact: true) }

  /// The same to some of the images, `[rows, columns]`; products that are small against the norms need not be computed again
  /// for whoever looks at those himself.
  func squared(_ span: Range<Int>, _ columns: Range<Int>, isNearExact: Bool) -> Tensor {
    let block = rows.sliced(0, span.lowerBound, span.upperBound)
    let own = norms.sliced(0, span.lowerBound, span.upperBound).unsqueezed(1)
    let others = rows.sliced(0, columns.lowerBound, columns.upperBound)
    let their = norms.sliced(0, columns.lowerBound, columns.upperBound).unsqueezed(0)
    let squares = Plain.plusProduct(their, block, others.transposed(), 1.0, -2.0)
    _ = InPlace.add(squares, own)
    guard isNearExact else { return squares }
    let bound = their * Self.near + own * Self.near
    // The diagonal is always among them.
    let places = Plain.nonzero(Plain.less(squares, bound).reshaped(-1)).reshaped(-1)
    guard places.count > 0 else { return squares }
    let exact = squared(
      block, others, Plain.quotient(places, columns.count), Plain.remainder(places, columns.count))
    return InPlace.put(squares, places, exact)
  }

  /// The same of single rows, from products alone.
  func squared(_ some: [Int], _ columns: Range<Int>) -> Tensor {
    let block = rows.gathered(0, some)
    let others = rows.sliced(0, columns.lowerBound, columns.upperBound)
    let their = norms.sliced(0, columns.lowerBound, columns.upperBound).unsqueezed(0)
    let squares = Plain.plusProduct(their, block, others.transposed(), 1.0, -2.0)
    return InPlace.add(squares, norms.gathered(0, some).unsqueezed(1))
  }

  /// The squared Euclidean distances of pairs of rows by their numbers, from differences: `[pairs]`.
  func squared(_ left: [Int64], _ right: [Int64]) -> Tensor {
    let places = [left, right].map { Tensor($0, shape: [$0.count]).to(rows.device) }
    return squared(places[0], places[1])
  }

  /// The same by tensors of numbers.
  func squared(_ left: Tensor, _ right: Tensor) -> Tensor { squared(rows, rows, left, right) }

  private func squared(
    _ block: Tensor, _ others: Tensor, _ left: Tensor, _ right: Tensor
  ) -> Tensor {
    // One place for all, made before: small results between large ones that come and go would keep the heap from closing up again,
    // which then grows to many times of what is in use.
    let found = Tensor.zeros([left.count], precision).to(rows.device)
    let step = max(1, (1 << 20) / rows.shape[1])
    for start in stride(from: 0, to: left.count, by: step) {
      let difference =
        block.gathered(0, left.sliced(0, start, start + step))
        - others.gathered(0, right.sliced(0, start, start + step))
      _ = InPlace.copy(found.sliced(0, start, start + step), Self.squares(difference))
    }
    return found
  }

  /// All squared Euclidean distances, `[images, images]`, owned by the caller.
  func squaredMatrix() -> Tensor {
    let blocks = stride(from: 0, to: images, by: blockSize).map { start in
      squared(start..<min(start + blockSize, images))
    }
    return blocks.count == 1 ? blocks[0] : Tensor.concatenated(blocks, 0)
  }

  /// Some of the rows. Their columns stay centred at the medians of all, which no distance notices.
  func selected(_ images: ImageSelection) -> DistanceRows {
    DistanceRows(self, images.rows(of: rows), images.rows(of: norms), images.count)
  }

  private init(_ whole: DistanceRows, _ rows: Tensor, _ norms: Tensor, _ images: Int) {
    (self.images, self.rows, self.norms) = (images, rows, norms)
    (precision, distance) = (whole.precision, whole.distance)
  }
}

extension SharedParts {
  /// The rows for a distance, made once.
  ///
  /// - Throws: `MeasureError`.
  func rows(_ distance: Distance, fewest: Int, measure: String) throws -> DistanceRows {
    let rows = try part("rows \(distance)") {
      try DistanceRows(features, distance, fewest: fewest, measure: measure)
    }
    guard rows.images >= fewest else {
      throw MeasureError.tooFew(measure: measure, images: rows.images, needed: fewest)
    }
    return rows
  }

  /// All squared distances, made once; not to be written to.
  func squaredMatrix(_ rows: DistanceRows) -> Tensor {
    part("squares \(rows.distance)") { rows.squaredMatrix() }
  }

  /// The squared distances of some rows to all: of the matrix, where it is made for others anyhow.
  func squared(_ rows: DistanceRows, _ span: Range<Int>) -> Tensor {
    guard plan?.needsMatrix == true else { return rows.squared(span) }
    return squaredMatrix(rows).sliced(0, span.lowerBound, span.upperBound)
  }
}
