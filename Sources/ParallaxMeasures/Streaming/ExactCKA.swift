import ParallaxTensors

/// Exact CKA of all pairs of L representations over the whole set, in one pass, by cross products.
///
/// With Z = [X₁ … X_L], P = Σ pₗ columns, it streams C = ZᵀZ (only the blocks k ≤ l), shifted by the first
/// block's mean, and takes off the rank-one term of the mean at the end:
///
/// - biased: n·HSIC ∝ ‖X_kᵀX_l‖²_F;
/// - debiased: n(n−3)·HSIC₁ = ‖X_kᵀX_l‖²_F − n/(n−2)·T_kl + ‖X_k‖²‖X_l‖²/((n−1)(n−2)), with
///   T = Σᵢ‖xᵢ−μ‖²‖yᵢ−μ'‖² = Q − 2G_y·μ' − 2G_x·μ + bΣnᵢ + aΣn'ᵢ + 4μᵀC_xyμ' − 3N·ab,
///   Q = Σnᵢn'ᵢ, G_y = Σnᵢyᵢ, G_x = Σn'ᵢxᵢ, nᵢ = ‖xᵢ‖², a = ‖μ‖², b = ‖μ'‖².
///
/// The sums lie on the features' device, or on the host where that has no float64. Both estimators come from
/// the same state. Rows are gathered until there are `rowsPerProduct`, multiplied
/// in float32 and added in float64. The memory is about 4·P² bytes and is refused above a limit. There are no
/// standard errors: they would take a C for each group.
///
/// Agrees with per-pair `CKA` in float64 to 1e-12 (float64) and about 1e-8 (float32 products).
///
/// > Source: Kornblith et al., 2019, arXiv 1905.00414, equation 6; the debiasing terms in one pass are our own.
public final class ExactCKA {
  /// Rows that are gathered for one product.
  public static let rowsPerProduct = 512

  /// The width of each representation.
  public let widths: [Int]
  /// The element type of the products: float32 or float64.
  public let precision: DType

  // What is saved.
  var sums: Sums?
  var images = 0
  var blocks = 0
  var lastBlock = -1
  var refusals: [Int: CKARefusal] = [:]

  private var open: Block?
  private var givenShift: Tensor?

  private struct Block {
    let index: Int
    let images: Int
    var seen: [Bool]
  }

  /// The sums over the rows x = features − shift; offsets are those of the widths.
  struct Sums {
    /// `[P]`, what is taken off every row.
    var shift: Tensor
    /// X_kᵀX_l for k ≤ l: for each l `[Σ_{k≤l} p_k, p_l]` float64.
    var products: [Tensor]
    /// Q, `[L, L]` float64.
    var normProducts: Tensor
    /// G, Σᵢ nᵢ⁽ᵏ⁾ zᵢ, `[L, P]` float64.
    var weighted: Tensor
    /// Σᵢ nᵢ, `[L]` float64.
    var norms: Tensor
    /// Σᵢ zᵢ, `[P]` float64.
    var total: Tensor
    /// Rows that wait for the next product, and room for more: `[rows, P]`.
    var waiting: Tensor
    var waitingCount: Int
  }

  /// Sums for representations of those widths.
  ///
  /// - Throws: `MeasureError.memory` where they would take more bytes than the limit.
  public init(widths: [Int], precision: DType = .float32, memoryLimit: Int = 1 << 30) throws {
    precondition(!widths.isEmpty && widths.allSatisfy { $0 > 0 })
    precondition(precision == .float32 || precision == .float64)
    let needed = Self.memory(widths: widths, precision: precision)
    guard needed <= memoryLimit else {
      throw MeasureError.memory(measure: Self.name, needed: needed, limit: memoryLimit)
    }
    (self.widths, self.precision) = (widths, precision)
  }

  /// Bytes that representations of those widths take.
  public static func memory(widths: [Int], precision: DType = .float32) -> Int {
    let p = widths.reduce(0, +)
    var head = 0
    var products = 0
    for width in widths {
      head += width
      products += head * width
    }
    return 8 * products + precision.byteCount * p * (rowsPerProduct + (widths.max() ?? 0))
      + 8 * widths.count * p
  }

  /// Opens a block.
  ///
  /// - Throws: `MeasureError.blockOrder` where the index is not larger than the last one.
  public func begin(block index: Int, images: Int) throws {
    if let open {
      throw MeasureError.blockOrder(
        measure: Self.name, problem: "block \(index) begins while block \(open.index) is open")
    }
    guard index > lastBlock else {
      throw MeasureError.blockOrder(
        measure: Self.name, problem: "block \(index) comes after block \(lastBlock)")
    }
    open = Block(
      index: index, images: images, seen: Array(repeating: false, count: widths.count))
  }

  /// Takes the features of one representation.
  ///
  /// - Parameters:
  ///   - index: which representation, once each a block, in any order.
  ///   - features: `[images of the block, its width]`.
  /// - Throws: `MeasureError.shape`, `MeasureError.blockOrder`.
  public func add(_ index: Int, _ features: Tensor) throws {
    precondition(widths.indices.contains(index), "ExactCKA.add: no representation \(index)")
    guard var block = open, !block.seen[index] else {
      throw MeasureError.blockOrder(
        measure: Self.name,
        problem: open == nil
          ? "features come while no block is open"
          : "representation \(index) comes twice in one block")
    }
    guard features.shape == [block.images, widths[index]] else {
      throw MeasureError.shape(
        measure: Self.name, expected: "[\(block.images), \(widths[index])]", found: features.shape)
    }
    block.seen[index] = true
    open = block
    guard block.images > 0 else { return }
    let home = Gram.home(of: features.device)
    let sums = prepare(block.images, home)
    let columns = columns(index)
    let x = features.to(home).to(precision)
    let shift = sums.shift.sliced(0, columns.lowerBound, columns.upperBound)
    if blocks == 0, givenShift == nil {
      // Row 0 plus the mean distance from it: a constant representation leaves exact zeros.
      let row = x.selected(0, 0)
      _ = InPlace.copy(shift, row + (x - row).mean(over: [0]))
    }
    let rows = sums.waiting.sliced(0, sums.waitingCount, sums.waitingCount + block.images)
    _ = InPlace.copy(rows.sliced(1, columns.lowerBound, columns.upperBound), x - shift)
  }

  /// Closes the block.
  ///
  /// - Throws: `MeasureError.blockOrder` where a representation is missing.
  public func finish() throws {
    guard let block = open else {
      throw MeasureError.blockOrder(measure: Self.name, problem: "no block is open")
    }
    if let missing = block.seen.firstIndex(of: false), block.images > 0 {
      throw MeasureError.blockOrder(
        measure: Self.name,
        problem: "representation \(missing) is missing from block \(block.index)")
    }
    open = nil
    lastBlock = block.index
    guard block.images > 0, var sums else { return }
    let rows = sums.waiting.sliced(0, sums.waitingCount, sums.waitingCount + block.images)
    var norms: [Tensor] = []
    for index in widths.indices {
      let columns = columns(index)
      let x = rows.sliced(1, columns.lowerBound, columns.upperBound)
      var squares = (x * x).sum(over: [1], in: .float64)
      if !squares.sum().item(Double.self).isFinite {
        if refusals[index] == nil {
          refusals[index] = CKARefusal(index: index, block: block.index, reason: .notFinite)
        }
        _ = InPlace.zero(x)
        squares = squares.zerosLike()
      }
      norms.append(squares)
    }
    let n = Tensor.stacked(norms)  // [L, images]
    let wide = rows.to(.float64)
    sums.normProducts = sums.normProducts + n.times(n.transposed())
    sums.weighted = sums.weighted + n.times(wide)
    sums.norms = sums.norms + n.sum(over: [1])
    sums.total = sums.total + wide.sum(over: [0])
    sums.waitingCount += block.images
    images += block.images
    blocks += 1
    if sums.waitingCount >= Self.rowsPerProduct { multiply(&sums) }
    self.sums = sums
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

  /// Takes the same vector off every row as another shard does, so that both can be merged.
  ///
  /// - Throws: `MeasureError.merge` where a block has been added already, or the other has none yet.
  public func useShift(of other: ExactCKA) throws {
    guard sums == nil, let theirs = other.sums?.shift, widths == other.widths,
      precision == other.precision, other.blocks > 0
    else {
      throw MeasureError.merge(
        measure: Self.name,
        problem: "a shift can be taken over before the first block, from a shard with one")
    }
    givenShift = Plain.clone(theirs)
  }

  static let name = "exact CKA"

  /// Where a representation lies among all columns.
  func columns(_ index: Int) -> Range<Int> {
    let start = widths[..<index].reduce(0, +)
    return start..<(start + widths[index])
  }

  /// Adds what the waiting rows contribute to C.
  func multiply(_ sums: inout Sums) {
    let rows = sums.waiting.sliced(0, 0, sums.waitingCount)
    for index in widths.indices {
      let columns = columns(index)
      let head = rows.sliced(1, 0, columns.upperBound)
      let own = rows.sliced(1, columns.lowerBound, columns.upperBound)
      _ = InPlace.add(sums.products[index], head.transposed().times(own))
    }
    sums.waitingCount = 0
  }

  /// The sums, with room for so many more rows, on a device that has float64.
  private func prepare(_ rows: Int, _ device: Device) -> Sums {
    let p = widths.reduce(0, +)
    var sums =
      self.sums
      ?? Sums(
        shift: givenShift ?? Tensor.zeros([p], precision),
        products: widths.indices.map {
          Tensor.zeros([columns($0).upperBound, widths[$0]], .float64)
        },
        normProducts: Tensor.zeros([widths.count, widths.count], .float64),
        weighted: Tensor.zeros([widths.count, p], .float64),
        norms: Tensor.zeros([widths.count], .float64), total: Tensor.zeros([p], .float64),
        waiting: Tensor.zeros([Self.rowsPerProduct, p], precision), waitingCount: 0)
    if sums.shift.device != device { sums = sums.moved(to: device) }
    let room = sums.waiting.shape[0] - sums.waitingCount
    if room < rows {
      let missing = max(rows - room, Self.rowsPerProduct - sums.waiting.shape[0])
      let more = Tensor.zeros([missing, p], precision).to(device)
      sums.waiting = Tensor.concatenated([sums.waiting, more], 0)
    }
    self.sums = sums
    return sums
  }
}

extension ExactCKA.Sums {
  func moved(to device: Device) -> Self {
    Self(
      shift: shift.to(device), products: products.map { $0.to(device) },
      normProducts: normProducts.to(device), weighted: weighted.to(device),
      norms: norms.to(device), total: total.to(device), waiting: waiting.to(device),
      waitingCount: waitingCount)
  }
}
