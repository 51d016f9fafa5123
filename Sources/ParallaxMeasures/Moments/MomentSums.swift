import ParallaxTensors

/// Means and second moments of L representations, and of all pairs of them, in one pass over the images.
///
/// Rows are gathered into chunks of equal size, wherever the blocks of images are cut. A chunk's rows less their mean give
/// products in float64, which join those of the rows before by the update of Chan, Golub and LeVeque:
///
/// M ← M + Σᵢ (xᵢ−x̄)(yᵢ−ȳ)ᵀ + n·c/(n+c)·(x̄−μ)(ȳ−ν)ᵀ for n rows with means μ, ν and a chunk of c with means x̄, ȳ.
///
/// So no offset costs digits, and the memory, 8 bytes for each pair of neurons of all pairs of representations, does not
/// grow with the number of images. What resampling needs is kept beside it:
///
/// - **groups**: chunk after chunk goes to the next group in turn, each with sums of its own; leaving one out is adding the
///   others up. G groups take G times the memory. The images must come in random order, as a study's do.
/// - **orders** of shuffled images: within a chunk every image of the second side meets another one of the first, in one
///   random cycle, so that none meets itself. P orders take P times the memory.
///
/// > Source: Chan, Golub and LeVeque, 1983, The American Statistician 37, equation 2.1; cycles within chunks are our choice.
public final class MomentSums {
  /// What the sums depend on.
  public struct Options: Sendable, Hashable {
    /// Groups of images that can be left out; 0 or 1 for none.
    public var groups = 0
    /// Orders of shuffled images.
    public var orders = 0
    /// Whether sums of products of squared lengths are kept, which debiased measures need.
    public var hasLengths = false
    /// Of the orders.
    public var seed: UInt64 = 0

    /// Nothing beside the moments.
    public init() {}
  }

  /// The width of each representation.
  public let widths: [Int]
  /// What the sums depend on.
  public let options: Options
  /// Rows of a chunk.
  public let chunk: Int

  // What is saved.
  private(set) var total = Total()
  var groups: [Group?]
  var orders: [Order?]
  /// What is taken off every row before its length: the first chunk's mean, `[P]`.
  var shift: Tensor?
  /// The element type that features come in: float64, or float32 for everything else; nil before the first.
  public private(set) var precision: DType?

  private var open: (index: Int, images: Int, seen: [Bool])?

  /// What is known of all rows together.
  struct Total {
    var images = 0
    var chunks = 0
    var lastBlock = -1
    /// `[P]` float64.
    var mean: Tensor?
    /// Rows that wait for their chunk to be full, `[rows, P]` with room for more.
    var waiting: Tensor?
    var waitingCount = 0
  }

  /// Moments of the rows of one group.
  struct Group {
    var images = 0
    /// `[P]` float64.
    var mean: Tensor
    var products: Products
    var lengths: Lengths?
  }

  /// Moments of shuffled pairs.
  struct Order {
    var products: Products
    var lengths: Lengths?
  }

  /// Of each representation l the moments with those up to it: `[Σ_{k≤l} p_k, p_l]` float64.
  typealias Products = [Tensor]

  /// Sums over rows z less the shift, n their squared lengths.
  struct Lengths {
    /// Σᵢ nᵢ⁽ᵏ⁾ nᵢ⁽ˡ⁾, `[L, L]`.
    var products: Tensor
    /// Σᵢ nᵢ⁽ᵏ⁾ zᵢ, `[L, P]`; of shuffled rows z.
    var weighted: Tensor
    /// The same with the rows as they are and the lengths shuffled.
    var back: Tensor?
    /// Σᵢ nᵢ⁽ᵏ⁾, `[L]`.
    var norms: Tensor
  }

  /// Sums for representations of those widths.
  ///
  /// - Parameters:
  ///   - widths: of the representations, in the order in which they are counted.
  ///   - images: about how many there will be; the size of a chunk follows from it.
  ///   - options: groups and orders.
  ///   - memoryLimit: bytes that the sums may take.
  /// - Throws: `MeasureError.memory`.
  public init(
    widths: [Int], images: Int, options: Options = Options(), memoryLimit: Int = .max
  ) throws {
    precondition(!widths.isEmpty && widths.allSatisfy { $0 > 0 })
    precondition(options.groups >= 0 && options.orders >= 0)
    chunk = Self.chunk(images: images, groups: options.groups)
    let needed = Self.memory(widths: widths, images: images, options: options)
    guard needed <= memoryLimit else {
      throw MeasureError.memory(measure: Self.name, needed: needed, limit: memoryLimit)
    }
    (self.widths, self.options) = (widths, options)
    groups = Array(repeating: nil, count: max(1, options.groups))
    orders = Array(repeating: nil, count: options.orders)
  }

  /// Rows of a chunk: at most 512, and so many that each group gets as many chunks as every other, four or more of them
  /// where there are images enough.
  static func chunk(images: Int, groups: Int) -> Int {
    let groups = max(1, groups)
    let largest = (images + groups * 512 - 1) / (groups * 512)
    let rounds = max(1, largest, min(4, images / (groups * 32)))
    return max(1, (images + groups * rounds - 1) / (groups * rounds))
  }

  /// Bytes that representations of those widths take, however many images there are.
  public static func memory(widths: [Int], images: Int, options: Options = Options()) -> Int {
    let p = widths.reduce(0, +)
    let rows = chunk(images: images, groups: options.groups)
    let sums = max(1, options.groups) + options.orders
    let lengths = options.hasLengths ? 8 * widths.count * p * (sums + options.orders) : 0
    // Waiting rows, and a chunk in float64, less its mean, and shuffled.
    return sums * products(widths) + lengths + 32 * rows * p
  }

  /// Bytes of the moments of all pairs.
  static func products(_ widths: [Int]) -> Int {
    var (head, count) = (0, 0)
    for width in widths {
      head += width
      count += head * width
    }
    return 8 * count
  }

  /// The number of images whose features have been added.
  public var images: Int { total.images + total.waitingCount }

  /// Opens a block.
  ///
  /// - Parameters:
  ///   - index: its number, larger than the last one's.
  ///   - images: how many it holds.
  /// - Throws: `MeasureError.blockOrder`.
  public func begin(block index: Int, images: Int) throws {
    guard index > total.lastBlock else {
      throw MeasureError.blockOrder(
        measure: Self.name, problem: "block \(index) comes after block \(total.lastBlock)")
    }
    open = (index, images, Array(repeating: false, count: widths.count))
  }

  /// Takes the features of one representation.
  ///
  /// - Parameters:
  ///   - index: which representation, once each a block, in any order.
  ///   - features: `[images of the block, its width]`.
  /// - Throws: `MeasureError.shape`, `MeasureError.blockOrder`.
  public func add(_ index: Int, _ features: Tensor) throws {
    guard let block = open, block.seen.indices.contains(index), !block.seen[index] else {
      throw MeasureError.blockOrder(
        measure: Self.name, problem: "features of representation \(index) come out of turn")
    }
    guard features.shape == [block.images, widths[index]] else {
      throw MeasureError.shape(
        measure: Self.name, expected: "[\(block.images), \(widths[index])]", found: features.shape)
    }
    open?.seen[index] = true
    guard block.images > 0 else { return }
    let precision = self.precision ?? Gram.precision(of: features)
    self.precision = precision
    let home = Gram.home(of: features.device)
    let columns = columns(index)
    let rows = room(block.images, precision, home)
      .sliced(0, total.waitingCount, total.waitingCount + block.images)
    _ = InPlace.copy(
      rows.sliced(1, columns.lowerBound, columns.upperBound), features.to(home).to(precision))
  }

  /// Closes the block.
  ///
  /// - Throws: `MeasureError.blockOrder` where a representation is missing.
  public func finish() throws {
    guard let block = open, block.images == 0 || block.seen.allSatisfy({ $0 }) else {
      throw MeasureError.blockOrder(measure: Self.name, problem: "representations are missing")
    }
    open = nil
    total.lastBlock = block.index
    total.waitingCount += block.images
    var start = 0
    while total.waitingCount - start >= chunk {
      guard let waiting = total.waiting else { break }
      add(waiting.sliced(0, start, start + chunk))
      start += chunk
    }
    keepWaiting(from: start)
  }

  /// Adds the rows that still wait, as a chunk of their own: after the last block.
  public func close() {
    guard total.waitingCount > 0, let waiting = total.waiting else { return }
    add(waiting.sliced(0, 0, total.waitingCount))
    keepWaiting(from: total.waitingCount)
  }

  /// One block at once.
  ///
  /// - Parameters:
  ///   - block: its number.
  ///   - features: of each representation, `[images, width]`.
  /// - Throws: `MeasureError`.
  public func add(block: Int, features: [Tensor]) throws {
    try begin(block: block, images: features.first?.shape.first ?? 0)
    for (index, matrix) in features.enumerated() { try add(index, matrix) }
    try finish()
  }

  static let name = "moments"

  /// Where a representation lies among all columns.
  func columns(_ index: Int) -> Range<Int> {
    let start = widths[..<index].reduce(0, +)
    return start..<(start + widths[index])
  }

  /// Replaces what is saved; of a state that fits.
  func replace(_ total: Total, precision: DType?) {
    (self.total, self.precision) = (total, precision)
    open = nil
  }

  private func room(_ rows: Int, _ precision: DType, _ device: Device) -> Tensor {
    let p = widths.reduce(0, +)
    if let waiting = total.waiting, waiting.shape[0] >= total.waitingCount + rows,
      waiting.device == device
    {
      return waiting
    }
    let fresh = Tensor.zeros([total.waitingCount + max(rows, chunk), p], precision).to(device)
    if let waiting = total.waiting, total.waitingCount > 0 {
      let kept = waiting.sliced(0, 0, total.waitingCount)
      _ = InPlace.copy(fresh.sliced(0, 0, total.waitingCount), kept.to(device))
    }
    total.waiting = fresh
    return fresh
  }

  private func keepWaiting(from start: Int) {
    guard start > 0, let waiting = total.waiting else { return }
    let left = total.waitingCount - start
    if left > 0 {
      let rest = waiting.sliced(0, start, total.waitingCount).cloned()
      _ = InPlace.copy(waiting.sliced(0, 0, left), rest)
    }
    total.waitingCount = left
  }

  /// Adds a chunk `[rows, P]` to the next group and to every order.
  private func add(_ rows: Tensor) {
    let z = rows.to(.float64)
    let (count, place) = (z.shape[0], total.chunks)
    let first = z.sliced(0, 0, 1)
    let shifted = z - first
    let offset = shifted.mean(over: [0], keeping: true)
    let centred = shifted - offset
    let mean = (first + offset).squeezed(0)
    let index = place % groups.count
    var group =
      groups[index] ?? Group(mean: mean, products: zeros(z.device), lengths: noLengths(z.device))
    groups[index] = nil
    /// The centred rows, and one more that stands for the distance of the means.
    func joined(_ before: Int, _ known: Tensor, _ rows: Tensor) -> Tensor {
      guard before > 0 else { return rows }
      let weight = Double(before) * Double(count) / Double(before + count)
      return .concatenated([rows, ((mean - known) * weight.squareRoot()).unsqueezed(0)], 0)
    }
    let own = joined(group.images, group.mean, centred)
    multiply(own, own, into: group.products)
    let share = Double(count) / Double(group.images + count)
    group.mean = group.mean + (mean - group.mean) * share
    group.images += count
    let lengths = measured(z, mean)
    if let lengths { group.lengths?.add(lengths.squares, lengths.rows) }
    groups[index] = group
    let before = total.mean ?? mean
    for order in orders.indices {
      let cycle = self.cycle(count, chunk: place, order: order)
      var sums =
        orders[order]
        ?? Order(products: zeros(z.device), lengths: noLengths(z.device, isShuffled: true))
      orders[order] = nil
      multiply(
        joined(total.images, before, centred),
        joined(total.images, before, centred.gathered(0, cycle)), into: sums.products)
      if let lengths { sums.lengths?.add(lengths.squares, lengths.rows, cycle: cycle) }
      orders[order] = sums
    }
    total.mean = before + (mean - before) * (Double(count) / Double(total.images + count))
    total.images += count
    total.chunks += 1
  }

  /// Adds XᵀY of all pairs.
  private func multiply(_ left: Tensor, _ right: Tensor, into products: Products) {
    for index in widths.indices {
      let columns = columns(index)
      _ = InPlace.addProduct(
        products[index], left.sliced(1, 0, columns.upperBound).transposed(),
        right.sliced(1, columns.lowerBound, columns.upperBound))
    }
  }

  private func zeros(_ device: Device) -> Products {
    widths.indices.map { Tensor.zeros([columns($0).upperBound, widths[$0]], .float64).to(device) }
  }

  private func noLengths(_ device: Device, isShuffled: Bool = false) -> Lengths? {
    guard options.hasLengths else { return nil }
    let (count, p) = (widths.count, widths.reduce(0, +))
    func none(_ shape: Int...) -> Tensor { Tensor.zeros(shape, .float64).to(device) }
    return Lengths(
      products: none(count, count), weighted: none(count, p),
      back: isShuffled ? none(count, p) : nil, norms: none(count))
  }

  /// Rows less the shift, and their squared lengths a representation, `[L, rows]`.
  private func measured(_ rows: Tensor, _ mean: Tensor) -> (squares: Tensor, rows: Tensor)? {
    guard options.hasLengths else { return nil }
    let shift = self.shift ?? mean
    self.shift = shift
    let z = rows - shift
    let squares = z.squared()
    return (
      .stacked(
        widths.indices.map { index in
          squares.sliced(1, columns(index).lowerBound, columns(index).upperBound).sum(over: [1])
        }), z
    )
  }

  /// A random cycle through the rows of a chunk: which one each of them meets.
  func cycle(_ count: Int, chunk: Int, order: Int) -> [Int] {
    // Golden-ratio steps keep the seeds of neighbouring chunks and orders apart.
    let place = UInt64(chunk) &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(order) &* 0xD1B5_4A32_D192_ED03
    let random = RandomSource(seed: (options.seed &+ place) >> 1)
    let line = random.permutation(count).scalars(Int64.self).map(Int.init)
    var next = [Int](repeating: 0, count: count)
    for (position, row) in line.enumerated() { next[row] = line[(position + 1) % count] }
    return next
  }
}

extension MomentSums.Lengths {
  /// Adds rows and their squared lengths; with a cycle, those of the second side in its order.
  fileprivate mutating func add(_ squares: Tensor, _ rows: Tensor, cycle: [Int]? = nil) {
    let second = cycle.map { squares.gathered(1, $0) } ?? squares
    products = products + squares.times(second.transposed())
    weighted = weighted + squares.times(cycle.map { rows.gathered(0, $0) } ?? rows)
    back = back.map { $0 + second.times(rows) }
    norms = norms + squares.sum(over: [1])
  }
}
