import ParallaxTensors

extension MinibatchCKA {
  /// What must be kept to go on after the last finished block, as named tensors; the same sums give the
  /// same bytes.
  public func state() -> [(name: String, tensor: Tensor)] {
    var tensors: [(name: String, tensor: Tensor)] = [(name: "header", tensor: header)]
    let sorted = groups.sorted { $0.key < $1.key }
    let table = sorted.flatMap {
      [$0.key, $0.value.first, $0.value.last, $0.value.blocks, $0.value.images]
    }
    tensors.append((name: "groups", tensor: Self.integers(table, width: 5)))
    for (index, group) in sorted {
      tensors.append((name: "sums.\(index)", tensor: group.sums))
      if let shuffled = group.shuffled {
        tensors.append((name: "shuffled.\(index)", tensor: shuffled))
      }
    }
    let small = skipped.sorted { $0.block < $1.block }.flatMap { [$0.block, $0.images] }
    tensors.append((name: "skipped", tensor: Self.integers(small, width: 2)))
    let refused = refusals.values.sorted { $0.index < $1.index }
      .flatMap { [$0.index, $0.block ?? -1, $0.reason.rawValue] }
    tensors.append((name: "refusals", tensor: Self.integers(refused, width: 3)))
    return tensors
  }

  /// Goes on from a state that `state` gave.
  ///
  /// - Returns: whether it fits; if not, nothing has changed.
  public func restore(_ state: [String: Tensor]) -> Bool {
    guard let found = state["header"], found.dtype == .int64,
      found.scalars(Int64.self) == header.scalars(Int64.self),
      let table = Self.rows(state["groups"], width: 5),
      let small = Self.rows(state["skipped"], width: 2),
      let refused = Self.rows(state["refusals"], width: 3)
    else { return false }
    var groups: [Int: Group] = [:]
    for row in table {
      guard let sums = Self.matrix(state["sums.\(row[0])"], [count, count]) else { return false }
      var shuffled: Tensor?
      if options.permutations > 0 {
        shuffled = Self.matrix(
          state["shuffled.\(row[0])"], [options.permutations, count, count])
        if shuffled == nil { return false }
      }
      groups[row[0]] = Group(
        first: row[1], last: row[2], blocks: row[3], images: row[4], sums: sums,
        shuffled: shuffled)
    }
    var refusals: [Int: CKARefusal] = [:]
    for row in refused {
      guard let reason = CKARefusal.Reason(rawValue: row[2]), (0..<count).contains(row[0]) else {
        return false
      }
      refusals[row[0]] = CKARefusal(
        index: row[0], block: row[1] < 0 ? nil : row[1], reason: reason)
    }
    self.groups = groups
    self.refusals = refusals
    skipped = small.map { SkippedBlock(block: $0[0], images: $0[1]) }
    return true
  }

  /// Adds the sums of another shard, whose blocks of each group lie before or after this one's.
  ///
  /// - Throws: `MeasureError.merge` where the options differ or blocks may be counted twice.
  public func merge(_ other: MinibatchCKA) throws {
    guard count == other.count, options == other.options else {
      throw MeasureError.merge(measure: Self.name, problem: "they were made with other options")
    }
    for (index, group) in other.groups {
      guard let mine = groups[index] else { continue }
      guard mine.last < group.first || group.last < mine.first else {
        throw MeasureError.merge(
          measure: Self.name,
          problem:
            "blocks \(mine.first)...\(mine.last) and \(group.first)...\(group.last) overlap")
      }
    }
    for (index, group) in other.groups { add(group, to: index) }
    skipped += other.skipped
    for (index, refusal) in other.refusals {
      if let mine = refusals[index]?.block, mine <= refusal.block ?? .max { continue }
      refusals[index] = refusal
    }
  }

  private var header: Tensor {
    let numbers: [Int64] = [
      1, Int64(count), options.estimator == .debiased ? 1 : 0, Int64(options.precision.rawValue),
      Int64(options.groups), Int64(options.permutations), Int64(bitPattern: options.seed),
    ]
    return Tensor(numbers, shape: [numbers.count])
  }
}

extension MinibatchCKA {
  static func integers(_ numbers: [Int], width: Int) -> Tensor {
    Tensor(numbers.map(Int64.init), shape: [numbers.count / width, width])
  }

  static func rows(_ tensor: Tensor?, width: Int) -> [[Int]]? {
    guard let tensor, tensor.dtype == .int64, tensor.rank == 2, tensor.shape[1] == width else {
      return nil
    }
    let numbers = tensor.scalars(Int64.self).map(Int.init)
    return stride(from: 0, to: numbers.count, by: width).map { Array(numbers[$0..<($0 + width)]) }
  }

  /// A float64 tensor of that shape, in memory of its own: what comes from a file may be mapped.
  static func matrix(_ tensor: Tensor?, _ shape: [Int]) -> Tensor? {
    guard let tensor, tensor.dtype == .float64, tensor.shape == shape else { return nil }
    return Plain.clone(tensor)
  }
}
