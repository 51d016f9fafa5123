/// An exact permutation test over a few labelled things: which of all ways to label them has a difference of means as
/// large.
struct LabelPermutation {
  /// The mean of the labelled less the mean of the others.
  let difference: Double
  /// The share of all labellings whose difference is as large or larger, this one among them.
  let pValue: Double
  /// The smallest that share can be: 1 / the number of labellings.
  let smallest: Double

  /// All labellings up to 16 things; nil for more, or where one side is empty.
  ///
  /// > Source: Fisher, 1935, The Design of Experiments, section 21.
  init?(_ values: [Double], isLabelled: [Bool]) {
    let count = isLabelled.count { $0 }
    guard values.count == isLabelled.count, values.count <= 16, count > 0, count < values.count
    else { return nil }
    let all = values.reduce(0, +)
    func difference(_ labelled: Double) -> Double {
      labelled / Double(count) - (all - labelled) / Double(values.count - count)
    }
    let own = difference(zip(values, isLabelled).reduce(0) { $0 + ($1.1 ? $1.0 : 0) })
    var (ways, asLarge) = (0, 0)
    for mask in 0..<(1 << values.count) where mask.nonzeroBitCount == count {
      ways += 1
      let labelled = values.indices.reduce(0) { $0 + (mask >> $1 & 1 == 1 ? values[$1] : 0) }
      // Sums of the same numbers in another order differ by rounding.
      if difference(labelled) >= own - 1e-12 * max(1, abs(own)) { asLarge += 1 }
    }
    self.difference = own
    pValue = Double(asLarge) / Double(ways)
    smallest = 1 / Double(ways)
  }
}
