import ParallaxTensors

extension ExactCKA {
  /// What must be kept to go on after the last finished block, as named tensors; the same sums give the
  /// same bytes. The tensors are the sums themselves, not copies: write them before the next block.
  public func state() -> [(name: String, tensor: Tensor)] {
    var tensors: [(name: String, tensor: Tensor)] = [
      (name: "header", tensor: header),
      (
        name: "counts",
        tensor: MinibatchCKA.integers([images, blocks, lastBlock], width: 3)
      ),
      (
        name: "refusals",
        tensor: MinibatchCKA.integers(
          refusals.values.sorted { $0.index < $1.index }
            .flatMap { [$0.index, $0.block ?? -1, $0.reason.rawValue] }, width: 3)
      ),
    ]
    guard let sums else { return tensors }
    tensors += [
      (name: "shift", tensor: sums.shift), (name: "norm-products", tensor: sums.normProducts),
      (name: "weighted", tensor: sums.weighted), (name: "norms", tensor: sums.norms),
      (name: "total", tensor: sums.total),
      (name: "waiting", tensor: sums.waiting.sliced(0, 0, sums.waitingCount)),
    ]
    for (index, product) in sums.products.enumerated() {
      tensors.append((name: "products.\(index)", tensor: product))
    }
    return tensors
  }

  /// Goes on from a state that `state` gave.
  ///
  /// - Returns: whether it fits; if not, nothing has changed.
  public func restore(_ state: [String: Tensor]) -> Bool {
    guard let found = state["header"], found.dtype == .int64,
      found.scalars(Int64.self) == header.scalars(Int64.self),
      let counts = MinibatchCKA.rows(state["counts"], width: 3)?.first,
      let refused = MinibatchCKA.rows(state["refusals"], width: 3)
    else { return false }
    var refusals: [Int: CKARefusal] = [:]
    for row in refused {
      guard let reason = CKARefusal.Reason(rawValue: row[2]), widths.indices.contains(row[0])
      else { return false }
      refusals[row[0]] = CKARefusal(
        index: row[0], block: row[1] < 0 ? nil : row[1], reason: reason)
    }
    var sums: Sums?
    if counts[1] > 0 {
      guard let found = Self.sums(state, widths, precision) else { return false }
      sums = found
    }
    self.sums = sums
    self.refusals = refusals
    (images, blocks, lastBlock) = (counts[0], counts[1], counts[2])
    return true
  }

  /// Adds the sums of another shard, whose rows were shifted by the same vector (`useShift(of:)`).
  ///
  /// The sum is that of an undivided run to the rounding of float64.
  ///
  /// - Throws: `MeasureError.merge` where widths, precision or shift differ.
  public func merge(_ other: ExactCKA) throws {
    func refuse(_ problem: String) -> MeasureError { .merge(measure: Self.name, problem: problem) }
    guard widths == other.widths, precision == other.precision else {
      throw refuse("they have other widths or another precision")
    }
    guard var theirs = other.sums else { return }
    guard var mine = sums else {
      _ = restore(
        Dictionary(uniqueKeysWithValues: other.state().map { ($0.name, $0.tensor) }))
      return
    }
    guard mine.shift.bytes() == theirs.shift.bytes() else {
      throw refuse("their rows were shifted by different vectors")
    }
    theirs = theirs.moved(to: mine.shift.device)
    multiply(&mine)
    theirs.products = theirs.products.map { Plain.clone($0) }
    multiply(&theirs)
    for (product, more) in zip(mine.products, theirs.products) { _ = InPlace.add(product, more) }
    mine.normProducts = mine.normProducts + theirs.normProducts
    mine.weighted = mine.weighted + theirs.weighted
    mine.norms = mine.norms + theirs.norms
    mine.total = mine.total + theirs.total
    sums = mine
    images += other.images
    blocks += other.blocks
    lastBlock = max(lastBlock, other.lastBlock)
    for (index, refusal) in other.refusals where refusals[index] == nil {
      refusals[index] = refusal
    }
  }

  private var header: Tensor {
    let numbers =
      [1, Int64(precision.rawValue), Int64(Self.rowsPerProduct)] + widths.map(Int64.init)
    return Tensor(numbers, shape: [numbers.count])
  }

  private static func sums(
    _ state: [String: Tensor], _ widths: [Int], _ precision: DType
  ) -> Sums? {
    let (p, count) = (widths.reduce(0, +), widths.count)
    guard let shift = state["shift"], shift.dtype == precision, shift.shape == [p],
      let waiting = state["waiting"], waiting.dtype == precision, waiting.rank == 2,
      waiting.shape[1] == p,
      let normProducts = MinibatchCKA.matrix(state["norm-products"], [count, count]),
      let weighted = MinibatchCKA.matrix(state["weighted"], [count, p]),
      let norms = MinibatchCKA.matrix(state["norms"], [count]),
      let total = MinibatchCKA.matrix(state["total"], [p])
    else { return nil }
    var products: [Tensor] = []
    var head = 0
    for (index, width) in widths.enumerated() {
      head += width
      guard let product = MinibatchCKA.matrix(state["products.\(index)"], [head, width]) else {
        return nil
      }
      products.append(product)
    }
    return Sums(
      shift: Plain.clone(shift), products: products, normProducts: normProducts,
      weighted: weighted, norms: norms, total: total, waiting: Plain.clone(waiting),
      waitingCount: waiting.shape[0])
  }
}
