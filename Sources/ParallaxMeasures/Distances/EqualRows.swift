import ParallaxTensors

/// Rows of features that are equal number by number.
package enum EqualRows {
  /// Of each row the first that is equal to it; nil where all differ.
  package static func firsts(of features: Tensor) -> [Int]? {
    let (rows, width) = (features.shape[0], features.shape[1])
    let numbers = features.scalars(Double.self)
    var known: [UInt64: [Int]] = [:]
    var firsts = Array(0..<rows)
    for row in 0..<rows {
      // Fowler, Noll and Vo's hash, a number at a time; 0 and −0 are equal.
      var hash: UInt64 = 0xcbf2_9ce4_8422_2325
      for place in (row * width)..<((row + 1) * width) {
        hash = (hash ^ (numbers[place] + 0).bitPattern) &* 0x100_0000_01b3
        hash ^= hash >> 29
      }
      let first = known[hash, default: []].first { other in
        (0..<width).allSatisfy { numbers[row * width + $0] == numbers[other * width + $0] }
      }
      if let first { firsts[row] = first } else { known[hash, default: []].append(row) }
    }
    return firsts.indices.allSatisfy { firsts[$0] == $0 } ? nil : firsts
  }
}
