import ParallaxTensors

extension MomentSums {
  /// What must be kept to go on after the last finished block, as named tensors; the same sums give the same bytes.
  /// The tensors are the sums themselves, not copies: write them before the next block.
  public func state() -> [(name: String, tensor: Tensor)] {
    var tensors: [(name: String, tensor: Tensor)] = [(name: "header", tensor: header)]
    let images = groups.map { $0?.images ?? 0 }
    tensors.append(
      (
        name: "counts",
        tensor: Self.numbers(
          [
            total.images, total.chunks, total.lastBlock, total.waitingCount,
            Int(precision?.rawValue ?? -1),
          ] + images)
      ))
    if total.waitingCount > 0, let waiting = total.waiting {
      tensors.append((name: "waiting", tensor: waiting.sliced(0, 0, total.waitingCount)))
    }
    if let mean = total.mean { tensors.append((name: "mean", tensor: mean)) }
    if let shift { tensors.append((name: "shift", tensor: shift)) }
    for (place, group) in groups.enumerated() {
      guard let group else { continue }
      tensors.append((name: "group.\(place).mean", tensor: group.mean))
      tensors += Self.state("group.\(place)", group.products, group.lengths)
    }
    for (place, order) in orders.enumerated() {
      guard let order else { continue }
      tensors += Self.state("order.\(place)", order.products, order.lengths)
    }
    return tensors
  }

  /// Goes on from a state that `state` gave.
  ///
  /// - Returns: whether it fits; if not, nothing has changed.
  public func restore(_ state: [String: Tensor]) -> Bool {
    let p = widths.reduce(0, +)
    guard let found = state["header"], found.dtype == .int64,
      found.scalars(Int64.self) == header.scalars(Int64.self),
      let counts = state["counts"]?.scalars(Int64.self).map(Int.init),
      counts.count == 5 + groups.count
    else { return false }
    var total = Total(images: counts[0], chunks: counts[1], lastBlock: counts[2])
    if counts[3] > 0 {
      guard let waiting = state["waiting"], waiting.shape == [counts[3], p] else { return false }
      (total.waiting, total.waitingCount) = (Plain.clone(waiting), counts[3])
    }
    var groups: [Group?] = Array(repeating: nil, count: self.groups.count)
    var orders: [Order?] = Array(repeating: nil, count: self.orders.count)
    if counts[1] > 0 {
      guard let mean = MinibatchCKA.matrix(state["mean"], [p]) else { return false }
      total.mean = mean
      for place in groups.indices where counts[5 + place] > 0 {
        guard let mean = MinibatchCKA.matrix(state["group.\(place).mean"], [p]),
          let sums = sums("group.\(place)", state, isShuffled: false)
        else { return false }
        groups[place] = Group(
          images: counts[5 + place], mean: mean, products: sums.products, lengths: sums.lengths)
      }
      for place in orders.indices {
        guard let sums = sums("order.\(place)", state, isShuffled: true) else { return false }
        orders[place] = sums
      }
    }
    let shift = MinibatchCKA.matrix(state["shift"], [p])
    guard !options.hasLengths || counts[1] == 0 || shift != nil else { return false }
    replace(total, precision: DType(rawValue: Int32(counts[4])))
    (self.groups, self.orders, self.shift) = (groups, orders, shift)
    return true
  }

  private var header: Tensor {
    Self.numbers(
      [
        1, chunk, options.groups, options.orders, options.hasLengths ? 1 : 0,
        Int(truncatingIfNeeded: options.seed),
      ] + widths)
  }

  private static func numbers(_ values: [Int]) -> Tensor {
    Tensor(values.map(Int64.init), shape: [values.count])
  }

  private static func state(
    _ prefix: String, _ products: Products, _ lengths: Lengths?
  ) -> [(name: String, tensor: Tensor)] {
    var tensors = products.enumerated().map {
      (name: "\(prefix).products.\($0)", tensor: $1)
    }
    guard let lengths else { return tensors }
    tensors += [
      (name: "\(prefix).lengths", tensor: lengths.products),
      (name: "\(prefix).weighted", tensor: lengths.weighted),
      (name: "\(prefix).norms", tensor: lengths.norms),
    ]
    if let back = lengths.back { tensors.append((name: "\(prefix).back", tensor: back)) }
    return tensors
  }

  private func sums(
    _ prefix: String, _ state: [String: Tensor], isShuffled: Bool
  ) -> Order? {
    let (count, p) = (widths.count, widths.reduce(0, +))
    let products = widths.indices.compactMap { index in
      MinibatchCKA.matrix(
        state["\(prefix).products.\(index)"], [columns(index).upperBound, widths[index]])
    }
    guard products.count == count else { return nil }
    guard options.hasLengths else { return Order(products: products) }
    guard let lengths = MinibatchCKA.matrix(state["\(prefix).lengths"], [count, count]),
      let weighted = MinibatchCKA.matrix(state["\(prefix).weighted"], [count, p]),
      let norms = MinibatchCKA.matrix(state["\(prefix).norms"], [count])
    else { return nil }
    let back = MinibatchCKA.matrix(state["\(prefix).back"], [count, p])
    guard (back != nil) == isShuffled else { return nil }
    return Order(
      products: products,
      lengths: Lengths(products: lengths, weighted: weighted, back: back, norms: norms))
  }
}
