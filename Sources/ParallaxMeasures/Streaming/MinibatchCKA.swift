import Foundation
import ParallaxTensors

/// Minibatch CKA of all pairs of L representations, in one pass over the images.
///
/// Σ_b HSIC(K_b, L_b) / √(Σ_b HSIC(K_b, K_b) · Σ_b HSIC(L_b, L_b)) over blocks b of images: three sums
/// first, then one ratio. Each representation's features `[n, p]` are turned into a centred n×n Gram
/// matrix as they come and are dropped; one triangle of it becomes a row of V `[L, n(n−1)/2]`, and at the
/// end of the block all pairs are one product, HSIC = 2·VVᵀ/(n(n−3)), half of which is computed. Products
/// are float32, the L×L sums float64.
///
/// The blocks' sums are kept in groups (block index mod G), which gives each value the delete-a-group
/// jackknife's standard error. A block whose images are too few is skipped and reported; a
/// representation that is not finite or constant in a block is refused, the others go on.
///
/// Each block must be a random part of the set: of blocks that hold one class each, the sums measure what lies within a class.
///
/// Blocks are added in the order of their indices. Shards that divide the *groups* among themselves merge
/// to the very bytes of an undivided run; shards that cut the images elsewhere agree to float64's rounding.
///
/// On the fixture of eight-row blocks it agrees with the float64 reference to 10 digits, and with per-pair
/// `CKA` where one block holds all images to 10.
///
/// > Source: Nguyen et al., 2021, arXiv 2010.15327, equations 2 and 3.
public final class MinibatchCKA {
  /// What the sums depend on.
  public struct Options: Sendable, Hashable {
    /// The estimator of each block's HSIC; the biased one depends on the block size.
    public var estimator = Estimator.debiased
    /// The element type of the products: float32 or float64.
    public var precision = DType.float32
    /// Groups of the jackknife, G.
    public var groups = 20
    /// Permutations a block of the shuffled baseline; 0 for none. Each costs one more product.
    public var permutations = 1
    /// Where the permutations start.
    public var seed: UInt64 = 0

    /// Debiased, float32, 20 groups, one permutation, seed 0.
    public init() {}
  }

  /// The number of representations, L.
  public let count: Int
  /// What the sums depend on.
  public let options: Options

  // What is saved.
  var groups: [Int: Group] = [:]
  var skipped: [SkippedBlock] = []
  var refusals: [Int: CKARefusal] = [:]

  // The open block, and what is used again by the next one.
  private var open: Block?
  private var packing: Packing?
  private var rows: Tensor?

  /// The blocks of one residue mod G.
  struct Group {
    var first: Int
    var last: Int
    var blocks: Int
    var images: Int
    /// Σ HSIC, `[L, L]` float64.
    var sums: Tensor
    /// Σ HSIC of shuffled pairs, `[permutations, L, L]` float64.
    var shuffled: Tensor?
  }

  private struct Block {
    let index: Int
    let images: Int
    /// The power of two that each row was divided by; nil before it came or where it was refused.
    var exponents: [Int?]
    var noise: [Double]
    var seen: [Bool]
    var isSkipped: Bool
  }

  /// Sums for that many representations.
  public init(count: Int, options: Options = Options()) {
    precondition(count > 0 && options.groups > 0 && options.permutations >= 0)
    precondition(options.precision == .float32 || options.precision == .float64)
    (self.count, self.options) = (count, options)
  }

  /// Bytes that blocks of that size take, features aside.
  public static func memory(count: Int, blockSize: Int, options: Options = Options()) -> Int {
    let packed = blockSize * (blockSize + 1) / 2
    let element = options.precision.byteCount
    return element * (count + 2) * packed + 8 * packed
      + 8 * (options.groups + 3) * (1 + options.permutations) * count * count
  }

  /// Opens a block.
  ///
  /// - Parameters:
  ///   - index: the block's number, from 0, larger than all of its group before it.
  ///   - images: how many images it holds; too few and it is skipped.
  /// - Throws: `MeasureError.blockOrder`.
  public func begin(block index: Int, images: Int) throws {
    let problem: String? =
      if let open {
        "block \(index) begins while block \(open.index) is open"
      } else if let last =
        groups[index % options.groups]?.last, last >= index
      { "block \(index) comes after block \(last)" } else { nil }
    if let problem { throw MeasureError.blockOrder(measure: Self.name, problem: problem) }
    let tooFew = images < options.estimator.fewest
    open = Block(
      index: index, images: images, exponents: Array(repeating: nil, count: count),
      noise: Array(repeating: 0, count: count), seen: Array(repeating: false, count: count),
      isSkipped: tooFew)
  }

  /// Takes the features of one representation and keeps their Gram matrix.
  ///
  /// - Parameters:
  ///   - index: which representation, once each a block, in any order.
  ///   - features: `[images of the block, width]`.
  /// - Throws: `MeasureError.shape`, `MeasureError.blockOrder`.
  public func add(_ index: Int, _ features: Tensor) throws {
    precondition((0..<count).contains(index), "MinibatchCKA.add: no representation \(index)")
    guard var block = open, !block.seen[index] else {
      throw MeasureError.blockOrder(
        measure: Self.name,
        problem: open == nil
          ? "features come while no block is open"
          : "representation \(index) comes twice in one block")
    }
    guard features.rank == 2, features.shape[0] == block.images, features.shape[1] > 0 else {
      throw MeasureError.shape(
        measure: Self.name, expected: "[\(block.images), width]", found: features.shape)
    }
    block.seen[index] = true
    defer { open = block }
    if block.isSkipped { return }
    let packing = prepare(block.images, features.device)
    do {
      let gram = try PackedGram(
        features, kernel: .linear, packing: packing, precision: options.precision,
        measure: Self.name)
      if let rows { _ = InPlace.copy(rows.selected(0, index), gram.values) }
      block.exponents[index] = gram.exponent
      block.noise[index] = gram.noise
    } catch {
      if case MeasureError.constant = error {
        refuse(index, .constant, in: block.index)
      } else {
        refuse(index, .notFinite, in: block.index)
      }
      if let rows { _ = InPlace.zero(rows.selected(0, index)) }
    }
  }

  /// Closes the block: all pairs at once.
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
    // Only now: a block that is interrupted will begin again.
    if block.isSkipped { skipped.append(SkippedBlock(block: block.index, images: block.images)) }
    guard !block.isSkipped, let rows, let packing else { return }
    let products = Self.products(rows)
    var scales: [Double] = []
    let squares = products.diagonal().scalars(Double.self)
    for index in 0..<count {
      guard let exponent = block.exponents[index] else {
        scales.append(0)
        continue
      }
      if !squares[index].isFinite || squares[index] <= block.noise[index] {
        refuse(index, squares[index].isFinite ? .constant : .notFinite, in: block.index)
        scales.append(0)
      } else {
        scales.append(scalbn(1, exponent))
      }
    }
    let scale = Tensor(scales, shape: [count])
    let factor =
      scale.unsqueezed(0) * scale.unsqueezed(1)
      * (1 / options.estimator.normalizer(block.images))
    var shuffled: [Tensor] = []
    for draw in 0..<options.permutations {
      let order = permutation(block.images, block: block.index, draw: draw)
      shuffled.append(
        Self.products(rows, shuffledBy: packing.reordered(order).map(Int64.init)) * factor)
    }
    add(
      Group(
        first: block.index, last: block.index, blocks: 1, images: block.images,
        sums: products * factor, shuffled: shuffled.isEmpty ? nil : Tensor.stacked(shuffled)),
      to: block.index % options.groups)
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

  static let name = "minibatch CKA"

  func add(_ group: Group, to index: Int) {
    guard var sum = groups[index] else {
      groups[index] = group
      return
    }
    sum.first = min(sum.first, group.first)
    sum.last = max(sum.last, group.last)
    sum.blocks += group.blocks
    sum.images += group.images
    sum.sums = sum.sums + group.sums
    if let a = sum.shuffled, let b = group.shuffled { sum.shuffled = a + b }
    groups[index] = sum
  }

  private func refuse(_ index: Int, _ reason: CKARefusal.Reason, in block: Int) {
    // The first block's reason stays, whatever the order in which shards come.
    if let known = refusals[index]?.block, known <= block { return }
    refusals[index] = CKARefusal(index: index, block: block, reason: reason)
  }

  private func prepare(_ images: Int, _ device: Device) -> Packing {
    if let packing, packing.images == images, packing.indices.device == device { return packing }
    let made = Packing(images: images, estimator: options.estimator, device: device)
    packing = made
    rows = Tensor.zeros([count, made.count], options.precision).to(device)
    return made
  }

  private func permutation(_ images: Int, block: Int, draw: Int) -> [Int] {
    // Golden-ratio steps keep the seeds of neighbouring blocks and draws apart.
    let place = UInt64(block) &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(draw) &* 0xD1B5_4A32_D192_ED03
    let random = RandomSource(seed: (options.seed &+ place) >> 1)
    return random.permutation(images).scalars(Int64.self).map(Int.init)
  }
}
