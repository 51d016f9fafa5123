import ParallaxTensors

/// Which rows of a matrix are the same, number for number.
struct IdenticalRows: Sendable {
  /// Of each row the first that is the same: itself where none is.
  let first: [Int]
  /// The rows that have a like, together with it.
  let groups: [[Int]]

  private static let bytes = 1 << 24
  private static let mix = Operator("aten::mul.Tensor")

  /// Finds equal rows by a hash of their bits, and compares those of one hash.
  ///
  /// - Parameter rows: `[rows, width]`, finite; 0 and −0 are the same.
  /// - Complexity: rows · width, and no distances.
  init(_ rows: Tensor) {
    let (count, width) = (rows.shape[0], rows.shape[1])
    let precision = Gram.precision(of: rows)
    var source = SplitMix(seed: 0x6b2a)
    let factors = Tensor(
      (0..<width).map { _ in Int64(bitPattern: source.next() | 1) }, shape: [1, width])
    let step = max(1, Self.bytes / (8 * width))
    var hashes: [Int64] = []
    for start in stride(from: 0, to: count, by: step) {
      // −0 + 0 is 0.
      let some =
        rows.sliced(0, start, min(start + step, count)).to(.cpu).to(precision) + 0.0
      let bits = Plain.view(some.contiguous(), precision == .float64 ? DType.int64 : .int32)
        .to(.int64)
      hashes += Self.mix(bits, factors).sum(over: [1]).scalars(Int64.self)
    }
    var known: [Int64: [Int]] = [:]
    var first = Array(0..<count)
    var open: [(row: Int, like: Int)] = []
    for (row, hash) in hashes.enumerated() {
      if let others = known[hash] {
        open.append((row, others[0]))
      } else {
        known[hash] = [row]
      }
    }
    for start in stride(from: 0, to: open.count, by: step) {
      let some = open[start..<min(start + step, open.count)]
      let same = Self.differences(rows, some.map(\.row), some.map(\.like))
      for (pair, difference) in zip(some, same) {
        if difference == 0 {
          first[pair.row] = pair.like
        } else {
          // Of one hash and yet different: as good as never.
          let others = known[hashes[pair.row]] ?? []
          let like = others.dropFirst().first {
            Self.differences(rows, [pair.row], [$0])[0] == 0
          }
          first[pair.row] = like ?? pair.row
          if like == nil { known[hashes[pair.row], default: []].append(pair.row) }
        }
      }
    }
    self.first = first
    groups = Self.groups(first)
  }

  /// Equal rows from the first that each is like.
  init(first: [Int]) { (self.first, groups) = (first, Self.groups(first)) }

  private static func groups(_ first: [Int]) -> [[Int]] {
    var members: [Int: [Int]] = [:]
    for (row, like) in first.enumerated() where like != row {
      members[like, default: [like]].append(row)
    }
    return members.keys.sorted().compactMap { members[$0] }
  }

  private static func differences(_ rows: Tensor, _ left: [Int], _ right: [Int]) -> [Double] {
    (Gram.widened(rows.gathered(0, left)) - Gram.widened(rows.gathered(0, right)))
      .absolute().sum(over: [1]).scalars(Double.self)
  }
}
